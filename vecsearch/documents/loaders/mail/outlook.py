"""Messages that Outlook saved ([MS-OXMSG]): a container with a stream for each property, a storage for each thing attached."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.loaders.mail import mapi
from vecsearch.documents.loaders.mail.mail_content import Attachment, MailContent, choose_alternatives, emit_mail
from vecsearch.documents.loaders.mail.mapi import MapiProperties, read_mapi_mail
from vecsearch.documents.loaders.mail.mime import is_signed, load_eml, read_signed
from vecsearch.documents.loaders.mail.mime_text import decode_header_value
from vecsearch.documents.loaders.office.ole import OLE_MAGIC, open_container, read_stream
from vecsearch.documents.loaders.raw_file import RawFile

_PROPERTIES: Final = "__properties_version1.0"
_NAMES: Final = "__nameid_version1.0"
_VALUE_STREAM: Final = re.compile(r"__substg1\.0_([0-9a-f]{4})([0-9a-f]{4})$", re.IGNORECASE)
_RECIPIENT: Final = "__recip_version1.0_"
_ATTACHMENT: Final = "__attach_version1.0_"
_EMBEDDED: Final = f"__substg1.0_{mapi.DATA:04X}{mapi.OBJECT:04X}"
_ENTRY: Final = struct.Struct("<HH4x8s")  # type, number, value
_NAME_ENTRY: Final = struct.Struct("<IHH")  # number or place of a word, which of the two, the property
_TOP_HEADER, _EMBEDDED_HEADER, _INNER_HEADER = 32, 24, 8  # bytes in front of the properties
_DEPTH_MAX: Final = 10  # messages inside each other


def load_msg(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the message, then what is attached to it. Other programs save plain mail under that name."""
    if not raw.head.startswith(OLE_MAGIC):
        yield from load_eml(raw)
        return
    with open_container(raw.data, "an Outlook message") as ole:
        container = _Container(ole)
        mail = container.read_mail((), _TOP_HEADER)
        mail.size = raw.size
        mail.problems += container.problems
        if not (any(mail.bodies) or mail.attachments or any(mail.headers.values())):
            raise UnreadableFileError("an Outlook message is damaged: it says nothing")
        yield from emit_mail(raw, mail, {})


def _list_streams(ole: Any) -> list[list[str]]:
    try:
        return list(ole.listdir())
    except RecursionError as error:
        raise UnreadableFileError("an Outlook message is damaged: a storage lies in itself") from error


class _Container:
    """The storages of a message file."""

    def __init__(self, ole: Any) -> None:
        self._ole = ole
        self.problems: list[ParseWarning] = []
        self._children: dict[tuple[str, ...], dict[str, None]] = defaultdict(dict)  # names, by storage
        for path in _list_streams(ole):
            for depth, name in enumerate(path):
                self._children[tuple(path[:depth])][name] = None
        self._named = self._read_names()

    def read_mail(self, storage: tuple[str, ...], header: int, depth: int = 0) -> MailContent:
        """Return the message in a storage."""
        properties = self._read_properties(storage, header, MapiProperties())
        inner = [name for name in self._children[storage] if name.startswith((_RECIPIENT, _ATTACHMENT))]
        parts = {name: self._read_properties((*storage, name), _INNER_HEADER, properties.make_part()) for name in inner}
        mail = read_mapi_mail(properties, [part for name, part in parts.items() if name.startswith(_RECIPIENT)])
        for name, part in parts.items():
            if name.startswith(_ATTACHMENT):
                self._read_attachment((*storage, name), part, mail, depth)
        return mail

    def _read_attachment(self, storage: tuple[str, ...], properties: MapiProperties, mail: MailContent, depth: int) -> None:
        """Add what is attached to a mail."""
        texts = map(properties.get_text, (mapi.LONG_NAME, mapi.FILE_NAME, mapi.DISPLAY_NAME))
        name = next(filter(None, map(decode_header_value, texts)), "")
        if _EMBEDDED in self._children[storage] and _PROPERTIES in self._children[*storage, _EMBEDDED]:
            if depth >= _DEPTH_MAX:
                self.problems.append(ParseWarning(f"more than {_DEPTH_MAX} messages inside each other"))
                return
            inner = self.read_mail((*storage, _EMBEDDED), _EMBEDDED_HEADER, depth + 1)
            mail.attachments.append(Attachment(name or inner.headers.get("subject", ""), "message/rfc822", mail=inner))
            return
        has_data = (mapi.DATA, mapi.BINARY) in properties.values
        attachment = Attachment(
            name, properties.get_text(mapi.MEDIA_TYPE).lower(), partial(properties.read_bytes, mapi.DATA) if has_data else None
        )
        if is_signed(attachment) and has_data:
            mail.bodies = choose_alternatives(mail.bodies, read_signed(attachment, mail))
        else:
            mail.attachments.append(attachment)

    def _read_properties(self, storage: tuple[str, ...], header: int, properties: MapiProperties) -> MapiProperties:
        entries = self._read_stream(*storage, _PROPERTIES)[header:]
        for kind, number, value in _ENTRY.iter_unpack(entries[: len(entries) // _ENTRY.size * _ENTRY.size]):
            if kind in mapi.FIXED:
                properties.add(self._named.get(number, number), kind, partial(bytes, value))
        for name in self._children[storage]:
            if match := _VALUE_STREAM.match(name):
                number, kind = int(match[1], 16), int(match[2], 16)
                properties.add(self._named.get(number, number), kind, partial(self._read_stream, *storage, name))
        return properties

    def _read_names(self) -> dict[int, int]:
        """Return by which number a program names a property, for each that stands for such a one here."""
        entries = self._read_stream(_NAMES, "__substg1.0_00030102")
        whole = entries[: len(entries) // _NAME_ENTRY.size * _NAME_ENTRY.size]
        return {0x8000 + place: mapi.NAMED + name for name, is_word, place in _NAME_ENTRY.iter_unpack(whole) if not is_word & 1}

    def _read_stream(self, *path: str) -> bytes:
        return read_stream(self._ole, "/".join(path), self.problems)
