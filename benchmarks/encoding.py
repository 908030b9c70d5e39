"""The default encoder beside sentence-transformers in float32: tokens a second, likeness, what a batch does to a vector.

    python -m benchmarks.encoding --rounds 5

The two take turns in processes of their own on the same real texts, models loaded and warm.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Callable, Sequence
from itertools import islice
from multiprocessing.connection import Connection
from time import perf_counter
from typing import TypeAlias

import numpy as np

from benchmarks import corpus
from benchmarks.corpus import SHARED, Matrix
from vecsearch.encoding import registry
from vecsearch.encoding.identity import BUNDLED, files_of

Encode: TypeAlias = Callable[[Sequence[str]], Matrix]

SHORT, LONG = range(16, 33), range(150, 255)  # tokens, special ones included
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", type=int, default=1024, help="short texts a round")
    parser.add_argument("--long", type=int, default=192, help="long texts a round")
    asked = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    sets = {"short": some_texts(SHORT, asked.short), "long": some_texts(LONG, asked.long)}
    ours, theirs = Side("vecsearch"), Side("sentence-transformers")
    for name, (texts, tokens) in sets.items():
        ours.encode(texts[:BATCH]), theirs.encode(texts[:BATCH])
        pairs = [(ours.encode(texts), theirs.encode(texts)) for _ in range(asked.rounds)]
        ratios = [other[0] / mine[0] for mine, other in pairs]
        cosines = (pairs[0][0][1] * pairs[0][1][1]).sum(axis=1)
        print(
            f"{name}: {len(texts)} texts, {tokens / len(texts):.0f} tokens each; tokens/s: "
            f"vecsearch {tokens / statistics.median(mine[0] for mine, _ in pairs):,.0f}, "
            f"sentence-transformers {tokens / statistics.median(other[0] for _, other in pairs):,.0f}; "
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"cosine to float32: mean {cosines.mean():.4f}, least {cosines.min():.4f}"
        )
    least = batch_independence(lambda texts: ours.encode(texts)[1], sets["short"][0], sets["long"][0])
    print(f"the same text alone, among short and among long ones: cosine at least {least:.6f}")


def some_texts(lengths: range, count: int) -> tuple[list[str], int]:
    """Real texts of so many tokens, and how many tokens they have in all."""
    encoder = registry.load(None)
    files = [SHARED / "scale_pypi/corpus.jsonl.gz"] if lengths is SHORT else [SHARED / "scifact/corpus.jsonl"]
    characters = corpus.CHARACTERS if lengths is SHORT else 5_000
    sized = ((text, len(encoder.token_spans(text)) + 2) for text in corpus.texts(files, characters))
    kept = list(islice(((text, size) for text, size in sized if size in lengths), count))
    return [text for text, _ in kept], sum(size for _, size in kept)


def batch_independence(encode: Encode, short: Sequence[str], long: Sequence[str]) -> float:
    """The least cosine between a text's vectors: encoded alone, among short texts, among long ones."""
    least = 1.0
    for text in [*short[-8:], *long[-8:]]:
        rows = [encode(batch)[-1] for batch in ([text], [*short[: BATCH - 1], text], [*long[: BATCH - 1], text])]
        least = min(least, *(float(one @ other) for one, other in [(rows[0], rows[1]), (rows[0], rows[2]), (rows[1], rows[2])]))
    return least


class Side:
    """An encoder in a process of its own, idle when it is not its turn."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        context.Process(target=serve, args=(name, theirs), daemon=True).start()

    def encode(self, texts: Sequence[str]) -> tuple[float, Matrix]:
        """Seconds it took, and the rows."""
        self._ours.send(list(texts))
        seconds, rows = self._ours.recv()
        return seconds, rows


def serve(name: str, connection: Connection) -> None:
    encode = registry.load(None).encode_documents if name == "vecsearch" else _reference()
    while True:
        texts = connection.recv()
        started = perf_counter()
        rows = encode(texts)
        connection.send((perf_counter() - started, rows))


def _reference() -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(files_of(BUNDLED)))

    def encode(texts: Sequence[str]) -> Matrix:
        return np.asarray(model.encode(list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False))

    return encode


if __name__ == "__main__":
    main()
