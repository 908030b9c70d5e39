"""Make the vectors that wait to be made: the newest chunks first, a batch a commit. What was committed is not made again.

One process at a time fills a collection; another waits and helps itself to what is left. Nobody is kept from writing meanwhile: a
chunk that is gone when its vector comes is left out, and what comes meanwhile is newer and comes next. A text without a usable
vector keeps none of the others from theirs: it is found by its words, reported as a failure of its file, and tried again by the
next run.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from vecsearch.core.batched import batched
from vecsearch.core.errors import CollectionChangedError, EncodingError
from vecsearch.core.files import FailedFile
from vecsearch.core.parsed import get_media_kind
from vecsearch.core.settings import ENCODER_BATCH_SIZE, FILL_CHUNKS, FILL_WINDOW
from vecsearch.core.source_paths import to_shown_path
from vecsearch.core.stop_signal import NO_STOP, RunStoppedError, StopSignal
from vecsearch.documents.chunk_inputs import build_encoder_input
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.unit_vectors import VectorFailure
from vecsearch.indexing.media_vectors import MediaEncoder, MediaPlace
from vecsearch.indexing.progress import NullProgress, Progress
from vecsearch.indexing.stages import embed
from vecsearch.indexing.write_target import WriteTarget, count_stored
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
        source_root: Path,
        passwords: Sequence[str] = (),
        marks_files: bool = True,
    ) -> None:
        """Set up a filler, which asks whether to `stop` before each batch of the encoder.

        `source_root`: the folder that stored paths of files are relative to; `passwords` are tried on encrypted ones, where
        pictures are. `marks_files`: those with a text without a vector are marked as failed.
        """
        self._source_root, self._passwords, self._marks_files = source_root, passwords, marks_files
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
        by_file = {document.source: reasons[key] for key, document in stored.items() if document.source is not None}
        if by_file and self._marks_files:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.record_failures(by_file)
        paths = {key: document.source for key, document in stored.items()}
        return tuple(
            FailedFile("" if path is None else to_shown_path(self._source_root, path), reasons[key])
            for key, path in paths.items()
        )

    def _fill_in_turn(self, *, holds_lock: bool) -> None:
        """Fill, or wait for whoever does."""
        self._begun_with = info = self._read_info()
        has_waited = False
        while info is not None and info.pending_vectors and not self._stop.ask():
            with self._target.claim_filling() as claimed:
                if claimed or holds_lock:
                    self._progress.begin_vectors(info.pending_vectors)
                    self._fill()
                    return
            time.sleep(_WAIT_S)
            if not has_waited:
                gc.collect()  # the claim may be this process's own, lost in the traceback of an error that refers to itself
                has_waited = True
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
            waiting = [chunk for chunk in waiting if chunk.id not in known]
            if self._encode_texts([chunk for chunk in waiting if get_media_kind(chunk.location) is None]):
                self._encode_media([chunk for chunk in waiting if get_media_kind(chunk.location) is not None])

    def _encode_texts(self, chunks: Sequence[PendingChunk]) -> bool:
        """Encode chunks, a text of several once; like lengths, which pad least, together. False where some are gone by now."""
        encoder = self._get_encoder()
        by_text: dict[str, list[PendingChunk]] = {}
        for chunk in chunks:
            text = build_encoder_input(chunk.document_id, chunk.title, chunk.context, chunk.text, encoder)
            by_text.setdefault(text, []).append(chunk)
        for texts in batched(sorted(by_text, key=lambda text: (-len(text), text)), FILL_CHUNKS):
            if self._stop.ask():
                return False
            rows = zip(texts, embed(texts, encoder, self._stop.ask), strict=False)
            if not self._take([(by_text[text], row) for text, row in rows]):
                return False
        return True

    def _encode_media(self, chunks: Sequence[PendingChunk]) -> None:
        """Encode pictures and sound as their files are read. Ends where some are gone by now."""
        if not chunks:
            return
        media = MediaEncoder(self._get_encoder(), self._source_root, passwords=self._passwords, stop=self._stop)
        places = [MediaPlace(chunk.document_id, chunk.source, chunk.location) for chunk in chunks]
        with suppress(RunStoppedError):
            for found in batched(media.encode(places), ENCODER_BATCH_SIZE):
                if not self._take([([chunks[number]], row) for number, row in found]):
                    return

    def _take(self, rows: Sequence[tuple[Sequence[PendingChunk], Vector | VectorFailure]]) -> bool:
        """Commit the vectors of chunks, note which have none; returns False where some of the chunks are gone by now."""
        vectors: dict[int, Vector] = {}
        for chunks, row in rows:
            if isinstance(row, VectorFailure):
                self._failed_chunks |= {chunk.id: (chunk, row) for chunk in chunks}
                continue
            vectors |= {chunk.id: row for chunk in chunks}
            self.encoded_count += 1
        return not vectors or self._attach(vectors) == len(vectors)

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
