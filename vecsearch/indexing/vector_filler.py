"""Make the vectors that wait to be made: the newest chunks first, a batch a commit. What was committed is not made again.

One process at a time fills a collection; another waits and helps itself to what is left. Nobody is kept from writing meanwhile: a
chunk that is gone when its vector comes is left out, and what comes meanwhile is newer and comes next.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from vecsearch.core.batched import batched
from vecsearch.core.errors import CollectionChangedError
from vecsearch.core.settings import BATCH_CHUNKS, FILL_WINDOW
from vecsearch.documents.chunk_inputs import build_encoder_input
from vecsearch.encoders.base import TextEncoder
from vecsearch.indexing.batch_writer import WriteTarget, count_stored
from vecsearch.indexing.progress import NullProgress, Progress
from vecsearch.indexing.stages import embed
from vecsearch.stores.base import CollectionInfo, PendingChunk, Vector

_WAIT_S: Final = 0.2  # for another process that fills
_log = logging.getLogger("vecsearch")


@dataclass(frozen=True, slots=True)
class FillReport:
    """What a run did: how many texts were encoded; how many chunks there are, and how many of them wait for a vector."""

    encoded: int
    chunks: int
    pending_vectors: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON, in its order."""
        return asdict(self)


class VectorFiller:
    """Fills one collection, or a replacement."""

    def __init__(
        self,
        target: WriteTarget,
        *,
        get_encoder: Callable[[], TextEncoder],
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Set up a filler; `should_stop` is asked before each batch."""
        self._target, self._get_encoder, self._should_stop = target, get_encoder, should_stop
        self._progress: Progress = progress or NullProgress()
        self.encoded_count = 0  # texts
        self._begun_with: CollectionInfo | None = None

    def run(self, *, holds_lock: bool = False) -> FillReport:
        """Fill until nothing waits or it should stop. Raises CollectionChangedError, DatabaseLockedError, DiskFullError.

        `holds_lock`: the caller is the writer, and so does not wait for another who fills, and who would wait for him.
        """
        started, before = time.perf_counter(), self.encoded_count
        self._fill_in_turn(holds_lock=holds_lock)
        _, chunks, pending = count_stored(self._target)
        return FillReport(self.encoded_count - before, chunks, pending, round(time.perf_counter() - started, 3))

    def _fill_in_turn(self, *, holds_lock: bool) -> None:
        """Fill, or wait for whoever does."""
        self._begun_with = info = self._read_info()
        is_told = False
        while info is not None and info.pending_vectors and not self._should_stop():
            with self._target.claim_filling() as claimed:
                if claimed or holds_lock:
                    self._progress.begin_vectors(info.pending_vectors)
                    self._fill()
                    return
            if not is_told:
                _log.info("another process makes the vectors of %s; waiting for it", info.name)
                is_told = True
            time.sleep(_WAIT_S)
            info = self._read_info()

    def _read_info(self) -> CollectionInfo | None:
        with self._target.open_snapshot() as snapshot:
            return None if snapshot is None else snapshot.info

    def _fill(self) -> None:
        while not self._should_stop():
            with self._target.open_snapshot() as snapshot:
                self._check_unchanged(None if snapshot is None else snapshot.info)
                waiting = [] if snapshot is None else snapshot.load_pending_chunks(FILL_WINDOW)
                known = {} if snapshot is None else snapshot.load_copied_vectors(waiting)
            if not waiting:
                return
            if known:
                self._attach(known)
            self._encode([chunk for chunk in waiting if chunk.id not in known])

    def _encode(self, chunks: Sequence[PendingChunk]) -> None:
        """Encode chunks, a text of several once; like lengths, which pad least, together. Ends where some are gone by now."""
        encoder = self._get_encoder()
        by_text: dict[str, list[int]] = {}
        for chunk in chunks:
            text = build_encoder_input(chunk.document_id, chunk.title, chunk.context, chunk.text, encoder)
            by_text.setdefault(text, []).append(chunk.id)
        for texts in batched(sorted(by_text, key=lambda text: (-len(text), text)), BATCH_CHUNKS):
            if self._should_stop():
                return
            rows = embed(texts, encoder)
            vectors = {chunk: row for text, row in zip(texts, rows, strict=True) for chunk in by_text[text]}
            is_whole = self._attach(vectors) == len(vectors)
            self.encoded_count += len(texts)
            if not is_whole:
                return

    def _attach(self, vectors: Mapping[int, Vector]) -> int:
        """Commit vectors; returns how many chunks still waited for theirs."""
        with self._target.open_writer() as writer:
            self._check_unchanged(writer.info)
            count = writer.attach_vectors(vectors)
        self._progress.advance_vectors(count)
        return count

    def _check_unchanged(self, now: CollectionInfo | None) -> None:
        before = self._begun_with
        assert before is not None
        if now is None or not now.is_later_state_of(before):
            raise CollectionChangedError(
                f"the collection {before.name!r} was dropped, renamed, restored or embedded by another model while its vectors "
                "were made; what was committed before is kept: run again to go on with the collection as it is now"
            )
