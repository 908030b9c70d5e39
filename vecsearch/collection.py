"""THE Python API: open a database folder, put documents in, ask for what is near, take them out again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import repeat
from os.path import abspath
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from vecsearch import arguments, chosen
from vecsearch.arguments import AnyPath
from vecsearch.batches import Batches, checked_rows, content_digest, cut
from vecsearch.core.checks import checked_choice, checked_limit, checked_name, checked_query
from vecsearch.core.errors import InputError, UnknownCollection, UsageError, WrongDimension
from vecsearch.core.settings import COLLECTION_DEFAULT, LIMIT_DEFAULT, LIST_LIMIT_DEFAULT, LOCK_TIMEOUT_S, MAX_FILE_BYTES
from vecsearch.core.types import (
    Document,
    Draft,
    Hit,
    IndexReport,
    Listed,
    Metadata,
    Mode,
    OnConflict,
    Precision,
    Scan,
    Selection,
    Source,
    Split,
    Where,
)  # fmt: skip
from vecsearch.documents import loaders, sources
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.validate import checked, checked_metadata
from vecsearch.encoding import registry
from vecsearch.encoding.protocol import Encoder
from vecsearch.ingest import Ingest, Progress, Silent
from vecsearch.persistence import database as databases
from vecsearch.persistence import publish, summary
from vecsearch.persistence.database import Database
from vecsearch.persistence.reader import Reader, Snapshot
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.writer import Writer
from vecsearch.search import engine
from vecsearch.search.filters import parse_where

Vector: TypeAlias = NDArray[np.float32]


def open(
    path: AnyPath, *, collection: str = COLLECTION_DEFAULT, encoder: str | Encoder | None = None, readonly: bool = False,
    precision: str = Precision.FLOAT16, lock_timeout: float = LOCK_TIMEOUT_S,
) -> Collection:  # fmt: skip
    """Open a collection of the database folder at `path`, which is created when missing (not when `readonly`).

    `encoder`: a hub name, a local folder, or an `Encoder`; by default the collection's own, for a new one all-MiniLM-L6-v2.
    `precision`: how a new collection stores vectors, float16 or float32. `lock_timeout`: seconds to wait for another writer.
    Raises NotADatabase, WrongVersion, EncoderMismatch, UnavailableError.
    """
    folder = Path(path).expanduser()
    checked_name(collection)
    kind = checked_choice(Precision, precision, "precision")
    if not readonly and not databases.is_database(folder):
        registry.load(encoder)  # fails, if it must, before anything is made
        databases.create(folder)
    opened = Collection(Database(folder, readonly=readonly, timeout=lock_timeout), collection, encoder=encoder, precision=kind)
    try:
        opened.check_encoder()
    except BaseException:
        opened.close()
        raise
    return opened


class Collection:
    """Documents under one encoder. Made by `vecsearch.open`; the collection itself comes to be with the first write."""

    def __init__(self, database: Database, name: str, *, encoder: str | Encoder | None, precision: Precision) -> None:
        self._database, self.name, self._asked, self._precision = database, name, encoder, precision
        self._reader, self._writer = Reader(database, name), Writer(database, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<vecsearch.Collection {self.name!r} in {self._database.folder}>"

    def close(self) -> None:
        """Give the file handles back. Nothing needs saving: every write was durable when it returned."""
        self._database.close()

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
        drafts = arguments.drafts(texts, ids, metadatas, titles)
        policy = checked_choice(OnConflict, on_conflict, "on_conflict")
        rows = None if vectors is None else arguments.rows(vectors, len(drafts))
        if not drafts:
            return []
        with self._database.locked():
            taken = self._taken([draft.id for draft in drafts], policy)
            wanted = [place for place, draft in enumerate(drafts) if not (draft.id in taken and policy is OnConflict.SKIP)]
            if rows is None:
                self._add_texts([drafts[place] for place in wanted], taken)
            else:
                self._add_vectors([drafts[place] for place in wanted], rows[wanted])
            publish.publish_when_due(self._database, self.name)
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
        scan = paths if isinstance(paths, Scan) else sources.scan(
            arguments.paths(paths), selection=Selection(tuple(include), tuple(exclude), max_bytes)
        )  # fmt: skip
        ingest = self._ingest(split, progress, passwords, dry_run)
        with nullcontext() if dry_run else self._database.locked():
            return ingest.run(scan, allow_empty=allow_empty)

    def index_lines(self, lines: Raw, *, split: str = Split.TOKENS, progress: Progress | None = None) -> IndexReport:
        """Add or replace documents given as JSON lines that are no file of the user's; removes nothing. Raises UnreadableFile."""
        ingest = self._ingest(split, progress)
        with self._database.locked():
            return ingest.upsert(loaders.load(lines), origin=lines.name, size=lines.size)

    def update(self, id: str, *, text: str | None = None, title: str | None = None, metadata: Metadata | None = None) -> Document:
        """Change a document; gives it as it is then. `metadata` is merged key by key, None removes a key; metadata alone is
        changed without encoding. Raises InputError for an unknown id, or for a file's document whose text is to change."""
        with self._database.locked():
            old = self.get([id])[0]
            merged = {key: value for key, value in {**old.metadata, **(metadata or {})}.items() if value is not None}
            checked_metadata(merged)
            if text is None and title is None:
                self._writer.change({id: merged})
            else:
                self._taken([id], OnConflict.REPLACE)
                draft = Draft(id, old.text if text is None else text, old.title if title is None else title, merged)
                self._add_texts([checked(draft)], {id})
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
            return self._chosen(ids, where, source)
        with self._database.locked():
            keys = self._chosen(ids, where, source)
            if source is not None:
                self._forget(Path(abspath(source)))
            elif keys:
                self._writer.remove(keys)
            if keys:
                publish.publish_when_due(self._database, self.name)
        return keys

    def optimize(self) -> None:
        """Fold everything into the index file, merge the text index, give free space back to the file system."""
        with self._database.locked():
            if self._state() is not None:
                publish.publish(self._database, self.name)
                publish.compact(self._database, self.name)

    # -- asking

    @overload
    def search(
        self, query: str, *, limit: int = ..., mode: str = ..., where: Where | None = ..., min_score: float | None = ...
    ) -> list[Hit]: ...

    @overload
    def search(
        self, query: Any, *, limit: int = ..., mode: str = ..., where: Where | None = ..., min_score: float | None = ...
    ) -> Any: ...

    def search(
        self, query: Any, *, limit: int = LIMIT_DEFAULT, mode: str = Mode.HYBRID, where: Where | None = None,
        min_score: float | None = None,
    ) -> Any:  # fmt: skip
        """Hits, best first; for a list of texts or a matrix of vectors a list of such lists, one a query.

        A vector, shape (dimension,), is searched densely. `where` filters by metadata before anything is counted: `limit` hits
        come back whenever as many match. `min_score` is a least similarity (cosine).
        Raises InputError, WrongDimension, FilterError.
        """
        chosen = checked_choice(Mode, mode, "mode")
        checked_limit(limit)
        if chosen is Mode.LEXICAL and min_score is not None:
            raise UsageError("min_score tests the similarity, which lexical mode does not compute; use mode hybrid or dense")
        condition = parse_where(where)
        texts, matrix, many = arguments.queries(query)
        if texts is None:
            if chosen is Mode.LEXICAL:
                raise UsageError("a vector cannot be searched in lexical mode")
            chosen = Mode.DENSE
        state = self._state()
        if state is None:
            return [[] for _ in range(len(texts or matrix))] if many else []
        rows = arguments.query_rows(texts, matrix, chosen, dimension=state.dimension, encoder_of=self._own_encoder)
        with self._snapshot() as snapshot:
            answers = [
                engine.search(snapshot, engine.Query(text, row, chosen, limit, condition, min_score))
                for text, row in zip(texts or repeat(None, len(rows)), rows, strict=True)
            ]
        return answers if many else answers[0]

    def similar(
        self, *, id: str | None = None, text: str | None = None, file: AnyPath | None = None, limit: int = LIMIT_DEFAULT,
        where: Where | None = None, min_score: float | None = None,
    ) -> list[Hit]:  # fmt: skip
        """Chunks nearest to a stored document (the mean of its chunks; never itself), to a text, or to a file's text."""
        if (id is not None) + (text is not None) + (file is not None) != 1:
            raise UsageError("similar takes id, text, or file: exactly one of them")
        checked_limit(limit)
        condition = parse_where(where)
        if id is None:
            vector = self._centre_of_text(
                arguments.text_of(Path(file)) if file is not None else Draft("text", checked_query(text))
            )
        with self._snapshot() as snapshot:
            own = chosen.chunks(snapshot, self.name, key=id, file=file)
            if id is not None:
                vector = engine.centre(snapshot.view.fetch(own)[1])
            hits = engine.similar(snapshot, vector, limit=limit, condition=condition, excluded=own)
        return [hit for hit in hits if min_score is None or (hit.similarity or 0.0) >= min_score]

    def get(
        self, ids: str | Sequence[str] | None = None, *, where: Where | None = None, source: AnyPath | None = None
    ) -> list[Document]:
        """Documents with their text, in the order of `ids`. Raises InputError for an id that is not there."""
        if (ids is not None) + (where is not None) + (source is not None) != 1:
            raise UsageError("get takes ids, where, or source: exactly one of them")
        keys = self._chosen(ids, where, source)
        with self._reader.snapshot() as snapshot:
            return [] if snapshot is None else snapshot.documents(keys)

    def ls(self, *, limit: int = LIST_LIMIT_DEFAULT, offset: int = 0) -> list[Listed]:
        """A page of the documents, by id."""
        checked_limit(limit)
        if isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
            raise InputError(f"offset must be a whole number of at least 0, got {offset!r}")
        with self._reader.snapshot() as snapshot:
            return [] if snapshot is None else snapshot.listing(limit=limit, offset=offset)

    def sources(self, *, failed: bool = False, limit: int | None = None, offset: int = 0) -> list[Source]:
        """The files that documents come from, by path: all, or those whose newest attempt failed."""
        with self._reader.snapshot() as snapshot:
            return [] if snapshot is None else snapshot.source_listing(limit=limit, offset=offset, failed=failed)

    def count_sources(self, *, failed: bool = False) -> int:
        """How many files there are, or have failed."""
        with self._reader.snapshot() as snapshot:
            return 0 if snapshot is None else snapshot.source_count(failed=failed)

    def count(self, where: Where | None = None) -> int:
        """How many documents there are, or match."""
        condition = parse_where(where)
        with self._reader.snapshot() as snapshot:
            if snapshot is None:
                return 0
            return snapshot.counts()[0] if condition is None else len(snapshot.keys(condition))

    def check_exists(self) -> None:
        """Raises UnknownCollection before the first write."""
        with self._snapshot():
            pass

    # -- encoders

    def check_encoder(self) -> None:
        """Raises EncoderMismatch when another encoder was asked for than the collection's."""
        state = self._state()
        if self._asked is not None and state is not None:
            self._encoder(state)

    def _encoder(self, state: CollectionState | None) -> Encoder:
        if state is None:
            return registry.load(self._asked)
        return registry.load_same(self._asked, collection=self.name, stored=state.encoder, fingerprint=state.fingerprint)

    def _own_encoder(self) -> Encoder:
        return self._encoder(self._state())

    def _centre_of_text(self, draft: Draft) -> Vector:
        encoder = self._own_encoder()
        return engine.centre(checked_rows(encoder.encode_documents(cut(draft, Split.TOKENS, encoder)[1])))

    # -- inside

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        with self._reader.snapshot() as snapshot:
            if snapshot is not None:
                yield snapshot
                return
        raise UnknownCollection(self.name, summary.names(self._database))

    def _state(self) -> CollectionState | None:
        with self._reader.snapshot() as snapshot:
            return None if snapshot is None else snapshot.state

    def _chosen(self, ids: str | Sequence[str] | None, where: Where | None, source: AnyPath | None) -> list[str]:
        condition = parse_where(where)
        with self._reader.snapshot() as snapshot:
            return chosen.documents(snapshot, self.name, ids=ids, condition=condition, source=source)

    def _taken(self, keys: Sequence[str], policy: OnConflict) -> set[str]:
        with self._reader.snapshot() as snapshot:
            stored = {} if snapshot is None else snapshot.stored(keys)
        if stored and policy is OnConflict.ERROR:
            raise InputError(f"the id {next(iter(stored))!r} is there already; use on_conflict='skip' or 'replace'")
        for each in stored.values():
            if each.source is not None and policy is OnConflict.REPLACE:
                raise InputError(f"{each.key!r} belongs to the file {each.source}; change the file and index it again")
        return set(stored)

    def _batches(self) -> Batches:
        return Batches(self._database, self.name, encoder_of=self._own_encoder, precision=self._precision)

    def _add_texts(self, drafts: Sequence[Draft], taken: set[str]) -> None:
        batches = self._batches()
        for draft in drafts:
            digest = content_digest(draft, Split.TOKENS)
            batches.add(draft, digest, source=None, split=Split.TOKENS, replaces=draft.id in taken)
        batches.flush()

    def _add_vectors(self, drafts: Sequence[Draft], rows: Vector) -> None:
        state = self._state() or self._ensure(rows.shape[1])
        if rows.shape[1] != state.dimension:
            raise WrongDimension(state.dimension, rows.shape[1])
        batches = self._batches()
        self._writer.commit([batches.add_encoded(draft, row) for draft, row in zip(drafts, rows, strict=True)])

    def _ensure(self, dimension: int) -> CollectionState:
        """A collection for vectors that came ready-made; its encoder is named, not loaded."""
        encoder = registry.load(self._asked)
        return self._writer.ensure(
            encoder=encoder.name, fingerprint=encoder.fingerprint, dimension=dimension, precision=self._precision
        )

    def _forget(self, source: Path) -> None:
        with self._reader.snapshot() as snapshot:
            paths = [] if snapshot is None else snapshot.source_paths(source)
        if paths:
            self._writer.forget_sources(paths)

    def _ingest(self, split: str, progress: Progress | None, passwords: Sequence[str] = (), dry: bool = False) -> Ingest:
        return Ingest(
            self._database, self.name, encoder_of=self._own_encoder, precision=self._precision,
            split=checked_choice(Split, split, "split"), progress=progress or Silent(), passwords=passwords, dry=dry,
        )  # fmt: skip
