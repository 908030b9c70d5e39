"""What a document must be before it is stored; said in one line when it is not."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

from vecsearch.core.checks import is_unicode, shorten_repr
from vecsearch.core.errors import InputError
from vecsearch.core.nesting import NESTING_MAX, is_nested_too_deeply
from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.settings import ID_LENGTH_MAX
from vecsearch.core.types import JSON, Metadata

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_INTEGER_BITS_MAX: Final = 64  # of one that is sound at a glance


def validate_id(identifier: Any) -> str:
    """Return a document's id: a string, not empty. Raises InputError."""
    if not isinstance(identifier, str) or not identifier.strip():
        raise InputError(f"a document id must be a string that is not empty, got {shorten_repr(identifier)}")
    if len(identifier) > ID_LENGTH_MAX:
        raise InputError(f"a document id holds at most {ID_LENGTH_MAX:,} characters, got {len(identifier):,}")
    return validate_text(identifier, "id")


def validate_text(text: Any, label: str) -> str:
    """Return a string that SQLite and every encoder can hold. Raises InputError."""
    if not isinstance(text, str):
        raise InputError(f"{label} must be a string, got {type(text).__name__}")
    if "\0" in text:
        raise InputError(f"{label} holds a NUL character at position {text.index(chr(0)):,}; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{label} holds half a surrogate pair at position {error.start:,}; it is no valid Unicode") from error
    return text


def validate_metadata(metadata: Any) -> Metadata:
    """Return a JSON object that comes back as it went in: string keys at every level, finite numbers. Raises InputError."""
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        raise InputError(f"metadata must be a mapping with string keys, got {shorten_repr(metadata)}")
    if _is_plainly_sound(metadata):
        return metadata
    _validate_json(metadata, "metadata")
    return metadata


def validate_payload(payload: Any) -> JSON:
    """Return a JSON value that comes back as it went in. Raises InputError."""
    if payload is not None:
        _validate_json(payload, "the payload")
    return payload


def _validate_json(value: Any, label: str) -> None:
    validate_depth(value, label)
    try:
        encoded = _ENCODER.encode(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{label} must be JSON values: {error}") from error
    validate_text(encoded, label)
    _check_keys(value, label)
    if "\\u0000" in encoded and _has_nul(json.loads(encoded)):  # else a backslash that someone wrote
        raise InputError(f"{label} holds a NUL character; remove it")


def validate_depth(value: JSON, label: str) -> None:
    """Raise InputError for a value with more than NESTING_MAX lists and mappings inside each other."""
    if is_nested_too_deeply(value):
        raise InputError(f"{label} is nested too deeply; at most {NESTING_MAX} levels can be stored")


def validate_document(document: ParsedDocument, *, has_vector: bool = False) -> ParsedDocument:
    """Return the document itself, which needs no text where it `has_vector`. Raises InputError."""
    validate_id(document.id)
    if not _is_plain_text(document.text):  # what to call it takes longer to say than to check it
        validate_text(document.text, f"the text of {shorten_repr(document.id)}")
    if document.title is not None:
        validate_text(document.title, f"the title of {shorten_repr(document.id)}")
    validate_metadata(document.metadata)
    validate_payload(document.payload)
    if not has_vector and not has_words(document.title, document.text):
        raise InputError(f"document {shorten_repr(document.id)} has neither text nor a title")
    return document


def has_words(title: str | None, text: str) -> bool:
    """Return whether there is anything to encode, and to find by words."""
    return bool(text.strip() or (title or "").strip())


def _is_plain_text(text: Any) -> bool:
    """Return whether it is a string that SQLite and every encoder can hold."""
    return type(text) is str and "\0" not in text and (text.isascii() or is_unicode(text))


def _is_plainly_sound(metadata: Metadata) -> bool:
    """Return whether metadata without a list or a mapping in it, as most are, is sound; False says nothing."""
    return all(_is_plain_text(key) and _is_plain_value(value) for key, value in metadata.items())


def _is_plain_value(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return _is_plain_text(value)
    if kind is float:
        return isfinite(value)
    return kind is bool or value is None or (kind is int and value.bit_length() <= _INTEGER_BITS_MAX)


def _check_keys(document_part: JSON, label: str) -> None:
    """Raise InputError for keys that are no strings: JSON would make 1 and "1" the same."""
    waiting: list[Any] = [document_part]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and (wrong := [key for key in value if not isinstance(key, str)]):
            raise InputError(f"{label} must have string keys at every level, got {shorten_repr(wrong[0])}")
        waiting.extend(_list_children(value))


def _has_nul(value: JSON) -> bool:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str) and "\0" in part:
            return True
        if isinstance(part, dict):
            waiting.extend(part)
        waiting.extend(_list_children(part))
    return False


def _list_children(value: JSON) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
