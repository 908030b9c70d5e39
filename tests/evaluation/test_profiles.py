"""`vecsearch eval --profiles`: likes of a later time are looked for by those of before."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.conftest import CommandResult
from tests.fakes import FakeEncoder
from vecsearch.evaluation import Measure, evaluate_profiles, read_profiles

Shell = Callable[..., CommandResult]
IDS = [f"{topic}{n}" for topic in "abc" for n in range(10)]


@pytest.fixture
def films(tmp_path: Path) -> vecsearch.Collection:
    rows = np.repeat(np.eye(3, 8) * 3, 10, axis=0) + np.random.default_rng(4).normal(size=(30, 8)) * 0.4
    collection = vecsearch.open(tmp_path / "films.vec", model=FakeEncoder(dimension=8))
    collection.add(IDS, ids=IDS, vectors=rows, metadatas=[{"seen": n} for n in range(30)])
    return collection


def write_lines(file: Path, lines: list[tuple[str, str, float, Any]]) -> Path:
    keys = ("profile", "id", "weight", "at")
    file.write_text("".join(json.dumps(dict(zip(keys, line, strict=True))) + "\n" for line in lines))
    return file


def test_what_is_liked_later_is_looked_for(films: vecsearch.Collection, tmp_path: Path, shell: Shell) -> None:
    ann = [("ann", id, weight, at) for at, (id, weight) in enumerate([("a0", 1), ("a1", 0.5), ("a2", 0), ("c0", -1), ("a3", 1)])]
    bob = [("bob", f"b{n}", 1, f"2026-01-{n + 1:02}") for n in range(9, -1, -1)]  # in any order; the newest are b8 and b9
    gone = [("none", id, 1, at) for at, id in enumerate(("x", "y", "z", "w", "a1"))]
    file = write_lines(tmp_path / "profiles.jsonl", [*ann, *bob, *gone])
    run = evaluate_profiles(films, read_profiles(file))
    assert list(run.values) == ["ann", "bob"] and run.documents == 30
    known = vecsearch.Profile("ann", tuple(one for one in read_profiles(file)[0].preferences if one.id != "a3"))
    found = [hit.id for hit in films.recommend(profile=known, limit=100)]
    assert not {"a0", "a1", "a2", "c0"} & set(found)
    assert run.values["ann"][Measure.MRR] == pytest.approx(1 / (found.index("a3") + 1))
    found = [hit.id for hit in films.recommend([f"b{n}" for n in range(8)], limit=100)]
    gain = sum(1 / log2(found.index(id) + 2) for id in ("b8", "b9"))
    assert run.values["bob"][Measure.NDCG] == pytest.approx(gain / (1 + 1 / log2(3)))
    arguments = ("eval", "--profiles", file, "--db", tmp_path / "films.vec")
    shown = json.loads(shell(*arguments, "--json").out)
    assert (shown["profiles"], shown["left_out"], shown["ndcg@10"]) == (2, 1, round(run.mean(Measure.NDCG), 6))
    assert "2 profiles, 1 left out" in shell(*arguments).out
    boosted = json.loads(shell(*arguments, "--boost", "seen", "--half-life", 9, "--json").out)
    expected = evaluate_profiles(films, read_profiles(file), half_life=9, boost="seen")
    assert boosted["map"] == round(expected.mean(Measure.MAP), 6) != shown["map"]
    assert shell(*arguments, "--fail-under", "1").status == 1 and shell(*arguments, "--fail-under", "map=0.01").status == 0


def test_saved_profiles_are_measured_as_they_are_exported(films: vecsearch.Collection, tmp_path: Path, shell: Shell) -> None:
    films.like("ann", ["a0", "a1", "a2", "a3", "a4"])
    (tmp_path / "ann.jsonl").write_text(shell("profile", "export", "ann", "--db", tmp_path / "films.vec").out)
    assert read_profiles(tmp_path / "ann.jsonl")[0].likes == films.get_profile("ann").likes
    assert shell("eval", "--profiles", tmp_path / "ann.jsonl", "--db", tmp_path / "films.vec").status == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"profile": "ann", "id": "a0", "weight": 2, "at": 0}', "line 2: expected an object such as"),
        ('{"profile": "ann", "id": "a0", "weight": 1, "at": "yesterday"}', "line 2: expected"),
        ('{"profile": "ann", "id": 3, "weight": 1, "at": 0}', "line 2: expected"),
        ("no JSON", "line 2: expected"),
    ],
)  # fmt: skip
def test_bad_lines_are_told(tmp_path: Path, line: str, message: str) -> None:
    write_lines(tmp_path / "bad.jsonl", [("ann", "a1", 1, 0)])
    with (tmp_path / "bad.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(vecsearch.InputError, match=message):
        read_profiles(tmp_path / "bad.jsonl")


def test_nothing_to_measure_is_told(films: vecsearch.Collection, tmp_path: Path, shell: Shell) -> None:
    file = write_lines(tmp_path / "few.jsonl", [("ann", "a1", 1, 0)])
    with pytest.raises(vecsearch.InputError, match="no profile likes documents of the collection both"):
        evaluate_profiles(films, read_profiles(file))
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(vecsearch.InputError, match="holds no preference"):
        read_profiles(tmp_path / "empty.jsonl")
    assert shell("eval", "--boost", "seen").status == 2 and shell("eval", "folder", "--profiles", file).status == 2
