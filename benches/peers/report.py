"""Raw rows to tables. A ratio is taken in every round; what is told is the median of the rounds."""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

NAMES = {
    "exact": "paperkin exact (f32)",
    "fast": "paperkin fast (bf16)",
    "turbo": "paperkin turbo (int8)",
    "candle": "Candle BertModel f32, batch 8, sorted",
    "onnx-f32": "ONNX Runtime f32, fused, batch 16, sorted",
    "onnx-int8": "ONNX Runtime int8, fused, batch 16, sorted",
    "torch-f32": "sentence-transformers f32, batch 32",
}
PACKAGES = ["sentence-transformers", "torch", "transformers", "tokenizers", "onnxruntime", "onnx", "numpy"]
FLAGS = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8"]


@dataclass
class Run:
    """What was measured. `missing` says why something was not."""

    rows: list
    quality: dict
    about: dict
    missing: dict
    tokens: int
    flops: int

    def rounds(self, who, measure, key="seconds"):
        return [row[key] for row in self.rows if (row["who"], row["measure"]) == (who, measure)]

    def rates(self, who, of="texts"):
        return [row[of] / row["seconds"] for row in self.rows if (row["who"], row["measure"]) == (who, "rate")]


@dataclass
class Bar:
    """A ratio that is held against a floor and an aim. `ours` and `peers` are contestants."""

    id: str
    what: str
    ours: str
    peers: list
    floor: float
    aim: float
    measure: str = "rate"
    needs: dict = field(default_factory=dict)

    @property
    def less_is_better(self):
        return self.measure in ("query", "cold")

    def ratios(self, run):
        if self.measure == "peak":
            peaks = run.rounds("machine", "peak", "gflops")
            return [run.flops / seconds / 1e9 / peak for seconds, peak in zip(run.rounds("exact", "rate"), peaks, strict=True)]
        ours, *peers = (run.rounds(who, self.measure) for who in [self.ours, *self.peers])
        fastest = [min(seconds) for seconds in zip(*peers, strict=True)]
        pairs = zip(ours, fastest, strict=True)
        return [our / their if self.less_is_better else their / our for our, their in pairs]

    def verdict(self, ratio, run):
        reaches = (lambda bar: ratio <= bar) if self.less_is_better else (lambda bar: ratio >= bar)
        word = "aim" if reaches(self.aim) else "floor" if reaches(self.floor) else "**below**"
        quality = run.quality.get(self.ours, {})
        needs = {**self.needs, "mean": run.quality["onnx-int8"]["mean"]} if quality and self.id == "E6" else self.needs
        unmet = [f"{key} {quality[key]:.5f} < {least}" for key, least in needs.items() if quality and quality[key] < least]
        return f"{word}, but {'; '.join(unmet)}" if unmet else word


BARS = [
    Bar("E1", "f32 against stock Candle", "exact", ["candle"], 3, 4.5),
    Bar("E2", "f32 against the faster of ONNX Runtime f32 and torch f32", "exact", ["onnx-f32", "torch-f32"], 1.2, 1.5),
    Bar("E3", "f32: useful FLOP over the measured peak", "exact", [], 0.65, 0.78, "peak"),
    Bar("E4", "bf16 against own f32", "fast", ["exact"], 1.4, 1.65, needs={"worst": 0.9999}),
    Bar("E5", "int8 against own f32", "turbo", ["exact"], 2.0, 2.6, needs={"mean": 0.998, "overlap": 0.95}),
    Bar("E6", "int8 against ONNX Runtime int8, at a higher cosine", "turbo", ["onnx-int8"], 1.4, 2.2),
    Bar("E7", "int8 against stock Candle", "turbo", ["candle"], 7, 12),
    Bar("E8 f32", "seconds of one query of 32 tokens, against ONNX Runtime f32", "exact", ["onnx-f32"], 1.0, 0.7, "query"),
    Bar("E8 bf16", "the same, bf16", "fast", ["onnx-f32"], 1.0, 0.7, "query"),
    Bar("E8 int8", "the same, int8", "turbo", ["onnx-f32"], 1.0, 0.7, "query"),
    Bar("E9", "cold start against a sentence-transformers script", "paperkin", ["sentence-transformers"], 1 / 20, 1 / 50, "cold"),
]


def contestants(run):
    """One line each: medians, and the spread of the rounds."""
    lines = ["| | documents/s | min to max | tokens/s | one query, ms | mean cosine | worst | top-10 overlap |", "|---|---|---|---|---|---|---|---|"]
    for who, name in NAMES.items():
        if who in run.missing:
            lines.append(f"| {name} | skipped: {run.missing[who]} |" + " |" * 6)
            continue
        counted = run.rounds(who, "rate", "tokens")[0]
        name += "" if counted == run.tokens else f" (counts {counted} tokens, not {run.tokens})"
        rates = run.rates(who)
        rate, query = statistics.median(rates), statistics.median(run.rounds(who, "query"))
        tokens = statistics.median(run.rates(who, "tokens"))
        quality = run.quality.get(who)
        cosines = f"{quality['mean']:.5f} | {quality['worst']:.5f} | {quality['overlap']:.3f}" if quality else "– | – | –"
        lines.append(f"| {name} | {rate:.1f} | {min(rates):.1f} to {max(rates):.1f} | {tokens:,.0f} | {query * 1e3:.2f} | {cosines} |")
    return lines


def bars(run):
    lines = ["| | measure | floor | aim | measured | min to max | reaches |", "|---|---|---|---|---|---|---|"]
    for bar in BARS:
        head = f"| {bar.id} | {bar.what} | {shown(bar, bar.floor)} | {shown(bar, bar.aim)} |"
        needed = ["cold"] if bar.measure == "cold" else [bar.ours, *bar.peers]
        why = [f"{who}: {run.missing[who]}" for who in needed if run.missing.get(who)]
        if why:
            lines.append(f"{head} not measured | | {why[0]} |")
            continue
        ratios = bar.ratios(run)
        ratio = statistics.median(ratios)
        spread = f"{shown(bar, min(ratios))} to {shown(bar, max(ratios))}"
        lines.append(f"{head} {shown(bar, ratio)} | {spread} | {bar.verdict(ratio, run)} |")
    return lines


def shown(bar, ratio):
    if bar.measure == "peak":
        return f"{ratio:.0%}"
    return f"1/{1 / ratio:.0f}" if bar.measure == "cold" else f"{ratio:.2f}x"


def facts(args, texts, digest, int8):
    """What was run, on what, with what."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", cpu)
    flags = set((re.search(r"flags\s*: (.*)", cpu) or ["", ""])[1].split())
    told = "{}: {documents_per_cpu_second} documents/s of one thread, mean cosine {mean_cosine}, worst {worst_cosine}"
    variants = [told.format(name, **variant) for name, variant in int8["variants"].items()]
    return {
        "command": " ".join(Path(word).name if word.startswith("/") else word for word in args.command.split()),
        "commit": output("git", "describe", "--always", "--dirty"),
        "texts": f"{args.rates} for rates, {texts} for cosines; sha256 of all begins with {digest}",
        "processor": f"{model[1] if model else platform.processor()}, {os.cpu_count()} logical, "
        + ", ".join(f"{flag} {'yes' if flag in flags else 'no'}" for flag in FLAGS),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "rustc": output("rustc", "--version"),
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),
        "ONNX Runtime int8": f"chosen {int8['chosen']}; tried {'; '.join(variants)}",
    }


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write(run, facts, out):
    lines = [*contestants(run), "", *bars(run), "", *(f"- {name}: {fact}" for name, fact in facts.items())]
    table = "\n".join(lines) + "\n"
    sys.stdout.write(table)
    if not out:
        return
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(table, encoding="utf-8")
    packages = sorted(f"{package.name}=={package.version}" for package in metadata.distributions())
    heads = [{**facts, "all packages": packages}, {"contestants": run.about, "missing": run.missing, "quality": run.quality}]
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in [*heads, *run.rows])
