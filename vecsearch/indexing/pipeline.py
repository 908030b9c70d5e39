"""The write story: scan → parse → chunk → commit, then embed.

A file is parsed when it is new, when its bytes have changed, or when its loader has; a document is chunked and encoded when its
title, text or split has changed and no other document says the same. Texts are committed as they are read, and found by their
words from then on; then their vectors are made, the newest first (`vector_filler`). So an unchanged folder costs no encoding, a
renamed file neither, and an interrupted run goes on where it stopped. The write lock is held for a batch, not for a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from time import perf_counter

from vecsearch.core.errors import InputError, UnavailableError, UnreadableFileError
from vecsearch.core.files import FailedFile, FoundFile, IndexReport, RowFile, Scan, SkippedFile
from vecsearch.core.id_table import AnyIds
from vecsearch.core.parsed import LoaderItem
from vecsearch.core.row_options import RowOptions
from vecsearch.core.settings import LOADER_VERSION, READ_DOCUMENTS
from vecsearch.core.source_paths import parse_path, to_shown_path, to_stored_path
from vecsearch.core.stop_signal import NO_STOP, RunStoppedError, StopSignal
from vecsearch.core.tokenizer_window import TokenizerWindow, find_token_window
from vecsearch.core.types import CollectionSpec, Split
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import can_hold_media
from vecsearch.documents.loaders.raw_file import MediaWish
from vecsearch.documents.parser_process import ParseRequest, ParseResult, ParserProcess
from vecsearch.encoders.base import TextEncoder
from vecsearch.indexing.batch_writer import BatchWriter
from vecsearch.indexing.document_indexer import DocumentIndexer
from vecsearch.indexing.media_vectors import list_media_kinds
from vecsearch.indexing.missing_files import find_device, find_missing_files, find_renamed_files, make_missing_check
from vecsearch.indexing.progress import Progress
from vecsearch.indexing.read_files import FileGroup, FileProgress, IndexCounts, ReadFile, choose_row_options
from vecsearch.indexing.root_plan import RootPlan
from vecsearch.indexing.run_records import RootRecorder, SkipRecorder, explain_gone
from vecsearch.indexing.vector_filler import VectorFiller
from vecsearch.indexing.write_target import CollectionTarget, count_stored
from vecsearch.stores.base import IndexedFile, Store, StoredSource
from vecsearch.text.analyzer import STEMMER_DEFAULT, get_analyzer
from vecsearch.text.language import free_model


class IndexPipeline:
    """One run over files, or over the lines of a pipe. A dry run writes nothing."""

    def __init__(
        self, store: Store, name: str, *, get_encoder: Callable[[], TextEncoder], spec: CollectionSpec, plan: RootPlan,
        progress: Progress, passwords: Sequence[str] = (), dry_run: bool = False, fill: bool = True, stop: StopSignal = NO_STOP,
        rows: RowOptions | None = None,
    ) -> None:  # fmt: skip
        """Set up a run over the roots of a plan. `fill`: vectors are made, too, of all that waits for one."""
        self._target, self._source_root = CollectionTarget(store, name), store.source_root
        get_encoder = cache(get_encoder)  # the same one for all of the run: each commit looks again
        self._missing: set[str] = set()  # stored paths of files that are no more; their documents are removed at the end
        self._is_still_missing: Callable[[str], bool] = lambda source: False
        self._batches = BatchWriter(
            self._target, get_encoder=get_encoder, spec=spec, advance=progress.advance,
            may_replace=lambda source: source is not None and source in self._missing and self._is_still_missing(source),
            vectors_follow=True, prepare=store.prepare,
        )  # fmt: skip
        self._fill, self._stop, self._get_encoder = fill, stop, get_encoder
        self._filler = VectorFiller(
            self._target, get_encoder=get_encoder, progress=progress, stop=stop, source_root=self._source_root,
            passwords=(*passwords, *plan.passwords),
        )  # fmt: skip
        self._get_media = cache(lambda: MediaWish(list_media_kinds(get_encoder())))
        self._plan, self._progress, self._passwords, self._dry_run = plan, progress, (*passwords, *plan.passwords), dry_run
        self._roots, self._ignored = RootRecorder(self._target, self._source_root, plan), set[tuple[str | None, str]]()
        self._skips = SkipRecorder(self._target, self._source_root)
        self._counts, self._start_time = IndexCounts(), perf_counter()
        self._documents = DocumentIndexer(
            self._target, self._batches, get_encoder=get_encoder, source_root=self._source_root,
            is_missing=lambda source: source in self._missing, counts=self._counts, progress=progress, dry_run=dry_run,
            ignored=self._ignored,
        )  # fmt: skip
        self._errors: dict[str, str] = {}
        self._device = find_device(self._source_root)
        self._rows = rows

    def run(self, scan: Scan, *, allow_empty: bool) -> IndexReport:
        """Bring the collection up to what the scanned roots hold. Told to stop, it keeps what it has stored."""
        if not self._dry_run:
            self._roots.record()
        try:
            self._index_scan(scan, allow_empty=allow_empty)
        except RunStoppedError:
            self._batches.flush()  # what is read, so that it need not be read again
        return self._build_report()

    def _index_scan(self, scan: Scan, *, allow_empty: bool) -> None:
        self._stop.check()
        sources = self._read_sources(scan)
        self._counts.failed.extend(explain_gone(fault, sources, self._source_root) for fault in scan.failed)
        self._counts.skipped.extend(self._skips.add_scan(scan, sources))
        sources = {name: known for name, known in sources.items() if known.skipped is None}
        names = (to_stored_path(self._source_root, path) for path in scan.list_failed_paths())
        self._errors.update((name, fault.error) for name, fault in zip(names, scan.failed, strict=True) if name in sources)
        renamed = self._find_missing(sources, scan, allow_empty=allow_empty)
        self._is_still_missing = make_missing_check(scan, self._source_root, renamed, self._errors)
        self._progress.begin(len(scan.files))
        conflicting = self._index_files(scan.files, sources, last=False)
        if conflicting:  # by now whoever lets an id go has done so
            self._batches.flush()
            self._index_files(conflicting, {}, last=True)
        self._batches.flush()
        self._stop.check()
        self._remove_missing()
        if not self._dry_run:
            self._skips.remove_outdated()

    def _find_missing(self, sources: Mapping[str, StoredSource], scan: Scan, *, allow_empty: bool) -> dict[str, str]:
        """Note which files are missing; return those of them that are stored by another path by now, each with that."""
        missing, doubts = find_missing_files(sources, scan, self._source_root, allow_empty=allow_empty, stop=self._stop)
        renamed = find_renamed_files(sources, scan, self._source_root, stop=self._stop)
        self._missing = missing | renamed.keys()
        self._counts.failed.extend(doubts)
        return renamed

    def upsert(self, items: Iterable[LoaderItem], *, origin: str, size: int, split: Split) -> IndexReport:
        """Add or replace documents that come from no file; removes nothing."""
        progress = FileProgress(origin, None, size, split)
        self._progress.begin(size)
        self._documents.add_items(items, progress, last=True)
        self._counts.failed.extend(FailedFile(origin, problem) for problem in progress.problems)
        self._batches.flush()
        return self._build_report()

    def _build_report(self) -> IndexReport:
        if not self._dry_run:
            self._record_errors()
            self._skips.record()
            self._roots.finish()
            if self._fill:
                self._counts.failed.extend(self._filler.run().failed)
            if not self._stop.is_set:
                self._refresh_indexes()
        self._warn_of_languages()
        documents, chunks, pending = count_stored(self._target)
        counts, written, seconds = self._counts, self._batches.counts, round(perf_counter() - self._start_time, 3)
        return IndexReport(
            counts.added + written.added, counts.updated + written.replaced + written.relabelled, counts.unchanged,
            counts.removed + written.removed, tuple(counts.failed), tuple(counts.skipped),
            documents, chunks, seconds,
            pending, self._stop.is_set, self._plan.reread, tuple(counts.planned) if self._dry_run else None,
            tuple(counts.row_files),
        )  # fmt: skip

    def _warn_of_languages(self) -> None:
        with self._target.open_snapshot() as snapshot:
            info = None if snapshot is None else snapshot.info
        if info is not None:
            self._documents.languages.warn(info.encoder.model, info.name)
        free_model()

    def _record_errors(self) -> None:
        for left_out in self._batches.left_out:
            source = left_out.source
            origin = "" if source is None else to_shown_path(self._source_root, source)
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
        roots = [*scan.fully_scanned, *scan.linked_roots, *scan.ignored, *scan.list_failed_paths()]
        outside = [file.path for file in scan.files if not any(file.path.is_relative_to(root) for root in scan.fully_scanned)]
        with self._target.open_snapshot() as snapshot:
            if snapshot is None:
                return {}
            ignored = snapshot.load_roots().ignored
            self._ignored |= {(to_stored_path(self._source_root, Path(parse_path(each.source))), each.id) for each in ignored}
            return snapshot.find_stored_sources(below=[*roots, *outside])

    # -- files

    def _index_files(self, files: Sequence[FoundFile], sources: Mapping[str, StoredSource], *, last: bool) -> list[FoundFile]:
        """Index each file, small ones together; returns those that another look, the `last`, may do more for."""
        conflicting: list[FoundFile] = []
        window = self._find_window(files, sources)
        with ParserProcess(passwords=self._passwords, stop=self._stop, window=window) as parser:
            requests = (self._make_request(file, sources) for file in files)
            results = parser.read(requests, meanwhile=partial(_load_ahead, window))
            group = FileGroup()
            for result, file in zip(results, files, strict=False):
                group.add(self._begin_file(file, result, sources.get(result.request.name)))
                if group.is_full:
                    conflicting += self._index_group(group.files, last=last)
                    group = FileGroup()
            conflicting += self._index_group(group.files, last=last)
        return conflicting

    def _find_window(self, files: Sequence[FoundFile], sources: Mapping[str, StoredSource]) -> TokenizerWindow | None:
        """Return what the parser is to fit chunks to, where files are new; else most are unchanged, and need no encoder."""
        if self._dry_run or all(to_stored_path(self._source_root, file.path) in sources for file in files):
            return None
        try:
            return find_token_window(self._get_encoder())
        except UnavailableError:  # it is raised where there is something to encode
            return None

    def _make_request(self, file: FoundFile, sources: Mapping[str, StoredSource]) -> ParseRequest:
        name = to_stored_path(self._source_root, file.path)
        known = sources.get(name)
        own = self._plan.get_options(file.path)
        same = known is not None and (known.split, known.error, known.loader_version) == (own.split, None, LOADER_VERSION)
        if file.explicit and any(path == name for path, _ in self._ignored):  # read to say what is kept away
            same = False
        return ParseRequest(
            file.path, name, file.size, known_digest=known.digest if known is not None and same else None,
            rows=choose_row_options(own.rows, file), explicit=file.explicit,
            media=self._get_media() if can_hold_media(file.path.suffix.lower()) else MediaWish(), split=own.split,
        )  # fmt: skip

    def _begin_file(self, file: FoundFile, result: ParseResult, known: StoredSource | None) -> ReadFile:
        """Read a file's first items; of a small one that is all."""
        split, unit = self._plan.get_options(file.path).split, 1 / max(1, file.size)
        progress = FileProgress(file.source, result.request.name, max(1, file.size), split, unit)
        read = ReadFile(file, result, known, progress, result.read_items())
        try:
            read.take_first(READ_DOCUMENTS)
        except UnreadableFileError as error:
            read.error = error
        return read

    def _index_group(self, group: Sequence[ReadFile], *, last: bool) -> list[FoundFile]:
        """Index files whose beginnings are compared with the store together; returns those that want another look."""
        conflicting = []
        for read in self._documents.add_beginnings(group, last=last):
            if self._index_rest(read, last=last):
                conflicting.append(read.file)
            self._stop.check()
        if not self._dry_run:
            self._roots.record()
        return conflicting

    def _index_rest(self, read: ReadFile, *, last: bool) -> bool:
        """Return True when the file wants another look, which is promised unless this is the `last`."""
        file, known, progress = read.file, read.known, read.progress
        name = read.result.request.name
        try:
            if read.error is not None:
                raise read.error
            self._documents.add_items(read.rest, progress, known, last=last)
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
        self._progress.advance(progress.take(), 0)
        return False

    def _record_without_text(self, file: FoundFile, known: StoredSource | None, error: InputError, name: str) -> None:
        if file.explicit or (known and known.documents):
            self._record_failure(file, str(error), known, name)
        else:
            self._counts.skipped.append(self._skips.add(name, SkippedFile(file.source, str(error))))

    def _record_failure(self, file: FoundFile, reason: str, known: StoredSource | None, name: str) -> None:
        note = f"; what it gave before is kept ({known.documents:,})" if known and known.documents else ""
        self._counts.failed.append(FailedFile(file.source, reason + note))
        self._errors[name] = reason
        if file.explicit and not (known and known.documents):
            self._roots.drop_new(file.source)

    def _finish_file(self, file: FoundFile, result: ParseResult, progress: FileProgress, known: StoredSource | None) -> None:
        """Mark a file as read: all of it is stored, or waits to be."""
        if result.unchanged:
            self._counts.unchanged += known.documents if known else 0
            return
        self._counts.failed.extend(FailedFile(progress.origin, problem) for problem in progress.problems)
        if result.rows is not None:
            self._counts.row_files.append(RowFile(progress.origin, result.rows))
            if result.rows.qualified:
                self._roots.keep_columns(file.path, result.rows)
        name, problem = result.request.name, "; ".join(progress.problems[:3])
        is_whole = not problem
        self._errors.update({} if is_whole else {name: problem})
        if self._dry_run:
            self._plan_removals([name] if is_whole else [], keep_ids=progress.ids)
            return
        read = IndexedFile(name, result.digest, progress.split, problem or None, self._device not in (None, file.device))
        self._batches.finish_file(read, progress.ids, removes_others=is_whole)

    def _plan_removals(self, names: Sequence[str], *, keep_ids: AnyIds = frozenset()) -> None:
        """Note for a dry run what goes with, or from, some files."""
        with self._target.open_snapshot() as snapshot:
            stored = () if snapshot is None or not names else snapshot.iterate_source_document_ids(names)
            keys = [key for _, key in sorted(pair for pair in stored if pair[1] not in keep_ids)]
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


def _load_ahead(window: TokenizerWindow | None) -> None:
    """Load what the first new document is chunked and analysed with."""
    if window is not None:
        window.count_tokens("a word")
        get_analyzer(STEMMER_DEFAULT).analyze("a word")
