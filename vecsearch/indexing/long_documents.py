"""A document that comes in portions: a new one is committed as it is read, one that has changed is replaced as one.

Portions that are stored as they are, from the beginning on, stay as they are, with their vectors: so an interrupted run goes on
where it stopped, and a log that has grown is read, but its beginning is not stored again. What follows the first difference is
committed in one transaction, from a file on the disk, and the old version answers until then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from vecsearch.core.batched import batched
from vecsearch.core.encoder_fields import read_dimension
from vecsearch.core.parsed import ChunkSpan, ParsedDocument
from vecsearch.core.settings import FILL_WINDOW, LOADER_VERSION, PORTIONS_TOGETHER
from vecsearch.documents.chunk_inputs import hash_content
from vecsearch.encoders.base import TextEncoder
from vecsearch.indexing.batch_writer import BatchWriter
from vecsearch.indexing.commit_check import LeftOut
from vecsearch.indexing.portion_spool import PortionSpool, open_spool
from vecsearch.indexing.stages import ChunkedDocument, chunk
from vecsearch.indexing.write_target import WriteTarget, find_stored
from vecsearch.stores.base import Continuation, IndexedFile, NewDocument, NewPart, StoredDocument, StoredSource

_NO_PORTION: Final = ""  # the digest of none


@dataclass(frozen=True, slots=True)
class _WaitingPortion:
    """A portion that is to be committed; `digest_before` is that of all portions before it."""

    part: NewPart
    digest_before: str


class LongDocument:
    """One document of a file, while its portions come. `is_changed`: it is not, or was not, stored as it comes;
    `is_new`: nothing was."""

    def __init__(
        self,
        target: WriteTarget,
        batches: BatchWriter,
        *,
        file: IndexedFile,
        get_encoder: Callable[[], TextEncoder],
        advance: Callable[[float, int], None],
        prior: StoredDocument | None,
        known: StoredSource | None,
        dry_run: bool = False,
    ) -> None:
        """Begin a document.

        `file` is its file as it stands before all of it is read, `known` what is stored of that, `prior` what is stored under
        the id.
        """
        self._target, self._batches, self._file = target, batches, file
        self._get_encoder, self._advance = get_encoder, advance
        self._prior, self._dry_run = prior, dry_run
        is_made_alike = known is not None and (known.split, known.loader_version) == (file.split, LOADER_VERSION)
        is_its_own = prior is not None and prior.source == file.path and prior.digest is not None
        self._is_same = is_made_alike and is_its_own  # so far
        self._digest, self._length = _NO_PORTION, 0
        self._waiting: list[_WaitingPortion] = []
        self._spool: PortionSpool | None = None
        self._files = ExitStack()
        self._kept = 0  # characters of the stored text that stay, where the rest is replaced
        self._is_overtaken = self._is_left_out = False  # by another run over the same file
        self.is_new, self.is_changed = prior is None, False

    def close(self) -> None:
        """Forget what was to be committed with the last portion."""
        self._files.close()

    def add(self, document: ParsedDocument, weight: float) -> None:
        """Take the next portion, of so much of the run's total. Raises what committing raises."""
        assert document.portion is not None
        digest_before, self._digest = self._digest, _extend_digest(self._digest, hash_content(document, self._file.split))
        self._is_same = self._is_same and self._load_part(document.id, self._length) == document.text
        if self._is_same or self._is_left_out or self._dry_run:
            self._advance(weight, 0)
        else:
            self._store(document, digest_before, weight)
        self.is_changed |= not self._is_same
        self._length += len(document.text)
        if document.portion.is_last and not self._is_left_out:
            self._finish(document)

    # -- what is not stored as it comes

    def _store(self, document: ParsedDocument, digest_before: str, weight: float) -> None:
        chunked = chunk(document, self._file.split, self._get_encoder(), source=self._file.path)
        chunked = replace(chunked, spans=_move_spans(chunked.spans, self._length))
        if self._prior is None and not self._length:
            self._batches.add(replace(chunked, digest=_mark_unfinished(self._digest)), weight=weight)
            self._batches.finish_file(self._file, {document.id})
            self._batches.flush()
            return
        self._advance(weight, len(chunked.spans))
        if not self.is_changed and not self._is_end_of_unfinished(document.id, digest_before):
            self._spool = self._files.enter_context(open_spool(read_dimension(self._get_encoder())))
            self._kept = self._length
        if self._spool is not None:
            self._spool.add(self._length, chunked)
            return
        self._waiting.append(_WaitingPortion(self._make_part(chunked), digest_before))
        is_last = document.portion is not None and document.portion.is_last
        if is_last or len(self._waiting) >= PORTIONS_TOGETHER:
            self._commit_waiting(document.id, self._digest if is_last else _mark_unfinished(self._digest))

    def _is_end_of_unfinished(self, key: str, digest_before: str) -> bool:
        """Return whether what is stored is the beginning that an interrupted run left, and ends here."""
        is_stored = self._prior is not None and self._prior.digest == _mark_unfinished(digest_before)
        return is_stored and self._load_part(key, self._length) is None

    def _make_part(self, chunked: ChunkedDocument) -> NewPart:
        none = np.empty((0, read_dimension(self._get_encoder())), np.float32)
        return NewPart(self._length, chunked.document.text, chunked.spans, none, tuple(range(len(chunked.spans))))

    def _commit_waiting(self, key: str, digest: str) -> None:
        """Commit what waits, but for what another run has stored meanwhile."""
        while self._waiting:
            first = self._waiting[0]
            more = Continuation(key, first.part.start, [portion.part for portion in self._waiting], digest)
            if self._batches.extend_text(more, source=self._file.path, after=_mark_unfinished(first.digest_before)):
                self._waiting.clear()
            elif self._load_part(key, first.part.start) == first.part.text:
                del self._waiting[0]
                self._is_overtaken = True
            else:
                self._leave_out(key)

    def _leave_out(self, key: str) -> None:
        """Note that another run has changed the document: its file is read again by the next."""
        self._batches.left_out.append(LeftOut(key, self._file.path, is_changed=True))
        self._waiting.clear()
        self._is_left_out = True

    # -- the end

    def _finish(self, document: ParsedDocument) -> None:
        if self._is_same:
            self._finish_same(document)
        elif self._spool is not None:
            self._replace_rest(document, self._spool)
        elif self._is_overtaken and self._read_digest(document.id) != self._digest:
            self._leave_out(document.id)
        if self.is_changed and not self._is_left_out and not self._dry_run:
            self._copy_vectors(document.id)
        if self._prior is not None and not self._dry_run:
            self._batches.counts.replaced += self.is_changed and not self._is_left_out
            if not self._prior.has_metadata(document.metadata):
                self._batches.set_metadata(document.id, document.metadata, source=self._file.path)

    def _finish_same(self, document: ParsedDocument) -> None:
        """Cut off what is stored after the end; a document that lacked nothing but its mark is finished."""
        assert self._prior is not None
        is_longer = self._load_part(document.id, self._length) is not None
        self.is_changed = is_longer or self._prior.digest != self._digest
        if self.is_changed and not self._dry_run:
            self._commit_rest(Continuation(document.id, self._length, (), self._digest))

    def _replace_rest(self, document: ParsedDocument, spool: PortionSpool) -> None:
        with self._target.open_snapshot() as snapshot:
            if snapshot is not None:
                spool.keep_vectors(snapshot.iterate_vectors([document.id], start=self._kept))
        parts = spool.read()
        if self._kept:
            self._commit_rest(Continuation(document.id, self._kept, parts, self._digest))
            return
        first = next(parts)
        new = NewDocument(
            document.id, self._file.path, first.text, document.title, document.metadata, self._digest, first.spans,
            first.vectors, first.pending,
        )  # fmt: skip
        self._commit_rest(Continuation(document.id, len(first.text), parts, self._digest), new)

    def _commit_rest(self, rest: Continuation, first: NewDocument | None = None) -> None:
        assert self._prior is not None
        if not self._batches.extend_text(rest, source=self._prior.source, after=self._prior.digest, first=first):
            self._leave_out(rest.id)

    def _copy_vectors(self, key: str) -> None:
        """Take the vectors of another document that says the same, if there is one: the file may have been renamed."""
        with self._target.open_snapshot() as snapshot:
            twin = None if snapshot is None else snapshot.find_by_digest([self._digest]).get(self._digest)
            if snapshot is None or twin is None or twin == key:
                return
            chunks = snapshot.find_chunk_ids([key, twin])
        own, others = chunks[key].tolist(), chunks[twin].tolist()
        for ids in batched(zip(own, others, strict=False), FILL_WINDOW):
            with self._target.open_writer() as writer, writer.open_snapshot() as snapshot:
                self._batches.check_unchanged(writer)
                if snapshot is None or snapshot.find_by_digest([self._digest]).get(self._digest) != twin:
                    return
                rows = snapshot.load_vectors([other for _, other in ids])
                writer.attach_vectors({chunk: row for (chunk, _), row in zip(ids, rows, strict=True)})

    # -- what is stored

    def _load_part(self, key: str, start: int) -> str | None:
        with self._target.open_snapshot() as snapshot:
            return None if snapshot is None else snapshot.load_text_part(key, start)

    def _read_digest(self, key: str) -> str | None:
        stored = find_stored(self._target, key)
        return None if stored is None else stored.digest


def _extend_digest(before: str, portion: str) -> str:
    """Return the digest of some portions and one more."""
    return hashlib.sha256(f"{before}\0{portion}".encode()).hexdigest()


def _mark_unfinished(digest: str) -> str:
    """Return what is stored as the digest of a document of which these portions are only the beginning."""
    return hashlib.sha256(f"unfinished\0{digest}".encode()).hexdigest()


def _move_spans(spans: Sequence[ChunkSpan], by: int) -> tuple[ChunkSpan, ...]:
    return tuple(replace(span, start=span.start + by, end=span.end + by) for span in spans)
