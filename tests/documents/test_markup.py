from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vecsearch.documents.loaders import find_loader
from vecsearch.documents.loaders.headings import HEADINGS_MAX
from vecsearch.documents.loaders.raw_file import RawFile

MARKUP = (".md", ".rst", ".adoc", ".asciidoc", ".org")


def load(text, suffix=".md"):
    raw = RawFile("file", suffix, content=text.encode())
    (draft,) = find_loader(raw)(raw)
    return draft


def find_section(draft, words):
    """Find the section that some words stand in: the path of headings, the context, and the number of the words' line."""
    place = draft.text.index(words)
    section = [section for section in draft.sections if section.start <= place][-1]
    line = section.location["lines"] + draft.text.count("\n", section.start, place)
    return section.location.get("heading", []), section.context, line


def list_levels(draft):
    return [
        (draft.text[section.start :].partition("\n")[0], section.split_priority)
        for section in draft.sections
        if section.split_priority
    ]


# -- Markdown

GUIDE = """\
Before all headings.

# Guide

Intro.

## Install ##
One line.
### Linux

Use *apt*.

## Use
---

# Appendix
Last.
"""


@pytest.mark.parametrize(
    ("words", "path", "context", "line"),
    [
        ("Before", [], "", 1),
        ("# Guide", ["Guide"], "", 3),
        ("Intro", ["Guide"], "", 5),
        ("## Install", ["Guide", "Install"], "", 7),
        ("One line", ["Guide", "Install"], "Install", 8),
        ("### Linux", ["Guide", "Install", "Linux"], "Install", 9),
        ("Use *apt*", ["Guide", "Install", "Linux"], "Install › Linux", 11),
        ("## Use", ["Guide", "Use"], "", 13),
        ("---", ["Guide", "Use"], "Use", 14),
        ("# Appendix", ["Appendix"], "", 16),
        ("Last", ["Appendix"], "Appendix", 17),
    ],
)
def test_every_stretch_of_markdown_knows_its_headings_and_its_line(words, path, context, line):
    assert find_section(load(GUIDE), words) == (path, context, line)


def test_a_heading_is_a_place_to_cut_by_its_level():
    assert list_levels(load(GUIDE)) == [("# Guide", 1), ("## Install ##", 2), ("### Linux", 3), ("## Use", 2), ("# Appendix", 1)]


def test_the_title_of_the_front_matter_leaves_the_first_heading_in_the_context():
    draft = load("---\ntitle: A book\n---\n# Part\nwords\n")
    assert find_section(draft, "words") == (["Part"], "Part", 5)
    assert find_section(draft, "title:") == ([], "", 2)


def test_underlined_headings_begin_at_their_words():
    draft = load("Title\n=====\n\nPart\n----\nwords")
    assert list_levels(draft) == [("Title", 1), ("Part", 2)]
    assert find_section(draft, "words") == (["Title", "Part"], "Part", 6)


@pytest.mark.parametrize(
    "text",
    [
        "# A\n```sh\n# no heading\n```\nwords",
        "# A\n~~~\n# no heading\n```\n# nor this\n~~~\nwords",
        "# A\n<!-- hidden\n# no heading\n-->\nwords",
        "---\ntitle: A\n# no heading\n---\n# A\nwords",
        "# A\n    # no heading\nwords",
        "# A\n#no heading\nwords",
        "# A\n####### no heading\nwords",
        "# A\n#\nwords",
        "# A\n" + "# " + "very long " * 50 + "\nwords",
    ],
)
def test_what_is_no_heading_leaves_the_place_as_it_is(text):
    assert find_section(load(text), "words")[0] == ["A"]


def test_inline_code_in_three_backticks_opens_no_block():
    assert find_section(load("```code``` and\n# A\nwords"), "words")[0] == ["A"]


def test_levels_may_be_left_out_and_repeated():
    draft = load("### deep\none\n# top\ntwo\n#### deeper\nthree\n## mid\nfour\n## mid\nfive")
    paths = [find_section(draft, words)[0] for words in ("one", "two", "three", "four", "five")]
    assert paths == [["deep"], ["top"], ["top", "deeper"], ["top", "mid"], ["top", "mid"]]


def test_the_rows_of_a_table_have_its_header_above_them_and_what_follows_does_not():
    draft = load("# Shop\n## Prices\n\n| name   | price |\n|:-------|------:|\n| tea | 2 |\n| milk | 1 |\n\nafter\n## More\nend")
    header = "Prices\n| name | price |"
    assert find_section(draft, "| name") == (["Shop", "Prices"], "Prices", 4)
    assert find_section(draft, "| tea") == (["Shop", "Prices"], header, 6)
    assert find_section(draft, "| milk") == (["Shop", "Prices"], header, 7)
    assert find_section(draft, "after") == (["Shop", "Prices"], "Prices", 9)
    assert find_section(draft, "end") == (["Shop", "More"], "More", 11)


def test_a_table_needs_no_outer_pipes_and_no_heading():
    draft = load("name | price\n--- | ---\ntea | 2\n# H | I\nx | y")
    assert [find_section(draft, words)[1] for words in ("name", "tea", "# H", "x |")] == ["", "name | price", "", ""]


@pytest.mark.parametrize(
    "text", ["a | b\n---\nc | d", "a | b\n--- | --- | ---\nc | d", "```\na | b\n--- | ---\nc | d\n```", "a\n\n|---|\nc | d"]
)
def test_what_is_no_table_has_no_header(text):
    assert all("|" not in section.context for section in load(text).sections)


def test_a_wide_header_is_told_as_far_as_it_is_short():
    name = "column " * 100
    (context,) = {section.context for section in load(f"{name}|b\n-|-\n1|2").sections} - {""}
    assert context.startswith("column column")
    assert context.endswith("…")
    assert len(context) <= 300


@pytest.mark.parametrize(
    ("front", "metadata"),
    [
        (
            'author: "Ada Lovelace"\ndate: 2024-02-03\nlang: en',
            {"author": "Ada Lovelace", "created": "2024-02-03", "language": "en"},
        ),
        ("Author: A # the first\nlanguage: de-DE", {"author": "A", "language": "de-DE"}),
        ("date: 2024-02-03 10:20:30+01:00\nlastmod: 2024-03", {"created": "2024-02-03T10:20:30+01:00", "modified": "2024-03"}),
        ("author:\n  name: A\ndate: last spring\nlang: ''", {}),
        ("author: [A, B]\ntags: x\ndate: 2024-02-31", {}),
    ],
)
def test_what_the_front_matter_states_is_metadata(front, metadata):
    assert load(f"---\n{front}\n---\ntext").metadata == metadata
    assert load(f"text\n{front}\n").metadata == {}


# -- reStructuredText

RST = """\
=====
Guide
=====

Intro.

:mod:`json` --- reading
=======================

One.

Deep
----
Two.

    Code
    ====

.. _label:

Again
=====

+------+
| cell |
+------+

paragraph
that goes on
------------

* item
------

Three.
"""


@pytest.mark.parametrize(
    ("words", "path", "context", "line"),
    [
        ("Guide", ["Guide"], "", 2),
        ("Intro", ["Guide"], "", 5),
        (":mod:", ["Guide", "json --- reading"], "", 7),
        ("One", ["Guide", "json --- reading"], "json --- reading", 10),
        ("Two", ["Guide", "json --- reading", "Deep"], "json --- reading › Deep", 14),
        ("Code", ["Guide", "json --- reading", "Deep"], "json --- reading › Deep", 16),
        ("Three", ["Guide", "Again"], "Again", 35),
    ],
)
def test_titles_of_restructured_text_have_the_levels_of_their_adornments(words, path, context, line):
    draft = load(RST, ".rst")
    assert draft.title == "Guide"
    assert find_section(draft, words) == (path, context, line)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("``code`` and *em* and **strong**", "code and em and strong"),
        ("see `the page <http://x.y>`_", "see the page"),
        (":ref:`shown <target>`", "shown"),
        (r"C\* and snake_case", "C* and snake_case"),
        ("1. Numbered", "1. Numbered"),
    ],
)
def test_a_title_of_restructured_text_is_read_without_its_markup(line, name):
    assert load(f"{line}\n{'=' * len(line)}\n", ".rst").title == name


def test_an_underline_that_is_too_short_makes_no_title():
    assert load("Long line\n===\n\nx", ".rst").title is None
    assert load("A\n=\n\nAb\n==\n", ".rst").title == "Ab"


def test_fields_at_the_beginning_are_metadata():
    draft = load("Title\n=====\n\n:Author: Ada\n:Date: 2024-01-02\n:Version: 3\n\ntext", ".rst")
    assert draft.metadata == {"author": "Ada", "created": "2024-01-02"}


# -- AsciiDoc

ADOC = """\
= Guide: a _short_ one
Ada Lovelace <ada@example.org>; Bob
:lang: en
:revdate: 2024-01-02

Intro.

== First ==
One.

----
== no heading
----

====
== nor this
====

=== Deep *and* bold
Two.

Old style
---------
Three.

[source,rb]
-----------
== not here
-----------

.Prices
|===
|name |price

|tea |2
|===

== Last
Four.
"""


@pytest.mark.parametrize("suffix", [".adoc", ".asciidoc"])
@pytest.mark.parametrize(
    ("words", "path", "line"),
    [
        ("Intro", [], 6),
        ("One", ["First"], 9),
        ("Two", ["First", "Deep and bold"], 20),
        ("Three", ["Old style"], 24),
        ("|tea", ["Old style"], 35),
        ("Four", ["Last"], 39),
    ],
)
def test_sections_of_asciidoc_are_found_outside_blocks(words, path, line, suffix):
    draft = load(ADOC, suffix)
    assert draft.title == "Guide: a short one"
    assert find_section(draft, words) == (["Guide: a short one", *path], " › ".join(path), line)


def test_the_header_of_asciidoc_is_metadata():
    assert load(ADOC, ".adoc").metadata == {"author": "Ada Lovelace, Bob", "language": "en", "modified": "2024-01-02"}
    assert load("= Title\n\nNot an author", ".adoc").metadata == {}
    assert load("= Title\nWhat follows is a sentence, not a name.", ".adoc").metadata == {}


# -- Org

ORG = """\
#+TITLE: Notes
#+AUTHOR: Ada
#+DATE: <2024-01-02 Tue>

* TODO [#A] Buy /tea/                   :shop:home:
One.
** Where
Two.
* [[http://x.y][A link]]
- item
 * item
Three.
"""


@pytest.mark.parametrize(
    ("words", "path", "line"),
    [("One", ["Buy tea"], 6), ("Two", ["Buy tea", "Where"], 8), (" * item", ["A link"], 11), ("Three", ["A link"], 12)],
)
def test_headlines_of_org_are_headings(words, path, line):
    draft = load(ORG, ".org")
    assert (draft.title, draft.metadata) == ("Notes", {"author": "Ada", "created": "2024-01-02"})
    assert find_section(draft, words) == (path, " › ".join(path), line)


def test_the_first_headline_is_the_title_of_a_file_that_states_none():
    assert load("* One\ntext", ".org").title == "One"


# -- all of them


@pytest.mark.parametrize("suffix", MARKUP)
def test_a_text_without_headings_has_lines_and_no_title(suffix):
    draft = load("one\n\ntwo\n", suffix)
    assert (draft.title, draft.text, find_section(draft, "two")) == (None, "one\n\ntwo\n", ([], "", 3))


@pytest.mark.parametrize("suffix", MARKUP)
def test_line_ends_of_windows_are_line_ends(suffix):
    text = {".md": "# H", ".rst": "H H\r\n===", ".org": "* H"}.get(suffix, "= H")
    draft = load(f"a\r\n\r\n{text}\r\nwords", suffix)
    assert draft.title.startswith("H")
    assert find_section(draft, "words")[0] == [draft.title]


def test_data_in_the_form_of_headings_has_no_outline():
    draft = load("# a\n" * (HEADINGS_MAX + 2))
    assert [(section.start, section.location) for section in draft.sections] == [(0, {"lines": 1})]
    assert draft.title == "a"


PIECES = [
    "# ", "## ", "\n", "\n\n", "===\n", "---\n", "----\n", "====\n", "```\n", "| a | b |\n", "|---|---|\n", "= ", "== ", "* ",
    "** ", "word", "Title\n=====\n", "--- \n", "<!--", "-->\n", ":author: x\n", "#+TITLE: x\n", " ", "\t", "é\u2028", "\x0c",
    "\r", "`", "[a](b)", "|===\n",
]  # fmt: skip
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff") | st.sampled_from("\n\r\t")
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(CHARACTERS, max_size=60)


@pytest.mark.parametrize("suffix", MARKUP)
@given(text=texts)
def test_of_any_text_the_text_stays_and_sections_ascend_within_it(suffix, text):
    assume(text.strip())
    draft = load(text, suffix)
    assert draft.text == text.replace("\r\n", "\n").replace("\r", "\n")
    assert draft.sections[0].start == 0
    assert all(section.start < other.start < len(draft.text) for section, other in pairwise(draft.sections))
    for section in draft.sections:
        assert section.location["lines"] == 1 + draft.text.count("\n", 0, section.start)
        assert section.split_priority is None or section.start == 0 or draft.text[section.start - 1] == "\n"
