"""Records, one document each: JSON lines."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vecsearch.core.errors import InputError, UnreadableFile
from vecsearch.core.lines import parsed
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.core.types import Draft, Item, Problem
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.text import NotText, decode, looks_binary
from vecsearch.documents.validate import checked_depth

_KEYS: Final = frozenset(("id", "_id", "text", "title", "metadata"))
_JSON_TYPES: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
_HASHED: Final = "sha256:"  # what an id begins with that was made from the line itself


def json_lines(raw: Raw) -> Iterator[Item]:
    """The good lines as documents, the bad ones as problems that name the line. Holds one line at a time."""
    line_of: dict[str, int] = {}
    for number, line in enumerate(_lines(raw), start=1):
        try:
            draft = _json_draft(line) if line.strip() else None
            if draft and draft.id in line_of:
                raise InputError(_again(draft.id, line_of[draft.id]))
        except (InputError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            yield Problem(f"line {number}: {reason}")
        else:
            if draft:
                line_of[draft.id] = number
                yield draft


def _lines(raw: Raw) -> Iterator[str | bytes]:
    """Lines as they stand where all are UTF-8, else as text; where there is no such text, one broken line costs no other."""
    if b"\0" not in raw.head and not looks_binary(raw.head) and _is_utf8(raw):
        with raw.open() as file:
            yield from file
        return
    try:
        yield from decode(raw.data).split("\n")
    except UnreadableFile as error:
        if isinstance(error, NotText) or b"\0" in raw.data:
            raise
        yield from raw.data.split(b"\n")


def _is_utf8(raw: Raw) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with raw.open() as file:
        try:
            while block := file.read(SNIFF_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _json_draft(line: str | bytes) -> Draft:
    value = parsed(line)
    if not isinstance(value, dict):
        raise InputError(f"expected an object, got {_kind(value)}")
    checked_depth(value, "the object")
    identifier, extra = _identified(value)
    given = _optional(value, "metadata", dict) or {}
    text, title = _optional(value, "text", str) or "", _optional(value, "title", str)
    return Draft(identifier, text, title, {**extra, **given})


def _identified(value: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The id of an object, made from its content where it has none, and the keys that become metadata."""
    key = "id" if value.get("id") is not None else "_id"
    given = value.get(key)
    if given is None:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
        given = _HASHED + hashlib.sha256(canonical.encode()).hexdigest()[:32]
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise InputError(f"the id must be a string or an integer, got {_kind(given)}")
    spare = {"_id"} if key == "id" and value.get("_id") is not None else set()
    return str(given), {name: each for name, each in value.items() if name not in _KEYS or name in spare}


def _optional(value: Mapping[str, Any], key: str, kind: type) -> Any:
    """A key's value; None when it is missing or null."""
    given = value.get(key)
    if given is not None and not isinstance(given, kind):
        raise InputError(f"{key!r} must be {_JSON_TYPES[kind]}, got {_kind(given)}")
    return given


def _kind(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "null")


def _again(identifier: str, line: int) -> str:
    if identifier.startswith(_HASHED):
        return f"the same as line {line:,}; give each an id to keep both"
    return f"the id {identifier!r} was given on line {line:,} already"
