"""The Python API of one collection: add, index, update, delete, search, export and import documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from vecsearch.api import arguments
from vecsearch.api.searcher import CollectionSearcher
from vecsearch.core.checks import check_choice, check_limit, shorten_repr
from vecsearch.core.errors import DimensionMismatchError, InputError, SchemaVersionError, UsageError
from vecsearch.core.settings import MAX_FILE_BYTES
from vecsearch.core.types import AnyPath, CollectionSpec, Document, OnConflict, Precision, Split, Where
from vecsearch.encoders import registry
from vecsearch.encoders.base import EncoderSpec, TextEncoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.stores.base import MaintainedStore, Matrix, Store

if TYPE_CHECKING:  # loaded with the first write, so that a search does not wait
    from vecsearch.core.files import IndexReport, Scan
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.loaders.raw_file import RawFile
    from vecsearch.exchange.export import ExportReport
    from vecsearch.exchange.import_ import ImportReport
    from vecsearch.indexing.batch_writer import BatchWriter
    from vecsearch.indexing.pipeline import IndexPipeline
    from vecsearch.indexing.progress import Progress
    from vecsearch.indexing.reembed import ReembedReport
    from vecsearch.indexing.vector_filler import FillReport


class Collection(CollectionSearcher):
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
        texts: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        metadatas: Sequence[Mapping[str, Any] | None] | None = None,
        titles: Sequence[str | None] | None = None,
        vectors: Any = None,
        on_conflict: str = OnConflict.ERROR,
    ) -> list[str]:
        """Store documents and return their ids, in order; all of them or, on bad input, none.

        `ids` are made up where not given. `vectors`, shape (len(texts), dimension), are taken as the collection model's, one a
        document, and normalised; no model is loaded. `on_conflict` says what happens to an id that is there: "error"
        (InputError, nothing stored), "skip" or "replace". Raises InputError, DimensionMismatchError, DatabaseLockedError,
        DiskFullError.
        """
        documents = arguments.parse_documents(texts, ids, metadatas, titles)
        policy = check_choice(OnConflict, on_conflict, "on_conflict")
        rows = None if vectors is None else arguments.parse_vectors(vectors, len(documents))
        if not documents:
            return []
        if rows is None:
            self._store.upgrade()
            self._load_encoder()  # before the lock: that may take as long as a download
        with self._store.open_writer(self.name):
            stored = self._find_existing_ids([document.id for document in documents], policy)
            positions = [n for n, document in enumerate(documents) if not (document.id in stored and policy is OnConflict.SKIP)]
            if rows is None:
                self._add_texts([documents[n] for n in positions])
            else:
                self._add_vectors([documents[n] for n in positions], rows[positions] if len(positions) < len(rows) else rows)
        return [document.id for document in documents]

    def upsert(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str],
        metadatas: Sequence[Mapping[str, Any] | None] | None = None,
        titles: Sequence[str | None] | None = None,
        vectors: Any = None,
    ) -> list[str]:
        """Store documents, replacing those that are there under the same ids; see `add`."""
        return self.add(texts, ids=ids, metadatas=metadatas, titles=titles, vectors=vectors, on_conflict=OnConflict.REPLACE)

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
    ) -> IndexReport:
        """Add, refresh and remove documents so that the collection holds what the files, folders and globs at `paths` hold.

        Texts are found by their words as soon as they are read; then vectors are made of all that waits for one, the newest
        first, unless `vectors` is False. Interrupted, the next run or `fill_vectors` goes on.

        Never raises for a file that cannot be read: it stands in the report's `failed`, and what it gave before is kept. Files
        that vanished are removed only below folders that were read completely. `include` and `exclude` are patterns as in
        .gitignore, for files met in folders; `passwords` are tried on encrypted files. `dry_run` changes nothing and reports
        what would be done. Others can write between batches; CollectionChangedError where they drop or replace the collection.
        """
        from vecsearch.core.files import FileFilter, Scan
        from vecsearch.documents.scan import scan

        files = paths if isinstance(paths, Scan) else scan(
            arguments.list_paths(paths), selection=FileFilter(tuple(include), tuple(exclude), check_limit(max_bytes, "max_bytes"))
        )  # fmt: skip
        if not dry_run:
            self._store.upgrade()
        pipeline = self._make_pipeline(split, progress, passwords, dry_run=dry_run, vectors=vectors)
        return pipeline.run(files, allow_empty=allow_empty)

    def fill_vectors(self, *, progress: Progress | None = None, should_stop: Callable[[], bool] = lambda: False) -> FillReport:
        """Make the vectors of all chunks that wait for one, the newest first, until it `should_stop`, which is asked often.

        Where another process makes them, waits for it. Raises CollectionChangedError, UnavailableError, DatabaseLockedError,
        DiskFullError.
        """
        from vecsearch.indexing.batch_writer import CollectionTarget
        from vecsearch.indexing.vector_filler import VectorFiller

        self._store.upgrade()
        target = CollectionTarget(self._store, self.name)
        return VectorFiller(target, get_encoder=self._load_encoder, progress=progress, should_stop=should_stop).run()

    def _index_json_lines(
        self, lines: RawFile, *, split: str = Split.TOKENS, vectors: bool = True, progress: Progress | None = None
    ) -> IndexReport:
        """Add or replace documents given as JSON lines that are no file of the user's. Raises UnreadableFileError."""
        from vecsearch.documents import loaders

        self._store.upgrade()
        pipeline = self._make_pipeline(split, progress, vectors=vectors)
        return pipeline.upsert(loaders.load(lines), origin=lines.name, size=lines.size)

    def update(
        self, id: str, *, text: str | None = None, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Document:
        """Change a document; returns it as it is then.

        `metadata` is merged key by key, None removes a key; metadata alone is changed without encoding. Raises InputError for an
        unknown id, or for a file's document whose text is to change.
        """
        from vecsearch.core.parsed import ParsedDocument
        from vecsearch.documents.validation import validate_document, validate_metadata

        with self._store.open_writer(self.name) as writer:
            old = self.get([id])[0]
            changes = {} if metadata is None else arguments.to_plain_json(metadata, "metadata")
            if not isinstance(changes, dict):
                raise InputError(f"metadata must be a mapping with string keys, got {shorten_repr(metadata)}")
            both = {**old.metadata, **changes}
            merged = {key: value for key, value in both.items() if value is not None or key not in changes}
            validate_metadata(merged)
            if text is None and title is None:
                writer.set_metadata({id: merged})
            else:
                self._find_existing_ids([id], OnConflict.REPLACE)
                new = ParsedDocument(id, old.text if text is None else text, old.title if title is None else title, merged)
                self._add_texts([validate_document(new)])
        return self.get([id])[0]

    def delete(
        self,
        ids: str | Sequence[str] | None = None,
        *,
        where: Where | None = None,
        source: AnyPath | None = None,
        dry_run: bool = False,
    ) -> list[str]:
        """Delete documents by id, by filter, or by the file or folder they came from; returns the ids (that would be) deleted.

        Raises InputError for an id that is not there, and then deletes nothing.
        """
        if (ids is not None) + (where is not None) + (source is not None) != 1:
            raise UsageError("delete takes ids, where, or source: exactly one of them")
        if dry_run:
            return self._select_ids(ids, where, source)
        from vecsearch.search.selection import resolve_source

        with self._store.open_writer(self.name) as writer:
            keys = self._select_ids(ids, where, source)
            if source is not None:
                self._delete_source(resolve_source(source))
            elif keys:
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
        self, model: str | TextEncoder | None = None, *, precision: str | None = None, progress: Progress | None = None
    ) -> ReembedReport:
        """Embed all documents again with another model, beside the old vectors, which answer until all are there; then swap.

        By default it continues an interrupted run. `precision`: of the new vectors, by default that of the old ones. Texts,
        ids, metadata and files stay as they are; chunks too, where they fit the new window. Raises CollectionNotFoundError,
        UsageError when there is nothing to continue, UnavailableError, DatabaseLockedError, DiskFullError.
        """
        from vecsearch.indexing import reembed

        kind = None if precision is None else check_choice(Precision, precision, "precision")
        self._store.upgrade()
        target = reembed.resolve_target(self._store, self.name, model=model, own_model=self._requested_model, precision=kind)
        report = reembed.ReembedRun(self._store, self.name, target, progress=progress).run()
        if self._requested_model is not None or not (model is None or isinstance(model, str)):
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
    ) -> ImportReport:
        """Store the documents of an export, of others' JSON lines or Parquet, of a Chroma folder, of a txtai index with content.

        Vectors that the collection's own model made are taken as they are and no model is loaded; a new collection becomes what
        the exported one was. Other texts are found by their words at once and then encoded, unless `vectors` is False.
        `on_conflict` is that of `add`; `from_collection` chooses one of Chroma's. What cannot be stored stands in the report's
        `failed`. Raises InputError, UnreadableFileError, UnavailableError, DatabaseLockedError, DiskFullError.
        """
        from vecsearch.exchange import detect_format, import_

        policy, path = check_choice(OnConflict, on_conflict, "on_conflict"), Path(file).expanduser()
        self._store.upgrade()
        with detect_format.open_source(path, only=from_collection) as source:
            run = import_.ImportRun(
                self._store, self.name, requested_model=self._requested_model, get_encoder=self._load_encoder, spec=self._spec,
                policy=policy, progress=progress, fill=vectors,
            )  # fmt: skip
            return run.run(source, path.as_posix())

    # -- inside

    def _find_existing_ids(self, ids: Sequence[str], policy: OnConflict) -> set[str]:
        with self._store.open_snapshot(self.name) as snapshot:
            stored = {} if snapshot is None else snapshot.find_stored_documents(ids)
        if stored and policy is OnConflict.ERROR:
            raise InputError(f"the id {next(iter(stored))!r} is there already; use on_conflict='skip' or 'replace'")
        for document in stored.values():
            if document.source is not None and policy is OnConflict.REPLACE:
                raise InputError(f"{document.id!r} belongs to the file {document.source}; change the file and index it again")
        return set(stored)

    def _make_batch_writer(self) -> BatchWriter:
        from vecsearch.indexing.batch_writer import BatchWriter, CollectionTarget

        target = CollectionTarget(self._store, self.name)
        return BatchWriter(target, get_encoder=self._load_encoder, spec=self._spec)

    def _add_texts(self, documents: Sequence[ParsedDocument]) -> None:
        from vecsearch.indexing.stages import chunk

        if not documents:
            return
        batches, encoder = self._make_batch_writer(), self._load_encoder()
        for document in documents:
            batches.add(chunk(document, Split.TOKENS, encoder))
        batches.flush()

    def _add_vectors(self, documents: Sequence[ParsedDocument], rows: Matrix) -> None:
        from vecsearch.indexing.batch_writer import choose_stemmer

        self._check_requested_model(self._read_info())  # which may be another by now
        batches = self._make_batch_writer()
        with self._store.open_writer(self.name) as writer:
            info = writer.info
            if info is None:  # its model is named, not loaded; what made the vectors is taken as float32
                encoder = registry.load(self._requested_model, ComputePrecision.FLOAT32)
                spec = EncoderSpec(encoder.name, encoder.fingerprint, rows.shape[1])
                stemmer = choose_stemmer(self._spec, (document.text for document in documents))
                info = batches.create(writer, spec, precision=self._spec.precision, stemmer=stemmer)
            if rows.shape[1] != info.encoder.dimension:
                raise DimensionMismatchError(info.encoder.dimension, rows.shape[1])
            batches.commit_with_vectors(documents, rows)

    def _delete_source(self, paths: Sequence[Path]) -> None:
        with self._store.open_writer(self.name) as writer, writer.open_snapshot() as snapshot:
            names = [] if snapshot is None else sorted(snapshot.find_stored_sources(below=paths))
        if names:
            with self._store.open_writer(self.name) as writer:
                writer.delete_sources(names)

    def _make_pipeline(
        self, split: str, progress: Progress | None, passwords: Sequence[str] = (), *, dry_run: bool = False, vectors: bool = True
    ) -> IndexPipeline:
        from vecsearch.indexing.pipeline import IndexPipeline
        from vecsearch.indexing.progress import NullProgress

        return IndexPipeline(
            self._store, self.name, get_encoder=self._load_encoder, spec=self._spec,
            split=check_choice(Split, split, "split"), progress=progress or NullProgress(), passwords=passwords, dry_run=dry_run,
            fill=vectors,
        )  # fmt: skip
