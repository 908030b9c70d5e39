"""Each damage that `doctor` knows is planted, found, reported, and repaired where it can be: the answers are as before."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import vecsearch
from tests import maintenance
from tests.conftest import CommandResult
from tests.fakes import FakeEncoder
from tests.stores.sqlite.test_formats import FORMATS, check_answers
from vecsearch.core.settings import APPLICATION_ID, DATABASE_FILE, SCHEMA_VERSION, SCHEMA_VERSION_MIN
from vecsearch.core.types import Finding
from vecsearch.stores.sqlite.fulltext import term_blocks, term_rows, term_segment
from vecsearch.stores.sqlite.integrity import folder as folder_check
from vecsearch.stores.sqlite.integrity import index_files as index_file_check
from vecsearch.stores.sqlite.vectors import faiss_segment
from vecsearch.stores.sqlite.write import text_rows

ENCODER = FakeEncoder()
WORDS = "harbour add_checksum bank river jump leap fence model runway train plane turn sand ice ring dust planet moon".split()
SIZE = 2 * ENCODER.dimension  # of a vector, in bytes


@pytest.fixture(scope="session")
def sound_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two collections with a file, long documents in parts, index files, rows after them and deleted ones."""
    place = tmp_path_factory.mktemp("sound")
    draw = random.Random(0)
    (place / "lines.jsonl").write_text(
        "".join(f'{{"id": "line{n}", "text": "{WORDS[n]} of a file", "n": {n}}}\n' for n in range(9))
    )
    with patch.object(text_rows, "TEXT_PART_CHARACTERS", 200), vecsearch.open(place / "db", model=ENCODER) as notes:
        texts = [" ".join(draw.choices(WORDS, k=90 if n % 10 == 0 else 7)) for n in range(60)]
        notes.add(texts, ids=[f"d{n}" for n in range(60)], metadatas=[{"n": n, "deep": {"tag": WORDS[n % 5]}} for n in range(60)])
        notes.index([place / "lines.jsonl"])
        notes.optimize()
        notes.delete(["d5", "d20"])
        notes.add(["a late harbour", "a late river"], ids=["late1", "late2"])
        notes.add(["add_checksum and moon"], ids=["mine"], vectors=np.eye(1, 32))
    with vecsearch.open(place / "db", model=ENCODER, collection="second") as notes:
        notes.add(["a harbour elsewhere", "ice elsewhere"], ids=["x", "y"])
    return place / "db"


@pytest.fixture
def db(sound_database: Path, tmp_path: Path) -> Path:
    """Copy the database for the test."""
    return copy_database(sound_database, tmp_path)


@pytest.fixture(scope="session")
def before(sound_database: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return what the sound database answers."""
    return collect_answers(copy_database(sound_database, tmp_path_factory.mktemp("asked")))


def copy_database(source: Path, place: Path) -> Path:
    shutil.copytree(source.parent, place / "copy")
    return place / "copy" / source.name


def execute_sql(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


def fetch_value(folder: Path, query: str) -> object:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        return connection.execute(query).fetchone()[0]


def collect_answers(folder: Path) -> dict[str, object]:
    """Search by meaning, words and filters; ignore the numbers of rows, which decide between equal scores."""
    with vecsearch.open(folder, model=ENCODER, readonly=True) as notes:
        rows: Any = ENCODER.encode_queries(["harbour add_checksum", "moon dust"])
        results: dict[str, list[Any]] = {
            "dense": [[*map(describe_hit, hits)] for hits in notes.search(rows, limit=500)],
            "lexical": [*map(describe_hit, notes.search("harbour moon*", mode="lexical", limit=500))],
            "filtered": [*map(describe_hit, notes.search("river", where={"deep.tag": "add_checksum"}, limit=500))],
        }
        return {
            **{key: sorted(hits) for key, hits in results.items()},
            "texts": sorted((d.id, d.text) for d in notes.get(where={})),
        }


def describe_hit(hit: vecsearch.Hit) -> tuple[str, int, float, str]:
    return hit.id, hit.chunk_index, round(hit.score, 4), hit.text


def look(folder: Path) -> list[Finding]:
    return maintenance.check(folder, model=ENCODER)


def list_errors(findings: object) -> list[Finding]:
    return [finding for finding in findings if finding.severity is vecsearch.Severity.ERROR]  # type: ignore[attr-defined]


# -- what can be mended


def hide_row_from_index(folder: Path) -> None:
    """Change a row while SQLite does not know of the index."""
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE chunks SET collection_id = 2 WHERE id = 7")
        query = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE name = 'chunks_of_collection'"
        row = connection.execute(query).fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'chunks_of_collection'")
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE chunks SET collection_id = 1 WHERE id = 7")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)


NOT_THE_TEXTS = "the text index is not what the texts say"


def change_postings(folder: Path, change: Callable[[term_segment.TermSegment], object]) -> None:
    """Write the blocks of the text index again after a change that leaves as many of them."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        try:
            head = term_rows.list_heads(connection, 1)[0]
            segment = term_rows.load_segment(connection, head)
        except (IndexError, vecsearch.DatabaseCorruptedError):  # damaged already
            return
        change(segment)
        for number, block in enumerate(term_blocks.encode_blocks(segment), head.first_block):
            connection.execute("UPDATE term_blocks SET data = ? WHERE id = ?", (term_rows.add_checksum(block.postings), number))
            connection.execute(
                "UPDATE position_blocks SET data = ? WHERE id = ?", (term_rows.add_checksum(block.positions), number)
            )
        connection.commit()


def move_posting(segment: term_segment.TermSegment) -> None:
    """A term stands in another chunk than it does."""
    last = next(end - 1 for end in segment.starts[1:] if segment.ordinals[end - 1] + 1 < len(segment.ids))
    segment.ordinals[last] += 1


def repeat_posting(segment: term_segment.TermSegment) -> None:
    """A form is said to stand twice in a chunk."""
    form = next(rank for rank, term in enumerate(segment.terms) if term.startswith(term_segment.FORM_MARK))
    segment.frequencies[segment.starts[form]] += 1


def move_word(segment: term_segment.TermSegment) -> None:
    """A word stands a place further on."""
    segment.positions[-1] += 1


def take_words_out(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        row = (1, term_rows.add_checksum(np.array([7], "<i8").tobytes()))
        connection.execute("INSERT INTO term_tombstones (collection_id, chunks) VALUES (?, ?)", row)
        connection.commit()


def flip_posting(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        number, data = connection.execute("SELECT id, data FROM term_blocks").fetchone() or (0, bytes(61))
        flipped = data[:60] + bytes([data[60] ^ 1]) + data[61:]
        connection.execute("UPDATE term_blocks SET data = ? WHERE id = ?", (flipped, number))
        connection.commit()


def index_no_chunk(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        head = term_rows.SegmentHead(0, 5000, 5000, 1, 9_000, 0)
        lengths = term_rows.add_checksum(np.array([1], "<u2").tobytes(), term_rows.describe_head(head, None, ""))
        row = (1, 5000, 5000, 1, None, lengths, 9_000, 0, "")
        names = "collection_id, first_chunk, last_chunk, rows, ids, lengths, first_block, blocks, block_terms"
        connection.execute(f"INSERT INTO term_segments ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.commit()


def find_newest_file(folder: Path) -> Path:
    return max((folder / "index").glob("1-*.faiss"))


def replace_index_file(folder: Path) -> None:
    """Write a sound file with the right name, checksum and number of rows, and the vectors of other chunks."""
    file = find_newest_file(folder)
    segment = faiss_segment.Segment.build(
        32,
        vecsearch.core.types.Precision.FLOAT16,
        [(read_ids(file), np.eye(32, dtype=np.float16)[0:1].repeat(len(read_ids(file)), 0))],
    )
    execute_sql(folder, f"UPDATE segments SET checksum = '{segment.save(file)}' WHERE collection_id = 1")


def read_ids(file: Path) -> faiss_segment.Ids:
    segment = faiss_segment.Segment.load(file, faiss_segment.compute_segment_checksum(file))
    assert segment is not None
    return segment.ids.copy()


def flip_byte(folder: Path) -> None:
    data = bytearray(find_newest_file(folder).read_bytes())
    data[len(data) // 2] ^= 0x40
    find_newest_file(folder).write_bytes(data)


def leave_leftovers(folder: Path) -> None:
    (folder / "index" / "1-99.faiss").write_bytes(b"half")
    (folder / "index" / "restoring.db").write_bytes(b"half")


def leave_half_written_file(folder: Path) -> None:
    (folder / "backup-of-format-3.db.tmp").write_bytes(b"half")


def open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / DATABASE_FILE).chmod(0o644)


def set_vector(folder: Path, chunk: int, vector: bytes) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE vectors SET vector = ? WHERE chunk_id = ?", (vector, chunk))


def make_halves(number: float) -> bytes:
    return np.full(32, number, np.float16).tobytes()


@dataclass(frozen=True)
class Damage:
    """How a damage is planted, and what the doctor reports."""

    plant: Callable[[Path], None]
    message: str
    is_error: bool = True


def run(*statements: str) -> Callable[[Path], None]:
    return lambda folder: execute_sql(folder, *statements)


CHUNK_OF = "(SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.external_id = '{}' ORDER BY c.id LIMIT 1)"
ROW_OF = "(SELECT id FROM documents WHERE external_id = '{}')"

MENDED = {
    "a row missing from an index": Damage(hide_row_from_index, "missing from index"),
    "no vector": Damage(run("DELETE FROM vectors WHERE chunk_id IN (7, 30)"), "2 chunks without a whole vector"),
    "half a vector": Damage(lambda folder: set_vector(folder, 7, make_halves(0.1)[:31]), "1 chunk without a whole vector"),
    "a text for a vector": Damage(run("UPDATE vectors SET vector = 'x' WHERE chunk_id = 7"), "1 chunk without a whole vector"),
    "NaN": Damage(lambda folder: set_vector(folder, 7, make_halves(np.nan)), "1 chunk with a vector that is not finite"),
    "infinity": Damage(lambda folder: set_vector(folder, 7, make_halves(np.inf)), "1 chunk with a vector that is not finite"),
    "no unit vector": Damage(lambda folder: set_vector(folder, 7, make_halves(0.17)), "not finite or not of length 1"),
    "other words": Damage(lambda folder: change_postings(folder, move_posting), NOT_THE_TEXTS),
    "a form twice": Damage(lambda folder: change_postings(folder, repeat_posting), NOT_THE_TEXTS),
    "a word elsewhere": Damage(lambda folder: change_postings(folder, move_word), NOT_THE_TEXTS),
    "words of no chunk": Damage(index_no_chunk, "the text index holds"),
    "words of a chunk taken out": Damage(take_words_out, "the text index holds"),
    "a flipped posting": Damage(flip_posting, NOT_THE_TEXTS),
    "half a block of words": Damage(run("UPDATE term_blocks SET data = substr(data, 1, 100)"), NOT_THE_TEXTS),
    "a torn text index": Damage(run("DELETE FROM term_blocks WHERE id % 2"), NOT_THE_TEXTS),
    "a text index without places": Damage(run("DELETE FROM position_blocks"), NOT_THE_TEXTS),
    "other lengths of texts": Damage(run("UPDATE term_segments SET lengths = zeroblob(length(lengths))"), NOT_THE_TEXTS),
    "a text for a length": Damage(run("UPDATE term_segments SET lengths = 'x'"), NOT_THE_TEXTS),
    "a text for deleted words": Damage(
        run("INSERT INTO term_tombstones (collection_id, chunks) VALUES (1, 'x')"), "the text index holds 0 rows"
    ),
    "no text index": Damage(run("DELETE FROM term_segments"), "the text index holds 0 rows"),
    "other facts": Damage(
        run("UPDATE metadata_index SET value = 99 WHERE document_id = 3 AND key = 'n'"), "not the metadata of 1"
    ),
    "facts of a document that is gone": Damage(
        run("INSERT INTO metadata_index VALUES (1, 'n', 3, 5, 4000)"), "not the metadata of 1"
    ),
    "a range that begins late": Damage(
        run("UPDATE segments SET after_id = 5 WHERE collection_id = 1"), "does not hold the rows that SQLite holds"
    ),
    "ranges that overlap": Damage(
        run("INSERT INTO segments SELECT 90, collection_id, 3, last_id, rows, checksum FROM segments WHERE collection_id = 1"),
        "overlap or are out of order",
    ),
    "more rows than there are": Damage(run("UPDATE segments SET rows = rows + 1"), "does not hold the rows that SQLite holds"),
    "covers too little": Damage(run("UPDATE collections SET indexed_up_to = 3 WHERE id = 1"), "the ranges of the index files"),
    "vectors of others in an index file": Damage(replace_index_file, "does not hold the rows that SQLite holds"),
    "a damaged index file": Damage(flip_byte, "is damaged", is_error=False),
    "a missing index file": Damage(lambda folder: find_newest_file(folder).unlink(), "is missing", is_error=False),
    "a living chunk marked as deleted": Damage(run("INSERT INTO tombstones VALUES (1, 7)"), "1 chunk marked as deleted"),
    "a deleted chunk that is not marked": Damage(run("DELETE FROM tombstones"), "does not hold the rows that SQLite holds"),
    "a wrong count of pending vectors": Damage(
        run("UPDATE collections SET pending_vectors = 3 WHERE id = 1"), "3 vectors are recorded as still to be made, and 0 are"
    ),
    "a vector that is there, marked as still to be made": Damage(
        run("INSERT INTO pending_vectors VALUES (7, 1, NULL)"), "1 chunk whose mark of a vector"
    ),
    "a vector that is not there, marked as made": Damage(
        run("DELETE FROM vectors WHERE chunk_id = 7", "INSERT INTO pending_vectors VALUES (7, 1, 3)"),
        "1 chunk whose mark of a vector",
    ),
    "a late vector in the range of an index file": Damage(
        run("INSERT INTO pending_vectors VALUES (7, 1, 3)"), "1 chunk in the range of an index file"
    ),
    "leftover index files": Damage(leave_leftovers, "2 leftover files", is_error=False),
    "a half-written file": Damage(leave_half_written_file, "1 unfinished file", is_error=False),
    "files open to others": Damage(open_to_all, "open to other users", is_error=False),
}  # fmt: skip


def test_a_sound_database_has_nothing_to_mend_but_index_files_that_are_behind(db: Path) -> None:
    assert list_errors(look(db)) == []
    assert all("added or deleted since" in finding.what or "no index file yet" in finding.what for finding in look(db))
    report = maintenance.repair(db, model=ENCODER)
    assert (report.findings, report.backup) == ((), None)
    assert len(report.repaired) == 2
    assert maintenance.repair(db, model=ENCODER).repaired == ()


@pytest.mark.parametrize("name", MENDED)
def test_what_is_derived_is_found_wrong_and_mended(db: Path, before: dict[str, object], name: str) -> None:
    damage = MENDED[name]
    damage.plant(db)
    (finding, *_) = [finding for finding in look(db) if damage.message in finding.what]
    assert (finding.severity is vecsearch.Severity.ERROR) is damage.is_error
    assert finding.meaning
    assert finding.fix
    report = maintenance.repair(db, model=ENCODER)
    assert report.findings == ()
    assert any(damage.message in repair for repair in report.repaired)
    after = collect_answers(db)
    assert after == before
    assert_it_goes_on(db)


def assert_it_goes_on(folder: Path) -> None:
    """Check that new documents are written and found, and that every document can be changed and deleted."""
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.add(["a quokka"], ids=["last"])
        assert notes.search("quokka", mode="lexical")[0].id == "last"
        assert notes.search("a quokka", mode="dense")[0].id == "last"
        notes.update("d10", metadata={"n": 1000})
        notes.delete(where={"n": {"$gte": 0}})
        assert {document.id for document in notes.get(where={})} == {"late1", "late2", "mine", "last"}
        notes.optimize()
    assert look(folder) == []


@settings(max_examples=5, deadline=None, suppress_health_check=[*HealthCheck], phases=[Phase.generate])
@given(st.sets(st.sampled_from([*MENDED]), min_size=2, max_size=6))
def test_damages_that_come_together_are_mended_together(
    sound_database: Path, before: dict[str, object], tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    db = copy_database(sound_database, tmp_path_factory.mktemp("together"))
    for name in sorted(names):
        try:
            MENDED[name].plant(db)
        except (sqlite3.Error, ValueError, FileNotFoundError, AssertionError):  # another damage removed what this one changes
            continue
    assert look(db)
    report = maintenance.repair(db, model=ENCODER)
    assert list_errors(report.findings) == []
    assert look(db) == list(report.findings)
    for collection in maintenance.collections(db):  # one without a vector that is marked as still to be made is just that
        with vecsearch.open(db, collection=collection, model=ENCODER) as notes:
            notes.fill_vectors()
    assert collect_answers(db) == before


@pytest.mark.parametrize("name", ["a row missing from an index", "NaN", "no text index", "other facts"])
def test_before_sqlite_is_mended_a_private_copy_of_it_is_made(db: Path, name: str) -> None:
    MENDED[name].plant(db)
    backup = maintenance.repair(db, model=ENCODER).backup
    assert backup is not None
    assert backup.parent == db
    assert backup.name.startswith("backup-before-fix-")
    assert backup.stat().st_mode & 0o077 == 0
    shutil.copy(backup, db / DATABASE_FILE)  # nobody has it open
    for ending in ("-wal", "-shm"):
        (db / f"{DATABASE_FILE}{ending}").unlink(missing_ok=True)
    if name != "a row missing from an index":  # SQLite makes the indexes of a copy anew
        assert any(MENDED[name].message in finding.what for finding in look(db))


def test_a_file_that_sqlite_cannot_copy_is_copied_byte_by_byte(db: Path) -> None:
    hide_row_from_index(db)
    execute_sql(db, "UPDATE chunks SET id = 100001, document_id = 1, ordinal = 900 WHERE id = 9")
    before = (db / DATABASE_FILE).read_bytes()
    from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
    from vecsearch.stores.sqlite.integrity import repair_steps

    with closing(DatabaseFolder(db)) as database_folder, database_folder.hold_write_lock():
        repair_steps._copy_bytes(database_folder, db / "copy.db")
    assert (db / "copy.db").read_bytes() == before


def test_an_index_file_without_codes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with vecsearch.open(tmp_path / "db") as notes:
        notes.add([f"n{n}" for n in range(300)], vectors=np.random.default_rng(0).normal(size=(300, 64)))
        notes.optimize()
    monkeypatch.setattr(index_file_check, "PQ_MIN_ROWS", 100)
    monkeypatch.setattr(faiss_segment, "PQ_MIN_ROWS", 100)
    assert any("has no codes beside it" in finding.what for finding in look(tmp_path / "db"))
    assert not any("codes" in finding.what for finding in maintenance.repair(tmp_path / "db").findings)


def test_an_index_file_that_a_writer_replaces_during_a_check_is_no_error(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = faiss_segment.Segment.load

    def replace_and_load(path: Path, checksum: str) -> faiss_segment.Segment | None:
        path.unlink()
        return load(path, checksum)

    monkeypatch.setattr(faiss_segment.Segment, "load", replace_and_load)
    findings = look(db)
    assert list_errors(findings) == []
    assert any("is missing" in finding.what for finding in findings)


def test_a_log_that_has_grown_is_noticed_and_emptied(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_check, "_LOG_BYTES_MAX", 10_000)
    with closing(sqlite3.connect(db / DATABASE_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE collections SET data_version = data_version + 1")
        other.execute("CREATE TABLE big AS SELECT zeroblob(100000)")
        other.execute("DROP TABLE big")
        other.execute("COMMIT")
        assert any("log has grown" in finding.what for finding in look(db))
        maintenance.repair(db, model=ENCODER)
        assert not any("log has grown" in finding.what for finding in look(db))


def test_a_replaced_collection_is_a_note_until_the_next_write(db: Path) -> None:
    execute_sql(db, "UPDATE collections SET role = 'replaced' WHERE id = 2")
    (finding,) = [finding for finding in look(db) if "waits to be dropped" in finding.what]
    assert (finding.severity, finding.fix) == (vecsearch.Severity.NOTE, "vecsearch optimize")
    assert maintenance.repair(db, model=ENCODER).findings == ()
    assert fetch_value(db, "SELECT count(*) FROM collections") == 1


def test_what_a_step_could_not_do_stands_in_the_report_with_the_reason(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vecsearch.stores.sqlite.filters import metadata_index

    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such key")

    for name in ("other facts", "other words"):
        MENDED[name].plant(db)
    monkeypatch.setattr(metadata_index, "rebuild", fail)
    report = maintenance.repair(db, model=ENCODER)
    (finding,) = report.findings
    assert MENDED["other facts"].message in finding.what
    assert finding.fix.endswith("(repairing it failed: ValueError: no such key)")
    assert any(MENDED["other words"].message in line for line in report.repaired)


def test_files_of_another_user_stay_a_note_with_the_reason(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    open_to_all(db)
    monkeypatch.setattr(folder_check, "close_to_others", fail)
    (finding,) = maintenance.repair(db, model=ENCODER).findings
    assert "open to other users" in finding.what
    assert f"(repairing it failed: {db}: Operation not permitted" in finding.fix


# -- what cannot


def alter_collection(**values: object) -> Callable[[Path], None]:
    assignments = ", ".join(f"{name} = {value!r}" for name, value in values.items())
    return run(f"UPDATE collections SET {assignments} WHERE id = 1")


STAYS = {
    "a vector of no chunk": Damage(
        run("INSERT INTO vectors SELECT 9999, vector FROM vectors LIMIT 1"), "1 row of vectors without the row of chunks"
    ),
    "a chunk of no document": Damage(
        run("DELETE FROM documents WHERE external_id = 'd7'"), "1 row of chunks without the row of documents"
    ),
    "facts of no collection": Damage(
        run("INSERT INTO metadata_index VALUES (77, 'k', 4, 'v', 1)"), "1 row of metadata_index without the row"
    ),
    "a document without chunks": Damage(
        run(
            f"DELETE FROM vectors WHERE chunk_id = {CHUNK_OF.format('d7')}",
            f"DELETE FROM chunks WHERE document_id = {ROW_OF.format('d7')}",
        ),
        "1 document without a chunk",
    ),
    "ordinals that do not begin at 0": Damage(
        run(f"UPDATE chunks SET ordinal = ordinal + 100 WHERE document_id = {ROW_OF.format('d10')}"), "not numbered from 0"
    ),
    "a gap between ordinals": Damage(
        run(f"UPDATE chunks SET ordinal = 50 WHERE ordinal = 1 AND document_id = {ROW_OF.format('d10')}"), "not numbered from 0"
    ),
    "a chunk beyond its text": Damage(
        run(f'UPDATE chunks SET "end" = "end" + 5 WHERE document_id = {ROW_OF.format("d7")}'), "do not lie within its text"
    ),
    "a chunk before its text": Damage(
        run(f"UPDATE chunks SET start = -3 WHERE document_id = {ROW_OF.format('d7')}"), "do not lie within its text"
    ),
    "a part that is lost": Damage(
        run(f"DELETE FROM text_parts WHERE document_id = {ROW_OF.format('d10')}"), "1 document whose text is not whole"
    ),
    "a part between others that is lost": Damage(
        run(
            f"DELETE FROM text_parts WHERE start = (SELECT min(start) FROM text_parts WHERE document_id = {ROW_OF.format('d10')})"
        ),
        "whose text is not whole",
    ),
    "a part that is cut": Damage(
        run(f"UPDATE text_parts SET text = substr(text, 3) WHERE document_id = {ROW_OF.format('d10')}"), "whose text is not whole"
    ),
    "a chunk beyond its part": Damage(
        run(f"UPDATE chunks SET start = 0 WHERE part_id IS NOT NULL AND document_id = {ROW_OF.format('d10')}"),
        "lie within its parts",
    ),
    "a place that is no JSON": Damage(run("UPDATE chunks SET location = '{' WHERE id = 7"), "do not lie within its text"),
    "a chunk in another collection": Damage(
        run("UPDATE chunks SET collection_id = 2 WHERE id = 7"), "1 chunk in another collection than its document"
    ),
    "a chunk in no collection": Damage(
        run("UPDATE chunks SET collection_id = 77 WHERE id = 7"), "1 row of chunks without the row of collections"
    ),
    "a number given twice": Damage(run("UPDATE sqlite_sequence SET seq = 2 WHERE name = 'chunks'"), "the next row of chunks"),
    "a number that is none": Damage(run("UPDATE sqlite_sequence SET seq = 'x' WHERE name = 'documents'"), "row of documents"),
    "a number forgotten": Damage(run("DELETE FROM sqlite_sequence WHERE name = 'segments'"), "the next row of segments"),
    "a table of the truth that is gone": Damage(
        run("PRAGMA foreign_keys = OFF", "DROP TABLE vectors"), "and these are not there: vectors.chunk_id, vectors.vector"
    ),
    "another version recorded, of tables that are not this one's": Damage(
        run("UPDATE alembic_version SET version_num = '0099'", "CREATE TABLE later (id INTEGER)"), "recorded as 0099 and as"
    ),
    "metadata that is no JSON": Damage(run("UPDATE documents SET metadata = '{' WHERE external_id = 'd7'"), "is no JSON object"),
    "metadata that is a list": Damage(run("UPDATE documents SET metadata = '[1]' WHERE external_id = 'd7'"), "is no JSON object"),
    "metadata of bytes": Damage(run("UPDATE documents SET metadata = X'00ff' WHERE external_id = 'd7'"), "is no JSON object"),
    "documents of no file": Damage(run("DELETE FROM sources"), "9 rows of documents without the row of sources"),
    "documents of no collection": Damage(
        run("UPDATE documents SET collection_id = 77 WHERE external_id = 'd7'"),
        "1 row of documents without the row of collections",
    ),
    "a lost vector that was brought": Damage(
        run(f"DELETE FROM vectors WHERE chunk_id = {CHUNK_OF.format('mine')}"), "whose vectors were provided, not encoded"
    ),
    "an unknown stemmer": Damage(alter_collection(stemmer="xx"), "its stemmer is recorded as 'xx'"),
    "no dimension": Damage(alter_collection(dimension=-1), "its vectors are recorded as having -1 dimensions"),
    "an unknown precision": Damage(alter_collection(precision="float7"), "float7"),
    "another model": Damage(alter_collection(model="all-MiniLM-L6-v2"), "is not the one that made its vectors any more"),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_cannot_be_derived_stays_a_finding_with_what_to_do(db: Path, name: str) -> None:
    damage = STAYS[name]
    damage.plant(db)
    texts = read_texts(db)
    encoder = None if name == "another model" else ENCODER
    for findings in (maintenance.check(db, model=encoder), list(maintenance.repair(db, model=encoder).findings)):
        (finding, *_) = [finding for finding in findings if damage.message in finding.what]
        assert finding.severity is vecsearch.Severity.ERROR
        assert finding.fix != "vecsearch doctor --fix"
    assert read_texts(db) == texts


def read_texts(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        return connection.execute("SELECT external_id, title, text, metadata FROM documents ORDER BY external_id").fetchall()


# -- the format's records, and its tables


@pytest.mark.parametrize("statement", ["UPDATE alembic_version SET version_num = '0002'", "DELETE FROM alembic_version",
                                       "DROP TABLE alembic_version"])  # fmt: skip
def test_a_wrong_record_of_the_format_is_corrected_where_the_tables_are_its_own(
    db: Path, before: dict[str, object], statement: str
) -> None:
    execute_sql(db, statement)
    (finding,) = list_errors(look(db))
    assert f"and as {SCHEMA_VERSION} (user_version)" in finding.what
    report = maintenance.repair(db, model=ENCODER)
    assert list_errors(report.findings) == []
    assert report.backup is not None
    assert list_errors(look(db)) == []
    assert collect_answers(db) == before


@pytest.mark.parametrize("version", range(SCHEMA_VERSION_MIN, SCHEMA_VERSION))
def test_a_version_that_was_set_before_its_migration_is_made_true(tmp_path: Path, version: int) -> None:
    folder = shutil.copytree(FORMATS / str(version) / "database", tmp_path / "db")
    execute_sql(folder, f"PRAGMA user_version = {SCHEMA_VERSION}")
    with pytest.raises(vecsearch.DatabaseCorruptedError, match="see `vecsearch doctor"), vecsearch.open(folder) as collection:
        collection.list_profiles()  # of one of the newest tables, as each search looks into another
        collection.search("jump")
    (finding,) = list_errors(maintenance.check(folder))
    assert (
        f"recorded as {version:04} and as {SCHEMA_VERSION} (user_version), and its tables are those of the first" in finding.what
    )
    report = maintenance.repair(folder)
    assert list_errors(report.findings) == []
    assert report.backup is not None
    check_answers(folder)


LOST_RECORDS = ["DROP TABLE alembic_version", "DELETE FROM alembic_version", "UPDATE alembic_version SET version_num = '0099'",
                "PRAGMA user_version = 0"]  # fmt: skip


@pytest.mark.parametrize("version", range(SCHEMA_VERSION_MIN, SCHEMA_VERSION))
@pytest.mark.parametrize("statement", LOST_RECORDS)
def test_an_older_format_is_upgraded_by_one_record_where_the_other_is_lost(tmp_path: Path, version: int, statement: str) -> None:
    folder = shutil.copytree(FORMATS / str(version) / "database", tmp_path / "db")
    execute_sql(folder, statement)
    with vecsearch.connect(folder) as database:
        assert database.upgrade()
    assert list_errors(maintenance.check(folder)) == []
    check_answers(folder)


def test_an_older_format_without_either_record_is_not_guessed(tmp_path: Path) -> None:
    folder = shutil.copytree(FORMATS / str(SCHEMA_VERSION_MIN) / "database", tmp_path / "db")
    execute_sql(folder, "DELETE FROM alembic_version", "PRAGMA user_version = 0")
    texts = read_texts(folder)
    with (
        pytest.raises(vecsearch.DatabaseCorruptedError, match="recorded as nothing and as 0000"),
        vecsearch.connect(folder) as db,
    ):
        db.upgrade()
    assert read_texts(folder) == texts


@pytest.mark.parametrize("version", [0, *range(SCHEMA_VERSION_MIN, SCHEMA_VERSION), -SCHEMA_VERSION_MIN])
@pytest.mark.parametrize("statement", ["SELECT 1", "DELETE FROM alembic_version"])
def test_tables_that_are_newer_than_the_version_stay_as_they_are(
    db: Path, before: dict[str, object], version: int, statement: str
) -> None:
    execute_sql(db, f"PRAGMA user_version = {version}", statement)
    report = maintenance.repair(db, model=ENCODER)
    assert list_errors(report.findings) == list_errors(look(db)) == []
    assert collect_answers(db) == before


def test_a_version_without_any_table_becomes_an_empty_database(tmp_path: Path, shell: Callable[..., CommandResult]) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    pragmas = ("page_size = 8192", "journal_mode = WAL", f"application_id = {APPLICATION_ID}", f"user_version = {SCHEMA_VERSION}")
    execute_sql(folder, *(f"PRAGMA {pragma}" for pragma in pragmas))
    result = shell("doctor", "--db", folder)
    assert result.status == 1
    assert f"recorded as nothing and as {SCHEMA_VERSION} (user_version), and it has no tables" in result.out
    assert shell("doctor", "--fix", "--db", folder).status == 0
    with vecsearch.open(folder, model=ENCODER) as collection:
        collection.add(["a text"])
        assert collection.search("text")
    assert list_errors(look(folder)) == []


def test_where_the_encoder_is_missing_lost_vectors_stay_a_finding_that_names_it(db: Path) -> None:
    execute_sql(db, "DELETE FROM vectors WHERE chunk_id = 7")
    assert any("is not on this machine" in finding.what for finding in maintenance.check(db))
    report = maintenance.repair(db)
    (finding,) = list_errors(report.findings)
    assert ENCODER.name in finding.fix
    assert report.backup is None
    assert list(maintenance.repair(db, model=ENCODER).findings) == []


def test_a_half_made_database_beside_this_one_is_a_note(db: Path) -> None:
    (db.parent / ".db-new-abc").mkdir()
    assert any("an unfinished database" in finding.what for finding in look(db))
    maintenance.repair(db, model=ENCODER)
    assert (db.parent / ".db-new-abc").exists()


def randomize_pages(folder: Path) -> None:
    with (folder / DATABASE_FILE).open("rb+") as file:
        file.seek(8192 * 3)
        file.write(random.Random(0).randbytes(8192 * 4))


def erase_header(folder: Path) -> None:
    with (folder / DATABASE_FILE).open("rb+") as file:
        file.write(random.Random(0).randbytes(100))


@pytest.mark.parametrize("damage", [randomize_pages, erase_header], ids=lambda damage: damage.__name__)
def test_a_damaged_sqlite_file_is_left_as_it_is(
    db: Path, shell: Callable[..., CommandResult], damage: Callable[[Path], None]
) -> None:
    execute_sql(db, "DELETE FROM metadata_index", "PRAGMA wal_checkpoint(TRUNCATE)")
    damage(db)
    before = {path: path.read_bytes() for path in db.rglob("*") if path.is_file() and path.stem.startswith(("vecsearch", "1-"))}
    result = shell("doctor", "--fix", "--db", db, "--json")
    assert result.status == 1
    report = json.loads(result.out)
    assert (report["ok"], report["repaired"], report["backup"]) == (False, [], None)
    assert any("restore a backup" in finding["fix"] for finding in report["findings"])
    assert {path: path.read_bytes() for path in before if path.suffix != ".db-shm"} == {
        path: data for path, data in before.items() if path.suffix != ".db-shm"
    }
    assert list(db.glob("backup-before-fix-*")) == []


# -- how it is told, and what comes between


def test_the_shell_says_what_was_mended_where_the_backup_is_and_what_is_left(
    notes: Path, shell: Callable[..., CommandResult]
) -> None:
    execute_sql(notes, "DELETE FROM vectors WHERE chunk_id = 1", "DELETE FROM metadata_index")
    assert shell("doctor").status == 1
    result = shell("doctor", "--fix")
    assert result.status == 0
    assert "repaired: default: 1 chunk without a whole vector: chunks encoded again" in result.out
    assert "backup-before-fix-" in result.out
    assert result.out.endswith("no problem found\n")
    assert json.loads(shell("doctor", "--fix", "--json").out) == {"ok": True, "findings": [], "repaired": [], "backup": None}
    assert [hit["id"] for hit in json.loads(shell("search", "hop over a fence", "-n", "1", "--json").out)["hits"]] == ["leap"]


def test_a_vector_that_is_encoded_again_is_the_same(notes: Path) -> None:
    before = fetch_value(notes, "SELECT vector FROM vectors WHERE chunk_id = 1")
    execute_sql(notes, "UPDATE vectors SET vector = zeroblob(768) WHERE chunk_id = 1")
    assert list(maintenance.repair(notes).findings) == []
    after = fetch_value(notes, "SELECT vector FROM vectors WHERE chunk_id = 1")
    rows = [np.frombuffer(vector, np.float16).astype(np.float32) for vector in (before, after)]  # type: ignore[call-overload]
    assert float(rows[0] @ rows[1]) > 0.9999


KILLED = """
import os, signal, sys
from pathlib import Path
from tests import maintenance
from tests.fakes import FakeEncoder
from vecsearch.core import atomic_files
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.integrity import repair_steps
at = sys.argv[2]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
home, name = {
    "words": (term_tables, "rebuild"), "vectors": (repair_steps, "replace_vectors"), "backup": (atomic_files, "sync")
}[at]
assert hasattr(home, name)
setattr(home, name, die)
maintenance.repair(Path(sys.argv[1]), model=FakeEncoder())
"""


@pytest.mark.parametrize("stage", ["backup", "words", "vectors"])
def test_a_run_that_is_killed_is_taken_up_by_the_next(db: Path, before: dict[str, object], stage: str) -> None:
    for name in ("other facts", "other words", "NaN", "a range that begins late"):
        MENDED[name].plant(db)
    process = subprocess.run([sys.executable, "-c", KILLED, db, stage], check=False, env={**os.environ, "PYTHONPATH": "."})
    assert process.returncode == -signal.SIGKILL
    report = maintenance.repair(db, model=ENCODER)
    assert (report.findings, look(db)) == ((), [])
    assert collect_answers(db) == before


HOLD = """
import sys
from pathlib import Path
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
with DatabaseFolder(Path(sys.argv[1])).hold_write_lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(db: Path) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", HOLD, db], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"held\n"
        yield child.pid
        child.kill()


def test_nothing_is_mended_while_another_process_writes(db: Path, writer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from vecsearch.stores.sqlite.engine import database_folder

    execute_sql(db, "DELETE FROM metadata_index")
    patient = database_folder.DatabaseFolder.__init__
    monkeypatch.setattr(
        database_folder.DatabaseFolder,
        "__init__",
        lambda self, folder, **options: patient(self, folder, **options | {"timeout": 0.2}),
    )
    with pytest.raises(vecsearch.DatabaseLockedError, match=f"process {writer}"):
        maintenance.repair(db, model=ENCODER)
    assert list_errors(look(db))


def test_a_reader_that_is_open_sees_what_was_mended(db: Path, before: dict[str, object]) -> None:
    row = ENCODER.encode_queries(["harbour add_checksum"])[0]
    late = fetch_value(db, f"SELECT {CHUNK_OF.format('late1')}")
    assert isinstance(late, int)
    set_vector(db, late, (4 * row).astype(np.float16).tobytes())  # it is in no index file yet
    with vecsearch.open(db, model=ENCODER, readonly=True) as reader:
        assert reader.search(row, limit=1)[0].id == "late1"
        maintenance.repair(db, model=ENCODER)
        assert sorted(map(describe_hit, reader.search(row, limit=500))) in [sorted(hits) for hits in before["dense"]]  # type: ignore[attr-defined]
