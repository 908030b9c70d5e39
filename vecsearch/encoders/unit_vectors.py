"""Check and normalise the vectors that come out of an encoder, or from a caller: the one place that believes neither.

An encoder may give another number of rows than there are texts, rows of another width or type than it says, NaN, zeros, or raise.
What concerns one text costs that text its vector; what concerns the encoder as a whole is an error. They are told apart by a
plain word: an encoder that fails for that one too is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.checks import shorten_repr
from vecsearch.core.encoder_fields import read_dimension
from vecsearch.core.errors import EncodingError, InputError, StorageError, UnavailableError
from vecsearch.encoders.base import Encoder, Matrix, MiddleTokenEncoder, TokenEncoder, TokenRows

Vector: TypeAlias = NDArray[np.float32]
Encode: TypeAlias = Callable[[Sequence[str]], Any]

_BLOCK_ROWS: Final = 512  # whose doubles stay in the processor's cache, which makes it several times as quick
_PLAIN_TEXT: Final = "word"
_NUMBERS: Final = "fiubO"  # kinds of NumPy's types; of objects, those that are numbers


@dataclass(frozen=True, slots=True)
class VectorFailure:
    """Why a text has no vector, and the error that the encoder raised, if any."""

    reason: str
    cause: Exception | None = None

    def to_error(self, what: str) -> EncodingError:
        """Return the error that names the text, or the document."""
        error = EncodingError(f"no vector for {what}: {self.reason}")
        error.__cause__ = self.cause
        return error


def to_array(values: Any) -> NDArray[Any]:
    """Return values as an array, where NaN, which no vector may hold, stands for numbers that are masked."""
    if "numpy.ma" not in sys.modules:  # then there is nothing masked, and it takes a while to load
        return np.asarray(values)
    if isinstance(values, list | tuple) and any(isinstance(value, np.ma.MaskedArray) for value in values):
        return np.asarray([to_array(value) for value in values])
    if np.ma.is_masked(values):
        numbers: NDArray[Any] = np.ma.filled(values.astype(np.result_type(values.dtype, np.float32)), np.nan)
        return numbers
    return np.asarray(values)


def normalize_vectors(rows: Matrix, places: Sequence[int] | None = None) -> Matrix:
    """Return the rows scaled to length 1. Raises InputError for NaN, infinity or a zero row, with its place where given."""
    units, failures = _normalize_usable(rows)
    if failures:
        row, failure = next(iter(failures.items()))
        at = row if places is None else places[row]
        place = f" (row {at:,})" if len(rows) > 1 or places is not None else ""
        raise InputError(f"a vector {failure.reason}{place}; {_EXPECTED[failure.reason]}")
    return units


def scale_rows(rows: NDArray[Any]) -> Matrix:
    """Return rows, or one row, at length 1; zeros stay zeros."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12), np.float32)


def _normalize_usable(rows: Matrix) -> tuple[Matrix, dict[int, VectorFailure]]:
    """Return the rows scaled to length 1, and for those that cannot be why not."""
    units, failures = np.empty(rows.shape, np.float32), {}
    for at in range(0, len(rows), _BLOCK_ROWS):
        block = rows[at : at + _BLOCK_ROWS]
        norms = np.linalg.norm(block.astype(np.float64), axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            for row, norm in enumerate(norms[:, 0].tolist(), at):
                if not 0 < norm < np.inf:
                    failures[row] = VectorFailure(_ZERO if norm == 0 else _NOT_FINITE)
            norms[~np.isfinite(norms) | (norms == 0)] = np.nan
        units[at : at + _BLOCK_ROWS] = block / norms
    return units, failures


_NOT_FINITE: Final = "holds NaN or infinity"
_ZERO: Final = "is all zeros"
_EXPECTED: Final = {
    _NOT_FINITE: "every number must be finite",
    _ZERO: "it has no direction to compare; a document without a vector is given None",
}


def encode_each(encoder: Encoder, texts: Sequence[str], encode: Encode) -> list[Vector | VectorFailure]:
    """Return the unit vector of each text, or why there is none. `encode` is one of the encoder's methods.

    Raises what the encoder raises, or EncodingError, where it concerns no single text.
    """
    try:
        results = _encode_together(encoder, texts, encode)
    except (MemoryError, StorageError, UnavailableError):
        raise
    except Exception:
        return _encode_alone(encoder, texts, encode)
    if results and all(isinstance(result, VectorFailure) for result in results):
        _check_plain_text(encoder, encode)
    return results


def encode_contents(encoder: Encoder, contents: Sequence[Any], encode: Callable[[Any], Any]) -> list[Vector | VectorFailure]:
    """Return the unit vector of each picture or sound, or why there is none; see `encode_each`."""
    try:
        return _encode_together(encoder, contents, encode)
    except (MemoryError, StorageError, UnavailableError):
        raise
    except Exception:
        return [_encode_one(encoder, content, encode) for content in contents]


def _encode_together(encoder: Encoder, texts: Sequence[str], encode: Encode) -> list[Vector | VectorFailure]:
    units, failures = _normalize_usable(_check_shape(encoder, encode(texts), len(texts)))
    if not failures:
        return list(units)
    return [_describe(encoder, failures[n]) if n in failures else row for n, row in enumerate(units)]


def _describe(encoder: Encoder, failure: VectorFailure) -> VectorFailure:
    return VectorFailure(f"what the model {encoder.name} gives {failure.reason}", failure.cause)


def _encode_alone(encoder: Encoder, texts: Sequence[str], encode: Encode) -> list[Vector | VectorFailure]:
    """Encode each text by itself; where the first has no vector, a plain word must have one."""
    results = [_encode_one(encoder, texts[0], encode)]
    if isinstance(results[0], VectorFailure):
        _check_plain_text(encoder, encode)
    return results + [_encode_one(encoder, text, encode) for text in texts[1:]]


def _encode_one(encoder: Encoder, text: str, encode: Encode) -> Vector | VectorFailure:
    try:
        return _encode_together(encoder, [text], encode)[0]
    except (MemoryError, StorageError, UnavailableError):
        raise
    except EncodingError as error:
        return VectorFailure(str(error))
    except Exception as error:
        return VectorFailure(f"the model {encoder.name} failed: {type(error).__name__}: {error}", error)


def _check_plain_text(encoder: Encoder, encode: Encode) -> None:
    """Raise what the encoder raises, or EncodingError, where it gives no vector for a plain word either."""
    try:
        (result,) = _encode_together(encoder, [_PLAIN_TEXT], encode)
    except Exception as error:
        error.add_note(f"the model {encoder.name} fails for every text; what was committed before is kept")
        raise
    if isinstance(result, VectorFailure):
        raise EncodingError(f"{result.reason}, for a plain word too: the model cannot be used")


def _check_shape(encoder: Encoder, rows: Any, count: int) -> Matrix:
    """Return rows as float32, (count, dimension). Raises EncodingError for anything else."""
    dimension = read_dimension(encoder)
    try:
        given = to_array(rows)
        if given.dtype.kind in _NUMBERS and given.shape == (count, dimension):
            with np.errstate(over="ignore"):  # infinity is refused later
                return given.astype(np.float32, copy=False)
        what = f"an array of {given.dtype} of the shape {given.shape}"
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"{shorten_repr(rows)} ({error})"
    raise EncodingError(
        f"the model {encoder.name} gives {what} for {count:,} text{'' if count == 1 else 's'}, "
        f"expected numbers of the shape ({count}, {dimension})"
    )


def encode_all(encoder: Encoder, texts: Sequence[str], encode: Encode, name: Callable[[int], str] | None = None) -> Matrix:
    """Return the unit vectors of texts as rows. Raises EncodingError for the first without one, named by `name` or quoted."""
    return collect_rows(texts, encode_each(encoder, texts, encode), name)


def collect_rows(
    texts: Sequence[str], results: Sequence[Vector | VectorFailure], name: Callable[[int], str] | None = None
) -> Matrix:
    """Return vectors of texts as rows. Raises EncodingError for the first text without one, named by `name` or quoted."""
    for n, result in enumerate(results):
        if isinstance(result, VectorFailure):
            raise result.to_error(shorten_repr(texts[n]) if name is None else name(n))
    return np.stack([row for row in results if not isinstance(row, VectorFailure)])


def encode_tokens(encoder: TokenEncoder, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
    """Return the token rows of each text. Raises EncodingError where they are not what the encoder says."""
    return _check_tokens(encoder, texts, list(encoder.encode_tokens(texts, is_query=is_query)))


def encode_middle_tokens(encoder: TokenEncoder, texts: Sequence[str]) -> list[TokenRows]:
    """Return the token rows of a middle layer where the encoder shows one, else of the last. Raises EncodingError."""
    if isinstance(encoder, MiddleTokenEncoder):
        return _check_tokens(encoder, texts, list(encoder.encode_middle_tokens(texts)))
    return encode_tokens(encoder, texts)


def _check_tokens(encoder: TokenEncoder, texts: Sequence[str], tokens: list[TokenRows]) -> list[TokenRows]:
    if len(tokens) != len(texts):
        raise EncodingError(f"the model {encoder.name} gives the tokens of {len(tokens):,} texts for {len(texts):,}")
    for text, of_text in zip(texts, tokens, strict=True):
        count = len(of_text.spans)
        rows = _check_shape(encoder, of_text.rows, count)
        if not count or not np.isfinite(rows).all():
            reason = f"one of its token vectors {_NOT_FINITE}" if count else f"the model {encoder.name} gives no tokens"
            raise VectorFailure(reason).to_error(shorten_repr(text))
    return tokens
