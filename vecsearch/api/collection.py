"""The Python API of one collection: add, index, update, delete, search, export and import documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from vecsearch.api import arguments
from vecsearch.api.brought_vectors import parse_vectors
from vecsearch.api.closed_store import ClosedStore
from vecsearch.api.indexer import CollectionIndexer
from vecsearch.core.checks import check_choice
from vecsearch.core.errors import InputError, SchemaVersionError, UsageError
from vecsearch.core.results import AddReport, DeleteReport
from vecsearch.core.stop_signal import StopSignal
from vecsearch.core.tuning import AnyTuningLevel, Tuning, TuningLevel
from vecsearch.core.types import (
    AnyMode,
    AnyOnConflict,
    AnyOnMissing,
    AnyPath,
    AnyPrecision,
    CollectionSpec,
    Mode,
    OnConflict,
    OnMissing,
    Precision,
    Where,
)
from vecsearch.encoders.base import TextEncoder
from vecsearch.stores.base import Store
from vecsearch.stores.maintenance import MaintainedStore

if TYPE_CHECKING:  # loaded with the first write, so that a search does not wait
    from vecsearch.exchange.export import ExportReport
    from vecsearch.exchange.import_ import ImportReport
    from vecsearch.exchange.transfer_records import AnyExportFormat
    from vecsearch.indexing.progress import Progress
    from vecsearch.indexing.reembed import ReembedReport


class Collection(CollectionIndexer):
    """Read and write one collection. The collection is created by the first write. Made by `vecsearch.open`."""

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        model: str | TextEncoder | None,
        spec: CollectionSpec,
        reopen: Callable[..., Collection] | None = None,
        closes_store: bool = True,
    ) -> None:
        """Read and write a collection of a store. `reopen` opens the same database, given the other arguments of `open`."""
        super().__init__(store, name, model=model, spec=spec)
        self._closes_store, self._reopen = closes_store, reopen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<vecsearch.Collection {self.name!r} in {self._store.location}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what opens it again: the copy, in this process or another, has connections of its own and waits for a writer
        as anybody does. A `model` that is an object is pickled with it. Raises DatabaseClosedError.
        """
        self._store.check_open()
        if self._reopen is None:
            raise TypeError(f"a collection of {self._store.location} cannot be pickled: nothing is known that opens it again")
        options = {
            "collection": self.name, "model": self._requested_model, "readonly": self._store.readonly, "create": False,
            "precision": self._spec.precision, "stemmer": self._spec.stemmer,
        }  # fmt: skip
        return partial(self._reopen, **options), ()

    def close(self) -> None:
        """Give the file handles back. Nothing needs saving: every write was durable when it returned.

        Whatever is asked of it then raises DatabaseClosedError; to close it twice is no error. One that `Database.collection`
        returned leaves its database open, and is closed with it.
        """
        if self._closes_store:
            self._store.close()
        self._store = cast(Store, ClosedStore(self._store.location, f"collection {self.name!r} of {self._store.location}"))

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
        metadatas: Iterable[Mapping[str, object] | None] | None = None,
        titles: Iterable[str | None] | None = None,
        payloads: Iterable[object] | None = None,
        vectors: object = None,
        on_conflict: AnyOnConflict = OnConflict.ERROR,
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
        return self._add_documents(documents, check_choice(OnConflict, on_conflict, "on_conflict"), brought)

    def add_dataframe(
        self,
        frame: object,
        *,
        text: str | Sequence[str] | None = None,
        id: str | None = None,
        title: str | None = None,
        on_conflict: AnyOnConflict = OnConflict.ERROR,
    ) -> AddReport:
        """Store a document for each row of a table: a DataFrame of pandas or polars, an Arrow table, a mapping of columns, a
        list of records.

        `text`, one column or several, `id` and `title` name columns; all others become metadata, and what is missing in them
        (None, NaN, NaT) is left out. A row without a text is read by its values with their names, as are all where `text` is
        None. Ids are made up where `id` is None. `on_conflict` is that of `add`. On bad input none is stored: InputError names
        row and column.
        """
        from vecsearch.api.data_frames import parse_frame

        documents = parse_frame(frame, id=id, text=text, title=title)
        return self._add_documents(documents, check_choice(OnConflict, on_conflict, "on_conflict"), None)

    def upsert(
        self,
        texts: Iterable[str | None] | None,
        *,
        ids: Iterable[str],
        metadatas: Iterable[Mapping[str, object] | None] | None = None,
        titles: Iterable[str | None] | None = None,
        payloads: Iterable[object] | None = None,
        vectors: object = None,
    ) -> AddReport:
        """Store documents, replacing those that are there under the same ids; see `add`."""
        return self.add(
            texts, ids=ids, metadatas=metadatas, titles=titles, payloads=payloads, vectors=vectors,
            on_conflict=OnConflict.REPLACE,
        )  # fmt: skip

    def delete(
        self,
        ids: str | Iterable[str] | None = None,
        *,
        where: Where | None = None,
        source: AnyPath | None = None,
        missing: AnyOnMissing = OnMissing.ERROR,
        ignore: bool = False,
        dry_run: bool = False,
    ) -> DeleteReport:
        """Delete documents by id, by filter, or by the file or folder they came from; returns the ids (that would be) deleted.

        Those whose file is still there come back with the next `index` of it, and stand in the report's `returning`; with
        `ignore` they are kept away: see `list_ignored` and `stop_ignoring`. A `source` that is gone from the disk is no root
        any more.

        Raises DocumentNotFoundError for an id that is not there, unless `missing` is "skip", FilterError for a filter that is
        empty, or has a part that says nothing such as an empty `$contains` (see `delete_all`), and then deletes nothing.
        """
        policy = check_choice(OnMissing, missing, "missing")
        if (ids is not None) + (where is not None) + (source is not None) != 1:
            raise UsageError("delete takes ids, where, or source: exactly one of them")
        condition = arguments.parse_changing_where(where)
        if dry_run:
            keys = self._select_ids(ids, condition, source, policy)
            return DeleteReport(keys, [] if ignore else self._list_returning(keys))
        from vecsearch.search.selection import resolve_source

        with self._store.open_writer(self.name) as writer:
            gone = [] if source is None else self._list_gone_roots(resolve_source(source))
            keys = [] if gone and not self.count(source=source) else self._select_ids(ids, condition, source, policy)
            returning = [] if ignore else self._list_returning(keys)
            if source is not None and not ignore:
                self._delete_source(resolve_source(source))
            elif keys:
                writer.delete_documents(keys, ignore=ignore)
            if gone:
                writer.forget_roots(gone)
        return DeleteReport(keys, returning, gone)

    def delete_all(self, *, ignore: bool = False, dry_run: bool = False) -> DeleteReport:
        """Delete all documents, in one transaction; returns the ids (that would be) deleted. The collection stays."""
        if dry_run:
            keys = list(self)
            return DeleteReport(keys, [] if ignore else self._list_returning(keys))
        with self._store.open_writer(self.name) as writer:
            keys = list(self)
            returning = [] if ignore else self._list_returning(keys)
            if keys:
                writer.delete_documents(keys, ignore=ignore)
        return DeleteReport(keys, returning)

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
        precision: AnyPrecision | None = None,
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

    def tune(
        self,
        pairs: Iterable[tuple[str, str]] | None = None,
        *,
        queries: Mapping[str, str] | None = None,
        qrels: Mapping[str, Mapping[str, int]] | None = None,
        label: str | None = None,
        level: AnyTuningLevel = TuningLevel.MAP,
        mode: AnyMode = Mode.HYBRID,
        minutes: float | None = None,
        seed: int = 0,
        out: AnyPath | None = None,
        reembed: bool = False,
        dry_run: bool = False,
        progress: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Tuning:
        """Learn from one's own questions, at least 50, and keep what held-out questions prove to be better; else nothing changes.

        `pairs` are of a question and the id, or the text, of a document that answers it; or `queries`, id → text, and `qrels`,
        query id → document id → grade; or `label`, a metadata key: documents of one value are near. `level`: "map" learns a
        linear map of this collection's questions, which every search by text uses from then on (`drop_tuning` undoes it);
        "encoder" trains the model itself and writes it to the new folder `out`, by default tuned-NAME in the current one;
        `reembed` embeds the collection with it at once.

        Measured is nDCG@10 in `mode`, on questions about documents asked for before and on others about documents, or labels,
        that the training never saw: kept is what surely gains on the first and loses no more than .005 on the second, and keeps
        what texts in general are to each other. Equal questions and seeds give equal results. `minutes` bounds the learning;
        `progress` is called with a line at each step; where it `should_stop`, or on a `dry_run`, nothing is kept.

        Raises InputError for too few or unknown questions, UsageError, CollectionNotFoundError, UnavailableError where the
        packages that train an encoder are not installed, DatabaseLockedError.
        """
        from vecsearch.api import tuning_arguments
        from vecsearch.training.tune_run import TuneRun

        options = tuning_arguments.parse_options(level, mode, seed, minutes, dry_run, out, reembed)
        read_questions = tuning_arguments.parse_questions(pairs, queries, qrels, label)
        stop = StopSignal(should_stop)
        with self._open_snapshot() as snapshot:
            info = snapshot.info
        encoder = self._load_encoder_of(info)
        arguments.check_dimension(encoder, info.encoder.dimension)
        run = TuneRun(self._store, self.name, encoder, options, progress=progress or (lambda line: None), stop=stop)
        tuning = run.run(read_questions)
        if not reembed or tuning.model is None:
            return tuning
        report = self.reembed(str(tuning.model), should_stop=should_stop)
        return replace(tuning, reembedded=not report.stopped, seconds=run.measure_seconds())

    def drop_tuning(self) -> bool:
        """Drop the map of questions that `tune` made: every answer is as it was before. Returns whether there was one."""
        with self._store.open_writer(self.name) as writer:
            return writer.info is not None and writer.set_query_map(None)

    # -- moving

    def export_documents(
        self, file: AnyPath | BinaryIO, *, format: AnyExportFormat | None = None, vectors: bool = True, force: bool = False
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
        on_conflict: AnyOnConflict = OnConflict.ERROR,
        from_collection: str | None = None,
        id: str | None = None,
        text: str | Sequence[str] | None = None,
        title: str | None = None,
        vectors: bool = True,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> ImportReport:
        """Store the documents of an export, of others' JSON lines or Parquet, of a Chroma folder, of a txtai index with content,
        of a table or JSON array, whose columns `id`, `text` and `title` name as in `index`; ids are as they stand in it.

        Vectors that the collection's own model made are taken as they are and no model is loaded; a new collection becomes what
        the exported one was. Other texts are found by their words at once and then encoded, unless `vectors` is False.
        `on_conflict` is that of `add`; `from_collection` chooses one of Chroma's. What cannot be stored stands in the report's
        `failed`. `should_stop` is that of `index`; with `on_conflict="skip"` the next run goes on. Raises InputError,
        UnreadableFileError, UnavailableError, DatabaseLockedError, DiskFullError.
        """
        from vecsearch.api.data_frames import parse_row_options
        from vecsearch.exchange import detect_format, import_

        policy, path = check_choice(OnConflict, on_conflict, "on_conflict"), Path(file).expanduser()
        self._store.check_open()
        stop = StopSignal(should_stop)
        self._store.upgrade()
        with detect_format.open_source(path, only=from_collection, rows=parse_row_options(False, id, text, title)) as source:
            run = import_.ImportRun(
                self._store, self.name, requested_model=self._requested_model, get_encoder=self._load_encoder, spec=self._spec,
                policy=policy, progress=progress, fill=vectors, stop=stop,
            )  # fmt: skip
            return run.run(source, path.as_posix())
