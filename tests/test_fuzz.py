"""Hostile input: every entry point accepts it or reports one line why not; what is accepted comes back unchanged.

`VECSEARCH_FUZZ=100` runs a hundred times as many examples.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vecsearch
from tests import damaging, maintenance
from tests.checks import is_sound
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from tests.search import test_filters
from vecsearch.core.nesting import NESTING_MAX
from vecsearch.core.settings import ID_LENGTH_MAX
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.search.where_shell import parse_shell

TIMES = int(os.environ.get("VECSEARCH_FUZZ", "1"))
ENCODER = FakeEncoder()


def limit_examples(count: int) -> settings:
    return settings(max_examples=count * TIMES, deadline=None)


# -- filters


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("filtered") / "f.vec")
    count = len(test_filters.METADATA)
    ids = [str(n) for n in range(count)]
    collection.add(["text"] * count, ids=ids, metadatas=test_filters.METADATA, vectors=np.eye(384)[:count])
    return collection


def check_filter(collection: vecsearch.Collection, where: Any) -> None:
    """Check a filter's answers against the plain reading of its rules; FilterError for what is none."""
    try:
        count = collection.count(where)
    except vecsearch.FilterError as error:
        assert len(str(error)) < 1_000
        return
    expected = {str(n) for n, metadata in enumerate(test_filters.METADATA) if test_filters.holds(where or {}, metadata)}
    assert count == len(expected)
    assert {hit.id for hit in collection.search(np.ones(384), limit=100, where=where)} == expected


OPERATORS = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$exists",
    "$contains",
    "$not",
    "$and",
    "$or",
    "$nor",
    "$",
]
texts = st.text(st.characters(exclude_categories=[]), max_size=8)  # half surrogate pairs too
scalars = st.one_of(
    st.sampled_from([*test_filters.VALUES, *test_filters.TIMES, math.inf, math.nan, -0.0, b"bytes", 1j]),
    texts,
    st.integers(-9, 9),
    st.floats(),
    st.booleans(),
    st.none(),
)
any_value = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from([*OPERATORS, *test_filters.KEYS]), texts, st.integers()), inner, max_size=3),
    ),
    max_leaves=12,
)


@limit_examples(300)
@given(
    where=st.dictionaries(st.one_of(st.sampled_from([*OPERATORS, *test_filters.KEYS]), texts), any_value, max_size=3) | any_value
)
def test_anything_as_a_filter_is_answered_rightly_or_refused(filtered: vecsearch.Collection, where: Any) -> None:
    check_filter(filtered, where)


@limit_examples(300)
@given(
    expressions=st.lists(
        st.one_of(
            st.text(max_size=30),
            st.builds(
                "".join,
                st.lists(st.sampled_from([*'{}[]":,=<>! \t\n.$', *test_filters.KEYS, "1", "null", "NaN", "1e999"]), max_size=12),
            ),
            any_value.map(lambda value: json.dumps(value, default=str, skipkeys=True)),
        ),
        max_size=3,
    )
)
def test_anything_after_where_in_the_shell_is_answered_rightly_or_refused(
    filtered: vecsearch.Collection, expressions: list[str]
) -> None:
    try:
        where = parse_shell(expressions)
    except vecsearch.FilterError as error:
        assert len(str(error)) < 1_000
        return
    check_filter(filtered, where)


def nest(inner: Any, wrap: Any, times: int) -> Any:
    for _ in range(times):
        inner = wrap(inner)
    return inner


CIRCLE: dict[str, Any] = {}
CIRCLE["$and"] = [CIRCLE, CIRCLE]


@pytest.mark.parametrize(
    "where",
    [
        nest({"lang": "en"}, lambda inner: {"$not": inner}, 5_000),
        nest({"lang": "en"}, lambda inner: {"$or": [{"$not": inner}, {"year": 1}]}, 200),
        {"lang": nest({"$eq": "en"}, lambda inner: {"$not": inner}, 5_000)},
        {"$and": [{"year": {"$gt": n}} for n in range(5_000)]},
        {"$or": [{f"key{n}": n} for n in range(5_000)]},
        {f"key{n}": n for n in range(5_000)},
        {"lang": nest("en", lambda inner: [inner], 5_000)},
        {"year": 10**5_000}, {"year": {"$in": 10**5_000}}, {"year": [10**5_000]}, {"year": {"$gt": -(10**5_000)}}, CIRCLE,
        {"$and": [{}]}, {"lang": {"$eq": {"code": float("nan")}}}, {"x" * 1_000_000: {"$near": 1}}, {"$" + "x" * 1_000_000: 1},
        {"lang": {"$exists": "x" * 1_000_000}}, {"\ud800": 1}, {"lang": "\udfff"}, {"lang": ["\udfff"]}, {"lang": [object()]},
    ],
    ids=range(21),
)  # fmt: skip
def test_a_filter_without_measure_is_refused_in_a_line(filtered: vecsearch.Collection, where: Any) -> None:
    for ask in (
        filtered.count,
        lambda where: filtered.search(np.ones(384), where=where),
        lambda where: filtered.delete(where=where),
    ):
        with pytest.raises(vecsearch.FilterError) as excinfo:
            ask(where)
        assert len(str(excinfo.value)) < 1_000


@pytest.mark.slow
def test_a_filter_as_large_as_is_taken_is_answered(filtered: vecsearch.Collection) -> None:
    many = [*(f"no{n}" for n in range(20_000)), *range(5_000, 25_000), "en", 1, 10**20, -(10**400)]
    check_filter(filtered, {"lang": {"$in": many}})
    check_filter(filtered, {"year": {"$nin": many}})
    for depth in (1, 5, 11):  # each wraps two mappings around, and 24 levels are taken
        deep = nest({"lang": "en"}, lambda inner: {"$or": [{"$not": inner}, {"year": 1}]}, depth)
        assert filtered.count(deep) == sum(test_filters.holds(deep, metadata) for metadata in test_filters.METADATA)
    wide = {"$or": [{"year": {"$gt": 10 + n}} for n in range(499)]}
    assert filtered.count(wide) == sum(test_filters.holds(wide, metadata) for metadata in test_filters.METADATA)


@pytest.mark.parametrize(
    "expression", [" " * 300_000 + "x", "x" + " " * 300_000 + "x", "{" * 300_000, "a=" + "[" * 300_000, "!" * 300_000]
)
def test_an_expression_of_any_length_is_read_at_once(filtered: vecsearch.Collection, expression: str) -> None:
    try:
        assert filtered.count(parse_shell([expression])) == 0
    except vecsearch.FilterError as error:
        assert len(str(error)) < 1_000


# -- words


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("words") / "w.vec", stemmer="en")
    collection.add(
        ["AND OR NOT NEAR ab", 'a "quoted" phrase^2', "col:umn {title body}: x", "ab-cd_ef.gh 12 a b c", "東京都 émigré 🙂"],
        ids=["1", "2", "3", "4", "5"], vectors=np.eye(384)[:5],
    )  # fmt: skip
    return collection


SYNTAX = [
    "AND",
    "OR",
    "NOT",
    "NEAR(",
    ")",
    "(",
    '"',
    "*",
    "^",
    ":",
    "+",
    "-",
    "{",
    "}",
    ",",
    "'",
    ";",
    "\0",
    "\n",
    " ",
    "title:",
    "--",
    "ab",
]


@limit_examples(200)
@given(query=st.builds("".join, st.lists(st.sampled_from(SYNTAX) | st.text(max_size=4), min_size=1, max_size=12)))
@example(query='" AND "')
def test_any_query_of_words_is_answered(words: vecsearch.Collection, query: str) -> None:
    for mode in ("lexical", "hybrid"):
        try:
            hits = words.search(query, mode=mode) if mode == "lexical" else words.search([query], mode="lexical", explain=True)[0]
        except vecsearch.InputError as error:
            assert not query.strip() or "no valid Unicode" in str(error)
            continue
        scores = [hit.score for hit in hits]
        assert all(math.isfinite(score) and score > 0 for score in scores)
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    "query",
    ["a" * 100_000, "ab " * 33_000, '"' + "ab " * 33_000 + '"', '"' * 100_000, "ab-" * 33_000, "ab* " * 25_000, "(" * 100_000,
     "NEAR(ab " * 12_000, "\0" * 100_000 + "ab", "東" * 100_000, "aB" * 50_000, "e\u0301" * 50_000, "\u0301" * 100_000 + " ab",
     "ab" + "\u200b" * 100_000, " ".join(f'"a{n} b{n}"' for n in range(9_000)), "".join(map(chr, range(1, 0xD800)))],
    ids=range(16),
)  # fmt: skip
def test_a_query_of_100_000_characters_is_answered(words: vecsearch.Collection, query: str) -> None:
    assert len(words.search(query, mode="lexical")) <= 5


# -- JSON lines

lines = st.one_of(
    st.binary(max_size=30),
    st.dictionaries(
        st.sampled_from(["id", "_id", "text", "title", "metadata", "x", ""]),
        st.recursive(
            st.one_of(texts, st.integers(), st.floats(), st.booleans(), st.none()),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
            max_leaves=4,
        ),
        max_size=4,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b"[" * 100_000,
            b'{"x":' * 100_000,
            b'{"text":"deep","x":' + b"[" * 980 + b"]" * 980 + b"}",
            b'{"text": 1e999}',
            b"\xef\xbb\xbf{}",
            b'{"id": ' + b"9" * 5_000 + b', "text": "x"}',
            b'{"id": "nul", "text": "a\\u0000b"}',
            b'{"id": "n", "text": "x", "y": NaN}',
            b'{"id": "e", "text": "x", "y": 1e999}',
            b'{"id": "h", "text": "\\ud800"}',
            b'{"text": "' + b"x" * 100_000 + b'"}',
            b"\0",
            b"\xff\xfe",
        ]
    ),
)


@limit_examples(25)
@given(given_lines=st.lists(lines, min_size=1, max_size=6), ends=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_bytes_as_json_lines_give_a_report(
    tmp_path_factory: pytest.TempPathFactory, given_lines: list[bytes], ends: bytes
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    data = ends.join(given_lines)
    with vecsearch.open(folder / "db", model=ENCODER) as notes:
        try:
            report = notes._index_json_lines(RawFile("stdin", ".jsonl", content=data))
        except vecsearch.UnreadableFileError as error:
            assert len(str(error)) < 1_000
        else:
            assert report.documents == report.added == notes.count()
            assert report.added or report.failed
            for document in notes.get(where={}) if report.documents else []:
                assert document.text.strip() or document.title


@limit_examples(15)
@given(
    junk=st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20), max_size=8),
    good_texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20), max_size=4
    ),
    chance=st.randoms(use_true_random=False),
)
def test_a_good_line_among_bad_ones_is_stored_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, junk: list[str], good_texts: list[str], chance: Any
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    expected = {f"good {n}": f"text {text}" for n, text in enumerate(good_texts)}
    all_lines = [json.dumps({"id": key, "text": text}) for key, text in expected.items()] + [f"no JSON: {line}" for line in junk]
    chance.shuffle(all_lines)
    (folder / "lines.jsonl").write_text("\n".join(all_lines), encoding="utf-8", newline="")
    with vecsearch.open(folder / "db", model=ENCODER) as notes:
        report = notes.index([folder / "lines.jsonl"])
        assert {document.id: document.text for document in (notes.get(where={}) if expected else [])} == expected
        assert len(report.failed) == (len(junk) if all_lines else 1)


@pytest.mark.parametrize("depth", [NESTING_MAX + 1, 500, 960, 985, 990, 995, 1_000, 100_000])
def test_a_line_that_is_nested_too_deeply_costs_no_other(tmp_path: Path, depth: int) -> None:
    bad_line = '{"id": "bad", "text": "x", "deep": ' + "[" * depth + "]" * depth + "}"
    (tmp_path / "a.jsonl").write_text(f'{{"id": "1", "text": "one"}}\n{bad_line}\n{{"id": "2", "text": "two"}}\n')
    with vecsearch.open(tmp_path / "db", model=ENCODER) as notes:
        report = notes.index([tmp_path / "a.jsonl"])
        assert [document.id for document in notes.list_documents()] == ["1", "2"]
        assert ["line 2" in failure.error and "nested too deeply" in failure.error for failure in report.failed] == [True]


@pytest.mark.parametrize(
    "data", [b"\0", b"\xff\xfe\x00", b"[" * 200_000, b'{"text": "\\ud800"}', b'{"id": "\xff", "text": "x"}\n{']
)
def test_a_pipe_of_any_bytes_ends_in_a_line(shell: Any, data: bytes) -> None:
    result = shell("index", "-", "-q", stdin=data)
    assert result.status == 1
    assert "Traceback" not in result.err
    assert len(result.err) < 2_000


# -- whatever comes in comes out as it was

unicode = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(
    [
        "../x",
        "../../etc/passwd",
        "C:\\",
        "/etc/passwd",
        "a\nb",
        "\u202eabc",
        "e\u0301",
        "é",
        "👩‍👩‍👧",
        "\ufeff",
        "\u2028",
        "%s%n",
        "'; DROP TABLE documents; --",
        " lead and trail ",
        "\x7f\x1b[31m",
        "\udcff",
        "a\0b",
        "$gt",
        "a.b",
        ".",
        "",
        "\ufffe",
        "\U0010ffff",
        "İ",
        "ß",
    ]
)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 2**64, 10**400, 5e-324, 1.7976931348623157e308, -0.0]),
)
values = st.recursive(
    st.one_of(unicode, numbers, st.booleans(), st.none(), st.just(b"x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.one_of(unicode, st.integers(0, 1)), inner, max_size=3),
    max_leaves=8,
)


def dump_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


@limit_examples(150)
@given(key=unicode, text=unicode, title=unicode | st.none(), metadata=st.dictionaries(unicode, values, max_size=4))
def test_a_document_comes_back_as_it_was_or_is_refused(
    collection: vecsearch.Collection, key: str, text: str, title: str | None, metadata: dict[str, Any]
) -> None:
    try:
        collection.add([text], ids=[key], titles=[title], metadatas=[metadata], on_conflict="replace")
    except vecsearch.InputError as error:
        assert len(str(error)) < 1_000
        assert is_refusable(key, text, title, metadata), error
        return
    (document,) = collection.get(key)
    assert (document.id, document.text, document.title) == (key, text, title)
    assert dump_json(document.metadata) == dump_json(metadata)
    assert collection.delete(key) == [key]


def is_refusable(key: str, text: str, title: str | None, metadata: dict[str, Any]) -> bool:
    """Return whether a document has what none may have: no id, no words, a NUL, half a surrogate pair, what is no JSON."""
    if not key.strip() or not (text.strip() or (title or "").strip()):
        return True
    pending: list[Any] = [key, text, title, metadata]
    while pending:
        value = pending.pop()
        match value:
            case dict():
                pending += [*value, *value.values()]
                if not all(isinstance(key, str) for key in value):
                    return True
            case list():
                pending += value
            case bytes():
                return True
            case float() if not math.isfinite(value):
                return True
            case str() if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
                return True
    return False


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("kept") / "k.vec", model=ENCODER)
    collection.add(["there from the beginning"], ids=["first"])
    return collection


LARGE = "ab é🙂\n" * 900_000  # ten megabytes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": ["x" * ID_LENGTH_MAX]}, None),
        ({"ids": ["x" * (ID_LENGTH_MAX + 1)]}, "4,097"),
        ({"ids": ["🙂" * ID_LENGTH_MAX]}, None),
        ({"titles": [LARGE[:500_000]]}, None),
        ({"metadatas": [{"large": LARGE}]}, None),
        ({"metadatas": [{LARGE[:100_000]: 1}]}, None),
        ({"metadatas": [{str(n): n for n in range(20_000)}]}, None),
        ({"metadatas": [{"deep": nest([], lambda inner: [inner], NESTING_MAX - 2)}]}, None),
        ({"metadatas": [{"deep": nest([], lambda inner: {"in": inner}, NESTING_MAX)}]}, "nested too deeply"),
        ({"metadatas": [{"deep": nest([], lambda inner: [inner], 1_000)}]}, "nested too deeply"),
        ({"metadatas": [{"deep": nest([], lambda inner: {"in": inner}, 100_000)}]}, "nested too deeply"),
        ({"metadatas": [{"a": {1: "x", "1": "y"}}]}, "string keys"),
        ({"metadatas": [{"a": "\\u0000"}]}, None),
        ({"metadatas": [{"a": "\0"}]}, "NUL"),
        ({"metadatas": [{"a\0": 1}]}, "NUL"),
        ({"metadatas": [{"a": {"\0": 1}}]}, "NUL"),
        ({"metadatas": [{"a": 10**5_000}]}, "JSON"),
        ({"ids": [10**5_000]}, "string"),
    ],
    ids=range(18),
)
def test_what_is_large_or_deep_comes_back_or_is_refused(tmp_path: Path, arguments: dict[str, Any], message: str | None) -> None:
    with vecsearch.open(tmp_path / "db", model=ENCODER) as notes:
        if message is not None:
            with pytest.raises(vecsearch.InputError, match=message) as excinfo:
                notes.add(["text"], **arguments)
            assert len(str(excinfo.value)) < 1_000
            return
        (key,) = notes.add(["text"], **arguments, vectors=[[1.0] * 32])
    with vecsearch.open(tmp_path / "db", model=ENCODER) as notes:
        (document,) = notes.get(key)
        assert document.title == arguments.get("titles", [None])[0]
        assert dump_json(document.metadata) == dump_json(arguments.get("metadatas", [{}])[0])
        assert notes.search("text", mode="lexical")[0].id == key
        for name, value in list(document.metadata.items())[:3]:
            if isinstance(value, str | int) and name.isprintable():
                assert notes.count({name: value}) == 1
        assert notes.delete(key) == [key]
    assert is_sound(tmp_path / "db")


@pytest.mark.slow
def test_a_text_of_ten_megabytes_comes_back(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "db", model=ENCODER) as notes:
        notes.add([LARGE], ids=["large"], vectors=[[1.0] * 32])
        assert notes.get("large")[0].text == LARGE
        assert notes.search("ab", mode="lexical")[0].text == LARGE


@pytest.mark.parametrize("key", [7, None, b"x", 10**30, 1.5, "\ud800", "\udcff", "a\0b", ["x"], "x" * 5_000, ""])
def test_what_is_no_id_is_in_no_collection(collection: vecsearch.Collection, key: Any) -> None:
    asks = [
        lambda: collection.get([key]),
        lambda: collection.delete([key]),
        lambda: collection.update(key, metadata={}),
        lambda: collection.recommend([key]),
    ]
    for ask in [*asks, lambda: collection.similar(id=key)] if key is not None else asks:
        with pytest.raises(vecsearch.InputError) as excinfo:
            ask()
        assert len(str(excinfo.value)) < 1_000
    assert collection.count() == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda notes: notes.list_documents(offset=-(10**5_000)),
        lambda notes: notes.list_documents(limit=-(10**5_000)),
        lambda notes: notes.list_sources(limit="x"),
        lambda notes: notes.list_sources(offset=-1),
        lambda notes: notes.search([1.0] * 32, min_similarity=10**400),
        lambda notes: notes.search([1.0] * 32, mmr=10**400),
        lambda notes: notes.search([10**400] * 32),
        lambda notes: notes.add(["x"], vectors=[[10**400] * 32]),
        lambda notes: notes.get(source="a\ud800"),
        lambda notes: notes.delete(source="\udcff"),
        lambda notes: notes.get(source="a\0b"),
        lambda notes: notes.similar(file="a\0b"),
        lambda notes: notes.similar(file="\udcff"),
        lambda notes: notes.search("x", mode="y" * 10**6),
        lambda notes: notes.search("x", limit="y" * 10**6),
        lambda notes: notes.add(["x"], metadatas=["y" * 10**6]),
        lambda notes: notes.recommend([{"text": 10**5_000}]),
        lambda notes: notes.search([["y" * 10**6]]),
    ],
    ids=range(18),
)
def test_what_no_argument_can_be_is_an_input_error_of_one_line(collection: vecsearch.Collection, ask: Any) -> None:
    with pytest.raises(vecsearch.InputError) as excinfo:
        ask(collection)
    assert len(str(excinfo.value)) < 1_000


def test_counts_beyond_what_there_can_be_are_taken(collection: vecsearch.Collection) -> None:
    assert collection.list_documents(offset=2**70) == []
    assert len(collection.list_documents(limit=2**70)) == collection.count()
    assert collection.list_sources(limit=2**70, offset=2**70) == []


# -- names that lead elsewhere


@limit_examples(20)
@given(name=unicode)
def test_a_collection_s_name_is_only_a_name(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    place = tmp_path_factory.mktemp("names")
    folder = place / "around" / "db"
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.add(["x"], ids=["x"])
    try:
        with vecsearch.open(folder, model=ENCODER, collection=name) as notes:
            notes.add(["y"], ids=[name])
            notes.optimize()
            assert notes.get(name)[0].text == "y"
    except vecsearch.InputError:
        assert maintenance.collections(folder) == ["default"]
    else:
        assert maintenance.collections(folder) == sorted({"default", name})
        maintenance.rename_collection(folder, name, "../../../elsewhere")
        maintenance.delete_collection(folder, "../../../elsewhere")
    assert [path.name for path in place.iterdir()] == ["around"]
    assert [path.name for path in folder.parent.iterdir()] == ["db"]


@limit_examples(60)
@given(
    include=st.lists(st.text(st.sampled_from("*?[]!/\\.a-z{}()^$|+ \0\ud800é"), max_size=8), max_size=2),
    exclude=st.lists(st.text(st.sampled_from("*?[]!/\\.a-z{}()^$|+ \0\ud800é"), max_size=8), max_size=2),
)
def test_any_pattern_is_taken_or_refused_and_leads_nowhere_else(
    tmp_path_factory: pytest.TempPathFactory, include: list[str], exclude: list[str]
) -> None:
    from vecsearch.core.files import FileFilter
    from vecsearch.documents import scan

    place = tmp_path_factory.mktemp("patterns")
    (place / "secret.a").write_text("outside")
    (place / "root/a").mkdir(parents=True)
    for name in ("a.a", "a/z.é", "z"):
        (place / "root" / name).write_text("inside")
    try:
        scan_result = scan.scan([place / "root"], selection=FileFilter(tuple(include), tuple(exclude)))
    except vecsearch.InputError as error:
        assert len(str(error)) < 1_000
        return
    assert all(file.path.is_relative_to(place / "root") for file in scan_result.files)


@pytest.mark.parametrize("pattern", ["*a" * 30 + "b", "**/" * 300 + "b", "(a+)+" * 20, "?" * 3_000, "[a-z]" * 500, "*" * 200])
def test_no_pattern_takes_minutes(tmp_path: Path, pattern: str) -> None:
    from vecsearch.core.files import FileFilter
    from vecsearch.documents import scan

    (tmp_path / ("a" * 200)).write_text("x")
    scan_result = scan.scan([tmp_path], selection=FileFilter(exclude=(pattern,)))
    assert len(scan_result.files) + len(scan_result.skipped) <= 1


# -- the files of a database


@pytest.fixture(scope="module")
def sound_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "db"
    damaging.make(folder)
    return folder


@pytest.mark.parametrize(("target", "count"), [("sqlite", 8), ("log", 5), ("index", 5), ("lock", 3)])
def test_a_damaged_file_ends_in_an_error_of_ours_or_in_right_answers(sound_database: Path, target: str, count: int) -> None:
    """In a child, for which a crash or an endless loop is a failure too; see `damaging`."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.damaging", sound_database, target, "0", str(count * TIMES)],
        cwd=PROJECT,
        text=True,
        capture_output=True,
        timeout=60 + 10 * count * TIMES,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4_000:] + result.stderr[-4_000:]
