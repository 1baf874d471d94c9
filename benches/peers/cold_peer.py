"""What a sentence-transformers user runs to ask once: `cold_peer.py MODEL_DIR VECTORS.npy TEXT`."""

import sys

import numpy as np
from sentence_transformers import SentenceTransformer

model_dir, vectors, text = sys.argv[1:]
vectors = np.load(vectors)
model = SentenceTransformer(model_dir, device="cpu")
scores = vectors @ model.encode(text, normalize_embeddings=True).astype(np.float32)
for row in np.argsort(-scores)[:10]:
    print(f"{scores[row]:.3f} {row}")
