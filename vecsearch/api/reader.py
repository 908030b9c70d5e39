"""Asking: everything of the Python API that reads a collection and changes nothing. `collection.Collection` adds the writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from vecsearch.api import arguments
from vecsearch.api.arguments import AnyPath, Example, Options, SearchOptions
from vecsearch.core.checks import check_choice, check_limit, check_offset, check_query
from vecsearch.core.errors import CollectionNotFoundError, UnavailableError, UsageError
from vecsearch.core.results import Hits
from vecsearch.core.settings import CONTEXT_HITS, CONTEXT_TOKENS_DEFAULT, LIST_LIMIT_DEFAULT
from vecsearch.core.types import Document, DocumentSummary, Fusion, Mode, ParsedDocument, Source, Split, Where
from vecsearch.encoders import registry
from vecsearch.encoders.base import Encoder, TokenEncoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.encoders.unit_vectors import normalize_vectors
from vecsearch.search import engine, selection
from vecsearch.search.engine import ResultOptions
from vecsearch.search.recommend import PreferenceProfile
from vecsearch.search.retrieval import Query
from vecsearch.search.where_parser import parse_where
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.read.reader import Reader, Snapshot, list_collection_names

if TYPE_CHECKING:  # loaded by those who ask for it, so that a plain search from the shell does not wait
    from vecsearch.search.context import Context
    from vecsearch.search.rerank import Reranker

Vector: TypeAlias = NDArray[np.float32]


class CollectionReader:
    """A collection to read from."""

    def __init__(
        self, database: Database, name: str, *, model: str | Encoder | None, compute_precision: ComputePrecision | None = None
    ) -> None:
        self._database, self.name, self._requested_model, self._compute_precision = database, name, model, compute_precision
        self._reader = Reader(database, name)

    # -- asking

    @overload
    def search(
        self, query: str, *, mode: str = ..., fusion: str = ..., rerank: bool | str = ..., **options: Unpack[Options]
    ) -> Hits: ...

    @overload
    def search(
        self, query: Any, *, mode: str = ..., fusion: str = ..., rerank: bool | str = ..., **options: Unpack[Options]
    ) -> Any: ...

    def search(
        self, query: Any, *, mode: str = Mode.HYBRID, fusion: str = Fusion.TMM, rerank: bool | str = False,
        **options: Unpack[Options],
    ) -> Any:  # fmt: skip
        """Hits, best first; for a list of texts or a matrix of vectors a list of such lists, one a query.

        A vector, shape (dimension,), is searched densely. `rerank` gives the best candidates a second look: True by the
        encoder's own token vectors, a name or folder by that cross-encoder. For the `options` see `arguments.Options`; `limit`
        hits come back whenever as many match. Raises InputError, WrongDimension, FilterError, UnavailableError.
        """
        chosen_mode, asked = check_choice(Mode, mode, "mode"), arguments.parse_search_options(options)
        blend = check_choice(Fusion, fusion, "fusion")
        texts, matrix, many = arguments.parse_queries(query)
        if texts is None and (chosen_mode is Mode.LEXICAL or rerank):
            raise UsageError("a vector has no words: it cannot be searched in lexical mode, nor get a second look")
        if texts is None:
            chosen_mode = Mode.DENSE
        arguments.check_mode(chosen_mode, asked)
        with self._reader.open_snapshot() as snapshot:
            encoder_of = self._make_encoder_getter(snapshot)
            wish = _build_result_options(
                asked, encoder_of, tokens=chosen_mode is not Mode.LEXICAL, reranker=_load_reranker(rerank, encoder_of)
            )
            if snapshot is None:
                return [Hits() for _ in range(len(texts or matrix))] if many else Hits()
            if texts is None:
                self._check_requested_model(snapshot.state)
            rows = arguments.embed_queries(texts, matrix, chosen_mode, dimension=snapshot.state.dimension, get_encoder=encoder_of)
            least, or_said = arguments.resolve_min_similarity(snapshot, asked)
            answers = [
                engine.search(snapshot, Query(text, row, chosen_mode, asked.condition, least, or_said, blend), wish)
                for text, row in zip(texts or repeat(None, len(rows)), rows, strict=True)
            ]
        return answers if many else answers[0]

    def similar(
        self, *, id: str | None = None, text: str | None = None, file: AnyPath | None = None, **options: Unpack[Options]
    ) -> Hits:
        """Chunks nearest to a stored document (the mean of its chunks; never itself), to a text, or to a file's text.

        Best first; for the `options` see `arguments.Options`. Raises InputError for an unknown id.
        """
        if (id is not None) + (text is not None) + (file is not None) != 1:
            raise UsageError("similar takes id, text, or file: exactly one of them")
        asked = arguments.parse_search_options(options)
        draft = None
        if id is None:
            draft = arguments.read_document(Path(file)) if file is not None else ParsedDocument("text", check_query(text))
        with self._open_snapshot() as snapshot:
            encoder_of = self._make_encoder_getter(snapshot)
            wish = _build_result_options(asked, encoder_of)
            own = selection.select_chunks(snapshot, self.name, key=id, file=file)
            vector = (
                engine.compute_centroid(snapshot.view.fetch(own)[1]) if draft is None else _embed_document(draft, encoder_of())
            )
            least, _ = arguments.resolve_min_similarity(snapshot, asked)
            query = Query(None, vector, Mode.DENSE, asked.condition, least, exclude=own)
            return engine.search(snapshot, query, wish)

    def recommend(self, positive: Sequence[Example], negative: Sequence[Example] = (), **options: Unpack[Options]) -> Hits:
        """Chunks like some examples and not like others: a person's likes and dislikes serve as a profile.

        An example is the id of a stored document, or {"text": …}. A hit's similarity is the cosine to the nearest liked one;
        what is nearer to a disliked one comes last, with minus that cosine as its score. The examples themselves are left out.
        Best first; for the `options` see `arguments.Options`. Raises InputError for an unknown id, UsageError for no likes.
        """
        asked = arguments.parse_search_options(options)
        if not positive or isinstance(positive, str) or isinstance(negative, str):
            raise UsageError("recommend takes a list of liked examples, at least one, and a list of disliked ones")
        given = [arguments.parse_example(each) for each in (*positive, *negative)]
        with self._open_snapshot() as snapshot:
            encoder_of = self._make_encoder_getter(snapshot)
            wish = _build_result_options(asked, encoder_of, tokens=False)
            texts = {each.text: _embed_document(each, encoder_of()) for each in given if isinstance(each, ParsedDocument)}
            own = {key: selection.select_chunks(snapshot, self.name, key=key, file=None) for key in given if isinstance(key, str)}
            vectors = np.stack(
                [
                    texts[each.text]
                    if isinstance(each, ParsedDocument)
                    else engine.compute_centroid(snapshot.view.fetch(own[each])[1])
                    for each in given
                ]
            )
            taste = PreferenceProfile(vectors[: len(positive)], vectors[len(positive) :])
            excluded = np.unique(np.concatenate([np.empty(0, np.int64), *own.values()]))
            least, _ = arguments.resolve_min_similarity(snapshot, asked)
            query = Query(None, None, Mode.DENSE, asked.condition, least, exclude=excluded)
            return engine.recommend(snapshot, query, wish, taste)

    def context(
        self, question: str, *, max_tokens: int = CONTEXT_TOKENS_DEFAULT, mode: str = Mode.HYBRID, rerank: bool | str = False,
        where: Where | None = None, min_similarity: float | str | None = None,
    ) -> Context:  # fmt: skip
        """The best passages for a language model: whole sentences, none twice, with numbered sources, within `max_tokens`.

        Tokens are the encoder's, title lines included. Raises InputError, FilterError, UnavailableError.
        """
        check_limit(max_tokens, "max_tokens")
        encoder = self._load_encoder()
        hits = self.search(
            check_query(question),
            mode=mode,
            rerank=rerank,
            where=where,
            min_similarity=min_similarity,
            limit=CONTEXT_HITS,
            dedupe=True,
        )
        from vecsearch.search.context import pack

        return pack(question, hits, max_tokens=max_tokens, count=lambda text: len(encoder.token_spans(text)))

    # -- documents

    def get(
        self, ids: str | Sequence[str] | None = None, *, where: Where | None = None, source: AnyPath | None = None
    ) -> list[Document]:
        """Documents with their text, in the order of `ids`. Raises InputError for an id that is not there."""
        if (ids is not None) + (where is not None) + (source is not None) != 1:
            raise UsageError("get takes ids, where, or source: exactly one of them")
        condition = parse_where(where)
        with self._reader.open_snapshot() as snapshot:
            keys = selection.select_documents(snapshot, self.name, ids=ids, condition=condition, source=source)
            return [] if snapshot is None else snapshot.document_reader.load_documents(keys)

    def list_documents(self, *, limit: int = LIST_LIMIT_DEFAULT, offset: int = 0) -> list[DocumentSummary]:
        """A page of the documents, by id."""
        limit, offset = check_limit(limit), check_offset(offset)
        with self._reader.open_snapshot() as snapshot:
            return [] if snapshot is None else snapshot.document_reader.list_documents(limit=limit, offset=offset)

    def list_sources(self, *, failed: bool = False, limit: int | None = None, offset: int = 0) -> list[Source]:
        """The files that documents come from, by path: all, or those whose newest attempt failed."""
        limit, offset = None if limit is None else check_limit(limit), check_offset(offset)
        with self._reader.open_snapshot() as snapshot:
            return [] if snapshot is None else snapshot.document_reader.list_sources(limit=limit, offset=offset, failed=failed)

    def count_sources(self, *, failed: bool = False) -> int:
        """How many files there are, or have failed."""
        with self._reader.open_snapshot() as snapshot:
            return 0 if snapshot is None else snapshot.document_reader.count_sources(failed=failed)

    def count(self, where: Where | None = None) -> int:
        """How many documents there are, or match."""
        condition = parse_where(where)
        with self._reader.open_snapshot() as snapshot:
            if snapshot is None:
                return 0
            return snapshot.count_documents_and_chunks()[0] if condition is None else len(snapshot.find_document_ids(condition))

    def _check_exists(self) -> None:
        """Raises UnknownCollection before the first write."""
        with self._open_snapshot():
            pass

    # -- encoders

    def _check_model(self) -> None:
        """Raises EncoderMismatch when another encoder was asked for than the collection's."""
        self._check_requested_model(self._read_state())

    def _check_requested_model(self, state: CollectionState | None) -> None:
        if self._requested_model is not None and state is not None:
            self._load_encoder_for(state)

    def _load_encoder_for(self, state: CollectionState | None) -> Encoder:
        if state is None:
            return registry.load(self._requested_model, self._compute_precision)
        return registry.load_matching(
            self._requested_model, collection=self.name, stored=state.encoder, fingerprint=state.fingerprint
        )

    def _load_encoder(self) -> Encoder:
        return self._load_encoder_for(self._read_state())

    def _make_encoder_getter(self, snapshot: Snapshot | None) -> Callable[[], Encoder]:
        """What loads the encoder of the vectors that a snapshot sees: between two of them, it may become another."""
        return lambda: self._load_encoder_for(None if snapshot is None else snapshot.state)

    # -- inside

    @contextmanager
    def _open_snapshot(self) -> Iterator[Snapshot]:
        with self._reader.open_snapshot() as snapshot:
            if snapshot is not None:
                yield snapshot
                return
        raise CollectionNotFoundError(self.name, list_collection_names(self._database))

    def _read_state(self) -> CollectionState | None:
        with self._reader.open_snapshot() as snapshot:
            return None if snapshot is None else snapshot.state

    def _select_ids(self, ids: str | Sequence[str] | None, where: Where | None, source: AnyPath | None) -> list[str]:
        condition = parse_where(where)
        with self._reader.open_snapshot() as snapshot:
            return selection.select_documents(snapshot, self.name, ids=ids, condition=condition, source=source)


def _build_result_options(
    options: SearchOptions, get_encoder: Callable[[], Encoder], *, tokens: bool = True, reranker: Reranker | None = None
) -> ResultOptions:
    encoder = get_encoder() if options.explain and tokens else None
    shows = encoder if encoder is not None and isinstance(encoder, TokenEncoder) else None
    return ResultOptions(options.diversity, reranker, options.window, options.explain, shows)


def _load_reranker(rerank: bool | str, get_encoder: Callable[[], Encoder]) -> Reranker | None:
    if not rerank:
        return None
    from vecsearch.encoders.cross_encoder import load_cross_encoder
    from vecsearch.search.rerank import CrossEncoderReranker, MaxSimReranker

    if isinstance(rerank, str):
        return CrossEncoderReranker(load_cross_encoder(rerank))
    encoder = get_encoder()
    if not isinstance(encoder, TokenEncoder):
        raise UnavailableError(f"the encoder {encoder.name} shows no token vectors to look at again; name a cross-encoder")
    return MaxSimReranker(encoder)


def _embed_document(draft: ParsedDocument, encoder: Encoder) -> Vector:
    from vecsearch.documents.chunk_inputs import chunk_document

    return engine.compute_centroid(
        normalize_vectors(encoder.encode_documents(chunk_document(draft, Split.TOKENS, encoder).texts))
    )
