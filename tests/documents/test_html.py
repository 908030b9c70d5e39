from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.raw_file import RawFile


def extract_text(source):
    return extract_html_text(source)[1]


def page(source):
    (draft,) = load(RawFile("file", ".html", content=source.encode()))
    return draft


def find_section(draft, words):
    """Find the section that some words stand in: the path of headings, and the context."""
    section = [section for section in draft.sections if section.start <= draft.text.index(words)][-1]
    return section.location.get("heading", []), section.context


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One<p>two", "One\n\ntwo"),
        ("<div>one</div><section>two</section>", "one\n\ntwo"),
        ("a<br>b", "a\nb"),
        ("a<br><br>b", "a\nb"),
        ("a <b>bo</b>ld\n\n word", "a bold word"),
        ("<span>a</span> <span>b</span>", "a b"),
        ("<p><a>Home</a><a>News</a></p>", "Home News"),
        ("<nav><a>Home</a></nav><p>one", "one"),
        ("caf&eacute; &amp; &#x1F600;&nbsp;x", "café & 😀 x"),
        ("data&shy;base", "database"),
        ("before <img src=x alt='a red cat'> after<img>", "before a red cat after"),
        ("a<hr>b", "a\n\nb"),
        ("plain words", "plain words"),
        ("", ""),
        ("<frameset><frame></frameset>", ""),
    ],
)
def test_words_are_laid_out_as_a_reader_sees_them(source, text):
    assert extract_text(source) == text


@pytest.mark.parametrize("tag", ["script", "style", "noscript", "template", "svg", "iframe"])
def test_what_no_reader_sees_is_dropped(tag):
    assert extract_text(f"<p>a</p><{tag}>hidden</{tag}><!-- nor this --><p>b</p>") == "a\n\nb"


def test_a_list_item_is_a_line_whatever_is_in_it():
    assert extract_text("<p>x</p><ul><li>a<li><p>b</p><p>c</p><ul><li>d</ul></ul>y") == "x\n\na\nb\nc\nd\n\ny"


def test_a_definition_list_has_a_line_for_term_and_meaning():
    assert extract_text("<dl><dt>Tea<dd>a drink</dl>") == "Tea\na drink"


def test_a_table_row_is_a_line_and_its_cells_are_parted():
    source = (
        "<table><caption>Drinks</caption><tr><th>Name<th>Price<tr><td><p>Black</p><p>tea</p><td>2<tr><td>Milk<td></table>after"
    )
    assert extract_text(source) == "Drinks\nName | Price\nBlack tea | 2\nMilk\n\nafter"


def test_a_table_that_is_a_page_layout_keeps_its_paragraphs():
    assert (
        extract_text("<table><tr><td><p>menu<td><p>one<p>two<table><tr><td>1<td>2</table></table>")
        == "menu\n\none\n\ntwo\n\n1 | 2"
    )


def test_preformatted_text_keeps_its_white_space():
    assert extract_text("<p>see</p><pre><code>\ndef f():\n    return  1\n\n\n# end\n</code></pre><p>so</p>") == (
        "see\n\ndef f():\n    return  1\n\n\n# end\n\nso"
    )


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("<title> The\n title </title><h1>Heading</h1>", "The title"),
        ("<title></title><h1>The <i>first</i></h1><h1>second</h1>", "The first"),
        ("<svg><title>icon</title></svg><p>x", None),
        ("<h1></h1><h1>second</h1>", "second"),
        ("<p>x</p>", None),
    ],
)
def test_the_title_is_the_title_element_or_the_first_heading(source, title):
    assert extract_html_text(source)[0] == title


def test_a_title_that_is_never_closed_does_not_swallow_the_page():
    assert extract_html_text("<title>Broken<body><p>one<p>two") == (None, "Broken\n\none\n\ntwo")


@pytest.mark.parametrize("tag", ["div", "b", "span", "ul><li", "table><tr><td", "blockquote"])
def test_ten_thousand_nested_elements_are_read(tag):
    assert extract_text(f"<{tag}>" * 10_000 + "deep") == "deep"


@given(st.text(st.sampled_from("<>/ab p=\"'&;!-\n") | st.characters(exclude_categories=["Cs"])))
def test_any_string_is_a_page(source):
    title, text = extract_html_text(source)
    assert text == text.rstrip()
    assert title is None or title.strip()


TAGS = "<p> </p> <li> <td> <table> </table> <pre> </pre> <br> <h1> </h1> <b> </b> <a> </a>"
SOUP = st.sampled_from(["word", "\n", *TAGS.split()])


@given(st.lists(SOUP))
def test_no_word_is_lost_or_doubled_in_any_soup_of_tags(pieces):
    assert extract_text("<body>" + "".join(pieces)).count("word") == pieces.count("word")


# -- layout


def test_a_cell_with_a_heading_in_it_or_alone_with_paragraphs_is_layout():
    assert extract_text("<table><tr><td>menu<td><h1>Title</h1><p>one<p>two</table>") == "menu\n\nTitle\n\none\n\ntwo"
    assert extract_text("<table><tr><td><p>one<p>two<tr><td>three</table>") == "one\n\ntwo\n\nthree"
    assert extract_text("<table><tr><th><h4>Name</h4><th>Price<tr><td>tea<td>2</table>") == "Name | Price\ntea | 2"


# -- headings

GUIDE = """<title>Guide</title><p>Before<h1>Guide</h1><div><p>Intro</div><h2>Install <i>it</i></h2>One<h3>Linux</h3>
<pre>

apt
</pre><h2>Use</h2><h2>Stop</h2><ul><li>Last</ul>"""


@pytest.mark.parametrize(
    ("words", "path", "context"),
    [
        ("Before", [], ""),
        ("Guide", ["Guide"], ""),
        ("Intro", ["Guide"], ""),
        ("Install", ["Guide", "Install it"], ""),
        ("One", ["Guide", "Install it"], "Install it"),
        ("Linux", ["Guide", "Install it", "Linux"], "Install it"),
        ("apt", ["Guide", "Install it", "Linux"], "Install it › Linux"),
        ("Use", ["Guide", "Use"], ""),
        ("Stop", ["Guide", "Stop"], ""),
        ("Last", ["Guide", "Stop"], "Stop"),
    ],
)
def test_every_stretch_of_a_page_knows_its_headings(words, path, context):
    assert find_section(page(GUIDE), words) == (path, context)


def test_a_heading_is_a_place_to_cut_by_its_level():
    draft = page(GUIDE)
    priorities = [
        (draft.text[section.start :].partition("\n")[0], section.split_priority)
        for section in draft.sections
        if section.split_priority
    ]
    assert priorities == [("Guide", 1), ("Install it", 2), ("Linux", 3), ("Use", 2), ("Stop", 2)]


def test_a_page_without_headings_has_no_sections():
    assert page("<title>T</title><p>one<p>two").sections == ()


@pytest.mark.parametrize(
    "heading", ["<h1></h1>", "<h1> \n </h1>", "<h1><img></h1>", "<nav><h1>x</h1></nav>", f"<h1>{'long ' * 70}</h1>"]
)
def test_a_heading_without_words_or_with_too_many_is_none(heading):
    assert find_section(page(f"<h2>A</h2>{heading}<p>words"), "words") == (["A"], "A")


def test_a_heading_is_named_without_the_sign_that_links_to_it():
    assert find_section(page('<h1>A</h1><h2>Set\xadup\u200b <a href="#b">¶</a></h2><p>words'), "words")[0] == ["A", "Setup"]


@pytest.mark.parametrize("pre", ["<pre><h2>A\n\n\n</h2></pre>", "<pre>x\n<h2>A</h2>\n\n\n</pre>", "<ul><li><h2>A</h2></ul>"])
def test_the_text_below_a_heading_begins_with_its_first_word(pre):
    draft = page(f"{pre}<p>words")
    assert find_section(draft, "words") == (["A"], "A")
    assert draft.sections[-1].start == draft.text.index("words")


# -- tables


@pytest.mark.parametrize(
    "head",
    ["<tr><th>Name<th>Price", "<thead><tr><td>Name<td>Price<tbody>", "<caption>All</caption><thead><tr><th>Name<th>Price<tbody>"],
)
def test_the_rows_of_a_table_have_its_header_above_them_and_what_follows_does_not(head):
    draft = page(f"<h1>Shop</h1><table>{head}<tr><td>tea<td>2<tr><th>milk<td>1</table><p>after<h2>More</h2>end")
    assert find_section(draft, "Name") == (["Shop"], "")
    assert find_section(draft, "tea") == (["Shop"], "Name | Price")
    assert find_section(draft, "milk") == (["Shop"], "Name | Price")
    assert find_section(draft, "after") == (["Shop"], "")
    assert find_section(draft, "end") == (["Shop", "More"], "More")


def test_two_rows_of_a_header_stand_above_the_others():
    draft = page("<table><tr><th colspan=2>Drinks<tr><th>Name<th>Price<tr><td>tea<td>2</table>")
    assert find_section(draft, "tea")[1] == "Drinks\nName | Price"


@pytest.mark.parametrize(
    "table",
    [
        "<tr><td>Name<td>Price<tr><td>tea<td>2",
        "<tr><th>Name<td>tea<tr><th>Price<td>2",
        "<tr><th>a<tr><th>tea",
        "<tr><th>menu<tr><td><table><tr><td>tea</table>",
        "<tr><td>tea</td></tr><tr><th>late<tr><td>end",
    ],
)
def test_a_table_without_a_header_row_and_a_layout_have_nothing_above_their_rows(table):
    assert page(f"<p>x<table>{table}</table>").sections == ()


# -- what it states


@pytest.mark.parametrize(
    ("head", "metadata"),
    [
        ("<meta name=author content=' Ada  Lovelace '>", {"author": "Ada Lovelace"}),
        ("<meta name=Author content=Ada><meta name=author content=Bob><meta name=author content=Ada>", {"author": "Ada, Bob"}),
        ("<meta property=article:author content=https://x.y/ada><meta name=DC.creator content=Ada>", {"author": "Ada"}),
        ("<meta name=date content=2024-01-02>", {"created": "2024-01-02"}),
        (
            "<meta name=date content=2020><meta property=article:published_time content=2024-01-02T03:04:05Z>"
            "<meta property=article:modified_time content='2024-02-03 04:05'>",
            {"created": "2024-01-02T03:04:05+00:00", "modified": "2024-02-03T04:05:00"},
        ),
        ("<meta http-equiv=last-modified content='Tue, 02 Jan 2024 03:04:05 GMT'>", {"modified": "2024-01-02T03:04:05+00:00"}),
        ("<meta name=author><meta name=author content=''><meta content=x><meta name=date content=yesterday>", {}),
    ],
)
def test_what_a_page_states_about_itself_is_metadata(head, metadata):
    assert page(f"{head}<p>text").metadata == metadata


def test_the_language_of_a_page_is_metadata():
    assert page("<html lang=de-AT><p>Text").metadata == {"language": "de-AT"}
    assert page("<html lang=''><p lang=fr>Text").metadata == {}


# -- any page

STRUCTURE = "<h1> </h1> <h2> </h2> <th> <tr> <thead> <tbody> <li> <td> <table> </table> <pre> </pre> <br> <p> <b> </b>"


@given(st.lists(st.sampled_from(["word", "\n", "x ", *STRUCTURE.split()])))
def test_sections_ascend_within_the_text_in_any_soup_of_tags(pieces):
    draft = page("<body>words " + "".join(pieces))
    sections = draft.sections
    assert not sections or sections[0].start == 0
    assert all(section.start < other.start < len(draft.text) for section, other in pairwise(sections))
    for section in sections:
        assert section.split_priority is None or section.start == 0 or draft.text[section.start - 1] == "\n"
        assert (
            section.split_priority is None or draft.text[section.start :].split()[0] == section.location["heading"][-1].split()[0]
        )


@pytest.mark.parametrize("tag", ["h1><b", "table><tr><th", "table><tr><td><h2", "table><thead><tr><td"])
def test_ten_thousand_nested_headings_and_tables_are_read(tag):
    assert page(f"<{tag}>" * 10_000 + "deep").text.endswith("deep")
