"""The default encoder and sentence-transformers in float32: tokens a second, similarity, how a batch changes a vector.

    python -m benchmarks.encoding --rounds 5

The two take turns in processes of their own on the same real texts, models loaded and warm.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from time import perf_counter
from typing import TypeAlias

import numpy as np

from benchmarks import corpus
from benchmarks.corpus import DATA_FOLDER, Matrix
from vecsearch.encoders import registry
from vecsearch.encoders.model_files import BUNDLED_MODEL, find_model_folder

Encode: TypeAlias = Callable[[Sequence[str]], Matrix]

SHORT_TOKENS, LONG_TOKENS = range(16, 33), range(150, 255)  # tokens, special ones included
BATCH_SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", type=int, default=1024, help="short texts a round")
    parser.add_argument("--long", type=int, default=192, help="long texts a round")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    sets = {"short": sample_texts(SHORT_TOKENS, args.short), "long": sample_texts(LONG_TOKENS, args.long)}
    vecsearch_encoder, reference_encoder = EncoderProcess("vecsearch"), EncoderProcess("sentence-transformers")
    for name, (texts, tokens) in sets.items():
        vecsearch_encoder.encode(texts[:BATCH_SIZE]), reference_encoder.encode(texts[:BATCH_SIZE])
        pairs = [(vecsearch_encoder.encode(texts), reference_encoder.encode(texts)) for _ in range(args.rounds)]
        ratios = [other[0] / vecsearch_run[0] for vecsearch_run, other in pairs]
        cosines = (pairs[0][0][1] * pairs[0][1][1]).sum(axis=1)
        print(
            f"{name}: {len(texts)} texts, {tokens / len(texts):.0f} tokens each; tokens/s: "
            f"vecsearch {tokens / statistics.median(vecsearch_run[0] for vecsearch_run, _ in pairs):,.0f}, "
            f"sentence-transformers {tokens / statistics.median(other[0] for _, other in pairs):,.0f}; "
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"cosine to float32: mean {cosines.mean():.4f}, least {cosines.min():.4f}"
        )
    min_cosine = measure_batch_effect(lambda texts: vecsearch_encoder.encode(texts)[1], sets["short"][0], sets["long"][0])
    print(f"the same text alone, among short and among long ones: cosine at least {min_cosine:.6f}")


def sample_texts(lengths: range, count: int) -> tuple[list[str], int]:
    """Sample real texts of so many tokens, and count their tokens."""
    encoder = registry.load(None)
    name = "scale_pypi/corpus.jsonl.gz" if lengths is SHORT_TOKENS else "scifact/corpus.jsonl"
    files = corpus.find_text_files(DATA_FOLDER / name)
    characters = corpus.TEXT_MAX_CHARS if lengths is SHORT_TOKENS else 5_000
    sized = ((text, len(encoder.token_spans(text)) + 2) for text in corpus.iterate_texts(files, characters))
    pairs = list(islice(((text, size) for text, size in sized if size in lengths), count))
    return [text for text, _ in pairs], sum(size for _, size in pairs)


def measure_batch_effect(encode: Encode, short: Sequence[str], long: Sequence[str]) -> float:
    """Return the least cosine between a text's vectors: encoded alone, among short texts, among long ones."""
    min_cosine = 1.0
    for text in [*short[-8:], *long[-8:]]:
        rows = [encode(batch)[-1] for batch in ([text], [*short[: BATCH_SIZE - 1], text], [*long[: BATCH_SIZE - 1], text])]
        min_cosine = min(
            min_cosine, *(float(row @ other) for row, other in [(rows[0], rows[1]), (rows[0], rows[2]), (rows[1], rows[2])])
        )
    return min_cosine


class EncoderProcess:
    """An encoder in a process of its own, idle when it is not its turn."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, child_connection = context.Pipe()
        context.Process(target=serve, args=(name, child_connection), daemon=True).start()

    def encode(self, texts: Sequence[str]) -> tuple[float, Matrix]:
        """Encode the texts; return the seconds it took, and the rows."""
        self._connection.send(list(texts))
        seconds, rows = self._connection.recv()
        return seconds, rows


def serve(name: str, connection: Connection) -> None:
    encode = registry.load(None).encode_documents if name == "vecsearch" else _load_reference()
    with suppress(EOFError):  # the other end has finished
        while True:
            texts = connection.recv()
            start_time = perf_counter()
            rows = encode(texts)
            connection.send((perf_counter() - start_time, rows))


def _load_reference() -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_model_folder(BUNDLED_MODEL)))

    def encode(texts: Sequence[str]) -> Matrix:
        return np.asarray(model.encode(list(texts), batch_size=BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False))

    return encode


if __name__ == "__main__":
    main()
