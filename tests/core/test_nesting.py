"""Nesting is measured before it is followed, whatever the recursion limit of the process, and however deep it is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from vecsearch.core.checks import shorten_repr
from vecsearch.core.nesting import NESTING_MAX, is_json_nested_too_deeply, is_nested_too_deeply, load_json


def nest(wrap: Any, depth: int, value: Any = "x") -> Any:
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPS = [lambda value: [value], lambda value: (value,), lambda value: {"in": value}]


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_limit_is_the_last_depth_that_passes(wrap: Any) -> None:
    assert not is_nested_too_deeply(nest(wrap, NESTING_MAX))
    assert is_nested_too_deeply(nest(wrap, NESTING_MAX + 1))


def test_what_holds_itself_is_too_deep_and_what_is_held_twice_is_not() -> None:
    loop: list[Any] = [1]
    loop += [loop, loop]
    shared = nest(lambda value: [value, value], NESTING_MAX)
    assert is_nested_too_deeply({"a": loop})
    assert not is_nested_too_deeply(shared)
    assert is_nested_too_deeply([shared])


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("[" * 3 + "]" * 3, False), ("[" * 4 + "]" * 4, True), ('{"a":' * 4, True), ("[[]]" * 50, False),
        ('"' + "[" * 9 + '"', False),
        (r'["\"[[[[[", "[[[[", [[1]]]', False), (r'["\\", [[[1]]]]', True), ('["[[[[[[', False), ("[]" * 9, False),
    ],
)  # fmt: skip
def test_brackets_are_counted_outside_strings(text: str, deep: bool) -> None:
    assert is_json_nested_too_deeply(text, 3) == deep


@pytest.mark.parametrize("text", ["[" * 100_000, b'{"a":' * 100_000, ("[" * 300 + "]" * 300).encode("utf-16")])
def test_a_text_that_is_too_deep_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="nested too deeply: more than 200 levels"):
        load_json(text)


def test_a_value_too_deep_to_print_is_named_by_its_type() -> None:
    assert shorten_repr(nest(lambda value: [value], 1_000)) == "a deeply nested list"


CASES = {
    "metadata": "notes.add(['text'], metadatas=[nest(dict_of, 100_000)])",
    "metadata in a list": "notes.add(['text'], metadatas=[{'a': nest(list_of, 100_000)}])",
    "metadata in a tuple": "notes.add(['text'], metadatas=[{'a': nest(tuple_of, 100_000)}])",
    "metadata in a set": "notes.add(['text'], metadatas=[{'a': {nest(frozenset_of, 1_000)}}])",
    "metadata that holds itself": "loop = {}; loop['a'] = loop; notes.add(['text'], metadatas=[loop])",
    "metadata that is no mapping": "notes.add(['text'], metadatas=[nest(list_of, 100_000)])",
    "changed metadata": "notes.update('1', metadata=nest(dict_of, 100_000))",
    "an id": "notes.add(['text'], ids=[nest(list_of, 100_000)])",
    "a text": "notes.add([nest(list_of, 100_000)])",
    "a title": "notes.add(['text'], titles=[nest(list_of, 100_000)])",
    "where": "notes.count(nest(not_of, 100_000))",
    "where in $and": "notes.count({'$and': nest(list_of, 100_000)})",
    "where in $in": "notes.count({'a': {'$in': nest(list_of, 100_000)}})",
    "where as a value": "notes.count({'a': nest(tuple_of, 100_000)})",
    "where that holds itself": "loop = {}; loop['$and'] = [loop, loop]; notes.count(loop)",
    "where of a search": "notes.search('text', mode='lexical', where=nest(not_of, 100_000))",
    "a query": "notes.search(nest(list_of, 100_000))",
    "a limit": "notes.search('text', mode='lexical', limit=nest(list_of, 100_000))",
    "where in the shell": "parse_shell(['{\"$not\":' * 100_000 + '1' + '}' * 100_000])",
    "a line": "raise_failed(notes.index([write('a.jsonl', DEEP_LINE)]))",
    "a notebook": "raise_failed(notes.index([write('a.ipynb', '[' * 100_000)]))",
    "an XML file": "raise_failed(notes.index([write('a.xml', '<a>' * 100_000)]))",
    "a mail": "raise_failed(notes.index([write('a.eml', DEEP_MAIL)]))",
    "an imported line": "raise_failed(notes.import_documents(write('b.jsonl', DEEP_LINE)))",
}  # fmt: skip

PROGRAM = """
import sys
from pathlib import Path
sys.setrecursionlimit(100_000)
import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.search.where_shell import parse_shell

def nest(wrap, depth, value="x"):
    for _ in range(depth):
        value = wrap(value)
    return value

def write(name, text):
    Path(name).write_text(text)
    return name

def raise_failed(report):
    raise vecsearch.InputError("; ".join(failure.error for failure in report.failed) or "nothing failed")

DEEP_LINE = '{"id": "a", "text": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
list_of, tuple_of, frozenset_of = lambda value: [value], lambda value: (value,), lambda value: frozenset([value])
dict_of, not_of = lambda value: {"in": value}, lambda value: {"$not": value}
DEEP_MAIL = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\\n\\n--b{n}\\n" for n in range(50_000)) + "\\nx"
with vecsearch.open("db", model=FakeEncoder()) as notes:
    notes.add(["a text"], ids=["1"])
    for name, code in CASES.items():
        try:
            exec(code, globals() | {"notes": notes})
        except vecsearch.InputError as error:
            assert len(str(error)) < 1_000 and "nothing failed" not in str(error), (name, str(error)[:200])
        else:
            raise AssertionError(f"{name} was taken")
    assert notes.count() == 1
"""


def test_nothing_recurses_however_high_the_recursion_limit(tmp_path: Any) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(
        [sys.executable, "-c", f"CASES = {CASES!r}\n{PROGRAM}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
