"""The whole API, in any order, against a dictionary and brute force; low thresholds let little data reach every code path.

`VECSEARCH_FUZZ=100` runs a hundred times as many examples.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import vecsearch
from tests import maintenance
from tests.fakes import FakeEncoder
from tests.search import test_filters
from vecsearch.core.types import AnyOnConflict
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.indexing import batch_writer, pipeline, vector_filler
from vecsearch.stores.sqlite.read import document_reader
from vecsearch.stores.sqlite.vectors import faiss_segment, vector_view
from vecsearch.stores.sqlite.write import compaction, merge_plan, writer

TIMES = int(os.environ.get("VECSEARCH_FUZZ", "1"))
ENCODER = FakeEncoder()

LOWERED = [
    (compaction, "INDEX_FLUSH_ROWS", 12),
    (compaction, "SEGMENT_ROWS_MAX", 60),
    (faiss_segment, "PQ_MIN_ROWS", 20),
    (faiss_segment, "RESCORE_SHARE_MAX", 9.0),
    (faiss_segment, "EXACT_FILTER_ROWS_MAX", 4),
    (faiss_segment, "READ_ROWS", 7),
    (vector_view, "READ_ROWS", 7),
    (faiss_segment, "PARALLEL_ROWS", 30),
    (document_reader, "_IN_VALUES_MAX", 5),
    (writer, "_IN_VALUES_MAX", 5),
    (writer, "READ_DOCUMENTS", 3),
    (pipeline, "READ_DOCUMENTS", 3),
    (batch_writer, "BATCH_CHUNKS", 4),
    (batch_writer, "BATCH_TEXT_CHUNKS", 6),
    (vector_filler, "FILL_CHUNKS", 3),
    (vector_filler, "FILL_WINDOW", 5),
    (merge_plan, "SEGMENT_ROWS_MAX", 60),
    (merge_plan, "INDEX_RUN_ROWS_MIN", 4),
    (batch_writer, "BATCH_PROVIDED_VECTORS", 5),
]


@pytest.fixture(scope="module", autouse=True)
def lowered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in LOWERED:
            patch.setattr(module, name, value)
        yield


# -- what goes in

WORDS = ["harbour", "seal", "bank", "river", "jump", "fence", "model", "runway"]
ODD = [
    "",
    "",
    "",
    "e\u0301\u0323",
    "שלום",
    "\u202eright to left",
    "👩‍👩‍👧 🙂",
    "東京都",
    "a\tb\x01",
    "\ufeff",
    "\U0010ffff",
    "'; DROP TABLE chunks; --",
    "%s",
]
KEYS = [
    *"abcdefgh",
    "../x",
    "../../etc/passwd",
    "C:\\",
    "/etc/passwd",
    "é",
    "e\u0301",
    "🙂",
    " x ",
    "a\nb",
    "\u202e",
    "$gt",
    "x" * 4096,
    "ß",
    "\x7f",
    "1",
    "1.0",
]
NAMES = ["a.txt", "b.txt", "ünï.txt", "name with blanks.txt", "深/東.txt", "deep/er/c.txt", "[x].txt", "%41.txt"]

sentences = st.builds(
    lambda words, odd: f"{' '.join(words)} {odd}".strip(),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    st.sampled_from(ODD),
)
long_texts = st.builds(
    lambda words, odd: " ".join(words * 30) + f" {odd}",
    st.lists(st.sampled_from(WORDS), min_size=3, max_size=4),
    st.sampled_from(ODD),
)
texts = st.one_of(sentences, sentences, sentences, long_texts)
titles = st.none() | sentences
keys = st.sampled_from(KEYS)
edges = st.sampled_from(
    [2**63 - 1, 2**63, -(2**63), 10**20, 5e-324, 1.7976931348623157e308, -0.0, 0.1, "", "..", "\u2028", "2024-05-01"]
)
values = st.one_of(
    st.sampled_from([True, False, 0, 1, 1.5, "x", "xy"]), edges, test_filters.json_values.filter(lambda value: value is not None)
)
metadatas = st.dictionaries(st.sampled_from(["a", "b", "a.b", "a.b.c", "c", "", "ключ", "$x", "a'b", 'a"b']), values, max_size=3)
wheres = st.one_of(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", "a.b.c", "c", "ключ"]), test_filters.operations, min_size=1, max_size=2),
    st.builds(lambda key, operation: {"$not": {key: operation}}, st.sampled_from(["a", "b", "a.b"]), test_filters.operations),
    st.just({"a": {"$exists": True}}), st.just({}),
)  # fmt: skip


# -- what should be there


@dataclass(frozen=True)
class ExpectedDocument:
    """A document of the model. `age` grows with every new set of chunks."""

    text: str
    title: str | None
    metadata: dict[str, Any]
    age: int
    file: str | None = None

    def contains_word(self, word: str) -> bool:
        return word in f"{self.title or ''} {self.text}".split()


@dataclass
class ExpectedCollection:
    """A collection of the model; `read` is what each file held when it was last read."""

    documents: dict[str, ExpectedDocument] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)  # documents that may wait for vectors

    @property
    def own(self) -> list[str]:
        return [key for key, document in self.documents.items() if document.file is None]


class Machine(RuleBasedStateMachine):
    """Everything that can be done, and what must then be true."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(mkdtemp())
        self.folder, self.files = self.place / "db", self.place / "files"
        self.files.mkdir()
        self.model = {"default": ExpectedCollection()}
        self.name, self.ages, self.runs = "default", count(), 0
        self.notes = self.open_collection()

    def open_collection(self, **options: Any) -> vecsearch.Collection:
        return vecsearch.open(self.folder, collection=self.name, model=ENCODER, stemmer="none", **options)

    @property
    def expected(self) -> ExpectedCollection:
        return self.model[self.name]

    @property
    def documents(self) -> dict[str, ExpectedDocument]:
        return self.expected.documents

    def keep(
        self, key: str, text: str, title: str | None, metadata: dict[str, Any], file: str | None = None, *, late: bool = False
    ) -> None:
        self.expected.late = self.expected.late | {key} if late else self.expected.late - {key}
        self.documents[key] = ExpectedDocument(text, title, json.loads(json.dumps(metadata)), next(self.ages), file)

    # -- writing

    @initialize(number=st.integers(0, 40), words=st.lists(sentences, min_size=1, max_size=6))
    def begin(self, number: int, words: list[str]) -> None:
        texts = [f"{words[n % len(words)]} {WORDS[n % 8]}" for n in range(number)]
        self.notes.add(texts, ids=[f"n{n}" for n in range(number)], metadatas=[{"a": n} for n in range(number)])
        for n, text in enumerate(texts):
            self.keep(f"n{n}", text, None, {"a": n})

    @rule(
        documents=st.dictionaries(keys, st.tuples(texts, titles, metadatas), max_size=8),
        policy=st.sampled_from(["error", "skip", "replace"]),
        with_vectors=st.booleans(),
    )
    def add(self, documents: dict[str, tuple[str, str | None, Any]], policy: AnyOnConflict, with_vectors: bool) -> None:
        chosen_keys = list(documents)
        existing_keys = [key for key in chosen_keys if key in self.documents]
        rows = ENCODER.encode_documents([format_encoder_input(documents[key][1], "", documents[key][0]) for key in chosen_keys])
        if with_vectors and any(len(text.split()) > 30 for text, _, _ in documents.values()):
            with_vectors = False  # one vector a document: the model's brute force goes by chunks

        def ask() -> list[str]:
            return self.notes.add(
                [documents[key][0] for key in chosen_keys], ids=chosen_keys, titles=[documents[key][1] for key in chosen_keys],
                metadatas=[documents[key][2] for key in chosen_keys], on_conflict=policy, vectors=rows if with_vectors else None,
            )  # fmt: skip

        if existing_keys and policy == "error":
            with pytest.raises(vecsearch.InputError, match="there already"):
                ask()
            return
        assert ask() == chosen_keys
        for key in chosen_keys:
            if key not in existing_keys or policy == "replace":
                self.keep(key, *documents[key])

    @rule(
        data=st.data(),
        text=st.none() | texts,
        title=titles,
        metadata=st.none() | st.dictionaries(st.sampled_from("abc"), st.none() | values, max_size=2),
    )
    def update(self, data: st.DataObject, text: str | None, title: str | None, metadata: dict[str, Any] | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.documents) or ["nobody"]))
        old = self.documents.get(key)
        if old is None or (old.file is not None and (text is not None or title is not None)):
            with pytest.raises(vecsearch.InputError, match=r"no document with id|no collection|belongs to the file"):
                self.notes.update(key, text=text, title=title, metadata=metadata)
            return
        document = self.notes.update(key, text=text, title=title, metadata=metadata)
        removed = {name for name, value in (metadata or {}).items() if value is None}
        merged_metadata = {name: value for name, value in {**old.metadata, **(metadata or {})}.items() if name not in removed}
        if text is None and title is None:
            self.documents[key] = replace(old, metadata=json.loads(json.dumps(merged_metadata)))
        else:
            self.keep(key, old.text if text is None else text, old.title if title is None else title, merged_metadata)
        assert (document.text, document.title, document.metadata) == (
            self.documents[key].text,
            self.documents[key].title,
            merged_metadata,
        )

    @rule(data=st.data(), dry=st.booleans())
    def delete_ids(self, data: st.DataObject, dry: bool) -> None:
        chosen_keys = data.draw(st.lists(st.sampled_from([*sorted(self.documents), "nobody"]), max_size=6))
        if missing := [key for key in chosen_keys if key not in self.documents]:
            with pytest.raises(vecsearch.InputError, match=missing[0]):
                self.notes.delete(chosen_keys)
            return
        assert self.notes.delete(chosen_keys, dry_run=dry) == list(dict.fromkeys(chosen_keys))
        if not dry:
            self.forget(chosen_keys)

    @rule(where=wheres)
    def delete_where(self, where: dict[str, Any]) -> None:
        expected = sorted(key for key, document in self.documents.items() if test_filters.holds(where, document.metadata))
        if not where:
            with pytest.raises(vecsearch.FilterError, match="where is empty"):
                self.notes.delete(where=where)
        elif len(expected) <= len(self.documents) // 2:
            try:
                assert self.notes.delete(where=where) == expected
            except vecsearch.FilterError as error:  # as of an empty variable of a script; then all documents stay
                assert "says nothing" in str(error) and re.search(r"""\[\]|''""", repr(where))
                return
            self.forget(expected)

    def forget(self, deleted_keys: list[str]) -> None:
        for key in deleted_keys:
            if (document := self.documents.pop(key, None)) and document.file is not None:
                self.expected.read.pop(document.file, None)  # it will be read again

    @rule(documents=st.lists(st.tuples(keys, texts, titles, metadatas), min_size=1, max_size=6), vectors=st.booleans())
    def index_lines(self, documents: list[tuple[str, str, str | None, Any]], vectors: bool) -> None:
        lines = [
            json.dumps({"id": key, "text": text, "title": title, "metadata": metadata})
            for key, text, title, metadata in documents
        ]
        report = self.notes._index_json_lines(RawFile("stdin", ".jsonl", content="\n".join(lines).encode()), vectors=vectors)
        seen_keys: set[str] = set()
        for key, text, title, metadata in documents:
            if key in seen_keys:
                continue
            seen_keys.add(key)
            old = self.documents.get(key)
            if old is not None and (old.text, old.title) == (text, title):
                self.documents[key] = replace(old, metadata=json.loads(json.dumps(metadata)))
            else:
                self.keep(key, text, title, metadata, late=True)
        assert len(report.failed) == len(documents) - len(seen_keys)
        self.check_filled(report.pending_vectors, vectors)

    def check_filled(self, pending: int, vectors: bool) -> None:
        if vectors:
            assert pending == 0
            self.expected.late = set()
        assert pending == self.notes.pending_vectors == len(self.list_waiting())

    @rule(batches=st.integers(0, 3) | st.none())
    def fill(self, batches: int | None) -> None:
        """Make vectors, all or those of some batches."""
        asked = count()
        report = self.notes.fill_vectors(should_stop=lambda: batches is not None and next(asked) > batches)
        self.check_filled(report.pending_vectors, batches is None)

    # -- files

    @rule(name=st.sampled_from(NAMES), text=sentences.filter(lambda text: not set(text) & set("\ufeff\x01\t")))
    def write_file(self, name: str, text: str) -> None:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @rule(data=st.data())
    def take_file_away(self, data: st.DataObject) -> None:
        names = [name for name in NAMES if (self.files / name).exists()]
        if names:
            (self.files / data.draw(st.sampled_from(names))).unlink()

    @rule(data=st.data())
    def rename_file(self, data: st.DataObject) -> None:
        names = [name for name in NAMES if (self.files / name).exists()]
        if names:
            new = self.files / data.draw(st.sampled_from(NAMES))
            new.parent.mkdir(parents=True, exist_ok=True)
            (self.files / data.draw(st.sampled_from(names))).replace(new)

    @precondition(lambda self: self.runs < 4)  # each starts a process to read files in
    @rule(vectors=st.booleans())
    def index(self, vectors: bool) -> None:
        self.runs += 1
        texts = {name: (self.files / name).read_text(encoding="utf-8") for name in NAMES if (self.files / name).exists()}
        report = self.notes.index([self.files], allow_empty=True, vectors=vectors)
        assert report.failed == ()
        for name, text in texts.items():
            if self.expected.read.get(name) != text:
                key = f"files/{name}"
                old = self.documents.get(key)
                if old is None or old.text != text:
                    self.keep(key, text, None, {}, name, late=True)
                else:
                    self.documents[key] = replace(old, metadata={})
        for name in self.expected.read.keys() - texts.keys():
            self.documents.pop(f"files/{name}", None)
        self.expected.read = texts
        assert report.documents == len(self.documents)
        self.check_filled(report.pending_vectors, vectors)

    @rule()
    def delete_source(self) -> None:
        file_keys = [key for key, document in self.documents.items() if document.file is not None]
        if self.name not in maintenance.collections(self.folder):
            assert self.notes.delete(source=self.files) == []
            return
        if not file_keys:
            with pytest.raises(vecsearch.InputError, match="nothing was indexed"):
                self.notes.delete(source=self.files)
            return
        assert self.notes.delete(source=self.files) == sorted(file_keys)
        self.forget(file_keys)
        self.expected.read = {}

    # -- looking after

    @rule(full=st.booleans())
    def optimize(self, full: bool) -> None:
        self.notes.optimize(full=full)

    @rule()
    def reopen(self) -> None:
        self.notes.close()
        with self.open_collection(readonly=True) as asking:
            self.check_all(asking)
            with pytest.raises(vecsearch.ReadOnlyError, match="read"):
                asking.add(["x"])
        self.notes = self.open_collection()

    @rule(name=st.sampled_from(["default", "second", "../third 🙂"]))
    def turn_to_collection(self, name: str) -> None:
        self.notes.close()
        self.name = name
        self.model.setdefault(name, ExpectedCollection())
        self.notes = self.open_collection()

    @rule(new=st.sampled_from(["default", "second", "../third 🙂"]))
    def rename_collection(self, new: str) -> None:
        names = maintenance.collections(self.folder)
        if self.name not in names or new in names:
            with pytest.raises(vecsearch.InputError, match=r"no collection named|already"):
                maintenance.rename_collection(self.folder, self.name, new)
            return
        self.notes.close()
        maintenance.rename_collection(self.folder, self.name, new)
        self.model[new] = self.model.pop(self.name)
        self.name = new
        self.notes = self.open_collection()

    @rule()
    def delete_collection(self) -> None:
        other_names = [name for name in maintenance.collections(self.folder) if name != self.name]
        for name in other_names[:1]:
            maintenance.delete_collection(self.folder, name)
            self.model[name] = ExpectedCollection()

    # -- asking

    def ask_collection(self, ask: Callable[[], list[Any]]) -> list[Any]:
        """Return what is answered; nothing by a collection that does not exist, which must say so."""
        if self.name in maintenance.collections(self.folder):
            return ask()
        with pytest.raises(vecsearch.CollectionNotFoundError, match="no collection named"):
            ask()
        return []

    def list_rows(self) -> tuple[list[str], Any]:
        """List each chunk's document and its vector as stored, oldest first; only the chunk boundaries are taken on trust."""
        documents = {document.id: document for document in self.ask_collection(lambda: self.notes.get(where={}))}
        owners, inputs = [], []
        for key, document in sorted(self.documents.items(), key=lambda item: item[1].age):
            spans = [(chunk.start, chunk.end) for chunk in documents[key].chunks]
            assert "".join(document.text[first:last] for first, last in spans).split() == document.text.split()
            owners += [key] * len(spans)
            inputs += [format_encoder_input(document.title, "", document.text[first:last]) for first, last in spans]
        return owners, ENCODER.encode_documents(inputs).astype(np.float16).astype(np.float32)

    def list_places(self) -> list[tuple[str, int]]:
        documents = self.ask_collection(lambda: self.notes.get(where={}))
        return [(document.id, chunk.chunk_index) for document in documents for chunk in document.chunks]

    def list_waiting(self) -> set[tuple[str, int]]:
        """List the chunks that wait for their vectors: of documents that came without alone."""
        with self.notes._store.open_snapshot(self.name) as snapshot:
            chunks = [] if snapshot is None else snapshot.load_pending_chunks(10_000)
        assert {chunk.document_id for chunk in chunks} <= self.expected.late
        assert [chunk.id for chunk in chunks] == sorted((chunk.id for chunk in chunks), reverse=True)
        return {(chunk.document_id, chunk.ordinal) for chunk in chunks}

    def check_near(self, hits: Any, row: Any, limit: int, *, allowed_keys: set[str]) -> None:
        """Check that the hits are the best `limit` of all chunks that have a vector, by cosine, then by age."""
        owners, rows = self.list_rows()
        waiting, first = self.list_waiting(), {key: owners.index(key) for key in set(owners)}
        scores = np.vecdot(rows, row) / np.linalg.norm(rows, axis=1) if len(rows) else np.empty(0)
        allowed = {
            place for place, owner in enumerate(owners)
            if owner in allowed_keys and (owner, place - first[owner]) not in waiting
        }  # fmt: skip
        expected = [place for place in np.lexsort((np.arange(len(owners)), -scores)) if place in allowed][:limit]
        assert np.allclose([hit.score for hit in hits], scores[expected], atol=1e-4)
        scores_by_chunk = {(hit.id, hit.chunk_index): hit.score for hit in hits}
        for hit in hits:
            assert abs(scores[first[hit.id] + hit.chunk_index] - hit.score) < 1e-4
            assert hit.metadata == self.documents[hit.id].metadata
        order = [(-hit.score, first[hit.id] + hit.chunk_index) for hit in hits]
        assert order == sorted(order)
        assert len(scores_by_chunk) == len(hits) == min(limit, len(allowed))
        assert getattr(hits, "pending_vectors", 0) == len(waiting)

    @rule(query=sentences, limit=st.sampled_from([1, 3, 10, 500]), where=st.none() | wheres)
    def search_dense(self, query: str, limit: int, where: dict[str, Any] | None) -> None:
        hits = self.ask_collection(lambda: self.notes.search(query, mode="dense", limit=limit, where=where))
        matching_keys = {key for key, document in self.documents.items() if test_filters.holds(where or {}, document.metadata)}
        self.check_near(hits, ENCODER.encode_queries([query])[0], limit, allowed_keys=matching_keys)

    @rule(word=st.sampled_from(WORDS), where=st.none() | wheres)
    def search_words(self, word: str, where: dict[str, Any] | None) -> None:
        expected = {
            key
            for key, document in self.documents.items()
            if document.contains_word(word) and test_filters.holds(where or {}, document.metadata)
        }
        by_word = self.ask_collection(lambda: self.notes.search(word, mode="lexical", limit=2_000, where=where))
        assert {hit.id for hit in by_word} == expected
        hits = self.ask_collection(lambda: self.notes.search(word, limit=2_000, where=where))
        waiting = self.list_waiting()
        with_vector = {owner for owner, n in self.list_places() if (owner, n) not in waiting}
        assert {hit.id for hit in hits} == {
            key for key, document in self.documents.items()
            if test_filters.holds(where or {}, document.metadata) and (key in with_vector or key in expected)
        }  # fmt: skip
        assert all((hit.similarity is None) == ((hit.id, hit.chunk_index) in waiting) for hit in hits)

    @rule(data=st.data(), limit=st.sampled_from([1, 5, 500]))
    def similar(self, data: st.DataObject, limit: int) -> None:
        if not self.documents:
            return
        key = data.draw(st.sampled_from(sorted(self.documents)))
        owners, rows = self.list_rows()
        waiting = self.list_waiting()
        own = [place for place, owner in enumerate(owners) if owner == key]
        with_vector = [place for n, place in enumerate(own) if (key, n) not in waiting]
        if not with_vector:
            with pytest.raises(vecsearch.InputError, match="is still to be made"):
                self.notes.similar(id=key, limit=limit)
            return
        mean = rows[with_vector].mean(axis=0)
        self.check_near(
            self.notes.similar(id=key, limit=limit),
            (mean / np.linalg.norm(mean)).astype(np.float32),
            limit,
            allowed_keys={*self.documents} - {key},
        )

    @rule(where=wheres)
    def filters(self, where: dict[str, Any]) -> None:
        expected = sorted(key for key, document in self.documents.items() if test_filters.holds(where, document.metadata))
        assert [document.id for document in self.ask_collection(lambda: self.notes.get(where=where))] == expected
        assert self.notes.count(where) == len(expected)

    @rule(limit=st.integers(1, 9), offset=st.integers(0, 12))
    def page(self, limit: int, offset: int) -> None:
        assert [document.id for document in self.notes.list_documents(limit=limit, offset=offset)] == sorted(self.documents)[
            offset : offset + limit
        ]

    # -- what is always true

    @invariant()
    def counts_agree(self) -> None:
        assert self.notes.count() == len(self.documents)
        assert list(self.place.iterdir()) == [self.place / "db", self.place / "files"] or {
            path.name for path in self.place.iterdir()
        } == {"db", "files"}

    def check_all(self, asking: vecsearch.Collection) -> None:
        documents = {document.id: document for document in self.ask_collection(lambda: asking.get(where={}))}
        assert documents.keys() == self.documents.keys()
        for key, expected in self.documents.items():
            assert (documents[key].text, documents[key].title) == (expected.text, expected.title)
            assert json.dumps(documents[key].metadata, sort_keys=True) == json.dumps(expected.metadata, sort_keys=True)
            assert documents[key].source == (None if expected.file is None else (self.files / expected.file).as_posix())

    def teardown(self) -> None:
        try:
            for name in sorted(self.model):
                self.turn_to_collection(name)
                self.check_all(self.notes)
                if self.documents:
                    self.search_dense("harbour seal", 500, None)
            findings = maintenance.check(self.folder)
            assert [finding for finding in findings if finding.severity is vecsearch.Severity.ERROR] == []
            segments = sum(collection["index"]["segments"] for collection in maintenance.status(self.folder)["collections"])
            target(float(segments), label="index files")
        finally:
            self.notes.close()
            shutil.rmtree(self.place, ignore_errors=True)


TestModel = pytest.mark.filterwarnings("ignore::vecsearch.VecsearchWarning")(Machine.TestCase)
TestModel.settings = settings(
    max_examples=10 * TIMES, stateful_step_count=30, deadline=None, suppress_health_check=[*HealthCheck],
    phases=[phase for phase in Phase if phase is not Phase.explain],
)  # fmt: skip
