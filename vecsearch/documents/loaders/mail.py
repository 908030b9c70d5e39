"""Mail: messages, Outlook's messages, and mailboxes, which hold many. Attached texts are read, other attachments only named.

Nothing attached is opened, nothing linked is fetched. Messages are parsed by the library's older interface: the newer one reads
headers by a grammar, which takes seconds for a long one and fails on some that are broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from functools import partial
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import Any, BinaryIO, Final, TypeAlias

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Draft, Item, Place, Problem, Skip
from vecsearch.documents.loaders.office.ole import OLE_MAGIC
from vecsearch.documents.loaders.outline import Outline, clean
from vecsearch.documents.loaders.page import html_text
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.stated import iso_date, stated
from vecsearch.documents.text import NotText, declared_charset, decode, looks_binary

_MESSAGE_MAX: Final = 40_000_000  # bytes of a message without its attachments, and _LINE_COST for each of its lines …
_LINE_COST: Final = 60  # … since the library holds them several times over
_LINE_MAX: Final = 1_000_000
_DATED: Final = re.compile(rb"From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .*\d:\d\d.*\d{4}")
_HEADER: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]+\s*")
_IN_BASE64: Final = re.compile(rb"^content-transfer-encoding:\s*base64", re.MULTILINE)
_NO_WORDS: Final = re.compile(rb"^content-type:\s*(?!text/|message/|multipart/)\S", re.MULTILINE)
_WORD: Final = r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?="
_WORDS: Final = re.compile(rf"{_WORD}(?:\s+{_WORD})*")
# Outlook's numbers for a body as a page and as compressed RTF, and for how it calls an attachment
_HTML: Final = 0x1013
_RTF: Final = 0x1009
_SHOWN_NAME: Final = 0x3001
_PAGE: Final = "text/html"
_READ: Final = ("subject", "from", "to", "cc", "date", "content-language")  # headers
_Mail: TypeAlias = "Message[Any, Any]"


@dataclass(slots=True)
class _Letter:
    """What a message says, in whatever form it came."""

    headers: dict[str, str] = field(default_factory=dict)  # by name in lower case
    bodies: list[str] = field(default_factory=list)
    attached: list[tuple[str, str]] = field(default_factory=list)  # names, and texts where they have one


def eml(raw: Raw) -> Iterator[Item]:
    """A message as one document; its subject is the title."""
    _refuse_binary(raw)
    with raw.open() as file:
        yield _draft(raw.name, _letter(_lines(file)), {})


def mbox(raw: Raw) -> Iterator[Item]:
    """A document for each message. Holds one at a time, without its attachments, however large the mailbox is."""
    _refuse_binary(raw)
    with raw.open() as file:
        for number, lines in groupby(_numbered(_lines(file)), key=itemgetter(0)):
            try:
                draft = _draft(f"{raw.name}#{number}", _letter(line for _, line in lines), {"message": number})
            except UnreadableFile as error:
                yield Problem(f"message {number}: {error}")
            else:
                yield draft if draft.text or draft.title else Skip(draft.id, "no text in it")


def msg(raw: Raw) -> Iterator[Item]:
    """A message that Outlook saved, as one document. Other programs save plain mail under that name."""
    if not raw.head.startswith(OLE_MAGIC):
        yield from eml(raw)
        return
    yield _draft(raw.name, _outlook(raw), {})


def _refuse_binary(raw: Raw) -> None:
    """A mail may hold any bytes, but begins with headers."""
    if looks_binary(raw.head) and not _HEADER.match(raw.head) and not raw.head.startswith(b"From "):
        decode(raw.head)  # says what kind of binary
        raise NotText("binary, not text")


def _draft(identifier: str, letter: _Letter, place: Place) -> Draft:
    """Bodies, the names of what is attached, and each attached text under its name."""
    outline, headers = Outline(), letter.headers
    outline.here(place)
    for body in letter.bodies:
        outline.block(body)
    outline.block("\n".join(f"attachment: {name}" for name, _ in letter.attached))
    for name, text in letter.attached:
        outline.apart({**place, "member": name}, name)
        outline.block(text)
    said = stated(author=[headers.get("from", "")], created=headers.get("date"), language=headers.get("content-language"))
    title = headers.get("subject") or None
    to = {key: headers[key] for key in ("to", "cc") if headers.get(key)}
    return Draft(identifier, outline.text, title, {**said, **to}, tuple(outline.sections(title)))


# -- lines to messages


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """A very long line in pieces."""
    return iter(partial(file.readline, _LINE_MAX), b"")


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of a mailbox with the number of their message, the separators left out, quoted ones as they were."""
    number, anything, before = 1, False, b"\n"
    for line, after in pairwise(chain(lines, [b""])):
        begins = line.startswith(b"From ") and before.endswith(b"\n")
        if begins and (_DATED.match(line[:300]) or (not before.strip() and _HEADER.match(after))):  # a body may have one
            number += anything
        else:
            anything |= bool(line.strip())
            yield number, line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
        before = line


def _letter(lines: Iterable[bytes]) -> _Letter:
    """Raises UnreadableFile."""
    kept: list[bytes] = []
    size, skipped = 0, _Skipped()
    for line in lines:
        if not skipped.has(line):
            kept.append(line)
            size += len(line) + _LINE_COST
            if size > _MESSAGE_MAX:
                raise UnreadableFile("too large even without its attachments")
    try:
        message = message_from_bytes(b"".join(kept))
        letter = _Letter(_headers(message))
        letter.bodies = _bodies(message, letter.attached)
    except RecursionError as error:
        raise UnreadableFile("its parts are nested too deeply") from error
    return letter


class _Skipped:
    """Knows the lines of attachments that hold no words, which can be gigabytes, as the lines of a message go by."""

    def __init__(self) -> None:
        self._headers: list[bytes] | None = []
        self._skip = False

    def has(self, line: bytes) -> bool:
        if line.startswith(b"--"):  # what parts the parts; not in Base64
            self._headers, self._skip = [], False
        elif self._headers is not None and line.strip():
            self._headers.append(line.lower())
        elif self._headers is not None:
            headers = b"".join(self._headers)
            self._headers, self._skip = None, bool(_IN_BASE64.search(headers) and _NO_WORDS.search(headers))
        else:
            return self._skip and bool(_BASE64.fullmatch(line))
        return False


# -- the parts of a message


def _bodies(part: _Mail, attached: list[tuple[str, str]]) -> list[str]:
    """The texts that a reader sees, of alternatives the plain one; what is attached goes to the other list."""
    kind = part.get_content_type()
    name = _words(part.get_filename() or "")
    if kind == "message/rfc822":
        inner: Any = part.get_payload(0)
        attached.append((name or _headers(inner).get("subject") or "message", "\n\n".join(_bodies(inner, attached))))
        return []
    if part.is_multipart():
        parts: Any = part.get_payload()
        if kind != "multipart/alternative":
            return [text for each in parts for text in _bodies(each, attached)]
        parts = sorted(parts, key=lambda each: each.get_content_type() != "text/plain")
        return next(filter(None, [_bodies(each, attached) for each in parts]), [])
    text = _text(part, kind)
    if part.get_content_disposition() == "attachment" or (name and part.get_content_maintype() != "image"):
        attached.append((name or kind, text))
        return []
    return [text] if text.strip() else []


def _text(part: _Mail, kind: str) -> str:
    """The words of a text, none of anything else, nor of a calendar's entry, whose words the mail repeats."""
    if part.get_content_maintype() != "text" or kind == "text/calendar":
        return ""
    data = part.get_payload(decode=True)
    return _worded(data if isinstance(data, bytes) else b"", kind, part.get_content_charset())


def _worded(data: bytes, kind: str, charset: str | None) -> str:
    text = _decoded(data, charset, declared_charset(data) if kind == _PAGE else None)
    return html_text(text)[1] if kind == _PAGE else text


def _decoded(data: bytes, charset: str | None, declared: str | None = None) -> str:
    """In the encoding that is named, unless it is plain UTF-8; with replacement characters where there is no sound reading."""
    label = (charset or "").partition("*")[0].encode("ascii", "ignore")
    codec = declared_charset(b'<meta charset="%s">' % label) or declared
    if codec and codec.startswith(("iso2022", "hz")):  # written in ASCII, so it is plain UTF-8 too
        return data.decode(codec, "replace")
    try:
        return decode(data, declared=codec)
    except UnreadableFile:
        return data.decode(codec or "utf-8", "replace")


# -- headers


def _headers(message: _Mail) -> dict[str, str]:
    """Those of use that are there, the first of each name, in one line."""
    return {name.lower(): _words(value) for name, value in reversed(list(message.raw_items())) if name.lower() in _READ}


def _words(value: str) -> str:
    """A header's value as it is meant: encoded words and raw bytes decoded, unfolded."""
    if not value.isascii():
        value = _decoded(value.encode("utf-8", "surrogateescape"), None)
    return " ".join(clean(_WORDS.sub(_encoded, value)).split())


def _encoded(words: re.Match[str]) -> str:
    try:
        pieces = decode_header(words[0])
    except HeaderParseError:
        return words[0]
    return "".join(piece if isinstance(piece, str) else _decoded(piece, charset) for piece, charset in pieces)


# -- Outlook


def _outlook(raw: Raw) -> _Letter:
    """Raises UnreadableFile."""
    from oxmsg import Message as Outlook

    try:
        message = Outlook.load(raw.data)
        body = _outlook_body(message)
    except Exception as error:  # of a damaged file the library raises what its bytes lead to
        raise UnreadableFile("a damaged Outlook message") from error
    given = _given(message, "message_headers") or {}
    headers = {name.lower(): _words(value) for name, value in given.items() if name.lower() in _READ}
    headers |= {key: _words(_given(message, name) or "") for key, name in (("subject", "subject"), ("from", "sender"))}
    if not iso_date(headers.get("date", "")) and (sent := _given(message, "sent_date")):
        headers["date"] = sent.isoformat()
    headers.setdefault("to", ", ".join(map(_recipient, _given(message, "recipients") or ())))
    attached = [_outlook_attachment(each) for each in _given(message, "attachments") or ()]
    if not (body or attached or any(headers.values())):
        raise UnreadableFile("a damaged Outlook message: it says nothing")
    return _Letter(headers, [body], attached)


def _given(thing: Any, name: str, *arguments: Any) -> Any:
    """What the library says, None where it fails: one broken property costs no other."""
    try:
        value = getattr(thing, name)
        return value(*arguments) if arguments else value
    except Exception:
        return None


def _recipient(recipient: Any) -> str:
    name, address = (_words(_given(recipient, each) or "") for each in ("name", "email_address"))
    return f"{name} <{address}>" if name and "@" in address and name != address else name or address


def _outlook_body(message: Any) -> str:
    """The plain text, else that of the page or of the RTF, which Outlook writes beside it. Raises what the libraries do."""
    from compressed_rtf import decompress  # type: ignore[import-untyped]

    from vecsearch.documents.loaders import load

    if text := clean(_given(message, "body") or "").strip():
        return text
    if page := message.properties.binary_prop_value(_HTML):
        return _worded(page, _PAGE, message.properties.body_encoding)
    if not message.html_body and (rtf := message.properties.binary_prop_value(_RTF)):
        items = load(Raw("body", ".rtf", content=decompress(rtf), inside=True))
        return "\n\n".join(item.text for item in items if isinstance(item, Draft))
    return html_text(message.html_body or "")[1]


def _outlook_attachment(attachment: Any) -> tuple[str, str]:
    shown = _given(_given(attachment, "properties"), "str_prop_value", _SHOWN_NAME)
    name = _words(_given(attachment, "file_name") or shown or "") or "attachment"
    kind = _given(attachment, "mime_type") or ""
    data = _given(attachment, "file_bytes") if kind in ("text/plain", _PAGE) or name.lower().endswith(".txt") else None
    return name, _worded(data or b"", kind, None)
