"""winmail.dat ([MS-OXTNEF]): a message as Outlook packs it for another Outlook, with all that is attached to it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.code_pages import get_code_page_codec
from vecsearch.documents.loaders.mail import mapi
from vecsearch.documents.loaders.mail.detect_mail import TNEF_MAGIC
from vecsearch.documents.loaders.mail.mail_content import Attachment, MailContent, emit_mail
from vecsearch.documents.loaders.mail.mapi import MapiProperties, read_mapi_mail
from vecsearch.documents.loaders.raw_file import RawFile

_HEADER_BYTES: Final = 6
_ATTRIBUTE: Final = struct.Struct("<BII")  # level, number, length; a checksum of two bytes follows the value
_MESSAGE_PROPERTIES, _ATTACHMENT_PROPERTIES = 0x69003, 0x69005
_CODE_PAGE, _SUBJECT, _BODY = 0x69007, 0x18004, 0x2800C
_BEGIN_ATTACHMENT, _NAME, _DATA = 0x69002, 0x18010, 0x6800F
_OLD_TEXTS: Final = {_SUBJECT: mapi.SUBJECT, _BODY: mapi.BODY}
_SIZES: Final = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}  # of values, padded
_COUNTED: Final = (mapi.STRING_8, mapi.UNICODE, mapi.BINARY, mapi.OBJECT)  # several may stand there
_SEVERAL: Final = 0x1000
_GUID_BYTES: Final = 16
_DEPTH_MAX: Final = 10  # messages inside each other


def load_tnef(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the message, then what is attached to it."""
    mail = parse_tnef(raw.data)
    mail.size = raw.size
    return emit_mail(raw, mail, {})


def parse_tnef(data: bytes, depth: int = 0) -> MailContent:
    """Return what a packed message says. Raises UnreadableFileError."""
    if not data.startswith(TNEF_MAGIC):
        raise UnreadableFileError("damaged: no message of Outlook")
    message, attached, is_whole = MapiProperties(), [], True
    try:
        for number, value in _iterate_attributes(data):
            if number == _BEGIN_ATTACHMENT:
                attached.append(_AttachedFile())
            elif number == _CODE_PAGE:
                message.hint = get_code_page_codec(int.from_bytes(value[:4], "little"))
            else:
                _add_attribute(number, value, message, attached)
    except (struct.error, _TruncatedError):
        is_whole = False
    mail = read_mapi_mail(message, [])
    if not is_whole:
        mail.problems.append(ParseWarning("winmail.dat: damaged, not read to its end"))
    for file in attached:
        file.properties.hint = message.make_part().hint
        if depth < _DEPTH_MAX:
            mail.attachments.append(_make_attachment(file, depth))
        else:
            mail.problems.append(ParseWarning(f"more than {_DEPTH_MAX} messages inside each other"))
    return mail


class _TruncatedError(Exception):
    """What is announced is not there."""


@dataclass(slots=True)
class _AttachedFile:
    """An attachment as it is gathered from several attributes."""

    properties: MapiProperties = field(default_factory=MapiProperties)
    data: bytes = b""


def _iterate_attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = _HEADER_BYTES
    while place + _ATTRIBUTE.size <= len(data):
        _, number, length = _ATTRIBUTE.unpack_from(data, place)
        place += _ATTRIBUTE.size
        if place + length > len(data):
            raise _TruncatedError
        yield number, data[place : place + length]
        place += length + 2


def _add_attribute(number: int, value: bytes, message: MapiProperties, attached: list[_AttachedFile]) -> None:
    if number == _MESSAGE_PROPERTIES:
        _parse_properties(value, message)
    elif number in _OLD_TEXTS:
        message.add(_OLD_TEXTS[number], mapi.STRING_8, _keep(value))
    elif not attached:
        return
    elif number == _ATTACHMENT_PROPERTIES:
        _parse_properties(value, attached[-1].properties)
    elif number == _NAME:
        attached[-1].properties.add(mapi.FILE_NAME, mapi.STRING_8, _keep(value))
    elif number == _DATA:
        attached[-1].data = value


def _keep(value: bytes) -> Callable[[], bytes]:
    return lambda: value


def _parse_properties(data: bytes, properties: MapiProperties) -> None:
    """Add all properties of a list. Raises struct.error, _TruncatedError."""
    (count,) = struct.unpack_from("<I", data)
    place = 4
    for _ in range(count):
        kind, number = struct.unpack_from("<HH", data, place)
        place += 4
        if number >= 0x8000:
            number, place = _read_name(data, place)
        values, place = _read_values(data, place, kind)
        if values and not kind & _SEVERAL:
            properties.add(number, kind, _keep(values[0]))


def _read_name(data: bytes, place: int) -> tuple[int, int]:
    """Return the number by which a program names a property, 0 for a name in words, and where its value begins."""
    is_word, number = struct.unpack_from("<II", data, place + _GUID_BYTES)
    place += _GUID_BYTES + 8
    return (0, place + _pad(number)) if is_word else (mapi.NAMED + number, place)


def _read_values(data: bytes, place: int, kind: int) -> tuple[list[bytes], int]:
    """Return the values of a property, and where the next one begins."""
    single = kind & ~_SEVERAL
    count = 1
    if kind & _SEVERAL or single in _COUNTED:
        (count,) = struct.unpack_from("<I", data, place)
        place += 4
    values: list[bytes] = []
    for _ in range(count):
        if single in _COUNTED:
            (size,) = struct.unpack_from("<I", data, place)
            place += 4
        elif single in _SIZES:
            size = _SIZES[single]
        else:
            raise _TruncatedError
        if place + size > len(data):
            raise _TruncatedError
        values.append(data[place : place + size])
        place += _pad(size)
    return values, place


def _pad(size: int) -> int:
    return size + -size % 4


def _make_attachment(file: _AttachedFile, depth: int) -> Attachment:
    properties = file.properties
    name = next(filter(None, map(properties.get_text, (mapi.LONG_NAME, mapi.FILE_NAME, mapi.DISPLAY_NAME))), "")
    packed = properties.read_bytes(mapi.DATA, mapi.OBJECT)[_GUID_BYTES:]
    if packed.startswith(TNEF_MAGIC):
        mail = parse_tnef(packed, depth + 1)
        return Attachment(name or mail.headers.get("subject", ""), "message/rfc822", mail=mail)
    data = file.data or properties.read_bytes(mapi.DATA)
    return Attachment(name, properties.get_text(mapi.MEDIA_TYPE).lower(), _keep(data))
