"""The worker of ONNX Runtime: `onnx_peer.py f32|int8 MODEL_DIR ONNX_DIR TEXTS`, with the graphs that export.py made.

It is not called onnx.py, as that would hide the package onnx from the files beside it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

import worker

BATCH = 16


class Encoder:
    """Sorted by length, padded to the longest of a batch, mean pooling, length 1."""

    def __init__(self, graph, model_dir, threads=worker.THREADS):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: np.int32 if "int32" in i.type else np.int64 for i in self.session.get_inputs()}
        self.tokenizer = read_tokenizer(model_dir)

    def embed(self, texts):
        encodings = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(texts)), key=lambda i: -len(encodings[i]))
        batches = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        rows = [self.embed_batch([encodings[i] for i in batch]) for batch in batches]
        vectors = np.empty((len(texts), rows[0].shape[1]), np.float32)
        vectors[order] = np.concatenate(rows)
        return vectors

    def embed_batch(self, sequences):
        ids = np.zeros((len(sequences), max(map(len, sequences))), np.int64)
        mask = np.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self.session.run(None, {name: values[name].astype(kind) for name, kind in self.inputs.items()})
        mask = mask[:, :, None].astype(np.float32)
        pooled = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def count_tokens(self, texts):
        return sum(len(encoding.ids) for encoding in self.tokenizer.encode_batch_fast(texts))


def read_tokenizer(model_dir):
    """Cuts at the model's length and pads nothing, whatever its file says."""
    model_dir = Path(model_dir)
    length = json.loads((model_dir / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"]
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.enable_truncation(length)
    tokenizer.no_padding()
    return tokenizer


def load(precision, model_dir, onnx_dir):
    encoder = Encoder(Path(onnx_dir) / f"{precision}.onnx", model_dir)
    return encoder.embed, encoder.count_tokens


if __name__ == "__main__":
    precision, model_dir, onnx_dir, texts = sys.argv[1:]
    version = f"onnxruntime {onnxruntime.__version__}"
    if precision == "int8":
        version += ", " + json.loads((Path(onnx_dir) / "int8.json").read_text(encoding="utf-8"))["chosen"]
    texts = worker.read_texts(texts)
    worker.serve(f"ONNX Runtime {precision}", version, texts, lambda: load(precision, model_dir, onnx_dir))
