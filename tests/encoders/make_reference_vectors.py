"""Make the vectors that the bundled model is held against where it is prepared: python -m tests.encoders.make_reference_vectors

They are those of sentence-transformers for the reference texts, rounded to 16 bits, which takes 1e-7 of a cosine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecsearch.encoders.bundled_source import REFERENCE_VECTORS_FILE
from vecsearch.encoders.model_files import BUNDLED_MODEL
from vecsearch.encoders.reference_texts import REFERENCE_TEXTS
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder


def compute_reference_vectors() -> NDArray[np.float16]:
    return SentenceTransformersEncoder(BUNDLED_MODEL).encode_documents(REFERENCE_TEXTS).astype(np.float16)


if __name__ == "__main__":
    compute_reference_vectors().astype("<f2").tofile(REFERENCE_VECTORS_FILE)
