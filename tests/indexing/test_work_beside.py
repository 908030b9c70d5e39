"""What a run does beside itself changes nothing: chunks made by the parser, texts analysed ahead."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests import maintenance
from vecsearch.core import helper_process
from vecsearch.core.helper_process import HelperProcess
from vecsearch.core.parsed import ChunkSpan, ParsedDocument
from vecsearch.core.types import Split
from vecsearch.documents import chunk_inputs, parser_process
from vecsearch.indexing import batch_writer, stages
from vecsearch.stores.base import CollectionInfo, NewDocument, Store
from vecsearch.stores.sqlite.fulltext import text_analysis
from vecsearch.stores.sqlite.write.preparation import TextPreparation

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    source = Path(stages.__file__)
    (folder / "code.py").write_text(source.read_text() + source.with_name("pipeline.py").read_text())
    (folder / "readme.md").write_text(README)
    (folder / "page.html").write_text(
        f"<title>{'A title of many words ' * 60}</title><h1>One</h1><p>{README.replace('<', ' ')}</p>"
    )
    (folder / "rows.csv").write_text(
        "text,n\n" + "".join(f'"{README[n : n + 2_500].replace(chr(34), "")}",{n}\n' for n in range(5))
    )
    (folder / "kana.txt").write_text("漢字とかな、[MASK] の文章。\x0c" * 300)
    (folder / "short.txt").write_text("A few words.")
    return folder


def read_chunks(database: Path) -> list[Any]:
    with sqlite3.connect(database / "vecsearch.db") as connection:
        return connection.execute(
            "SELECT d.external_id, d.digest, d.title, c.ordinal, c.start, c.end, c.location, c.context FROM documents d "
            "JOIN chunks c ON c.document_id = d.id ORDER BY d.external_id, c.ordinal"
        ).fetchall()


@pytest.mark.parametrize("split", list(Split))
def test_chunks_are_the_same_whoever_makes_them(
    folder: Path, tmp_path: Path, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_before: list[bool] = []
    chunk = chunk_inputs.chunk_document

    def note(document: ParsedDocument, *rest: Any) -> Any:
        made_before.append(document.chunks is not None)
        return chunk(document, *rest)

    monkeypatch.setattr(stages, "chunk_document", note)
    for name, seconds in (("owner", -1e9), ("parser", 1e9)):
        made_before.clear()
        monkeypatch.setattr(parser_process, "PARSE_SPARE_SECONDS", seconds)
        with vecsearch.open(tmp_path / name) as collection:
            with pytest.warns(vecsearch.VecsearchWarning, match="the title of .* has .* tokens"):
                report = collection.index(folder, split=split, vectors=False)
            assert not report.failed
        assert any(made_before) == (name == "parser") and not all(made_before)  # the short one is its owner's
    assert read_chunks(tmp_path / "parser") == read_chunks(tmp_path / "owner")
    with vecsearch.open(tmp_path / "parser") as collection:
        again = collection.index(folder, split=split, vectors=False)
    assert again.added == again.updated == 0 and maintenance.check(tmp_path / "parser") == []


def test_a_changed_file_is_told_from_one_that_only_somebody_else_has_chunked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser_process, "PARSE_SPARE_SECONDS", 1e9)
    with vecsearch.open(tmp_path / "database") as collection:
        collection.index(folder / "readme.md", vectors=False)
        (folder / "copy.md").write_text(README)
        (folder / "readme.md").write_text(README + "\nOne line more.\n")
        report = collection.index([folder / "readme.md", folder / "copy.md"], vectors=False)
        assert (report.added, report.updated) == (1, 1)
        assert collection.search("one line more", mode="lexical", limit=1)[0].id.endswith("readme.md")


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every analysis be done beside."""
    monkeypatch.setattr(text_analysis, "HELPER_CHARACTERS_AHEAD", 1)
    monkeypatch.setattr(helper_process, "count_cores", lambda: 2)
    helper = HelperProcess()
    monkeypatch.setattr(text_analysis, "HELPER", helper)
    while not helper._is_ready:
        with helper.begin(len, "") as computation:
            computation()
        time.sleep(0.01)
    yield
    helper.stop()


def test_batches_are_committed_in_order_once_they_are_analysed(
    helper: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_writer, "BATCH_TEXT_CHUNKS", 10)
    used: list[bool] = []
    take = TextPreparation.take

    def note(preparation: TextPreparation, *rest: Any) -> Any:
        analysis = take(preparation, *rest)
        used.append(analysis is not None)
        return analysis

    monkeypatch.setattr(TextPreparation, "take", note)
    files = tmp_path / "files"
    files.mkdir()
    for n in range(95):
        (files / f"{n}.txt").write_text(f"file{n} says {'even' if n % 2 == 0 else 'odd'} and nothing else")
    with vecsearch.open(tmp_path / "database") as collection:
        report = collection.index(files, vectors=False)
        assert (report.added, len(collection)) == (95, 95) and len(used) >= 8 and all(used)
        assert all(collection.search(f"file{n}", mode="lexical", limit=1)[0].id.endswith(f"/{n}.txt") for n in range(95))
        assert collection.index(files, vectors=False).unchanged == 95
    assert maintenance.check(tmp_path / "database") == []


def read_info(store: Store) -> CollectionInfo:
    with store.open_snapshot("default") as snapshot:
        assert snapshot is not None
        return snapshot.info


def make_documents(names: Sequence[str]) -> list[NewDocument]:
    none = np.empty((0, 384), np.float32)
    texts = [f"{name} says a word or two" for name in names]
    return [
        NewDocument(name, None, text, None, {}, name, (ChunkSpan(0, len(text)),), none, pending=(0,))
        for name, text in zip(names, texts, strict=True)
    ]


@pytest.mark.parametrize("changed", ["others", "fewer", "order", "language", "nothing"])
def test_an_analysis_of_others_is_not_used(helper: None, tmp_path: Path, changed: str) -> None:
    with vecsearch.open(tmp_path / "database") as collection:
        collection.add(["here already"], ids=["old"])
        store = collection._store
        info = read_info(store)
        documents = make_documents(["ant", "bee", "cat"])
        preparation = store.prepare(info, documents)
        committed = {"others": make_documents(["dog", "elk", "fox"]), "fewer": documents[1:], "order": documents[::-1]}
        with store.open_writer("default") as writer:
            if changed == "language":
                writer.set_stemmer("de")
            writer.commit(committed.get(changed, documents), preparation=preparation)
        assert preparation is not None and not preparation.is_under_way
        for document in committed.get(changed, documents):
            assert [hit.id for hit in collection.search(document.id, mode="lexical")] == [document.id]
    assert maintenance.list_errors(tmp_path / "database") == []


def test_an_analysis_that_nobody_wants_is_given_up(helper: None, tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "database") as collection:
        collection.add(["here already"], ids=["old"])
        store = collection._store
        info = read_info(store)
        preparation = store.prepare(info, make_documents(["ant"] * 3))
        del preparation
        documents = make_documents(["bee"])
        with store.open_writer("default") as writer:
            writer.commit(documents, preparation=store.prepare(info, documents))
        assert [hit.id for hit in collection.search("bee", mode="lexical")] == ["bee"]
