"""What a document must be before it is stored; said in one line when it is not."""

from __future__ import annotations

import json
from typing import Any

from vecsearch.core.errors import InputError
from vecsearch.core.settings import ID_LENGTH_MAX
from vecsearch.core.types import Draft, Metadata


def checked_id(identifier: Any) -> str:
    """A document's id: a string, not empty. Raises InputError."""
    if not isinstance(identifier, str) or not identifier.strip():
        raise InputError(f"a document id must be a string that is not empty, got {identifier!r}")
    if len(identifier) > ID_LENGTH_MAX:
        raise InputError(f"a document id holds at most {ID_LENGTH_MAX:,} characters, got {len(identifier):,}")
    return checked_text(identifier, "id")


def checked_text(text: Any, what: str) -> str:
    """A string that SQLite and every encoder can hold. Raises InputError."""
    if not isinstance(text, str):
        raise InputError(f"{what} must be a string, got {type(text).__name__}")
    if "\0" in text:
        raise InputError(f"{what} holds a NUL character at position {text.index(chr(0)):,}; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} holds half a surrogate pair at position {error.start:,}; it is no valid Unicode") from error
    return text


def checked_metadata(metadata: Any) -> Metadata:
    """A JSON object with string keys and finite numbers. Raises InputError."""
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        raise InputError(f"metadata must be a mapping with string keys, got {metadata!r:.80}")
    try:
        checked_text(json.dumps(metadata, ensure_ascii=False, allow_nan=False), "metadata")
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"metadata must be JSON values: {error}") from error
    if "\\u0000" in json.dumps(metadata):
        raise InputError("metadata holds a NUL character; remove it")
    return metadata


def checked(draft: Draft) -> Draft:
    """The draft itself. Raises InputError."""
    checked_id(draft.id)
    checked_text(draft.text, f"the text of {draft.id!r}")
    if draft.title is not None:
        checked_text(draft.title, f"the title of {draft.id!r}")
    checked_metadata(draft.metadata)
    if not draft.text.strip() and not (draft.title or "").strip():
        raise InputError(f"document {draft.id!r} has neither text nor a title")
    return draft
