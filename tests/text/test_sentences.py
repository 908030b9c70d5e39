from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.text.sentences import has_sentence_end, split_sentences

DOCS = Path(__file__).parents[2] / "sample_data" / "docs"

# a bar stands where a sentence ends
HARD = {
    "titles and clock": "Dr. Smith met Mrs. Jones at 5 p.m. on Monday.| They talked until 6 p.m.| Then they left.",
    "dotted": "Use a tool, e.g. grep or sed, i.e. a filter.| Then stop.",
    "german": "Das gilt z.B. für Hunde, d.h. für Tiere, z. B. Hasen.| Am 3. Oktober auch.| Siehe Abb. 4.| Um 20 n. Chr. war es.",
    "numbers": "The U.S. economy grew 3.14 percent.| It was version 1.0.21 then.| The score was 24.| They won.",
    "ellipses": "Wait... what?| No…| Yes!| Well . . . perhaps.",
    "quotes": 'He said "Stop."| She left.| "Now!" he cried.| (It was late.)| **They slept.**| Er sagte: „Halt.“| Sie ging.',
    "footnotes": "It is so.[12]| Another says no.[3][4]| The end.",
    "chinese": "今天天气很好。|我们去公园!|好吗？|好。",
    "japanese": "これは文です。|彼は「はい。」と言った。|「いいえ。」|終わり。",
    "hindi": "क्या है।| हाँ।| यह है॥",
    "arabic": "هل هذا صحيح؟| نعم.| لا.",
    "initials": "J. K. Rowling wrote it, not W. Shakespeare.| He had MS. |She had not.| It is 5 m. |The rest is not.",
    "references": "See Fig. 3, pp. 4–7 and cf. Smith et al. (2003), vol. 2.| It is vs. them.| No.| That is wrong.",
    "addresses": "See https://example.com/a.b?c=d. |It works.| Mail a.b@c.de for more.| Use Node.js here.",
    "lower case": "the wing stalls .| the nose drops .| it dives",
    "markdown": "# Title\n|A text that\nflows on.| Second one.\n|- first item\n  goes on\n|- second.| More\n|1. One\n|2. Two",
    "heading": "Harbour seals\n|The harbour seal lives in the North Atlantic and\nNorth Pacific.\n\n|Adults\n\n|They are grey.",
    "code": "def f(x):\n|    return x.y\n\n|a = {\n|    1;\n|}",
    "pages": "the page ends here\f|Another begins",
}


@pytest.mark.parametrize("marked_text", HARD.values(), ids=HARD)
def test_hard_texts_end_where_a_reader_ends_them(marked_text):
    text = marked_text.replace("|", "")
    assert [text[sentence.start : sentence.end] for sentence in split_sentences(text)] == [
        part.strip() for part in marked_text.split("|") if part.strip()
    ]


def test_each_row_of_a_table_stands_alone():
    rows = ["| Motion | Axis |", "|---|---|", "| pitch | wing tip to wing tip. Or so. |"]
    text = "\n".join(rows)
    assert [text[sentence.start : sentence.end] for sentence in split_sentences(text)][:2] == rows[:2]


def assert_lawful(text: str) -> None:
    spans, last = split_sentences(text), 0
    for span in spans:
        sentence = text[span.start : span.end]
        assert sentence
        assert sentence == sentence.strip()
        assert not text[last : span.start].strip()
        assert last <= span.start
        last = span.end
    assert not text[last:].strip()


@given(st.text())
def test_any_text_keeps_the_laws(text):
    assert_lawful(text)


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [*"aZé.!?…\"'“”«»()[]-*#|。」の9", " ", "\n", "\n\n", "\u00a0", "\u2028", "\u2029", "\f", "\r\n", "z.B", "\ud800"]
        )
    )
)
def test_texts_of_marks_and_breaks_keep_the_laws(pieces):
    assert_lawful("".join(pieces))


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.*")), ids=lambda path: path.name)
def test_the_sample_documents_keep_the_laws(path):
    assert_lawful(path.read_text(encoding="utf-8", errors="replace"))


@pytest.mark.parametrize("unit", ["a. ", ".", ". ", '."', "a\n", " ", "\n", ".[1", "x;", "。」", "A.(", "# a\n", "- "], ids=repr)
def test_the_time_grows_with_the_length_alone(unit):
    text = unit * (300_000 // len(unit))
    began = time.process_time()
    split_sentences(text)
    assert time.process_time() - began < 3


def test_only_what_closes_a_sentence_ends_it():
    assert all(has_sentence_end(text) for text in ("Stop.", 'He said "No!"', "好。」", "These:", "So it is.[3]", "**Yes.**"))
    assert not any(has_sentence_end(text) for text in ("", "the lease which", "3.14", "Title"))
