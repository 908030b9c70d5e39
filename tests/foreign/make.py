"""Make the small databases of Chroma and txtai beside this file: `python tests/foreign/make.py`, where both are installed.

Made with chromadb 1.5.9 and txtai 9.14.0. Only what holds documents is kept, and of txtai a whole archive.
`expected.json` is what they say themselves of what they hold.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import chromadb
import numpy as np
from txtai import Embeddings

HERE = Path(__file__).parent
BIRDS = [
    "heron",
    "kingfisher",
    "grey wagtail",
    "bar-tailed godwit",
    "Eisvogel",
    "シマエナガ",
    "oiseau-mouche à tête bleue",
    "кулик",
]


class Lengths(chromadb.EmbeddingFunction):  # type: ignore[misc]
    """An encoder that needs no model."""

    def __init__(self) -> None:
        pass

    def __call__(self, input: Any) -> Any:
        return count_lengths(input)


def count_lengths(texts: list[str]) -> Any:
    return np.array([[len(text), 1, 0.5, 0.25] for text in texts], np.float32)


def make_chroma(folder: Path) -> dict[str, Any]:
    client = chromadb.PersistentClient(str(folder))
    birds = client.create_collection("birds", embedding_function=Lengths(), metadata={"about": "birds"})
    birds.add(
        ids=[f"bird-{n}" for n in range(24)],
        documents=[f"The {BIRDS[n % 8]} was seen at the river, number {n}." for n in range(24)],
        metadatas=[{"n": n, "weight": n / 3, "wild": n % 2 == 0, "name": BIRDS[n % 8], "big": 2**53 + n} for n in range(24)],
    )
    birds.update(ids=["bird-1"], documents=["The kingfisher has gone."], metadatas=[{"n": 99, "gone": True}])
    birds.update(ids=["bird-3"], metadatas=[{"n": -3}])
    birds.delete(ids=["bird-2", "bird-5"])
    birds.upsert(
        ids=["ибис"], documents=["An ibis 🪶 at dusk,\non two lines."], metadatas=[{"tags": ["a", "b"], "counts": [1, 2]}]
    )
    birds.add(ids=["vector-only"], embeddings=[[1.0, 2.0, 3.0, 4.0]], metadatas=[{"n": 1}])
    other = client.create_collection("other-trees", embedding_function=Lengths())
    other.add(ids=["oak", "bird-0"], documents=["An oak grows slowly.", "A tree with the id of a bird."])
    client.create_collection("empty", embedding_function=Lengths())
    return {collection.name: read_collection(client.get_collection(collection.name)) for collection in client.list_collections()}


def read_collection(collection: Any) -> dict[str, Any]:
    answer = collection.get()
    rows = zip(answer["ids"], answer["documents"], answer["metadatas"], strict=True)
    return {key: [text, metadata or {}] for key, text, metadata in rows}


def make_txtai(folder: Path, archive: Path) -> dict[str, Any]:
    embeddings = Embeddings(method="external", transform=count_lengths, content=True, objects=True)
    data = [
        (f"doc-{n}", {"text": f"Passage {n} on the {BIRDS[n % 8]}", "n": n, "x": n / 7, "ok": n % 2 == 0}, None)
        for n in range(20)
    ]
    added_rows = [
        ("plain", "no more than a text", "tag1 tag2"),
        (77, "a number for an id", None),
        ("nothing", {"n": 3, "none": None}, None),
    ]
    embeddings.index(
        [
            *data,
            *added_rows,
            ("nested", {"text": "nested data 🪶", "deep": {"list": [1, None, "ü"]}}, "t"),
            ("raw", b"bytes", None),
        ]
    )
    embeddings.upsert([("doc-1", {"text": "Passage 1 was rewritten", "n": 100}, None)])
    embeddings.delete(["doc-2", "doc-4"])
    embeddings.save(str(folder))
    embeddings.save(str(archive))
    rows = embeddings.search("select id, text, data, tags from txtai", limit=1000)
    return {row["id"]: [row["text"], json.loads(row["data"]) if row["data"] else {}, row["tags"]] for row in rows}


def main() -> None:
    with TemporaryDirectory() as place:
        expected = {
            "chroma": make_chroma(Path(place) / "chroma"),
            "txtai": make_txtai(Path(place) / "txtai", Path(place) / "txtai.tar.gz"),
        }
        for source, target in (("chroma/chroma.sqlite3", "chroma/chroma.sqlite3"), ("txtai/documents", "txtai/documents")):
            (HERE / target).parent.mkdir(exist_ok=True)
            shutil.copy(Path(place) / source, HERE / target)
        shutil.copy(Path(place) / "txtai.tar.gz", HERE / "txtai.tar.gz")
    for file in (HERE / "chroma/chroma.sqlite3", HERE / "txtai/documents"):
        database = sqlite3.connect(file)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        database.close()
    (HERE / "expected.json").write_text(
        json.dumps(expected, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
