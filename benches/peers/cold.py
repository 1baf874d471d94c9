"""Cold start: from process start to the end of the answer, in turn with what a sentence-transformers user runs."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
PAPERS = 10_000
DIM = 384


def measure(args, query, environment, folder):
    """Rows as those of the workers; or none, and why."""
    if not args.library:
        return [], "no --library was given"
    if not args.paperkin:
        return [], "there is no paperkin executable"
    papers = count(args.paperkin, args.library)
    if papers != PAPERS:
        return [], f"the library holds {papers} papers, not {PAPERS}"
    # Any vectors cost the same.
    vectors = np.random.default_rng(1).standard_normal((PAPERS, DIM), dtype=np.float32)
    np.save(folder / "stored.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    commands = {
        "paperkin": [args.paperkin, "search", query, "--library", args.library],
        "sentence-transformers": [sys.executable, HERE / "cold_peer.py", args.model, folder / "stored.npy", query],
    }
    # The first time, which does not count, brings the files into memory.
    return [row for number in range(args.rounds + 1) for row in once(number, commands, environment)][len(commands) :], None


def once(number, commands, environment):
    for name, command in commands.items():
        begin = time.perf_counter()
        answer = subprocess.run([str(part) for part in command], env=environment, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        assert len(answer.stdout.splitlines()) >= 10, f"{name} gave no ten answers"
        yield {"round": number, "measure": "cold", "who": name, "seconds": seconds}


def count(paperkin, library):
    ids = subprocess.run([paperkin, "ls", "--quiet", "--library", library], check=True, capture_output=True, text=True)
    return len(ids.stdout.splitlines())
