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

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.nesting import NESTING_MAX
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning
from vecsearch.core.types import Location
from vecsearch.documents.decoding import BinaryFileError, decode, find_declared_charset, is_binary
from vecsearch.documents.loaders.document_builder import DocumentBuilder, clean
from vecsearch.documents.loaders.document_info import build_metadata, normalize_date
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.office.ole import OLE_MAGIC
from vecsearch.documents.loaders.raw_file import RawFile

_MESSAGE_MAX: Final = 40_000_000  # bytes of a message without its attachments, and _LINE_COST for each of its lines …
_LINE_COST: Final = 60  # … since the library holds them several times over
_LINE_MAX: Final = 1_000_000
_DATED_SEPARATOR: Final = re.compile(rb"From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .*\d:\d\d.*\d{4}")
_HEADER: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]+\s*")
_BASE64_HEADER: Final = re.compile(rb"^content-transfer-encoding:\s*base64", re.MULTILINE)
_BINARY_CONTENT_TYPE: Final = re.compile(rb"^content-type:\s*(?!text/|message/|multipart/)\S", re.MULTILINE)
_CONTENT_TYPE: Final = re.compile(rb"^content-type:\s*(message|multipart)/.*(?:\n[ \t].*)*", re.MULTILINE | re.IGNORECASE)
_BOUNDARY: Final = re.compile(rb'boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_ENCODED_WORD: Final = r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?="
_ENCODED_WORDS: Final = re.compile(rf"{_ENCODED_WORD}(?:\s+{_ENCODED_WORD})*")
# Outlook's numbers for a body as a page and as compressed RTF, and for how it calls an attachment
_HTML: Final = 0x1013
_RTF: Final = 0x1009
_DISPLAY_NAME: Final = 0x3001
_PAGE: Final = "text/html"
_READ_HEADERS: Final = ("subject", "from", "to", "cc", "date", "content-language")  # headers
_Mail: TypeAlias = "Message[Any, Any]"


@dataclass(slots=True)
class _MailContent:
    """What a message says, in whatever form it came."""

    headers: dict[str, str] = field(default_factory=dict)  # by name in lower case
    bodies: list[str] = field(default_factory=list)
    attachments: list[tuple[str, str]] = field(default_factory=list)  # names, and texts where they have one


def load_eml(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield a message as one document; its subject is the title."""
    _refuse_binary(raw)
    with raw.open() as file:
        yield _build_document(raw.name, _parse_message(_read_lines(file)), {})


def load_mbox(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield a document for each message. Holds one at a time, without its attachments, however large the mailbox is."""
    _refuse_binary(raw)
    with raw.open() as file:
        for number, lines in groupby(_number_lines(_read_lines(file)), key=itemgetter(0)):
            try:
                document = _build_document(f"{raw.name}#{number}", _parse_message(line for _, line in lines), {"message": number})
            except UnreadableFileError as error:
                yield ParseWarning(f"message {number}: {error}")
            else:
                yield document if document.text or document.title else SkippedFile(document.id, "no text in it")


def load_msg(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield a message that Outlook saved, as one document. Other programs save plain mail under that name."""
    if not raw.head.startswith(OLE_MAGIC):
        yield from load_eml(raw)
        return
    yield _build_document(raw.name, _read_outlook(raw), {})


def _refuse_binary(raw: RawFile) -> None:
    """Raise BinaryFileError for what begins with no headers; after them a mail may hold any bytes."""
    if is_binary(raw.head) and not _HEADER.match(raw.head) and not raw.head.startswith(b"From "):
        decode(raw.head)  # says what kind of binary
        raise BinaryFileError("binary, not text")


def _build_document(identifier: str, content: _MailContent, location: Location) -> ParsedDocument:
    """Return a document of bodies, the names of what is attached, and each attached text under its name."""
    outline, headers = DocumentBuilder(), content.headers
    outline.at(location)
    for body in content.bodies:
        outline.add_block(body)
    outline.add_block("\n".join(f"attachment: {name}" for name, _ in content.attachments))
    for name, text in content.attachments:
        outline.start_part({**location, "member": name}, name)
        outline.add_block(text)
    metadata = build_metadata(
        author=[headers.get("from", "")], created=headers.get("date"), language=headers.get("content-language")
    )
    title = headers.get("subject") or None
    to = {key: headers[key] for key in ("to", "cc") if headers.get(key)}
    return ParsedDocument(identifier, outline.text, title, {**metadata, **to}, tuple(outline.build_sections(title)))


# -- lines to messages


def _read_lines(file: BinaryIO) -> Iterator[bytes]:
    """Split a very long line into pieces."""
    return iter(partial(file.readline, _LINE_MAX), b"")


def _number_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a mailbox with the number of their message, the separators left out, quoted ones as they were."""
    number, anything, before = 1, False, b"\n"
    for line, after in pairwise(chain(lines, [b""])):
        begins = line.startswith(b"From ") and before.endswith(b"\n")
        if begins and (
            _DATED_SEPARATOR.match(line[:300]) or (not before.strip() and _HEADER.match(after))
        ):  # a body may have one
            number += anything
        else:
            anything |= bool(line.strip())
            yield number, line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
        before = line


def _parse_message(lines: Iterable[bytes]) -> _MailContent:
    """Raise UnreadableFileError."""
    message_lines: list[bytes] = []
    size, skipped = 0, _AttachmentFilter()
    for line in lines:
        if not skipped.should_skip(line):
            message_lines.append(line)
            size += len(line) + _LINE_COST
            if size > _MESSAGE_MAX:
                raise UnreadableFileError("too large even without its attachments")
    if _is_nested_too_deeply(message_lines):
        raise UnreadableFileError("its parts are nested too deeply")
    message = message_from_bytes(b"".join(message_lines))
    letter = _MailContent(_read_headers(message))
    letter.bodies = _extract_bodies(message, letter.attachments)
    return letter


def _is_nested_too_deeply(lines: Iterable[bytes]) -> bool:
    """Return whether more than NESTING_MAX parts are open at once; the library, which recurses into them, cannot say."""
    boundaries: list[bytes] = []  # of the parts that are open, empty for an attached message
    headers: list[bytes] | None = []  # None within a body
    for line in lines:
        text = line.rstrip()
        if text.startswith(b"--") and (boundary := _find_boundary(text, boundaries)) is not None:
            is_last = text[2:] != boundary
            del boundaries[boundaries.index(boundary) + (not is_last) :]
            headers = None if is_last else []
        elif headers is not None and text:
            headers.append(text)
        elif headers is not None:
            content_type = _CONTENT_TYPE.search(b"\n".join(headers))
            is_message = content_type is not None and content_type[1].lower() == b"message"
            declared = _BOUNDARY.search(content_type[0]) if content_type else None
            if is_message or declared:
                boundaries.append(b"" if declared is None else declared[1] or declared[2])
            headers = [] if is_message else None
        if len(boundaries) > NESTING_MAX:
            return True
    return False


def _find_boundary(line: bytes, boundaries: Iterable[bytes]) -> bytes | None:
    """Return which boundary a line is, of those of the parts that are open."""
    return next((boundary for boundary in boundaries if boundary and line[2:] in (boundary, boundary + b"--")), None)


class _AttachmentFilter:
    """Knows the lines of attachments that hold no words, which can be gigabytes, as the lines of a message go by."""

    def __init__(self) -> None:
        self._headers: list[bytes] | None = []
        self._skip = False

    def should_skip(self, line: bytes) -> bool:
        if line.startswith(b"--"):  # what parts the parts; not in Base64
            self._headers, self._skip = [], False
        elif self._headers is not None and line.strip():
            self._headers.append(line.lower())
        elif self._headers is not None:
            headers = b"".join(self._headers)
            self._headers, self._skip = None, bool(_BASE64_HEADER.search(headers) and _BINARY_CONTENT_TYPE.search(headers))
        else:
            return self._skip and bool(_BASE64.fullmatch(line))
        return False


# -- the parts of a message


def _extract_bodies(part: _Mail, attachments: list[tuple[str, str]]) -> list[str]:
    """Return the texts that a reader sees, of alternatives the plain one; what is attached goes to the other list."""
    kind = part.get_content_type()
    name = _decode_header_value(part.get_filename() or "")
    if kind == "message/rfc822":
        inner: Any = part.get_payload(0)
        attachments.append(
            (name or _read_headers(inner).get("subject") or "message", "\n\n".join(_extract_bodies(inner, attachments)))
        )
        return []
    if part.is_multipart():
        parts: Any = part.get_payload()
        if kind != "multipart/alternative":
            return [text for subpart in parts for text in _extract_bodies(subpart, attachments)]
        parts = sorted(parts, key=lambda subpart: subpart.get_content_type() != "text/plain")
        return next(filter(None, [_extract_bodies(subpart, attachments) for subpart in parts]), [])
    text = _extract_text(part, kind)
    if part.get_content_disposition() == "attachment" or (name and part.get_content_maintype() != "image"):
        attachments.append((name or kind, text))
        return []
    return [text] if text.strip() else []


def _extract_text(part: _Mail, kind: str) -> str:
    """Return the words of a text, none of anything else, nor of a calendar's entry, whose words the mail repeats."""
    if part.get_content_maintype() != "text" or kind == "text/calendar":
        return ""
    data = part.get_payload(decode=True)
    return _convert_to_text(data if isinstance(data, bytes) else b"", kind, part.get_content_charset())


def _convert_to_text(data: bytes, kind: str, charset: str | None) -> str:
    text = _decode_text(data, charset, find_declared_charset(data) if kind == _PAGE else None)
    return extract_html_text(text)[1] if kind == _PAGE else text


def _decode_text(data: bytes, charset: str | None, declared: str | None = None) -> str:
    """Decode in the encoding that is named, unless it is plain UTF-8; with replacement characters where there is no sound
    reading."""
    label = (charset or "").partition("*")[0].encode("ascii", "ignore")
    codec = find_declared_charset(b'<meta charset="%s">' % label) or declared
    if codec and codec.startswith(("iso2022", "hz")):  # written in ASCII, so it is plain UTF-8 too
        return data.decode(codec, "replace")
    try:
        return decode(data, declared=codec)
    except UnreadableFileError:
        return data.decode(codec or "utf-8", "replace")


# -- headers


def _read_headers(message: _Mail) -> dict[str, str]:
    """Return the headers of use, the first of each name, in one line."""
    return {
        name.lower(): _decode_header_value(value)
        for name, value in reversed(list(message.raw_items()))
        if name.lower() in _READ_HEADERS
    }


def _decode_header_value(value: str) -> str:
    """Return a header's value as it is meant: encoded words and raw bytes decoded, unfolded."""
    if not value.isascii():
        value = _decode_text(value.encode("utf-8", "surrogateescape"), None)
    return " ".join(clean(_ENCODED_WORDS.sub(_decode_words, value)).split())


def _decode_words(words: re.Match[str]) -> str:
    try:
        pieces = decode_header(words[0])
    except HeaderParseError:
        return words[0]
    return "".join(piece if isinstance(piece, str) else _decode_text(piece, charset) for piece, charset in pieces)


# -- Outlook


def _read_outlook(raw: RawFile) -> _MailContent:
    """Raise UnreadableFileError."""
    from oxmsg import Message as Outlook

    try:
        message = Outlook.load(raw.data)
        body = _read_outlook_body(message)
    except Exception as error:  # of a damaged file the library raises what its bytes lead to
        raise UnreadableFileError("a damaged Outlook message") from error
    outlook_headers = _get_value(message, "message_headers") or {}
    headers = {
        name.lower(): _decode_header_value(value) for name, value in outlook_headers.items() if name.lower() in _READ_HEADERS
    }
    headers |= {
        key: _decode_header_value(_get_value(message, name) or "") for key, name in (("subject", "subject"), ("from", "sender"))
    }
    if not normalize_date(headers.get("date", "")) and (sent := _get_value(message, "sent_date")):
        headers["date"] = sent.isoformat()
    headers.setdefault("to", ", ".join(map(_format_recipient, _get_value(message, "recipients") or ())))
    attached = [_read_outlook_attachment(attachment) for attachment in _get_value(message, "attachments") or ()]
    if not (body or attached or any(headers.values())):
        raise UnreadableFileError("a damaged Outlook message: it says nothing")
    return _MailContent(headers, [body], attached)


def _get_value(source: Any, name: str, *arguments: Any) -> Any:
    """Return what the library says, None where it fails: one broken property costs no other."""
    try:
        value = getattr(source, name)
        return value(*arguments) if arguments else value
    except Exception:
        return None


def _format_recipient(recipient: Any) -> str:
    name, address = (_decode_header_value(_get_value(recipient, attribute) or "") for attribute in ("name", "email_address"))
    return f"{name} <{address}>" if name and "@" in address and name != address else name or address


def _read_outlook_body(message: Any) -> str:
    """Return the plain text, else that of the page or of the RTF, which Outlook writes beside it.

    Raises what the libraries do.
    """
    from compressed_rtf import decompress  # type: ignore[import-untyped]

    from vecsearch.documents.loaders import load

    if text := clean(_get_value(message, "body") or "").strip():
        return text
    if page := message.properties.binary_prop_value(_HTML):
        return _convert_to_text(page, _PAGE, message.properties.body_encoding)
    if not message.html_body and (rtf := message.properties.binary_prop_value(_RTF)):
        items = load(RawFile("body", ".rtf", content=decompress(rtf), is_member=True))
        return "\n\n".join(item.text for item in items if isinstance(item, ParsedDocument))
    return extract_html_text(message.html_body or "")[1]


def _read_outlook_attachment(attachment: Any) -> tuple[str, str]:
    shown = _get_value(_get_value(attachment, "properties"), "str_prop_value", _DISPLAY_NAME)
    name = _decode_header_value(_get_value(attachment, "file_name") or shown or "") or "attachment"
    kind = _get_value(attachment, "mime_type") or ""
    data = _get_value(attachment, "file_bytes") if kind in ("text/plain", _PAGE) or name.lower().endswith(".txt") else None
    return name, _convert_to_text(data or b"", kind, None)
