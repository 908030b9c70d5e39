"""The old container (OLE) of office documents: what is in it, and what a password opens."""

from __future__ import annotations

import io
from typing import Any, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParseWarning
from vecsearch.core.types import Metadata
from vecsearch.documents.decoding import EmptyFileError, EncryptedFileError
from vecsearch.documents.loaders.office.ole_properties import parse_code_page, parse_summary
from vecsearch.documents.loaders.raw_file import RawFile

OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROPERTY_MARK: Final = "\x05"  # what the name of a stream of properties begins with
_DEFAULT_PASSWORD: Final = "VelvetSweatshop"  # the password of a file that Office encrypts without asking for one


def open_container(data: bytes, kind: str) -> Any:
    """Open an olefile.OleFileIO. `kind` is what a message calls the document. Raises EmptyFileError, UnreadableFileError."""
    import olefile  # type: ignore[import-untyped]

    if not data:
        raise EmptyFileError("the file is empty")
    try:
        ole = olefile.OleFileIO(io.BytesIO(data))
    except Exception as error:  # of a fuzzed file olefile raises what its bytes lead to
        raise UnreadableFileError(f"{kind} is damaged") from error
    if ole.exists("\x09DRMContent"):
        raise UnreadableFileError(f"{kind} is protected by rights management, which only its publisher's programs open")
    return ole


def read_stream(ole: Any, name: str, problems: list[ParseWarning]) -> bytes:
    """Return a stream's bytes, none where there is none or, with a problem that says so, where it cannot be read."""
    try:
        return bytes(ole.openstream(name).read()) if ole.exists(name) else b""
    except Exception as error:  # of a fuzzed file olefile raises what its bytes lead to
        reason = " ".join(str(error).split()) or type(error).__name__
        problems.append(ParseWarning(f"the stream {name.lstrip(_PROPERTY_MARK)!r} in it cannot be read: {reason:.200}"))
        return b""


def decrypt_ole(raw: RawFile, kind: str) -> bytes:
    """Return the bytes of a document in an OLE container, without its encryption if it has one. Raises EncryptedFileError."""
    import msoffcrypto  # type: ignore[import-untyped]

    try:
        locked = bool(msoffcrypto.OfficeFile(io.BytesIO(raw.data)).is_encrypted())
    except Exception:  # no document, or a damaged one: the loader will say
        return raw.data
    if not locked:
        return raw.data
    for password in (_DEFAULT_PASSWORD, *raw.passwords):
        try:
            office = msoffcrypto.OfficeFile(io.BytesIO(raw.data))
            office.load_key(password=password)
            plain = io.BytesIO()
            office.decrypt(plain)
        except Exception:  # a wrong password, an unknown cipher, damage: the library has no one error for them
            continue
        return plain.getvalue()
    raise EncryptedFileError(kind, passwords_tried=bool(raw.passwords))


def read_ole_properties(ole: Any, problems: list[ParseWarning]) -> tuple[str | None, Metadata]:
    """Return the title that a document states, None where it has none worth the name, and its metadata."""
    return parse_summary(read_stream(ole, f"{_PROPERTY_MARK}SummaryInformation", problems), problems)


def read_ole_code_page(ole: Any) -> str | None:
    """Return the codec of the encoding that a document's texts of 8-bit characters are in, None where it does not say."""
    return parse_code_page(read_stream(ole, f"{_PROPERTY_MARK}SummaryInformation", []))
