"""The worker of sentence-transformers on torch, f32: `torch_peer.py MODEL_DIR TEXTS`."""

import sys

import sentence_transformers
import torch
from sentence_transformers import SentenceTransformer

import worker

BATCH = 32


def load(model_dir):
    torch.set_num_threads(worker.THREADS)
    model = SentenceTransformer(model_dir, device="cpu", model_kwargs={"dtype": torch.float32})

    def embed(texts):
        return model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)

    def count_tokens(texts):
        return sum(map(len, model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]))

    return embed, count_tokens


if __name__ == "__main__":
    model_dir, texts = sys.argv[1:]
    version = f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"
    worker.serve("sentence-transformers f32", version, worker.read_texts(texts), lambda: load(model_dir))
