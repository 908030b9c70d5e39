"""Mail as it is sent (MIME): messages, mailboxes, and the forms in which programs keep them.

Messages are parsed by the library's older interface: the newer one reads headers by a grammar, which takes seconds for a long one
and fails on some that are broken.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from email import message_from_bytes
from functools import partial
from itertools import dropwhile, groupby
from operator import itemgetter
from quopri import decodestring
from typing import Any, BinaryIO, Final, NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError, decode, is_binary
from vecsearch.documents.loaders.mail.calendar_events import extract_events
from vecsearch.documents.loaders.mail.detect_mail import find_apple_length, find_header_names
from vecsearch.documents.loaders.mail.mail_content import Attachment, MailContent, choose_alternatives, emit_mail
from vecsearch.documents.loaders.mail.mime_lines import (
    HEADER,
    AttachmentSeparator,
    check_nesting,
    decode_base64,
    number_lines,
    read_lines,
)
from vecsearch.documents.loaders.mail.mime_text import (
    HTML,
    MimeMessage,
    convert_to_text,
    decode_page,
    decode_text,
    read_file_name,
    read_headers,
    read_payload,
)
from vecsearch.documents.loaders.mail.signed_content import ENCRYPTED_MESSAGE, extract_signed_content
from vecsearch.documents.loaders.mail.tnef import parse_tnef
from vecsearch.documents.loaders.mail.uuencoded import separate_uuencoded
from vecsearch.documents.loaders.mail.web_page_archive import is_web_archive, load_web_archive
from vecsearch.documents.loaders.raw_file import Container, RawFile

_MESSAGE_MAX: Final = 40_000_000  # bytes of a message without its attachments, and _LINE_COST for each of its lines …
_LINE_COST: Final = 60  # … since the library holds them several times over
_DEPTH_MAX: Final = 10  # signed messages inside each other
# forms of one text: the first is read first, those after HTML only where there is no other
_FORMS: Final = ("text/plain", HTML, "text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext")
_WORDLESS: Final = ("image", "audio", "video")
_CALENDARS: Final = ("text/calendar", "application/ics")
_TNEF: Final = ("application/ms-tnef", "application/vnd.ms-tnef")
_SIGNED: Final = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_MESSAGES: Final = ("message/rfc822", "message/global")
_ENCRYPTED: Final = "multipart/encrypted"  # by PGP
_TRANSFER_ENCODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"base64": decode_base64, "quoted-printable": decodestring}


def load_eml(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield a message as one document, its subject the title, then what is attached to it; a saved web page as a page."""
    _refuse_binary(raw)
    with raw.open() as file:
        parsed = _parse_lines(_read_message_lines(raw, file))
    if is_web_archive(parsed.message, raw.suffix):
        yield from load_web_archive(raw, parsed.message)
    else:
        yield from emit_mail(raw, _read_mail(parsed), {})


def load_mbox(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the documents of each message. Holds one at a time, however large the mailbox is."""
    _refuse_binary(raw)
    with raw.open() as file:
        for number, lines in groupby(number_lines(read_lines(file)), key=itemgetter(0)):
            message = raw.derive(raw.name_member(str(number)), ".eml", within=(*raw.within, Container.MAILBOX))
            try:
                mail = _read_mail(_parse_lines(line for _, line in lines))
                for item in emit_mail(message, mail, {"message": number}):
                    yield ParseWarning(f"message {number}: {item.message}") if isinstance(item, ParseWarning) else item
            except EmptyFileError as error:
                yield SkippedFile(message.name, str(error))
            except UnreadableFileError as error:
                yield ParseWarning(f"message {number}: {error}")


def load_signed(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield what a signed message or document (.p7m) gives without its signature."""
    from vecsearch.documents.loaders import load

    content = extract_signed_content(raw.data)
    if not content:
        raise EmptyFileError("a signature without what is signed")
    name = raw.name.removesuffix(raw.suffix)
    suffix = ".eml" if find_header_names(content) else name[name.rfind(".") :].lower() if "." in name else ""
    return load(raw.derive(raw.name, suffix, content=content))


def read_mime(data: bytes, depth: int = 0) -> MailContent:
    """Return what a message says that lies inside another one. Raises UnreadableFileError."""
    if depth > _DEPTH_MAX:
        raise UnreadableFileError(f"more than {_DEPTH_MAX} messages inside each other")
    return _read_mail(_parse_lines(read_lines(io.BytesIO(data))), depth)


def is_signed(attachment: Attachment) -> bool:
    """Return whether an attachment is a message, or a document, signed as a whole."""
    return attachment.media_type in _SIGNED or attachment.name.lower().endswith(".p7m")


def read_signed(attachment: Attachment, mail: MailContent, depth: int = 0) -> list[str]:
    """Return the texts of a message that is signed as a whole, all else in it goes to the mail; a signed document becomes an
    attached one."""
    name = attachment.name or "smime.p7m"
    data = content = b""
    inner = None
    try:
        data = attachment.read() if attachment.read else b""
        content = data if find_header_names(data) else extract_signed_content(data)
        inner = read_mime(content, depth + 1) if find_header_names(content) else None
    except UnreadableFileError as error:
        mail.problems.append(ParseWarning(f"{name}: {error}"))
    if inner is None:
        mail.attachments.append(
            Attachment(re.sub(r"\.p7m$", "", name, flags=re.I), read=lambda: content) if content else Attachment(name)
        )
        return []
    mail.attachments += inner.attachments
    mail.events += inner.events
    mail.problems += inner.problems
    return inner.bodies


def _refuse_binary(raw: RawFile) -> None:
    """Raise BinaryFileError for what begins with no headers; after them a mail may hold any bytes."""
    if is_binary(raw.head) and not HEADER.match(raw.head) and not raw.head.startswith(b"From "):
        decode(raw.head)  # says what kind of binary
        raise BinaryFileError("binary, not text")


def _read_message_lines(raw: RawFile, file: BinaryIO) -> Iterator[bytes]:
    """Return the lines of the only message in a file, without what stands around it: blank lines, the length that Apple's
    program writes before it and the notes that follow it."""
    if (length := find_apple_length(raw.head)) is not None:
        file.readline()
        return _limit_lines(read_lines(file), length)
    lines = read_lines(file)
    return dropwhile(lambda line: not line.strip(b"\xef\xbb\xbf \t\r\n"), lines) if find_header_names(raw.head) else lines


def _limit_lines(lines: Iterable[bytes], size: int) -> Iterator[bytes]:
    for line in lines:
        yield line[:size]
        size -= len(line)
        if size <= 0:
            return


class _ParsedMessage(NamedTuple):
    """A message as the library gives it, and what was set aside of it."""

    message: MimeMessage
    separator: AttachmentSeparator


def _parse_lines(lines: Iterable[bytes]) -> _ParsedMessage:
    """Raise UnreadableFileError."""
    message_lines: list[bytes] = []
    size, separator = 0, AttachmentSeparator()
    for line in separator.separate(lines):
        message_lines.append(line)
        size += len(line) + _LINE_COST
        if size > _MESSAGE_MAX:
            raise UnreadableFileError("too large even without its attachments")
    check_nesting(message_lines)
    return _ParsedMessage(message_from_bytes(b"".join(message_lines)), separator)


def _read_mail(parsed: _ParsedMessage, depth: int = 0) -> MailContent:
    return _MessageReader(parsed.separator, depth).read_mail(parsed.message)


class _MessageReader:
    """Reads the parts of one message."""

    def __init__(self, separator: AttachmentSeparator, depth: int) -> None:
        self._separator, self._depth = separator, depth

    def read_mail(self, message: MimeMessage) -> MailContent:
        mail = MailContent(read_headers(message), size=self._separator.size)
        packed: list[MailContent] = []
        mail.bodies = self._extract_bodies(message, mail, packed)
        for inner in packed:
            mail.absorb(inner)
        return mail

    def _extract_bodies(self, part: MimeMessage, mail: MailContent, packed: list[MailContent]) -> list[str]:
        """Return the texts that a reader sees; all else goes to the mail, what was packed with its text to the others."""
        if part.get_content_type() in _MESSAGES and isinstance(part.get_payload(), list):
            mail.attachments.append(self._read_attached_message(part))
            return []
        if not part.is_multipart():
            return self._read_leaf(part, mail, packed)
        if part.get_content_type() == _ENCRYPTED:
            mail.problems.append(ParseWarning(ENCRYPTED_MESSAGE))
            return []
        parts: Any = part.get_payload()
        bodies = [(subpart.get_content_type(), self._extract_bodies(subpart, mail, packed)) for subpart in parts]
        if part.get_content_type() == "multipart/alternative":
            return _fold_alternatives(bodies)
        return [text for _, texts in bodies for text in texts]

    def _read_attached_message(self, part: MimeMessage) -> Attachment:
        inner: Any = part.get_payload(0)
        name = read_file_name(part)
        encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
        if decode_whole := _TRANSFER_ENCODINGS.get(encoding):  # against the rules
            data = decode_whole(inner.as_bytes())
            return Attachment(name or "message.eml", "message/rfc822", lambda: data)
        mail = self.read_mail(inner)
        mail.size = 0  # counted with the message that it is attached to
        return Attachment(name or mail.headers.get("subject") or "message", "message/rfc822", mail=mail)

    def _read_leaf(self, part: MimeMessage, mail: MailContent, packed: list[MailContent]) -> list[str]:
        media_type, name = part.get_content_type(), read_file_name(part)
        if media_type in _CALENDARS:
            self._read_calendar(part, name, mail)
            return []
        is_attached = part.get_content_disposition() == "attachment" or bool(name)
        if part.get_content_maintype() == "text":
            if is_attached:
                mail.attachments.append(Attachment(name or media_type, media_type, partial(_read_attached_text, part)))
                return []
            return self._read_body(part, mail)
        attachment = Attachment(name, media_type, self._find_bytes(part))
        if is_signed(attachment):
            return read_signed(attachment, mail, self._depth)
        if media_type in _TNEF or name.lower() == "winmail.dat":
            self._read_packed(attachment, mail, packed)
        elif part.get_content_disposition() == "attachment" or (name and part.get_content_maintype() != "image"):
            attachment.name = name or media_type
            mail.attachments.append(attachment)
        return []

    def _read_body(self, part: MimeMessage, mail: MailContent) -> list[str]:
        text = _read_text(part)
        if part.get_content_type() != HTML:
            text, files = separate_uuencoded(text)
            mail.attachments += [Attachment(file.name, read=partial(bytes, file.data)) for file in files]
        return [text] if text.strip() else []

    def _read_calendar(self, part: MimeMessage, name: str, mail: MailContent) -> None:
        read = self._find_bytes(part)
        try:
            mail.events += extract_events(decode_text(read() if read else b"", part.get_content_charset()))
        except UnreadableFileError as error:
            mail.problems.append(ParseWarning(f"{name}: {error}"))
        if name:
            mail.attachments.append(Attachment(name, part.get_content_type()))

    def _find_bytes(self, part: MimeMessage) -> Callable[[], bytes] | None:
        """Return what gives the bytes of a part; None where there can be no words in them."""
        try:
            payload = part.get_payload()
        except ValueError:  # of an encoding whose name has a NUL in it
            payload = None
        if aside := self._separator.claim(payload if isinstance(payload, str) else ""):
            return None if aside.is_wordless else aside.decode
        return None if part.get_content_maintype() in _WORDLESS else partial(read_payload, part)

    def _read_packed(self, attachment: Attachment, mail: MailContent, packed: list[MailContent]) -> None:
        """Read what Outlook packs into a part of its own: the message once more, and what is attached to it."""
        name = attachment.name or "winmail.dat"
        try:
            packed.append(parse_tnef(attachment.read() if attachment.read else b""))
        except UnreadableFileError as error:
            mail.problems.append(ParseWarning(f"{name}: {error}"))
            mail.attachments.append(Attachment(name))


def _fold_alternatives(bodies: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Return the plain alternative, and what the others say beside it."""
    forms = sorted(bodies, key=lambda form: _FORMS.index(form[0]) if form[0] in _FORMS else 1)
    chosen: list[str] = []
    for media_type, texts in forms:
        if not chosen or media_type not in _FORMS[2:]:
            chosen = choose_alternatives(chosen, texts)
    return chosen


def _read_text(part: MimeMessage) -> str:
    return convert_to_text(read_payload(part), part.get_content_type(), part.get_content_charset())


def _read_attached_text(part: MimeMessage) -> bytes:
    """Return the bytes of an attached text in UTF-8, since what says its encoding is not in it."""
    data = read_payload(part)
    if is_binary(data):
        return data
    charset = part.get_content_charset()
    return (decode_page if part.get_content_type() == HTML else decode_text)(data, charset).encode("utf-8", "replace")
