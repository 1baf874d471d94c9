"""Measures the encoder beside its peers: the rounds of all go in turn, so that the machine's noise hits all alike.

Each contestant is a process that obeys the lines described in worker.py; the bench executable is one for each precision,
and one for stock Candle. `benches/peers/run` makes all that this needs and starts it.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np

import cold
import report
from onnx_peer import read_tokenizer

HERE = Path(__file__).resolve().parent
OURS = ["exact", "fast", "turbo"]
QUERY_TOKENS = 32
QUERY_TIMES = 30
WARM_UP = 64


class Unavailable(Exception):
    """A contestant that cannot run here, and why."""


class Worker:
    def __init__(self, command, texts, log):
        self.log = open(log, "w+", encoding="utf-8")
        pipe = subprocess.PIPE
        command = [*map(str, command), str(texts)]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self.log, text=True, env=environment())
        self.about = self.answer()

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        fields = json.loads(line) if line else {"unavailable": self.last_words()}
        if "unavailable" in fields:
            raise Unavailable(fields["unavailable"])
        return fields

    def last_words(self):
        self.process.wait()
        self.log.seek(0)
        words = self.log.read().strip().splitlines()
        return words[-1] if words else f"it ended with exit code {self.process.returncode}"

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def environment():
    """Two threads for all, no connection, and nothing that makes a peer slower."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    threads = {key: "2" for key in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"]}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
    return {**kept, **threads, **quiet, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}


def text_of(paper):
    title = paper["title"]
    return title + (" " if title.endswith(".") else ". ") + paper["abstract"]


def prepare_texts(source, wanted, target):
    with open(source, encoding="utf-8") as file:
        papers = (json.loads(line) for line in file if line.strip())
        texts = [text for _, text in zip(range(wanted), (text_of(p) for p in papers if p.get("abstract")), strict=False)]
    target.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
    return texts


def export(args, texts):
    """The folder of ONNX Runtime's graphs, which are made once for a model and a version."""
    weights = hashlib.sha256((Path(args.model) / "model.safetensors").read_bytes()).hexdigest()[:12]
    folder = Path(args.onnx) / f"{weights}-{metadata.version('onnxruntime')}"
    subprocess.run([sys.executable, HERE / "export.py", args.model, folder, texts], check=True, env=environment())
    return folder


def query_text(texts, tokenizer):
    """A text of exactly 32 tokens: as many words of the first one as fit, and the rest is made up."""
    query = ""
    for word in [*texts[0].split(), *["data"] * QUERY_TOKENS]:
        longer = f"{query} {word}".strip()
        if len(tokenizer.encode(longer).ids) <= QUERY_TOKENS:
            query = longer
    assert len(tokenizer.encode(query).ids) == QUERY_TOKENS, query
    return query


def commands(args):
    """Every contestant, in the order of a round."""
    python, model, onnx = sys.executable, args.model, args.onnx
    ours = {name: [args.bench, "worker", name] for name in [*OURS, "candle"]} if args.bench else {}
    return {
        **ours,
        "onnx-f32": [python, HERE / "onnx_peer.py", "f32", model, onnx],
        "onnx-int8": [python, HERE / "onnx_peer.py", "int8", model, onnx],
        "torch-f32": [python, HERE / "torch_peer.py", model],
    }


def start(args, texts, logs):
    workers, missing = {}, {}
    if not args.bench:
        missing = {name: "there is no bench executable" for name in [*OURS, "candle"]}
    for name, command in commands(args).items():
        try:
            workers[name] = Worker(command, texts, logs / f"{name}.log")
        except (Unavailable, OSError) as error:
            missing[name] = str(error)
    for name, why in missing.items():
        say(f"skipped {name}: {why}")
    return workers, missing


def measure(args, workers, query):
    """The raw rows: each contestant's rates, then each one's query, in every round."""
    rows = []
    for worker in workers.values():
        worker.ask(f"rate {min(args.rates, WARM_UP)}")
        worker.ask(f"query 3 {query}")
    for number in range(1, args.rounds + 1):
        if args.bench:
            rows.append({"round": number, "measure": "peak", "who": "machine", **peak(args.bench)})
        for order, times in [(f"rate {args.rates}", args.rates), (f"query {QUERY_TIMES} {query}", 1)]:
            for name, worker in workers.items():
                row = {"round": number, "measure": order.split()[0], "who": name, "texts": times, **worker.ask(order)}
                rows.append({**row, "load": load()})
                say(f"round {number} {name} {row['measure']} {row['seconds']:.4f} s")
    return rows


def load():
    """Processes that want to run, over the last minute: more than ours means that others compute here too."""
    return round(os.getloadavg()[0], 2)


def peak(bench):
    found = subprocess.run([bench, "peak"], check=True, capture_output=True, text=True, env=environment())
    return json.loads(found.stdout)


def compare(workers, folder):
    """Cosines to sentence-transformers' vectors, and how many of the ten nearest are the same."""
    rows = {}
    for name, worker in workers.items():
        path = folder / f"{name}.npy"
        worker.ask(f"vectors {path}")
        rows[name] = np.load(path)
    if "torch-f32" not in rows:
        return {}
    reference = rows["torch-f32"]
    nearest = top(reference)
    quality = {}
    for name, vectors in rows.items():
        cosines = (vectors.astype(np.float64) * reference).sum(axis=1)
        same = [len(set(a) & set(b)) / len(a) for a, b in zip(top(vectors), nearest, strict=True)]
        quality[name] = {"mean": float(cosines.mean()), "worst": float(cosines.min()), "overlap": float(np.mean(same))}
    return quality


def top(vectors, count=10):
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def flop(texts, model, tokenizer):
    """Of all texts, without padding: the linear layers, and attention's two products."""
    config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    layers, hidden, inner = config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts)]
    linear = layers * (8 * hidden * hidden + 4 * hidden * inner)
    return sum(lengths), sum(length * (linear + 4 * layers * hidden * length) for length in lengths)


def say(line):
    print(line, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="benches/peers/run embed", description=__doc__.splitlines()[0])
    parser.add_argument("--texts", default="data/sample.jsonl", help="papers, one JSON object a line")
    parser.add_argument("--model", default="models/all-MiniLM-L6-v2", help="a sentence-transformers directory")
    parser.add_argument("--rates", type=int, default=400, help="texts for rates")
    parser.add_argument("--cosines", type=int, default=2000, help="texts for cosines")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--library", help="a library of 10,000 papers, for the cold start")
    parser.add_argument("--out", help="where table.md and rows.jsonl are written")
    parser.add_argument("--onnx", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--bench", help=argparse.SUPPRESS)
    parser.add_argument("--paperkin", help=argparse.SUPPRESS)
    parser.add_argument("--command", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        texts = prepare_texts(args.texts, max(args.rates, args.cosines), folder / "texts.jsonl")
        args.rates = min(args.rates, len(texts))
        args.onnx = export(args, folder / "texts.jsonl")
        tokenizer = read_tokenizer(args.model)
        query = query_text(texts, tokenizer)
        workers, missing = start(args, folder / "texts.jsonl", folder)
        rows = measure(args, workers, query)
        quality = compare(workers, folder)
        about = {name: worker.about for name, worker in workers.items()}
        for worker in workers.values():
            worker.close()
        cold_rows, why_not = cold.measure(args, query, environment(), folder)
    tokens, flops = flop(texts[: args.rates], args.model, tokenizer)
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    run = report.Run(rows + cold_rows, quality, about, {**missing, "cold": why_not}, tokens, flops)
    int8 = json.loads((Path(args.onnx) / "int8.json").read_text(encoding="utf-8"))
    facts = {**report.facts(args, len(texts), digest, int8), "load average before": before}
    report.write(run, facts, args.out)


if __name__ == "__main__":
    main()
