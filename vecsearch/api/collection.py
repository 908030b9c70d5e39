"""THE Python API: open a database folder, put documents in, ask for what is near, take them out again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from os import PathLike
from os.path import abspath
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.api import arguments
from vecsearch.api.arguments import AnyPath
from vecsearch.api.reader import CollectionReader
from vecsearch.core.checks import check_choice, check_collection_name
from vecsearch.core.errors import DimensionMismatchError, InputError, UsageError
from vecsearch.core.settings import COLLECTION_DEFAULT, LOCK_TIMEOUT_S, MAX_FILE_BYTES
from vecsearch.core.types import (
    CollectionSpec,
    Document,
    FileFilter,
    IndexReport,
    Metadata,
    OnConflict,
    ParsedDocument,
    Precision,
    Scan,
    Split,
    Where,
)
from vecsearch.encoders import registry
from vecsearch.encoders.base import Encoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.stores.sqlite.engine import database_folder as databases
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.database_folder import Database

if TYPE_CHECKING:  # loaded with the first write, so that who only asks does not wait
    from vecsearch.documents.loaders.raw_file import RawFile
    from vecsearch.exchange.export import ExportReport
    from vecsearch.exchange.import_ import ImportReport
    from vecsearch.indexing.batch_writer import BatchWriter, Progress
    from vecsearch.indexing.pipeline import IndexPipeline
    from vecsearch.indexing.reembed import ReembedReport
    from vecsearch.stores.sqlite.write.writer import Writer

Vector: TypeAlias = NDArray[np.float32]


def open(
    path: AnyPath, *, collection: str = COLLECTION_DEFAULT, model: str | Encoder | None = None, readonly: bool = False,
    precision: str = Precision.FLOAT16, stemmer: str | None = None, lock_timeout: float = LOCK_TIMEOUT_S,
) -> Collection:  # fmt: skip
    """Open a collection of the database folder at `path`, which is created when missing (not when `readonly`).

    `encoder`: a hub name, a local folder, or an `Encoder`; by default the collection's own, for a new one all-MiniLM-L6-v2.
    `precision`: of a new collection: float16 stores half-precision vectors, which a named encoder makes in 8-bit arithmetic where
    that does it no harm; float32 makes and stores them in single precision. `language`: whose stems a new collection's text index
    holds, an ISO 639-1 code or "none"; by default that of its first documents. `lock_timeout`: seconds to wait for a writer.
    Raises NotADatabase, WrongVersion, EncoderMismatch, UnavailableError.
    """
    folder = Path(path).expanduser()
    if "\0" in str(folder):
        raise InputError(f"a path holds no NUL character, got {str(folder)!r:.120}")
    check_collection_name(collection)
    making = CollectionSpec(check_choice(Precision, precision, "precision"), arguments.parse_stemmer(stemmer))
    if not readonly and not databases.is_database(folder):
        registry.load(model)  # fails, if it must, before anything is made
        from vecsearch.stores.sqlite.engine.creation import create_database

        create_database(folder)
    opened = Collection(Database(folder, readonly=readonly, timeout=lock_timeout), collection, model=model, spec=making)
    try:
        opened._check_model()
        opened._check_stemmer()
    except BaseException:
        opened.close()
        raise
    return opened


class Collection(CollectionReader):
    """Documents under one encoder, to read and to write. Made by `vecsearch.open`; it comes to be with the first write."""

    def __init__(self, database: Database, name: str, *, model: str | Encoder | None, spec: CollectionSpec) -> None:
        exact = ComputePrecision.FLOAT32 if spec.precision is Precision.FLOAT32 else None
        super().__init__(database, name, model=model, compute_precision=exact)
        self._spec = spec

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<vecsearch.Collection {self.name!r} in {self._database.folder}>"

    def close(self) -> None:
        """Give the file handles back. Nothing needs saving: every write was durable when it returned."""
        self._database.close()

    def _check_stemmer(self) -> None:
        """Raises InputError when another language was asked for than that of the collection's text index."""
        state, asked = self._read_state(), self._spec.stemmer
        if state is not None and asked not in (None, state.language):
            raise InputError(
                f"the words of collection {self.name!r} have the stems of {state.language!r}, not of {asked!r}; to change them: "
                f"vecsearch optimize --language {asked} -c {self.name}"
            )

    # -- writing

    def add(
        self, texts: Sequence[str], *, ids: Sequence[str] | None = None, metadatas: Sequence[Metadata | None] | None = None,
        titles: Sequence[str | None] | None = None, vectors: Any = None, on_conflict: str = OnConflict.ERROR,
    ) -> list[str]:  # fmt: skip
        """Store documents and give their ids, in order; all of them or, on bad input, none.

        `ids` are made up where not given. `vectors`, shape (len(texts), dimension), are taken as the collection encoder's, one a
        document, and normalised; no model is loaded. `on_conflict` says what happens to an id that is there: "error"
        (InputError, nothing stored), "skip" or "replace". Raises InputError, WrongDimension, Locked, StorageFull.
        """
        drafts = arguments.parse_documents(texts, ids, metadatas, titles)
        policy = check_choice(OnConflict, on_conflict, "on_conflict")
        rows = None if vectors is None else arguments.parse_vectors(vectors, len(drafts))
        if not drafts:
            return []
        from vecsearch.stores.sqlite.write import compaction

        with self._database.hold_write_lock():
            taken = self._find_existing_ids([draft.id for draft in drafts], policy)
            wanted = [place for place, draft in enumerate(drafts) if not (draft.id in taken and policy is OnConflict.SKIP)]
            if rows is None:
                self._add_texts([drafts[place] for place in wanted], taken)
            else:
                self._add_vectors([drafts[place] for place in wanted], rows[wanted] if len(wanted) < len(rows) else rows)
            compaction.publish_if_due(self._database, self.name)
        return [draft.id for draft in drafts]

    def index(
        self, paths: Sequence[AnyPath] | AnyPath | Scan, *, split: str = Split.TOKENS, include: Sequence[str] = (),
        exclude: Sequence[str] = (), max_bytes: int = MAX_FILE_BYTES, passwords: Sequence[str] = (), allow_empty: bool = False,
        dry_run: bool = False, progress: Progress | None = None,
    ) -> IndexReport:  # fmt: skip
        """Add, refresh and remove documents so that the collection holds what the files, folders and globs at `paths` hold.

        Never raises for a file that cannot be read: it stands in the report's `failed`, and what it gave before is kept. Files
        that vanished are removed only below folders that were read completely. `include` and `exclude` are patterns as in
        .gitignore, for files met in folders; `passwords` are tried on encrypted files. `dry_run` changes nothing and reports
        what would be done.
        """
        from vecsearch.documents.scan import scan

        found = paths if isinstance(paths, Scan) else scan(
            arguments.list_paths(paths), selection=FileFilter(tuple(include), tuple(exclude), max_bytes)
        )  # fmt: skip
        ingest = self._make_pipeline(split, progress, passwords, dry_run)
        with nullcontext() if dry_run else self._database.hold_write_lock():
            return ingest.run(found, allow_empty=allow_empty)

    def _index_json_lines(self, lines: RawFile, *, split: str = Split.TOKENS, progress: Progress | None = None) -> IndexReport:
        """Add or replace documents given as JSON lines that are no file of the user's; removes nothing. Raises UnreadableFile."""
        from vecsearch.documents import loaders

        ingest = self._make_pipeline(split, progress)
        with self._database.hold_write_lock():
            return ingest.upsert(loaders.load(lines), origin=lines.name, size=lines.size)

    def update(self, id: str, *, text: str | None = None, title: str | None = None, metadata: Metadata | None = None) -> Document:
        """Change a document; gives it as it is then. `metadata` is merged key by key, None removes a key; metadata alone is
        changed without encoding. Raises InputError for an unknown id, or for a file's document whose text is to change."""
        from vecsearch.documents.validation import validate_document, validate_metadata

        with self._database.hold_write_lock():
            old = self.get([id])[0]
            given = metadata or {}
            both = {**old.metadata, **given}
            merged = {key: value for key, value in both.items() if value is not None or key not in given}
            validate_metadata(merged)
            if text is None and title is None:
                self._writer.update_metadata({id: merged})
            else:
                self._find_existing_ids([id], OnConflict.REPLACE)
                draft = ParsedDocument(id, old.text if text is None else text, old.title if title is None else title, merged)
                self._add_texts([validate_document(draft)], {id})
        return self.get([id])[0]

    def delete(
        self,
        ids: str | Sequence[str] | None = None,
        *,
        where: Where | None = None,
        source: AnyPath | None = None,
        dry_run: bool = False,
    ) -> list[str]:
        """Delete documents by id, by filter, or by the file or folder they came from; gives the ids (that would be) deleted.

        Raises InputError for an id that is not there, and then deletes nothing.
        """
        if (ids is not None) + (where is not None) + (source is not None) != 1:
            raise UsageError("delete takes ids, where, or source: exactly one of them")
        if dry_run:
            return self._select_ids(ids, where, source)
        from vecsearch.stores.sqlite.write import compaction

        with self._database.hold_write_lock():
            keys = self._select_ids(ids, where, source)
            if source is not None:
                self._forget_source(Path(abspath(source)))
            elif keys:
                self._writer.delete_documents(keys)
            if keys:
                compaction.publish_if_due(self._database, self.name)
        return keys

    def optimize(self, *, full: bool = False, stemmer: str | None = None) -> None:
        """Fold new rows into the index files and deleted ones out, merge the text index, give free space back to the file system.

        `full` writes all of it anew, in as few index files as can be and one compact database: it takes as much free space as
        there is data.
        `language` makes the text index anew with the stems of another language: an ISO 639-1 code or "none".
        """
        from vecsearch.stores.sqlite.write import compaction, replacement

        wanted = arguments.parse_stemmer(stemmer)
        with self._database.hold_write_lock():
            replacement.drop_leftovers(self._database)
            if (state := self._read_state()) is not None:
                if wanted not in (None, state.language):
                    self._writer.change_language(wanted)
                compaction.publish(self._database, self.name, deleted_ratio=0.0, merge_all=full)
            compaction.compact(self._database, None if state is None else self.name, full=full)

    def reembed(
        self, model: str | Encoder | None = None, *, precision: str | None = None, progress: Progress | None = None
    ) -> ReembedReport:
        """Make all vectors anew by another encoder, beside the old ones, which answer until all are there; then switch.

        By default it goes on with an interrupted run. `precision`: of the new vectors, by default that of the old ones. Texts,
        ids, metadata and files stay as they are; chunks too, where they fit the new window. Raises UnknownCollection, UsageError
        when there is nothing to go on with, UnavailableError, Locked, StorageFull.
        """
        from vecsearch.indexing import reembed

        kind = None if precision is None else check_choice(Precision, precision, "precision")
        aim = reembed.resolve_target(self._database, self.name, model=model, own_model=self._requested_model, precision=kind)
        report = reembed.ReembedRun(self._database, self.name, aim, progress=progress).run()
        if self._requested_model is not None or not (model is None or isinstance(model, str)):
            self._requested_model = aim.encoder  # else whatever the collection's is
        return report

    # -- moving

    def export_documents(
        self, file: AnyPath | BinaryIO, *, format: str | None = None, vectors: bool = True, force: bool = False
    ) -> ExportReport:
        """Write all documents, as one snapshot holds them, to a file or to a stream open for bytes.

        `format`: "jsonl", "jsonl.gz" or "parquet"; by default as the file's name ends, for a stream "jsonl". With `vectors` all
        that `import_documents` needs to store them as they are, bit for bit; without, {"id", "text", "title", "metadata"} alone.
        `force` writes over a file that is there. Raises UnknownCollection, UsageError, InputError, StorageFull.
        """
        from vecsearch.exchange import export
        from vecsearch.exchange.transfer_records import Format

        kind = None if format is None else check_choice(Format, format, "format")
        if isinstance(file, str | PathLike):
            place = Path(file).expanduser()
            return export.to_file(self._database, self.name, place, kind=kind, vectors=vectors, replace=force)
        return export.to_stream(self._database, self.name, file, kind=kind or Format.JSONL, vectors=vectors)

    def import_documents(
        self, file: AnyPath, *, on_conflict: str = OnConflict.ERROR, from_collection: str | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:  # fmt: skip
        """Store the documents of an export, of others' JSON lines or Parquet, of a Chroma folder, of a txtai index with content.

        Vectors that the collection's own encoder made are taken as they are and no model is loaded; a new collection becomes what
        the exported one was. Other texts are encoded. `on_conflict` is that of `add`; `from_collection` chooses one of Chroma's.
        What cannot be stored stands in the report's `failed`. Raises InputError, UnreadableFile, UnavailableError, Locked,
        StorageFull.
        """
        from vecsearch.exchange import detect_format, import_

        policy, place = check_choice(OnConflict, on_conflict, "on_conflict"), Path(file).expanduser()
        with detect_format.opened(place, only=from_collection) as source, self._database.hold_write_lock():
            return import_.Importing(
                self._database, self.name, asked=self._requested_model, encoder_of=self._load_encoder, making=self._spec, policy=policy,
                progress=progress,
            ).run(source, place.as_posix())  # fmt: skip

    # -- inside

    @cached_property
    def _writer(self) -> Writer:
        from vecsearch.stores.sqlite.write.writer import Writer

        return Writer(self._database, self.name)

    def _find_existing_ids(self, keys: Sequence[str], policy: OnConflict) -> set[str]:
        with self._reader.open_snapshot() as snapshot:
            stored = {} if snapshot is None else snapshot.document_reader.load_stored_documents(keys)
        if stored and policy is OnConflict.ERROR:
            raise InputError(f"the id {next(iter(stored))!r} is there already; use on_conflict='skip' or 'replace'")
        for each in stored.values():
            if each.source is not None and policy is OnConflict.REPLACE:
                raise InputError(f"{each.key!r} belongs to the file {each.source}; change the file and index it again")
        return set(stored)

    def _make_batch_writer(self) -> BatchWriter:
        from vecsearch.indexing.batch_writer import BatchWriter

        return BatchWriter(self._database, self.name, get_encoder=self._load_encoder, spec=self._spec)

    def _add_texts(self, drafts: Sequence[ParsedDocument], existing: set[str]) -> None:
        from vecsearch.documents.chunk_inputs import hash_content

        batches = self._make_batch_writer()
        for draft in drafts:
            digest = hash_content(draft, Split.TOKENS)
            batches.add(draft, digest, source=None, split=Split.TOKENS, replaces=draft.id in existing)
        batches.flush()

    def _add_vectors(self, drafts: Sequence[ParsedDocument], rows: Vector) -> None:
        self._check_model()  # which may be another by now
        state = self._read_state() or self._ensure_collection(rows.shape[1], [draft.text for draft in drafts])
        if rows.shape[1] != state.dimension:
            raise DimensionMismatchError(state.dimension, rows.shape[1])
        self._make_batch_writer().commit_with_vectors(drafts, rows)

    def _ensure_collection(self, dimension: int, texts: Sequence[str]) -> CollectionState:
        """A collection for vectors that came ready-made; its encoder is named, not loaded. What made them is taken as float32."""
        from vecsearch.indexing.batch_writer import ensure_collection

        return ensure_collection(
            self._writer, registry.load(self._requested_model, ComputePrecision.FLOAT32), dimension, self._spec, texts
        )

    def _forget_source(self, source: Path) -> None:
        with self._reader.open_snapshot() as snapshot:
            paths = [] if snapshot is None else snapshot.document_reader.list_source_paths(source)
        if paths:
            self._writer.delete_sources(paths)

    def _make_pipeline(
        self, split: str, progress: Progress | None, passwords: Sequence[str] = (), dry_run: bool = False
    ) -> IndexPipeline:
        from vecsearch.indexing.batch_writer import NullProgress
        from vecsearch.indexing.pipeline import IndexPipeline

        return IndexPipeline(
            self._database, self.name, get_encoder=self._load_encoder, spec=self._spec,
            split=check_choice(Split, split, "split"), progress=progress or NullProgress(), passwords=passwords, dry_run=dry_run,
        )  # fmt: skip
