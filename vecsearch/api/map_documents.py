"""A map of a collection: a sample of its documents, near ones drawn near."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vecsearch.core.checks import check_limit, check_whole_number, shorten_repr
from vecsearch.core.document_map import DocumentMap, MapPoint
from vecsearch.core.errors import InputError
from vecsearch.core.previews import shorten_text
from vecsearch.core.types import Document, Where, format_names
from vecsearch.search import projection

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection

POINTS_DEFAULT: Final = 1_000
_POINTS_MAX: Final = 5_000
_SEED_MAX: Final = 2**32 - 1
_ALL: Final = 2**40  # more documents than there can be
_SHORT_TEXT: Final = 200  # characters: a text of one line that names its document better than its id does …
_LABEL_TEXT: Final = 40  # … by its beginning
_HOVER_TEXT: Final = 200
_FIELDS: Final = ("$id", "$title", "$text")


def map_documents(
    collection: Collection,
    *,
    label: str | None = None,
    color: str | None = None,
    where: Where | None = None,
    limit: int = POINTS_DEFAULT,
    seed: int = 0,
) -> DocumentMap:
    """Draw a map of a collection by t-SNE, of at most `limit` documents, up to 5,000: of more, the `seed` chooses a sample.

    A document stands where the mean of its chunks' vectors does. `label` is a metadata key, $id, $title or $text; by default the
    title, else the beginning of a short text, else the file's name or the id. `color` is a metadata key whose values get
    colours. `where` selects documents.

    Raises InputError for fewer than 3 documents with vectors and for a key that none has, CollectionNotFoundError,
    UnavailableError where scikit-learn is not installed.
    """
    count = check_limit(limit)
    if count > _POINTS_MAX:
        raise InputError(f"a map has at most {_POINTS_MAX:,} documents, got a limit of {shorten_repr(limit)}")
    check_whole_number(seed, "seed", minimum=0, maximum=_SEED_MAX)
    ids = list(collection) if where is None else [row.id for row in collection.list_documents(where=where, limit=_ALL)]
    sample = sorted(Random(seed).sample(ids, count)) if len(ids) > count else ids
    documents = collection.get(sample, missing="skip", include_vectors=True)
    placed = [(document, center) for document in documents if (center := _compute_center(document)) is not None]
    drawn = [document for document, _ in placed]
    for key in (label, color):
        _check_key(key, drawn)
    vectors = np.array([center for _, center in placed], np.float32).reshape(len(placed), -1 if placed else 1)
    places = projection.reduce_to_plane(vectors, seed)
    points = tuple(
        MapPoint(
            document.id, _choose_label(document, label), shorten_text(document.text, limit=_HOVER_TEXT), x, y,
            None if color is None else _read_key(document, color),
        )
        for document, (x, y) in zip(drawn, places.tolist(), strict=True)
    )  # fmt: skip
    kept = projection.measure_kept_neighbours(vectors, places)
    return DocumentMap(collection.name, points, len(ids), len(documents) - len(drawn), color, kept)


def _compute_center(document: Document) -> Any:
    """Return the unit mean of a document's vectors; None where it has none yet."""
    vectors = document.vectors
    mean = np.zeros(1) if vectors is None or not len(vectors) else vectors.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    return None if length == 0 else mean / length


def _check_key(key: str | None, documents: Sequence[Document]) -> None:
    """Raise InputError for a key that no document has."""
    if key is None or not documents or any(_read_key(document, key) is not None for document in documents):
        return
    known = sorted({name for document in documents for name in document.metadata})
    raise InputError(f"no document has the key {key!r}; there are: {format_names([*_FIELDS, *known], limit=12)}")


def _choose_label(document: Document, key: str | None) -> str:
    if key is not None:
        value = _read_key(document, key)
        return document.id if value is None else str(value)
    text = document.text.strip()
    is_short = 0 < len(text) <= _SHORT_TEXT and "\n" not in text
    is_file = document.source is not None and document.source.endswith(document.id)  # of a long path the end tells
    return document.title or (
        shorten_text(text, limit=_LABEL_TEXT) if is_short else Path(document.id).name if is_file else document.id
    )


def _read_key(document: Document, key: str) -> Any:
    """Return a metadata value by its key or a path with dots, or one of the document's own fields; None where there is none."""
    if key in _FIELDS:
        return getattr(document, key[1:])
    if key in document.metadata:
        return document.metadata[key]
    value: Any = document.metadata
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
