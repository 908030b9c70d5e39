"""The zip file that an office document is: its parts as bytes or XML, opened with a password where it has one. Fetches nothing.

A part that would not fit into memory, or packed too well to be honest, is refused before it is unpacked.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from xml.etree import ElementTree

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Problem
from vecsearch.documents.loaders.office.ole import OLE_MAGIC, opened
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.text import NoText

Xml: TypeAlias = ElementTree.Element

_ALWAYS: Final = 16 << 20  # bytes that a document may unpack to, however small it is …
_RATIO: Final = 100  # … above that, so many times its size …
_NEVER: Final = 400 << 20  # … and never more than this
PART_MAX: Final = 100 << 20  # bytes of one XML part: its tree takes several times as much
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


@dataclass(slots=True)
class Package:
    """The parts by name, in any case: "word/document.xml". What could not be read of a part stands in `problems`."""

    archive: zipfile.ZipFile
    names: dict[str, str]
    problems: list[Problem] = field(default_factory=list)

    def has(self, name: str) -> bool:
        return name.lower() in self.names

    def read(self, name: str) -> bytes:
        """The bytes of a part, none where there is no such part. Raises UnreadableFile."""
        stored = self.names.get(name.lower())
        if stored is None:
            return b""
        if (size := self.archive.getinfo(stored).file_size) > PART_MAX:
            raise UnreadableFile(f"{name} expands to {size >> 20:,} MB: too much to read")
        try:
            return self.archive.read(stored)
        except _DAMAGED as error:
            raise UnreadableFile(f"{name} in it is damaged") from error

    def xml(self, name: str) -> Xml | None:
        """A part's root, None without such a part or an element in it. What stands before a fault is kept, the fault told."""
        try:
            data = self.read(name)
        except UnreadableFile as error:
            self.problems.append(Problem(str(error)))
            return None
        root, whole = parsed(data) if data else (None, True)
        if not whole:
            self.problems.append(Problem(f"{name} in it is damaged"))
        return root

    def related(self, name: str, kind: str = "") -> dict[str, str]:
        """Id → part, of the relations of a part that end in `kind`; only to parts that are there, never outside."""
        folder, base = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
        found = {}
        for each in root if root is not None else ():
            target = posixpath.normpath(posixpath.join("/", folder, each.get("Target", ""))).lstrip("/")
            if each.get("TargetMode") != "External" and each.get("Type", "").lower().endswith(kind.lower()) and self.has(target):
                found[each.get("Id", "")] = target
        return found


def package(raw: Raw, kind: str) -> Package:
    """An office document opened. `kind` is what a message calls it. Raises Encrypted, NoText, UnreadableFile."""
    head = raw.head
    if not head:
        raise NoText("the file is empty")
    content = opened(raw, kind) if head.startswith(OLE_MAGIC) else raw.content
    try:
        archive = zipfile.ZipFile(io.BytesIO(content) if content is not None else raw.path or "")  # which it closes itself
    except _DAMAGED as error:
        raise UnreadableFile(f"{kind} is damaged: it is no whole zip file") from error
    _check_size(archive, raw.size if content is None else len(content))
    return Package(archive, {name.replace("\\", "/").lower(): name for name in archive.namelist()})


def _check_size(archive: zipfile.ZipFile, size: int) -> None:
    total = sum(each.file_size for each in archive.infolist())
    if total > _NEVER or total > max(_ALWAYS, _RATIO * size):
        raise UnreadableFile(f"expands to {total >> 20:,} MB: too much for its size")


def parsed(data: bytes) -> tuple[Xml | None, bool]:
    """The root of an XML text as far as it is sound, and whether it is to its end. No entity but the five of XML is known."""
    builder = ElementTree.TreeBuilder()
    parser = ElementTree.XMLParser(target=builder)
    try:
        parser.feed(data)
        return parser.close(), True
    except (ElementTree.ParseError, LookupError, ValueError):  # faults of the XML, of its encoding's name, of its bytes
        pass
    try:
        return builder.close(), False
    except AssertionError:  # it began with no element, or left some open
        return None, False


def local(element: Xml) -> str:
    """A tag without its namespace, which has two forms in office documents (transitional, strict)."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Xml | None, name: str) -> str:
    """An attribute by its local name, empty without one."""
    if element is None:
        return ""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def child(element: Xml | None, *path: str) -> Xml | None:
    """What a path of local names leads to, the first each time."""
    for name in path:
        element = next((each for each in element if local(each) == name), None) if element is not None else None
    return element


def descendants(element: Xml | None, name: str) -> Iterator[Xml]:
    """All elements below of one local name, in order."""
    return (each for each in element.iter() if local(each) == name) if element is not None else iter(())


def alternative(element: Xml) -> Xml:
    """Of an AlternateContent the branch to read: the first with text in it, else the first."""
    worded = (each for each in element if any(local(t) == "t" and t.text for t in each.iter()))
    return next(worded, element[0] if len(element) else element)
