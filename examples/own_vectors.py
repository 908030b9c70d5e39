"""Vectors of your own: made by a model, a service or a formula that vecsearch knows nothing of.

    python examples/own_vectors.py recipes.vec

Here a text's vector counts its letter trigrams, so that the example needs no further model. No model is loaded: what has been
stored with vectors is searched by vectors, by words, or by both.
"""

from __future__ import annotations

import sys
from typing import TypeAlias
from zlib import crc32

import numpy as np

import vecsearch

DIMENSION = 256
Vector: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float32]]  # of one text
RECIPES = {
    "pancakes": "thin pancakes with sugar and lemon",
    "omelette": "an omelette of three eggs with chives",
    "soup": "a soup of roasted pumpkin and ginger",
    "salad": "a salad of cucumber, mint and feta",
}


def embed(text: str) -> Vector:
    """Return a text's vector, shape (DIMENSION,); vecsearch brings it to length 1 itself."""
    vector = np.zeros(DIMENSION, np.float32)
    for start in range(len(text) - 2):
        vector[crc32(text[start : start + 3].encode()) % DIMENSION] += 1
    return vector


def main(database: str = "recipes.vec") -> None:
    """Store recipes with their vectors, and search them."""
    with vecsearch.open(database) as recipes:
        recipes.upsert(RECIPES.values(), ids=RECIPES.keys(), vectors=[embed(text) for text in RECIPES.values()])
        recipes.upsert(["a bread that is found by its words alone"], ids=["bread"], vectors=[None])

        by_vector = recipes.search(embed("pumpkins, roasted"), limit=1)
        print("by vector:", by_vector[0].id, round(by_vector[0].score, 2))

        question = "eggs"
        by_both = recipes.search(question, vector=embed(question), limit=1)
        print("by words and vector:", by_both[0].id)

        by_words = recipes.search("bread", mode="lexical", limit=1)
        print("by words:", by_words[0].id)

        (soup,) = recipes.get("soup", include_vectors=True)
        assert soup.vectors is not None
        print("stored:", soup.vectors.shape)


if __name__ == "__main__":
    main(*sys.argv[1:2])
