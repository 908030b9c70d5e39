"""Portions of a document on disk, until all of them can be stored as one: in memory is a number for each of their chunks.

What was encoded before for the document, and is needed again, is kept beside them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from tempfile import TemporaryFile
from typing import IO, Final

import numpy as np

from vecsearch.core.parsed import ChunkSpan
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.indexing.stages import ChunkedDocument
from vecsearch.stores.base import NewPart, StoredVector

_KEY_BYTES: Final = 16  # of a hash, which tell the texts of one document apart


@contextmanager
def open_spool(dimension: int) -> Iterator[PortionSpool]:
    """Open an empty one, for vectors of so many numbers; nothing of it stays behind."""
    with TemporaryFile("w+", encoding="utf-8", newline="\n") as portions, TemporaryFile() as vectors:
        yield PortionSpool(portions, vectors, dimension)


class PortionSpool:
    """A file of portions in order, and one of vectors."""

    def __init__(self, portions: IO[str], vectors: IO[bytes], dimension: int) -> None:
        self._portions, self._vectors, self._dimension = portions, vectors, dimension
        self._chunks_of: dict[bytes, list[int]] = {}  # text → the chunks, numbered over all portions, that say it
        self._has_vector = bytearray()

    def add(self, start: int, chunked: ChunkedDocument) -> None:
        """Keep a portion, which follows the first `start` characters of its document."""
        for text in chunked.texts:
            self._chunks_of.setdefault(_hash(text), []).append(len(self._has_vector))
            self._has_vector.append(False)
        value = [start, chunked.document.text, [asdict(span) for span in chunked.spans]]
        self._portions.write(json.dumps(value, ensure_ascii=False) + "\n")

    def keep_vectors(self, stored: Iterable[StoredVector]) -> None:
        """Keep those of the vectors whose text is that of a chunk here."""
        for chunk in stored:
            for number in self._chunks_of.pop(_hash(format_encoder_input(chunk.title, chunk.context, chunk.text)), ()):
                self._vectors.seek(number * self._dimension * np.float32().itemsize)
                self._vectors.write(np.ascontiguousarray(chunk.vector, np.float32).tobytes())
                self._has_vector[number] = True

    def read(self) -> Iterator[NewPart]:
        """Yield the portions in order, ready to store."""
        self._portions.seek(0)
        first = 0
        for line in self._portions:
            start, text, spans = json.loads(line)
            known = [n for n in range(len(spans)) if self._has_vector[first + n]]
            rows = [self._read_vector(first + n) for n in known]
            pending = tuple(sorted(set(range(len(spans))).difference(known)))
            matrix = np.stack(rows) if rows else np.empty((0, self._dimension), np.float32)
            yield NewPart(start, text, tuple(ChunkSpan(**span) for span in spans), matrix, pending)
            first += len(spans)

    def _read_vector(self, number: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        size = self._dimension * np.float32().itemsize
        self._vectors.seek(number * size)
        return np.frombuffer(self._vectors.read(size), np.float32)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_KEY_BYTES]
