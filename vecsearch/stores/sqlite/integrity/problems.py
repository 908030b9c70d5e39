"""What a check finds, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vecsearch.core.errors import StorageError, VecsearchError, drop_doctor_hint
from vecsearch.core.types import Finding, Severity
from vecsearch.stores.base import RESTORE_HINT
from vecsearch.stores.sqlite.engine.collections import CollectionState

OPTIMIZE_COMMAND: Final = "vecsearch optimize"
FIX_COMMAND: Final = "vecsearch doctor --fix"


class ProblemKind(StrEnum):
    """What a repair does about a problem, in the order in which it is done."""

    BROKEN = "nothing: the SQLite file itself is damaged"
    SCHEMA = "the tables brought to the format that is recorded"
    SQLITE_INDEXES = "SQLite's own indexes rebuilt"
    INDEX_FILES = "index files rebuilt"
    METADATA_INDEX = "metadata index rebuilt from the metadata"
    TEXT_INDEX = "text index rebuilt from the texts"
    VECTORS = "chunks encoded again"
    PENDING_VECTORS = "the marks of vectors still to be made corrected"
    OUTDATED_INDEX = "index files brought up to date"
    LEFTOVERS = "leftover files removed"
    MODES = "files closed to other users"
    LOG = "SQLite's log emptied"

    @property
    def is_in_sqlite(self) -> bool:
        """Return whether repairing it writes to what only a backup brings back."""
        return self not in (ProblemKind.OUTDATED_INDEX, ProblemKind.LEFTOVERS, ProblemKind.MODES, ProblemKind.LOG)


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding, what a repair does about it (None: nothing, it is not derived), and the collection that it is in."""

    finding: Finding
    kind: ProblemKind | None = None
    state: CollectionState | None = None


def make_error(
    what: str, meaning: str, fix: str = FIX_COMMAND, *, kind: ProblemKind | None = None, state: CollectionState | None = None
) -> Problem:
    """Make a problem of the truth, or of what answers are made from."""
    return Problem(Finding(Severity.ERROR, _name_collection(state, what), meaning, fix), kind, state)


def make_note(
    what: str, meaning: str, fix: str = FIX_COMMAND, *, kind: ProblemKind | None = None, state: CollectionState | None = None
) -> Problem:
    """Make a problem of what can be derived or repeated: answers are right."""
    return Problem(Finding(Severity.NOTE, _name_collection(state, what), meaning, fix), kind, state)


def guard(what: str, check: Callable[[], Iterator[Problem]]) -> Iterator[Problem]:
    """Yield what a check finds; that it cannot be made is a problem too, for what a damaged file gives may be anything."""
    try:
        yield from check()
    except (StorageError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        yield make_error(
            f"{what} cannot be checked: {describe_error(error)}", "what is stored there is not what was written", RESTORE_HINT
        )


def describe_error(error: Exception) -> str:
    """Return the reason in a line: our own errors speak for themselves, others are named."""
    reason = str(error) if isinstance(error, VecsearchError) else f"{type(error).__name__}: {error}"
    return drop_doctor_hint(reason)[:500]


def _name_collection(state: CollectionState | None, what: str) -> str:
    if state is None:
        return what
    return f"{f'the new vectors of {state.name}' if state.is_hidden else state.name}: {what}"
