"""A table of ids says what a dict would, however many there are."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.core import id_table
from vecsearch.core.id_table import IdTable

KEYS = st.text(st.characters(), max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(KEYS), st.lists(KEYS))
def test_a_table_is_a_dict_that_keeps_the_first_number(given_keys: list[str], others: list[str]) -> None:
    expected: dict[str, int] = {}
    with patch.object(id_table, "RECENT_MAX", 3):
        table = IdTable()
        for number, key in enumerate(given_keys):
            table.add(key, number)
            expected.setdefault(key, number)
            assert len(table) == len(expected)
    for key in [*given_keys, *others]:
        assert table.find(key) == expected.get(key)
        assert (key in table) == (key in expected)


def test_a_table_of_many_finds_each() -> None:
    table = IdTable()
    for number in range(120_000):
        table.add(f"doc-{number}", number)
    assert len(table) == 120_000
    for number in (0, 49_999, 50_000, 99_999, 119_999):
        assert table.find(f"doc-{number}") == number
    assert table.find("doc-120000") is None
