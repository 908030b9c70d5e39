"""A log of what was searched for, and which hits were opened or liked: only where it was turned on, and only on this machine.

It is a private file in the database folder, one JSON object a line, and a mark beside it says that it is on. It is no part of the
database: a backup does not hold it. `vecsearch tune --from-log` learns from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from vecsearch.core.atomic_files import FILE_MODE, open_private
from vecsearch.core.timestamps import get_timestamp

_FILE: Final = "question-log.jsonl"
_MARK: Final = "question-log.on"


class LoggedAct(StrEnum):
    """What was done."""

    SEARCHED = "searched"
    OPENED = "opened"
    LIKED = "liked"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line: what was asked of a collection; `id`, the document opened or liked after it, is None for the search itself."""

    at: str
    collection: str
    question: str
    act: LoggedAct
    id: str | None = None


def is_on(database: Path) -> bool:
    """Return whether searches are logged."""
    return (database / _MARK).exists()


def turn(database: Path, *, on: bool) -> None:
    """Log from now on, or no more; what was logged stays. Raises OSError."""
    if on:
        os.close(os.open(database / _MARK, os.O_CREAT | os.O_WRONLY, FILE_MODE))
    else:
        (database / _MARK).unlink(missing_ok=True)


def add_entry(database: Path, collection: str, question: str, act: LoggedAct, id: str | None = None) -> None:
    """Add a line where the log is on; where it cannot be written to, there is none: a search does not fail for it."""
    if not is_on(database):
        return
    line = json.dumps(asdict(LogEntry(get_timestamp(), collection, question, act, id)), ensure_ascii=False)
    with suppress(OSError, ValueError), open(database / _FILE, "ab", opener=open_private) as file:
        file.write(f"{line}\n".encode())


def log_choice(database: Path, collection: str, id: str, act: LoggedAct) -> None:
    """Log that a document was chosen, where it is among the hits of this shell's last search there, and the log is on."""
    if not is_on(database):
        return
    from vecsearch.interfaces.cli.last_hits import load_answer

    answer = load_answer(database)
    if answer is None or answer.question is None or answer.collection != collection:
        return
    if any(hit.id == id for hit in answer.hits):
        add_entry(database, collection, answer.question, act, id)


def read_entries(database: Path, collection: str | None = None) -> Iterator[LogEntry]:
    """Yield what was logged, the oldest first: all, or that of one collection. What is no line of ours is passed over."""
    try:
        file = (database / _FILE).open(encoding="utf-8", errors="replace")
    except OSError:
        return
    with file:
        for line in file:
            try:
                entry = LogEntry(**json.loads(line))
                entry = LogEntry(entry.at, entry.collection, entry.question, LoggedAct(entry.act), entry.id)
            except (ValueError, TypeError):
                continue
            if collection is None or entry.collection == collection:
                yield entry


def delete_entries(database: Path) -> int:
    """Delete all that was logged; returns how many lines there were. Raises OSError."""
    count = sum(1 for _ in read_entries(database))
    (database / _FILE).unlink(missing_ok=True)
    return count


def list_pairs(database: Path, collection: str) -> list[tuple[str, str]]:
    """Return the pairs of a question and a document that was opened or liked after it, each once."""
    chosen = ((entry.question, entry.id) for entry in read_entries(database, collection) if entry.id is not None)
    return list(dict.fromkeys(chosen))
