"""Whether bytes are mail, whatever their file is called: by the headers that they begin with."""

from __future__ import annotations

import re
from typing import Final

from vecsearch.documents.loaders.mail.mime_lines import is_dated_separator

TNEF_MAGIC: Final = b"\x78\x9f\x3e\x22"  # how winmail.dat begins
_HEADER: Final = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_MIME: Final = b"mime-version"  # which nothing else has
_CONTENT: Final = (b"content-type", b"from", b"subject", b"date")
_SENT: Final = (b"date", b"subject", b"to", b"received", b"message-id", b"return-path", b"delivered-to", b"newsgroups")
_PATCH: Final = re.compile(rb"From [0-9a-f]{40} Mon Sep 17 00:00:00 2001")  # how a patch of git begins: a text for people
_APPLE_LENGTH: Final = re.compile(rb"(\d{1,12})[ \t\r]*\n")  # of a message, in front of it
_HEADERS_MAX: Final = 1_000


def detect_mail_type(head: bytes, *, has_known_suffix: bool) -> str | None:
    """Return .eml, .emlx, .mbox or None, by the bytes that a file begins with.

    A file whose name says what it is must say itself that it is mail; for any other the headers of a message are enough.
    """
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first, _, rest = head.partition(b"\n")
    if first.startswith(b"From "):
        is_mailbox = is_dated_separator(first) and not _PATCH.match(first) and _is_sent(find_header_names(rest))
        return ".mbox" if is_mailbox else None
    if find_apple_length(head) is not None:
        return ".emlx"
    names = find_header_names(head)
    if (_MIME in names and not names.isdisjoint(_CONTENT)) or (_is_sent(names) and not has_known_suffix):
        return ".eml"
    return None


def find_apple_length(head: bytes) -> int | None:
    """Return how long a message is, in bytes, that Apple's program keeps with its length in front and notes behind."""
    length = _APPLE_LENGTH.match(head)
    return int(length[1]) if length and _is_sent(find_header_names(head[length.end() :])) else None


def find_header_names(head: bytes) -> frozenset[bytes]:
    """Return the names of the headers that bytes begin with, in lower case; none where a line before the first blank one is no
    header."""
    names = set()
    for line in head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", _HEADERS_MAX)[:_HEADERS_MAX]:
        if not line.strip():
            break
        match = _HEADER.match(line)
        if match:
            names.add(match[1].lower())
        elif not names or line[:1] not in (b" ", b"\t"):
            return frozenset()
    return frozenset(names)


def _is_sent(names: frozenset[bytes]) -> bool:
    return b"from" in names and len(names.intersection(_SENT)) >= 2
