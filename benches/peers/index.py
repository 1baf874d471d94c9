"""Measures the index beside its peers: bars S1 to S5 and K1. `benches/peers/run index` starts it."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np

K, NEIGHBOURS, QUESTIONS = 10, 15, 1000
# The first is for peers that do not reach the others.
RECALLS = (0.9, 0.95, 0.99)
HERE = Path(__file__).parent
GRAPHS = ["paperkin", "hnsw_rs", "hnswlib", "usearch"]
NAMES = {
    "paperkin": "paperkin, int8 codes and f16",
    "hnsw_rs": "hnsw_rs, f32, distance with AVX2, the same M and ef_construction",
    "hnswlib": "hnswlib, f32, M 16, ef_construction 100",
    "usearch": "usearch, int8, connectivity 16, expansion 128",
    "faiss-flat": "FAISS IndexFlatIP, f32",
}


class Contestant:
    def __init__(self, name, args, folder):
        files = [folder / "rows.npy", folder / "questions.npy"]
        ours = name in ("paperkin", "hnsw_rs")
        command = [args.bench, "worker", name] if ours else [sys.executable, HERE / "index_peer.py", name]
        threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "2"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*map(str, command), *map(str, files)], stdin=pipe, stdout=pipe, text=True, env={**os.environ, **threads})

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def recall(found, truth):
    """The share of the right rows among those found."""
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth)]))


def smallest_ef(contestant, truth, wanted):
    """The least ef that reaches a recall, by halving; 1024 if none does."""
    low, high = K, 1024
    while low < high:
        middle = (low + high) // 2
        if recall(contestant.ask(f"ask {middle}")["found"], truth) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def prepare(files, folder):
    """Rows, questions, the nearest of both in f32."""
    vectors = np.concatenate([np.load(file).astype(np.float32) for file in files])
    vectors = vectors[np.random.default_rng(1).permutation(len(vectors))]
    rows, questions = vectors[:-QUESTIONS], vectors[-QUESTIONS:]
    np.save(folder / "rows.npy", rows)
    np.save(folder / "questions.npy", questions)
    nearest = lambda some, k: np.argsort(-(some @ rows.T), axis=1)[:, :k]
    among = nearest(rows[:QUESTIONS], NEIGHBOURS + 1).tolist()
    others = [[row for row in near if row != own][:NEIGHBOURS] for own, near in enumerate(among)]
    return rows, nearest(questions, K).tolist(), others


def measure(contestants, truth, args):
    rows, settings = [], []
    for name in ["paperkin", "faiss-flat"]:
        contestants[name].ask("build exact")
    exact = [("paperkin", "exact", "ask 0"), ("faiss-flat", "exact", "ask 0"), ("faiss-flat", "exact, all questions at once", "ask 1")]
    rows += rounds(contestants, [(name, what, order, None) for name, what, order in exact], truth, args.rounds)
    for name in GRAPHS:
        before = contestants[name].resident()
        built = contestants[name].ask("build graph")
        # Ours says what its file has; of the others the growth of the process is known.
        size = built["bytes"] if name == "paperkin" else contestants[name].resident() - before
        rows.append({"who": name, "what": "build", "seconds": built["seconds"], "bytes": size})
        note(f"{name}: built in {built['seconds']:.1f} s")
        for wanted in RECALLS:
            ef = smallest_ef(contestants[name], truth, wanted)
            settings.append((name, f"recall {wanted}", f"ask {ef}", ef))
    return rows + rounds(contestants, settings, truth, args.rounds)


def rounds(contestants, settings, truth, count):
    """All settings in turn, `count` times after one that does not count."""
    rows = []
    for number in range(count + 1):
        for name, what, order, ef in settings:
            answer = contestants[name].ask(order)
            row = {"round": number, "who": name, "what": what, "ef": ef, "seconds": answer["seconds"], "recall": recall(answer["found"], truth)}
            rows += [row] if number else []
    return rows


def all_neighbours(contestants, others):
    """Two threads. hnswlib is told the ef by which a sample reaches the recall."""
    contestants["paperkin"].ask("build exact")
    # The codes are made of the vectors, which takes a part of a second, and is counted.
    ours = contestants["paperkin"].ask("build exact")["seconds"]
    found = contestants["paperkin"].ask(f"neighbours {NEIGHBOURS}")
    rows = [{"who": "paperkin", "what": "neighbours", "seconds": ours + found["seconds"], "recall": recall(found["found"], others)}]
    for ef in range(20, 200, 5):
        answer = contestants["hnswlib"].ask(f"neighbours {NEIGHBOURS} {ef}")
        near = [[row for row in near if row != own][:NEIGHBOURS] for own, near in enumerate(answer["found"][:QUESTIONS])]
        if recall(near, others) >= 0.99:
            return rows + [{"who": "hnswlib", "what": "neighbours", "ef": ef, "seconds": answer["seconds"], "recall": recall(near, others)}]
    return rows


def note(text):
    print(text, file=sys.stderr, flush=True)


def median(rows, who, what, key="seconds"):
    return statistics.median([row[key] for row in rows if (row["who"], row["what"]) == (who, what)])


def spread(rows, who, what):
    rates = [QUESTIONS / row["seconds"] for row in rows if (row["who"], row["what"]) == (who, what)]
    return f"{min(rates):,.0f} to {max(rates):,.0f}"


def table(rows, count):
    lines = ["| | | questions/s, one thread | min to max | recall@10 | ef |", "|---|---|---|---|---|---|"]
    seen = dict.fromkeys((row["who"], row["what"]) for row in rows if "round" in row)
    for who, what in seen:
        ef = next(row["ef"] for row in rows if (row["who"], row["what"]) == (who, what))
        rate = QUESTIONS / median(rows, who, what)
        lines.append(f"| {NAMES[who]} | {what} | {rate:,.0f} | {spread(rows, who, what)} | {median(rows, who, what, 'recall'):.4f} | {ef or ''} |")
    lines += ["", "| | build, s, one thread | bytes a vector, of ours without the f16 that a file also has |", "|---|---|---|"]
    for name in GRAPHS:
        lines.append(f"| {NAMES[name]} | {median(rows, name, 'build'):.1f} | {median(rows, name, 'build', 'bytes') / count:,.0f} |")
    lines += ["", f"| {NEIGHBOURS} neighbours of all, two threads | s | recall |", "|---|---|---|"]
    for row in rows:
        if row["what"] == "neighbours":
            lines.append(f"| {NAMES[row['who']]}{', build and queries at ef ' + str(row['ef']) if row.get('ef') else ''} | {row['seconds']:.1f} | {row['recall']:.4f} |")
    return lines


def bars(rows, count):
    time = lambda who, what: median(rows, who, what)
    ratio = lambda peer, what, ours="paperkin": time(peer, what) / time(ours, what)
    size = lambda who: median(rows, who, "build", "bytes") / count
    found = [("S1", "exact, against FAISS, one question at a time", 3, 4, ratio("faiss-flat", "exact"))]
    found.append(("", "the same, FAISS given all questions at once", None, None, time("faiss-flat", "exact, all questions at once") / time("paperkin", "exact")))
    for wanted in RECALLS:
        for bar, peer, floor, aim in [("S2", "hnsw_rs", 3, 5), ("S3", "hnswlib", 0.9, 1.2), ("S3", "usearch", 0.9, 1.2)]:
            what, most = f"recall {wanted}", median(rows, peer, f"recall {wanted}", "recall")
            if most < wanted:
                found.append((bar, f"{what}, against {peer}, which finds {most:.4f} at most", None, None, ratio(peer, what)))
            else:
                found.append((bar, f"{what}, against {peer}", floor, aim, ratio(peer, what)))
    found.append(("S4", "bytes of codes and lists against hnsw_rs's vectors and lists, times smaller", 3, 5, size("hnsw_rs") / size("paperkin")))
    found.append(("S5", "build against hnswlib, share of its speed", 1 / 3, 1 / 1.5, ratio("hnswlib", "build")))
    if any((row["who"], row["what"]) == ("hnswlib", "neighbours") for row in rows):
        found.append(("K1", "neighbours against hnswlib's build and queries", 1, 2, ratio("hnswlib", "neighbours")))
    lines = ["| | measure | floor | aim | measured | reaches |", "|---|---|---|---|---|---|"]
    for name, what, floor, aim, value in found:
        reaches = "" if floor is None else "aim" if value >= aim else "floor" if value >= floor else "**below**"
        limits = ["" if limit is None else f"{limit:.2f}x" for limit in (floor, aim)]
        lines.append(f"| {name} | {what} | {limits[0]} | {limits[1]} | {value:.2f}x | {reaches} |")
    return lines


def facts(args, count):
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ["hnswlib", "usearch", "faiss-cpu", "numpy"])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="ascii") if line.startswith("model name")), "")
    return [
        f"- command: {' '.join(Path(word).name if word.endswith('.npy') else word for word in args.command.split())}",
        f"- commit: {commit}",
        f"- {count} vectors and {QUESTIONS} questions that are not among them; {args.rounds} rounds in turn",
        f"- processor: {cpu}; system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"- packages: {packages}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", nargs="+", help="NumPy files, as `paperkin export --vectors` writes them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", help="where table.md and rows.jsonl are written")
    parser.add_argument("--bench", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--command", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vectors, truth, others = prepare(args.vectors, Path(folder))
        count = len(vectors)
        del vectors
        contestants = {name: Contestant(name, args, Path(folder)) for name in NAMES}
        rows = measure(contestants, truth, args) + all_neighbours(contestants, others)
        for contestant in contestants.values():
            contestant.close()
    text = "\n".join([*table(rows, count), "", *bars(rows, count), "", *facts(args, count)]) + "\n"
    print(text)
    if args.out:
        out = Path(args.out)
        out.mkdir(parents=True, exist_ok=True)
        (out / "table.md").write_text(text, encoding="utf-8")
        (out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
