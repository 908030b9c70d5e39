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

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.core.types import Item, Problem, Section, Skip
from vecsearch.documents.globs import IGNORED_FOLDERS
from vecsearch.documents.loaders import LOADERS, load
from vecsearch.documents.loaders.office.ole import OLE_MAGIC
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.sniff import kind_of
from vecsearch.documents.text import Encrypted, NoText, NotText, decode, looks_binary

_MEMBERS_MAX: Final = 10_000
_MEMBER_MAX: Final = 100_000_000  # bytes of one member
_TOTAL_MAX: Final = 200_000_000  # bytes of all together …
_RATIO_MAX: Final = 100  # … and no more than so many times the archive's own …
_ALWAYS: Final = 16_000_000  # … where they are more than this
_BLOCK: Final = 1_000_000  # bytes inflated together …
_BLOCK_UNBOUNDED: Final = 4_096  # … or, compressed, where the library inflates all that it is given
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_AES: Final = 99
_ENCRYPTED_FLAG: Final = 0x1
_UTF8_FLAG: Final = 0x800
_NESTED: Final = "an archive inside an archive"


class _TooMuch(UnreadableFile):
    """What is inside unfolds too far."""


def zip_archive(raw: Raw) -> Iterator[Item]:
    """The documents of all members but hidden ones, in the order of their names; each id begins with the archive's."""
    if raw.inside:
        raise NotText(_NESTED)
    if not raw.head:
        return
    with raw.open() as file, _opened(file) as archive:
        members = _members(archive)
        budget = _Budget(raw.size)
        locked = 0
        for name in sorted(members):
            try:
                yield from _items(raw, name, archive, members[name], budget)
            except Encrypted as error:
                locked += 1
                yield Problem(f"{name}: {error}")
        if locked and locked == len(members):
            raise Encrypted("the archive", tried=bool(raw.passwords))


class _Budget:
    """How much may still be inflated."""

    def __init__(self, size: int) -> None:
        self._most = self._left = min(_TOTAL_MAX, max(_ALWAYS, _RATIO_MAX * size))

    def inflate(self, stream: IO[bytes], suffix: str, *, most: int, block: int = _BLOCK) -> bytes:
        """All of a stream, or the beginning of what is no text. Raises UnreadableFile for more than `most`, _TooMuch."""
        data = bytearray(stream.read(min(SNIFF_BYTES, block)))
        self._left -= len(data)
        if _has_no_text(bytes(data), suffix):
            return bytes(data)
        while piece := stream.read(block):
            data += piece
            self._left -= len(piece)
            if self._left < 0:
                raise _TooMuch(f"expands to more than {self._most // 1_000_000:,} MB: too much for its size")
            if len(data) > most:
                raise UnreadableFile(f"expands to more than {most // 1_000_000} MB")
        return bytes(data)


def _has_no_text(head: bytes, suffix: str) -> bool:
    """Whether the beginning, which says what it is, is all that need be inflated. Documents may be in a container of any name."""
    if suffix in LOADERS or not looks_binary(head) or head.startswith((b"PK", OLE_MAGIC)):
        return False
    return kind_of(Raw("", suffix, content=head)) is None


# -- the directory


def _opened(file: IO[bytes]) -> Any:
    """A zipfile.ZipFile, or its double that knows AES. Raises UnreadableFile."""
    try:
        archive: Any = zipfile.ZipFile(file)
        members = archive.infolist()
        if any(member.compress_type == _AES for member in members):
            from pyzipper import AESZipFile  # type: ignore[import-untyped]

            archive = AESZipFile(file)
    except MemoryError:
        raise
    except Exception as error:  # of a damaged directory the library raises what its bytes lead to
        raise UnreadableFile("a damaged zip archive") from error
    if any(member.volume for member in members):
        raise UnreadableFile("one file of an archive in several")
    if len(members) > _MEMBERS_MAX:
        raise UnreadableFile(f"an archive of {len(members):,} files; more than {_MEMBERS_MAX:,} are not read")
    return archive


def _members(archive: Any) -> dict[str, Any]:
    """The files that are not hidden, by name; of one name the last, which is the newest."""
    files = [
        each for each in archive.infolist() if not each.filename.endswith("/") and not stat.S_ISLNK(each.external_attr >> 16)
    ]
    named = zip(map(_path, _names(files)), files, strict=True)
    return {name: file for name, file in named if name and not any(map(_hidden, name.split("/")))}


def _names(files: Sequence[Any]) -> list[str]:
    """Their names, those in an old encoding told from all of them together: few bytes do not tell one."""
    old = [each.filename for each in files if not each.flag_bits & _UTF8_FLAG and not each.filename.isascii()]
    try:
        told = decode(b"\n".join(name.encode("cp437") for name in old)).split("\n")
    except (UnreadableFile, UnicodeEncodeError):
        told = old
    meant = dict(zip(old, told, strict=True)) if len(told) == len(old) else {}
    return [meant.get(each.filename, each.filename) for each in files]


def _path(name: str) -> str:
    """Without what would lead out of the archive, and in one line."""
    name = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in name)
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX" or part in IGNORED_FOLDERS


# -- members


def _items(raw: Raw, name: str, archive: Any, member: Any, budget: _Budget) -> Iterator[Item]:
    """What a member gives, or why it gives nothing. Raises Encrypted, _TooMuch."""
    suffix = PurePosixPath(name).suffix.lower()
    inner = Raw(f"{raw.name}/{name}", suffix, passwords=raw.passwords, inside=True)
    try:
        if LOADERS.get(suffix, "").startswith("archive:"):
            raise NotText(_NESTED)
        inner.content = _content(raw, archive, member, suffix, budget)
        yield from [_placed(item, inner.name, name) for item in load(inner)]
    except (_TooMuch, MemoryError):
        raise
    except (NotText, NoText) as error:
        yield Skip(inner.name, str(error))
    except UnreadableFile as error:
        if isinstance(error, Encrypted) and inner.content is None:
            raise
        yield Problem(f"{name}: {error}")
    except Exception as error:  # a library's own: it must not cost the other members
        yield Problem(f"{name}: damaged ({type(error).__name__})")


def _content(raw: Raw, archive: Any, member: Any, suffix: str, budget: _Budget) -> bytes:
    """Raises Encrypted, UnreadableFile, _TooMuch."""
    encrypted = bool(member.flag_bits & _ENCRYPTED_FLAG)
    block = _BLOCK if member.compress_type in _BOUNDED else _BLOCK_UNBOUNDED
    for password in raw.passwords if encrypted else [""]:
        try:
            with archive.open(member, pwd=password.encode() or None) as stream:
                return budget.inflate(stream, suffix, most=_MEMBER_MAX, block=block)
        except (UnreadableFile, MemoryError):
            raise
        except Exception as error:  # also of a wrong password that looked right for a while
            failed = error
    if encrypted:
        raise Encrypted("it", tried=bool(raw.passwords))
    raise UnreadableFile("damaged") from failed


def _placed(item: Item, identifier: str, name: str) -> Item:
    """A member's item as one of the archive."""
    match item:
        case Problem():
            return Problem(f"{name}: {item.what}")
        case Skip():
            return item
    own = item.id if item.id.startswith(identifier) else f"{identifier}#{item.id}"
    sections = []
    for section in item.sections or (Section(0, {}),):
        inner = section.place.get("member")
        sections.append(replace(section, place={**section.place, "member": f"{name}/{inner}" if inner else name}))
    return replace(item, id=own, sections=tuple(sections))
