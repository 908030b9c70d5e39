"""The zip file that an office document is: its parts as bytes or XML, opened with a password where it has one. Fetches nothing.

A part that would not fit into memory, or packed too well to be honest, is refused before it is unpacked.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import Final, TypeAlias
from xml.etree import ElementTree

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParseWarning
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders.office.ole import OLE_MAGIC, decrypt_ole
from vecsearch.documents.loaders.raw_file import RawFile

XmlElement: TypeAlias = ElementTree.Element

_UNPACKED_ALLOWED: Final = 16 << 20  # bytes that a document may unpack to, however small it is …
_UNPACK_RATIO_MAX: Final = 100  # … above that, so many times its size …
_UNPACKED_MAX: Final = 400 << 20  # … and never more than this
PART_BYTES_MAX: Final = 100 << 20  # bytes of one XML part: its tree takes several times as much
_NESTING_MAX: Final = 250  # elements inside each other
_WRONG_REFERENCE: Final = re.compile(rb"&(?!#\d{1,7};|#x[0-9a-fA-F]{1,6};|(?:amp|lt|gt|quot|apos);)(?:(\w{1,40});)?")
ZIP_ERRORS: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


@dataclass(slots=True)
class Package:
    """The parts by name, in any case: "word/document.xml". What could not be read of a part stands in `problems`."""

    archive: zipfile.ZipFile
    names: dict[str, str]
    problems: list[ParseWarning] = field(default_factory=list)

    def has_part(self, name: str) -> bool:
        return name.lower() in self.names

    def read_part(self, name: str) -> bytes:
        """Return the bytes of a part, none where there is no such part. Raises UnreadableFileError."""
        stored = self.names.get(name.lower())
        if stored is None:
            return b""
        if (size := self.archive.getinfo(stored).file_size) > PART_BYTES_MAX:
            raise UnreadableFileError(f"{name} expands to {size >> 20:,} MB: too much to read")
        try:
            return self.archive.read(stored)
        except ZIP_ERRORS as error:
            raise UnreadableFileError(f"{name} in it is damaged") from error

    def parse_part(self, name: str) -> XmlElement | None:
        """Return a part's root, None without such a part or an element in it.

        What stands before a fault is kept, the fault reported.
        """
        try:
            data = self.read_part(name)
        except UnreadableFileError as error:
            self.problems.append(ParseWarning(str(error)))
            return None
        root, is_complete = parse_xml(data) if data else (None, True)
        if _is_nested_too_deeply(root):
            raise UnreadableFileError("nested too deeply")
        if not is_complete:
            self.problems.append(ParseWarning(f"{name} in it is damaged"))
        return root

    def find_related(self, name: str, kind: str = "") -> dict[str, str]:
        """Return a map from id to part of the relations of a part that end in `kind`; only to parts that are there."""
        folder, base = posixpath.split(name)
        root = self.parse_part(posixpath.join(folder, "_rels", f"{base}.rels"))
        targets = {}
        for relation in root if root is not None else ():
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
            if (
                relation.get("TargetMode") != "External"
                and relation.get("Type", "").lower().endswith(kind.lower())
                and self.has_part(target)
            ):
                targets[relation.get("Id", "")] = target
        return targets


def open_package(raw: RawFile, kind: str) -> Package:
    """Open an office document. `kind` is what a message calls it.

    Raises EncryptedFileError, EmptyFileError, UnreadableFileError.
    """
    head = raw.head
    if not head:
        raise EmptyFileError("the file is empty")
    content = decrypt_ole(raw, kind) if head.startswith(OLE_MAGIC) else raw.content
    try:
        archive = zipfile.ZipFile(io.BytesIO(content) if content is not None else raw.path or "")  # which it closes itself
    except ZIP_ERRORS as error:
        raise UnreadableFileError(f"{kind} is damaged: it is no whole zip file") from error
    _check_size(archive, raw.size if content is None else len(content))
    return Package(archive, {name.replace("\\", "/").lower(): name for name in archive.namelist()})


def _check_size(archive: zipfile.ZipFile, size: int) -> None:
    total = sum(entry.file_size for entry in archive.infolist())
    if total > _UNPACKED_MAX or total > max(_UNPACKED_ALLOWED, _UNPACK_RATIO_MAX * size):
        raise UnreadableFileError(f"expands to {total >> 20:,} MB: too much for its size")


def parse_xml(data: bytes) -> tuple[XmlElement | None, bool]:
    """Return the root of an XML text as far as it is sound, and whether it is to its end.

    A bare `&`, and the names of HTML for characters, are read as what they mean.
    """
    root, is_complete = _parse_strictly(data)
    if is_complete or b"&" not in data:
        return root, is_complete
    mended_data = _replace_wrong_references(data)
    return (root, False) if mended_data == data else _parse_strictly(mended_data)


def _parse_strictly(data: bytes) -> tuple[XmlElement | None, bool]:
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


def _replace_wrong_references(data: bytes) -> bytes:
    """Return an XML text in which every `&` that no parser takes is written as it should be."""

    def replace(match: re.Match[bytes]) -> bytes:
        known = html5.get(f"{match[1].decode('ascii')};") if match[1] else None
        return "".join(f"&#{ord(character)};" for character in known).encode() if known else b"&amp;" + match[0][1:]

    return _WRONG_REFERENCE.sub(replace, data)


def _is_nested_too_deeply(root: XmlElement | None) -> bool:
    """Return whether elements lie deeper inside each other than the writers, which recurse, can follow."""
    level = [] if root is None else [root]
    for _ in range(_NESTING_MAX):
        level = [child for element in level for child in element]
        if not level:
            return False
    return True


def get_local_name(element: XmlElement) -> str:
    """Return a tag without its namespace, which has two forms in office documents (transitional, strict)."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def get_attribute(element: XmlElement | None, name: str) -> str:
    """Return an attribute by its local name, empty without one."""
    if element is None:
        return ""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def find_child(element: XmlElement | None, *path: str) -> XmlElement | None:
    """Return what a path of local names leads to, the first each time."""
    for name in path:
        element = next((child for child in element if get_local_name(child) == name), None) if element is not None else None
    return element


def is_on(element: XmlElement | None) -> bool:
    """Return whether a property that is on or off is there, and on."""
    return element is not None and get_attribute(element, "val").lower() not in ("0", "false", "off")


def iter_descendants(element: XmlElement | None, name: str) -> Iterator[XmlElement]:
    """Return all elements below of one local name, in order."""
    return (
        (descendant for descendant in element.iter() if get_local_name(descendant) == name) if element is not None else iter(())
    )


def choose_alternative(element: XmlElement) -> XmlElement:
    """Return the branch of an AlternateContent to read: the first with text in it, else the first."""
    worded = (child for child in element if any(get_local_name(t) == "t" and t.text for t in child.iter()))
    return next(worded, element[0] if len(element) else element)
