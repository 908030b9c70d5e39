from __future__ import annotations

import io
import zipfile

import pytest

from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.raw_file import RawFile

SVG = 'xmlns="http://www.w3.org/2000/svg"'
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


LINES = "<tspan x='0' dy='0'>Rain falls</tspan><tspan x='0' dy='1.2em'>on hills</tspan>"
KERNED = "<tspan x='0' y='0'>W</tspan><tspan x='8' y='0'>ords</tspan><tspan x='0' y='9'>below</tspan>"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>See:</p><svg><title>Water</title><text>Rain</text><text>Rivers</text></svg>", "See:\n\nWater\nRain\nRivers"),
        ("<p>a</p><svg><g><desc>A map</desc><text>Oslo</text></g></svg><p>b</p>", "a\n\nA map\nOslo\n\nb"),
        (f"<svg><text>{LINES}</text></svg>", "Rain falls on hills"),
        ("<svg><text>H<tspan dy='3'>2</tspan>O</text></svg>", "H2O"),
        (f"<svg><text>{KERNED}</text></svg>", "Words below"),
        ("<svg><text><textPath href='#p'>round a bend</textPath></text></svg>", "round a bend"),
        ("<svg><a href='x'><text>a link</text></a></svg>", "a link"),
        ("<svg><foreignObject><div><p>one</p><p>two</p></div></foreignObject></svg>", "one\n\ntwo"),
        ("<svg><switch><foreignObject><div>label</div></foreignObject><text>label</text></switch></svg>", "label"),
        ("<svg><switch><text systemLanguage='de'>Wasser</text><text>water</text></switch></svg>", "water"),
        ("<svg><switch><text systemLanguage='de'>Wasser</text><text systemLanguage='fr'>eau</text></switch></svg>", "eau"),
        ("<table><tr><td>a</td><td><svg><text>b</text><text>c</text></svg></td></tr></table>", "a | b c"),
        ("<ul><li>x <svg><text>y</text></svg></li></ul>", "x\ny"),
    ],
)
def test_the_words_of_a_drawing_are_read(source, text):
    assert extract_html_text(source)[1] == text


def test_an_icon_stays_in_its_line():
    assert extract_html_text("<p>Click <svg><path d=''/></svg> or <svg><title>the wheel</title></svg> here</p>")[1] == (
        "Click or the wheel here"
    )


@pytest.mark.parametrize(
    "inside", ["<style>p {}</style>", "<metadata>RDF</metadata>", "<symbol><title>x</title></symbol>", "loose", "<g>loose</g>"]
)
def test_what_a_drawing_does_not_show_is_no_text(inside):
    assert extract_html_text(f"<p>a</p><svg>{inside}</svg>")[1] == "a"


def make_book(**pages):
    """Make a book of fixed layout: one page a chapter."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", "<container><rootfiles><rootfile full-path='main.opf'/></rootfiles></container>")
        kinds = {name: "image/svg+xml" if page.startswith("<svg") else "application/xhtml+xml" for name, page in pages.items()}
        items = "".join(f"<item id='{name}' href='{name}' media-type='{kind}'/>" for name, kind in kinds.items())
        spine = "".join(f"<itemref idref='{name}'/>" for name in pages)
        meta = "<metadata><title>UNKNOWN</title><meta property='rendition:layout'>pre-paginated</meta></metadata>"
        book.writestr("main.opf", f"<package>{meta}<manifest>{items}</manifest><spine>{spine}</spine></package>")
        for name, page in pages.items():
            book.writestr(name, page)
    return RawFile("book", ".epub", content=stream.getvalue())


def read(raw):
    (document,) = load(raw)
    return document


def test_a_book_of_fixed_layout_is_read_page_by_page():
    plain = f"<html {XHTML}><head><title/></head><body><svg {SVG}><text>First page</text></svg></body></html>"
    drawing = f"<s:svg {SVG.replace('xmlns', 'xmlns:s')}><s:text>Second</s:text><s:text>page</s:text></s:svg>"
    prefixed = f"<html {XHTML}><body>{drawing}</body></html>"
    alone = f"<svg {SVG}><image href='x.jpg'/><text>Third page</text></svg>"
    document = read(make_book(a=plain, b=prefixed, c=alone))
    assert (document.title, document.text) == (None, "First page\n\nSecond\npage\n\nThird page")
    assert [section.start for section in document.sections] == [0, 12, 25]


def test_a_book_of_pictures_has_no_text():
    with pytest.raises(EmptyFileError, match="no text in it: pictures"):
        list(load(make_book(a=f"<svg {SVG}><image href='x.jpg'/></svg>")))
