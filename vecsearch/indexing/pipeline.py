"""The write story: scan → parse → chunk → commit, then embed.

A file is parsed when it is new, when its bytes have changed, or when its loader has; a document is chunked and encoded when its
title, text or split has changed and no other document says the same. Texts are committed as they are read, and found by their
words from then on; then their vectors are made, the newest first (`vector_filler`). So an unchanged folder costs no encoding, a
renamed file neither, and an interrupted run goes on where it stopped. The write lock is held for a batch, not for a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cache
from itertools import islice
from pathlib import Path
from time import perf_counter

from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.files import FailedFile, FoundFile, IndexReport, Scan, SkippedFile
from vecsearch.core.parallel import map_parallel
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning
from vecsearch.core.settings import LOADER_VERSION, READ_DOCUMENTS
from vecsearch.core.source_paths import to_absolute_path, to_stored_path
from vecsearch.core.types import CollectionSpec, Split
from vecsearch.documents.chunk_inputs import hash_content
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.parser_process import ParseRequest, ParseResult, ParserProcess
from vecsearch.encoders.base import TextEncoder
from vecsearch.indexing.batch_writer import BatchWriter, CollectionTarget, copy_encoded, count_stored, find_encoded, find_stored
from vecsearch.indexing.commit_check import format_id_conflict
from vecsearch.indexing.long_documents import LongDocument
from vecsearch.indexing.missing_files import find_missing_files, find_renamed_files, is_mounted, make_missing_check
from vecsearch.indexing.progress import Progress
from vecsearch.indexing.read_files import (
    ChangedDocument,
    FileGroup,
    FileProgress,
    HashedDocument,
    IndexCounts,
    ReadFile,
    StoredContents,
    group_items,
    is_valid,
)
from vecsearch.indexing.stages import ChunkedDocument, chunk
from vecsearch.indexing.vector_filler import VectorFiller
from vecsearch.stores.base import IndexedFile, NewDocument, Store, StoredDocument, StoredSource


class IndexPipeline:
    """One run over files, or over the lines of a pipe. A dry run writes nothing."""

    def __init__(
        self, store: Store, name: str, *, get_encoder: Callable[[], TextEncoder], spec: CollectionSpec, split: Split,
        progress: Progress, passwords: Sequence[str] = (), dry_run: bool = False, fill: bool = True,
    ) -> None:  # fmt: skip
        """Set up a run. `fill`: vectors are made, too, of all that waits for one."""
        self._target, self._source_root = CollectionTarget(store, name), store.source_root
        self._get_encoder = get_encoder = cache(get_encoder)  # the same one for all of the run: each commit looks again
        self._missing: set[str] = set()  # stored paths of files that are no more; their documents are removed at the end
        self._is_still_missing: Callable[[str], bool] = lambda source: False
        self._batches = BatchWriter(
            self._target, get_encoder=get_encoder, spec=spec, advance=progress.advance,
            may_replace=lambda source: source is not None and source in self._missing and self._is_still_missing(source),
            vectors_follow=True,
        )  # fmt: skip
        self._fill = fill
        self._filler = VectorFiller(self._target, get_encoder=get_encoder, progress=progress, source_root=self._source_root)
        self._split, self._progress, self._passwords, self._dry_run = split, progress, passwords, dry_run
        self._counts, self._start_time = IndexCounts(), perf_counter()
        self._errors: dict[str, str] = {}

    def run(self, scan: Scan, *, allow_empty: bool) -> IndexReport:
        """Bring the collection up to what the scanned roots hold."""
        self._counts.skipped.extend(scan.skipped)
        sources = self._read_sources(scan)
        self._missing, doubts = find_missing_files(sources, scan, self._source_root, allow_empty=allow_empty)
        renamed = find_renamed_files(sources, scan, self._source_root)
        self._missing |= renamed.keys()
        self._is_still_missing = make_missing_check(scan, self._source_root, renamed, self._errors)
        self._counts.failed.extend([*scan.failed, *doubts])
        failed = ((to_stored_path(self._source_root, Path(failure.source)), failure.error) for failure in scan.failed)
        self._errors.update((name, error) for name, error in failed if name in sources)
        self._progress.begin(sum(file.size for file in scan.files))
        conflicting = self._index_files(scan.files, sources, last=False)
        if conflicting:  # by now whoever lets an id go has done so
            self._batches.flush()
            self._index_files(conflicting, {}, last=True)
        self._batches.flush()
        self._remove_missing()
        return self._build_report()

    def upsert(self, items: Iterable[LoaderItem], *, origin: str, size: int) -> IndexReport:
        """Add or replace documents that come from no file; removes nothing."""
        progress = FileProgress(origin, None, size)
        self._progress.begin(size)
        self._process_items(items, progress, last=True)
        self._counts.failed.extend(FailedFile(origin, problem) for problem in progress.problems)
        self._batches.flush()
        return self._build_report()

    def _build_report(self) -> IndexReport:
        if not self._dry_run:
            self._record_errors()
            if self._fill:
                self._counts.failed.extend(self._filler.run().failed)
            self._refresh_indexes()
        documents, chunks, pending = count_stored(self._target)
        counts, written, seconds = self._counts, self._batches.counts, round(perf_counter() - self._start_time, 3)
        return IndexReport(
            counts.added + written.added, counts.updated + written.replaced + written.relabelled, counts.unchanged,
            counts.removed + written.removed, tuple(counts.failed), tuple(counts.skipped),
            documents, chunks, seconds,
            pending, tuple(counts.planned) if self._dry_run else None,
        )  # fmt: skip

    def _record_errors(self) -> None:
        for left_out in self._batches.left_out:
            source = left_out.source
            origin = "" if source is None else to_absolute_path(self._source_root, source).as_posix()
            self._counts.failed.append(FailedFile(origin, str(left_out)))
            if source is not None:
                self._errors[source] = str(left_out)  # so that the file is read again by the next run
        if self._errors:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.record_failures(self._errors)

    def _refresh_indexes(self) -> None:
        with self._target.open_writer() as writer:
            if writer.info is not None:
                writer.refresh_indexes()

    def _read_sources(self, scan: Scan) -> dict[str, StoredSource]:
        """Return what is known of the files that this run can say anything about."""
        roots = [*scan.fully_scanned, *scan.linked_roots, *scan.ignored, *(Path(failure.source) for failure in scan.failed)]
        outside = [file.path for file in scan.files if not any(file.path.is_relative_to(root) for root in scan.fully_scanned)]
        with self._target.open_snapshot() as snapshot:
            return {} if snapshot is None else snapshot.find_stored_sources(below=[*roots, *outside])

    # -- files

    def _index_files(self, files: Sequence[FoundFile], sources: Mapping[str, StoredSource], *, last: bool) -> list[FoundFile]:
        """Index each file, small ones together; returns those that another look, the `last`, may do more for."""
        conflicting: list[FoundFile] = []
        with ParserProcess(passwords=self._passwords) as parser:
            results = parser.read(self._make_request(file, sources) for file in files)
            group = FileGroup()
            for result, file in zip(results, files, strict=False):
                group.add(self._begin_file(file, result, sources.get(result.request.name)))
                if group.is_full:
                    conflicting += self._index_group(group.files, last=last)
                    group = FileGroup()
            conflicting += self._index_group(group.files, last=last)
        return conflicting

    def _make_request(self, file: FoundFile, sources: Mapping[str, StoredSource]) -> ParseRequest:
        name = to_stored_path(self._source_root, file.path)
        known = sources.get(name)
        same = known is not None and (known.split, known.error, known.loader_version) == (self._split, None, LOADER_VERSION)
        return ParseRequest(file.path, name, file.size, known_digest=known.digest if known is not None and same else None)

    def _begin_file(self, file: FoundFile, result: ParseResult, known: StoredSource | None) -> ReadFile:
        """Read a file's first items; of a small one that is all."""
        progress = FileProgress(file.path.as_posix(), result.request.name, file.size)
        read = ReadFile(file, result, known, progress, result.read_items())
        try:
            read.take_first(READ_DOCUMENTS)
        except UnreadableFileError as error:
            read.error = error
        return read

    def _index_group(self, group: Sequence[ReadFile], *, last: bool) -> list[FoundFile]:
        """Index files whose beginnings are compared with the store together; returns those that want another look."""
        documents = [self._collect_documents(read.first, read.progress) for read in group]
        stored = self._read_stored([
            (document, read.progress.source) for read, of_file in zip(group, documents, strict=True) for document in of_file
        ])  # fmt: skip
        changed = [
            self._choose_changed(of_file, read.progress, stored, last=last)
            for read, of_file in zip(group, documents, strict=True)
        ]
        ready = iter(self._chunk([change for of_file in changed for change in of_file]))
        conflicting = []
        for read, of_file in zip(group, changed, strict=True):
            self._store(of_file, list(islice(ready, len(of_file))))
            if self._index_rest(read, last=last):
                conflicting.append(read.file)
        return conflicting

    def _index_rest(self, read: ReadFile, *, last: bool) -> bool:
        """Return True when the file wants another look, which is promised unless this is the `last`."""
        file, known, progress = read.file, read.known, read.progress
        name = read.result.request.name
        try:
            if read.error is not None:
                raise read.error
            self._process_items(read.rest, progress, known, last=last)
        except (BinaryFileError, EmptyFileError) as error:
            self._record_without_text(file, known, error, name)
        except UnreadableFileError as error:
            self._record_failure(file, str(error), known, name)
        else:
            if progress.id_conflict and not last:
                return True
            self._finish_file(file, read.result, progress, known)
        finally:
            if progress.long is not None:
                progress.long.close()
        self._progress.advance(progress.bytes_left, 0)
        return False

    def _record_without_text(self, file: FoundFile, known: StoredSource | None, error: InputError, name: str) -> None:
        if file.explicit or (known and known.documents):
            self._record_failure(file, str(error), known, name)
        else:
            self._counts.skipped.append(SkippedFile(file.path.as_posix(), str(error)))
            self._missing |= {name} if known else set()

    def _record_failure(self, file: FoundFile, reason: str, known: StoredSource | None, name: str) -> None:
        note = f"; what it gave before is kept ({known.documents:,})" if known and known.documents else ""
        self._counts.failed.append(FailedFile(file.path.as_posix(), reason + note))
        self._errors[name] = reason

    def _finish_file(self, file: FoundFile, result: ParseResult, progress: FileProgress, known: StoredSource | None) -> None:
        """Mark a file as read: all of it is stored, or waits to be."""
        if result.unchanged:
            self._counts.unchanged += known.documents if known else 0
            return
        self._counts.failed.extend(FailedFile(progress.origin, problem) for problem in progress.problems)
        name, problem = result.request.name, "; ".join(progress.problems[:3])
        is_whole = not problem
        self._errors.update({} if is_whole else {name: problem})
        if self._dry_run:
            self._plan_removals([name] if is_whole else [], keep_ids=progress.ids)
            return
        read = IndexedFile(name, result.digest, self._split, problem or None, is_mounted(file.path, self._source_root))
        self._batches.finish_file(read, progress.ids, removes_others=is_whole)

    # -- documents

    def _process_items(
        self, items: Iterable[LoaderItem], progress: FileProgress, known: StoredSource | None = None, *, last: bool
    ) -> None:
        """Store what is new or changed, some documents at a time, of a long one each portion as it comes."""
        for batch in group_items(items):
            if isinstance(batch, ParsedDocument):
                self._process_portion(batch, progress, known, last=last)
                continue
            documents = self._collect_documents(batch, progress)
            stored = self._read_stored([(document, progress.source) for document in documents])
            changed = self._choose_changed(documents, progress, stored, last=last)
            self._store(changed, self._chunk(changed))

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
        return [HashedDocument(item, hash_content(item, self._split)) for item in documents if is_valid(item, progress)]

    def _choose_changed(
        self, documents: Sequence[HashedDocument], progress: FileProgress, stored: StoredContents, *, last: bool
    ) -> list[ChangedDocument]:
        """Return what is to be stored; a document whose metadata alone has changed gets them."""
        chosen = []
        for document, digest in documents:
            prior = stored.documents.get(document.id)
            weight = min(progress.bytes_left, len(document.text) + 50)
            progress.bytes_left -= weight
            if not self._claim_id(document.id, prior, progress, last=last):
                continue
            same = prior is not None and (prior.source, prior.digest) == (progress.source, digest)
            relabelled = same and prior is not None and not prior.has_metadata(document.metadata)
            if not self._dry_run:
                if not same:
                    chosen.append(ChangedDocument(document, digest, stored.encoded.get(digest), progress.source, weight))
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
        weight = min(progress.bytes_left, len(document.text) + 50)
        progress.bytes_left -= weight
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
        if not self._claim_id(document.id, prior, progress, last=last):
            return None
        is_elsewhere = is_mounted(Path(progress.origin), self._source_root)
        return LongDocument(
            self._target, self._batches, file=IndexedFile(progress.source, None, self._split, None, is_elsewhere),
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
        """Chunk documents on all cores, where tokenizing lets others run; a copy of what is stored is ready with its vectors."""
        if not changed:
            return []
        encoder = None if all(change.encoded for change in changed) else self._get_encoder()

        def prepare(change: ChangedDocument) -> ChunkedDocument | NewDocument:
            if change.encoded is not None:
                return copy_encoded(change.document, change.digest, change.encoded, source=change.source)
            assert encoder is not None
            return chunk(change.document, self._split, encoder, source=change.source)

        return map_parallel(prepare, changed)

    def _store(self, changed: Sequence[ChangedDocument], ready: Sequence[ChunkedDocument | NewDocument]) -> None:
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
        return prior is None or prior.source == progress.source or prior.source in self._missing

    def _count_document(self, key: str, *, new: bool, changed: bool) -> None:
        self._counts.unchanged += not changed
        if changed and self._dry_run:  # what is written is counted when it is
            self._counts.added += new
            self._counts.updated += not new
            self._counts.planned.append(("add" if new else "update", key))

    def _plan_removals(self, names: Sequence[str], *, keep_ids: Set[str] = frozenset()) -> None:
        """Note for a dry run what goes with, or from, some files."""
        with self._target.open_snapshot() as snapshot:
            stored = {} if snapshot is None or not names else snapshot.list_source_document_ids(names)
        keys = [key for name in sorted(stored) for key in sorted(stored[name] - keep_ids)]
        self._counts.planned.extend(("remove", key) for key in keys)
        self._counts.removed += len(keys)

    # -- what is no longer there

    def _remove_missing(self) -> None:
        """Remove what is missing, last, so that a renamed file's vectors are still there when its new name is read.

        It is looked at again, on the disk and in the store: another run may have brought it back meanwhile.
        """
        if self._dry_run:
            self._plan_removals(sorted(self._missing))
        if self._dry_run or not self._missing:
            return
        with self._target.open_writer() as writer:
            if self._batches.check_unchanged(writer) is not None:
                self._counts.removed += writer.delete_sources(sorted(filter(self._is_still_missing, self._missing)))
