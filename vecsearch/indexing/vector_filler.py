"""Make the vectors that wait to be made: the newest chunks first, a batch a commit. What was committed is not made again.

One process at a time fills a collection; another waits and helps itself to what is left. Nobody is kept from writing meanwhile: a
chunk that is gone when its vector comes is left out, and what comes meanwhile is newer and comes next. A text without a usable
vector keeps none of the others from theirs: it is found by its words, reported as a failure of its file, and tried again by the
next run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from vecsearch.core.batched import batched
from vecsearch.core.errors import CollectionChangedError, EncodingError
from vecsearch.core.files import FailedFile
from vecsearch.core.settings import FILL_CHUNKS, FILL_WINDOW
from vecsearch.core.source_paths import to_shown_path
from vecsearch.core.stop_signal import NO_STOP, StopSignal
from vecsearch.documents.chunk_inputs import build_encoder_input
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.unit_vectors import VectorFailure
from vecsearch.indexing.batch_writer import WriteTarget, count_stored
from vecsearch.indexing.progress import NullProgress, Progress
from vecsearch.indexing.stages import embed
from vecsearch.stores.base import CollectionInfo, PendingChunk, Vector

_WAIT_S: Final = 0.2  # for another process that fills


@dataclass(frozen=True, slots=True)
class FillReport:
    """What a run did: how many texts were encoded; how many chunks there are, and how many of them wait for a vector.

    `failed`: the files, or "" for what came from elsewhere, of documents that the model gives no usable vector for. `stopped`: it
    was told to stop before its end.
    """

    encoded: int
    chunks: int
    pending_vectors: int
    seconds: float
    failed: tuple[FailedFile, ...] = ()
    stopped: bool = False

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
        stop: StopSignal = NO_STOP,
        source_root: Path | None = None,
    ) -> None:
        """Set up a filler, which asks whether to `stop` before each batch of the encoder.

        `source_root`: the folder that stored paths of files are relative to; without it no file is marked as failed.
        """
        self._source_root = source_root
        self._target, self._get_encoder, self._stop = target, get_encoder, stop
        self._progress: Progress = progress or NullProgress()
        self.encoded_count = 0  # texts
        self._begun_with: CollectionInfo | None = None
        self._failed_chunks: dict[int, tuple[PendingChunk, VectorFailure]] = {}

    def run(self, *, holds_lock: bool = False) -> FillReport:
        """Fill until nothing waits or it should stop. Raises CollectionChangedError, DatabaseLockedError, DiskFullError.

        `holds_lock`: the caller is the writer, and so does not wait for another who fills, and who would wait for him.
        """
        started, before = time.perf_counter(), self.encoded_count
        self._fill_in_turn(holds_lock=holds_lock)
        _, chunks, pending = count_stored(self._target)
        failed = self._record_failures()
        seconds = round(time.perf_counter() - started, 3)
        return FillReport(self.encoded_count - before, chunks, pending, seconds, failed, self._stop.is_set)

    def list_failures(self) -> dict[str, EncodingError]:
        """Return why documents have a text without a usable vector, by id."""
        failures: dict[str, EncodingError] = {}
        for chunk, failure in self._failed_chunks.values():
            failures.setdefault(chunk.document_id, failure.to_error(f"document {chunk.document_id!r}"))
        return failures

    def _record_failures(self) -> tuple[FailedFile, ...]:
        """Mark the files of texts without a usable vector as failed; return them, a document each."""
        reasons = {key: str(error) for key, error in self.list_failures().items()}
        if not reasons:
            return ()
        with self._target.open_snapshot() as snapshot:
            stored = {} if snapshot is None else snapshot.find_stored_documents(list(reasons))
        root = self._source_root
        by_file = {document.source: reasons[key] for key, document in stored.items() if document.source is not None}
        if by_file and root is not None:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.record_failures(by_file)
        paths = {key: document.source for key, document in stored.items()}
        return tuple(
            FailedFile("" if path is None or root is None else to_shown_path(root, path), reasons[key])
            for key, path in paths.items()
        )

    def _fill_in_turn(self, *, holds_lock: bool) -> None:
        """Fill, or wait for whoever does."""
        self._begun_with = info = self._read_info()
        while info is not None and info.pending_vectors and not self._stop.ask():
            with self._target.claim_filling() as claimed:
                if claimed or holds_lock:
                    self._progress.begin_vectors(info.pending_vectors)
                    self._fill()
                    return
            time.sleep(_WAIT_S)
            info = self._read_info()

    def _read_info(self) -> CollectionInfo | None:
        with self._target.open_snapshot() as snapshot:
            return None if snapshot is None else snapshot.info

    def _fill(self) -> None:
        while True:
            with self._target.open_snapshot() as snapshot:
                self._check_unchanged(None if snapshot is None else snapshot.info)
                waiting = [] if snapshot is None else snapshot.load_pending_chunks(FILL_WINDOW, exclude=self._failed_chunks)
                known = {} if snapshot is None else snapshot.load_copied_vectors(waiting)
            if not waiting or self._stop.ask():
                return
            if known:
                self._attach(known)
            self._encode([chunk for chunk in waiting if chunk.id not in known])

    def _encode(self, chunks: Sequence[PendingChunk]) -> None:
        """Encode chunks, a text of several once; like lengths, which pad least, together. Ends where some are gone by now."""
        encoder = self._get_encoder()
        by_text: dict[str, list[PendingChunk]] = {}
        for chunk in chunks:
            text = build_encoder_input(chunk.document_id, chunk.title, chunk.context, chunk.text, encoder)
            by_text.setdefault(text, []).append(chunk)
        for texts in batched(sorted(by_text, key=lambda text: (-len(text), text)), FILL_CHUNKS):
            if self._stop.ask():
                return
            vectors: dict[int, Vector] = {}
            for text, row in zip(texts, embed(texts, encoder, self._stop.ask), strict=False):
                if isinstance(row, VectorFailure):
                    self._failed_chunks |= {chunk.id: (chunk, row) for chunk in by_text[text]}
                    continue
                vectors |= {chunk.id: row for chunk in by_text[text]}
                self.encoded_count += 1
            if vectors and self._attach(vectors) < len(vectors):
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
