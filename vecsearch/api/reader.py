"""Everything of the Python API that reads documents and describes a collection. `searcher` adds searching."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vecsearch.api import arguments
from vecsearch.core.checks import check_choice, check_limit, check_offset, is_unicode, shorten_repr
from vecsearch.core.encoder_fields import read_dimension, read_name
from vecsearch.core.errors import CollectionNotFoundError, InputError, UsageError
from vecsearch.core.results import Facets, KeySummary
from vecsearch.core.settings import FACETS_LIMIT_DEFAULT, LIST_LIMIT_DEFAULT
from vecsearch.core.types import AnyPath, Document, DocumentSummary, ListOrder, Metadata, OnMissing, Source, SourceState, Where
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.search import selection
from vecsearch.stores.base import CollectionInfo, Snapshot, Store

if TYPE_CHECKING:
    from vecsearch.core.filters import Filter
    from vecsearch.core.roots import IgnoredDocument, Root

_PAGE_SIZE: Final = 1_000  # ids read together
_KEYS_LISTED_MAX: Final = 100_000  # documents whose metadata `status` reads


class CollectionReader:
    """A collection to read from."""

    def __init__(
        self, store: Store, name: str, *, model: str | TextEncoder | None, compute_precision: ComputePrecision | None = None
    ) -> None:
        self._store, self.name, self._requested_model, self._compute_precision = store, name, model, compute_precision

    # -- documents

    def get(
        self,
        ids: str | Iterable[str] | None = None,
        *,
        where: Where | None = None,
        source: AnyPath | None = None,
        missing: str = OnMissing.ERROR,
        limit: int | None = None,
        after: str | None = None,
        order: str | None = None,
        include_vectors: bool = False,
    ) -> list[Document]:
        """Return documents with their text, in the order of `ids`; `include_vectors` with a unit float32 row for each chunk.

        An id that is not there raises DocumentNotFoundError, or is left out where `missing` is "skip". Those that `where`
        selects, or the file or folder `source`, come in the `order` "id" (by default) or "added", and page by page with `limit`
        and `after`: see `list_documents`; with a limit alone, all do. Raises CollectionNotFoundError, UsageError for ids with any
        of these.
        """
        policy = check_choice(OnMissing, missing, "missing")
        chosen = None if order is None else check_choice(ListOrder, order, "order")
        is_page = limit is not None or after is not None
        given = (ids is not None) + (where is not None) + (source is not None)
        if given > 1 or not (given or is_page):
            raise UsageError("get takes ids, where, or source: exactly one of them")
        if ids is not None and (is_page or chosen is not None):
            raise UsageError("limit, after and order go with where or source: ids are a page already, in the order that is given")
        condition, keys_given = arguments.parse_where(where), arguments.parse_ids(ids)
        with self._open_snapshot() as snapshot:
            if is_page or chosen is ListOrder.ADDED:
                keys = self._list_page(snapshot, condition, source, limit, 0, after, chosen or ListOrder.ID)
            else:
                keys = selection.select_documents(
                    snapshot, self.name, ids=keys_given, where=condition, source=source, missing=policy
                )
            return snapshot.load_documents(keys, include_vectors=include_vectors)

    def list_documents(
        self,
        *,
        where: Where | None = None,
        source: AnyPath | None = None,
        limit: int = LIST_LIMIT_DEFAULT,
        offset: int = 0,
        after: str | None = None,
        order: str = ListOrder.ID,
    ) -> list[DocumentSummary]:
        """Return a page of the documents: of all, of those that `where` selects, of those of a file or folder.

        `order` is "id", or "added": a document that is replaced keeps its place. The next page is what comes `after` the last
        document's id; whatever others write, each document that was there throughout comes once. Pages by `offset` hold each
        document once where nobody writes. Raises DocumentNotFoundError where, in the order "added", that document is gone.
        """
        condition = arguments.parse_where(where)
        with self._store.open_snapshot(self.name) as snapshot:
            if snapshot is None:
                return []
            return snapshot.summarize_documents(self._list_page(snapshot, condition, source, limit, offset, after, order))

    def list_sources(
        self, *, failed: bool = False, skipped: bool = False, limit: int | None = None, offset: int = 0
    ) -> list[Source]:
        """Return the files that documents come from, by path: all, those whose newest attempt failed, or, instead, those that
        were met in folders and skipped."""
        limit, offset = None if limit is None else check_limit(limit), check_offset(offset)
        state = _choose_source_state(failed, skipped)
        with self._store.open_snapshot(self.name) as snapshot:
            return [] if snapshot is None else snapshot.list_sources(limit=limit, offset=offset, state=state)

    def count_sources(self, *, failed: bool = False, skipped: bool = False) -> int:
        """Return how many files there are, or have failed, or were skipped."""
        state = _choose_source_state(failed, skipped)
        with self._store.open_snapshot(self.name) as snapshot:
            return 0 if snapshot is None else snapshot.count_sources(state=state)

    def roots(self) -> list[Root]:
        """Return what `index` was given and refreshes when it is given nothing, each with the options that it keeps, by path."""
        with self._store.open_snapshot(self.name) as snapshot:
            return [] if snapshot is None else list(snapshot.load_roots().roots)

    def list_ignored(self) -> list[IgnoredDocument]:
        """Return the documents that `delete(…, ignore=True)` keeps away, by the path of their file."""
        with self._store.open_snapshot(self.name) as snapshot:
            return [] if snapshot is None else list(snapshot.load_roots().ignored)

    def count(self, where: Where | None = None, *, source: AnyPath | None = None) -> int:
        """Return how many documents there are, match, or come from a file or folder; 0 where the collection is not there."""
        condition = arguments.parse_where(where)
        with self._store.open_snapshot(self.name) as snapshot:
            if snapshot is None:
                return 0
            if source is None:
                return snapshot.count_documents(condition)
            return len(self._list_page(snapshot, condition, source))

    def keys(self, *, where: Where | None = None) -> list[KeySummary]:
        """Return the metadata keys of all documents, or of those that `where` selects, and the paths below them, by name.

        Raises CollectionNotFoundError.
        """
        from vecsearch.search import facets

        condition = arguments.parse_where(where)
        with self._open_snapshot() as snapshot:
            return facets.summarize_keys(snapshot.count_metadata(condition))

    def facets(self, key: str, *, where: Where | None = None, limit: int | None = FACETS_LIMIT_DEFAULT) -> Facets:
        """Return the most frequent values of a metadata key, or of a path, among all documents or those that `where` selects.

        Raises CollectionNotFoundError.
        """
        from vecsearch.search import facets

        if not isinstance(key, str):
            raise InputError(f"key must be a string, got {shorten_repr(key)}")
        condition, most = arguments.parse_where(where), None if limit is None else check_limit(limit)
        with self._open_snapshot() as snapshot:
            return facets.count_values(snapshot.count_metadata(condition), key, most)

    def __len__(self) -> int:
        """Return how many documents there are; 0 where the collection is not there."""
        return self.count()

    def __bool__(self) -> bool:
        """Return True: a collection is something, though it be empty."""
        return True

    def __contains__(self, id: object) -> bool:
        """Return whether there is a document under an id."""
        if not isinstance(id, str) or not is_unicode(id):
            return False
        with self._store.open_snapshot(self.name) as snapshot:
            return snapshot is not None and id in snapshot.find_stored_documents([id])

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of the documents, ascending; what is added or deleted meanwhile may be met or not."""
        after: str | None = None
        while True:
            with self._store.open_snapshot(self.name) as snapshot:
                ids = [] if snapshot is None else snapshot.list_document_ids(after=after, limit=_PAGE_SIZE)
            if not ids:
                return
            yield from ids
            after = ids[-1]

    # -- what it is

    @property
    def model(self) -> str:
        """Return the name of the model that makes its vectors; of one that is not there, the model that will."""
        info = self._read_info()
        return read_name(self._load_encoder()) if info is None else info.encoder.model

    @property
    def dimension(self) -> int:
        """Return the length of its vectors; of one that is not there, those that its model makes."""
        info = self._read_info()
        return read_dimension(self._load_encoder()) if info is None else info.encoder.dimension

    @property
    def pending_vectors(self) -> int:
        """Return how many chunks are found by their words alone so far; see `fill_vectors`. 0 where it is not there."""
        info = self._read_info()
        return 0 if info is None else info.pending_vectors

    @property
    def encoder(self) -> TextEncoder:
        """Return the collection's encoder; of one that is not there, that which its first write would use.

        Raises UnavailableError, ModelMismatchError.
        """
        return self._load_encoder()

    @property
    def id(self) -> str | None:
        """Return the collection's own id, a UUID, which renaming and other vectors leave as it is; None while it is not there."""
        info = self._read_info()
        return None if info is None else info.public_id

    @property
    def metadata(self) -> Metadata:
        """Return the JSON object that `create_collection` or `set_metadata` was given to keep; empty where there is nothing."""
        info = self._read_info()
        return {} if info is None else dict(info.metadata)

    @property
    def path(self) -> Path:
        """Return the database folder that it lies in."""
        return Path(self._store.location)

    def status(self) -> dict[str, Any]:
        """Return what it holds, in numbers: the fields of the shell's `status`. Raises CollectionNotFoundError."""
        entries = {entry["name"]: entry for entry in self._store.collect_statistics()["collections"]}
        if self.name not in entries:
            raise CollectionNotFoundError(self.name, list(entries))
        entry: dict[str, Any] = entries[self.name]
        return {**entry, "keys": self._list_keys(entry["documents"])}

    def _list_keys(self, documents: int) -> list[dict[str, Any]] | None:
        """Return the metadata keys with their types; None for so many documents that it would take long."""
        if documents > _KEYS_LISTED_MAX:
            return None
        from vecsearch.search import facets

        with self._store.open_snapshot(self.name) as snapshot:
            counted = [] if snapshot is None else snapshot.count_metadata(None)
        keys = facets.summarize_keys(counted)
        return [{"key": key.key, "documents": key.documents, "types": dict(key.types)} for key in keys]

    # -- encoders

    def _check_requested_model(self, info: CollectionInfo | None) -> None:
        """Raise ModelMismatchError where another model was requested than the collection's."""
        if self._requested_model is not None and info is not None:
            self._load_encoder_of(info)

    def _load_encoder_of(self, info: CollectionInfo | None) -> TextEncoder:
        if info is None:
            return registry.load(self._requested_model, self._compute_precision)
        return registry.load_matching(
            self._requested_model, collection=self.name, stored=info.encoder.model, fingerprint=info.encoder.fingerprint
        )

    def _load_encoder(self) -> TextEncoder:
        return self._load_encoder_of(self._read_info())

    def _bind_encoder(self, info: CollectionInfo) -> Callable[[], TextEncoder]:
        """Return what loads the encoder of the vectors that were seen: meanwhile they may become another's."""
        return lambda: self._load_encoder_of(info)

    # -- inside

    @contextmanager
    def _open_snapshot(self) -> Iterator[Snapshot]:
        with self._store.open_snapshot(self.name) as snapshot:
            if snapshot is not None:
                yield snapshot
                return
        raise CollectionNotFoundError(self.name, self._store.list_names())

    def _list_page(
        self, snapshot: Snapshot, where: Filter | None, source: AnyPath | None, limit: int | None = None, offset: int = 0,
        after: str | None = None, order: str = ListOrder.ID,
    ) -> list[str]:  # fmt: skip
        """Return the ids of a page. Raises InputError."""
        limit, offset = None if limit is None else check_limit(limit), check_offset(offset)
        chosen = check_choice(ListOrder, order, "order")
        if after is not None and not (isinstance(after, str) and is_unicode(after)):
            raise InputError(f"after must be the id of a document, got {shorten_repr(after)}")
        if after is not None and chosen is not ListOrder.ID:
            selection.select_documents(snapshot, self.name, ids=[after], where=None, source=None)
        place = None if source is None else selection.resolve_source(source)
        return snapshot.list_document_ids(where=where, source=place, after=after, limit=limit, offset=offset, order=chosen)

    def _read_info(self) -> CollectionInfo | None:
        with self._store.open_snapshot(self.name) as snapshot:
            return None if snapshot is None else snapshot.info

    def _select_ids(
        self, ids: str | Iterable[str] | None, where: Filter | None, source: AnyPath | None, missing: OnMissing = OnMissing.ERROR
    ) -> list[str]:
        keys = arguments.parse_ids(ids)
        with self._store.open_snapshot(self.name) as snapshot:
            return selection.select_documents(snapshot, self.name, ids=keys, where=where, source=source, missing=missing)


def _choose_source_state(failed: bool, skipped: bool) -> SourceState | None:
    if failed and skipped:
        raise UsageError("failed or skipped: a file is in one list of both")
    return SourceState.FAILED if failed else SourceState.SKIPPED if skipped else None
