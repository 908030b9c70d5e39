from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import LOADERS, find_loader
from vecsearch.documents.loaders import load as items_of
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files"
TEXT_FORMATS = (".txt", ".md", ".html", ".csv", ".tsv", ".jsonl")


class LoadResult:
    def __init__(self, data, suffix, name="file"):
        items = list(items_of(RawFile(name, suffix, content=data)))
        self.drafts = tuple(item for item in items if isinstance(item, ParsedDocument))
        self.errors = tuple(item.message for item in items if isinstance(item, ParseWarning))


def load(data, suffix, name="file"):
    return LoadResult(data if isinstance(data, bytes) else data.encode(), suffix, name)


def load_document(data, suffix):
    result = load(data, suffix)
    (draft,) = result.drafts
    assert (draft.id, draft.metadata, result.errors) == ("file", {}, ())
    return draft


def load_text(data, suffix):
    return load_document(data, suffix).text


def load_lines(*values):
    return load("\n".join(value if isinstance(value, str) else json.dumps(value) for value in values), ".jsonl")


# -- the table


def test_every_suffix_is_lower_case_with_a_dot_and_reads_something():
    for suffix in LOADERS:
        assert re.fullmatch(r"\.[a-z0-9]+", suffix)
        assert callable(find_loader(RawFile("file", suffix, content=b"")))


@pytest.mark.parametrize("suffix", ["", ".unheardof", ".txt"])
def test_plain_text_is_read_as_it_stands_whatever_its_name(suffix):
    draft = load_document("one\r\n  two\n", suffix)
    assert (draft.text, draft.title) == ("one\n  two\n", None)


@pytest.mark.parametrize("suffix", ["", ".unheardof", ".txt", ".md", ".html", ".csv", ".tsv", ".jsonl", ".xml", ".py"])
@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"fLaC\0\0\0\x22", b"\0\1\2\3" * 9])
def test_binary_data_is_not_text_under_any_name(suffix, data):
    with pytest.raises(BinaryFileError, match="binary"):
        load(data, suffix)


@pytest.mark.parametrize("suffix", [".doc", ".dot", ".pot", ".xls", ".pdf", ".docx", ".rtf", ".epub"])
def test_text_under_the_name_of_an_office_document_is_text(suffix):
    assert load_text("digraph { a -> b }", suffix) == "digraph { a -> b }"
    page = load_document("<html><title>T</title><table><tr><td>1<td>2</table></html>", suffix)
    assert (page.title, page.text) == ("T", "1 | 2") or suffix in (".dot", ".pot")


@pytest.mark.parametrize("suffix", ["", ".txt", ".md", ".jsonl", ".py"])
@pytest.mark.parametrize("data", [b"%PDF-1.7", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18])
def test_a_damaged_or_empty_document_is_no_text_under_any_name(suffix, data):
    with pytest.raises(UnreadableFileError, match=r"binary|damaged|empty|no text"):
        load(data, suffix)


def test_an_unknown_suffix_with_bytes_of_no_likely_encoding_is_not_text():
    with pytest.raises(BinaryFileError, match="unknown encoding"):
        load("狗狗狗".encode("gb18030"), ".unheardof")
    with pytest.raises(UnreadableFileError, match="encoding") as excinfo:
        load("狗狗狗".encode("gb18030"), ".txt")
    assert not isinstance(excinfo.value, BinaryFileError)


@pytest.mark.parametrize("suffix", ["", ".txt", ".md", ".html", ".csv", ".tsv", ".jsonl", ".xml"])
def test_a_file_without_text_says_so(suffix):
    with pytest.raises(EmptyFileError, match="the file is empty"):
        load(b"", suffix)
    with pytest.raises(EmptyFileError, match="no text in it"):
        load(b" \n\t\n", suffix)


def test_plain_text_loads_no_html_parser_and_no_encoding_detector():
    code = (
        "import sys; from vecsearch.documents.loaders import load; from vecsearch.documents.loaders.raw_file import RawFile;"
        "list(load(RawFile('a', '.md', content=b'a')));"
        "print([name for name in ('selectolax', 'charset_normalizer') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert result.stdout.strip() == "[]"


# -- pages


def test_a_page_gives_title_and_text():
    draft = load_document("<title>T</title><p>caf&eacute;", ".html")
    assert (draft.title, draft.text) == ("T", "café")


def test_a_page_in_the_encoding_it_declares_is_read_so():
    page = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>Да'
    assert load_text(page.encode("cp1251"), ".html") == "Да"
    assert load_text('<?xml version="1.0" encoding="koi8-r"?><a>Да</a>'.encode("koi8-r"), ".xml") == "Да"


def test_a_page_that_is_utf_8_is_read_so_whatever_it_declares():
    assert load_text("<meta charset=iso-8859-1><p>café".encode(), ".html") == "café"


# -- Markdown


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# One\n# Two", "One"),
        ("text\n\n## Two ##\n", "Two"),
        ("A title\n=======\n", "A title"),
        ("A title\n---\n", "A title"),
        ("```\n# code\n```\n# Real", "Real"),
        ("~~~~\n# code\n~~~\n# code\n~~~~\n# Real", "Real"),
        ("    # code\n# Real", "Real"),
        ("- item\n---\n", None),
        ("| a |\n---\n", None),
        ("#hashtag\n", None),
        ("text only", None),
        ("# \n# Real", "Real"),
        ("# **Bold** `code` [link](http://x.y) ![img](a.png) *em* _em_ <b>x</b> {#id}", "Bold code link img em em x"),
        ("# snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        (r"# C\# \*stars\*", "C# *stars*"),
        ("# C#", "C#"),
        ('---\ntitle: "Front: matter"\ntags: [a]\n---\n# Heading', "Front: matter"),
        ("---\nTitle: Plain # comment\n---\nx", "Plain"),
        ("+++\ntitle = 'Toml'\n+++\n# Heading", "Toml"),
        ("---\ntags: [a]\n---\n# Heading", "Heading"),
        ("---\ntitle: >\n  folded\n---\n# Heading", "Heading"),
        ("---\n# Heading after a rule", "Heading after a rule"),
    ],
)
def test_a_markdown_title_is_the_front_matter_s_or_the_first_heading(text, title):
    draft = load_document(text, ".md")
    assert draft.title == title
    assert draft.text == text


# -- tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_row_is_a_line_of_named_values_under_any_delimiter(delimiter):
    table = "name,price,note\ntea,2,\ncoffee,3,strong\n".replace(",", delimiter)
    assert load_text(table, ".csv") == ("name; price; note\nname: tea; price: 2\nname: coffee; price: 3; note: strong")


def test_tab_separated_values_may_hold_commas_and_lone_quotes():
    assert load_text('item\tsize\npipe, long\t5" wide\nrod\tthin\n', ".tsv") == (
        'item; size\nitem: pipe, long; size: 5" wide\nitem: rod; size: thin'
    )


def test_quoted_cells_may_hold_delimiters_and_line_ends():
    assert load_text('name,note\r\n"x, y","one\r\ntwo  three"\r\n', ".csv") == "name; note\nname: x, y; note: one two three"


def test_a_decimal_comma_is_no_delimiter():
    assert load_text("Ware;Preis\nApfel;1,5\nBirne;2,0\n", ".csv") == (
        "Ware; Preis\nWare: Apfel; Preis: 1,5\nWare: Birne; Preis: 2,0"
    )


def test_a_single_column_keeps_its_commas():
    assert load_text("sentence\nHello, world\nOne, two, three\nEnd\n", ".csv") == "sentence\nHello, world\nOne, two, three\nEnd"


def test_a_first_row_of_numbers_is_no_header():
    assert load_text("1,2.5,-3\na,b,c\n", ".csv") == "1; 2.5; -3\na; b; c"


def test_a_header_alone_is_text():
    assert load_text("name,price\n", ".csv") == "name; price"


def test_ragged_rows_keep_every_value():
    assert load_text("a,b\n1,2,3\n4\n,\n5,6\n7,8\n9,10\n", ".csv") == (
        "a; b\na: 1; b: 2; 3\na: 4\na: 5; b: 6\na: 7; b: 8\na: 9; b: 10"
    )


def test_a_huge_cell_is_read():
    assert len(load_text("id,text\n1," + "x" * 3_000_000, ".csv")) == 3_000_000 + len("id; text\nid: 1; text: ")


def test_excel_s_line_about_its_separator_is_obeyed():
    assert load_text("sep=;\na;b\n1;2\n", ".csv") == "a; b\na: 1; b: 2"


# -- JSON lines


def test_a_line_is_a_document_and_other_keys_are_metadata():
    result = load_lines(
        {"id": "a", "text": "hi", "title": "T", "metadata": {"lang": "en", "n": 1}, "n": 2, "tags": ["x"]}, {"_id": 7}
    )
    a, seven = result.drafts
    assert (a.id, a.text, a.title, a.metadata) == ("a", "hi", "T", {"n": 1, "tags": ["x"], "lang": "en"})
    assert (seven.id, seven.text, seven.title, seven.metadata) == ("7", "", None, {})
    assert result.errors == ()


def test_id_goes_before_the_underscored_id_which_is_then_metadata():
    result = load_lines({"id": "a", "_id": 1, "text": "x"}, {"id": None, "_id": "b"})
    assert [(draft.id, draft.metadata) for draft in result.drafts] == [("a", {"_id": 1}), ("b", {})]


def test_a_line_without_an_id_gets_one_from_its_content_whatever_the_order_of_its_keys():
    first, second = (load_lines(line).drafts[0].id for line in ('{"text": "é", "x": 1}', '{"x":1,"text":"\\u00e9"}'))
    assert first == second
    assert re.fullmatch(r"sha256:[0-9a-f]{32}", first)
    assert load_lines({"text": "f"}).drafts[0].id != first


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('{"text": }', "not valid JSON: Expecting value at character 10"),
        ('{"text": "a" "b"}', "not valid JSON: Expecting ',' delimiter at character 14"),
        ('{"text": "a", "n": NaN}', "not valid JSON: NaN is no JSON number"),
        ('{"text": "a", "n": -Infinity}', "not valid JSON: -Infinity is no JSON number"),
        ('"just a string"', "expected an object, got a string"),
        ("[1]", "expected an object, got an array"),
        ("null", "expected an object, got null"),
        ('{"text": 1}', "'text' must be a string, got a number"),
        ('{"text": "a", "title": ["b"]}', "'title' must be a string, got an array"),
        ('{"text": "a", "metadata": "b"}', "'metadata' must be an object, got a string"),
        ('{"id": true, "text": "a"}', "the id must be a string or an integer, got true or false"),
        ('{"id": 1.5, "text": "a"}', "the id must be a string or an integer, got a number"),
        ('{"id": "1", "text": "again"}', "the id '1' was given on line 1 already"),
        ("[" * 100_000, "nested too deeply"),
        ('{"n": ' + "9" * 5000 + "}", "not valid JSON: Exceeds the limit"),
    ],
    ids=lambda value: value[:30],
)
def test_a_bad_line_is_an_error_that_names_it_and_the_others_are_kept(line, error):
    result = load_lines({"id": 1, "text": "first"}, "", line, {"id": 2, "text": "last"})
    assert [draft.text for draft in result.drafts] == ["first", "last"]
    (message,) = result.errors
    assert message.startswith(f"line 3: {error}")
    assert "\n" not in message


def test_the_same_line_twice_is_told_when_it_has_no_id():
    assert load_lines({"text": "a"}, {"text": "a"}).errors == ("line 2: the same as line 1; give each an id to keep both",)


def test_a_file_of_bad_lines_only_has_errors_and_no_documents():
    result = load_lines("no", "no")
    assert (result.drafts, len(result.errors)) == ((), 2)


def test_a_line_of_broken_utf_8_does_not_cost_the_others():
    line_template = '{{"id": {}, "text": "日本語"}}\n'
    result = load(line_template.format(1).encode() + b'{"text": "\xff\xfe"}\n' + line_template.format(2).encode(), ".jsonl")
    assert [draft.id for draft in result.drafts] == ["1", "2"]
    assert result.errors == ("line 2: broken UTF-8 at byte 10 of the line",)


def test_line_separators_inside_a_string_do_not_end_the_line():
    assert load_lines('{"text": "a\u2028b\u0085c"}').drafts[0].text == "a\u2028b\u0085c"


def test_a_byte_order_mark_and_windows_line_ends_are_no_errors():
    result = load(b'\xef\xbb\xbf{"id":1,"text":"a"}\r\n{"id":2,"text":"b"}\r\n', ".jsonl")
    assert (len(result.drafts), result.errors) == (2, ())


# -- real files


def find_real_files(*kinds, predicate=lambda path: True):
    paths = [
        path for kind in kinds for path in sorted((DATA / kind).glob("*")) if path.suffix in TEXT_FORMATS and predicate(path)
    ]
    missing = pytest.param(None, marks=pytest.mark.skip(reason="the real files of ../shared/data/files are not there"))
    return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in paths] or [missing]


@pytest.mark.parametrize("path", find_real_files("good", "bad"))
def test_a_real_file_gives_text_or_says_why_not(path):
    try:
        result = load(path.read_bytes(), path.suffix, path.name)
    except UnreadableFileError as error:
        assert path.parent.name == "bad"
        assert "\n" not in str(error)
    else:
        assert result.drafts
        assert all(draft.text.strip() or draft.title for draft in result.drafts)
        assert not any("\0" in draft.text or "\ufffd" in draft.text for draft in result.drafts)


def read_converted_text(path):
    """Read the text that another converter found in a real file."""
    return DATA / "expected" / f"{path.name}.md"


def find_words(text):
    return set(re.findall(r"\w{3,}", text))


@pytest.mark.parametrize(
    "path", find_real_files("good", predicate=lambda path: path.suffix != ".md" and read_converted_text(path).exists())
)
def test_a_real_file_holds_the_words_that_another_converter_found(path):
    expected = re.sub(r"<!--.*?-->|\]\([^)]*\)|&\w+;", " ", read_converted_text(path).read_text(), flags=re.DOTALL).replace(
        "\\_", "_"
    )
    (draft,) = load(path.read_bytes(), path.suffix, path.name).drafts
    missing = find_words(expected) - find_words(f"{draft.title} {draft.text}")
    assert len(missing) <= len(find_words(expected)) * 0.05, sorted(missing)
