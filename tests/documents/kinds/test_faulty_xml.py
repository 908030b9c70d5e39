from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.xml_recovery import XmlRecovery


def read_all(source, suffix=".xml"):
    """Read a file: its document, and what is said of it."""
    items = list(load(RawFile("file", suffix, content=source if isinstance(source, bytes) else source.encode())))
    (document,) = (item for item in items if isinstance(item, ParsedDocument))
    return document, [item.message for item in items if isinstance(item, ParseWarning)]


@pytest.mark.parametrize("suffix", [".xml", ".rss", ".atom", ".svg"])
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_names_of_html_are_known_without_a_declaration(suffix, encoding):
    source = (
        f'<?xml version="1.0" encoding="{encoding}"?><r><t label="Bridge &copy;">Caf&eacute;&nbsp;&mdash; é</t><p>Words</p></r>'
    )
    document, problems = read_all(source.encode(encoding), suffix)
    assert (document.text.replace("\xa0", " "), problems) == ("Café — é\nWords", [])


def test_names_of_html_are_known_in_attributes():
    for dtd in ("", "<!DOCTYPE r SYSTEM 'x.dtd'>"):
        document, problems = read_all(f"{dtd}<r><o text='Caf&eacute; &#233; &amp; bar'><i>x</i></o></r>")
        assert (document.text, problems) == ("Café é & bar\nx", [])


@pytest.mark.parametrize(
    ("source", "text", "line"),
    [
        ("<m>\n<p>Turn the valve & wait.</p><p>Go</p></m>", "Turn the valve & wait.\nGo", 2),
        ("<m><p>AT&T</p>\n<p>R&D more</p></m>", "AT&T\nR&D more", 1),
        ("<m><p u='a?b=1&c=2'>x</p><p>y</p></m>", "x\ny", 1),
        ("<m><p>1 < 2</p><p>x <3</p></m>", "1 < 2\nx <3", 1),
        ("<m><p>if x<y then</p>\n<p>n<m<k, so</p></m>", "if x<y then\nn<m<k, so", 1),
        ("<m><p>One</p>\n<p>two</p><p", "One\ntwo", 2),
        ("<m><p>One<p>two<p>three</m>", "One\ntwo\nthree", 1),
        ("<m><i><p>One<p>two</i><i><p>three <b>four</i></m>", "One\ntwo\n\nthree four", 1),
        ("<m><p>One</b></p>\n<p>two</p></m>", "One\ntwo", 1),
        ("<m><p>One <b>two</p><p>three</p></m>", "One two\nthree", 1),
        ("<m><p>One</p>\n<p>two", "One\ntwo", 2),
        ("<m><p>One</p></m>\n<m><p>two</p></m>", "One\n\ntwo", 2),
        ("<m><p>One</p></m> and more", "One\n\nand more", 1),
        ("<m><p a=1>One</p><p checked>two</p></m>", "One\ntwo", 1),
        ("<m><p a='1' a='2'>One</p><p>two</p></m>", "One\ntwo", 1),
        ("<m><p>O\x01ne</p><p>t&#1;wo</p></m>", "One\ntwo", 1),
        ("<m><p>One</p><p><![CDATA[1 < 2", "One\n1 < 2", 1),
    ],
)
def test_what_is_not_well_formed_gives_its_words_and_says_where(source, text, line):
    document, problems = read_all(source)
    assert document.text.replace("\n\n", "\n") == text.replace("\n\n", "\n")
    assert len(problems) == 1
    assert problems[0].startswith("not well-formed XML")
    assert problems[0].endswith(f"at line {line}")


@pytest.mark.parametrize(
    ("declarations", "source", "text"),
    [
        ('<!ENTITY co "Acme Ltd">', "<p>From &co; now</p>", "From Acme Ltd now"),
        ("<!ENTITY a '&b;!'><!ENTITY b 'x'>", "<p>&a;</p>", "x!"),
        ("<!ENTITY a 'first'><!ENTITY a 'second'>", "<p>&a;</p>", "first"),
        ("<!ENTITY amper '&#38;#38;'>", "<p>R&amper;D</p>", "R&D"),
        ("<!ENTITY part '<q>one</q><q>two</q>'>", "<p>&part;</p>", "one\ntwo"),
        ("<!ENTITY copy 'mine'>", "<p>&copy;</p>", "mine"),
        ("<!-- <!ENTITY a 'no'> it's --><!ENTITY a 'yes'>", "<p>&a;</p>", "yes"),
        ("<!ELEMENT p ANY><!ENTITY a 'x'>", "<o text='&a; &a;'><p>y</p></o>", "x x\ny"),
        ("<!ENTITY a 'x'>", "<p><![CDATA[&a; <b>]]></p><!-- &a; -->", "&a; <b>"),
    ],
)
def test_entities_of_the_file_are_read(declarations, source, text):
    assert read_all(f"<!DOCTYPE r [{declarations}]><r>{source}</r>") in [
        (document, []) for document in [read_all(f"<r>{_escape_text(text)}</r>")[0]]
    ]


def _escape_text(text):
    lines = [f"<p>{escape(line)}</p>" for line in text.split("\n")]
    return "".join(lines)


BOMB = "<!ENTITY a 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10 if n else '&a;'}'>" for n in range(10))


@pytest.mark.parametrize(
    ("declarations", "entity", "problem"),
    [
        (BOMB, "a9", "the entity a9 unfolds to too much"),
        ("<!ENTITY a '&b;'><!ENTITY b '&a;&a;'>", "a", "the entity a unfolds to too much"),
        (f"<!ENTITY a '{'x' * 99_000}'>", "a", "the entity a unfolds to too much"),
        ("<!ENTITY a SYSTEM 'file:///etc/hostname'>", "a", "the entity a is not declared in it"),
        ("<!ENTITY % a SYSTEM 'http://localhost:9/x'> %a;", "a", "the entity a is not declared in it"),
    ],
    ids=["laughs", "circle", "blowup", "file", "parameter"],
)
def test_entities_without_end_or_in_other_files_stay_as_they_are_written(declarations, entity, problem):
    calls = f"&{entity};" * 1_000
    document, problems = read_all(f"<!DOCTYPE r [{declarations}]><r><p b='{calls}'>{calls}</p><p>Words</p></r>")
    assert problems == [problem]
    assert f"&{entity};" in document.text
    assert document.text.endswith("\nWords")
    assert len(document.text) < 1_100_000


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "<![CDATA[", "<?", "<!DOCTYPE [", "<a b='", "</a", "&a", "<!DOCTYPE a [<!--", '="&']
)
def test_faults_without_end_are_read_once(piece):
    source = "<r><p>x</p>" + piece * 20_000
    with suppress(UnreadableFileError):  # nested too deeply
        assert list(load(RawFile("file", ".xml", content=source.encode())))


class Events(list):  # type: ignore[type-arg]
    """What a handler was given, words next to each other joined."""

    def start(self, name, attributes):
        self.append((name, attributes))

    def add(self, text):
        if self and isinstance(self[-1], str):
            self[-1] += text
        elif text:
            self.append(text)

    def end(self, name):
        self.append((name, None))


names = st.sampled_from(["a", "b:c", "d-e"])
words = st.text("ab <>&'\"é\n", max_size=6)
trees = st.recursive(
    words, lambda inner: st.tuples(names, st.dictionaries(names, words, max_size=2), st.lists(inner, max_size=3))
)


def write(node):
    """Write a tree as XML, and as what a reader is to be given."""
    if isinstance(node, str):
        return escape(node), [node] if node else []
    name, attributes, children = node
    parts = [write(child) for child in children]
    source = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    plain = dict(attributes)
    inner = "".join(part for part, _ in parts)
    return f"<{name}{source}>{inner}</{name}>", [(name, plain), *(event for _, events in parts for event in events), (name, None)]


@given(st.tuples(names, st.just({}), st.lists(trees, max_size=4)))
def test_a_sound_text_is_read_in_order_and_without_a_fault(tree):
    source, expected = write(tree)
    events, joined = Events(), Events()
    for event in expected:
        joined.add(event) if isinstance(event, str) else joined.append(event)
    recovery = XmlRecovery(events)
    assert recovery.read(source) is None
    assert (events, recovery.problems) == (joined, [])


def test_a_book_with_a_bare_ampersand_in_its_list_of_chapters_is_read():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr("META-INF/container.xml", "<container><rootfile full-path='main.opf'/></container>")
        metadata = "<metadata><title>Tom & Jerry&nbsp;&copy; &bogus;</title></metadata>"
        manifest = "<manifest><item id='a' href='a.xhtml?x=1&y=2'/><item id='b' href='b.xhtml'/></manifest>"
        book.writestr("main.opf", f"<package>{metadata}{manifest}<spine><itemref idref='b'/></spine></package>")
        book.writestr("b.xhtml", "<html><body><p>Words</p></body></html>")
    document, problems = read_all(stream.getvalue(), ".epub")
    assert (document.title, document.text, problems) == ("Tom & Jerry © &bogus;", "Words", [])
