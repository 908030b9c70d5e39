"""Which stored documents are meant: by id, by filter, or by the file or folder that they came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import fspath
from os.path import abspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vecsearch.core.checks import is_unicode, shorten_repr
from vecsearch.core.errors import DocumentNotFoundError, InputError
from vecsearch.core.source_paths import format_path, read_given_path, resolve_path
from vecsearch.core.types import AnyPath, OnMissing, format_names
from vecsearch.stores.base import NO_IDS, Ids, Snapshot

if TYPE_CHECKING:
    from vecsearch.core.filters import Filter

_CHUNK_ID: Final = re.compile(r"(?P<id>.+)#(?P<ordinal>\d{1,9})", re.DOTALL)


def select_documents(
    snapshot: Snapshot | None,
    collection: str,
    *,
    ids: Sequence[Any] | None,
    where: Filter | None,
    source: AnyPath | None,
    missing: OnMissing = OnMissing.ERROR,
) -> list[str]:
    """Return ids, those given in their order, each once.

    Raises DocumentNotFoundError for an id that is not there, unless those are skipped; InputError for a source that gave nothing.
    """
    if ids is not None:
        return _find_ids(snapshot, collection, ids, missing)
    if snapshot is None:
        return []
    if source is None:
        return snapshot.list_document_ids(where=where)
    keys = snapshot.list_document_ids(source=resolve_source(source))
    if not keys:
        raise InputError(f"nothing was indexed from {format_path(abspath(source))}; see `vecsearch ls`")
    return keys


def _find_ids(snapshot: Snapshot | None, collection: str, ids: Sequence[Any], missing: OnMissing) -> list[str]:
    own_ids = resolve_ids(snapshot, ids)
    unknown = [key for key, own_id in zip(ids, own_ids, strict=True) if own_id is None]
    if unknown and missing is OnMissing.ERROR:
        raise _make_unknown_id_error(unknown, collection)
    return [own_id for own_id in dict.fromkeys(own_ids) if own_id is not None]


def resolve_ids(snapshot: Snapshot | None, ids: Sequence[Any]) -> list[str | None]:
    """Return the id of the document meant by each: its own, or the key of a row, the end of `path#key`, that one file has.

    None where there is no such document. Raises InputError for a key that several files have.
    """
    possible = [key for key in ids if _can_be_id(key)]
    stored = {} if snapshot is None else snapshot.find_stored_documents(list(dict.fromkeys(possible)))
    return [key if _can_be_id(key) and key in stored else _find_row(snapshot, key) for key in ids]


def _find_row(snapshot: Snapshot | None, key: Any) -> str | None:
    if snapshot is None or not _can_be_id(key):
        return None
    found = snapshot.find_row_ids(key)
    if len(found) > 1:
        raise InputError(f"{len(found):,} files have a row with the id {shorten_repr(key)}; name one: {format_names(found)}")
    return found[0] if found else None


def select_chunks(snapshot: Snapshot, collection: str, *, key: str | None, file: AnyPath | None) -> Ids:
    """Return the chunks of a document, or of all those of a file; none for neither. Raises InputError for an unknown id."""
    if key is not None and not _can_be_id(key):
        raise _make_unknown_id_error([key], collection)
    keys = [key] if key is not None else snapshot.list_document_ids(source=resolve_source(file)) if file is not None else []
    chunks = snapshot.find_chunk_ids(keys)
    if key is not None and key not in chunks:
        (own_id,) = resolve_ids(snapshot, [key])
        if own_id is None:
            raise _make_unknown_id_error([key], collection)
        chunks = snapshot.find_chunk_ids([own_id])
    return np.sort(np.concatenate([NO_IDS, *chunks.values()]))


@dataclass(frozen=True, slots=True)
class StoredExample:
    """A document, or one chunk of it, that others are compared with: the `chunks` meant, and all of its `document`."""

    id: str
    chunks: Ids
    document: Ids


def select_example(snapshot: Snapshot, collection: str, key: str) -> StoredExample:
    """Return the document of an id; of `ID#3`, where that is no document's id, the chunk 3 of ID. Raises InputError."""
    match = _CHUNK_ID.fullmatch(key) if _can_be_id(key) else None
    if match is None or snapshot.find_stored_documents([key]) or not snapshot.find_stored_documents([match["id"]]):
        chunks = select_chunks(snapshot, collection, key=key, file=None)
        return StoredExample(key, chunks, chunks)
    chunks, ordinal = select_chunks(snapshot, collection, key=match["id"], file=None), int(match["ordinal"])  # in their order
    if ordinal >= len(chunks):
        raise _make_unknown_id_error([key], collection)
    return StoredExample(match["id"], chunks[ordinal : ordinal + 1], chunks)


def _can_be_id(key: Any) -> bool:
    return isinstance(key, str) and is_unicode(key)


def resolve_source(source: AnyPath) -> list[Path]:
    """Return the paths that a file or folder may be stored by: the real one, and the one given, by which it was known before.

    Raises InputError for what is no path of a document.
    """
    if not fspath(source):  # an empty variable of a script would mean the folder that it runs in
        raise InputError("source is empty; for the current folder: .")
    return [Path(path) for path in dict.fromkeys((resolve_path(source), abspath(read_given_path(source))))]


def _make_unknown_id_error(keys: Sequence[Any], collection: str) -> DocumentNotFoundError:
    names = f"id {shorten_repr(keys[0])}" if len(keys) == 1 else f"ids {format_names(list(map(shorten_repr, keys)))}"
    return DocumentNotFoundError(f"no document with {names} in collection {collection!r}; see `vecsearch ls`", keys)
