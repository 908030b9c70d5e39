"""The sha256 of a model's files, remembered while a file keeps its size and its time of change: hashing weights takes longer
than answering a query."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Self

from vecsearch.core.caches import cache_folder, make_private


class Digests:
    """Of the files below one folder. Use it in `with`, which keeps what was new."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._file = cache_folder("models") / f"{name}.digests.json"
        self._known: dict[str, list[object]] = {}
        self._grown = False

    def __enter__(self) -> Self:
        with suppress(OSError, ValueError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            self._known = found if isinstance(found, dict) else {}
        return self

    def of(self, path: Path) -> str:
        """In hexadecimal."""
        info, name = path.stat(), path.relative_to(self._folder).as_posix()
        seen = [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]
        match self._known.get(name):
            case [*as_seen, str(digest)] if as_seen == seen:
                return digest
        digest = sha256_of(path)
        self._known[name], self._grown = [*seen, digest], True
        return digest

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._grown and kind is None:
            with suppress(OSError):  # without it the next process only takes longer
                write_whole(self._file, json.dumps(self._known))


def sha256_of(path: Path) -> str:
    """In hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, text: str) -> None:
    """All of a small file or nothing of it, whoever else writes it; for its owner's eyes alone. Raises OSError."""
    make_private(path.parent)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
