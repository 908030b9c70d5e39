"""Which files are read row by row: what was said, what a root keeps, what is guessed, in every combination."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

import vecsearch
from tests.fakes import RecordingEncoder
from vecsearch.core.roots import Root, RootOptions
from vecsearch.core.row_options import RowOptions
from vecsearch.core.types import Split
from vecsearch.indexing.root_plan import LIST_SUFFIXES, GivenOptions, RootPlan

ROWS = RowOptions(id="sku")
GUESS = RowOptions(guess=True)
GOODS = """sku,name,description
1,Tent,a warm tent for cold nights
2,Rope,a long rope for the mountains
3,Lamp,a lamp for dark nights
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "list").mkdir()
    (tmp_path / "list/goods.csv").write_text(GOODS)
    (tmp_path / "list/readme.md").write_text("# Goods\n\nWhat the shop sells.\n")
    return tmp_path / "list"


@pytest.mark.parametrize("guesses", [False, True])
@pytest.mark.parametrize("given", [None, False, ROWS], ids=["nothing said", "no rows", "rows"])
@pytest.mark.parametrize("kept", ["no root", "no rows", "rows", "in a root without", "in a root with"])
def test_rows_are_what_was_said_else_what_the_root_keeps_else_guessed(
    folder: Path, guesses: bool, given: RowOptions | Literal[False] | None, kept: str
) -> None:
    file = folder / "goods.csv"
    place = folder if kept.startswith("in") else file
    before = RowOptions(text=("name",)) if kept in ("rows", "in a root with") else None
    stored = [] if kept == "no root" else [Root(place.as_posix(), RootOptions(rows=before), "2024-01-01T00:00:00+00:00")]
    plan = RootPlan.make(stored, [file], GivenOptions(rows=given, guesses_rows=guesses))
    is_own_root = kept in ("no rows", "rows")
    silent = before or (GUESS if guesses and not is_own_root else None)
    expected = silent if given is None else given or None
    assert plan.get_options(file).rows == expected
    assert bool(plan.reread) == (bool(stored) and given is not None and expected != before)


@pytest.mark.parametrize("suffix", sorted(LIST_SUFFIXES | {".md", ".pdf", ".py", ".CSV"}))
def test_only_files_that_may_be_lists_are_guessed(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"words{suffix}"
    file.write_text("bound\njump\nleap\n")
    plan = RootPlan.make([], [file, tmp_path], GivenOptions(guesses_rows=True))
    assert plan.get_options(file).rows == (GUESS if suffix.lower() in LIST_SUFFIXES else None)
    assert plan.get_options(tmp_path / "other.csv").rows is None  # met in the folder


def test_rows_of_a_folder_are_those_of_every_list_in_it_and_its_prose_stays_whole(folder: Path, tmp_path: Path) -> None:
    encoder = RecordingEncoder()
    with vecsearch.open(tmp_path / "db", model=encoder) as goods:
        assert goods.index(folder).added == 2  # a table met in a walk is one document
        report = goods.index(folder, rows=True)
        assert (report.added, report.removed, report.reread) == (3, 1, (folder.as_posix(),))
        assert sorted(goods) == ["list/goods.csv#1", "list/goods.csv#2", "list/goods.csv#3", "list/readme.md"]
        encoder.texts.clear()
        for paths in (None, folder, folder / "goods.csv"):  # kept by a refresh, whatever is named
            report = goods.index(paths)
            assert (report.unchanged, report.added, report.removed, report.reread) == (4, 0, 0, ()) or (
                paths == folder / "goods.csv" and (report.unchanged, report.added) == (3, 0)
            )
        assert encoder.texts == []
        report = goods.index(folder / "goods.csv", id="name")  # a root of its own from now on
        assert (report.added, report.removed, report.reread) == (3, 3, ((folder / "goods.csv").as_posix(),))
        assert sorted(goods) == ["Lamp", "Rope", "Tent", "list/readme.md"]
        assert goods.index(folder).unchanged == 4
        assert [root.options.rows and root.options.rows.id for root in goods.roots()] == [None, "name"]
        goods.forget_root(folder / "goods.csv")
        assert goods.index().added == 3  # as the folder has it


def test_equal_ids_of_two_lists_do_not_clash_where_they_were_guessed_and_do_where_named(folder: Path, tmp_path: Path) -> None:
    (folder / "more.csv").write_text(GOODS.replace("Tent", "Big tent"))
    with vecsearch.open(tmp_path / "db", model=RecordingEncoder()) as goods:
        assert goods.index(folder, rows=True).documents == 7
        with pytest.raises(vecsearch.InputError, match=r"2 files have a row with the id '1'; name one: list/goods\.csv#1"):
            goods.get("1")
        assert goods.get("list/more.csv#1")[0].title == "Big tent"
        report = goods.index(folder, id="sku")
        assert {Path(failure.source).name for failure in report.failed} == {"more.csv"}
        assert "'1'" in report.failed[0].error and "goods.csv" in report.failed[0].error
        assert sorted(goods)[:3] == ["1", "2", "3"] and "list/more.csv#1" in goods  # which keeps what it gave before


def test_the_shell_keeps_a_guess_and_says_what_a_change_reads_again(folder: Path, shell: Any) -> None:
    assert "id=sku, text=description, title=name" in shell("index", "list/goods.csv").err
    for again in (("index",), ("index", "list/goods.csv")):
        report = json.loads(shell(*again, "--json").out)
        assert (report["unchanged"], report["added"], report["removed"]) == (3, 0, 0)
    changed = shell("index", "list/goods.csv", "--id", "name")
    assert "3 added, 0 updated, 0 unchanged, 3 removed" in changed.out and "its files are read again" in changed.err
    assert shell("get", "Tent").status == 0
    whole = shell("index", "list/goods.csv", "--no-rows")
    assert "1 added" in whole.out and "its files are read again" in whole.err
    assert json.loads(shell("index", "list/goods.csv", "--json").out)["unchanged"] == 1  # not guessed again
    assert shell("index", "list/goods.csv", "--split", "lines").status == 0
    assert json.loads(shell("roots", "--json").out)["roots"][0]["split"] == Split.LINES
    missing = shell("index", "list/goods.csv", "--id", "nope")
    assert missing.status == 1 and "no column 'nope' in it; its columns: sku, name, description" in missing.err


def test_a_list_stays_a_list_whatever_its_rows_become(tmp_path: Path) -> None:
    rows = [f"S{n},Thing {n},a thing of some use in house {n},{n}" for n in range(20)]
    table, header = tmp_path / "goods.csv", "sku,name,description,price"

    def write(*changed: str) -> None:
        table.write_text("\n".join([header, *changed]) + "\n")

    write(*rows)
    with vecsearch.open(tmp_path / "db") as collection:
        collection.index([table], rows=GUESS)
        (root,) = collection.roots()
        assert root.options.rows == RowOptions("sku", ("description",), "name", qualified=True)
        write(*rows, ",New,a row without a number of its own,7", "S3,Again,a row with the number of another,8")
        report = collection.index()
        assert (report.added, report.removed, report.unchanged) == (2, 0, 20)
        write(*(row.replace(f"S{n}", "") if n % 2 else row for n, row in enumerate(rows)))  # half of them have none any more
        assert collection.index([table], rows=RowOptions()).removed == 12
        assert len(collection) == 20 and f"{table.name}#S4" in {key.rpartition("/")[2] for key in collection}
        assert collection.roots() == [replace(root, indexed_at=collection.roots()[0].indexed_at)]
        collection.index([table], rows=False)
        assert len(collection) == 1


@pytest.mark.parametrize("odd", [",Odd,a thing that has no number,7", "S3,Odd,a thing with the number of another,8"])
@pytest.mark.parametrize("count", [4, 40])
def test_one_odd_row_does_not_keep_a_table_from_being_a_list(tmp_path: Path, odd: str, count: int) -> None:
    rows = [f"S{n},Thing {n},a thing of some use in house {n},{n}" for n in range(count)]
    (tmp_path / "goods.csv").write_text("\n".join(["sku,name,description,price", *rows[:2], odd, *rows[2:]]) + "\n")
    with vecsearch.open(tmp_path / "db") as collection:
        assert collection.index([tmp_path / "goods.csv"], rows=GUESS).added == count + 1
        assert sum(key.endswith(tuple(f"#S{n}" for n in range(count))) for key in collection) == count
