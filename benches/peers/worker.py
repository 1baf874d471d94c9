"""What every Python worker does: it loads, warms up, and then obeys the lines of the driver, one JSON line each.

    rate N       embeds the first N texts, tokenization included  -> {"seconds": ..., "tokens": ...}
    vectors PATH embeds all texts and writes a float32 .npy       -> {"rows": ...}
    query R TEXT embeds one text R times, one by one              -> {"seconds": the median of one}

The end of the input ends the worker. The Rust executable obeys the same lines.
"""

import json
import os
import statistics
import sys
import time

import numpy as np

THREADS = 2


def read_texts(path):
    """One JSON string a line."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def own_stdout():
    """Standard output for answers only: what libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def serve(name, version, texts, load):
    """`load` returns two functions: texts to normalised float32 rows, and texts to the number of their tokens."""
    out = own_stdout()
    embed, count_tokens = load()

    def answer(fields):
        out.write(json.dumps(fields) + "\n")
        out.flush()

    embed(texts[:32])
    embed(texts[:1])
    answer({"ready": True, "name": name, "version": version, "threads": THREADS})
    for line in sys.stdin:
        order, _, argument = line.rstrip("\n").partition(" ")
        answer(ORDERS[order](argument, texts, embed, count_tokens))


def rate(argument, texts, embed, count_tokens):
    texts = texts[: int(argument)]
    begin = time.perf_counter()
    embed(texts)
    return {"seconds": time.perf_counter() - begin, "tokens": count_tokens(texts)}


def vectors(argument, texts, embed, count_tokens):
    rows = embed(texts)
    np.save(argument, np.ascontiguousarray(rows, dtype=np.float32))
    return {"rows": len(rows)}


def query(argument, texts, embed, count_tokens):
    times, _, text = argument.partition(" ")
    seconds = []
    for _ in range(int(times)):
        begin = time.perf_counter()
        embed([text])
        seconds.append(time.perf_counter() - begin)
    return {"seconds": statistics.median(seconds)}


ORDERS = {"rate": rate, "vectors": vectors, "query": query}
