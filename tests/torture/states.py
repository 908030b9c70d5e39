"""What a database that the machine fails holds, and one step that is done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import vecsearch
from tests import maintenance
from tests.fakes import FakeEncoder
from tests.torture.logged import LoggedEncoder, log_of

BROUGHT = FakeEncoder(salt=99)  # makes the vectors that are brought along
DATABASE = "database"
FILES = "files"  # beside the database, not part of what fails
WORDS = "keel mast sail rope anchor tide harbour lantern compass storm gull reef chart deck helm oar".split()


@dataclass(frozen=True)
class Doc:
    """A document as the model knows it."""

    text: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    brought: bool = False
    source: str | None = None


@dataclass(frozen=True)
class State:
    """All that a collection holds, and the salt of its encoder.

    `late`: the documents that may wait for vectors; once looked at, those that do. `made`: what needs no encoder any more, as
    `logged.hash_text` names it; empty where it was not looked at.
    """

    docs: Mapping[str, Doc]
    salt: int = 1
    late: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()

    @property
    def encoder(self) -> FakeEncoder:
        return FakeEncoder(self.salt)

    def encode_at(self, base: Path) -> LoggedEncoder:
        """The encoder, which writes down what it encodes."""
        return LoggedEncoder(self.salt, log=log_of(base))


@dataclass(frozen=True)
class Step:
    """One thing to do. `whole`: it is done in one transaction, so that all of it or nothing is there; else every document is as
    it was or as it is to be. `after` is what is to be there. `late`: documents that may wait for vectors until it is done."""

    name: str
    run: Callable[[Path], None]
    after: State
    whole: bool = True
    prepare: Callable[[Path], None] = lambda base: None  # before anything can fail
    spoils: bool = False  # what is left may have to be mended
    late: frozenset[str] = frozenset()
    repeats: bool = False  # what it encodes may be encoded twice
    beside: Callable[[Path], None] | None = None  # what another process does meanwhile, which nothing happens to


def opened(base: Path, state: State) -> vecsearch.Collection:
    """The collection, by its encoder."""
    return vecsearch.open(base / DATABASE, model=state.encode_at(base))


def add_documents(state: State, docs: Mapping[str, Doc], *, late: bool = False) -> State:
    """Return the state with some documents more, or other; `late`: they wait for vectors."""
    others = state.late - docs.keys()
    return replace(state, docs={**state.docs, **docs}, late=others | docs.keys() if late else others)


def fill_all(state: State) -> State:
    """Return the state when nothing waits for vectors."""
    return replace(state, late=frozenset())


def remove_documents(state: State, keys: list[str]) -> State:
    """Return the state without some documents."""
    return replace(state, docs={key: doc for key, doc in state.docs.items() if key not in keys}, late=state.late - {*keys})


def mend(base: Path, state: State) -> None:
    """Mend all that follows from the truth."""
    list(maintenance.repair(base / DATABASE, model=state.encode_at(base)).findings)
