"""What of a hit is shown: the sentence that holds most of the query, where it stands, and its words."""

from __future__ import annotations

from pathlib import Path

import pytest

import vecsearch
from tests.conftest import CountingEncoder
from vecsearch.core.results import Hit, Snippet
from vecsearch.core.types import Location
from vecsearch.search.snippets import NO_TERMS, QueryTerms, find_snippets
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.query_parser import parse_query

NOTE = """# Herons

Herons stand on the muddy bank. They wait for a long time.

A grey heron strikes at fish that swim by, and eats
frogs as well. In winter many starve.
"""


def make_hit(text: str, *, title: str | None = None, location: Location | None = None, **fields: object) -> Hit:
    start = 100
    return Hit("id", 0, 1.0, None, text, title, None, start, start + len(text), {}, location or {}, **fields)  # type: ignore[arg-type]


def find_snippet(hit: Hit, terms: QueryTerms, stemmer: str) -> Snippet:
    (snippet,) = find_snippets([hit], terms, stemmer)
    return snippet


def make_terms(query: str, stemmer: str = "en", **idf: float) -> QueryTerms:
    return QueryTerms.from_query(parse_query(query, get_analyzer(stemmer)), idf, stemmer)


def list_matches(hit: Hit, query: str, stemmer: str = "en") -> list[str]:
    snippet = find_snippet(hit, make_terms(query, stemmer), stemmer)
    assert hit.text[snippet.start - hit.start : snippet.end - hit.start] == snippet.text
    return [hit.text[match.start - hit.start : match.end - hit.start] for match in snippet.matches]


def test_the_sentence_that_holds_most_of_the_query_comes_first_at_its_own_line() -> None:
    hit = make_hit(NOTE, title="Herons", location={"lines": [11, 16]})
    snippet = find_snippet(hit, make_terms("eating fish"), "en")
    assert snippet.text.startswith("They wait for a long time.\n\nA grey heron strikes")  # with its neighbours
    assert snippet.text.endswith("starve.")
    assert snippet.line == 15
    assert list_matches(hit, "eating fish") == ["fish", "eats"]
    rare = find_snippet(hit, make_terms("heron time starve", heron=1.0, time=1.0, starv=9.0), "en")
    assert (rare.text.startswith("A grey heron"), rare.line) == (True, 16)


def test_no_heading_is_shown_but_where_there_is_nothing_else() -> None:
    hit = make_hit(NOTE, title="Herons")
    for terms in (NO_TERMS, make_terms("herons"), make_terms("nothing of it")):
        assert find_snippet(hit, terms, "en").text.startswith("Herons stand")
    assert find_snippet(make_hit("# Herons", title="Herons"), NO_TERMS, "en").text == "# Herons"
    assert find_snippet(make_hit("  \n "), NO_TERMS, "en").text == "  \n "
    assert find_snippet(make_hit(""), make_terms("x"), "en").text == ""


def test_a_long_line_is_cut_before_its_first_match() -> None:
    text = "word " * 300 + "the needle is here " + "word " * 300
    snippet = find_snippet(make_hit(text, location={"lines": [3, 3]}), make_terms("needles"), "en")
    assert "needle" in snippet.text[:80]
    assert snippet.text.startswith("word ")
    assert len(snippet.text) <= 400
    assert (snippet.line, len(snippet.matches)) == (3, 1)


@pytest.mark.parametrize(
    ("text", "query", "stemmer", "words"),
    [
        ("“Café”—the cafés’ owner’s café.", "cafe", "en", ["Café", "cafés", "café"]),
        ("We call getUserName() and C++ code.", "user c++", "en", ["getUserName", "C++"]),
        ("begin beginning begun at once", "begin*", "en", ["begin", "beginning"]),
        ("the state of the art, as they say of the state", '"state of the art"', "en", ["state", "art", "state"]),
        ("Beim Häuserbau stehen Häuser.", "haus", "de", ["Häuser"]),
        ("明日の発表。干潟の水位が下がる。", "干潟", "en", ["干潟"]),
        ("\u200bzero\u200bwidth ﬁsh", "fish", "en", ["ﬁsh"]),
        ("nothing here", "else", "en", []),
    ],
)
def test_matches_are_whole_words_of_the_text_by_their_stems(text: str, query: str, stemmer: str, words: list[str]) -> None:
    assert list_matches(make_hit(text), query, stemmer) == words


def test_rows_count_as_lines_do_and_a_line_never_leaves_the_chunk() -> None:
    table = "sku: 1; text: boot\nsku: 2; text: tent\nsku: 3; text: stove"
    assert find_snippet(make_hit(table, location={"rows": [2, 4], "sheet": "A"}), make_terms("tent"), "en").line in (2, 3)
    assert find_snippet(make_hit("a.\n\n\n\nb", location={"lines": [1, 2]}), make_terms("b"), "en").line == 2
    assert find_snippet(make_hit("a", location={"page": 3}), make_terms("a"), "en").line is None


MIGRATION = "Our boat left early. The migratory flocks cross the Sahara in autumn. Lunch was late."
FLOCKS = "We took photographs. Flocks of storks gather before they cross the sea. The hotel was cheap."
ECONOMY = "Prices rose again. Most families cross the border for work. The harbour is old."


def test_where_no_word_of_the_query_matches_the_sentence_says_what_the_hits_have_in_common() -> None:
    hits = [make_hit(text) for text in (MIGRATION, FLOCKS, ECONOMY)]
    long = [make_hit(hit.text.replace(". ", f" {'and so on ' * 30}. ")) for hit in hits]
    shown = [snippet.text for snippet in find_snippets(long, NO_TERMS, "en")]
    assert [text.split(" and so on")[0] for text in shown] == [
        "The migratory flocks cross the Sahara in autumn", "Flocks of storks gather before they cross the sea",
        "Most families cross the border for work",
    ]  # fmt: skip
    assert all(not snippet.matches for snippet in find_snippets(long, make_terms("xylophone"), "en"))


def test_where_no_word_of_the_query_matches_spelling_counts_as_well() -> None:
    filler = "and so on " * 30
    text = f"Our boat left early {filler}. The migratory storks came {filler}. Lunch was late {filler}."
    assert find_snippet(make_hit(text), make_terms("immigrators"), "en").text.startswith("The migratory storks")
    assert find_snippet(make_hit(text), make_terms("lunches"), "en").text.startswith("Lunch was late")  # a word does


def test_a_dense_search_shows_a_sentence_without_another_encoding(tmp_path: Path, counting_encoder: CountingEncoder) -> None:
    with vecsearch.open(tmp_path / "notes", model=counting_encoder) as collection:
        collection.add([MIGRATION, FLOCKS, ECONOMY])
        counting_encoder.documents.clear()
        for mode in ("dense", "hybrid", "lexical"):
            hits = collection.search("birds flying south", mode=mode, highlight=True)
            assert all(hit.snippet is not None and hit.snippet.text in hit.text for hit in hits)
        assert counting_encoder.documents == []
