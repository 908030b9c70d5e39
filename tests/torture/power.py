"""A power cut: what a disk may hold when all that was not synced may be lost, in any part.

The rules are those of POSIX, harder than those of a usual file system: bytes are safe once their file is synced, a name once its
folder is; a rename is there whole or not at all. What was not synced survives as a whole, not at all, up to some write that is
torn, or in any sectors; names up to any of the unsynced changes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.torture.shim import Kind

_HEAD = struct.Struct("<BBHHIQq")
_SECTOR = 512


@dataclass(frozen=True)
class Record:
    """One change, or a note (its text is the path)."""

    kind: Kind
    made: bool
    path: str
    other: str
    inode: int
    offset: int
    data: bytes


def read_trace(path: Path) -> list[Record]:
    """What `shim.c` wrote down."""
    with path.open("rb") as file:
        return list(_records(file.read()))


def _records(data: bytes) -> Iterator[Record]:
    place = 0
    while place < len(data):
        kind, made, path, other, size, inode, offset = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        parts = []
        for length in (path, other, size):
            parts.append(data[place : place + length])
            place += length
        yield Record(Kind(kind), bool(made), parts[0].decode(), parts[1].decode(), inode, offset, parts[2])


@dataclass(eq=False)
class Node:
    """A file or folder: what is safe of it, and for a file what is not yet."""

    content: bytearray | None = None  # None for a folder
    waiting: list[tuple[int, bytes | None]] = field(default_factory=list)  # (offset, bytes), or (size, None) for a new length
    names: dict[str, Node] = field(default_factory=dict)  # as running programs see them
    safe_names: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Change:
    """Names that come and go together: (folder, name, what it is from then on or None)."""

    links: tuple[tuple[Node, str, Node | None], ...]


class Disk:
    """The folder below `base`, as it was at first and as records change it."""

    def __init__(self, base: Path) -> None:
        self._base = PurePosixPath(base)
        self._nodes: dict[int, Node] = {}
        self._root = self._found(base)
        self._changes: list[Change] = []

    def _found(self, path: Path) -> Node:
        folder = path.is_dir()
        node = Node(None if folder else bytearray(path.read_bytes()))
        self._nodes[path.stat().st_ino] = node
        for each in path.iterdir() if folder else ():
            node.names[each.name] = self._found(each)
        node.safe_names = dict(node.names)
        return node

    def _at(self, path: str) -> tuple[Node, str]:
        """The folder that a path's last name stands in, and that name."""
        parts = PurePosixPath(path).relative_to(self._base).parts
        node = self._root
        for each in parts[:-1]:
            node = node.names[each]
        return node, parts[-1] if parts else ""

    def apply(self, record: Record) -> None:
        """Go on by one record."""
        match record.kind:
            case Kind.OPEN if record.made:
                self._name(record.path, self._new(record, Node(bytearray())))
            case Kind.OPEN:
                self._nodes[record.inode].waiting.append((0, None))
            case Kind.MKDIR:
                self._name(record.path, self._new(record, Node()))
            case Kind.WRITE:
                self._nodes[record.inode].waiting.append((record.offset, record.data))
            case Kind.TRUNCATE:
                self._nodes[record.inode].waiting.append((record.offset, None))
            case Kind.SYNC:
                self._sync(self._nodes[record.inode])
            case Kind.UNLINK | Kind.RMDIR:
                self._name(record.path, None)
            case Kind.RENAME:
                (folder, name), (other, new) = self._at(record.path), self._at(record.other)
                self._change(Change(((other, new, folder.names[name]), (folder, name, None))))

    def _new(self, record: Record, node: Node) -> Node:
        self._nodes[record.inode] = node
        return node

    def _name(self, path: str, node: Node | None) -> None:
        self._change(Change(((*self._at(path), node),)))

    def _change(self, change: Change) -> None:
        _link(change, safe=False)
        self._changes.append(change)

    def _sync(self, node: Node) -> None:
        if node.content is not None:
            node.content, node.waiting = _written(node.content, node.waiting), []
            return
        touching = [each for each in self._changes if any(folder is node for folder, _, _ in each.links)]
        for each in touching:
            _link(each, safe=True)
            self._changes.remove(each)

    def cut(self, place: Path, draw: random.Random) -> None:
        """Write below `place` what may be left if the power fails now."""
        mode = draw.choice(["nothing", "everything", "prefix", "sectors", "sectors"])
        kept = {"nothing": 0, "everything": len(self._changes)}.get(mode, draw.randint(0, len(self._changes)))
        safe = {id(node): dict(node.safe_names) for node in self._all()}
        for change in self._changes[:kept]:
            for folder, name, node in change.links:
                _set(safe.setdefault(id(folder), {}), name, node)
        self._write(place, self._root, safe, mode, draw)

    def _all(self) -> Iterator[Node]:
        yield self._root
        yield from self._nodes.values()
        for change in self._changes:
            yield from (node for folder, _, node in change.links if node)

    def _write(self, place: Path, node: Node, safe: dict[int, dict[str, Node]], mode: str, draw: random.Random) -> None:
        if node.content is not None:
            place.write_bytes(_written(bytearray(node.content), _survivors(node.waiting, mode, draw)))
            place.chmod(0o600)
            return
        place.mkdir(mode=0o700)
        for name, each in safe.get(id(node), {}).items():
            if not name.endswith("-shm"):  # memory that processes share, made anew by the first
                self._write(place / name, each, safe, mode, draw)


def _link(change: Change, *, safe: bool) -> None:
    for folder, name, node in change.links:
        _set(folder.safe_names if safe else folder.names, name, node)


def _set(names: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _written(content: bytearray, changes: Sequence[tuple[int, bytes | None]]) -> bytearray:
    for offset, data in changes:
        if data is None:
            del content[offset:]
            content.extend(bytes(offset - len(content)))
        else:
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
    return content


def _survivors(waiting: Sequence[tuple[int, bytes | None]], mode: str, draw: random.Random) -> list[tuple[int, bytes | None]]:
    if mode in ("nothing", "everything") or not waiting:
        return list(waiting) if mode == "everything" else []
    if mode == "prefix":
        kept = list(waiting[: draw.randint(0, len(waiting))])
        if kept and (data := kept[-1][1]):
            kept[-1] = kept[-1][0], data[: draw.randint(0, len(data))]
        return kept
    pieces: list[tuple[int, bytes | None]] = []
    for offset, data in waiting:
        if data is None:
            pieces += [(offset, None)] if draw.random() < 0.5 else []
            continue
        for start in range(0, len(data), _SECTOR):
            if draw.random() < 0.5:
                pieces.append((offset + start, data[start : start + _SECTOR]))
    return pieces
