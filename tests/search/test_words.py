"""Lexical search: stems of the language, identifiers and versions, phrases, prefixes, scripts without spaces; no query fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecsearch
from tests.checks import is_sound
from vecsearch.text.analyzer import STEMMERS, get_analyzer
from vecsearch.text.normalization import fold
from vecsearch.text.query_parser import ClauseKind, parse_query

TEXTS = {
    "one": "Release 1.0.21 mends the crash of 1.0.20.",
    "two": "Release 1.0.210 brings nothing; see also 1.0 and 21 others.",
    "cpp": "In C++ a std::vector grows by itself.",
    "c": "In C a vector is an array that you grow.",
    "sharp": "C# has lists.",
    "snake": "The function foo_bar calls getUserName and returns a state-of-the-art result.",
    "plain": "A bar of foo, said the user, whose name is art of the state.",
    "mail": "Write to jane.doe@example.com about AT&T.",
    "tokyo": "東京都に住んでいます。",
    "kyoto": "京都は古い町です。",
    "seoul": "서울은 대한민국의 수도이다",
    "hindi": "हिन्दी भाषा भारत में बोली जाती है",
    "forms": "He jumped; she was jumping; they organized an organization.",
    "cafe": "A café in Straße 5, naïve and déjà vu.",
    "quoted": "Alzheimer's disease and the don't of l'amour.",
}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("words") / "w.vec", stemmer="en")
    collection.add(list(TEXTS.values()), ids=list(TEXTS), vectors=np.eye(384)[: len(TEXTS)])
    return collection


def search_ids(collection: vecsearch.Collection, query: str) -> list[str]:
    return [hit.id for hit in collection.search(query, mode="lexical", limit=20)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("1.0.21", "one"), ("v1.0.21", "one"), ("1.0.210", "two"), ("C++", "cpp"), ("c++ vector", "cpp"), ("std::vector", "cpp"),
        ("C#", "sharp"), ("foo_bar", "snake"), ("getUserName", "snake"), ("getusername", "snake"), ("user name", "plain"),
        ("jane.doe@example.com", "mail"), ("AT&T", "mail"), ("東京", "tokyo"), ("京都", "kyoto"),
        ("住", "tokyo"), ("대한민국", "seoul"), ("भाषा", "hindi"), ("jumps", "forms"), ("cafe", "cafe"), ("CAFÉ", "cafe"),
        ("strasse", "cafe"), ("deja vu", "cafe"), ("alzheimer", "quoted"), ("Alzheimer’s", "quoted"), ("organ*", "forms"),
        ("exampl*", "mail"), ("1.0.*", "one"), ('"said the user"', "plain"), ('"jumping"', "forms"),
    ],
)  # fmt: skip
def test_what_is_found_first(words: vecsearch.Collection, query: str, first: str) -> None:
    assert search_ids(words, query)[0] == first


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("C++", {"cpp"}), ("C#", {"sharp"}), ('"foo bar"', {"snake"}), ('"1.0.21"', {"one"}), ('"jumps"', set()),
        ("京", {"tokyo", "kyoto"}), ("organiza*", {"forms"}), ("zebra*", set()), ('"vector grows"', {"cpp"}),
    ],
)  # fmt: skip
def test_what_is_found_at_all(words: vecsearch.Collection, query: str, expected: set[str]) -> None:
    assert set(search_ids(words, query)) == expected


def test_an_identifier_outranks_its_scattered_words(words: vecsearch.Collection) -> None:
    assert search_ids(words, "foo_bar")[:2] == ["snake", "plain"]
    assert search_ids(words, "1.0.21")[:2] == ["one", "two"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("place that lends money", [("word", "place"), ("word", "lend"), ("word", "money")]),
        ("to be or not to be", [("word", word) for word in ("to", "be", "or", "not")]),
        ('the "new york" bank', [("phrase", "new york"), ("word", "bank")]), ("?!", []),
        ("jump Jump jumping", [("word", "jump")]),
        ('unclosed "quote', [("word", "unclos"), ("word", "quot")]), ('"bound"', [("form", "bound")]),
        ("boun*", [("prefix", "boun")]),
        ("foo_bar", [("phrase", "foo bar"), ("word", "foo"), ("word", "bar")]), ("C++", [("form", "c++")]),
        ("NEAR(a b) AND x*", [("word", "near"), ("word", "b"), ("word", "x")]), ("東京都", [("word", "東京"), ("word", "京都")]),
    ],
)  # fmt: skip
def test_what_is_looked_up(query: str, expected: list[tuple[str, str]]) -> None:
    assert [(clause.kind.value, clause.text) for clause in parse_query(query, get_analyzer("en"))] == expected


@given(query=st.text(max_size=80))
def test_no_text_is_an_error(words: vecsearch.Collection, query: str) -> None:
    if query.strip() and "\0" not in query:
        try:
            query.encode()
        except UnicodeEncodeError:
            return
        assert len(words.search(query, mode="lexical")) <= len(TEXTS)


@given(text=st.text(max_size=200))
def test_every_word_of_a_text_finds_the_text(text: str) -> None:
    """Whatever a text holds, a query of one of its tokens is looked up under terms or forms that the text was indexed by."""
    analyzer = get_analyzer("en")
    indexed = analyzer.analyze(text)
    tokens = list(analyzer.tokenize(text))
    shared = {token.start for token, before in zip(tokens[1:], tokens, strict=False) if token.start < before.end}
    for token in tokens:
        if token.start in shared or token.end - 1 in shared:
            continue  # a character like ㍘, of a number and a word: what is cut out with it is no token of the text
        for clause in parse_query(text[token.start : token.end], analyzer):
            match clause.kind:
                case ClauseKind.WORD:
                    assert clause.text in indexed.terms
                case ClauseKind.PHRASE:
                    assert f" {clause.text} " in f" {' '.join(indexed.terms)} "
                case ClauseKind.FORM:
                    assert clause.text in indexed.forms
                case ClauseKind.PREFIX:
                    assert any(form.startswith(clause.text) for form in indexed.forms)


@given(text=st.text(max_size=100))
def test_no_term_or_form_is_taken_apart_by_the_table(text: str) -> None:
    analysis = get_analyzer("en").analyze(text)
    assert not any(char.isspace() or char == '"' for term in [*analysis.terms, *analysis.forms] for char in term)
    assert all(term for term in [*analysis.terms, *analysis.forms])


@given(text=st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


# -- languages


@pytest.mark.parametrize("language", [*STEMMERS, "none"])
def test_every_language_has_a_stemmer(language: str) -> None:
    assert get_analyzer(language).analyze("Ein Wort 1").terms


GERMAN = (
    "Die Verteidigung der Mannschaft gab nur wenige Punkte ab und belegte den sechsten Platz in der Liga, während sie die "
    "Häuser der Stadt verließ. Niemand wusste, warum die alten Bücher in den Schränken standen und wer sie dorthin stellte."
)


def test_the_language_of_the_first_documents_is_the_collection_s(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "de.vec") as collection:
        collection.add([GERMAN], ids=["haus"], vectors=np.eye(384)[:1])
        assert search_ids(collection, "Haus") == ["haus"]
        assert search_ids(collection, "warum wer und der") == ["haus"]  # function words count where there are no others


def test_a_short_beginning_is_taken_for_english_and_can_be_changed(tmp_path: Path, shell: Any) -> None:
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(["viele Häuser"], ids=["haus"], vectors=np.eye(384)[:1])
        assert search_ids(collection, "Haus") == []
        collection.optimize(stemmer="de")
        assert search_ids(collection, "Haus") == ["haus"]
        collection.add(["ein altes Haus"], ids=["altes"], vectors=np.eye(384)[1:2])
        assert set(search_ids(collection, "Häuser")) == {"haus", "altes"}
        collection.delete("haus")
        assert search_ids(collection, "Häuser") == ["altes"]
    assert is_sound(tmp_path / "x.vec")
    assert "stemmer  german" in shell("status", "--db", tmp_path / "x.vec").out
    assert shell("optimize", "--stemmer", "en", "--db", tmp_path / "x.vec").status == 0
    with vecsearch.open(tmp_path / "x.vec") as collection:
        assert search_ids(collection, "Häuser") == []


def test_a_language_that_is_not_the_collection_s_is_refused_with_the_command(tmp_path: Path, shell: Any) -> None:
    (tmp_path / "a.txt").write_text("viele Häuser")
    assert shell("index", "a.txt", "--stemmer", "de").status == 0
    assert "viele Häuser" in shell("search", "Haus", "--mode", "lexical").out
    result = shell("index", "a.txt", "--stemmer", "fr")
    assert result.status == 1
    assert "vecsearch optimize --stemmer fr -c default" in result.err


def test_another_language_than_there_is_is_refused_with_all_there_are(tmp_path: Path) -> None:
    with pytest.raises(vecsearch.InputError, match=r"stemmer must be one of ar, .*, or 'none' for no stems, got 'klingon'"):
        vecsearch.open(tmp_path / "x.vec", stemmer="klingon")
    assert not (tmp_path / "x.vec").exists()


def test_threads_share_an_analyzer() -> None:
    texts = [f"{word}ing {word}ed {word}s number{n}" for n in range(400) for word in ("jump", "walk", "organiz")]
    single_terms = [get_analyzer("en").analyze(text).terms for text in texts]
    get_analyzer.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        parallel_terms = list(pool.map(lambda text: get_analyzer("en").analyze(text).terms, texts))
    assert parallel_terms == single_terms
