"""A peer's index as a contestant of index.py: index_peer.py hnswlib|usearch|faiss-flat ROWS.npy QUESTIONS.npy

Obeys lines as `benches/index.rs worker` does: `build graph`, `ask EF`, `neighbours K EF`. One thread, but for neighbours.
"""

import json
import os
import sys
import time

import numpy as np

K = 10


class Hnswlib:
    # The lightest of the common settings: with more, its build takes longer.
    M, EF_CONSTRUCTION = 16, 100

    def build(self, rows, threads=1):
        import hnswlib

        self.index = hnswlib.Index("ip", rows.shape[1])
        self.index.init_index(len(rows), ef_construction=self.EF_CONSTRUCTION, M=self.M)
        self.index.set_num_threads(threads)
        self.index.add_items(rows)

    def ask(self, questions, ef, k=K, threads=1):
        self.index.set_ef(max(ef, k))
        return self.index.knn_query(questions, k, num_threads=threads)[0]


class Usearch:
    def build(self, rows, threads=1):
        from usearch.index import Index

        self.index = Index(ndim=rows.shape[1], metric="ip", dtype="i8", connectivity=16, expansion_add=128)
        self.index.add(np.arange(len(rows)), rows, threads=threads)

    def ask(self, questions, ef, k=K, threads=1):
        self.index.expansion_search = max(ef, k)
        return self.index.search(questions, k, threads=threads).keys


class FaissFlat:
    """`ask 0` one question at a time, `ask 1` all at once, which is a product of matrices."""

    def build(self, rows, threads=1):
        import faiss

        faiss.omp_set_num_threads(threads)
        self.index = faiss.IndexFlatIP(rows.shape[1])
        self.index.add(rows)

    def ask(self, questions, ef, k=K):
        if ef:
            return self.index.search(questions, k)[1]
        return np.concatenate([self.index.search(questions[i : i + 1], k)[1] for i in range(len(questions))])


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    name, rows, questions = sys.argv[1:4]
    rows, questions = np.load(rows), np.load(questions)
    contestant = {"hnswlib": Hnswlib, "usearch": Usearch, "faiss-flat": FaissFlat}[name]()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        order, *what = line.split()
        before, start, found = resident(), time.perf_counter(), None
        if order == "build":
            contestant.build(rows)
        elif order == "ask":
            found = contestant.ask(questions, int(what[0]))
        else:
            # A row finds itself too.
            fresh = type(contestant)()
            fresh.build(rows, threads=2)
            found = fresh.ask(rows, int(what[1]), k=int(what[0]) + 1, threads=2)
        seconds = time.perf_counter() - start
        answer = {"seconds": seconds, "found": None if found is None else found.tolist(), "bytes": resident() - before}
        out.write(json.dumps(answer) + "\n")
        out.flush()


main()
