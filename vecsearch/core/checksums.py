"""Whether a file of ours is still the one that was written: no cryptography, but quick enough to check at every start."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_BLOCK: Final = 1 << 20


def compute_checksum(path: Path) -> str:
    """Return the 128-bit XXH3 of a file's bytes, with its name in front; read, not mapped, so that the process does not grow."""
    import xxhash

    total = xxhash.xxh3_128()
    block = memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            total.update(block[:size])
    return f"xxh3:{total.hexdigest()}"
