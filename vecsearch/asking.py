"""Asking: everything of the Python API that reads a collection and changes nothing. `collection.Collection` adds the writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from vecsearch import arguments, chosen
from vecsearch.arguments import AnyPath, Asked, Example, Options
from vecsearch.core.answers import Hits
from vecsearch.core.checks import checked_choice, checked_limit, checked_offset, checked_query
from vecsearch.core.errors import UnavailableError, UnknownCollection, UsageError
from vecsearch.core.settings import CONTEXT_HITS, CONTEXT_TOKENS_DEFAULT, LIST_LIMIT_DEFAULT
from vecsearch.core.types import Document, Draft, Fusion, Listed, Mode, Source, Split, Where
from vecsearch.encoding import registry
from vecsearch.encoding.forms import checked_rows
from vecsearch.encoding.identity import Arithmetic
from vecsearch.encoding.protocol import Encoder, TokenEncoder
from vecsearch.persistence.database import Database
from vecsearch.persistence.reader import Reader, Snapshot, names
from vecsearch.persistence.state import CollectionState
from vecsearch.search import engine
from vecsearch.search.engine import Wish
from vecsearch.search.filters import parse_where
from vecsearch.search.recommending import Taste
from vecsearch.search.retrieval import Query

if TYPE_CHECKING:  # loaded by those who ask for it, so that a plain search from the shell does not wait
    from vecsearch.search.packing import Context
    from vecsearch.search.reranking import Reranker

Vector: TypeAlias = NDArray[np.float32]


class Asking:
    """A collection to read from."""

    def __init__(
        self, database: Database, name: str, *, encoder: str | Encoder | None, arithmetic: Arithmetic | None = None
    ) -> None:
        self._database, self.name, self._asked, self._arithmetic = database, name, encoder, arithmetic
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
        self, query: Any, *, mode: str = Mode.HYBRID, fusion: str = Fusion.BOUNDED, rerank: bool | str = False,
        **options: Unpack[Options],
    ) -> Any:  # fmt: skip
        """Hits, best first; for a list of texts or a matrix of vectors a list of such lists, one a query.

        A vector, shape (dimension,), is searched densely. `rerank` gives the best candidates a second look: True by the
        encoder's own token vectors, a name or folder by that cross-encoder. For the `options` see `arguments.Options`; `limit`
        hits come back whenever as many match. Raises InputError, WrongDimension, FilterError, UnavailableError.
        """
        chosen_mode, asked = checked_choice(Mode, mode, "mode"), arguments.asked(options)
        blend = checked_choice(Fusion, fusion, "fusion")
        texts, matrix, many = arguments.queries(query)
        if texts is None and (chosen_mode is Mode.LEXICAL or rerank):
            raise UsageError("a vector has no words: it cannot be searched in lexical mode, nor get a second look")
        if texts is None:
            chosen_mode = Mode.DENSE
        arguments.check_mode(chosen_mode, asked)
        with self._reader.snapshot() as snapshot:
            encoder_of = self._encoder_of(snapshot)
            wish = _wish(asked, encoder_of, tokens=chosen_mode is not Mode.LEXICAL, reranker=_reranker(rerank, encoder_of))
            if snapshot is None:
                return [Hits() for _ in range(len(texts or matrix))] if many else Hits()
            if texts is None:
                self._check_asked(snapshot.state)
            rows = arguments.query_rows(texts, matrix, chosen_mode, dimension=snapshot.state.dimension, encoder_of=encoder_of)
            least, or_said = arguments.least(snapshot, asked)
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
        asked = arguments.asked(options)
        draft = None
        if id is None:
            draft = arguments.text_of(Path(file)) if file is not None else Draft("text", checked_query(text))
        with self._snapshot() as snapshot:
            encoder_of = self._encoder_of(snapshot)
            wish = _wish(asked, encoder_of)
            own = chosen.chunks(snapshot, self.name, key=id, file=file)
            vector = engine.centre(snapshot.view.fetch(own)[1]) if draft is None else _centre_of_text(draft, encoder_of())
            least, _ = arguments.least(snapshot, asked)
            query = Query(None, vector, Mode.DENSE, asked.condition, least, excluded=own)
            return engine.search(snapshot, query, wish)

    def recommend(self, positive: Sequence[Example], negative: Sequence[Example] = (), **options: Unpack[Options]) -> Hits:
        """Chunks like some examples and not like others: a person's likes and dislikes serve as a profile.

        An example is the id of a stored document, or {"text": …}. A hit's similarity is the cosine to the nearest liked one;
        what is nearer to a disliked one comes last, with minus that cosine as its score. The examples themselves are left out.
        Best first; for the `options` see `arguments.Options`. Raises InputError for an unknown id, UsageError for no likes.
        """
        asked = arguments.asked(options)
        if not positive or isinstance(positive, str) or isinstance(negative, str):
            raise UsageError("recommend takes a list of liked examples, at least one, and a list of disliked ones")
        given = [arguments.example(each) for each in (*positive, *negative)]
        with self._snapshot() as snapshot:
            encoder_of = self._encoder_of(snapshot)
            wish = _wish(asked, encoder_of, tokens=False)
            texts = {each.text: _centre_of_text(each, encoder_of()) for each in given if isinstance(each, Draft)}
            own = {key: chosen.chunks(snapshot, self.name, key=key, file=None) for key in given if isinstance(key, str)}
            vectors = np.stack(
                [
                    texts[each.text] if isinstance(each, Draft) else engine.centre(snapshot.view.fetch(own[each])[1])
                    for each in given
                ]
            )
            taste = Taste(vectors[: len(positive)], vectors[len(positive) :])
            excluded = np.unique(np.concatenate([np.empty(0, np.int64), *own.values()]))
            least, _ = arguments.least(snapshot, asked)
            query = Query(None, None, Mode.DENSE, asked.condition, least, excluded=excluded)
            return engine.recommend(snapshot, query, wish, taste)

    def context(
        self, question: str, *, max_tokens: int = CONTEXT_TOKENS_DEFAULT, mode: str = Mode.HYBRID, rerank: bool | str = False,
        where: Where | None = None, min_score: float | str | None = None,
    ) -> Context:  # fmt: skip
        """The best passages for a language model: whole sentences, none twice, with numbered sources, within `max_tokens`.

        Tokens are the encoder's, title lines included. Raises InputError, FilterError, UnavailableError.
        """
        checked_limit(max_tokens, "max_tokens")
        encoder = self._own_encoder()
        hits = self.search(
            checked_query(question), mode=mode, rerank=rerank, where=where, min_score=min_score, limit=CONTEXT_HITS, collapse=True
        )
        from vecsearch.search.packing import pack

        return pack(question, hits, max_tokens=max_tokens, count=lambda text: len(encoder.token_spans(text)))

    # -- documents

    def get(
        self, ids: str | Sequence[str] | None = None, *, where: Where | None = None, source: AnyPath | None = None
    ) -> list[Document]:
        """Documents with their text, in the order of `ids`. Raises InputError for an id that is not there."""
        if (ids is not None) + (where is not None) + (source is not None) != 1:
            raise UsageError("get takes ids, where, or source: exactly one of them")
        condition = parse_where(where)
        with self._reader.snapshot() as snapshot:
            keys = chosen.documents(snapshot, self.name, ids=ids, condition=condition, source=source)
            return [] if snapshot is None else snapshot.catalogue.documents(keys)

    def ls(self, *, limit: int = LIST_LIMIT_DEFAULT, offset: int = 0) -> list[Listed]:
        """A page of the documents, by id."""
        limit, offset = checked_limit(limit), checked_offset(offset)
        with self._reader.snapshot() as snapshot:
            return [] if snapshot is None else snapshot.catalogue.listing(limit=limit, offset=offset)

    def sources(self, *, failed: bool = False, limit: int | None = None, offset: int = 0) -> list[Source]:
        """The files that documents come from, by path: all, or those whose newest attempt failed."""
        limit, offset = None if limit is None else checked_limit(limit), checked_offset(offset)
        with self._reader.snapshot() as snapshot:
            return [] if snapshot is None else snapshot.catalogue.source_listing(limit=limit, offset=offset, failed=failed)

    def count_sources(self, *, failed: bool = False) -> int:
        """How many files there are, or have failed."""
        with self._reader.snapshot() as snapshot:
            return 0 if snapshot is None else snapshot.catalogue.source_count(failed=failed)

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
        self._check_asked(self._state())

    def _check_asked(self, state: CollectionState | None) -> None:
        if self._asked is not None and state is not None:
            self._encoder(state)

    def _encoder(self, state: CollectionState | None) -> Encoder:
        if state is None:
            return registry.load(self._asked, self._arithmetic)
        return registry.load_same(self._asked, collection=self.name, stored=state.encoder, fingerprint=state.fingerprint)

    def _own_encoder(self) -> Encoder:
        return self._encoder(self._state())

    def _encoder_of(self, snapshot: Snapshot | None) -> Callable[[], Encoder]:
        """What loads the encoder of the vectors that a snapshot sees: between two of them, it may become another."""
        return lambda: self._encoder(None if snapshot is None else snapshot.state)

    # -- inside

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        with self._reader.snapshot() as snapshot:
            if snapshot is not None:
                yield snapshot
                return
        raise UnknownCollection(self.name, names(self._database))

    def _state(self) -> CollectionState | None:
        with self._reader.snapshot() as snapshot:
            return None if snapshot is None else snapshot.state

    def _chosen(self, ids: str | Sequence[str] | None, where: Where | None, source: AnyPath | None) -> list[str]:
        condition = parse_where(where)
        with self._reader.snapshot() as snapshot:
            return chosen.documents(snapshot, self.name, ids=ids, condition=condition, source=source)


def _wish(asked: Asked, encoder_of: Callable[[], Encoder], *, tokens: bool = True, reranker: Reranker | None = None) -> Wish:
    encoder = encoder_of() if asked.explain and tokens else None
    shows = encoder if encoder is not None and isinstance(encoder, TokenEncoder) else None
    return Wish(asked.arrangement, reranker, asked.expand, asked.explain, shows)


def _reranker(rerank: bool | str, encoder_of: Callable[[], Encoder]) -> Reranker | None:
    if not rerank:
        return None
    from vecsearch.encoding.cross_encoder import cross_encoder
    from vecsearch.search.reranking import CrossReading, LateInteraction

    if isinstance(rerank, str):
        return CrossReading(cross_encoder(rerank))
    encoder = encoder_of()
    if not isinstance(encoder, TokenEncoder):
        raise UnavailableError(f"the encoder {encoder.name} shows no token vectors to look at again; name a cross-encoder")
    return LateInteraction(encoder)


def _centre_of_text(draft: Draft, encoder: Encoder) -> Vector:
    from vecsearch.batches import cut

    return engine.centre(checked_rows(encoder.encode_documents(cut(draft, Split.TOKENS, encoder)[1])))
