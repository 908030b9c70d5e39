from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files"


def read(data, suffix):
    (draft,) = load(RawFile("file", suffix, content=data if isinstance(data, bytes) else data.encode()))
    return draft


def read_xml(data):
    return read(data, ".xml")


# -- JSON


def test_a_json_file_is_its_values_with_their_names():
    draft = read('{"b": [1, 2],\n "a": "caf\\u00e9"}\n', ".json")
    assert (draft.text, draft.sections[0].location) == ("b: 1, 2\na: café", {"lines": 1})


def test_json_nested_without_end_is_text_like_any_other():
    assert len(read("[" * 100_000, ".json").text) == 100_000


# -- words


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<a>one</a>", "one"),
        ("<a><b>one</b><c>two</c></a>", "one\ntwo"),
        ("<a><b>one</b> <c/> <c>two\n  lines</c></a>", "one\ntwo lines"),
        ("<p>Hel<b>lo</b>, <i>wor</i>ld <br/>again</p>", "Hello, world again"),
        ("<a><p>Hello <b>world</b></p><p><b>Bye</b></p></a>", "Hello world\nBye"),
        ("<r><i><n>a</n><v>1</v></i><i><n>b</n><v>2</v></i></r>", "a\n1\n\nb\n2"),
        ("<l>Text<list><li>a</li><li>b</li></list>more</l>", "Text\n\na\nb\n\nmore"),
        ("<a>one\n\n  two\nlines\n \nthree</a>", "one\n\ntwo lines\n\nthree"),
        ('<a xml:space="preserve">* one\n* two</a>', "* one\n* two"),
        ("<a><![CDATA[1 < 2]]> &amp; &#233;&lt;</a>", "1 < 2 & é<"),
        ("<a><!-- no --><?no no?>yes</a>", "yes"),
        ("<a><style>p {}</style><script>x()</script><b>yes</b></a>", "yes"),
        ("<x:a xmlns:x='u'><x:b>one</x:b><y:c>two</y:c></x:a>", "one\ntwo"),
    ],
)
def test_elements_give_lines_and_words_stay_together(source, text):
    assert read_xml(source).text == text


def test_an_empty_element_says_its_attributes_like_a_row():
    assert read_xml('<p><ref id="7" name="x y"/><ref xmlns:q="u" xsi:type="t" id="8"/></p>').text == "id: 7; name: x y\nid: 8"
    assert read_xml('<p>see <ref id="7"/> there</p>').text == "see there"
    assert read('<svg><g><desc>a house</desc><path d="M 1 2"/></g></svg>', ".xml").text == "a house"


def test_attributes_that_hold_words_are_read_above_the_elements_that_they_name():
    assert read_xml('<opml><outline text="News" n="1"><outline text="One"/></outline></opml>').text == "News\ntext: One"


# -- what a file says of itself


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("<rss><channel><title>Feed</title><item><title>Entry</title></item></channel></rss>", "Feed"),
        ("<feed xmlns='http://www.w3.org/2005/Atom'><title> A\n feed </title><entry><title>E</title></entry></feed>", "A feed"),
        ("<book><info><title>Book</title></info><p>x</p></book>", "Book"),
        ("<svg><title>Drawing</title><desc>x</desc></svg>", "Drawing"),
        ("<project><name>Tool</name><x>y</x></project>", "Tool"),
        ("<project><name>Tool</name><title>Title</title></project>", "Title"),
        ("<list><person><name>Ann</name></person></list>", None),
        ("<a><b><c><d><e><title>Deep</title></e></d></c></b></a>", None),
    ],
)
def test_the_title_stands_near_the_root(source, title):
    assert read_xml(source).title == title


def test_author_dates_and_language_are_what_stands_near_the_root():
    channel = "<language>de</language><pubDate>Fri, 21 Nov 1997 09:55:06 -0600</pubDate><item><author>nobody</author></item>"
    assert read_xml(f"<rss><channel>{channel}</channel></rss>").metadata == {
        "language": "de",
        "created": "1997-11-21T09:55:06-06:00",
    }
    feed = "<author><name>Ann</name></author><updated>2020-01-02T03:04:05Z</updated><entry><updated>1999-01-01</updated></entry>"
    assert read_xml(f'<feed xml:lang="en">{feed}</feed>').metadata == {
        "author": "Ann",
        "modified": "2020-01-02T03:04:05+00:00",
        "language": "en",
    }


@pytest.mark.parametrize("suffix", [".rss", ".atom", ".xml"])
def test_pages_in_feeds_are_read_as_pages(suffix):
    item = "<item><title>T</title><description>&lt;p&gt;one&lt;/p&gt;&lt;p&gt;two &amp;amp; more</description></item>"
    assert read(f"<rss><channel>{item}</channel></rss>", suffix).text == "T\n\none\n\ntwo & more"


# -- encodings


def test_xml_is_read_in_the_encoding_that_it_declares():
    source = '<?xml version="1.0" encoding="{}"?><a><b>Привет</b></a>'
    for encoding in ("koi8-r", "windows-1251", "utf-8", "utf-16"):
        assert read_xml(source.format(encoding).encode(encoding)).text == "Привет"


def test_xml_that_is_utf_8_is_read_so_whatever_it_declares():
    assert read_xml('<?xml version="1.0" encoding="iso-8859-1"?><a>café</a>'.encode()).text == "café"


def test_white_space_before_the_declaration_is_forgiven():
    assert read_xml('\n  <?xml version="1.0"?><a>x</a>').text == "x"


# -- hostile and damaged files


def test_a_document_type_without_entities_is_no_harm():
    assert read_xml("<!DOCTYPE r [<!ELEMENT r (#PCDATA)><!ATTLIST r a CDATA 'x'>]><r>words</r>").text == "words"
    assert read_xml("<!DOCTYPE r SYSTEM 'file:///no/such.dtd'><r>caf&eacute;&nbsp;&bogus;au lait</r>").text == "café au lait"


def test_defaults_of_attributes_do_not_unfold():
    with pytest.raises(EmptyFileError, match="no text in it"):
        read_xml(f"<!DOCTYPE r [<!ATTLIST b a CDATA '{'x' * 100_000}'>]><r>{'<b/>' * 10_000}</r>")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("<a>\n<b></a>", "not well-formed XML: mismatched tag at line 2"),
        ("\n\n<a>\n", "not well-formed XML: no element found at line 4"),
        ("words", "not well-formed XML: syntax error at line 1"),
        ("<a>" * 100_000, "nested deeper than 1,000 levels"),
    ],
)
def test_what_is_not_well_formed_says_where(source, error):
    with pytest.raises(UnreadableFileError, match=error) as excinfo:
        read_xml(source)
    assert "\n" not in str(excinfo.value)


def test_xml_without_words_says_so():
    for source in ("", " \n", "<a>\n <b/></a>", "<a>&nbsp;</a>"):
        with pytest.raises(EmptyFileError, match=r"no text in it|the file is empty"):
            read_xml(source)
    with pytest.raises(BinaryFileError, match="binary"):
        read_xml(gzip.compress(b"<a>x</a>"))


@pytest.mark.parametrize(
    ("name", "title", "words"),
    [
        ("good/tika__example.xml", None, "hello world! the quick brown fox jumped over the lazy dog\n"),
        (
            "good/tika__testTEI.xml",
            "Bi-criteria Algorithm for Scheduling Jobs on Cluster Platforms *",
            "Pierre-François\nDutot\n",
        ),
        ("good/tika__testXML.xml", "Tika test document", "Archimède et Lius à Châteauneuf testing chars en été"),
        ("bad/tika__testXXE.xml", "no text in it", None),
    ],
)
def test_real_files_give_their_words_or_say_why_not(name, title, words):
    if not (DATA / name).exists():
        pytest.skip("the real files of ../shared/data/files are not there")
    if words is None:
        with pytest.raises(UnreadableFileError, match=title):
            read_xml((DATA / name).read_bytes())
    else:
        draft = read_xml((DATA / name).read_bytes())
        assert draft.title == title
        assert words in draft.text
