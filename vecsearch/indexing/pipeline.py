"""The write story: scan → compare → load → split → encode → commit.

A file is loaded when it is new, when its bytes have changed, or when its loader has; a document is encoded when its title, text
or split has changed and no other document says the same; a batch of chunks is committed as soon as it is encoded. So an
unchanged folder costs no encoding, a renamed file neither, and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from vecsearch.core import source_paths
from vecsearch.core.batched import batched
from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.settings import LOADER_VERSION, READ_DOCUMENTS
from vecsearch.core.types import (
    CollectionSpec,
    FailedFile,
    FoundFile,
    IndexReport,
    LoaderItem,
    Metadata,
    ParsedDocument,
    ParseWarning,
    Scan,
    SkippedFile,
    Split,
)
from vecsearch.documents.chunk_inputs import hash_content
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.parser_process import ParseRequest, ParseResult, ParserProcess
from vecsearch.documents.validation import validate_document
from vecsearch.encoders.base import Encoder
from vecsearch.indexing.batch_writer import BatchWriter, Progress, format_id_conflict
from vecsearch.indexing.missing_files import find_missing_files, is_mounted
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.read.document_reader import StoredDocument, StoredSource
from vecsearch.stores.sqlite.read.reader import Reader
from vecsearch.stores.sqlite.write import compaction
from vecsearch.stores.sqlite.write.writer import IndexedFile, Writer


@dataclass(slots=True)
class IndexCounts:
    """Documents added, updated, unchanged, removed; files that failed or were skipped; what a dry run would do."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[FailedFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    planned: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class FileProgress:
    """How far one file, or a stream, has come: what is wrong with it, the ids it gave, the bytes not yet reported as done."""

    origin: str
    source: str | None
    bytes_left: float
    problems: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    id_conflict: bool = False  # an id of it belongs to another file, which may be about to let it go


class IndexPipeline:
    """One run over files, or over the lines of a pipe. The caller holds the write lock; a dry run writes nothing."""

    def __init__(
        self, database: Database, name: str, *, get_encoder: Callable[[], Encoder], spec: CollectionSpec, split: Split,
        progress: Progress, passwords: Sequence[str] = (), dry_run: bool = False,
    ) -> None:  # fmt: skip
        self._database, self._name, self._parent = database, name, database.parent
        self._reader, self._writer = Reader(database, name), Writer(database, name)
        self._batches = BatchWriter(database, name, get_encoder=get_encoder, spec=spec, advance=progress.advance)
        self._split, self._progress, self._passwords, self._dry_run = split, progress, passwords, dry_run
        self._counts, self._start_time = IndexCounts(), perf_counter()
        self._missing: set[str] = set()  # stored paths of files that are no more; their documents are removed at the end
        self._errors: dict[str, str] = {}

    def run(self, scan: Scan, *, allow_empty: bool) -> IndexReport:
        """Bring the collection up to what the scanned roots hold."""
        self._counts.skipped.extend(scan.skipped)
        known = self._read_known_sources()
        self._missing, kept = find_missing_files(known, scan, self._parent, allow_empty=allow_empty)
        self._counts.failed.extend([*scan.failed, *kept])
        self._errors.update(
            {
                name: each.error
                for each in scan.failed
                if (name := source_paths.to_stored_path(self._parent, Path(each.source))) in known
            }
        )
        self._progress.begin(sum(found.size for found in scan.files))
        contested = self._index_files(scan.files, known, last=False)
        if contested:  # by now whoever lets an id go has done so
            self._batches.flush()
            self._index_files(contested, {}, last=True)
        self._batches.flush()
        self._remove_missing()
        return self._build_report()

    def upsert(self, items: Iterable[LoaderItem], *, origin: str, size: int) -> IndexReport:
        """Add or replace documents that come from no file; removes nothing."""
        run = FileProgress(origin, None, size)
        self._progress.begin(size)
        self._store_items(items, run, last=True)
        self._counts.failed.extend(FailedFile(origin, problem) for problem in run.problems)
        self._batches.flush()
        return self._build_report()

    def _build_report(self) -> IndexReport:
        with self._reader.open_snapshot() as snapshot:
            documents, chunks = (0, 0) if snapshot is None else snapshot.count_documents_and_chunks()
        if snapshot is not None and not self._dry_run:
            if self._errors:
                self._writer.record_failures(self._errors)
            compaction.publish_if_possible(self._database, self._name)
        tally, seconds = self._counts, round(perf_counter() - self._start_time, 3)
        return IndexReport(
            tally.added, tally.updated, tally.unchanged, tally.removed, tuple(tally.failed), tuple(tally.skipped), documents,
            chunks, seconds, tuple(tally.planned) if self._dry_run else None,
        )  # fmt: skip

    def _read_known_sources(self) -> dict[str, StoredSource]:
        with self._reader.open_snapshot() as snapshot:
            return {} if snapshot is None else snapshot.document_reader.load_sources()

    # -- files

    def _index_files(self, files: Sequence[FoundFile], known: dict[str, StoredSource], *, last: bool) -> list[FoundFile]:
        """Take in each file; gives those that another look, the `last`, may do more for."""
        contested = []
        with ParserProcess(passwords=self._passwords) as parser:
            readings = parser.read(self._make_request(found, known) for found in files)
            for reading, found in zip(readings, files, strict=False):
                if self._index_file(found, reading, known.get(reading.request.name), last=last):
                    contested.append(found)
        return contested

    def _make_request(self, file: FoundFile, known: dict[str, StoredSource]) -> ParseRequest:
        name = source_paths.to_stored_path(self._parent, file.path)
        old = known.get(name)
        same = old is not None and (old.split, old.error, old.loader_version) == (self._split.value, None, LOADER_VERSION)
        return ParseRequest(file.path, name, file.size, known_digest=old.digest if old is not None and same else None)

    def _index_file(self, file: FoundFile, reading: ParseResult, known: StoredSource | None, *, last: bool) -> bool:
        """True when the file wants another look, which is promised unless this is the `last`."""
        run = FileProgress(file.path.as_posix(), reading.request.name, file.size)
        try:
            self._store_items(reading.read_items(), run, last=last)
        except (BinaryFileError, EmptyFileError) as error:
            self._record_without_text(file, known, error, reading.request.name)
        except UnreadableFileError as error:
            self._record_failure(file, str(error), known, reading.request.name)
        else:
            if run.id_conflict and not last:
                return True
            self._finish_file(file, reading, run, known)
        self._progress.advance(run.bytes_left, 0)
        return False

    def _record_without_text(self, file: FoundFile, known: StoredSource | None, error: InputError, name: str) -> None:
        if file.explicit or (known and known.document_count):
            self._record_failure(file, str(error), known, name)
        else:
            self._counts.skipped.append(SkippedFile(file.path.as_posix(), str(error)))
            self._missing |= {name} if known else set()

    def _record_failure(self, file: FoundFile, reason: str, known: StoredSource | None, name: str) -> None:
        kept = f"; what it gave before is kept ({known.document_count:,})" if known and known.document_count else ""
        self._counts.failed.append(FailedFile(file.path.as_posix(), reason + kept))
        self._errors[name] = reason

    def _finish_file(self, file: FoundFile, reading: ParseResult, run: FileProgress, known: StoredSource | None) -> None:
        """All of a file is stored, or waits to be."""
        if reading.unchanged:
            self._counts.unchanged += known.document_count if known else 0
            return
        self._counts.failed.extend(FailedFile(run.origin, problem) for problem in run.problems)
        name = reading.request.name
        gone = () if run.problems else self._find_removed_ids(name, run.ids)
        self._plan_changes("remove", *gone)
        self._counts.removed += len(gone)
        if not self._dry_run:
            self._batches.finish_file(
                IndexedFile(
                    path=name, digest=reading.digest or "", split=self._split, error="; ".join(run.problems[:3]) or None,
                    mounted=is_mounted(file.path, self._parent), removed_ids=gone,
                )
            )  # fmt: skip

    def _find_removed_ids(self, name: str, ids: set[str]) -> tuple[str, ...]:
        with self._reader.open_snapshot() as snapshot:
            return () if snapshot is None else tuple(sorted(snapshot.document_reader.list_source_document_ids(name) - ids))

    # -- documents

    def _store_items(self, items: Iterable[LoaderItem], run: FileProgress, *, last: bool) -> None:
        """Store what is new or changed, some documents at a time."""
        for some in batched(items, READ_DOCUMENTS):
            drafts = []
            for item in some:
                match item:
                    case ParseWarning(what):
                        run.problems.append(what)
                    case SkippedFile():
                        self._counts.skipped.append(
                            SkippedFile(f"{run.origin}{item.source.removeprefix(run.source or '')}", item.reason)
                        )
                    case ParsedDocument():
                        drafts.append(item)
            if sound := [draft for draft in drafts if _is_valid(draft, run)]:
                self._store_documents(sound, run, last=last)

    def _store_documents(self, drafts: Sequence[ParsedDocument], run: FileProgress, *, last: bool) -> None:
        digests = {draft.id: hash_content(draft, self._split) for draft in drafts}
        with self._reader.open_snapshot() as snapshot:
            stored = {} if snapshot is None else snapshot.document_reader.load_stored_documents(list(digests))
            twins = {} if snapshot is None else snapshot.document_reader.find_duplicates(list(digests.values()))
        relabelled: dict[str, Metadata] = {}
        for draft in drafts:
            prior, digest = stored.get(draft.id), digests[draft.id]
            weight = min(run.bytes_left, len(draft.text) + 50)
            run.bytes_left -= weight
            if not self._claim_id(draft.id, prior, run, last=last):
                continue
            same = prior is not None and (prior.source, prior.digest) == (run.source, digest)
            if not same:
                self._store_document(draft, digest, twins.get(digest), prior, run, weight)
            elif prior is not None and prior.metadata != dict(draft.metadata):
                relabelled[draft.id] = draft.metadata
            self._count_document(draft.id, new=prior is None, changed=not same or draft.id in relabelled)
            self._progress.advance(weight if same else 0, 0)
        if relabelled and not self._dry_run:
            self._writer.update_metadata(relabelled)

    def _store_document(
        self, draft: ParsedDocument, digest: str, twin: int | None, prior: StoredDocument | None, run: FileProgress, weight: float
    ) -> None:
        if self._dry_run:
            return
        if twin is None or not self._batches.add_twin(draft, digest, twin, source=run.source, weight=weight):
            self._batches.add(draft, digest, source=run.source, split=self._split, weight=weight, replaces=prior is not None)

    def _claim_id(self, key: str, prior: StoredDocument | None, run: FileProgress, *, last: bool) -> bool:
        """Whether an id is this source's from now on; where it is another's to the `last`, that is a problem."""
        if self._is_id_free(key, prior, run):
            run.ids.add(key)
            return True
        run.id_conflict = True
        if last:
            run.problems.append(format_id_conflict(key, prior.source if prior else None, run.source))
        return False

    def _is_id_free(self, key: str, prior: StoredDocument | None, run: FileProgress) -> bool:
        """Whether an id may be this source's: nobody else's, or that of a file that is gone."""
        if self._batches.is_pending(key, other_than=run.source):
            return False
        return prior is None or prior.source == run.source or (prior.source is not None and prior.source in self._missing)

    def _count_document(self, key: str, *, new: bool, changed: bool) -> None:
        self._counts.added += new
        self._counts.updated += changed and not new
        self._counts.unchanged += not changed
        if changed:
            self._plan_changes("add" if new else "update", key)

    def _plan_changes(self, verb: str, *keys: str) -> None:
        if self._dry_run:
            self._counts.planned.extend((verb, key) for key in keys)

    # -- what is no longer there

    def _remove_missing(self) -> None:
        """Last, so that a renamed file's vectors are still there when its new name is read."""
        if self._missing and self._dry_run:
            with self._reader.open_snapshot() as snapshot:
                keys = (
                    []
                    if snapshot is None
                    else [
                        key for name in sorted(self._missing) for key in snapshot.document_reader.list_source_document_ids(name)
                    ]
                )
            self._plan_changes("remove", *keys)
            self._counts.removed += len(keys)
        elif self._missing:
            self._counts.removed += self._writer.delete_sources(sorted(self._missing))


def _is_valid(draft: ParsedDocument, run: FileProgress) -> bool:
    """Whether a document can be stored; what is wrong with it is noted before anything is asked or made of it."""
    try:
        validate_document(draft)
    except InputError as error:
        run.problems.append(str(error))
        return False
    return True


def has_documents(files: Iterable[FoundFile], passwords: Sequence[str] = ()) -> bool:
    """Whether one of the files, read now, has anything to index."""
    with ParserProcess(passwords=passwords) as parser:
        for reading in parser.read(ParseRequest(found.path, found.path.name, found.size) for found in files):
            try:
                if any(isinstance(item, ParsedDocument) for item in reading.read_items()):
                    return True
            except UnreadableFileError:
                continue
    return False
