"""The hits of one's last search in a shell, for `open N`: kept in a private file of the cache, by terminal and database."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import xxhash

from vecsearch.core.atomic_files import create_private_file
from vecsearch.core.cache_folders import create_private_folder, get_cache_folder
from vecsearch.core.results import Hit
from vecsearch.core.types import Location
from vecsearch.interfaces.rendering.hit_links import get_line

_DATABASES_KEPT: Final = 8  # of a shell
_KEPT_SECONDS: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The last answer of a shell: the question, None where there was none in words, of which collection, and the hits."""

    question: str | None
    collection: str
    hits: tuple[KeptHit, ...]


@dataclass(frozen=True, slots=True)
class KeptHit:
    """What there must be known of a hit to open it. `line` is a line of its file where `location` has lines."""

    id: str
    source: str | None
    line: int | None
    location: Location


def keep_hits(database: Path, hits: Sequence[Hit], *, question: str | None = None, collection: str = "") -> None:
    """Keep the hits of a search; where the cache cannot be written to, they are not."""
    shown = [asdict(KeptHit(hit.id, hit.source, get_line(hit), hit.location)) for hit in hits]
    kept = {"question": question, "collection": collection, "hits": shown}
    path = _get_path()
    with suppress(OSError, ValueError):
        create_private_folder(path.parent)
        answers = {**_read(path), _get_key(database): kept}
        newest = dict(list(answers.items())[-_DATABASES_KEPT:])
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with create_private_file(temporary) as file:
            file.write(json.dumps(newest).encode())
        temporary.replace(path)
        _remove_old_files(path.parent)


def load_answer(database: Path) -> KeptAnswer | None:
    """Return the last answer of this shell in a database; None where there was none."""
    found = _read(_get_path()).get(_get_key(database))
    try:
        return None if found is None else KeptAnswer(**{**found, "hits": tuple(KeptHit(**hit) for hit in found["hits"])})
    except (TypeError, KeyError):  # another version's
        return None


def load_hits(database: Path) -> list[KeptHit] | None:
    """Return the hits of the last search of this shell in a database; None where there was none."""
    answer = load_answer(database)
    return None if answer is None else list(answer.hits)


def _read(path: Path) -> dict[str, Any]:
    try:
        answers = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return answers if isinstance(answers, dict) else {}


def _get_key(database: Path) -> str:
    return str(database.resolve())


def _get_path() -> Path:
    """Return the file of this shell: of the session that the terminal began, whatever started this process in it."""
    name = f"{os.getuid()} {os.getsid(0)} {_find_terminal()}"
    return get_cache_folder("last-hits") / f"{xxhash.xxh3_64_hexdigest(name.encode())}.json"


def _find_terminal() -> str:
    for stream in (sys.__stdin__, sys.__stderr__, sys.__stdout__):
        with suppress(OSError, ValueError, AttributeError):
            return os.ttyname(stream.fileno())  # type: ignore[union-attr]
    return ""


def _remove_old_files(folder: Path) -> None:
    oldest = time.time() - _KEPT_SECONDS
    for path in folder.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
