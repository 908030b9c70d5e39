"""Which stored documents are meant: by id, by filter, or by the file or folder that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import abspath
from pathlib import Path
from typing import Any

import numpy as np

from vecsearch.api.arguments import AnyPath
from vecsearch.core.checks import is_unicode, shorten_repr
from vecsearch.core.errors import InputError
from vecsearch.core.filters import Filter
from vecsearch.stores.sqlite.read.reader import Snapshot
from vecsearch.stores.sqlite.vectors.faiss_segment import NO_IDS, Ids


def select_documents(
    snapshot: Snapshot | None, collection: str, *, ids: str | Sequence[str] | None, condition: Filter | None,
    source: AnyPath | None,
) -> list[str]:  # fmt: skip
    """Ids, those given in their order. Raises InputError for an id that is not there, or a source that gave nothing."""
    if ids is not None:
        keys = [ids] if isinstance(ids, str) else list(ids)
        if impossible := [key for key in keys if not _can_be_id(key)]:
            raise _make_unknown_id_error(impossible[0], collection)
        keys = list(dict.fromkeys(keys))
        there = {} if snapshot is None else snapshot.document_reader.load_stored_documents(keys)
        if missing := [key for key in keys if key not in there]:
            raise _make_unknown_id_error(missing[0], collection)
        return keys
    if snapshot is None:
        return []
    if source is None:
        return snapshot.document_reader.list_document_ids() if condition is None else snapshot.find_document_ids(condition)
    found = snapshot.document_reader.list_document_ids(source=_resolve_source(source))
    if not found:
        raise InputError(f"nothing was indexed from {abspath(source)}; see `vecsearch ls`")
    return found


def select_chunks(snapshot: Snapshot, collection: str, *, key: str | None, file: AnyPath | None) -> Ids:
    """Row ids of the chunks of a document, or of all those of a file; none for neither. Raises InputError for an unknown id."""
    if key is not None and not _can_be_id(key):
        raise _make_unknown_id_error(key, collection)
    keys = (
        [key]
        if key is not None
        else snapshot.document_reader.list_document_ids(source=_resolve_source(file))
        if file is not None
        else []
    )
    found = [snapshot.find_chunk_ids(each) for each in keys]
    if key is not None and not len(found[0]) and key not in snapshot.document_reader.load_stored_documents(keys):
        raise _make_unknown_id_error(key, collection)
    return np.concatenate([NO_IDS, *found])


def _can_be_id(key: Any) -> bool:
    return isinstance(key, str) and is_unicode(key)


def _resolve_source(source: AnyPath) -> Path:
    path = abspath(source)
    if not is_unicode(path):
        raise InputError(f"nothing was indexed from {shorten_repr(path)}, whose name is no valid Unicode; see `vecsearch ls`")
    return Path(path)


def _make_unknown_id_error(key: Any, collection: str) -> InputError:
    return InputError(f"no document with id {shorten_repr(key)} in collection {collection!r}; see `vecsearch ls`")
