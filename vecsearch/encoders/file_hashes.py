"""The sha256 of a model's files, remembered while a file keeps its size and its time of change: hashing weights takes longer
than answering a query."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Self

from vecsearch.core.cache_folders import create_private_folder, get_cache_folder
from vecsearch.core.nesting import load_json

log = logging.getLogger("vecsearch")


class FileHashes:
    """Of the files below one folder. Use it in `with`, which keeps what was new."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._cache_file = get_cache_folder("models") / f"{name}.digests.json"
        self._entries: dict[str, list[object]] = {}
        self._is_dirty = False

    def __enter__(self) -> Self:
        with suppress(OSError, ValueError):
            entries = load_json(self._cache_file.read_text(encoding="utf-8"))
            self._entries = entries if isinstance(entries, dict) else {}
        return self

    def get_hash(self, path: Path) -> str:
        """Return the sha256 of a file in the folder, in hexadecimal."""
        info, name = path.stat(), path.relative_to(self._folder).as_posix()
        seen = [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]
        match self._entries.get(name):
            case [*as_seen, str(digest)] if as_seen == seen:
                return digest
        digest = hash_file(path)
        self._entries[name], self._is_dirty = [*seen, digest], True
        return digest

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_dirty and kind is None:
            try:
                write_atomically(self._cache_file, json.dumps(self._entries))
            except OSError as failure:  # without it the next process only takes longer
                log.info("the hashes of %s are not kept, so each start computes them: %s", self._folder, failure)


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write all of a small file or nothing of it, whoever else writes it; only its owner can read it. Raises OSError."""
    create_private_folder(path.parent)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
