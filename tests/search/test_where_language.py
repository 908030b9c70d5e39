"""What `where` takes besides plain metadata: reserved keys, every key and value that can be stored, and what it refuses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core import patterns
from vecsearch.search import where_parser

TEXTS = {
    "guide": "Bats hunt at Dusk.\nThey eat moths.",
    "note": "A note: bats sleep by day, Straße",
    "other": "nothing of the kind",
}


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[vecsearch.Collection]:
    with vecsearch.open(tmp_path / "notes.vec", model=FakeEncoder()) as collection:
        yield collection


@pytest.fixture
def filed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[vecsearch.Collection]:
    """A collection of three texts from code, and of four files in folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs/sub").mkdir(parents=True)
    (tmp_path / "docs2").mkdir()
    (tmp_path / "docs/a.MD").write_text("---\nlang: en-US\nupdated: 2024-05-01\n---\n# Bats\n\nof the cave")
    (tmp_path / "docs/sub/b.html").write_text("<html lang='de'><title>Höhlen</title><p>Fledermäuse")
    (tmp_path / "docs/sub/Makefile").write_text("all: bats")
    (tmp_path / "docs2/c.txt").write_text("more bats")
    with vecsearch.open(tmp_path / "notes.vec", model=FakeEncoder()) as collection:
        collection.index([tmp_path / "docs", tmp_path / "docs2"])
        metadatas: list[dict[str, Any]] = [
            {"$id": "own", "language": "English"},
            {"$$id": 1, "modified": "2024-05-01T12:00:00Z"},
            {},
        ]
        collection.add(list(TEXTS.values()), ids=list(TEXTS), titles=["The Guide", None, None], metadatas=metadatas)
        yield collection


def find(collection: vecsearch.Collection, where: Any) -> set[str]:
    """Return the documents that a filter holds for, after asking in every way that takes one."""
    ids = {document.id for document in collection.get(where=where)}
    for mode in ("hybrid", "dense", "lexical"):
        hits = collection.search("bats", where=where, limit=100, mode=mode)
        assert {hit.id for hit in hits} == ids or (mode == "lexical" and {hit.id for hit in hits} <= ids)
    assert collection.count(where) == len(ids)
    assert set(collection.delete(where=where, dry_run=True)) == ids
    return ids


A, B, MAKE, C = "docs/a.MD", "docs/sub/b.html", "docs/sub/Makefile", "docs2/c.txt"
EVERYTHING = {A, B, MAKE, C, *TEXTS}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"$id": "note"}, {"note"}), ({"$id": {"$in": ["note", A, "gone"]}}, {"note", A}),
        ({"$id": {"$ne": "note"}}, EVERYTHING - {"note"}),
        ({"$id": {"$nin": {"note", "guide"}}}, EVERYTHING - {"note", "guide"}), ({"$id": {"$gt": C}}, set(TEXTS)),
        ({"$id": {"$regex": "^docs/.*[.]"}}, {A, B}), ({"$$id": "own"}, {"guide"}), ({"$$$id": 1}, {"note"}),
        ({"$id": "own"}, set()),
        ({"$text": "bats"}, {"note", MAKE, C}), ({"$text": {"$contains": "Dusk.\nThey"}}, {"guide"}),
        ({"$text": {"$icontains": "BATS"}}, {A, "guide", "note", MAKE, C}), ({"$text": {"$icontains": "strasse"}}, {"note"}),
        ({"$text": {"$not_contains": "a"}}, {B, "other"}),
        ({"$text": {"$not_icontains": "BATS"}}, {B, "other"}), ({"$text": {"$regex": r"(?i)\bmoths?\b"}}, {"guide"}),
        ({"$text": {"$not_regex": r"[a-z]ts|\bof\b"}}, {B}),
        ({"$text": {"$not": {"$icontains": "bats"}}}, {B, "other"}),
        ({"$title": "The Guide"}, {"guide"}), ({"$title": {"$contains": "e G"}}, {"guide"}),
        ({"$title": {"$exists": False}}, {MAKE, C, "note", "other"}),
        ({"$source": "docs"}, {A, B, MAKE}), ({"$source": "docs/sub/"}, {B, MAKE}), ({"$source": Path("docs/a.MD")}, {A}),
        ({"$source": {"$in": ["docs2", "docs/a.MD"]}}, {A, C}), ({"$source": {"$ne": "docs"}}, {C, *TEXTS}),
        ({"$source": "doc"}, set()),
        ({"$source": "/"}, {A, B, MAKE, C}), ({"$source": {"$exists": False}}, set(TEXTS)),
        ({"$source": {"$contains": "/sub/"}}, {B, MAKE}),
        ({"$type": "md"}, {A}), ({"$type": ".MD"}, {A}), ({"$type": {"$in": ["html", "txt"]}}, {B, C}),
        ({"$type": {"$exists": True}}, {A, B, C}),
        ({"$language": "en"}, {A}), ({"$language": {"$in": ["DE", "fr"]}}, {B}),
        ({"$language": {"$exists": False}}, EVERYTHING - {A, B}),
        ({"$modified": {"$gte": date(2024, 5, 1)}}, {A, "note"}), ({"$modified": {"$gt": datetime(2024, 5, 1, 11)}}, {"note"}),
        ({"$and": [{"$source": "docs"}, {"$not": {"$type": "md"}}, {"$text": {"$icontains": "bats"}}]}, {MAKE}),
        ({"$or": [{"$id": "note"}, {"$type": "html"}, {"language": "English"}]}, {"note", B, "guide"}),
        ({"language": "English", "$text": {"$regex": "moth"}, "$id": {"$in": ["guide", "note"]}}, {"guide"}),
        ({"$not": {"$or": [{"$source": "docs"}, {"$text": "bats"}]}}, {"guide", "other"}),
    ],
)  # fmt: skip
def test_a_reserved_key_finds(filed: vecsearch.Collection, where: Any, expected: set[str]) -> None:
    assert find(filed, where) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["$id=note"], {"note"}), (["$type=md"], {A}), (["$source=docs/sub"], {B, MAKE}), (["$text=Dusk"], {"guide"}),
        (["$text!=bats", "$id>guide"], {"other"}), (["$$id=own"], {"guide"}), (['"$$id"=own'], {"guide"}),
        (["$language=de"], {B}),
        (['{"$text": {"$regex": "moths?[.]$"}}'], {"guide"}), (["$modified>=2024-05-01T11:00:00"], {"note"}),
        (['$title="The Guide"'], {"guide"}), (["$title=The Guide"], {"guide"}),
    ],
)  # fmt: skip
def test_reserved_keys_in_the_shell(filed: vecsearch.Collection, options: list[str], expected: set[str], shell: Any) -> None:
    wheres = [argument for option in options for argument in ("--where", option)]
    result = shell("search", "bats", "--db", "notes.vec", "--mode", "lexical", "--json", *wheres)
    found = {hit["id"] for hit in json.loads(result.out)["hits"]}
    assert found <= expected
    result = shell("delete", "--db", "notes.vec", "--json", "--dry-run", *wheres)
    assert set(json.loads(result.out)["deleted"]) == expected


def test_a_delete_by_reserved_keys_deletes_no_others(filed: vecsearch.Collection) -> None:
    assert filed.delete(where={"$id": {"$in": ["note", "gone"]}}) == ["note"]
    assert set(filed.delete(where={"$text": {"$icontains": "BATS"}, "$source": "docs"})) == {A, MAKE}
    assert set(filed) == EVERYTHING - {"note", A, MAKE}


def test_a_number_as_an_id_in_the_shell_is_text(notes: vecsearch.Collection, shell: Any) -> None:
    notes.add(["one", "two"], ids=["5", "null"])
    result = shell("delete", "--db", notes.path, "--json", "--dry-run", "--where", "$id=5")
    assert json.loads(result.out)["deleted"] == ["5"]
    result = shell("delete", "--db", notes.path, "--json", "--dry-run", "--where", "$id=null")
    assert json.loads(result.out)["deleted"] == ["null"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"$text": {"$eq": "x"}}, r"\$text; expected one of \$contains"), ({"$source": {"$gt": "x"}}, r"on \$source"),
        ({"$id": 5}, r"\$id takes a text, got 5"), ({"$id": {"$in": [b"x"]}}, "bytes"),
        ({"$name": 1}, r"'\$\$name' for '\$name'"),
        ({"$text": {"$regex": "(a"}}, "no regular expression"), ({"k": {"$regex": 3}}, r"\$regex on 'k' takes a text"),
        ({"k": {"$regex": "a" * 1_001}}, "at most 1,000"), ({"k": {"$icontains": 1}}, "takes a text"),
        ({"$title": None}, "takes a text"),
        ({"$and": []}, r"\$and takes a list of at least one"), ({"$or": []}, r"\$or"), ({"$not": {}}, r"\$not"),
        ({"$id": {}}, "empty mapping"),
        ({"k": Decimal("1.5")}, "Decimal"), ({"k": b"x"}, "bytes"), ({"k": {1}}, "a set, which has no order"),
        ({"k": {"$in": "abc"}}, "take a list"), ({"k": {"$in": 3}}, "take a list"), ({"k": {"$in": {"a": 1}}}, "take a list"),
        ({"k": {"$in": [Decimal(1)]}}, "Decimal"), ({"k": np.datetime64("NaT")}, "NaT"), ({"k": np.float64("nan")}, "got nan"),
        ({"k": {"$eq": {"a": float("inf")}}}, "JSON"), ({"k": {"$eq": {1: 2}}}, "string keys"),
        ({"k": np.longdouble(1)}, "longdouble"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(notes: vecsearch.Collection, where: Any, message: str) -> None:
    notes.add(["text"], ids=["a"])
    with pytest.raises(vecsearch.FilterError, match=message):
        notes.delete(where=where)
    assert notes.count() == 1


def test_a_list_of_values_without_end_is_refused(notes: vecsearch.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where_parser, "FILTER_VALUES_MAX", 100)
    with pytest.raises(vecsearch.FilterError, match="at most 100 values"):
        notes.count({"k": {"$in": itertools.count()}})


@pytest.mark.parametrize(
    "where", [{"$text": {"$regex": "^(a|aa)+$"}}, {"k": {"$regex": "^(a|aa)+$"}}, {"$not": {"k": {"$regex": "^(a|aa)+$"}}}]
)
def test_a_pattern_that_takes_too_long_is_an_error(
    notes: vecsearch.Collection, where: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "PATTERN_TEXT_SECONDS_MAX", 0.05)
    text = "a" * 2_000 + "!"
    notes.add([text, "b"], ids=["slow", "b"], metadatas=[{"k": text}, {}])
    for ask in (notes.count, lambda where: notes.search("a", where=where), lambda where: notes.delete(where=where)):
        with pytest.raises(vecsearch.FilterError, match=r"took more than 0\.05 s in a text"):
            ask(where)
    assert notes.count() == 2
    assert notes.count({"k": {"$exists": True}}) == 1  # the connection is as good as before


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:(?:(?:(?:(?:a){99}){99}){99}){99}){99}", "a{100001}", "(?:(?:(?:(?:a|b){99,}?){99,}+){99})",
        "(?:(?:a{999}[(]){999}[)])", "(?:(?:a{999}[]()]){999})", "(?V1)(?:(?:a{999}[[(]b]){999})",
        "(?x)(?:a{99 9}){99 # 9 }\n}", "(?x)(?: a{999} #(\n){999}",
        "(?:a{999}(?#\\)[){999}", "(?:x{9999999999999}|a)?",
    ],
)  # fmt: skip
def test_a_pattern_that_would_grow_without_bound_is_refused_unread(notes: vecsearch.Collection, pattern: str) -> None:
    with pytest.raises(vecsearch.FilterError, match="more than 100,000 steps together"):
        notes.count({"k": {"$not_regex": pattern}})


def test_patterns_of_one_filter_are_measured_together(notes: vecsearch.Collection) -> None:
    several = [{"k": {"$not_regex": "a{30000}"}}, {"k": {"$regex": "a{30000}"}}, {"$not": {"k": {"$regex": "b{30000}"}}}]
    assert notes.count({"$and": several}) == 0
    with pytest.raises(vecsearch.FilterError, match="steps together"):
        notes.count({"$and": [*several, {"$or": [{"$text": {"$regex": "a{30000}"}}]}]})


@pytest.mark.parametrize("pattern", ["(?R)?a", "(a)(?1)", "(a)(?-1)", "(?P<x>a)(?&x)", "(?x)(?P<x>a)(?P #\n>x)"])
def test_a_pattern_that_calls_itself_or_a_group_is_refused(notes: vecsearch.Collection, pattern: str) -> None:
    with pytest.raises(vecsearch.FilterError, match="calls itself or one of its groups"):
        notes.count({"k": {"$regex": pattern}})


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\(?1\)?-\d{3}$", "[(?R1)]{3}-", r"(?x) \( 1 \) -  # the code", "[[:digit:](]{2}",
        "(?P<one>1)(?#one)(?(one)[)]|2)-{1,99999999}", r"(?:[0-9(){8}]{1,12}-?){2}",
    ],
)  # fmt: skip
def test_patterns_of_the_usual_kinds_are_looked_for(notes: vecsearch.Collection, pattern: str) -> None:
    notes.add(["text"], ids=["a"], metadatas=[{"k": "(1)-234"}])
    assert notes.count({"k": {"$regex": pattern}}) == 1


def test_all_patterns_of_a_filter_share_their_time(notes: vecsearch.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    notes.add(["text"], ids=["a"], metadatas=[{"k": "v"}])
    monkeypatch.setattr(patterns, "monotonic", itertools.count(0, 6).__next__)  # a search takes six seconds
    assert notes.count({"k": {"$not_regex": "a"}}) == 1
    with pytest.raises(vecsearch.FilterError, match="all patterns of the filter more than 10 s together"):
        notes.count({"$and": [{"k": {"$not_regex": letter}} for letter in "abc"]})


# -- values


class Masked(str):
    """Another tenant's name that says it is the first one's."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'one'"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("one")


class Level(IntEnum):
    HIGH = 1


class Tenant(StrEnum):
    ONE = "one"


class Color(Enum):
    RED = "one"


LOOKALIKES: list[Any] = [
    True, 1, "1", 1.5, "True", False, 0, "0", None, "None", "null", [1], [True], ["1"], "[1]", 2**53, 2**53 + 1,
    2**64, 2**64 + 1, "",
    {"a": 1}, {"a": True}, {"a": [1]}, [{"a": 1}], [], {}, "one", "two",
]  # fmt: skip


def test_no_remembered_filter_answers_another(notes: vecsearch.Collection) -> None:
    """Asked of one snapshot's cache in every order, values that look or compare alike stay apart."""
    notes.add(["text"] * len(LOOKALIKES), ids=[str(n) for n in range(len(LOOKALIKES))], metadatas=[{"k": v} for v in LOOKALIKES])
    for pair in itertools.combinations(range(len(LOOKALIKES)), 2):
        for n in pair:
            assert [
                hit.id for hit in notes.search(np.eye(384)[0][: notes.dimension], where={"k": {"$eq": LOOKALIKES[n]}}, limit=5)
            ] == [str(n)]


def test_values_count_as_what_they_are(notes: vecsearch.Collection) -> None:
    notes.add(
        ["text"] * 3,
        ids=["one", "two", "three"],
        metadatas=[{"k": "one", "n": 1}, {"k": "two", "n": -0.0}, {"k": Masked("three")}],
    )
    cases: list[tuple[Any, set[str]]] = [
        ({"k": "one"}, {"one"}), ({"k": Masked("two")}, {"two"}), ({"k": Tenant.ONE}, {"one"}), ({"k": Color.RED}, {"one"}),
        ({"k": Masked("three")}, {"three"}), ({Masked("k"): "one"}, {"one"}), ({"k": {"$in": [Masked("two")]}}, {"two"}),
        ({"n": Level.HIGH}, {"one"}), ({"n": 1.0}, {"one"}), ({"n": np.int64(1)}, {"one"}), ({"n": np.float32(1)}, {"one"}),
        ({"n": True}, set()),
        ({"n": np.bool_(True)}, set()), ({"n": 0}, {"two"}), ({"n": -0.0}, {"two"}), ({"k": np.str_("one")}, {"one"}),
        ({"n": {"$in": range(2)}}, {"one", "two"}), ({"n": {"$in": {0, 1}}}, {"one", "two"}),
        ({"n": {"$in": np.arange(1)}}, {"two"}),
        ({"n": {"$nin": iter([0, 1])}}, {"three"}), ({"n": {"$in": (n for n in (1, 5))}}, {"one"}),
        ({"k": {"$in": {"one": 1}.keys()}}, {"one"}),
        ({"n": {"$in": frozenset()}}, set()), ({"n": {"$gte": np.uint8(1)}}, {"one"}), ({"n": {"$in": [True, "1"]}}, set()),
    ]  # fmt: skip
    for where, expected in cases:
        assert {hit.id for hit in notes.search(np.ones(notes.dimension), where=where)} == expected, where


def test_what_is_changed_after_the_call_changes_no_answer(notes: vecsearch.Collection) -> None:
    notes.add(["text"] * 2, ids=["a", "b"], metadatas=[{"k": [1, {"x": 1}]}, {"k": [2, {"x": 1}]}])
    value: list[Any] = [1, {"x": 1}]
    for first, expected in ((1, ["a"]), (2, ["b"]), (1, ["a"]), (3, [])):
        value[0] = first
        assert [hit.id for hit in notes.search(np.ones(notes.dimension), where={"k": value})] == expected


def test_a_delete_takes_no_neighbour_along(notes: vecsearch.Collection) -> None:
    values: list[Any] = [2**64 - 1, 2**64, 2**64 + 1, float(2**64), -(2**63), -(2**63) - 1, 2**53, 2**53 + 1, [1, 2], [1, 2, 3]]
    notes.add(["text"] * len(values), ids=[str(n) for n in range(len(values))], metadatas=[{"h": value} for value in values])
    assert notes.delete(where={"h": 2**64 - 1}) == ["0"]
    assert sorted(notes.delete(where={"h": {"$in": [2**64, -(2**63) - 1]}})) == ["1", "3", "5"]
    assert notes.delete(where={"h": {"$gt": 2**64}}) == ["2"]
    assert notes.delete(where={"h": [1.0, 2.0]}) == ["8"]
    assert sorted(notes.delete(where={"h": {"$not": {"$in": [2**53, [1, 2.0, 3]]}}})) == ["4", "7"]
    assert set(notes) == {"6", "9"}


def test_many_values_are_told_apart_as_few_are(notes: vecsearch.Collection) -> None:
    stored: list[Any] = [0.1, 2**64, 1e300, "a", 7, 5e-324, [1]]
    notes.add(["text"] * len(stored), ids=[str(n) for n in range(len(stored))], metadatas=[{"k": value} for value in stored])
    padding: list[Any] = [*(f"no {n}" for n in range(2_000)), *range(100, 3_000), *(n + 0.25 for n in range(2_000)), "a\0b"]
    for n, value in enumerate(stored):
        assert notes.delete(where={"k": {"$in": [*padding, value]}}, dry_run=True) == [str(n)]
    assert notes.count({"k": {"$in": padding}}) == 0


def test_dates_are_stored_as_text(notes: vecsearch.Collection) -> None:
    zone = timezone(timedelta(hours=2))
    values: list[Any] = [
        datetime(2024, 5, 1, 12, 0, 0, 1, tzinfo=zone), datetime(2024, 5, 1, 10, tzinfo=UTC), date(2024, 5, 2),
        np.datetime64("2024-05-01T10:00:00.000000500"),
        UUID(int=5), Color.RED, np.float32(0.5), np.array([1, 2]), (1, 2),
    ]  # fmt: skip
    notes.add(["text"] * len(values), ids=[str(n) for n in range(len(values))], metadatas=[{"k": value} for value in values])
    assert [document.metadata["k"] for document in notes.get([str(n) for n in range(len(values))])] == [
        "2024-05-01T12:00:00.000001+02:00", "2024-05-01T10:00:00+00:00", "2024-05-02", "2024-05-01T10:00:00.000000500",
        str(UUID(int=5)), "one", 0.5, [1, 2], [1, 2],
    ]  # fmt: skip
    assert notes.count({"k": values[0]}) == notes.count({"k": UUID(int=5)}) == 1
    assert set(
        notes.delete(where={"k": {"$gt": datetime(2024, 5, 1, 10, tzinfo=UTC), "$lt": date(2024, 5, 2)}}, dry_run=True)
    ) == {"0", "3"}
    assert notes.delete(
        where={"k": {"$gt": np.datetime64("2024-05-01T10:00:00.000000500"), "$lt": date(2024, 5, 2)}}, dry_run=True
    ) == ["0"]
    assert notes.update("2", metadata={"k": date(2025, 1, 1)}).metadata == {"k": "2025-01-01"}
    for value in (Decimal(1), b"x", {1, 2}, 1j, np.datetime64("NaT")):
        with pytest.raises(vecsearch.InputError, match="position 0: metadata must be JSON values: key 'k': got"):
            notes.add(["text"], metadatas=[{"k": value}])


# -- keys

KEYS = [
    'a"b', "a'b", "back\\slash", "line\nbreak", "tab\t", "\x7f", "\x01", "a.b", ".", "", " ", " blank ", "ü", "🙂",
    "$id", "$and", "$$x", "$", "=", "a=b", "a>b", "!a", "{a", "[0]", '"quoted"', "a.$eq", "%s", ":value_1", "?1", "-",
]  # fmt: skip


def test_every_key_that_can_be_stored_can_be_asked_for(notes: vecsearch.Collection, shell: Any) -> None:
    notes.add(["text"] * len(KEYS), ids=[str(n) for n in range(len(KEYS))], metadatas=[{key: 1} for key in KEYS])
    for n, key in enumerate(KEYS):
        asked = f"${key}" if key.startswith("$") else key
        where = {asked: 1}
        assert [document.id for document in notes.get(where=where)] == [str(n)], key
        for option in (json.dumps(where), f"{json.dumps(asked)}=1", f" {json.dumps(asked, ensure_ascii=False)} = 1"):
            result = shell("delete", "--db", notes.path, "--dry-run", "--json", "--where", option)
            assert json.loads(result.out)["deleted"] == [str(n)], option


def test_a_path_that_no_entry_has_is_refused_and_finds_nothing_else_silently(tmp_path):
    with vecsearch.open(tmp_path / "db", model=FakeEncoder()) as notes:
        notes.add(["one"], ids=["1"], metadatas=[{"p" * 4_000: {"q" * 95: 1, "q" * 96: 2}, "k" * 5_000: 3}])
        assert notes.count({"p" * 4_000 + "." + "q" * 95: 1}) == 1
        assert notes.count({"k" * 5_000: 3}) == 1
        with pytest.raises(vecsearch.FilterError, match="at most 4,096 characters, got 4,097"):
            notes.count({"p" * 4_000 + "." + "q" * 96: 2})
        assert notes.count({"p" * 4_000: {"$exists": True}}) == 1
