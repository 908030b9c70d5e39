"""The databases that are compared, each behind the same few methods.

`note` says what a peer's figures include and what it lacks. Settings are the peer's defaults unless the note says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module, util
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import TOP_K, CorpusRows, Metadata, RowFilter

Vector = NDArray[np.float32]
INSTALL_HINT = "pip install -c requirements.lock -c benchmarks/peers.lock -e '.[peers]'"


class PeerHit(NamedTuple):
    """A hit; text and metadata are None where the peer keeps none."""

    id: int
    text: str | None = None
    metadata: Metadata | None = None


class AnyPeer(Protocol):
    """A database in a folder. `build` leaves all of it on disk and closed; `open` is called in another process."""

    packages: ClassVar[Sequence[str]]
    note: ClassVar[str]

    def build(self, folder: Path, rows: CorpusRows) -> None: ...
    def open(self, folder: Path) -> None: ...
    def close(self) -> None: ...


class Peer(AnyPeer, Protocol):
    """A database that is asked with vectors."""

    filters: ClassVar[bool]

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]: ...


class Vecsearch(Peer):
    packages = ("vecsearch",)
    note = "text, metadata, vectors (float16) and a full-text index; `search` of a vector"
    filters = True

    def build(self, folder: Path, rows: CorpusRows) -> None:
        import vecsearch

        with vecsearch.open(folder / "db") as collection:
            for batch in rows.split_batches(100_000):
                ids = [str(row_id) for row_id in batch.ids]
                collection.add(batch.texts, ids=ids, metadatas=batch.metadatas, vectors=batch.vectors)

    def open(self, folder: Path) -> None:
        import vecsearch

        self._collection = vecsearch.open(folder / "db")

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]:
        hits = self._collection.search(vector, limit=TOP_K, where={row_filter.key: row_filter.value} if row_filter else None)
        return [PeerHit(int(hit.id), hit.text, dict(hit.metadata)) for hit in hits]

    def close(self) -> None:
        self._collection.close()


class Chroma(Peer):
    packages = ("chromadb",)
    note = "text, metadata and a trigram text index; HNSW, cosine, batches as large as the client takes"
    filters = True

    def __init__(self) -> None:
        self._chroma: Any = import_module("chromadb")

    def _open_client(self, folder: Path) -> Any:
        return self._chroma.PersistentClient(str(folder), settings=self._chroma.Settings(anonymized_telemetry=False))

    def build(self, folder: Path, rows: CorpusRows) -> None:
        client = self._open_client(folder)
        collection = client.create_collection("rows", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
        for batch in rows.split_batches(client.get_max_batch_size()):
            ids = [str(row_id) for row_id in batch.ids]
            collection.add(ids=ids, embeddings=batch.vectors, documents=list(batch.texts), metadatas=list(batch.metadatas))
        client.close()

    def open(self, folder: Path) -> None:
        self._connection = self._open_client(folder)
        self._collection = self._connection.get_collection("rows", embedding_function=None)

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]:
        answer = self._collection.query(
            query_embeddings=[vector], n_results=TOP_K, where={row_filter.key: row_filter.value} if row_filter else None,
            include=["documents", "metadatas", "distances"],
        )  # fmt: skip
        columns = zip(answer["ids"][0], answer["documents"][0], answer["metadatas"][0], strict=True)
        return [PeerHit(int(key), text, dict(metadata)) for key, text, metadata in columns]

    def close(self) -> None:
        self._connection.close()


class Lance(Peer):
    packages = ("lancedb", "pyarrow")
    note = "text and metadata; IVF_HNSW_SQ, cosine, bitmap indexes on the filtered columns, filters applied first; no text index"
    filters = True
    columns: ClassVar = ["id", "text", "lang", "rare", "n"]

    def __init__(self) -> None:
        self._lance: Any = import_module("lancedb")
        self._arrow: Any = import_module("pyarrow")

    def build(self, folder: Path, rows: CorpusRows) -> None:
        schema = self._make_batch(rows.slice_rows(0, 1)).schema
        batches = (self._make_batch(batch) for batch in rows.split_batches(10_000))
        table = self._lance.connect(str(folder)).create_table("c", data=batches, schema=schema)
        table.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_HNSW_SQ")
        for column in ("lang", "rare"):
            table.create_scalar_index(column, index_type="BITMAP")

    def _make_batch(self, rows: CorpusRows) -> Any:
        arrow = self._arrow
        vectors = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.vectors.ravel()), rows.vectors.shape[1])
        columns = {key: arrow.array([metadata[key] for metadata in rows.metadatas]) for key in ("lang", "rare", "n")}
        return arrow.RecordBatch.from_pydict({"id": rows.ids, "text": list(rows.texts), **columns, "vector": vectors})

    def open(self, folder: Path) -> None:
        self._table = self._lance.connect(str(folder)).open_table("c")

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]:
        query = self._table.search(vector).distance_type("cosine").select([*self.columns, "_distance"]).limit(TOP_K)
        if row_filter:
            value = "true" if row_filter.value is True else f"'{row_filter.value}'"
            query = query.where(f"{row_filter.key} = {value}", prefilter=True)
        return [PeerHit(hit["id"], hit["text"], {key: hit[key] for key in ("lang", "rare", "n")}) for hit in query.to_list()]

    def close(self) -> None:
        del self._table


class Txtai(Peer):
    packages = ("txtai",)
    note = "ids and vectors only: no text, no metadata, hence no filter; FAISS as txtai chooses it"
    filters = False

    def __init__(self) -> None:
        self._txtai: Any = import_module("txtai")

    def build(self, folder: Path, rows: CorpusRows) -> None:
        embeddings = self._txtai.Embeddings(method="external", content=False)
        embeddings.index((key, vector, None) for key, vector in zip(rows.ids, rows.vectors, strict=True))
        embeddings.save(str(folder / "c"))
        embeddings.close()

    def open(self, folder: Path) -> None:
        self._embeddings = self._txtai.Embeddings()
        self._embeddings.load(str(folder / "c"))

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]:
        return [PeerHit(int(key)) for key, _ in self._embeddings.search(vector, TOP_K)]

    def close(self) -> None:
        self._embeddings.close()


class Milvus(Peer):
    packages = ("milvus_lite", "pymilvus")
    note = "text and metadata; AUTOINDEX, cosine; client and server talk over gRPC within the process"
    filters = True
    fields: ClassVar = ["text", "lang", "rare", "n"]
    text_options: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        self._milvus: Any = import_module("pymilvus")

    def build(self, folder: Path, rows: CorpusRows) -> None:
        client = self._milvus.MilvusClient(str(folder / "c.db"))
        schema, index_params = self._define_table(client, rows.vectors.shape[1])
        client.create_collection("c", schema=schema, index_params=index_params)
        for batch in rows.split_batches(5_000):
            columns = zip(batch.ids, batch.vectors, batch.texts, batch.metadatas, strict=True)
            client.insert("c", [{"id": key, "vector": row, "text": text, **metadata} for key, row, text, metadata in columns])
        client.flush("c")
        client.close()

    def _define_table(self, client: Any, dimension: int) -> tuple[Any, Any]:
        kinds, schema = self._milvus.DataType, client.create_schema(auto_id=False)
        schema.add_field("id", kinds.INT64, is_primary=True)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dimension)
        schema.add_field("text", kinds.VARCHAR, max_length=2_000, **self.text_options)
        schema.add_field("lang", kinds.VARCHAR, max_length=8)
        schema.add_field("rare", kinds.BOOL)
        schema.add_field("n", kinds.INT64)
        index_params = client.prepare_index_params()
        index_params.add_index("vector", index_type="AUTOINDEX", metric_type="COSINE")
        return schema, index_params

    def open(self, folder: Path) -> None:
        self._client = self._milvus.MilvusClient(str(folder / "c.db"))
        self._client.load_collection("c")

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]:
        value = "" if row_filter is None else "true" if row_filter.value is True else f'"{row_filter.value}"'
        answer = self._client.search(
            "c",
            data=[vector],
            limit=TOP_K,
            filter=f"{row_filter.key} == {value}" if row_filter else "",
            output_fields=self.fields,
        )
        return [_make_hit(hit["id"], hit["entity"]) for hit in answer[0]]

    def close(self) -> None:
        self._client.close()


class Qdrant(Peer):
    packages = ("qdrant_client",)
    note = (
        "text and metadata as payload; the client's local mode, which keeps all in memory and scans it; a thousand points a call"
    )
    filters = True

    def __init__(self) -> None:
        self._qdrant: Any = import_module("qdrant_client")
        self._models: Any = import_module("qdrant_client.models")

    def build(self, folder: Path, rows: CorpusRows) -> None:
        client, models = self._qdrant.QdrantClient(path=str(folder)), self._models
        space = models.VectorParams(size=rows.vectors.shape[1], distance=models.Distance.COSINE)
        client.create_collection("c", vectors_config=space)
        for batch in rows.split_batches(1_000):
            columns = zip(batch.ids, batch.vectors.tolist(), batch.texts, batch.metadatas, strict=True)
            points = [
                models.PointStruct(id=key, vector=row, payload={"text": text, **metadata}) for key, row, text, metadata in columns
            ]
            client.upsert("c", points)
        client.close()

    def open(self, folder: Path) -> None:
        self._client = self._qdrant.QdrantClient(path=str(folder))

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]:
        models = self._models
        match = row_filter and models.FieldCondition(key=row_filter.key, match=models.MatchValue(value=row_filter.value))
        answer = self._client.query_points(
            "c", query=vector, limit=TOP_K, query_filter=models.Filter(must=[match]) if match else None, with_payload=True
        )
        return [_make_hit(point.id, point.payload) for point in answer.points]

    def close(self) -> None:
        self._client.close()


class Faiss(Peer):
    packages = ("faiss",)
    note = "a bare index file, HNSW32 (efConstruction 80, efSearch 64): no text, no metadata, no filter, no writes afterwards"
    filters = False

    def __init__(self) -> None:
        self._faiss: Any = import_module("faiss")

    def build(self, folder: Path, rows: CorpusRows) -> None:
        index = self._faiss.IndexHNSWFlat(rows.vectors.shape[1], 32, self._faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 80
        index.add(rows.vectors)
        self._faiss.write_index(index, str(folder / "c.faiss"))

    def open(self, folder: Path) -> None:
        self._index = self._faiss.read_index(str(folder / "c.faiss"))
        self._index.hnsw.efSearch = 64

    def search(self, vector: Vector, row_filter: RowFilter | None) -> list[PeerHit]:
        return [PeerHit(int(key)) for key in self._index.search(vector[np.newaxis], TOP_K)[1][0]]

    def close(self) -> None:
        del self._index


def _make_hit(key: int, payload: dict[str, Any]) -> PeerHit:
    return PeerHit(key, payload["text"], {name: payload[name] for name in ("lang", "rare", "n")})


PEERS: dict[str, type[Peer]] = {
    "vecsearch": Vecsearch, "chroma": Chroma, "lancedb": Lance, "txtai": Txtai, "milvus": Milvus, "qdrant": Qdrant,
    "faiss": Faiss,
}  # fmt: skip
_DISTRIBUTIONS = {"milvus_lite": "milvus-lite", "qdrant_client": "qdrant-client", "faiss": "faiss-cpu"}


def is_installed(peer: type[AnyPeer]) -> bool:
    return all(util.find_spec(package) is not None for package in peer.packages)


def get_version(peer: type[AnyPeer]) -> str:
    """Return the version of a peer's first package."""
    return version(_DISTRIBUTIONS.get(peer.packages[0], peer.packages[0]))
