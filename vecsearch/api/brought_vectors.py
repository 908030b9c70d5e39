"""Vectors that a caller brings, one a document: a matrix, or rows some of which are None, for documents without a vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsearch.api.columns import is_missing, is_numbers, list_values, to_matrix
from vecsearch.core.errors import InputError
from vecsearch.encoders.unit_vectors import normalize_vectors
from vecsearch.stores.base import Matrix, Vector


@dataclass(frozen=True, slots=True, eq=False)
class BroughtVectors:
    """Unit rows, shape (documents, dimension), and which of the documents have one; the others' rows are zeros.

    The dimension is 0 where none has one.
    """

    rows: Matrix
    are_given: NDArray[np.bool_]

    @property
    def dimension(self) -> int | None:
        """Return the dimension of the vectors; None where there are none."""
        return self.rows.shape[1] if self.are_given.any() else None

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self.are_given)

    def __iter__(self) -> Iterator[Vector | None]:
        """Yield the vector of each document, None where it has none."""
        return (row if is_given else None for row, is_given in zip(self.rows, self.are_given, strict=True))

    def select(self, places: Sequence[int]) -> BroughtVectors:
        """Return those of the documents at these places."""
        return self if len(places) == len(self) else BroughtVectors(self.rows[places], self.are_given[places])


def parse_vectors(vectors: Any, count: int | None = None, *, beside: str = "text") -> BroughtVectors:
    """Return the `vectors` of documents, as many as there are of these. Raises InputError."""
    values = vectors if is_numbers(vectors) else list_values(vectors, "vectors")
    given = np.ones(len(values), np.bool_)
    if isinstance(values, list):
        given = np.array([not is_missing(value) for value in values], np.bool_)
    if count is not None and len(values) != count:
        raise InputError(f"vectors must be a matrix with {count:,} rows, one for each {beside}, got {len(values):,}")
    if given.all():
        return BroughtVectors(parse_rows(values) if len(values) else np.zeros((0, 0), np.float32), given)
    known = [value for value, is_given in zip(values, given, strict=True) if is_given]
    units = iter(parse_rows(known, given)) if known else iter(())
    return join_vectors([next(units) if is_given else None for is_given in given])


def join_vectors(vectors: Sequence[Vector | None]) -> BroughtVectors:
    """Return the unit vectors of documents, None for one without."""
    given = np.array([vector is not None for vector in vectors], np.bool_)
    known = [vector for vector in vectors if vector is not None]
    rows = np.zeros((len(vectors), len(known[0]) if known else 0), np.float32)
    if known:
        rows[given] = np.stack(known)
    return BroughtVectors(rows, given)


def parse_rows(vectors: Any, given: NDArray[np.bool_] | None = None) -> Matrix:
    """Return rows of numbers as unit rows, shape (rows, dimension). Raises InputError, with places among the `given`."""
    try:
        matrix = to_matrix(vectors)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"vectors must be a matrix of numbers, one row for each text: {error}") from error
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise InputError(f"vectors must have the shape ({len(matrix)}, dimension), got {matrix.shape}")
    return normalize_vectors(matrix, np.flatnonzero(given).tolist() if given is not None else None)
