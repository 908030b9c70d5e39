"""Zip archives, member by member. No archive inside another is opened, nothing is written to disk.

What is inflated is counted as it comes, whatever an archive says of its sizes: one that unfolds too far is refused.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import IO, Any, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import LoaderItem, ParseWarning, Section
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError, EncryptedFileError, decode, is_binary
from vecsearch.documents.globs import IGNORED_FOLDERS
from vecsearch.documents.loaders import LOADERS, load
from vecsearch.documents.loaders.file_types import detect_file_type
from vecsearch.documents.loaders.office.ole import OLE_MAGIC
from vecsearch.documents.loaders.raw_file import RawFile

_MEMBERS_MAX: Final = 10_000
_MEMBER_MAX: Final = 100_000_000  # bytes of one member
_TOTAL_MAX: Final = 200_000_000  # bytes of all together …
_RATIO_MAX: Final = 100  # … and no more than so many times the archive's own …
_TOTAL_MIN: Final = 16_000_000  # … where they are more than this
_BLOCK: Final = 1_000_000  # bytes inflated together …
_BLOCK_UNBOUNDED: Final = 4_096  # … or, compressed, where the library inflates all that it is given
_BOUNDED_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_AES: Final = 99
_ENCRYPTED_FLAG: Final = 0x1
_UTF8_FLAG: Final = 0x800
_NESTED_MESSAGE: Final = "an archive inside an archive"


class _ArchiveTooLargeError(UnreadableFileError):
    """What is inside unfolds too far."""


def load_zip(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the documents of all members but hidden ones, in the order of their names; each id begins with the archive's."""
    if raw.is_member:
        raise BinaryFileError(_NESTED_MESSAGE)
    if not raw.head:
        return
    with raw.open() as file, _open_archive(file) as archive:
        members = _list_members(archive)
        budget = _InflateBudget(raw.size)
        locked = 0
        for name in sorted(members):
            try:
                yield from _read_member(raw, name, archive, members[name], budget)
            except EncryptedFileError as error:
                locked += 1
                yield ParseWarning(f"{name}: {error}")
        if locked and locked == len(members):
            raise EncryptedFileError("the archive", passwords_tried=bool(raw.passwords))


class _InflateBudget:
    """How much may still be inflated."""

    def __init__(self, size: int) -> None:
        self._limit = self._remaining = min(_TOTAL_MAX, max(_TOTAL_MIN, _RATIO_MAX * size))

    def inflate(self, stream: IO[bytes], suffix: str, *, max_bytes: int, block: int = _BLOCK) -> bytes:
        """Return all of a stream, or the beginning of what is no text.

        Raises UnreadableFileError for more than `max_bytes`, _ArchiveTooLargeError.
        """
        data = bytearray(stream.read(min(SNIFF_BYTES, block)))
        self._remaining -= len(data)
        if _has_no_text(bytes(data), suffix):
            return bytes(data)
        while piece := stream.read(block):
            data += piece
            self._remaining -= len(piece)
            if self._remaining < 0:
                raise _ArchiveTooLargeError(f"expands to more than {self._limit // 1_000_000:,} MB: too much for its size")
            if len(data) > max_bytes:
                raise UnreadableFileError(f"expands to more than {max_bytes // 1_000_000} MB")
        return bytes(data)


def _has_no_text(head: bytes, suffix: str) -> bool:
    """Return whether the beginning, which says what it is, is all that need be inflated.

    Documents may be in a container of any name.
    """
    if suffix in LOADERS or not is_binary(head) or head.startswith((b"PK", OLE_MAGIC)):
        return False
    return detect_file_type(RawFile("", suffix, content=head)) is None


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
    if len(members) > _MEMBERS_MAX:
        raise UnreadableFileError(f"an archive of {len(members):,} files; more than {_MEMBERS_MAX:,} are not read")
    return archive


def _list_members(archive: Any) -> dict[str, Any]:
    """Return the files that are not hidden, by name; of one name the last, which is the newest."""
    files = [
        entry for entry in archive.infolist() if not entry.filename.endswith("/") and not stat.S_ISLNK(entry.external_attr >> 16)
    ]
    named = zip(map(_clean_path, _decode_names(files)), files, strict=True)
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


def _clean_path(name: str) -> str:
    """Return the name without what would lead out of the archive, and in one line."""
    name = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX" or part in IGNORED_FOLDERS


# -- members


def _read_member(raw: RawFile, name: str, archive: Any, member: Any, budget: _InflateBudget) -> Iterator[LoaderItem]:
    """Yield what a member gives, or why it gives nothing. Raises EncryptedFileError, _TooMuch."""
    suffix = PurePosixPath(name).suffix.lower()
    inner = RawFile(f"{raw.name}/{name}", suffix, passwords=raw.passwords, is_member=True)
    try:
        if LOADERS.get(suffix, "").startswith("archive:"):
            raise BinaryFileError(_NESTED_MESSAGE)
        inner.content = _read_content(raw, archive, member, suffix, budget)
        yield from [_add_member_location(item, inner.name, name) for item in load(inner)]
    except (_ArchiveTooLargeError, MemoryError):
        raise
    except (BinaryFileError, EmptyFileError) as error:
        yield SkippedFile(inner.name, str(error))
    except UnreadableFileError as error:
        if isinstance(error, EncryptedFileError) and inner.content is None:
            raise
        yield ParseWarning(f"{name}: {error}")
    except Exception as error:  # a library's own: it must not cost the other members
        yield ParseWarning(f"{name}: damaged ({type(error).__name__})")


def _read_content(raw: RawFile, archive: Any, member: Any, suffix: str, budget: _InflateBudget) -> bytes:
    """Raise EncryptedFileError, UnreadableFileError, _TooMuch."""
    encrypted = bool(member.flag_bits & _ENCRYPTED_FLAG)
    block = _BLOCK if member.compress_type in _BOUNDED_METHODS else _BLOCK_UNBOUNDED
    for password in raw.passwords if encrypted else [""]:
        try:
            with archive.open(member, pwd=password.encode() or None) as stream:
                return budget.inflate(stream, suffix, max_bytes=_MEMBER_MAX, block=block)
        except (UnreadableFileError, MemoryError):
            raise
        except Exception as error:  # also of a wrong password that looked right for a while
            failed = error
    if encrypted:
        raise EncryptedFileError("it", passwords_tried=bool(raw.passwords))
    raise UnreadableFileError("damaged") from failed


def _add_member_location(item: LoaderItem, identifier: str, name: str) -> LoaderItem:
    """Return a member's item as one of the archive."""
    match item:
        case ParseWarning():
            return ParseWarning(f"{name}: {item.message}")
        case SkippedFile():
            return item
    own = item.id if item.id.startswith(identifier) else f"{identifier}#{item.id}"
    sections = []
    for section in item.sections or (Section(0, {}),):
        inner = section.location.get("member")
        sections.append(replace(section, location={**section.location, "member": f"{name}/{inner}" if inner else name}))
    return replace(item, id=own, sections=tuple(sections))
