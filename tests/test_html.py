from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.documents.html import html_text


def text_of(source):
    return html_text(source)[1]


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
    assert text_of(source) == text


@pytest.mark.parametrize("tag", ["script", "style", "noscript", "template", "svg", "iframe"])
def test_what_no_reader_sees_is_dropped(tag):
    assert text_of(f"<p>a</p><{tag}>hidden</{tag}><!-- nor this --><p>b</p>") == "a\n\nb"


def test_a_list_item_is_a_line_whatever_is_in_it():
    assert text_of("<p>x</p><ul><li>a<li><p>b</p><p>c</p><ul><li>d</ul></ul>y") == "x\n\na\nb\nc\nd\n\ny"


def test_a_definition_list_has_a_line_for_term_and_meaning():
    assert text_of("<dl><dt>Tea<dd>a drink</dl>") == "Tea\na drink"


def test_a_table_row_is_a_line_and_its_cells_are_parted():
    source = (
        "<table><caption>Drinks</caption><tr><th>Name<th>Price<tr><td><p>Black</p><p>tea</p><td>2<tr><td>Milk<td></table>after"
    )
    assert text_of(source) == "Drinks\nName | Price\nBlack tea | 2\nMilk\n\nafter"


def test_a_table_that_is_a_page_layout_keeps_its_paragraphs():
    assert text_of("<table><tr><td><p>menu<td><p>one<p>two<table><tr><td>1<td>2</table></table>") == "menu\n\none\n\ntwo\n\n1 | 2"


def test_preformatted_text_keeps_its_white_space():
    assert text_of("<p>see</p><pre><code>\ndef f():\n    return  1\n\n\n# end\n</code></pre><p>so</p>") == (
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
    assert html_text(source)[0] == title


def test_a_title_that_is_never_closed_does_not_swallow_the_page():
    assert html_text("<title>Broken<body><p>one<p>two") == (None, "Broken\n\none\n\ntwo")


@pytest.mark.parametrize("tag", ["div", "b", "span", "ul><li", "table><tr><td", "blockquote"])
def test_ten_thousand_nested_elements_are_read(tag):
    assert text_of(f"<{tag}>" * 10_000 + "deep") == "deep"


@given(st.text(st.sampled_from("<>/ab p=\"'&;!-\n") | st.characters(exclude_categories=["Cs"])))
def test_any_string_is_a_page(source):
    title, text = html_text(source)
    assert text == text.rstrip()
    assert title is None or title.strip()


TAGS = "<p> </p> <li> <td> <table> </table> <pre> </pre> <br> <h1> </h1> <b> </b> <a> </a>"
SOUP = st.sampled_from(["word", "\n", *TAGS.split()])


@given(st.lists(SOUP))
def test_no_word_is_lost_or_doubled_in_any_soup_of_tags(pieces):
    assert text_of("<body>" + "".join(pieces)).count("word") == pieces.count("word")
