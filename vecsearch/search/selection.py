"""Which stored documents are meant: by id, by filter, or by the file or folder that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import abspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vecsearch.core.checks import is_unicode, shorten_repr
from vecsearch.core.errors import InputError
from vecsearch.core.source_paths import resolve_path
from vecsearch.core.types import AnyPath
from vecsearch.stores.base import NO_IDS, Ids, Snapshot

if TYPE_CHECKING:
    from vecsearch.core.filters import Filter


def select_documents(
    snapshot: Snapshot | None, collection: str, *, ids: str | Sequence[str] | None, where: Filter | None, source: AnyPath | None
) -> list[str]:
    """Return ids, those given in their order. Raises InputError for an id that is not there, or a source that gave nothing."""
    if ids is not None:
        return _check_ids(snapshot, collection, [ids] if isinstance(ids, str) else list(ids))
    if snapshot is None:
        return []
    if source is None:
        return snapshot.list_document_ids(where=where)
    keys = _list_source_documents(snapshot, source)
    if not keys:
        raise InputError(f"nothing was indexed from {abspath(source)}; see `vecsearch ls`")
    return keys


def _check_ids(snapshot: Snapshot | None, collection: str, ids: Sequence[Any]) -> list[str]:
    if impossible := [key for key in ids if not _can_be_id(key)]:
        raise _make_unknown_id_error(impossible[0], collection)
    keys = list(dict.fromkeys(ids))
    stored = {} if snapshot is None else snapshot.find_stored_documents(keys)
    if missing := [key for key in keys if key not in stored]:
        raise _make_unknown_id_error(missing[0], collection)
    return keys


def select_chunks(snapshot: Snapshot, collection: str, *, key: str | None, file: AnyPath | None) -> Ids:
    """Return the chunks of a document, or of all those of a file; none for neither. Raises InputError for an unknown id."""
    if key is not None and not _can_be_id(key):
        raise _make_unknown_id_error(key, collection)
    keys = [key] if key is not None else _list_source_documents(snapshot, file) if file is not None else []
    chunks = snapshot.find_chunk_ids(keys)
    if key is not None and key not in chunks and key not in snapshot.find_stored_documents(keys):
        raise _make_unknown_id_error(key, collection)
    return np.sort(np.concatenate([NO_IDS, *chunks.values()]))


def _can_be_id(key: Any) -> bool:
    return isinstance(key, str) and is_unicode(key)


def _list_source_documents(snapshot: Snapshot, source: AnyPath) -> list[str]:
    paths = resolve_source(source)
    return list(dict.fromkeys(key for path in paths for key in snapshot.list_document_ids(source=path)))


def resolve_source(source: AnyPath) -> list[Path]:
    """Return the paths that a file or folder may be stored by: the real one, and the one given, by which it was known before.

    Raises InputError for what is no path of a document.
    """
    for path in (paths := [resolve_path(source), abspath(source)]):
        if not is_unicode(path):
            raise InputError(f"nothing was indexed from {shorten_repr(path)}, whose name is no valid Unicode; see `vecsearch ls`")
    return [Path(path) for path in dict.fromkeys(paths)]


def _make_unknown_id_error(key: Any, collection: str) -> InputError:
    return InputError(f"no document with id {shorten_repr(key)} in collection {collection!r}; see `vecsearch ls`")
