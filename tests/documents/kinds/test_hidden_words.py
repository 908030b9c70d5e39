from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.documents.loaders.html import extract_html_text, read_page

HIDING = [
    "hidden",
    'hidden="hidden"',
    'style="display:none"',
    'style="color: red; DISPLAY : none !important"',
    "style='visibility:hidden'",
    'style="visibility: collapse;"',
    'aria-hidden="true"',
]


@pytest.mark.parametrize("attribute", HIDING)
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<div {}>Secret <b>words</b></div><p>Shown</p>", "Shown"),
        ("<p>Shown <span {}>secret</span>words</p>", "Shown words"),
        ("<h1 {}>Secret</h1><h1>Shown</h1>", "Shown"),
        ("<ul><li>Shown</li><li {}>secret</li></ul>", "Shown"),
        ("<table><tr><td>a</td><td {}>secret</td><td>b</td></tr><tr {}><td>secret</td></tr></table>", "a | b"),
        ("<img alt='secret' {}><p>Shown</p>", "Shown"),
        ("<div {}><svg><text>secret</text></svg></div><p>Shown</p>", "Shown"),
    ],
)
def test_hidden_words_are_left_out_wherever_they_stand(source, text, attribute):
    assert extract_html_text(source.replace("{}", attribute)) == (("Shown" if "<h1" in source else None), text)


@pytest.mark.parametrize(
    "attribute",
    ["hidden=until-found", 'style="display:none;display:block"', 'style="no-display:none"', "aria-hidden=false", "style"],
)
def test_what_only_looks_hidden_is_shown(attribute):
    assert extract_html_text(f"<p>One</p><p {attribute}>two</p>")[1] == "One\n\ntwo"


@pytest.mark.parametrize(
    "sheet",
    [
        ".x{display:none}",
        "p { color: red } @import url(a.css); #i, .y { visibility: hidden !important }",
        "/* .x{display:block} */ div.x {DISPLAY:none; color:red} .z{display:block}",
        "<!-- .x.y{display:none} --> @media screen { .z { display: block } }",
    ],
)
def test_what_a_style_sheet_hides_is_left_out(sheet):
    page = f"<style>{sheet}</style><p>Shown</p><div id=i class='x y'>secret <b>words</b></div>"
    assert extract_html_text(page)[1] == "Shown"


@pytest.mark.parametrize(
    "sheet",
    [
        "@media print { .x{display:none} }",  # not always
        ".x{display:none} .x.open{display:block}",
        ".x{display:none} input:checked + .x{display:flex}",
        ".x{display:none} @media (min-width:9px) { .x{visibility:visible;display:block} }",
        ".other .x{display:none}",
        ".x:after{display:none}",
        ".x-y{display:none}",
        "div{display:none}",
        ".x{display:none",
        "}}} .x{color:red}",
    ],
)
def test_what_a_style_sheet_may_show_is_shown(sheet):
    page = "<style>{}</style><p>Shown</p><div class='x'>too</div>"
    assert extract_html_text(page.format(sheet))[1] == "Shown\n\ntoo"
    assert extract_html_text(page.format(".x{display:none}") + "<script src='tabs.js'></script>")[1] == "Shown\n\ntoo"
    own = page.replace("class", "style='display:block' class")
    assert extract_html_text(own.format(".x{display:none}"))[1] == "Shown\n\ntoo"


def test_a_dialog_is_shown_where_it_is_open():
    assert extract_html_text("<p>One</p><dialog>two</dialog><dialog open>three</dialog>")[1] == "One\n\nthree"


def test_elements_of_a_drawing_hide_by_attributes():
    texts = "<text display='none'>a</text><g visibility='hidden'><text>b</text></g><text visibility='visible'>c</text>"
    assert extract_html_text(f"<p>One</p><svg>{texts}</svg>")[1] == "One\n\nc"


def test_a_page_that_a_script_shows_is_read():
    assert extract_html_text("<body style='visibility:hidden'><p>One</p></body>")[1] == "One"
    assert extract_html_text("<body><div id=app style='display:none'><p>One</p></div></body>")[1] == "One"


def test_the_page_behind_a_dialog_is_read():
    page = "<body><div aria-hidden=true><h1>News</h1><p>One</p></div><div role=dialog>Cookies?</div></body>"
    assert extract_html_text(page) == ("News", "News\n\nOne\n\nCookies?")


def test_a_header_of_inline_xbrl_is_no_word_of_the_report():
    header = (
        "<ix:header><ix:hidden><ix:nonNumeric name='dei:Type'>10-K</ix:nonNumeric></ix:hidden><xbrli:period>2020</xbrli:period>"
    )
    report = '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL"><body>'
    page = f"{report}<div>{header}</ix:header></div><p>Revenue <ix:nonFraction name='us-gaap:Revenues'>12</ix:nonFraction></p>"
    assert extract_html_text(f"{page}</body></html>")[1] == "Revenue 12"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(HIDING)), min_size=1, max_size=8))
def test_shown_words_are_found_once_and_in_order(blocks):
    words = [f"word{number}" for number in range(len(blocks))]
    source = "".join(f"<div><p {'' if shown else how}>{word}</p></div>" for word, (shown, how) in zip(words, blocks, strict=True))
    shown_words = [word for word, (shown, _) in zip(words, blocks, strict=True) if shown]
    assert read_page(source + "<p>end</p>").text.split() == [*shown_words, "end"]
