from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

HTML = "<IPython.core.display.HTML object>"


def read(*cells):
    return read_book({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)})


def read_book(book):
    (document,) = load(RawFile("book", ".ipynb", content=json.dumps(book).encode()))
    return document


def make_cell(source, *outputs):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)}


def show(kind="display_data", **forms):
    """Make an output in some forms: their keys have `__` for a slash."""
    return {"output_type": kind, "metadata": {}, "data": {key.replace("__", "/"): value for key, value in forms.items()}}


@pytest.mark.parametrize("kind", ["display_data", "execute_result"])
@pytest.mark.parametrize(
    ("forms", "text"),
    [
        ({"text__html": ["<table><tr><td>Oslo</td><td>80</td></tr>", "</table>"]}, "Oslo | 80"),
        ({"text__html": "<p>Tides</p>", "text__plain": [HTML]}, "Tides"),
        ({"text__markdown": ["**Result:** the bridge is safe\n", "\n- `one`"]}, "Result: the bridge is safe\n\n- one"),
        ({"text__markdown": "# Done", "text__plain": "<IPython.core.display.Markdown object>"}, "# Done"),
        ({"text__latex": "$E=mc^2$", "text__plain": "<IPython.core.display.Latex object>"}, "$E=mc^2$"),
        ({"image__svg+xml": "<svg><text>Node A</text></svg>", "text__plain": "<graphviz.files.Source at 0x7f12>"}, "Node A"),
        (
            {"application__json": {"city": "Köln", "n": [1, 2]}, "text__plain": "<IPython.core.display.JSON object>"},
            "city: Köln; n: 1, 2",
        ),
        ({"text__html": "<b>1</b>", "text__plain": "one"}, "one"),
        ({"text__html": "<script>draw()</script><div hidden>x</div>y", "text__plain": HTML}, "y"),
        ({"image__png": "iVBO", "text__plain": "<Figure size 640x480 with 1 Axes>"}, ""),
        ({"text__plain": "<AxesSubplot at 0x7f0c>"}, ""),
        ({"text__plain": "<a> is smaller"}, "<a> is smaller"),
        ({"text__html": 5, "text__plain": None}, ""),
    ],
)
def test_an_output_is_read_in_the_form_that_has_words(forms, text, kind):
    assert read(make_cell("f()", show(kind, **forms))).text == "\n\n".join(filter(None, ("f()", text)))


def test_the_older_format_is_read_too():
    cell = {"cell_type": "code", "input": "f()", "outputs": [{"output_type": "pyout", "html": ["<p>Tides</p>"], "text": [HTML]}]}
    book = {"nbformat": 3, "worksheets": [{"cells": [cell]}]}
    assert read_book(book).text == "f()\n\nTides"


def test_a_long_output_keeps_its_end():
    lines = "".join(f"epoch {number}\n" for number in range(5_000))
    text = read(make_cell("fit()", {"output_type": "stream", "name": "stdout", "text": f"{lines}accuracy 0.93\n"})).text
    assert text.startswith("fit()\n\nepoch 0\n")
    assert text.endswith("epoch 4999\naccuracy 0.93")
    assert len(text) < 3_100


def test_of_a_progress_bar_the_last_state_is_kept():
    bar = "".join(f"\r{part}% |{'#' * (part // 10)}|" for part in range(101))
    stream = {"output_type": "stream", "name": "stderr", "text": f"start\r\n{bar}\ndone\n"}
    assert read(make_cell("f()", stream)).text == "f()\n\nstart\n100% |##########|\ndone"


@given(st.lists(st.sampled_from(["text__html", "text__markdown", "text__latex", "text__plain"]), min_size=1, max_size=6))
def test_every_output_is_found_once_in_order_in_its_cell(forms):
    document = read(*(make_cell(f"in{number}", show(**{form: f"out{number}"})) for number, form in enumerate(forms)))
    assert document.text.split() == [word for number in range(len(forms)) for word in (f"in{number}", f"out{number}")]
    assert [section.location["cell"] for section in document.sections] == list(range(1, len(forms) + 1))
