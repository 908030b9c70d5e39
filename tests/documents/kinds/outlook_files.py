"""Make messages as Outlook saves them, by hand: a container, and in it a stream for each property."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeAlias

Storage: TypeAlias = "dict[str, bytes | Storage]"
SECTOR, MINI, CUTOFF = 512, 64, 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STRING_8, UNICODE, BINARY, LONG, TIME = 0x1E, 0x1F, 0x102, 3, 0x40


def make_message(properties: Mapping[tuple[int, int], bytes | int], *others: tuple[str, Storage], header: int = 32) -> Storage:
    """Return the storage of a message (or of what is attached: its header is 8 bytes long); others are the storages in it."""
    entries, streams = b"", dict[str, "bytes | Storage"]()
    for (number, kind), value in properties.items():
        if isinstance(value, int):
            entries += struct.pack("<HHIq", kind, number, 6, value)
        else:
            entries += struct.pack("<HHIII", kind, number, 6, len(value), 0)
            streams[f"__substg1.0_{number:04X}{kind:04X}"] = value
    return {**streams, "__properties_version1.0": bytes(header) + entries, **dict(others)}


class _Sectors:
    """The sectors of a file and their chains."""

    def __init__(self) -> None:
        self.data, self.chains = b"", list[int]()

    def store(self, data: bytes, *, filler: bytes = b"\0") -> int:
        """Add the bytes; return the first sector."""
        count, first = -(-len(data) // SECTOR), len(self.chains)
        self.chains += [*range(first + 1, first + count), END][:count]
        self.data += data.ljust(count * SECTOR, filler)
        return first if count else END


def _list_entries(root: Storage) -> list[tuple[str, bytes | None, list[int]]]:
    """Return each entry with its bytes (None for a storage) and the numbers of those in it."""
    entries: list[tuple[str, bytes | None, list[int]]] = [("Root Entry", None, [])]

    def add(storage: Storage, parent: int) -> None:
        for name, value in storage.items():
            entries[parent][2].append(len(entries))
            entries.append((name, value if isinstance(value, bytes) else None, []))
            if isinstance(value, dict):
                add(value, len(entries) - 1)

    add(root, 0)
    return entries


def make_container(root: Storage) -> bytes:
    """Return a compound file, version 3, with the streams and storages."""
    entries, sectors = _list_entries(root), _Sectors()
    small, mini_chains, starts = b"", list[int](), dict[int, int]()
    for index, (_, data, _) in enumerate(entries):
        if data and len(data) < CUTOFF:
            count, starts[index] = -(-len(data) // MINI), len(mini_chains)
            mini_chains += [*range(len(mini_chains) + 1, len(mini_chains) + count), END]
            small += data.ljust(count * MINI, b"\0")
        else:
            starts[index] = sectors.store(data or b"")
    starts[0] = sectors.store(small)
    mini_start = sectors.store(struct.pack(f"<{len(mini_chains)}I", *mini_chains), filler=b"\xff")
    siblings = {one: other for _, _, inner in entries for one, other in zip(inner, [*inner[1:], FREE], strict=False)}
    directory = b""
    for index, (name, data, inner) in enumerate(entries):
        title, kind = name.encode("utf-16-le") + b"\0\0", 5 if index == 0 else 1 if data is None else 2
        directory += title.ljust(64, b"\0") + struct.pack(
            "<HBBIII16xI16xIQ", len(title), kind, 1, FREE, siblings.get(index, FREE), inner[0] if inner else FREE, 0,
            starts[index], len(data or b"") if index else len(small),
        )  # fmt: skip
    directory_start = sectors.store(directory)
    first_fat, fat_count = len(sectors.chains), -(-(len(sectors.chains) + 8) // (SECTOR // 4 - 1))
    chains = [*sectors.chains, *[FAT] * fat_count]
    head = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, fat_count, directory_start, 0,
        CUTOFF, mini_start, -(-len(mini_chains) * 4 // SECTOR), END, 0, first_fat,
    )  # fmt: skip
    rest = b"".join(struct.pack("<I", first_fat + number) for number in range(1, fat_count))
    table = struct.pack(f"<{len(chains)}I", *chains).ljust(fat_count * SECTOR, b"\xff")
    return (head + rest).ljust(SECTOR, b"\xff") + sectors.data + table
