"""What is done to a database while the machine fails, and what it must hold afterwards."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import vecsearch
from tests import maintenance
from tests.fakes import FakeEncoder
from tests.torture.states import (
    BROUGHT,
    DATABASE,
    FILES,
    WORDS,
    Doc,
    State,
    Step,
    add_documents,
    fill_all,
    mend,
    opened,
    remove_documents,
)
from tests.torture.thread_steps import create_at_once, fork_among_writers, interrupt_writers, open_at_once
from vecsearch.core.settings import DATABASE_FILE

_LATE = 0.5  # of the runs that read files and lines: they leave their vectors to be made later
_TOGETHER = 0.3  # of the databases: threads make them
_FILLED = 0.5  # of the steps while vectors wait
_BESIDE = (  # what is done while another process makes vectors
    "fill", "fill", "fill", "delete", "lines", "lines", "files", "files", "add", "replace", "change", "optimize",
    "optimize --full", "optimize --stemmer", "reembed", "backup", "import",
)  # fmt: skip


class Plan:
    """Draws steps that fit a state."""

    def __init__(self, seed: int, *, alone: bool = False) -> None:
        """`alone`: no other process does anything meanwhile, and the disk may lose what is not synced."""
        self.draw, self.alone = random.Random(seed), alone
        self._serial = 0

    def first(self) -> Step:
        """Makes the database."""
        if self.draw.random() < _TOGETHER and not self.alone:
            return create_at_once(self)
        return self.put("create", State({}), {f"d{n}": self.draw_document() for n in range(self.draw.randint(1, 8))}, whole=False)

    def grown(self, state: State) -> Step:
        """Enough documents for several index files."""
        return self.put("add", state, {f"g{n}": self.draw_document(words=6) for n in range(90)}, whole=False)

    def next(self, state: State) -> Step:
        """Whatever comes next."""
        names = [name for name in STEPS if state.docs or name in ("add", "lines", "files", "optimize")]
        if state.late and self.draw.random() < _FILLED:
            names = ["fill", "fill", "beside", "beside", "files"]
        if self.alone:
            names = [name for name in names if name not in ("beside", "threads fork")]
        return STEPS[self.draw.choice(names)](self, state)

    def named(self, name: str, state: State) -> Step:
        """A step of a kind."""
        return STEPS[name](self, state)

    # -- documents

    def draw_document(self, words: int | None = None, **given: Any) -> Doc:
        self._serial += 1
        count = words or self.draw.choice([3, 8, 20, 90])  # the last is several chunks
        text = " ".join(self.draw.choices(WORDS, k=count)) + f" number{self._serial}x{self.draw.getrandbits(32):x}"
        title = self.draw.choice([None, None, "The log of a ship"])
        metadata = self.draw.choice([{}, {"n": self._serial}, {"tags": ["a", self._serial], "at": {"sea": True}}])
        return Doc(**{"text": text, "title": title, "metadata": metadata, **given})

    def _some(self, state: State, most: int = 12) -> list[str]:
        free = [key for key, doc in state.docs.items() if doc.source is None]
        return self.draw.sample(sorted(free), min(len(free), self.draw.randint(1, most)))

    def put(self, name: str, state: State, docs: Mapping[str, Doc], *, whole: bool = True) -> Step:
        def run(base: Path) -> None:
            with opened(base, state) as collection:
                collection.add(
                    [doc.text for doc in docs.values()], ids=list(docs), metadatas=[doc.metadata for doc in docs.values()],
                    titles=[doc.title for doc in docs.values()], on_conflict="replace",
                )  # fmt: skip

        return Step(name, run, add_documents(state, docs), whole)

    # -- steps

    def add(self, state: State) -> Step:
        return self.put(
            "add", state, {self.new_key(state): self.draw_document() for _ in range(self.draw.choice([1, 3, 40]))}, whole=False
        )

    def replace(self, state: State) -> Step:
        return self.put("replace", state, {key: self.draw_document() for key in self._some(state)}, whole=False)

    def bring(self, state: State) -> Step:
        count = self.draw.choice([1, 5, 60])
        keys = [self.new_key(state) for _ in range(count)] + self._some(state, 4)
        docs = {key: self.draw_document(brought=True) for key in keys}

        def run(base: Path) -> None:
            texts = [doc.text for doc in docs.values()]
            with opened(base, state) as collection:
                collection.add(
                    texts, ids=keys, metadatas=[doc.metadata for doc in docs.values()], on_conflict="replace",
                    titles=[doc.title for doc in docs.values()], vectors=BROUGHT.encode_documents(texts),
                )  # fmt: skip

        return Step("bring", run, add_documents(state, docs))

    def change(self, state: State) -> Step:
        keys = self._some(state, 1)
        if not keys:
            return self.add(state)
        doc = replace(state.docs[keys[0]], metadata={"changed": self.draw.random()})
        kept = {**dict.fromkeys(state.docs[keys[0]].metadata), **doc.metadata}

        def run(base: Path) -> None:
            with opened(base, state) as collection:
                collection.update(keys[0], metadata=kept)

        return Step("change", run, replace(state, docs={**state.docs, keys[0]: doc}))

    def delete(self, state: State) -> Step:
        keys = self._some(state, self.draw.choice([3, 40]))

        def run(base: Path) -> None:
            with opened(base, state) as collection:
                there = {each.id for each in collection.list_documents(limit=100_000)}
                collection.delete([key for key in keys if key in there])

        return Step("delete", run, remove_documents(state, keys))

    def lines(self, state: State) -> Step:
        docs = {self.new_key(state): self.draw_document() for _ in range(self.draw.choice([1, 30]))}
        docs |= {key: self.draw_document() for key in self._some(state, 3)}
        data, vectors = _lines(docs), self.draw.random() >= _LATE

        def run(base: Path) -> None:
            from vecsearch.documents.loaders.raw_file import RawFile

            with opened(base, state) as collection:
                _no_failure(collection._index_json_lines(RawFile("stdin", ".jsonl", content=data), vectors=vectors))

        after = add_documents(state, docs, late=not vectors)
        return Step("lines", run, fill_all(after) if vectors else after, whole=False, late=frozenset(docs))

    def files(self, state: State) -> Step:
        """A folder of files in which some came, changed and went."""
        docs = {key: doc for key, doc in state.docs.items() if doc.source is not None}
        for source in sorted({doc.source for doc in docs.values() if doc.source}):
            if self.draw.random() < 0.3:
                docs = {key: doc for key, doc in docs.items() if doc.source != source}
        for _ in range(self.draw.randint(1, 2)):
            source = f"{FILES}/log{self.draw.randint(0, 3)}.jsonl"
            docs = {key: doc for key, doc in docs.items() if doc.source != source or self.draw.random() < 0.7}
            docs |= {self.new_key(state): self.draw_document(source=source) for _ in range(self.draw.choice([1, 20]))}
        others, vectors = {key: doc for key, doc in state.docs.items() if doc.source is None}, self.draw.random() >= _LATE
        new = frozenset(key for key, doc in docs.items() if state.docs.get(key) is not doc)

        def prepare(base: Path) -> None:
            shutil.rmtree(base / FILES, ignore_errors=True)
            (base / FILES).mkdir()
            for source in {doc.source for doc in docs.values() if doc.source}:
                of = {key: doc for key, doc in docs.items() if doc.source == source}
                (base / source).write_bytes(_lines(of))

        def run(base: Path) -> None:
            with opened(base, state) as collection:
                _no_failure(collection.index([base / FILES], allow_empty=True, vectors=vectors))

        late = frozenset() if vectors else (state.late | new) & {*others, *docs}
        after = replace(state, docs={**others, **docs}, late=late)
        return Step("files", run, after, whole=False, prepare=prepare, late=new)

    def fill(self, state: State) -> Step:
        """Make vectors that wait: all, or those of some batches."""
        most = self.draw.choice([None, None, 0, 1, 3])

        def run(base: Path) -> None:
            asked = itertools.count()
            with opened(base, state) as collection:
                collection.fill_vectors(should_stop=lambda: most is not None and next(asked) > most)

        return Step("fill", run, fill_all(state) if most is None else state, whole=False)

    def beside(self, state: State) -> Step:
        """Make vectors that wait while another process does something else; either may be the one that fails."""
        other = self.named(self.draw.choice(_BESIDE), state)
        new = {key for key in other.after.late if other.after.docs[key] is not state.docs.get(key)}

        def fill(base: Path) -> None:
            with opened(base, state) as collection:
                collection.fill_vectors()

        run, beside = self.draw.sample([fill, other.run], 2)
        name = f"fill | {other.name}" if run is fill else f"{other.name} | fill"
        after = replace(other.after, late=frozenset(new))
        return replace(other, name=name, run=run, beside=beside, after=after, whole=False)

    def optimize(self, state: State) -> Step:
        return self._kept("optimize", state, lambda collection: collection.optimize())

    def rewrite(self, state: State) -> Step:
        return self._kept("optimize --full", state, lambda collection: collection.optimize(full=True))

    def stems(self, state: State) -> Step:
        language = self.draw.choice(["de", "en", "none"])
        return self._kept("optimize --stemmer", state, lambda collection: collection.optimize(stemmer=language))

    def neighbour(self, state: State) -> Step:
        """Another collection in the same folder comes, gets another name, and goes."""

        def run(base: Path) -> None:
            with vecsearch.open(base / DATABASE, collection="second", model=FakeEncoder(7)) as collection:
                collection.add(["a gull", "a reef"], ids=["x", "y"], on_conflict="replace")
            if "third" in maintenance.collections(base / DATABASE):
                maintenance.delete_collection(base / DATABASE, "third")
            maintenance.rename_collection(base / DATABASE, "second", "third")
            maintenance.delete_collection(base / DATABASE, "third")

        return Step("collections", run, state)

    def reembed(self, state: State) -> Step:
        """All vectors by another encoder; those that were brought too."""
        after = State({key: replace(doc, brought=False) for key, doc in state.docs.items()}, state.salt % 5 + 1)

        def run(base: Path) -> None:
            with vecsearch.open(base / DATABASE) as collection:
                collection.reembed(after.encode_at(base))

        return Step("reembed", run, after)

    def backup(self, state: State) -> Step:
        def run(base: Path) -> None:
            maintenance.backup(base / DATABASE, base / "kept.backup", force=True)

        return Step("backup", run, state)

    def restore(self, state: State) -> Step:
        """The backup of another database takes the place of all that is there."""
        after = State({f"r{n}": self.draw_document() for n in range(self.draw.choice([2, 60]))}, state.salt)
        making = self.put("other", State({}, state.salt), after.docs)
        more = self.named("lines", making.after)
        after = more.after

        def prepare(base: Path) -> None:
            other = base / FILES / "other"
            shutil.rmtree(other, ignore_errors=True)
            other.mkdir(parents=True)
            making.run(other)
            more.run(other)
            maintenance.backup(other / DATABASE, other / "kept.backup")

        def run(base: Path) -> None:
            maintenance.restore(base / FILES / "other" / "kept.backup", base / DATABASE, replace=True)

        return Step("restore", run, after, prepare=prepare)

    def exchange(self, state: State) -> Step:
        """What another database exported is taken in, vectors and all."""
        new = {self.new_key(state): self.draw_document() for _ in range(self.draw.choice([3, 40]))}
        making = self.put("other", State({}, state.salt), new)
        has_vectors, vectors = self.draw.random() >= _LATE, self.draw.random() >= _LATE

        def prepare(base: Path) -> None:
            other = base / FILES / "other"
            shutil.rmtree(other, ignore_errors=True)
            other.mkdir(parents=True)
            making.run(other)
            with opened(other, State({}, state.salt)) as collection:
                collection.export_documents(other / "kept.jsonl", vectors=has_vectors)

        def run(base: Path) -> None:
            with opened(base, state) as collection:
                report = collection.import_documents(base / FILES / "other" / "kept.jsonl", on_conflict="skip", vectors=vectors)
                assert not report.failed, report.failed

        after = add_documents(state, new, late=not has_vectors)
        late = frozenset() if has_vectors else frozenset(new)
        return Step("import", run, fill_all(after) if vectors else after, whole=False, prepare=prepare, late=late)

    def mend(self, state: State) -> Step:
        """An index file, the looked-up metadata and what is known of pending vectors are spoilt, and mended from the truth."""
        spoil = self.draw.choice(_SPOIL)

        def prepare(base: Path) -> None:
            for file in list((base / DATABASE / "index").glob("*.faiss"))[:1]:
                file.write_bytes(file.read_bytes()[:-7])
            with closing(sqlite3.connect(base / DATABASE / DATABASE_FILE)) as connection, connection:
                connection.execute("DELETE FROM metadata_index WHERE key = 'n'")
                connection.execute(spoil)

        return Step("doctor --fix", lambda base: mend(base, state), state, prepare=prepare, spoils=True)

    def _kept(self, name: str, state: State, run: Callable[[vecsearch.Collection], None]) -> Step:
        def on(base: Path) -> None:
            with opened(base, state) as collection:
                run(collection)

        return Step(name, on, state)

    def new_key(self, state: State) -> str:
        self._serial += 1
        return f"n{self._serial}-{self.draw.getrandbits(40):x}"


_LIVE = "collection_id IN (SELECT id FROM collections WHERE role = 'live')"
_SPOIL = (
    "UPDATE collections SET pending_vectors = pending_vectors + 1",
    f"DELETE FROM pending_vectors WHERE chunk_id % 2 AND {_LIVE}",  # else a model is needed that this one does not have
    f"UPDATE pending_vectors SET filled = 1 WHERE chunk_id % 2 AND {_LIVE}",
    "SELECT 1",
)

STEPS: dict[str, Callable[[Plan, State], Step]] = {
    "add": Plan.add,
    "replace": Plan.replace,
    "bring": Plan.bring,
    "change": Plan.change,
    "delete": Plan.delete,
    "lines": Plan.lines,
    "files": Plan.files,
    "fill": Plan.fill,
    "beside": Plan.beside,
    "optimize": Plan.optimize,
    "optimize --full": Plan.rewrite,
    "optimize --stemmer": Plan.stems,
    "collections": Plan.neighbour,
    "reembed": Plan.reembed,
    "backup": Plan.backup,
    "restore": Plan.restore,
    "import": Plan.exchange,
    "doctor --fix": Plan.mend,
    "threads open": open_at_once,
    "threads fork": fork_among_writers,
    "threads interrupt": interrupt_writers,
}


def _lines(docs: Mapping[str, Doc]) -> bytes:
    rows = [{"id": key, "text": doc.text, "title": doc.title, "metadata": doc.metadata} for key, doc in docs.items()]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _no_failure(report: vecsearch.IndexReport) -> None:
    assert not report.failed, report.failed
