"""Saved profiles: likes and dislikes are kept with their collection, recommend, raise what a search finds, and can be deleted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.errors import InputError
from vecsearch.core.preferences import Preference, Profile
from vecsearch.core.settings import DATABASE_FILE

TOPICS = np.eye(4, 8) * 3
ROWS = np.random.default_rng(2).normal(size=(80, 8)) * 0.6 + TOPICS[np.arange(80) % 4]
IDS = [f"{'abcd'[n % 4]}{n // 4:02}" for n in range(80)]


def open_films(folder: Path) -> vecsearch.Collection:
    return vecsearch.open(folder / "films.vec", model=FakeEncoder(dimension=8))


@pytest.fixture
def films(tmp_path: Path) -> Iterator[vecsearch.Collection]:
    """80 documents on four topics, which their ids begin with."""
    with open_films(tmp_path) as collection:
        metadatas = [{"seen": n * n, "odd": bool(n % 2)} for n in range(80)]
        collection.add([f"film {id}" for id in IDS], ids=IDS, vectors=ROWS, metadatas=metadatas)
        yield collection


def list_ids(hits: vecsearch.Hits) -> list[str]:
    return [hit.id for hit in hits]


def test_what_is_liked_is_kept_and_recommends(films: vecsearch.Collection, tmp_path: Path) -> None:
    assert films.list_profiles() == []
    films.like("ann", ["a00", "a01"])
    saved = films.like("ann", "b00", weight=0.5)
    assert sorted(films.unlike("ann", ["b00", "c00"]).dislikes) == ["b00", "c00"]  # the newest word on it counts
    assert sorted(saved.likes) == ["a00", "a01", "b00"]
    with open_films(tmp_path) as again:
        assert again.get_profile("ann") == films.get_profile("ann")
        (summary,) = again.list_profiles()
        assert (summary.name, summary.likes, summary.dislikes) == ("ann", 2, 2)
        hits = again.recommend(profile="ann", limit=18)
        assert {id[0] for id in list_ids(hits)} == {"a"} and not {"a00", "a01"} & set(list_ids(hits))
    expected = films.recommend(["a00", "a01"], ["b00", "c00"], limit=18)
    assert list_ids(hits) == list_ids(expected)
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-6)
    assert list_ids(films.recommend(["d00"], profile="ann", limit=76)) == list_ids(
        films.recommend(["d00", "a00", "a01"], ["b00", "c00"], limit=76)
    )
    assert films.recommend(profile=films.get_profile("ann"), limit=18) == hits


def test_weights_and_ages_count(films: vecsearch.Collection) -> None:
    def find_topics(weights: tuple[float, float], ages: tuple[str, str], half_life: float | None = None) -> list[str]:
        preferences = tuple(
            Preference(id, weight, f"2026-{age}T00:00:00+00:00")
            for id, weight, age in zip(("a00", "b00"), weights, ages, strict=True)
        )
        profile = Profile("unsaved", preferences)
        return [id[0] for id in list_ids(films.recommend(profile=profile, limit=15, half_life=half_life))]

    same_day, ages = ("01-01", "01-01"), ("01-01", "03-01")
    assert find_topics((1.0, 0.1), same_day).count("a") > 12 and find_topics((0.1, 1.0), same_day).count("b") > 12
    assert find_topics((1.0, 1.0), ages) == find_topics((1.0, 1.0), same_day)
    assert find_topics((1.0, 1.0), ages, half_life=5).count("b") > 12 and find_topics((1.0, 1.0), ages, 1e6).count("a") > 3
    seen = Profile("unsaved", (Preference("a00", 1.0, "2026-01-01"), Preference("a01", 0.0, "2026-01-01")))
    assert list_ids(films.recommend(profile=seen, limit=99)).count("a01") == 0  # seen, and neither liked nor not


def test_a_profile_raises_what_a_search_finds(films: vecsearch.Collection) -> None:
    query = TOPICS[0] + TOPICS[1]
    films.like("ann", ["b05", "b06", "b07"])
    plain, personal = films.search(query, limit=30), films.search(query, limit=30, profile="ann")
    assert set(list_ids(plain)) == set(list_ids(films.search(query, limit=30)))
    assert [id[0] for id in list_ids(personal)[:10]].count("b") > [id[0] for id in list_ids(plain)[:10]].count("b")
    for hit in personal:
        assert hit.similarity is not None and abs(hit.score - hit.similarity) <= 0.2 * abs(hit.similarity) + 1e-6
    assert [hit.score for hit in personal] == sorted((hit.score for hit in personal), reverse=True)
    words = films.search("film a03", mode="lexical", profile="ann")
    assert set(list_ids(words)) and words[0].similarity is None
    films.unlike("hater", ["b05", "b06", "b07"])
    hated = list_ids(films.search(query, limit=10, profile="hater"))
    assert [id[0] for id in hated].count("b") < [id[0] for id in list_ids(plain)[:10]].count("b")


def test_a_boost_prefers_high_numbers(films: vecsearch.Collection) -> None:
    boosted = films.recommend(["a00"], boost="seen", limit=79)
    plain = {hit.id: hit.score for hit in films.recommend(["a00"], limit=79)}
    for hit in boosted:
        n = IDS.index(hit.id)
        assert hit.score == pytest.approx(plain[hit.id] + n / 79, abs=1e-6)
    assert [hit.metadata["odd"] for hit in films.recommend(["a00"], boost="seen", where={"odd": True}, limit=5)] == [True] * 5
    with pytest.raises(vecsearch.InputError, match="no document has a number at 'missing'"):
        films.recommend(["a00"], boost="missing")


def test_deleted_documents_do_not_count_until_they_are_back(films: vecsearch.Collection) -> None:
    films.like("ann", ["a00", "b00"])
    both = films.recommend(profile="ann", limit=78)
    films.delete(["a00"])
    assert sorted(films.get_profile("ann").likes) == ["a00", "b00"]
    assert list_ids(films.recommend(profile="ann", limit=10)) == list_ids(films.recommend(["b00"], limit=10))
    films.add(["film a00"], ids=["a00"], vectors=ROWS[:1])
    assert set(list_ids(films.recommend(profile="ann", limit=78))) == set(list_ids(both))
    films.delete(["a00", "b00"])
    with pytest.raises(vecsearch.InputError, match="2 documents that 'ann' likes none is in the collection"):
        films.recommend(profile="ann")
    assert films.forget_preferences("ann", ["a00", "nothing"]) == 1  # also of what is gone


def test_a_profile_goes_with_its_collection(films: vecsearch.Collection, tmp_path: Path) -> None:
    films.like("ann", ["a00"])
    films.close()
    with vecsearch.connect(tmp_path / "films.vec") as database:
        database.backup(tmp_path / "films.backup")
        database.rename_collection("default", "films")
        assert database.collection("films").get_profile("ann").likes == ["a00"]
        database.create_collection("default", model=FakeEncoder(dimension=8))
        assert database.collection("default").list_profiles() == []
        database.delete_collection("films")
        assert [finding.severity for finding in database.check()] == ["note"]  # that the model is not on this machine
    with closing(sqlite3.connect(tmp_path / "films.vec" / DATABASE_FILE)) as connection:
        assert connection.execute("SELECT count(*) FROM preferences").fetchone() == (0,)
    vecsearch.restore(tmp_path / "films.backup", tmp_path / "restored.vec")
    with vecsearch.open(tmp_path / "restored.vec", model=FakeEncoder(dimension=8)) as restored:
        assert restored.get_profile("ann").likes == ["a00"]


def test_new_vectors_keep_profiles(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder(dimension=8)) as notes:
        notes.add(["river", "bank", "bats"], ids=["r", "b", "t"])
        notes.like("ann", ["r"])
        notes.reembed(FakeEncoder(dimension=12, salt=3))
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder(dimension=12, salt=3)) as notes:
        assert notes.get_profile("ann").likes == ["r"] and len(notes.recommend(profile="ann")) == 2


def test_what_is_saved_of_somebody_is_deleted(films: vecsearch.Collection, tmp_path: Path) -> None:
    films.like("somebody-of-a-rare-name", ["a00", "a01"])
    films.like("bob", ["a00"])
    assert films.delete_profile("somebody-of-a-rare-name") == 2 and films.delete_profile("somebody-of-a-rare-name") == 0
    assert [summary.name for summary in films.list_profiles()] == ["bob"]
    films.optimize(full=True)
    films.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "films.vec").iterdir() if path.is_file())
    assert b"somebody-of-a-rare-name" not in stored


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda films: films.like("ann", ["nothing"]), "no document with id 'nothing'"),
        (lambda films: films.like("", ["a00"]), "a profile's name is a line"),
        (lambda films: films.like("ann\n", ["a00"]), "a profile's name is a line"),
        (lambda films: films.like("ann", ["a00"], weight=0), "weight must be a number above 0"),
        (lambda films: films.unlike("ann", ["a00"], weight=2), "weight must be a number above 0"),
        (lambda films: films.get_profile("nobody"), "nothing is saved of 'nobody'.* there is no profile"),
        (lambda films: films.recommend(profile="nobody"), "vecsearch profile like nobody ID"),
        (lambda films: films.search("film", profile="nobody"), "nothing is saved of 'nobody'"),
        (lambda films: films.search("film", profile=3), "a profile's name is a line"),
        (lambda films: films.search("film", half_life=3), "give a profile too"),
        (lambda films: films.recommend(profile="ann", half_life=-1), "half_life must be a number of days above 0"),
        (lambda films: films.recommend(), "at least one"),
    ],
)  # fmt: skip
def test_bad_input_is_told(films: vecsearch.Collection, ask: Any, message: str) -> None:
    with pytest.raises(vecsearch.InputError, match=message):
        ask(films)


def test_the_shell_saves_shows_and_uses_profiles(films: vecsearch.Collection, tmp_path: Path, shell: Any) -> None:
    database = ("--db", str(tmp_path / "films.vec"))
    assert "no profile is saved yet" in shell("profile", *database).out
    assert "ann: 2 liked, 0 not" in shell("profile", "like", "ann", "a00", "a01", *database).out
    assert "ann: 2 liked, 1 not" in shell("profile", "unlike", "ann", "b00", "--weight", "0.5", *database).out
    assert "ann  (2 liked, 1 not, 20" in shell("profile", "list", *database).out
    shown = shell("profile", "show", "ann", *database).out
    assert "+ a00  20" in shown and "- 0.5 b00  20" in shown
    hits = json.loads(shell("recommend", "--for", "ann", "--json", "-n", "5", *database).out)["hits"]
    assert [hit["id"] for hit in hits] == list_ids(films.recommend(profile="ann", limit=5))
    hits = json.loads(shell("recommend", "--for", "ann", "--boost", "seen", "--half-life", "30", "--json", *database).out)["hits"]
    assert [hit["id"] for hit in hits] == list_ids(films.recommend(profile="ann", boost="seen", half_life=30))
    hits = json.loads(shell("search", "film a03", "--mode", "lexical", "--for", "ann", "--json", *database).out)["hits"]
    assert [hit["id"] for hit in hits] == list_ids(films.search("film a03", mode="lexical", profile="ann"))
    films.delete(["a01"])
    assert (
        "a01" in shell("profile", "show", "ann", *database).out
        and "(not there)" in shell("profile", "show", "ann", *database).out
    )
    assert json.loads(shell("profile", "show", "ann", "--json", *database).out)["preferences"][0].keys() == {
        "id", "weight", "at", "there"
    }  # fmt: skip
    assert "forgot what ann says of 1 document" in shell("profile", "forget", "ann", "a01", *database).out
    lines = [json.loads(line) for line in shell("profile", "export", *database).out.splitlines()]
    assert sorted((line["profile"], line["id"], line["weight"]) for line in lines) == [("ann", "a00", 1.0), ("ann", "b00", -0.5)]
    assert shell("profile", "delete", "ann", "--yes", *database).status == 0
    assert shell("profile", "show", "ann", *database).status == 1
    assert shell("recommend", *database).status == 2


def test_a_profile_of_a_changed_collection_is_read_again(films: vecsearch.Collection) -> None:
    films.like("ann", ["a00"])
    before = list_ids(films.recommend(profile="ann", limit=5))
    films.update("a00", metadata={"x": 1})
    assert list_ids(films.recommend(profile="ann", limit=5)) == before
    films.upsert(["film a00"], ids=["a00"], vectors=ROWS[3:4])  # another topic from now on
    assert {id[0] for id in list_ids(films.recommend(profile="ann", limit=5))} == {"d"}
    saved = films.get_profile("ann")
    older = replace(saved, preferences=(saved.preferences[0]._replace(id="b00"),))
    assert {id[0] for id in list_ids(films.recommend(profile=older, limit=5))} == {"b"}


def test_each_change_of_a_profile_is_seen_by_whoever_asked_before(films: vecsearch.Collection, tmp_path: Path) -> None:
    with open_films(tmp_path) as reader:
        for change, likes, dislikes in (
            (lambda: films.like("ann", ["a00"]), {"a00": 1.0}, {}),
            (lambda: films.like("ann", ["a00"], weight=0.1 + 0.2), {"a00": 0.1 + 0.2}, {}),
            (lambda: films.like("ann", ["a00"], weight=0.3), {"a00": 0.3}, {}),  # the next float below
            (lambda: films.like("bob", ["b00"]), {"a00": 0.3}, {}),
            (lambda: films.unlike("ann", ["c00"]), {"a00": 0.3}, {"c00": 1.0}),
            (lambda: films.forget_preferences("ann", ["a00"]), {}, {"c00": 1.0}),
            (lambda: films.like("ann", ["c00"]), {"c00": 1.0}, {}),
        ):
            change()
            for collection in (films, reader):
                saved = collection.get_profile("ann")
                given = {one.id: one.weight for one in saved.preferences}
                assert given == {**likes, **{key: -weight for key, weight in dislikes.items()}}
                if likes:
                    assert collection.recommend(profile="ann", limit=3) == films.recommend(profile=saved, limit=3)
        films.delete_profile("ann")
        for collection in (films, reader):
            with pytest.raises(InputError, match="nothing is saved of 'ann'"):
                collection.recommend(profile="ann")
