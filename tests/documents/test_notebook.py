from __future__ import annotations

import json
from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files"


def load_notebook(data):
    (draft,) = load(RawFile("file", ".ipynb", content=data if isinstance(data, bytes) else data.encode()))
    return draft


def load_cells(*cells, **metadata):
    return load_notebook(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))


def make_prose_cell(source):
    return {"cell_type": "markdown", "source": source}


def make_code_cell(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def make_printed_output(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def describe_sections(draft):
    """Return what stands in each section, where, and below what."""
    ends = [*(section.start for section in draft.sections[1:]), None]
    return [
        (draft.text[section.start : end].strip(), dict(section.location), section.context)
        for section, end in zip(draft.sections, ends, strict=True)
    ]


def test_prose_code_and_what_was_printed_are_read_in_their_order():
    draft = load_cells(
        make_prose_cell(["# Title\n", "\n", "words"]),
        make_code_cell("print(42)", make_printed_output(["4", "2\n"])),
        make_code_cell("x"),
    )
    assert (draft.text, draft.title) == ("# Title\n\nwords\n\nprint(42)\n\n42\n\nx", "Title")


def test_every_part_knows_its_cell_and_the_headings_above_it():
    draft = load_cells(
        make_prose_cell("# Title"),
        make_code_cell("a = 1"),
        make_prose_cell("## Part\n\nwords"),
        make_prose_cell(""),
        make_code_cell("b = 2"),
    )
    assert describe_sections(draft) == [
        ("# Title", {"cell": 1, "heading": ["Title"]}, ""),
        ("a = 1", {"cell": 2, "heading": ["Title"]}, ""),
        ("## Part", {"cell": 3, "heading": ["Title", "Part"]}, ""),
        ("words", {"cell": 3, "heading": ["Title", "Part"]}, "Part"),
        ("b = 2", {"cell": 5, "heading": ["Title", "Part"]}, "Part"),
    ]


def test_cells_are_apart_but_a_heading_stays_with_what_follows():
    draft = load_cells(
        make_prose_cell("# Title"),
        make_code_cell("a"),
        make_code_cell("b"),
        make_prose_cell("words"),
        make_prose_cell("## Part\nmore"),
        make_code_cell("c"),
    )
    boundaries = {section.location["cell"]: section.hard_boundary for section in reversed(draft.sections)}
    assert boundaries == {1: True, 2: False, 3: True, 4: True, 5: True, 6: True}


def test_code_has_no_headings_tables_or_fences():
    draft = load_cells(make_code_cell("# comment\n\nx\n---\n```\n<!--"), make_prose_cell("# Real"))
    assert draft.title == "Real"
    assert describe_sections(draft)[-1] == ("# Real", {"cell": 2, "heading": ["Real"]}, "")


def test_outputs_are_their_plain_text():
    draft = load_cells(
        make_code_cell(
            "f()",
            {"output_type": "execute_result", "data": {"text/html": "<b>1</b>", "text/plain": ["one\n", "two"]}},
            {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "no such thing", "traceback": ["\x1b[0;31mlong\x1b[0m"]},
            make_printed_output("\x1b[31mred\x1b[0m"),
        )
    )
    assert draft.text == "f()\n\none\ntwo\n\nValueError: no such thing\nred"


def test_of_a_line_that_was_written_over_the_last_state_is_read():
    printed = "step 1\r step 2\rdone\r\nnext\r\r\n50 %\r100 %"
    assert load_cells(make_code_cell("run()", make_printed_output(printed))).text == "run()\n\ndone\nnext\n100 %"
    line = "x" * 2_000_000  # in a time that grows with its length, not with the square of it
    assert load_cells(make_code_cell("run()", make_printed_output(line))).text.startswith("run()\n\nxxx")


def test_a_long_output_is_cut_visibly():
    assert load_cells(make_code_cell("f()", make_printed_output("x" * 5_000))).text == "f()\n\n" + "x" * 2_000 + "…" + "x" * 1_000


def test_a_notebook_says_its_authors_its_title_and_its_kernel():
    draft = load_cells(
        make_code_cell("x"),
        title="Given",
        authors=[{"name": "Ann"}, {"name": "Bob"}],
        kernelspec={"name": "python3", "language": "python"},
    )
    assert (draft.title, draft.metadata) == ("Given", {"author": "Ann, Bob", "kernel": "python3"})


def test_the_older_format_is_read():
    old = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "input": ["a", "b"], "outputs": [{"output_type": "stream", "text": "c"}]},
    ]
    draft = load_notebook(
        json.dumps({"worksheets": [{"cells": old}, {"cells": [make_prose_cell("last")]}], "nbformat": 3, "metadata": {}})
    )
    assert (draft.title, draft.text) == ("Old", "## Old\n\nab\n\nc\n\nlast")
    assert [section.location["cell"] for section in draft.sections] == [1, 2, 3]


def test_text_that_would_mean_something_in_bytes_is_text():
    assert load_cells(make_prose_cell("%PDF-1.7 is how such a file begins\n\n# Title")).title == "Title"
    assert load_cells(make_prose_cell("\ufeff# Title\n\nwords\x00\ud800")).text.endswith("# Title\n\nwords")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ('{"cells": [', "not valid JSON: Expecting value at line 1, column 12"),
        ('{"cells":\n[1 2]}', "not valid JSON: Expecting ',' delimiter at line 2, column 4"),
        ("[" * 100_000, "nested too deeply"),
        ('{"n": ' + "9" * 5_000 + "}", "not valid JSON: Exceeds the limit"),
        ("[1]", "it has no cells"),
        ('{"metadata": {}}', "it has no cells"),
    ],
    ids=lambda value: value[:20],
)
def test_a_broken_notebook_says_where(data, error):
    with pytest.raises(UnreadableFileError, match=error) as excinfo:
        load_notebook(data)
    assert "\n" not in str(excinfo.value)


@pytest.mark.parametrize(
    "cell",
    [
        None,
        1,
        [],
        {},
        {"cell_type": 1},
        {"cell_type": "code", "source": 5, "outputs": 3},
        {"cell_type": "heading", "level": "x", "source": [1, "a"]},
    ],
)
def test_odd_cells_cost_no_others(cell):
    assert load_cells(cell, make_prose_cell("words")).text.endswith("words")


def test_a_notebook_without_words_says_so():
    for data in (b"", b" \n", b'{"cells": []}', json.dumps({"cells": [make_prose_cell(" \n")]}).encode()):
        with pytest.raises(EmptyFileError, match=r"no text in it|the file is empty"):
            load_notebook(data)
    with pytest.raises(BinaryFileError, match="not text"):
        load_notebook(b"\0\1\2\3" * 9)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("docling__backend_csv.ipynb", "Conversion of CSV files"),
        ("docling__retrieval_qdrant.ipynb", "Retrieval with Qdrant"),
        ("markitdown__test_notebook.ipynb", "Test Notebook"),
    ],
)
def test_real_notebooks_are_read(name, title):
    path = DATA / "good" / name
    if not path.exists():
        pytest.skip("the real files of ../shared/data/files are not there")
    draft = load_notebook(path.read_bytes())
    book = json.loads(path.read_text())
    assert (draft.title, draft.metadata) == (title, {"kernel": "python3"})
    assert all(line.rstrip() in draft.text for cell in book["cells"] for line in "".join(cell["source"]).split("\n"))
    assert draft.sections[-1].location["cell"] == max(
        n for n, cell in enumerate(book["cells"], start=1) if "".join(cell["source"])
    )
