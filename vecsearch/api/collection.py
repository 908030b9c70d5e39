"""The Python API of one collection: add, index, update, delete, search, export and import documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from vecsearch.api import arguments
from vecsearch.api.brought_vectors import parse_vectors
from vecsearch.api.columns import list_values
from vecsearch.api.editor import CollectionEditor
from vecsearch.core.checks import check_choice, check_limit
from vecsearch.core.errors import InputError, SchemaVersionError, UsageError
from vecsearch.core.results import AddReport
from vecsearch.core.settings import MAX_FILE_BYTES
from vecsearch.core.stop_signal import NO_STOP, StopSignal
from vecsearch.core.types import AnyPath, CollectionSpec, OnConflict, OnMissing, Precision, Split, Where
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.stores.base import MaintainedStore, Store

if TYPE_CHECKING:  # loaded with the first write, so that a search does not wait
    from vecsearch.core.files import IndexReport, Scan
    from vecsearch.documents.loaders.raw_file import RawFile
    from vecsearch.exchange.export import ExportReport
    from vecsearch.exchange.import_ import ImportReport
    from vecsearch.indexing.pipeline import IndexPipeline
    from vecsearch.indexing.progress import Progress
    from vecsearch.indexing.reembed import ReembedReport
    from vecsearch.indexing.vector_filler import FillReport


class Collection(CollectionEditor):
    """Read and write one collection. The collection is created by the first write. Made by `vecsearch.open`."""

    def __init__(
        self, store: Store, name: str, *, model: str | TextEncoder | None, spec: CollectionSpec, closes_store: bool = True
    ) -> None:
        exact = ComputePrecision.FLOAT32 if spec.precision is Precision.FLOAT32 else None
        super().__init__(store, name, model=model, compute_precision=exact)
        self._spec, self._closes_store = spec, closes_store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<vecsearch.Collection {self.name!r} in {self._store.location}>"

    def close(self) -> None:
        """Give the file handles back. Nothing needs saving: every write was durable when it returned."""
        if self._closes_store:
            self._store.close()

    def _check_settings(self) -> None:
        """Raise ModelMismatchError, and InputError where another stemmer was requested than that of the text index."""
        try:
            info = self._read_info()
        except SchemaVersionError:  # the first write upgrades; whoever reads before gets that error
            return
        self._check_requested_model(info)
        requested = self._spec.stemmer
        if info is not None and requested not in (None, info.stemmer):
            raise InputError(
                f"the text index of collection {self.name!r} has the stemmer {info.stemmer!r}, not {requested!r}; to change it: "
                f"vecsearch optimize --stemmer {requested} -c {self.name}"
            )

    # -- writing

    def add(
        self,
        texts: Iterable[str | None] | None,
        *,
        ids: Iterable[str] | None = None,
        metadatas: Iterable[Mapping[str, Any] | None] | None = None,
        titles: Iterable[str | None] | None = None,
        payloads: Iterable[Any] | None = None,
        vectors: Any = None,
        on_conflict: str = OnConflict.ERROR,
    ) -> AddReport:
        """Store documents; returns their ids, in order, with counts of what became of them. On bad input none is stored.

        A list, an array, a pandas Series, an iterator and the like are all taken by position; what has no order is refused.
        `ids` are made up where not given. `payloads` are JSON values that come back with documents and hits, and are not
        searched. `vectors`, shape (len(texts), dimension), are taken as the collection model's, one a document, and normalised;
        no model is loaded. One that is None leaves its document without a vector: words and filters alone find it. With a vector
        a text may be None or empty: `add(None, vectors=…)` stores vectors alone. A document with a vector of its own, or without
        one, is one chunk.

        `on_conflict` says what happens to an id that is there: "error" (DocumentExistsError), "skip" or "replace". Raises
        InputError, DimensionMismatchError, DatabaseLockedError, DiskFullError.
        """
        brought = None if vectors is None else parse_vectors(vectors)
        documents = arguments.parse_documents(texts, ids, metadatas, titles, payloads, brought)
        policy = check_choice(OnConflict, on_conflict, "on_conflict")
        if not documents:
            return AddReport()
        if brought is None:
            self._store.upgrade()
            self._load_encoder()  # before the lock: that may take as long as a download
        with self._store.open_writer(self.name):
            stored = self._find_existing_ids([document.id for document in documents], policy)
            positions = [n for n, document in enumerate(documents) if not (document.id in stored and policy is OnConflict.SKIP)]
            if brought is None:
                self._write_texts(self._make_batch_writer(), [documents[n] for n in positions])
            else:
                self._add_vectors([documents[n] for n in positions], brought.select(positions))
        counts = {"replaced" if policy is OnConflict.REPLACE else "skipped": len(stored)}
        return AddReport([document.id for document in documents], added=len(documents) - len(stored), **counts)

    def upsert(
        self,
        texts: Iterable[str | None] | None,
        *,
        ids: Iterable[str],
        metadatas: Iterable[Mapping[str, Any] | None] | None = None,
        titles: Iterable[str | None] | None = None,
        payloads: Iterable[Any] | None = None,
        vectors: Any = None,
    ) -> AddReport:
        """Store documents, replacing those that are there under the same ids; see `add`."""
        return self.add(
            texts, ids=ids, metadatas=metadatas, titles=titles, payloads=payloads, vectors=vectors,
            on_conflict=OnConflict.REPLACE,
        )  # fmt: skip

    def index(
        self,
        paths: Sequence[AnyPath] | AnyPath | Scan,
        *,
        split: str = Split.TOKENS,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        max_bytes: int = MAX_FILE_BYTES,
        passwords: Sequence[str] = (),
        allow_empty: bool = False,
        dry_run: bool = False,
        vectors: bool = True,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> IndexReport:
        """Add, refresh and remove documents so that the collection holds what the files, folders and globs at `paths` hold.

        Texts are found by their words as soon as they are read; then vectors are made of all that waits for one, the newest
        first, unless `vectors` is False. Interrupted, the next run or `fill_vectors` goes on.

        `should_stop` is asked often, in the thread of the run: the is_set of a `threading.Event` will do. Once it says yes, the
        run ends after the batch that it is at, and its report is marked as `stopped`. What is stored stays, nothing is removed
        for not having been reached, and the next run goes on.

        Never raises for a file that cannot be read: it stands in the report's `failed`, and what it gave before is kept. Files
        that vanished are removed only below folders that were read completely. `include` and `exclude` are patterns as in
        .gitignore, for files met in folders; `passwords` are tried on encrypted files. `dry_run` changes nothing and reports
        what would be done. Others can write between batches; CollectionChangedError where they drop or replace the collection.
        """
        from vecsearch.core.files import FileFilter, Scan
        from vecsearch.documents.scan import scan

        stop = StopSignal(should_stop)
        selection = FileFilter(
            tuple(list_values(include, "include")), tuple(list_values(exclude, "exclude")), check_limit(max_bytes, "max_bytes")
        )
        files = paths if isinstance(paths, Scan) else scan(arguments.list_paths(paths), selection=selection, stop=stop)
        if not dry_run:
            self._store.upgrade()
        pipeline = self._make_pipeline(
            split, progress, list_values(passwords, "passwords"), dry_run=dry_run, vectors=vectors, stop=stop
        )
        return pipeline.run(files, allow_empty=allow_empty)

    def fill_vectors(self, *, progress: Progress | None = None, should_stop: Callable[[], bool] = lambda: False) -> FillReport:
        """Make the vectors of all chunks that wait for one, the newest first, until it `should_stop`; see `index`.

        Where another process makes them, waits for it. A text that the model gives no usable vector for stands in the report's
        `failed`, stays found by its words, and is tried again by the next run. Raises CollectionChangedError, UnavailableError,
        DatabaseLockedError, DiskFullError, EncodingError where the model gives no vectors at all.
        """
        from vecsearch.indexing.batch_writer import CollectionTarget
        from vecsearch.indexing.vector_filler import VectorFiller

        stop = StopSignal(should_stop)
        self._store.upgrade()
        target = CollectionTarget(self._store, self.name)
        return VectorFiller(
            target, get_encoder=self._load_encoder, progress=progress, stop=stop, source_root=self._store.source_root
        ).run()

    def _index_json_lines(
        self, lines: RawFile, *, split: str = Split.TOKENS, vectors: bool = True, progress: Progress | None = None
    ) -> IndexReport:
        """Add or replace documents given as JSON lines that are no file of the user's. Raises UnreadableFileError."""
        from vecsearch.documents import loaders

        self._store.upgrade()
        pipeline = self._make_pipeline(split, progress, vectors=vectors)
        return pipeline.upsert(loaders.load(lines), origin=lines.name, size=lines.size)

    def delete(
        self,
        ids: str | Iterable[str] | None = None,
        *,
        where: Where | None = None,
        source: AnyPath | None = None,
        missing: str = OnMissing.ERROR,
        dry_run: bool = False,
    ) -> list[str]:
        """Delete documents by id, by filter, or by the file or folder they came from; returns the ids (that would be) deleted.

        Raises DocumentNotFoundError for an id that is not there, unless `missing` is "skip", FilterError for a filter that is
        empty, or has a part that says nothing such as an empty `$contains` (see `delete_all`), and then deletes nothing.
        """
        policy = check_choice(OnMissing, missing, "missing")
        if (ids is not None) + (where is not None) + (source is not None) != 1:
            raise UsageError("delete takes ids, where, or source: exactly one of them")
        condition = arguments.parse_changing_where(where)
        if dry_run:
            return self._select_ids(ids, condition, source, policy)
        from vecsearch.search.selection import resolve_source

        with self._store.open_writer(self.name) as writer:
            keys = self._select_ids(ids, condition, source, policy)
            if source is not None:
                self._delete_source(resolve_source(source))
            elif keys:
                writer.delete_documents(keys)
        return keys

    def delete_all(self, *, dry_run: bool = False) -> list[str]:
        """Delete all documents, in one transaction; returns the ids (that would be) deleted. The collection stays."""
        if dry_run:
            return list(self)
        with self._store.open_writer(self.name) as writer:
            keys = list(self)
            if keys:
                writer.delete_documents(keys)
        return keys

    def optimize(self, *, full: bool = False, stemmer: str | None = None) -> None:
        """Fold new rows into the index files and deleted ones out, merge the text index, give free space back to the file system.

        `full` writes all of it again, in as few index files as can be and one compact database: it takes as much free space as
        there is data. `stemmer` rebuilds the text index with another stemmer: an ISO 639-1 code or "none".
        """
        new_stemmer = arguments.parse_stemmer(stemmer)
        with self._store.open_writer(self.name) as writer:
            info = writer.info
            if info is not None:
                if new_stemmer is not None and new_stemmer != info.stemmer:
                    writer.set_stemmer(new_stemmer)
                writer.optimize(full=full)
            if isinstance(self._store, MaintainedStore):
                self._store.compact(None if info is None else self.name, full=full)

    def reembed(
        self,
        model: str | TextEncoder | None = None,
        *,
        precision: str | None = None,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> ReembedReport:
        """Embed all documents again with another model, beside the old vectors, which answer until all are there; then swap.

        By default it continues an interrupted run. `precision`: of the new vectors, by default that of the old ones. Texts,
        ids, metadata and files stay as they are; chunks too, where they fit the new window. Where it `should_stop` (see `index`)
        before the swap, what was made is kept for the next run. Raises CollectionNotFoundError, UsageError when there is nothing
        to continue, UnavailableError, DatabaseLockedError, DiskFullError.
        """
        from vecsearch.indexing import reembed

        kind, stop = None if precision is None else check_choice(Precision, precision, "precision"), StopSignal(should_stop)
        self._store.upgrade()
        target = reembed.resolve_target(self._store, self.name, model=model, own_model=self._requested_model, precision=kind)
        report = reembed.ReembedRun(self._store, self.name, target, progress=progress, stop=stop).run()
        if not report.stopped and (self._requested_model is not None or not (model is None or isinstance(model, str))):
            self._requested_model = target.encoder  # else whatever the collection's is
        return report

    # -- moving

    def export_documents(
        self, file: AnyPath | BinaryIO, *, format: str | None = None, vectors: bool = True, force: bool = False
    ) -> ExportReport:
        """Write all documents, as one snapshot holds them, to a file or to a stream open for bytes.

        `format`: "jsonl", "jsonl.gz" or "parquet"; by default as the file's name ends, for a stream "jsonl". With `vectors` all
        that `import_documents` needs to store them as they are, bit for bit; without, {"id", "text", "title", "metadata"} alone.
        `force` writes over a file that is there. Raises CollectionNotFoundError, UsageError, InputError, DiskFullError.
        """
        from vecsearch.exchange import export
        from vecsearch.exchange.transfer_records import ExportFormat

        kind = None if format is None else check_choice(ExportFormat, format, "format")
        if isinstance(file, str | PathLike):
            target = Path(file).expanduser()
            return export.export_to_file(self._store, self.name, target, kind=kind, vectors=vectors, replace=force)
        return export.export_to_stream(self._store, self.name, file, kind=kind or ExportFormat.JSONL, vectors=vectors)

    def import_documents(
        self,
        file: AnyPath,
        *,
        on_conflict: str = OnConflict.ERROR,
        from_collection: str | None = None,
        vectors: bool = True,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> ImportReport:
        """Store the documents of an export, of others' JSON lines or Parquet, of a Chroma folder, of a txtai index with content.

        Vectors that the collection's own model made are taken as they are and no model is loaded; a new collection becomes what
        the exported one was. Other texts are found by their words at once and then encoded, unless `vectors` is False.
        `on_conflict` is that of `add`; `from_collection` chooses one of Chroma's. What cannot be stored stands in the report's
        `failed`. `should_stop` is that of `index`; with `on_conflict="skip"` the next run goes on. Raises InputError,
        UnreadableFileError, UnavailableError, DatabaseLockedError, DiskFullError.
        """
        from vecsearch.exchange import detect_format, import_

        policy, path = check_choice(OnConflict, on_conflict, "on_conflict"), Path(file).expanduser()
        stop = StopSignal(should_stop)
        self._store.upgrade()
        with detect_format.open_source(path, only=from_collection) as source:
            run = import_.ImportRun(
                self._store, self.name, requested_model=self._requested_model, get_encoder=self._load_encoder, spec=self._spec,
                policy=policy, progress=progress, fill=vectors, stop=stop,
            )  # fmt: skip
            return run.run(source, path.as_posix())

    # -- inside

    def _delete_source(self, paths: Sequence[Path]) -> None:
        with self._store.open_writer(self.name) as writer, writer.open_snapshot() as snapshot:
            names = [] if snapshot is None else sorted(snapshot.find_stored_sources(below=paths))
        if names:
            with self._store.open_writer(self.name) as writer:
                writer.delete_sources(names)

    def _make_pipeline(
        self, split: str, progress: Progress | None, passwords: Sequence[str] = (), *, dry_run: bool = False,
        vectors: bool = True, stop: StopSignal = NO_STOP,
    ) -> IndexPipeline:  # fmt: skip
        from vecsearch.indexing.pipeline import IndexPipeline
        from vecsearch.indexing.progress import NullProgress

        return IndexPipeline(
            self._store, self.name, get_encoder=self._load_encoder, spec=self._spec,
            split=check_choice(Split, split, "split"), progress=progress or NullProgress(), passwords=passwords, dry_run=dry_run,
            fill=vectors, stop=stop,
        )  # fmt: skip
