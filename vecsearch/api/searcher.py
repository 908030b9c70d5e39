"""Everything of the Python API that searches a collection: by text, by vector, by example."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from vecsearch.api import arguments, file_questions, question_models
from vecsearch.api.arguments import SearchOptions
from vecsearch.api.columns import list_values
from vecsearch.api.reader import CollectionReader
from vecsearch.core.checks import check_choice, check_limit, check_query
from vecsearch.core.encoder_fields import read_dimension, read_max_tokens, read_token_spans
from vecsearch.core.errors import InputError, StorageError, UsageError
from vecsearch.core.results import Hits
from vecsearch.core.settings import CONTEXT_HITS, CONTEXT_TOKENS_DEFAULT, LIMIT_DEFAULT
from vecsearch.core.types import AnyFusion, AnyMode, AnyPath, Fusion, Mode, Split, Threshold, VectorOrigin, Where, WindowSize
from vecsearch.encoders.base import TextEncoder, TokenEncoder
from vecsearch.encoders.picture_vectors import encode_documents
from vecsearch.search import engine, query_maps, selection
from vecsearch.search.engine import ResultOptions
from vecsearch.search.retrieval import Query
from vecsearch.search.selection import StoredExample
from vecsearch.search.votes import Votes
from vecsearch.stores.base import CollectionInfo, Snapshot, Vector

if TYPE_CHECKING:  # loaded by those who need it, so that a plain search from the shell does not wait
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.core.preferences import Profile
    from vecsearch.search.context import Context
    from vecsearch.search.rerank import Reranker

_T = TypeVar("_T")
_A = TypeVar("_A")
OneVector: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]
ManyVectors: TypeAlias = np.ndarray[tuple[int, int], np.dtype[Any]]
_ATTEMPTS: Final = 5  # at a question while others embed the collection with another model again and again


class SearchKeywords(TypedDict, total=False):
    """The keyword arguments of `search`, for its overloads."""

    vector: object
    limit: int
    offset: int
    mode: AnyMode
    where: Where | None
    min_similarity: Threshold | None
    fusion: AnyFusion
    rerank: bool | str
    about: str | None
    group_by: Literal["document"] | None
    dedupe: bool
    mmr: float | None
    window: WindowSize
    explain: bool
    highlight: bool
    profile: str | Profile | None
    half_life: float | None


class CollectionSearcher(CollectionReader):
    """A collection to search."""

    _loaded: frozenset[tuple[str, Hashable]] = frozenset()  # fingerprints, and kinds of question whose models are loaded

    # -- searching

    @overload
    def search(self, query: str | Sequence[float] | OneVector, **options: Unpack[SearchKeywords]) -> Hits: ...

    @overload
    def search(
        self, query: list[str] | tuple[str, ...] | Sequence[Sequence[float]] | ManyVectors, **options: Unpack[SearchKeywords]
    ) -> list[Hits]: ...

    @overload
    def search(self, query: NDArray[Any], **options: Unpack[SearchKeywords]) -> Hits | list[Hits]: ...

    @overload
    def search(self, *, file: AnyPath, **options: Unpack[SearchKeywords]) -> Hits: ...

    def search(
        self,
        query: str | Sequence[str] | Sequence[float] | Sequence[Sequence[float]] | NDArray[Any] | None = None,
        *,
        file: AnyPath | None = None,
        vector: object = None,
        limit: int = LIMIT_DEFAULT,
        offset: int = 0,
        mode: AnyMode = Mode.HYBRID,
        where: Where | None = None,
        min_similarity: Threshold | None = None,
        fusion: AnyFusion = Fusion.TMM,
        rerank: bool | str = False,
        about: str | None = None,
        group_by: Literal["document"] | None = None,
        dedupe: bool = False,
        mmr: float | None = None,
        window: WindowSize = 0,
        explain: bool = False,
        highlight: bool = False,
        profile: str | Profile | None = None,
        half_life: float | None = None,
    ) -> Hits | list[Hits]:
        """Return the hits of a query, best first: `limit` of them, after the first `offset`, whenever as many match.

        `query`: a text, or a vector, shape (dimension,), which is searched densely; for a list of texts, or a matrix with a
        vector a row, the answer is a list of Hits, one a query. `vector`, or for many texts a matrix, stands for the text
        wherever vectors are compared, and no model is loaded for it. A `file` in the place of the query asks what it says: a
        text, a recording in which somebody asks, the words in a picture, or what a picture without words shows.

        `mode` is "hybrid", "dense" or "lexical", `fusion` how
        hybrid mode makes one ranking of two. `rerank` scores the best candidates again: True with the model's own token vectors,
        a name or folder with that cross-encoder. `about` is a word of the query: passages that have a form of it come first,
        those where it means the same before others, and `Hit.word` is its place.

        A text is searched by the map that `tune` made of this collection's questions, where there is one; a vector is not.
        `where` filters by metadata before anything is counted. `min_similarity` is a least similarity, or "auto": the
        collection's own noise floor, below which a chunk is an answer only if it has half of the best possible BM25.
        `group_by="document"` keeps a document's best chunk, `dedupe` the best of near-duplicates and word forms; either counts
        the others in `Hit.group_size`. `mmr` in [0, 1] trades similarity (1) for variety (0). `window` adds so many neighbour
        chunks on each side as `Hit.window`, or the whole "document"; `explain` the `Hit.explanation`; `highlight` the
        `Hit.snippet`: the sentence that holds most of the query. Pages by `offset` hold each hit once where nobody writes.
        `profile`: whose likes and dislikes raise or lower the best by up to a fifth of their score; see `recommend`.

        Raises InputError, FilterError, DimensionMismatchError, CollectionNotFoundError, UnavailableError.
        """
        chosen_mode, chosen_fusion = check_choice(Mode, mode, "mode"), check_choice(Fusion, fusion, "fusion")
        if (query is None) == (file is None):
            raise UsageError("search takes a query or a file: one of them")
        if file is not None:
            query, picture = file_questions.read_question(Path(file), self._load_encoder)
            vector = self.embed([picture])[0] if picture and vector is None and chosen_mode is not Mode.LEXICAL else vector
        options = arguments.parse_search_options(
            limit=limit, offset=offset, where=where, min_similarity=min_similarity, group_by=group_by, dedupe=dedupe, mmr=mmr,
            window=window, explain=explain,
        )  # fmt: skip
        texts, matrix, many = arguments.parse_queries(query, vector)
        if texts is None and (chosen_mode is Mode.LEXICAL or rerank):
            raise UsageError("a vector has no terms: it cannot be searched in lexical mode, nor reranked")
        if texts is None:
            chosen_mode = Mode.DENSE
        arguments.check_mode(chosen_mode, options, chosen_fusion, has_vector=vector is not None)
        question_models.check_about(about, has_text=texts is not None, mode=chosen_mode, rerank=rerank)
        kind = (matrix is None, chosen_mode, rerank, explain, about is None)
        half_life = None if profile is None and half_life is None else _parse_half_life(half_life, profile)

        def prepare(info: CollectionInfo) -> tuple[Any, Any, ResultOptions]:
            if matrix is not None:
                self._check_requested_model(info)
            load = self._bind_encoder(info)
            wish = build_result_options(
                options,
                info,
                load,
                self._open_snapshot,
                tokens=chosen_mode is not Mode.LEXICAL and vector is None,
                reranker=question_models.load_reranker(rerank, load),
                highlight=highlight,
            )
            dimension, is_loaded = info.encoder.dimension, self._is_loaded(info, kind)
            rows = arguments.embed_queries(texts, matrix, chosen_mode, dimension=dimension, get_encoder=load, is_loaded=is_loaded)
            words = question_models.read_words_in_questions(about, texts, stemmer=info.stemmer, get_encoder=load)
            return rows, words or [None] * len(rows), wish

        def answer(snapshot: Snapshot, prepared: tuple[Any, Any, ResultOptions]) -> list[Hits]:
            rows, words, wish = prepared
            if matrix is None and chosen_mode is not Mode.LEXICAL:
                rows = query_maps.map_questions(snapshot, rows)
            least, keep_lexical = arguments.resolve_min_similarity(snapshot, options)
            if profile is not None:
                wish = replace(wish, votes=_load_votes(snapshot, profile, half_life))
            return [
                engine.search(
                    snapshot, Query(text, row, chosen_mode, options.where, least, keep_lexical, chosen_fusion), wish, word
                )
                for text, row, word in zip(texts or repeat(None, len(rows)), rows, words, strict=True)
            ]

        answers = self._ask(prepare, answer, kind=kind)
        return answers if many else answers[0]

    def similar(
        self,
        *,
        id: str | None = None,
        text: str | None = None,
        file: AnyPath | None = None,
        about: str | None = None,
        wordnet: AnyPath | None = None,
        limit: int = LIMIT_DEFAULT,
        offset: int = 0,
        where: Where | None = None,
        min_similarity: Threshold | None = None,
        group_by: Literal["document"] | None = None,
        dedupe: bool = False,
        mmr: float | None = None,
        window: WindowSize = 0,
        explain: bool = False,
        highlight: bool = False,
    ) -> Hits:
        """Return the chunks most similar to a stored document (the mean of its chunks; never itself), a text, or a file's text.

        `about` says what a text that is one word means: a sentence that uses it, or a definition; where WordNet is at hand, see
        `senses`, a sentence chooses one of its definitions. Entries that are the word itself are left out. An `id` such as "ID#3"
        is that chunk of the document, unless a document has that very id. Best first; for the other arguments see `search`.
        Raises InputError for an unknown id, CollectionNotFoundError, DimensionMismatchError for a text beside vectors of another
        width that were brought.
        """
        if (id is not None) + (text is not None) + (file is not None) != 1:
            raise UsageError("similar takes id, text, or file: exactly one of them")
        options = arguments.parse_search_options(
            limit=limit, offset=offset, where=where, min_similarity=min_similarity, group_by=group_by, dedupe=dedupe, mmr=mmr,
            window=window, explain=explain,
        )  # fmt: skip
        document = None
        if about is not None and text is None:
            raise UsageError("about says what a word means: give the word as text")
        if id is None:
            document = (
                arguments.make_text_document(text)
                if file is None
                else file_questions.read_document(Path(file), self._load_encoder)
            )

        def prepare(info: CollectionInfo) -> tuple[Vector | None, ResultOptions]:
            load = self._bind_encoder(info)
            vector = None if document is None else embed_document(document, load(), info, None if file is None else Path(file))
            if about is not None and text is not None:
                vector = question_models.embed_meant_word(text, about, wordnet, stemmer=info.stemmer, encoder=load())
            return vector, build_result_options(options, info, load, self._open_snapshot, highlight=highlight)

        def answer(snapshot: Snapshot, prepared: tuple[Vector | None, ResultOptions]) -> Hits:
            vector, wish = prepared
            if id is None:
                own = selection.select_chunks(snapshot, self.name, key=None, file=file)
                if about is not None and text is not None:
                    own = np.union1d(own, question_models.find_entries(snapshot, text))
            else:
                example = selection.select_example(snapshot, self.name, id)
                own, vector = example.document, load_centroid(snapshot, example)
            assert vector is not None
            least, _ = arguments.resolve_min_similarity(snapshot, options)
            return engine.search(snapshot, Query(None, vector, Mode.DENSE, options.where, least, exclude=own), wish)

        return self._ask(prepare, answer, kind=(document is None, explain))

    def context(
        self,
        question: str,
        *,
        max_tokens: int = CONTEXT_TOKENS_DEFAULT,
        mode: AnyMode = Mode.HYBRID,
        rerank: bool | str = False,
        where: Where | None = None,
        min_similarity: Threshold | None = None,
    ) -> Context:
        """Pack the best passages for a language model: whole sentences, none twice, with numbered sources, within `max_tokens`.

        Tokens are the model's, title lines included. Raises InputError, FilterError, CollectionNotFoundError, UnavailableError.
        """
        max_tokens = check_limit(max_tokens, "max_tokens")
        hits = self.search(
            check_query(question), mode=mode, rerank=rerank, where=where, min_similarity=min_similarity, limit=CONTEXT_HITS,
            dedupe=True,
        )  # fmt: skip
        encoder = self._load_encoder()
        from vecsearch.search.context import pack

        packed = pack(question, hits, max_tokens=max_tokens, count_tokens=lambda text: len(read_token_spans(encoder, text)))
        return replace(packed, pending_vectors=hits.pending_vectors, reason=hits.reason)

    def embed(self, texts: Iterable[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Return the vectors of texts as documents, shape (len(texts), dimension), float32, each of length 1.

        Each text is cut at the model's window. Raises InputError, UnavailableError.
        """
        checked = [check_query(text) for text in list_values(texts, "texts", one_value="embed([text])")]
        encoder = self._load_encoder()
        if not checked:
            return np.empty((0, read_dimension(encoder)), np.float32)
        return encode_documents(encoder, [_cut_at_window(text, encoder) for text in checked], lambda n: f"texts[{n}]")

    # -- inside

    def _is_loaded(self, info: CollectionInfo, kind: Hashable) -> bool:
        """Return whether the models that questions of a kind need are loaded."""
        return (info.encoder.fingerprint, kind) in self._loaded

    def _ask(self, prepare: Callable[[CollectionInfo], _T], answer: Callable[[Snapshot, _T], _A], kind: Hashable) -> _A:
        """Return an answer. No snapshot is held while a model is loaded, which may take long.

        `kind` is the same for questions that need the same models: one of each kind is prepared before the snapshot is opened.

        Where the collection has got other vectors by then, everything is prepared again.
        """
        for _ in range(_ATTEMPTS):
            with self._open_snapshot() as snapshot:
                info = snapshot.info
                if self._is_loaded(info, kind):
                    return answer(snapshot, prepare(info))
            prepared = prepare(info)
            self._loaded |= {(info.encoder.fingerprint, kind)}
            with self._open_snapshot() as snapshot:
                if snapshot.info.has_same_vectors(info):
                    return answer(snapshot, prepared)
        raise StorageError(f"the vectors of {self.name!r} are being replaced again and again; try again later")


def _parse_half_life(half_life: float | None, profile: str | Profile | None) -> float | None:
    from vecsearch.api.profile_arguments import parse_half_life

    return parse_half_life(half_life, profile)


def _load_votes(snapshot: Snapshot, profile: str | Profile, half_life: float | None) -> Votes:
    from vecsearch.search import saved_profiles

    saved = saved_profiles.load_profile(snapshot, profile) if isinstance(profile, str) else profile
    return saved_profiles.load_examples(snapshot, saved, half_life).votes


def build_result_options(
    options: SearchOptions,
    info: CollectionInfo,
    get_encoder: Callable[[], TextEncoder],
    reopen: Callable[[], AbstractContextManager[Snapshot]],
    *,
    tokens: bool = True,
    reranker: Reranker | None = None,
    highlight: bool = False,
) -> ResultOptions:
    encoder = get_encoder() if options.explain and tokens else None
    token_encoder = encoder if encoder is not None and isinstance(encoder, TokenEncoder) else None
    if token_encoder is not None and read_dimension(token_encoder) != info.encoder.dimension:
        token_encoder = None  # of a collection of vectors that a caller brought: they are no sums of its tokens
    return ResultOptions(
        options.diversity, reranker, options.offset, options.window, options.whole_documents, options.explain, token_encoder,
        bool(highlight), reopen,
    )  # fmt: skip


def embed_document(document: ParsedDocument, encoder: TextEncoder, info: CollectionInfo, path: Path | None) -> Vector:
    """Return the mean of a document's vectors; of the file at `path` with media, of theirs alone."""
    from vecsearch.documents.chunk_inputs import chunk_document

    arguments.check_dimension(encoder, info.encoder.dimension)
    if document.media and path is not None:
        return engine.compute_centroid(np.stack(file_questions.embed_media(document, path, encoder)))
    texts = chunk_document(document, Split.TOKENS, encoder)[1]
    return engine.compute_centroid(encode_documents(encoder, texts))


def load_centroid(snapshot: Snapshot, example: StoredExample) -> Vector:
    """Return the unit mean of an example's vectors, as far as they are made. Raises InputError where there is none."""
    rows, key = snapshot.load_vectors(example.chunks.tolist()), example.id
    if not rows.any():
        stored = snapshot.find_stored_documents([key]).get(key)  # a row may be named by its key alone
        if stored is not None and stored.vector_origin is VectorOrigin.NONE:
            raise InputError(f"the document {key!r} is stored without a vector: it cannot be compared; add it again with one")
        raise InputError(f"the vector of {key!r} is still to be made: vecsearch index --vectors-only, or fill_vectors()")
    return engine.compute_centroid(rows)


def _cut_at_window(text: str, encoder: TextEncoder) -> str:
    spans, window = read_token_spans(encoder, text), read_max_tokens(encoder)
    return text if len(spans) <= window else text[: spans[window - 1][1]]
