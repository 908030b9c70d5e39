"""What `doctor` finds, with what it takes to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vecsearch.core.errors import StorageError
from vecsearch.core.types import Finding, Severity
from vecsearch.stores.sqlite.engine.collections import CollectionState

RESTORE: Final = "restore a backup, or index the files again into a new database"
OPTIMIZE: Final = "vecsearch optimize"
FIX: Final = "vecsearch doctor --fix"


class Kind(StrEnum):
    """What can be done about a trouble, in the order in which it is done."""

    BROKEN = "nothing: the SQLite file itself is damaged"
    INDEXES = "SQLite's own indexes made anew"
    VERSION = "the record of the format set right"
    NUMBERS = "numbers of rows go on after the highest"
    ORPHANS = "rows that belong to nothing removed"
    COLLECTIONS = "chunks given to the collection of their document"
    INDEX_FILES = "index files made anew"
    FACTS = "what filters look up made anew from the metadata"
    WORDS = "the text index made anew from the texts"
    VECTORS = "chunks encoded again"
    DOCUMENTS = "documents cut and encoded again"
    HIDDEN = "a replaced collection dropped"
    STAGED = "vectors of an interrupted run dropped"
    BEHIND = "index files brought up to date"
    LEFTOVERS = "leftover files removed"
    MODES = "files closed to other users"
    LOG = "SQLite's log emptied"

    @property
    def is_in_sqlite(self) -> bool:
        """Whether mending it writes to what only a backup brings back."""
        return self not in (Kind.BEHIND, Kind.LEFTOVERS, Kind.MODES, Kind.LOG)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A finding; what can be done about it, None for nothing that `doctor --fix` knows; and the collection it is in."""

    finding: Finding
    kind: Kind | None = None
    state: CollectionState | None = None


def error(what: str, meaning: str, fix: str = FIX, *, kind: Kind | None = None, state: CollectionState | None = None) -> Trouble:
    """Of the truth, or of what answers are made from."""
    return Trouble(Finding(Severity.ERROR, _in(state, what), meaning, fix), kind, state)


def note(what: str, meaning: str, fix: str = FIX, *, kind: Kind | None = None, state: CollectionState | None = None) -> Trouble:
    """Of what can be derived or repeated: answers are right."""
    return Trouble(Finding(Severity.NOTE, _in(state, what), meaning, fix), kind, state)


def guarded(what: str, check: Callable[[], Iterator[Trouble]]) -> Iterator[Trouble]:
    """The troubles that a check finds; that it cannot be made is one too, for what a damaged file gives may be anything."""
    try:
        yield from check()
    except (StorageError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error_:
        said = str(error_) if isinstance(error_, StorageError) else f"{type(error_).__name__}: {error_}"
        yield error(f"{what} cannot be checked: {said[:500]}", "what is stored there is not what was written", RESTORE)


def called(state: CollectionState) -> str:
    """A collection's name, for people; users know of no hidden one."""
    return f"the new vectors of {state.name}" if state.is_hidden else state.name


def _in(state: CollectionState | None, what: str) -> str:
    return what if state is None else f"{called(state)}: {what}"
