"""Looking a database through and mending it: what follows from texts, vectors and metadata is made anew, the rest is said.

What SQLite and the index files hold is mended by `persistence.mend`; here it is decided what to mend, in which order, and texts
are encoded again where a vector is lost. The truth itself, texts and metadata, is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from vecsearch.batches import Batches, Waiting, content_digest, cut, refitted
from vecsearch.core.errors import EncoderMismatch, Locked, StorageError, StorageFull, UnavailableError, VecsearchError
from vecsearch.core.portions import portions
from vecsearch.core.settings import BATCH_CHUNKS, ENCODE_ROWS
from vecsearch.core.types import Cut, Draft, Finding, Making, Severity, Split
from vecsearch.encoding import identity, registry
from vecsearch.encoding.forms import checked_rows, encoded_text
from vecsearch.encoding.protocol import Encoder
from vecsearch.persistence import mend as menders
from vecsearch.persistence.checking import examine
from vecsearch.persistence.checking.troubles import RESTORE, Kind, Trouble, error, note
from vecsearch.persistence.database import Database
from vecsearch.persistence.mend import Silenced
from vecsearch.persistence.state import CollectionState, visible_states

Given: TypeAlias = str | Encoder | None  # by whom texts are encoded, where the collection's own encoder has no name
_Place: TypeAlias = tuple[Kind | None, int | None]  # what is wrong, in which collection

_ROUNDS_MAX: Final = 4  # what one mends, another may have hidden
_ENCODED: Final = (Kind.VECTORS, Kind.DOCUMENTS)


@dataclass(frozen=True, slots=True)
class Mended:
    """What is still to be found, the worst first; what was mended, a line each; the copy of the database as it was before, None
    where nothing that needs one was changed."""

    findings: tuple[Finding, ...]
    mended: tuple[str, ...] = ()
    backup: Path | None = None


def findings(database: Database, encoder: Given = None) -> list[Finding]:
    """All there is to know of a database, the worst first. Changes nothing."""
    return _sorted(each.finding for each in _troubles(database, encoder))


def mend(database: Database, encoder: Given = None) -> Mended:
    """Mend what can be, after a backup, and look again. Raises Locked, ReadOnly, StorageFull."""
    with database.locked():
        return _Mending(database, encoder).run()


class _Mending:
    """One run, inside the lock."""

    def __init__(self, database: Database, encoder: Given) -> None:
        self._database, self._encoder = database, encoder
        self._seen: dict[_Place, str] = {}
        self._backup: Path | None = None

    def run(self) -> Mended:
        troubles = list(_troubles(self._database, self._encoder))
        for _ in range(_ROUNDS_MAX):
            due = [each for each in troubles if self._can_be_mended(each)]
            if not due or any(each.kind is Kind.BROKEN for each in troubles):
                break
            self._round(due)
            before, troubles = set(map(_place, due)), list(_troubles(self._database, self._encoder))
            if before <= set(map(_place, troubles)):  # nothing of it helped
                break
        left = set(map(_place, troubles))
        done = tuple(f"{what}: {place[0]}" for place, what in self._seen.items() if place not in left)
        return Mended(tuple(_sorted(self._told(each) for each in troubles)), done, self._backup)

    def _round(self, due: Sequence[Trouble]) -> None:
        in_sqlite = any(each.kind is not None and each.kind.is_in_sqlite for each in due)
        if in_sqlite and self._backup is None:
            self._backup = menders.back_up(self._database)
        for each in due:
            self._seen.setdefault(_place(each), each.finding.what)
        for kind in Kind:
            of_kind = [each for each in due if each.kind is kind]
            if of_kind:
                self._mend(kind, [each.state for each in of_kind if each.state is not None])
        if in_sqlite:
            _trying(partial(menders.publish_all, self._database))

    def _mend(self, kind: Kind, states: Sequence[CollectionState]) -> None:
        each_once = list({state.id: state for state in states}.values())
        match kind:
            case Kind.VECTORS:
                for state in each_once:
                    _trying(partial(self._encode_again, state))
            case Kind.DOCUMENTS:
                for state in each_once:
                    _trying(partial(self._cut_again, state))
            case _:
                _trying(partial(menders.MENDERS[kind], self._database, each_once))

    def _can_be_mended(self, trouble: Trouble) -> bool:
        if trouble.kind is None or trouble.kind is Kind.BROKEN:
            return False
        if trouble.kind in _ENCODED:
            return trouble.state is not None and _encoder_of(trouble.state, self._encoder) is not None
        return True

    def _told(self, trouble: Trouble) -> Finding:
        """What is left after mending is not to be mended by mending again."""
        if trouble.kind is None or trouble.kind is Kind.BROKEN or trouble.finding.severity is not Severity.ERROR:
            return trouble.finding
        fix = RESTORE
        if trouble.kind in _ENCODED and trouble.state is not None and not self._can_be_mended(trouble):
            fix = f"make its encoder {trouble.state.encoder} available and run this again, or {RESTORE}"
        return replace(trouble.finding, fix=fix)

    def _encode_again(self, state: CollectionState) -> None:
        encoder = _encoder_of(state, self._encoder)
        assert encoder is not None
        for some in portions(menders.silenced(self._database, state), BATCH_CHUNKS):
            texts = [_seen_by(encoder, each) for each in some]
            parts = [checked_rows(encoder.encode_documents(few)) for few in portions(texts, ENCODE_ROWS)]
            menders.put_vectors(self._database, state, [each.row for each in some], np.concatenate(parts))

    def _cut_again(self, state: CollectionState) -> None:
        encoder = _encoder_of(state, self._encoder)
        assert encoder is not None
        broken = menders.uncut(self._database, state)
        making = Making(state.precision, state.language)
        batches = Batches(self._database, state.name, encoder_of=lambda: encoder, making=making)
        for each in broken:
            split = Split(each.split or Split.TOKENS)  # a file that was never read through has none
            draft = Draft(each.key, each.text, each.title)
            cuts, texts = cut(draft, split, encoder)
            batches.queue(Waiting(draft, each.source, content_digest(draft, split), cuts, texts, 0.0, False, each.kept))
        batches.flush()
        menders.expect_again(self._database, broken)


def _troubles(database: Database, given: Given) -> Iterator[Trouble]:
    broken = False
    for each in examine(database):
        broken = broken or each.kind is Kind.BROKEN
        yield each
    if not broken:
        yield from _encoders(database, given)


def _encoders(database: Database, given: Given) -> Iterator[Trouble]:
    """Whether each collection's encoder is at hand, and still the one that made its vectors. Loads none."""
    with database.reading() as connection:
        states = visible_states(connection)
    for state in states:
        if _is_of(given, state):
            continue
        try:
            if not identity.is_local(state.encoder):
                raise UnavailableError(f"its encoder {state.encoder} is not on this machine")
            registry.load_same(None, collection=state.name, stored=state.encoder, fingerprint=state.fingerprint)
        except EncoderMismatch:
            what = f"the encoder {state.encoder} is not the one that made its vectors any more"
            fix = f"put back the model's files as they were, or run: vecsearch reembed --model {state.encoder} -c {state.name}"
            yield error(what, "queries cannot be compared with the vectors, and nothing can be added", fix, state=state)
        except (VecsearchError, OSError, ValueError) as why:
            meaning = "until it is given, the collection can be searched by words, not by meaning"
            fix = "install it, give it as encoder= when you open the collection, or run: vecsearch reembed --model NAME"
            yield note(str(why), meaning, fix, state=state)


def _encoder_of(state: CollectionState, given: Given) -> Encoder | None:
    """The encoder that made a collection's vectors, None where it is not to be had."""
    if _is_of(given, state):
        assert given is not None and not isinstance(given, str)
        return given
    try:
        if not identity.is_local(state.encoder):
            return None
        found = registry.load_same(None, collection=state.name, stored=state.encoder, fingerprint=state.fingerprint)
        return found if found.dimension == state.dimension else None
    except (VecsearchError, OSError, ValueError):
        return None


def _is_of(given: Given, state: CollectionState) -> bool:
    fitting = given is not None and not isinstance(given, str)
    return fitting and (given.fingerprint, given.dimension) == (state.fingerprint, state.dimension)  # type: ignore[union-attr]


def _seen_by(encoder: Encoder, chunk: Silenced) -> str:
    """What the encoder saw of a chunk when it was first encoded."""
    draft = Draft(chunk.document, chunk.text, chunk.title)
    if not chunk.text.strip():
        return encoded_text(chunk.title, chunk.context, chunk.text)
    _, texts = refitted(draft, [Cut(0, len(chunk.text), {}, chunk.context)], encoder)
    return texts[0] if len(texts) == 1 else encoded_text(chunk.title, chunk.context, chunk.text)


def _trying(step: Callable[[], None]) -> None:
    """A step that cannot be done leaves its trouble to be said. Raises Locked, StorageFull: no other step would do better."""
    try:
        step()
    except (Locked, StorageFull):
        raise
    except (StorageError, ArithmeticError, LookupError, TypeError, ValueError):
        pass


def _place(trouble: Trouble) -> _Place:
    return trouble.kind, None if trouble.state is None else trouble.state.id


def _sorted(some: Iterable[Finding]) -> list[Finding]:
    return sorted(some, key=lambda finding: finding.severity is not Severity.ERROR)
