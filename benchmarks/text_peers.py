"""The databases that are asked in words. A question's vector comes from vecsearch's own encoder, whoever is asked.

`note` says what a peer indexes and what it lacks. Settings are the peer's defaults unless the note says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from benchmarks.corpus import TOP_K, CorpusRows, RowFilter
from benchmarks.peers import AnyPeer, Chroma, Lance, Milvus, PeerHit, Vecsearch, Vector
from benchmarks.questions import DELETED_INTERVAL
from vecsearch.core.types import Mode
from vecsearch.encoders import registry
from vecsearch.encoders.model_files import ComputePrecision

SMALL_BATCHES = 1_000  # that a collection is made of
DELETES_A_CALL = 100


class TextMode(StrEnum):
    """How a question is answered. HYBRID and DENSE encode it within the time, HYBRID_GIVEN brings its vector along."""

    DENSE = "dense"
    LEXICAL = "lexical"
    HYBRID = "hybrid"
    HYBRID_GIVEN = "hybrid_given"


class TextPeer(AnyPeer, Protocol):
    """A database that is asked in words."""

    modes: ClassVar[Sequence[TextMode]]
    filters: ClassVar[bool] = False
    understands_syntax: ClassVar[bool] = False  # of `begin*` and quoted phrases, as vecsearch writes them
    has_all_rows: ClassVar[bool] = True
    uses_float32: ClassVar[bool] = True  # to encode questions, as all others do
    max_rows: ClassVar[int | None] = None  # more would take hours

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        """Return the best hits; `vector` is given in HYBRID_GIVEN alone."""
        ...


def encode_question(question: str) -> Vector:
    """Encode one question by the bundled model, in float32: what vecsearch does where vectors are brought along."""
    vector: Vector = _load_encoder()([question])[0]
    return vector


@cache
def _load_encoder() -> Callable[[Sequence[str]], Any]:
    return registry.load(None, ComputePrecision.FLOAT32).encode_queries


class VecsearchText(Vecsearch, TextPeer):
    note = "text, metadata, vectors (float16) and postings; `search` of a text, 100,000 rows an `add`"
    modes = (TextMode.DENSE, TextMode.LEXICAL, TextMode.HYBRID)
    filters = True
    understands_syntax = True

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        where = {row_filter.key: row_filter.value} if row_filter else None
        hits = self._collection.search(question, limit=TOP_K, mode=Mode(mode.value), where=where)
        return [PeerHit(int(hit.id), hit.text, dict(hit.metadata)) for hit in hits]


class VecsearchInt8(VecsearchText):
    note = "the same, its questions encoded in 8-bit arithmetic, as in every collection whose texts vecsearch encoded itself"
    uses_float32 = False

    def build(self, folder: Path, rows: CorpusRows) -> None:
        import vecsearch

        with vecsearch.connect(folder / "db") as database:
            database.create_collection("default")
        super().build(folder, rows)


class VecsearchSmallBatches(VecsearchText):
    note = f"the same, made by {SMALL_BATCHES:,} calls of `add`, each durable, and not optimized"

    def build(self, folder: Path, rows: CorpusRows) -> None:
        import vecsearch

        with vecsearch.open(folder / "db") as collection:
            for batch in rows.split_batches(max(1, len(rows) // SMALL_BATCHES)):
                ids = [str(row_id) for row_id in batch.ids]
                collection.add(batch.texts, ids=ids, metadatas=batch.metadatas, vectors=batch.vectors)


class VecsearchDeletes(VecsearchText):
    note = f"the same, after every tenth row was deleted, {DELETES_A_CALL} a call (in the time of ingest), and not optimized"
    has_all_rows = False

    def build(self, folder: Path, rows: CorpusRows) -> None:
        import vecsearch

        super().build(folder, rows)
        ids = [str(row_id) for row_id in rows.ids[::DELETED_INTERVAL]]
        with vecsearch.open(folder / "db") as collection:
            for start in range(0, len(ids), DELETES_A_CALL):
                collection.delete(ids[start : start + DELETES_A_CALL])


class LanceText(Lance, TextPeer):
    note = (
        "text and metadata; IVF_HNSW_SQ, cosine, a full-text index as it comes (English stems, no stop words), bitmap indexes on "
        "the filtered columns, filters applied first; hybrid by its default, reciprocal ranks"
    )
    modes = (TextMode.DENSE, TextMode.LEXICAL, TextMode.HYBRID, TextMode.HYBRID_GIVEN)

    def build(self, folder: Path, rows: CorpusRows) -> None:
        super().build(folder, rows)
        table = self._lance.connect(str(folder)).open_table("c")
        table.create_index("text", config=import_module("lancedb.index").FTS())

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        if mode is TextMode.DENSE:
            return self.search(encode_question(question), row_filter)
        if mode is TextMode.LEXICAL:
            query = self._table.search(question, query_type="fts").select([*self.columns, "_score"])
        else:
            given = encode_question(question) if vector is None else vector
            query = self._table.search(query_type="hybrid").vector(given).text(question).distance_type("cosine")
            query = query.select(self.columns)
        if row_filter:
            query = query.where(f"{row_filter.key} = '{row_filter.value}'", prefilter=True)
        hits = query.limit(TOP_K).to_list()
        return [PeerHit(hit["id"], hit["text"], {key: hit[key] for key in ("lang", "rare", "n")}) for hit in hits]


class TxtaiText(TextPeer):
    packages = ("txtai",)
    note = "text, no metadata; FAISS and keywords as txtai chooses them; such an index answers by both at once only"
    modes = (TextMode.HYBRID,)
    max_rows = 100_000

    def __init__(self) -> None:
        self._txtai: Any = import_module("txtai")

    def build(self, folder: Path, rows: CorpusRows) -> None:
        vectors = iter(rows.vectors)
        take = lambda texts: np.array([next(vectors) for _ in texts])  # noqa: E731
        embeddings = self._txtai.Embeddings(method="external", transform=take, content=True, hybrid=True)
        embeddings.index(zip(rows.ids, rows.texts, [None] * len(rows), strict=True))
        del embeddings.config["transform"]
        embeddings.save(str(folder / "c"))
        embeddings.close()

    def open(self, folder: Path) -> None:
        self._embeddings = self._txtai.Embeddings()
        encode = lambda texts: np.array([encode_question(text) for text in texts])  # noqa: E731
        self._embeddings.load(str(folder / "c"), config={"method": "external", "transform": encode})

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        return [PeerHit(int(hit["id"]), hit["text"]) for hit in self._embeddings.search(question, TOP_K)]

    def close(self) -> None:
        self._embeddings.close()


class ChromaText(Chroma, TextPeer):
    note = "text and metadata; HNSW, cosine, batches as large as the client takes; no ranking by words"
    modes = (TextMode.DENSE,)
    max_rows = 100_000

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        return self.search(encode_question(question), row_filter)


class MilvusText(Milvus, TextPeer):
    note = (
        "text and metadata; AUTOINDEX, cosine, BM25 by the default analyzer (no stems); hybrid by reciprocal ranks of ten each; "
        "client and server talk over gRPC within the process"
    )
    modes = (TextMode.DENSE, TextMode.LEXICAL, TextMode.HYBRID)
    max_rows = 100_000
    text_options: ClassVar[dict[str, Any]] = {"enable_analyzer": True}

    def _define_table(self, client: Any, dimension: int) -> tuple[Any, Any]:
        schema, index_params = super()._define_table(client, dimension)
        milvus = self._milvus
        schema.add_field("sparse", milvus.DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(milvus.Function("bm25", milvus.FunctionType.BM25, ["text"], ["sparse"]))
        index_params.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        return schema, index_params

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        condition = f'{row_filter.key} == "{row_filter.value}"' if row_filter else ""
        if mode is TextMode.HYBRID:
            requests = [
                self._milvus.AnnSearchRequest(data, field, {"metric_type": metric}, limit=TOP_K, expr=condition or None)
                for data, field, metric in (([encode_question(question)], "vector", "COSINE"), ([question], "sparse", "BM25"))
            ]
            answer = self._client.hybrid_search("c", requests, self._milvus.RRFRanker(), limit=TOP_K, output_fields=self.fields)
        else:
            data, field = (encode_question(question), "vector") if mode is TextMode.DENSE else (question, "sparse")
            answer = self._client.search(
                "c", data=[data], anns_field=field, limit=TOP_K, filter=condition, output_fields=self.fields
            )
        return [PeerHit(hit["id"], hit["entity"]["text"]) for hit in answer[0]]


class Tantivy(TextPeer):
    packages = ("tantivy",)
    note = "text and language; English stems, stop words kept, one commit; words only"
    modes = (TextMode.LEXICAL,)
    filters = True

    def __init__(self) -> None:
        self._tantivy: Any = import_module("tantivy")

    def build(self, folder: Path, rows: CorpusRows) -> None:
        builder = self._tantivy.SchemaBuilder()
        builder.add_integer_field("id", stored=True)
        builder.add_text_field("text", stored=True, tokenizer_name="en_stem")
        builder.add_text_field("lang", stored=True, tokenizer_name="raw")
        writer = self._tantivy.Index(builder.build(), path=str(folder)).writer()
        for row_id, text, metadata in zip(rows.ids, rows.texts, rows.metadatas, strict=True):
            writer.add_document(self._tantivy.Document(id=row_id, text=text, lang=metadata["lang"]))
        writer.commit()
        writer.wait_merging_threads()

    def open(self, folder: Path) -> None:
        self._index = self._tantivy.Index.open(str(folder))
        self._searcher = self._index.searcher()

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        words = " ".join(re.findall(r"\w+", question)).lower()  # nothing that its parser takes for syntax
        query = self._index.parse_query(words, ["text"])
        if row_filter:
            occur, make = self._tantivy.Occur, self._tantivy.Query
            term = make.term_query(self._index.schema, row_filter.key, row_filter.value)
            query = make.boolean_query([(occur.Must, query), (occur.Must, make.const_score_query(term, 0.0))])
        documents = [self._searcher.doc(address) for _, address in self._searcher.search(query, TOP_K, count=False).hits]
        return [PeerHit(document["id"][0], document["text"][0]) for document in documents]

    def close(self) -> None:
        del self._searcher, self._index


class Bm25s(TextPeer):
    packages = ("bm25s", "Stemmer")
    note = "ids only; English stems, stop words left out; made as a whole and loaded as a whole, no writes afterwards; words only"
    modes = (TextMode.LEXICAL,)

    def __init__(self) -> None:
        self._bm25s: Any = import_module("bm25s")
        self._stemmer: Any = import_module("Stemmer").Stemmer("english")

    def _tokenize(self, texts: Sequence[str] | str) -> Any:
        return self._bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer, show_progress=False)

    def build(self, folder: Path, rows: CorpusRows) -> None:
        retriever = self._bm25s.BM25()
        retriever.index(self._tokenize(list(rows.texts)), show_progress=False)
        retriever.save(str(folder / "c"), show_progress=False)

    def open(self, folder: Path) -> None:
        self._retriever = self._bm25s.BM25.load(str(folder / "c"), show_progress=False)

    def ask(self, mode: TextMode, question: str, vector: Vector | None, row_filter: RowFilter | None) -> list[PeerHit]:
        ids, scores = self._retriever.retrieve(self._tokenize(question), k=TOP_K, show_progress=False)
        return [PeerHit(int(row_id)) for row_id, score in zip(ids[0], scores[0], strict=True) if score > 0]

    def close(self) -> None:
        del self._retriever


TEXT_PEERS: dict[str, type[TextPeer]] = {
    "vecsearch": VecsearchText, "vecsearch-int8": VecsearchInt8, "vecsearch-batches": VecsearchSmallBatches,
    "vecsearch-deletes": VecsearchDeletes, "lancedb": LanceText, "txtai": TxtaiText, "chroma": ChromaText, "milvus": MilvusText,
    "tantivy": Tantivy, "bm25s": Bm25s,
}  # fmt: skip
