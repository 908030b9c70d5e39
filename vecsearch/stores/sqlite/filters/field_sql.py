"""What documents have besides metadata: where it stands in their table, and how it is read from there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from vecsearch.core.filters import DocumentField
from vecsearch.stores.sqlite.filters.metadata_values import find_stored_values

SOURCE_ROOT: Final = "source_root"  # the parameter that holds what relative paths begin with
_LANGUAGE: Final = re.compile(r"([A-Za-z]{2,3})(?![A-Za-z])")
_PATH: Final = (
    "(SELECT CASE WHEN substr(path, 1, 1) = '/' THEN path ELSE :source_root || path END "
    "FROM sources WHERE sources.id = documents.source_id)"
)
_TEXT: Final = (
    "documents.text || coalesce((SELECT group_concat(part, '') FROM (SELECT text_parts.text AS part FROM text_parts "
    "WHERE text_parts.document_id = documents.id ORDER BY text_parts.start)), '')"
)


class FieldColumn(NamedTuple):
    """An expression over the row of a document, and what its value says: a text, or nothing."""

    sql: str
    read: Callable[[str], str | None]


def get_type(path: str) -> str | None:
    """Return the ending of a file's name, in lower case and without its dot; None for no ending."""
    return PurePosixPath(path).suffix[1:].lower() or None


def get_language(metadata: str) -> str | None:
    """Return the code with which the language begins that a document states in its metadata; None where there is none."""
    (language,) = find_stored_values(metadata, "language") or (None,)
    match = _LANGUAGE.match(language) if isinstance(language, str) else None
    return None if match is None else match[1].lower()


def is_within(path: str, above: frozenset[str]) -> bool:
    """Return whether an absolute path, or a folder that it lies in, is one of these."""
    return path in above or any(str(folder) in above for folder in PurePosixPath(path).parents)


FIELD_COLUMNS: Final[Mapping[DocumentField, FieldColumn]] = {
    DocumentField.ID: FieldColumn("documents.external_id", lambda value: value),
    DocumentField.TEXT: FieldColumn(_TEXT, lambda value: value),
    DocumentField.TITLE: FieldColumn("documents.title", lambda value: value),
    DocumentField.SOURCE: FieldColumn(_PATH, lambda value: value),
    DocumentField.TYPE: FieldColumn(_PATH, get_type),
    DocumentField.LANGUAGE: FieldColumn("documents.metadata", get_language),
}
