"""Makes the graphs of onnx_peer.py: `export.py MODEL_DIR ONNX_DIR TEXTS`.

f32.onnx is the model as torch exports it, then fused by ONNX Runtime's own optimizer. int8.onnx is the best of four
dynamic quantizations of that, per channel: signed or unsigned weights, of 8 bits or of 7. Which one is best depends on
the processor: without VNNI the sums of u8 x i8 products saturate, and unsigned weights take another path. So each is
tried on some texts, by the processor time of one thread, which other work on the machine hardly changes; the one with the
highest cosine to f32 is taken among those that are nearly as fast as the fastest.
"""

import json
import logging
import statistics
import sys
import time
from pathlib import Path

import torch
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from transformers import AutoModel

import worker
from onnx_peer import Encoder

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
VARIANTS = {
    "S8": (QuantType.QInt8, False),
    "S8, 7 bits": (QuantType.QInt8, True),
    "U8": (QuantType.QUInt8, False),
    "U8, 7 bits": (QuantType.QUInt8, True),
}
# What is nearly as fast, and how many texts and rounds tell.
NEARLY = 0.9
TEXTS = 48
ROUNDS = 3


class Hidden(torch.nn.Module):
    """The token vectors alone."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return self.model(**inputs).last_hidden_state


def export_f32(model_dir, onnx_dir):
    # Only eager attention, exported by tracing, has the form that the optimizer fuses.
    model = AutoModel.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="eager", add_pooling_layer=False)
    ids = torch.randint(1000, 2000, (2, 16))
    raw, fused = onnx_dir / "raw.onnx", onnx_dir / "f32.onnx"
    torch.onnx.export(
        Hidden(model.eval()),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        raw,
        input_names=INPUTS,
        output_names=["hidden"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in [*INPUTS, "hidden"]},
        opset_version=17,
        dynamo=False,
    )
    heads, hidden, layers = model.config.num_attention_heads, model.config.hidden_size, model.config.num_hidden_layers
    optimized = optimizer.optimize_model(str(raw), model_type="bert", num_heads=heads, hidden_size=hidden)
    fusions = optimized.get_fused_operator_statistics()
    assert fusions["Attention"] == layers and fusions["BiasGelu"] == layers, f"the optimizer did not fuse the graph: {fusions}"
    optimized.save_model_to_file(str(fused))
    raw.unlink()
    return fused


def quantize(f32, onnx_dir):
    # It asks for a pre-processing that the optimizer has done.
    logging.getLogger().setLevel(logging.ERROR)
    graphs = {}
    for number, (name, (weights, reduce_range)) in enumerate(VARIANTS.items()):
        graphs[name] = onnx_dir / f"int8-{number}.onnx"
        quantize_dynamic(
            f32,
            graphs[name],
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=weights,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )
    return graphs


def compare(f32, graphs, model_dir, texts):
    """Documents a second of processor time, in interleaved rounds, and the cosines to f32."""
    encoders = {name: Encoder(graph, model_dir, threads=1) for name, graph in graphs.items()}
    reference = Encoder(f32, model_dir).embed(texts)
    seconds = {name: [] for name in encoders}
    cosines = {name: (encoder.embed(texts) * reference).sum(axis=1) for name, encoder in encoders.items()}
    for _ in range(ROUNDS):
        for name, encoder in encoders.items():
            begin = time.process_time()
            encoder.embed(texts)
            seconds[name].append(time.process_time() - begin)
    return {
        name: {
            "documents_per_cpu_second": round(len(texts) / statistics.median(seconds[name]), 1),
            "mean_cosine": round(float(cosines[name].mean()), 5),
            "worst_cosine": round(float(cosines[name].min()), 5),
        }
        for name in encoders
    }


def main(model_dir, onnx_dir, texts):
    onnx_dir = Path(onnx_dir)
    if (onnx_dir / "int8.json").exists():
        return
    onnx_dir.mkdir(parents=True, exist_ok=True)
    f32 = export_f32(model_dir, onnx_dir)
    graphs = quantize(f32, onnx_dir)
    variants = compare(f32, graphs, model_dir, worker.read_texts(texts)[:TEXTS])
    enough = NEARLY * max(variant["documents_per_cpu_second"] for variant in variants.values())
    fast = [name for name, variant in variants.items() if variant["documents_per_cpu_second"] >= enough]
    chosen = max(fast, key=lambda name: variants[name]["mean_cosine"])
    graphs.pop(chosen).rename(onnx_dir / "int8.onnx")
    for graph in graphs.values():
        graph.unlink()
    # Written last: it says that the rest is there.
    (onnx_dir / "int8.json").write_text(json.dumps({"chosen": chosen, "variants": variants}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
