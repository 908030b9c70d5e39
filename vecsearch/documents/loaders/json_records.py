"""Records, one document each: JSON lines."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.id_table import IdTable
from vecsearch.core.json_lines import parse_json_line
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.documents.decoding import BinaryFileError, is_binary
from vecsearch.documents.loaders.named_values import format_values
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.text_stream import choose_encoding, iterate_lines, read_text
from vecsearch.documents.validation import validate_depth

_KEYS: Final = frozenset(("id", "_id", "text", "title", "metadata"))
_TEXT_KEYS: Final = ("content", "page_content", "document", "body")  # what other programs call the text, the surest first
_MESSAGE_KEYS: Final = ("messages", "conversations", "conversation")
_ROLE_KEYS, _CONTENT_KEYS = ("role", "from", "speaker"), ("content", "value", "text")
_VECTOR_MIN: Final = 32  # numbers in a list that says nothing to a reader
_JSON_TYPES: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
_HASH_PREFIX: Final = "sha256:"  # what an id begins with that was made from the line itself


def load_json_lines(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the good lines as documents, the bad ones as problems that name the line. Holds one line at a time."""
    line_of = IdTable()
    for number, line in enumerate(read_lines(raw), start=1):
        try:
            document = parse_document(line) if line.strip() else None
            if document and (first := line_of.find(document.id)) is not None:
                raise InputError(_format_duplicate_error(document.id, first))
        except InputError as error:
            yield ParseWarning(f"line {number}: {error}")
        else:
            if document:
                line_of.add(document.id, number)
                yield document


def read_lines(raw: RawFile) -> Iterator[str | bytes]:
    """Yield lines as they stand where all are UTF-8, else as text; where that fails, one broken line costs no other."""
    if b"\0" not in raw.head and not is_binary(raw.head) and _is_utf8(raw):
        with raw.open() as file:
            yield from file
        return
    try:
        encoding = choose_encoding(raw.open)
    except UnreadableFileError as error:
        if isinstance(error, BinaryFileError) or b"\0" in raw.head:
            raise
        with raw.open() as file:
            yield from file
    else:
        yield from iterate_lines(read_text(raw.open, encoding))


def _is_utf8(raw: RawFile) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with raw.open() as file:
        try:
            while block := file.read(SNIFF_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def parse_document(line: str | bytes) -> ParsedDocument:
    value = parse_json_line(line)
    if not isinstance(value, dict):
        raise InputError(f"expected an object, got {describe_type(value)}")
    validate_depth(value, "the object")
    identifier, extra = _extract_id(value)
    metadata = _get_optional(value, "metadata", dict) or {}
    text, title = _get_optional(value, "text", str) or "", _get_optional(value, "title", str)
    if not text.strip():
        text, key = find_text(extra)
        extra.pop(key, None)
    return ParsedDocument(identifier, text, title, {**extra, **metadata})


def find_text(members: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text of a record without `text`, and the key whose value it is: what a usual key holds, else, without a key, all
    values with their names."""
    for key in _TEXT_KEYS:
        if isinstance(text := members.get(key), str) and text.strip():
            return text, key
    for key in _MESSAGE_KEYS:
        if messages := _format_messages(members.get(key)):
            return messages, key
    return format_values({name: value for name, value in members.items() if name != "_id" and not _is_vector(value)}), ""


def _format_messages(messages: Any) -> str:
    """Return a conversation, a message a paragraph with who says it; empty for what is none."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return ""
    lines = []
    for message in messages:
        role, content = (next((message[key] for key in keys if message.get(key)), "") for keys in (_ROLE_KEYS, _CONTENT_KEYS))
        if isinstance(content, list):  # parts: texts, pictures
            content = "\n".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
        if not isinstance(content, str) or not isinstance(role, str):
            return ""
        if content.strip():
            lines.append(f"{role}: {content}" if role else content)
    return "\n\n".join(lines)


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= _VECTOR_MIN and all(isinstance(entry, int | float) for entry in value)


def _extract_id(value: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the id of an object, made from its content where it has none, and the keys that become metadata."""
    key = "id" if value.get("id") is not None else "_id"
    identifier = value.get(key)
    is_foreign = key == "_id" and isinstance(identifier, dict)  # of a database that writes an object: a value like any other
    if identifier is None or is_foreign:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
        identifier = _HASH_PREFIX + hashlib.sha256(canonical.encode()).hexdigest()[:32]
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise InputError(f"the id must be a string or an integer, got {describe_type(identifier)}")
    spare = {"_id"} if is_foreign or (key == "id" and value.get("_id") is not None) else set()
    return str(identifier), {name: entry for name, entry in value.items() if name not in _KEYS or name in spare}


def _get_optional(value: Mapping[str, Any], key: str, kind: type) -> Any:
    """Return a key's value; None when it is missing or null."""
    member = value.get(key)
    if member is not None and not isinstance(member, kind):
        raise InputError(f"{key!r} must be {_JSON_TYPES[kind]}, got {describe_type(member)}")
    return member


def describe_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "null")


def _format_duplicate_error(identifier: str, line: int) -> str:
    if identifier.startswith(_HASH_PREFIX):
        return f"the same as line {line:,}; give each an id to keep both"
    return f"the id {identifier!r} was given on line {line:,} already"
