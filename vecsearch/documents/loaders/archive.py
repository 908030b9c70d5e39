"""Zip archives, member by member. No archive inside another is opened, nothing is written to disk.

What is inflated is counted as it comes, whatever an archive says of its sizes: one that unfolds too far is refused.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.documents.decoding import BinaryFileError, EncryptedFileError, decode, is_binary
from vecsearch.documents.globs import IGNORED_FOLDERS
from vecsearch.documents.loaders import LOADERS, load
from vecsearch.documents.loaders.file_types import detect_file_type
from vecsearch.documents.loaders.media import is_readable
from vecsearch.documents.loaders.members import MEMBER_MAX, clean_member_name, get_suffix, load_member
from vecsearch.documents.loaders.office.ole import OLE_MAGIC
from vecsearch.documents.loaders.raw_file import MEMBERS_MAX, Container, MemberBudget, RawFile

_BLOCK: Final = 1_000_000  # bytes inflated together …
_BLOCK_UNBOUNDED: Final = 4_096  # … or, compressed, where the library inflates all that it is given
_BOUNDED_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_AES: Final = 99
_ENCRYPTED_FLAG: Final = 0x1
_UTF8_FLAG: Final = 0x800
_NESTED_MESSAGE: Final = "an archive inside an archive"


def load_zip(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the documents of all members but hidden ones, in the order of their names; each id begins with the archive's."""
    if Container.ARCHIVE in raw.within:
        raise BinaryFileError(_NESTED_MESSAGE)
    if not raw.head:
        return
    with raw.open() as file, _open_archive(file) as archive:
        members = _list_members(archive)
        locked = 0
        for name in sorted(members):
            try:
                yield from _load_archived(raw, name, archive, members[name])
            except EncryptedFileError as error:
                locked += 1
                yield ParseWarning(f"{name}: {error}")
        if locked and locked == len(members):
            raise EncryptedFileError("the archive", passwords_tried=bool(raw.passwords))


def _inflate(stream: IO[bytes], suffix: str, budget: MemberBudget, *, block: int) -> bytes:
    """Return all of a stream, or the beginning of what is no text. Raises UnreadableFileError, MemberLimitError."""
    data = bytearray(stream.read(min(SNIFF_BYTES, block)))
    budget.take_bytes(len(data))
    if _has_no_text(bytes(data), suffix):
        return bytes(data)
    while piece := stream.read(block):
        data += piece
        budget.take_bytes(len(piece))
        if len(data) > MEMBER_MAX:
            raise UnreadableFileError(f"expands to more than {MEMBER_MAX // 1_000_000} MB")
    return bytes(data)


def _has_no_text(head: bytes, suffix: str) -> bool:
    """Return whether the beginning, which says what it is, is all that need be inflated.

    Documents may be in a container of any name.
    """
    loader = LOADERS.get(suffix, "")
    if not is_readable(loader) and is_binary(head):
        return True
    if loader or not is_binary(head) or head.startswith((b"PK", OLE_MAGIC)):
        return False
    kind = detect_file_type(RawFile("", suffix, content=head))
    return kind is None or not is_readable(LOADERS.get(kind, ""))


# -- the directory


def _open_archive(file: IO[bytes]) -> Any:
    """Return a zipfile.ZipFile, or its double that knows AES. Raises UnreadableFileError."""
    try:
        archive: Any = zipfile.ZipFile(file)
        members = archive.infolist()
        if any(member.compress_type == _AES for member in members):
            from pyzipper import AESZipFile

            archive = AESZipFile(file)
    except MemoryError:
        raise
    except Exception as error:  # of a damaged directory the library raises what its bytes lead to
        raise UnreadableFileError("a damaged zip archive") from error
    if any(member.volume for member in members):
        raise UnreadableFileError("one file of an archive in several")
    if len(members) > MEMBERS_MAX:
        raise UnreadableFileError(f"an archive of {len(members):,} files; more than {MEMBERS_MAX:,} are not read")
    return archive


def _list_members(archive: Any) -> dict[str, Any]:
    """Return the files that are not hidden, by name; of one name the last, which is the newest."""
    files = [
        entry for entry in archive.infolist() if not entry.filename.endswith("/") and not stat.S_ISLNK(entry.external_attr >> 16)
    ]
    named = zip(map(clean_member_name, _decode_names(files)), files, strict=True)
    return {name: file for name, file in named if name and not any(map(_is_hidden, name.split("/")))}


def _decode_names(files: Sequence[Any]) -> list[str]:
    """Return the names of the files; the encoding of old ones is detected from all of them together, since one has few bytes."""
    old = [entry.filename for entry in files if not entry.flag_bits & _UTF8_FLAG and not entry.filename.isascii()]
    try:
        decoded = decode(b"\n".join(name.encode("cp437") for name in old)).split("\n")
    except (UnreadableFileError, UnicodeEncodeError):
        decoded = old
    meant = dict(zip(old, decoded, strict=True)) if len(decoded) == len(old) else {}
    return [meant.get(entry.filename, entry.filename) for entry in files]


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX" or part in IGNORED_FOLDERS


# -- members


def _load_archived(raw: RawFile, name: str, archive: Any, member: Any) -> Iterator[LoaderItem]:
    """Yield what a member gives. Raises EncryptedFileError, MemberLimitError."""

    def load_items(inner: RawFile) -> Iterator[LoaderItem]:
        if LOADERS.get(inner.suffix, "").startswith("archive:"):
            raise BinaryFileError(_NESTED_MESSAGE)
        inner.content = _read_content(inner, archive, member)
        return load(inner)

    return load_member(raw, name, load_items, container=Container.ARCHIVE, suffix=get_suffix(name))


def _read_content(inner: RawFile, archive: Any, member: Any) -> bytes:
    """Raise EncryptedFileError, UnreadableFileError, MemberLimitError."""
    assert inner.budget is not None
    encrypted = bool(member.flag_bits & _ENCRYPTED_FLAG)
    block = _BLOCK if member.compress_type in _BOUNDED_METHODS else _BLOCK_UNBOUNDED
    for password in inner.passwords if encrypted else [""]:
        try:
            with archive.open(member, pwd=password.encode() or None) as stream:
                return _inflate(stream, inner.suffix, inner.budget, block=block)
        except (UnreadableFileError, MemoryError):
            raise
        except Exception as error:  # also of a wrong password that looked right for a while
            failed = error
    if encrypted:
        raise EncryptedFileError("it", passwords_tried=bool(inner.passwords))
    raise UnreadableFileError("damaged") from failed
