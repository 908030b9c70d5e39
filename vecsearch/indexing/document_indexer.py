"""From the documents of files and pipes to the batch: what is new or has changed is chunked and queued, the rest is counted.

An id is one source's: a file that gives the id of another's document is looked at once more after all others, by when
that may have let it go.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from vecsearch.core.encoder_fields import read_name
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning
from vecsearch.core.source_paths import to_absolute_path
from vecsearch.documents.chunk_inputs import hash_content
from vecsearch.encoders.base import TextEncoder
from vecsearch.indexing.batch_writer import BatchWriter
from vecsearch.indexing.commit_check import format_id_conflict
from vecsearch.indexing.language_counter import LanguageCounter
from vecsearch.indexing.long_documents import LongDocument
from vecsearch.indexing.missing_files import is_mounted
from vecsearch.indexing.progress import Progress
from vecsearch.indexing.read_files import (
    ChangedDocument,
    FileProgress,
    HashedDocument,
    IndexCounts,
    ReadFile,
    StoredContents,
    group_items,
    is_valid,
)
from vecsearch.indexing.stages import ChunkedDocument, chunk, copy_encoded
from vecsearch.indexing.write_target import CollectionTarget, find_encoded, find_stored
from vecsearch.stores.base import IndexedFile, NewDocument, StoredDocument, StoredSource
from vecsearch.text.language import free_model


class DocumentIndexer:
    """Takes the documents of one run. A dry run queues nothing."""

    def __init__(
        self, target: CollectionTarget, batches: BatchWriter, *, get_encoder: Callable[[], TextEncoder], source_root: Path,
        is_missing: Callable[[str | None], bool], counts: IndexCounts, progress: Progress, dry_run: bool,
        ignored: Container[tuple[str | None, str]] = (),
    ) -> None:  # fmt: skip
        """Set up a run. `is_missing`: whether a file (stored path) is no more, so that others may have its ids; `ignored`: files
        (stored paths) and ids of documents that are kept away."""
        self._target, self._batches, self._get_encoder = target, batches, get_encoder
        self._source_root, self._is_missing, self._ignored = source_root, is_missing, ignored
        self._counts, self._progress, self._dry_run = counts, progress, dry_run
        self.languages = LanguageCounter()

    def add_beginnings(self, group: Sequence[ReadFile], *, last: bool) -> Iterator[ReadFile]:
        """Compare the beginnings of files with the store together; yield each file once its own is queued."""
        documents = [self._collect_documents(read.first, read.progress) for read in group]
        stored = self._read_stored([
            (document, read.progress.source) for read, of_file in zip(group, documents, strict=True) for document in of_file
        ])  # fmt: skip
        changed = [
            self._choose_changed(of_file, read.progress, stored, last=last)
            for read, of_file in zip(group, documents, strict=True)
        ]
        ready = iter(self._chunk([change for of_file in changed for change in of_file]))
        for read, of_file in zip(group, changed, strict=True):
            self._queue(of_file, list(islice(ready, len(of_file))))
            yield read

    def add_items(
        self, items: Iterable[LoaderItem], progress: FileProgress, known: StoredSource | None = None, *, last: bool
    ) -> None:
        """Store what is new or changed, some documents at a time, of a long one each portion as it comes."""
        for batch in group_items(items):
            if isinstance(batch, ParsedDocument):
                self._process_portion(batch, progress, known, last=last)
            else:
                documents = self._collect_documents(batch, progress)
                stored = self._read_stored([(document, progress.source) for document in documents])
                changed = self._choose_changed(documents, progress, stored, last=last)
                self._queue(changed, self._chunk(changed))
            free_model()  # of languages: who made the collection needs it once

    def _collect_documents(self, items: Iterable[LoaderItem], progress: FileProgress) -> list[HashedDocument]:
        """Return the documents that can be stored; note everything else."""
        documents = []
        for item in items:
            match item:
                case ParseWarning(message):
                    progress.problems.append(message)
                case SkippedFile():
                    member = item.source.removeprefix(progress.source or "")
                    self._counts.skipped.append(SkippedFile(f"{progress.origin}{member}", item.reason))
                case ParsedDocument():
                    documents.append(item)
        return [
            HashedDocument(item, hash_content(item, progress.split))
            for item in documents
            if is_valid(item, progress) and not self._is_ignored(item.id, progress)
        ]

    def _is_ignored(self, key: str, progress: FileProgress) -> bool:
        """Return whether a document is kept away, which is reported like a skipped file."""
        if (progress.source, key) not in self._ignored:
            return False
        reason = f"deleted with --ignore; to take it again: vecsearch roots unignore {shlex.quote(key)}"
        self._counts.skipped.append(SkippedFile(progress.origin, reason))
        return True

    def _choose_changed(
        self, documents: Sequence[HashedDocument], progress: FileProgress, stored: StoredContents, *, last: bool
    ) -> list[ChangedDocument]:
        """Return what is to be stored; a document whose metadata alone has changed gets them."""
        chosen = []
        for document, digest in documents:
            prior = stored.documents.get(document.id)
            weight = progress.take(len(document.text) + 50)
            if not self._claim_id(document.id, prior, progress, last=last):
                continue
            same = prior is not None and (prior.source, prior.digest) == (progress.source, digest)
            relabelled = same and prior is not None and not prior.has_metadata(document.metadata)
            if not self._dry_run:
                if not same:
                    chosen.append(
                        ChangedDocument(document, digest, stored.encoded.get(digest), progress.source, progress.split, weight)
                    )
                elif relabelled:
                    self._batches.set_metadata(document.id, document.metadata, source=progress.source)
            self._count_document(document.id, new=prior is None, changed=not same or relabelled)
            self._progress.advance(weight if same else 0, 0)
            stored.documents[document.id] = StoredDocument(document.id, progress.source, digest, document.metadata)
        return chosen

    def _process_portion(
        self, document: ParsedDocument, progress: FileProgress, known: StoredSource | None, *, last: bool
    ) -> None:
        assert document.portion is not None
        weight = progress.take(len(document.text) + 50)
        if document.portion.start == 0:
            progress.long = self._begin_long_document(document, progress, known, last=last)
        if progress.long is None or not is_valid(document, progress):
            return
        progress.long.add(document, weight)
        if document.portion.is_last and (self._dry_run or not progress.long.is_changed):
            self._count_document(document.id, new=progress.long.is_new, changed=progress.long.is_changed)

    def _begin_long_document(
        self, document: ParsedDocument, progress: FileProgress, known: StoredSource | None, *, last: bool
    ) -> LongDocument | None:
        """Return what takes the portions of a document; None where its id is another's."""
        assert progress.source is not None  # lines of a pipe have no portions
        prior = find_stored(self._target, document.id)
        if self._is_ignored(document.id, progress):
            return None
        if not self._claim_id(document.id, prior, progress, last=last):
            return None
        is_elsewhere = is_mounted(to_absolute_path(self._source_root, progress.source), self._source_root)
        return LongDocument(
            self._target, self._batches, file=IndexedFile(progress.source, None, progress.split, None, is_elsewhere),
            get_encoder=self._get_encoder, advance=self._progress.advance, prior=prior, known=known, dry_run=self._dry_run,
        )  # fmt: skip

    def _read_stored(self, documents: Sequence[tuple[HashedDocument, str | None]]) -> StoredContents:
        """Return what is stored of some documents, each given with its source; encoded chunks only of those that have changed."""
        if not documents:
            return StoredContents({}, {})
        with self._target.open_snapshot() as snapshot:
            if snapshot is None:
                return StoredContents({}, {})
            stored = snapshot.find_stored_documents([document.id for (document, _), _ in documents])
            changed = {
                digest for (document, digest), source in documents
                if (prior := stored.get(document.id)) is None or (prior.source, prior.digest) != (source, digest)
            }  # fmt: skip
            encoded = find_encoded(snapshot, sorted(changed)) if changed and not self._dry_run else {}
        return StoredContents(stored, encoded)

    def _chunk(self, changed: Sequence[ChangedDocument]) -> list[ChunkedDocument | NewDocument]:
        """Chunk documents; a copy of what is stored is ready with its vectors."""
        if not changed:
            return []
        encoder = None if all(change.encoded for change in changed) else self._get_encoder()
        if encoder is not None:
            for change in changed:
                self.languages.add(change.document, read_name(encoder))

        def prepare(change: ChangedDocument) -> ChunkedDocument | NewDocument:
            if change.encoded is not None:
                return copy_encoded(change.document, change.digest, change.encoded, source=change.source)
            assert encoder is not None
            return chunk(change.document, change.split, encoder, source=change.source, digest=change.digest)

        return [prepare(change) for change in changed]

    def _queue(self, changed: Sequence[ChangedDocument], ready: Sequence[ChunkedDocument | NewDocument]) -> None:
        for change, new in zip(changed, ready, strict=True):
            if isinstance(new, NewDocument):
                self._batches.add_encoded(new, weight=change.weight)
            else:
                self._batches.add(new, weight=change.weight)

    def _claim_id(self, key: str, prior: StoredDocument | None, progress: FileProgress, *, last: bool) -> bool:
        """Return whether an id is this source's from now on; where it is another's to the `last`, that is a problem."""
        if self._is_id_free(key, prior, progress):
            progress.ids.add(key)
            return True
        progress.id_conflict = True
        if last:
            progress.problems.append(format_id_conflict(key, prior.source if prior else None, progress.source))
        return False

    def _is_id_free(self, key: str, prior: StoredDocument | None, progress: FileProgress) -> bool:
        """Return whether an id may be this source's: nobody else's, or that of a file that is missing."""
        if self._batches.is_waiting(key, other_than=progress.source):
            return False
        return prior is None or prior.source == progress.source or self._is_missing(prior.source)

    def _count_document(self, key: str, *, new: bool, changed: bool) -> None:
        self._counts.unchanged += not changed
        if changed and self._dry_run:  # what is written is counted when it is
            self._counts.added += new
            self._counts.updated += not new
            self._counts.planned.append(("add" if new else "update", key))
