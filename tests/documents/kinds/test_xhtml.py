from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.raw_file import RawFile

XMLNS = 'xmlns="http://www.w3.org/1999/xhtml"'
SELF_CLOSED = (
    "script style title textarea iframe noscript template nav svg object select h2 i pre div span td li a button".split()
)


def read(raw):
    (document,) = load(raw)
    return document


def extract_text(body, declaration=f"<html {XMLNS}>"):
    return extract_html_text(f"{declaration}<head><title/></head><body>{body}</body></html>")[1]


@pytest.mark.parametrize("tag", SELF_CLOSED)
@pytest.mark.parametrize("declaration", [f"<html {XMLNS}>", '<?xml version="1.0" encoding="UTF-8"?><html>'])
def test_an_element_that_closes_itself_holds_nothing(tag, declaration):
    assert extract_text(f"<p>One</p><{tag} id='a/b>c' class=\"x\"/><p>two</p>", declaration) == "One\n\ntwo"


@pytest.mark.parametrize("attribute", ["hidden='hidden'", "aria-hidden='true'", "style='display:none'"])
def test_an_icon_that_closes_itself_hides_nothing_after_it(attribute):
    assert extract_text(f"<p>One <i {attribute}/>two</p>") == "One two"


def test_the_words_of_a_cdata_section_are_read():
    assert extract_text("<p><![CDATA[1 < 2 & <b>]]> is so</p>") == "1 < 2 & <b> is so"


def test_scripts_and_comments_stay_what_they_are():
    script = "<script>//<![CDATA[\nwrite('<script/>', \"<p/>\")//]]></script>"
    assert extract_text(f"{script}<!-- <script/> --><p>a<br/>b</p>") == "a\nb"


def test_elements_with_a_prefix_are_those_of_the_page():
    page = '<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:body><h:script/><h:p>One</h:p><h:p>two</h:p></h:body></h:html>'
    assert extract_html_text(page)[1] == "One\n\ntwo"


def test_a_page_of_html_keeps_its_rules():
    assert extract_html_text("<p>a</p><script/>not shown</script><p>b</p>")[1] == "a\n\nb"


def test_a_file_is_read_so_whatever_its_suffix():
    page = f'<?xml version="1.0"?><html {XMLNS}><head><title/><script src="x.js"/></head><body><h1>Tides</h1></body></html>'
    for suffix in (".xhtml", ".html", ".htm"):
        document = read(RawFile("file", suffix, content=page.encode()))
        assert (document.title, document.text) == ("Tides", "Tides")


@given(st.lists(st.sampled_from(SELF_CLOSED), max_size=6))
def test_words_around_closed_elements_are_found_once_and_in_order(tags):
    body = "".join(f"<p>word{number}</p><{tag}/>" for number, tag in enumerate(tags))
    assert extract_text(f"{body}<p>end</p>").split() == [*(f"word{number}" for number in range(len(tags))), "end"]


@pytest.mark.parametrize("piece", ["<!--", "<![CDATA[", "<script>", "<a \"'", "<a /", '<a x="'])
def test_what_is_never_closed_is_read_once(piece):
    assert isinstance(extract_html_text(f"<html {XMLNS}>" + piece * 20_000)[1], str)
