"""Messages as Outlook has them in memory (MAPI): properties by number, from a message file or from winmail.dat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_string
from itertools import filterfalse
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.code_pages import get_code_page_codec, get_language_code_page
from vecsearch.documents.decoding import EmptyFileError, choose_codec, find_declared_charset
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.document_info import normalize_date
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.mail.compressed_rtf import decompress_rtf
from vecsearch.documents.loaders.mail.mail_content import MailContent, choose_alternatives
from vecsearch.documents.loaders.mail.mime_text import decode_header_value, decode_page, select_headers
from vecsearch.documents.loaders.raw_file import RawFile

STRING_8, UNICODE, BINARY, OBJECT, TIME, LONG, SHORT = 0x1E, 0x1F, 0x102, 0x0D, 0x40, 3, 2  # types of values
FIXED: Final = (TIME, LONG, SHORT)  # which are as long as their type says
# numbers of properties
CLASS, SUBJECT, BODY, RTF, HTML_BODY, HEADERS = 0x001A, 0x0037, 0x1000, 0x1009, 0x1013, 0x007D
DATA, FILE_NAME, LONG_NAME, DISPLAY_NAME, MEDIA_TYPE, METHOD = 0x3701, 0x3704, 0x3707, 0x3001, 0x370E, 0x3705
SMTP_ADDRESS, ADDRESS = 0x39FE, 0x3003
_CODE_PAGE, _INTERNET_CODE_PAGE, _LANGUAGE = 0x3FFD, 0x3FDE, 0x3FF1
_SENDERS: Final = ((0x0C1A, (0x5D01, 0x0C1F)), (0x0042, (0x5D02, 0x0065)))  # name, addresses: the sender, whom he writes for
_RECIPIENT_KIND, _COPIED = 0x0C15, 2
_TO, _CC, _NORMALIZED_SUBJECT = 0x0E04, 0x0E03, 0x0E1D
_TIMES: Final = (0x0039, 0x0E06)  # sent, received
NAMED: Final = 0x10000  # what the numbers begin with that a program gave its own properties
_LOCATION, _BEGINS, _ENDS = NAMED + 0x8208, NAMED + 0x820D, NAMED + 0x820E
_EVENTS: Final = ("ipm.appointment", "ipm.schedule.meeting")
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_SEPARATOR: Final = b"\n"


@dataclass(slots=True)
class MapiProperties:
    """Values by number and type. Texts that are not Unicode are read in one encoding: what all of them together are in, with the
    code page that the message names as a hint."""

    values: dict[tuple[int, int], Callable[[], bytes]] = field(default_factory=dict)
    hint: str | None = None  # a codec that is named elsewhere
    _codec: str | None = None

    def add(self, number: int, kind: int, read: Callable[[], bytes]) -> None:
        """Add a value; the first of a number and type counts."""
        self.values.setdefault((number, kind), read)

    def read_bytes(self, number: int, kind: int = BINARY) -> bytes:
        """Return a value as it stands, no bytes where there is none."""
        read = self.values.get((number, kind))
        return read() if read else b""

    def get_number(self, number: int) -> int:
        """Return a whole number, 0 where there is none."""
        return int.from_bytes(self.read_bytes(number, LONG)[:4] or self.read_bytes(number, SHORT)[:2], "little")

    def get_text(self, number: int) -> str:
        """Return a text, empty where there is none."""
        if (number, UNICODE) in self.values:
            return self.read_bytes(number, UNICODE).decode("utf-16-le", "replace").partition("\0")[0]
        data = self.read_bytes(number, STRING_8).partition(b"\0")[0]
        return data.decode(self.codec, "replace") if data else ""

    def get_time(self, number: int) -> datetime | None:
        ticks = int.from_bytes(self.read_bytes(number, TIME)[:8], "little")
        try:
            return _EPOCH + timedelta(microseconds=ticks // 10) if ticks else None
        except OverflowError:
            return None

    @property
    def codec(self) -> str:
        """Return the codec of texts that are not Unicode."""
        if self._codec is None:
            data = _SEPARATOR.join(read() for (_, kind), read in self.values.items() if kind == STRING_8)
            self._codec = _choose_codec(data, self.get_stated_codec())
        return self._codec

    def get_stated_codec(self) -> str | None:
        """Return the codec of the code page that the message names, or that its language had."""
        for number in (_CODE_PAGE, _INTERNET_CODE_PAGE):
            if codec := get_code_page_codec(self.get_number(number)):
                return codec
            if self.hint:
                return self.hint
        language = self.get_number(_LANGUAGE)
        return get_code_page_codec(get_language_code_page(language)) if language else None

    def make_part(self) -> MapiProperties:
        """Return the properties, still to be filled in, of a recipient or an attachment: in the same encoding as the message."""
        return MapiProperties(hint=self.codec if self.codec != "utf-8" else self.get_stated_codec())


def _choose_codec(data: bytes, stated: str | None) -> str:
    """Choose how to read texts. Windows-1252 is what programs state of any text, so it is believed where it gives words."""
    try:
        return choose_codec(data, declared=stated if stated != "cp1252" else None)
    except UnreadableFileError:
        return stated or "cp1252"


def read_mapi_mail(properties: MapiProperties, recipients: list[MapiProperties]) -> MailContent:
    """Return what a message says, without what is attached to it."""
    mail = MailContent(_read_headers(properties, recipients))
    plain = clean(properties.get_text(BODY)).strip()
    page = _read_page(properties)
    if not plain and not page.strip():
        plain = _read_rich_text(properties, mail)
    mail.bodies = choose_alternatives([plain], [page])
    if properties.get_text(CLASS).lower().startswith(_EVENTS):
        mail.events = ["\n".join(_iterate_event(properties))]
    return mail


def _read_headers(properties: MapiProperties, recipients: list[MapiProperties]) -> dict[str, str]:
    headers = select_headers(reversed(message_from_string(properties.get_text(HEADERS).lstrip()).items()))
    subject = properties.get_text(SUBJECT) or properties.get_text(_NORMALIZED_SUBJECT)
    headers["subject"] = decode_header_value(subject) or headers.get("subject", "")
    headers["from"] = headers.get("from") or next(filter(None, (_format_sender(properties, *keys) for keys in _SENDERS)), "")
    if not normalize_date(headers.get("date", "")):
        headers["date"] = next((time.isoformat() for time in map(properties.get_time, _TIMES) if time), "")
    named, in_copy = (
        ", ".join(filter(None, map(_format_recipient, group)))
        for group in (filterfalse(_is_copied, recipients), filter(_is_copied, recipients))
    )
    headers["to"] = headers.get("to") or named or decode_header_value(properties.get_text(_TO))
    headers["cc"] = headers.get("cc") or in_copy or ("" if named else decode_header_value(properties.get_text(_CC)))
    return {name: value for name, value in headers.items() if value}


def _format_sender(properties: MapiProperties, name_key: int, address_keys: tuple[int, ...]) -> str:
    name = decode_header_value(properties.get_text(name_key))
    addresses = [decode_header_value(properties.get_text(key)) for key in address_keys]
    address = next((address for address in addresses if "@" in address), "")
    return " ".join(filter(None, (f'"{name}"' if name and address else name, f"<{address}>" if address else "")))


def _is_copied(recipient: MapiProperties) -> bool:
    return recipient.get_number(_RECIPIENT_KIND) == _COPIED


def _format_recipient(recipient: MapiProperties) -> str:
    name = decode_header_value(recipient.get_text(DISPLAY_NAME))
    address = decode_header_value(recipient.get_text(SMTP_ADDRESS) or recipient.get_text(ADDRESS))
    return f"{name} <{address}>" if name and "@" in address and name != address else name or address


def _read_page(properties: MapiProperties) -> str:
    data = properties.read_bytes(HTML_BODY)
    if not data:
        return extract_html_text(properties.get_text(HTML_BODY))[1]
    internet_codec = get_code_page_codec(properties.get_number(_INTERNET_CODE_PAGE))
    codec = find_declared_charset(data) or internet_codec or properties.get_stated_codec()
    return extract_html_text(decode_page(data.replace(b"\0", b""), codec))[1]


def _read_rich_text(properties: MapiProperties, mail: MailContent) -> str:
    """Return the words of the rich text that stands for a body; a fault in it is noted."""
    from vecsearch.documents.loaders import load

    rtf = decompress_rtf(properties.read_bytes(RTF))
    try:
        items = list(load(RawFile("body", ".rtf", content=rtf))) if rtf.strip() else []
    except EmptyFileError:
        return ""
    except UnreadableFileError as error:
        mail.problems.append(ParseWarning(f"its rich text: {error}"))
        return ""
    mail.problems += [item for item in items if isinstance(item, ParseWarning)]
    return "\n\n".join(item.text for item in items if isinstance(item, ParsedDocument))


def _iterate_event(properties: MapiProperties) -> Iterator[str]:
    """Yield when and where a meeting is."""
    times = [properties.get_time(number) for number in (_BEGINS, _ENDS)]
    yield " – ".join(f"{time:%Y-%m-%d %H:%M} UTC" for time in times if time)
    yield properties.get_text(_LOCATION)
