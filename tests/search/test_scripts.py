"""What a reader sees is what is found: phrases, beginnings and words in every script, however the text is encoded."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest
import regex
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import vecsearch
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.normalization import fold, normalize
from vecsearch.text.query_parser import parse_query

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLACES = count()
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u2066\u2069\ufeff\ufe0e\ufe0f\u034f\U000e0101"

TEXTS = {
    "tokyo": "私は東京都に住んでいます。", "tower": "東京 Tower is red", "wrapped": "東京都 Tower",
    "kana": "カタカナとひらがな", "case": "iPhone 手机壳很好", "weather": "今天，天气很好", "year": "2024年5月",
    "seoul": "서울은 대한민국의 수도이다", "south": "남서울 날씨가 좋다", "thai": "ภาษาไทยสวยงามมาก", "lao": "ພາສາລາວງາມ",
    "khmer": "ភាសាខ្មែរស្អាត", "myanmar": "မြန်မာဘာသာစကား", "url": "see https://www.example.com/path now",
    "release": "release v1.0.21-rc is out", "dotted": "1.0.210 came", "private": "self._private is set",
    "tag": "look at #hashtag and @mention", "brackets": "all (organizations) agree", "price": "cost $value -flag --dry-run",
    "snake": "call foo_bar(getUserName) again", "art": "a state-of-the-art method", "cpp": "modern C++ code",
    "node": "node.js runs", "contraction": "they don't know, l’amour", "cafe": "a café in İstanbul",
    "spanish": "la organización mundial", "path": r"C:\Users\name", "plural": "two happy rivers",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture(scope="module")
def collection(folder: Path) -> vecsearch.Collection:
    return store(folder, TEXTS.values(), ids=list(TEXTS), stemmer="en")


def store(folder: Path, texts: object, *, ids: Sequence[str] | None = None, stemmer: str = "none") -> vecsearch.Collection:
    """Store texts, whose ids are their numbers unless they are given."""
    listed = list(texts)  # type: ignore[call-overload]
    opened = vecsearch.open(folder / f"{next(PLACES)}.vec", stemmer=stemmer)
    opened.add(listed, ids=ids or [str(number) for number in range(len(listed))], vectors=np.eye(384)[: len(listed)])
    return opened


def find(collection: vecsearch.Collection, query: str) -> set[str]:
    return {hit.id for hit in collection.search(query, mode="lexical", limit=100)}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"東京"', {"tokyo", "tower", "wrapped"}), ('"東京都"', {"tokyo", "wrapped"}), ('"京都に"', {"tokyo"}),
        ('"都"', {"tokyo", "wrapped"}), ('"東京 Tower"', {"tower"}), ('"東京都 tower"', {"wrapped"}),
        ('"東京Tower"', {"tower"}), ('"住んで"', {"tokyo"}), ('"タカナと"', {"kana"}), ('"iPhone 手机壳"', {"case"}),
        ('"iPhone 手机"', {"case"}), ('"iPhone 手"', {"case"}), ('"iPhone 机"', set()), ('"今天 天气"', {"weather"}),
        ('"今天，天气很"', {"weather"}), ('"天，天"', {"weather"}), ('"2024年5月"', {"year"}), ('"2024年"', {"year"}),
        ('"서울"', {"seoul", "south"}), ('"서울은 대한민국"', {"seoul"}), ('"서울 날씨"', {"south"}), ('"ไทย"', {"thai"}),
        ('"ไทยสวย"', {"thai"}), ('"ສາລາ"', {"lao"}), ('"ខ្មែរ"', {"khmer"}), ('"ဘာသာ"', {"myanmar"}), ('"東都"', set()),
        ('“東京 Tower”', {"tower"}), ("東京*", {"tokyo", "tower", "wrapped"}), ("東*", {"tokyo", "tower", "wrapped"}),
        ("서울*", {"seoul"}), ("서*", {"seoul"}), ("남서*", {"south"}), ("대한민*", {"seoul"}), ("ภาษา*", {"thai"}),
        ("ພາສາ*", {"lao"}), ("ភាសា*", {"khmer"}), ("မြန်မာ*", {"myanmar"}), ("天气*", {"weather"}), ('"東京 Tow*"', {"tower"}),
        ("東京Tow*", {"tower"}), ('"iPhone 手*"', {"case"}), ('"서울은 대한*"', {"seoul"}), ("カタ*", {"kana"}),
        ("https://www.exam*", {"url"}), ("https://w*", {"url"}), ("www.exam*", {"url"}), ("example.co*", {"url"}),
        ("example.com/pa*", {"url"}), ("v1.0*", {"release", "dotted"}), ("v1*", {"release"}), ("v1.*", {"release"}),
        ("1.0.2*", {"release", "dotted"}), ("1.0.21*", {"release", "dotted"}), ("1.0.21-*", {"release", "dotted"}),
        ("_priv*", {"private"}), ("self._priv*", {"private"}), ("#hash*", {"tag"}), ("@ment*", {"tag"}),
        ("(organ*", {"brackets", "spanish"}), ("$va*", {"price"}), ("-flag*", {"price"}), ("--dry-r*", {"price"}),
        ("foo_ba*", {"snake"}), ("foo_*", {"snake"}), ("getUserNa*", {"snake"}), ("getuserna*", {"snake"}),
        ("state-of-the-ar*", {"art"}), ('"state-of-the-ar*"', {"art"}), ("C+*", {"cpp"}), ("c++*", {"cpp"}),
        ("node.j*", {"node"}), ("node.*", {"node"}), ("don't*", {"contraction"}), ("don’*", {"contraction"}),
        ("l'amo*", {"contraction"}), ("café*", {"cafe"}), ("caf*", {"cafe"}), ("İst*", {"cafe"}), ("ist*", {"cafe"}),
        ("organiza*", {"brackets", "spanish"}), ('"all organizat*"', {"brackets"}), ('"la organiza*"', {"spanish"}),
        ('"la organización*"', {"spanish"}), (r"C:\Use*", {"path"}), ('"two happy*"', {"plural"}),
        ('"happy riv*"', {"plural"}), ('"happy rivers*"', {"plural"}), ('"two riv*"', set()), ('"rivers hap*"', set()),
        ("foo.ba*", {"snake"}), ("zebra.cros*", set()),
    ],
)  # fmt: skip
def test_phrases_and_beginnings(collection: vecsearch.Collection, query: str, expected: set[str]) -> None:
    assert find(collection, query) == expected


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("co\u00adoperate", "cooperate"), ("foo\u200bbar", "foobar"), ("foo\u2060bar", "foobar"), ("\ufeffword", "word"),
        ("wo\u200erd", "word"), ("葛\U000e0100城", "葛城"), ("می\u200cروم", "میروم"), ("क्\u200dष", "क्ष"),
        ("❤\ufe0fheart", "heart"), ("1\ufe0f\u20e3", "1"), ("שָׁלוֹם", "שלום"), ("בְּרֵאשִׁ֖ית", "בראשית"), ("כִּתְבֵי־הַקֹּדֶשׁ", "כתבי-הקדש"),
        ("\ufb2aלום", "שלום"), ("كِتَابٌ", "كتاب"), ("كتـــاب", "كتاب"), ("\ufedb\ufe98\ufe8e\ufe8f", "كتاب"), ("هٰذَا", "هذا"),
        ("کتابی", "كتابي"), ("ＡＢＣ", "abc"), ("１２３", "123"), ("ｶﾞﾗｽ", "ガラス"), ("ｶﾀｶﾅ", "カタカナ"),
        ("ﬁnance", "finance"), ("ﬂow", "flow"), ("ǅ", "ǆ"), ("cafe\u0301", "café"), ("naïve", "naive"),
        ("non\u2011breaking", "non-breaking"), ("1990–1995", "1990-1995"), ("−5−3", "5-3"), ("don’t", "don't"),
        ("donʼt", "don't"), ("п’ять", "п'ять"), ("Straße", "STRASSE"), ("STRAẞE", "straße"), ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("İSTANBUL", "istanbul"), ("ISPARTA", "ısparta"), ("Å", "Å"), ("H₂O", "h2o"), ("½", "1/2"), ("e\u00ad\u0301t", "ét"),
        ("각", "각"), ("น้ำ", "น้ํา"), ("น้ำ", "นํ้า"), ("ന്\u200d", "ൻ"), ("a\u0332b", "ab"), ("ｆｏｏ＿ｂａｒ", "foo_bar"),
        ("ẛ", "ṡ"), ("Ⅷ", "viii"), ("ﷺ", "صلى الله عليه وسلم"), ("ё", "е"), ("col·lecció", "coŀlecció"),
    ],
)  # fmt: skip
def test_what_looks_the_same_is_found_both_ways(folder: Path, text: str, query: str) -> None:
    with store(folder, [text, query, "другое 別 other"]) as collection:
        for question in (text, query, f'"{text}"', f'"{query}"'):
            assert find(collection, question) == {"0", "1"}, question


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("мой", "мои"), ("їх", "іх"), ("กา", "กี"), ("ก่า", "ก้า"), ("की", "का"), ("ज़रा", "जरा"), ("が", "か"),
        ("أن", "ان"), ("đa", "da"), ("øl", "ol"),
        ("C++", "C#"), ("ᄀ", "ᄁ"), ("ශ්‍රී", "ශරී"), ("כתב", "כתת"), ("foo-bar", "foobar"), ("x2", "x3"), ("ە", "ه"), ("5", "٥"),
    ],
)  # fmt: skip
def test_what_looks_different_is_told_apart(folder: Path, one: str, other: str) -> None:
    with store(folder, [one, other]) as collection:
        assert find(collection, f'"{one}"') == {"0"}
        assert find(collection, f'"{other}"') == {"1"}


def test_turkish_capitals_have_the_stems_of_small_letters(folder: Path) -> None:
    with store(folder, ["KIZLAR ISIRDI", "kızlar ısırdı"], stemmer="tr") as collection:
        assert find(collection, "kızlar") == find(collection, "KIZLAR") == find(collection, '"kızlar ısır*"') == {"0", "1"}


# -- laws

CHARACTERS = "น้ำํ้ab éßΣи東京都カ한국서ไทยก็ลาวشلّمक्षمی1.-_'#+𠀀ﬁＡ"
texts = st.text(st.sampled_from(CHARACTERS), max_size=24)
words = st.text(st.sampled_from("abBéßσи東京カナ한국서ไก็ش"), min_size=1, max_size=4)
lines = st.lists(words, min_size=1, max_size=5).map(" ".join)


@settings(max_examples=300)
@given(text=st.one_of(texts, st.text(max_size=40)), seed=st.integers())
def test_invisible_characters_change_neither_texts_nor_queries(text: str, seed: int) -> None:
    chance = random.Random(seed)
    sprinkled = "".join(char + (chance.choice(INVISIBLE) if chance.random() < 0.4 else "") for char in text)
    analyzer = get_analyzer("en")
    assert analyzer.analyze(sprinkled) == analyzer.analyze(text)
    assert parse_query(sprinkled, analyzer) == parse_query(text, analyzer)


@settings(max_examples=300)
@given(text=st.one_of(texts, st.text(max_size=40)), form=st.sampled_from(["NFC", "NFD"]))
def test_encodings_of_the_same_text_are_analysed_the_same(text: str, form: str) -> None:
    analyzer, recoded = get_analyzer("de"), unicodedata.normalize(form, text)  # type: ignore[arg-type]
    assert analyzer.analyze(recoded) == analyzer.analyze(text)
    assert parse_query(recoded, analyzer) == parse_query(text, analyzer)


@settings(max_examples=200)
@given(text=texts, form=st.sampled_from(["NFKC", "NFKD"]))
def test_compatibility_forms_are_analysed_as_what_they_show(text: str, form: str) -> None:
    analyzer = get_analyzer("de")
    assert analyzer.analyze(unicodedata.normalize(form, text)) == analyzer.analyze(text)  # type: ignore[arg-type]


@given(text=st.text())
def test_what_is_normalized_stays_as_it_is(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@given(text=st.one_of(texts, st.text()))
def test_tokens_lie_in_the_text_in_order(text: str) -> None:
    tokens = list(get_analyzer("none").tokenize(text))
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert all(one.start <= two.start and one.end <= two.end for one, two in pairwise(tokens))


@QUICK
@given(line=lines, other=lines, data=st.data())
def test_a_stretch_of_a_text_in_quotes_finds_it(folder: Path, line: str, other: str, data: st.DataObject) -> None:
    """The stretch ends where words do, or between two visible characters of a script without spaces."""
    clusters = regex.findall(r"\X", line)
    cuts = [at for at in range(len(clusters) + 1) if can_cut("".join(clusters[:at]), "".join(clusters[at:]))]
    start, end = sorted((data.draw(st.sampled_from(cuts)), data.draw(st.sampled_from(cuts))))
    stretch = "".join(clusters[start:end])
    assume(regex.search(r"[\p{L}\p{N}]", stretch))
    with store(folder, [line, other]) as collection:
        found = find(collection, f'"{stretch}"')
        assert "0" in found
        assert ("1" in found) == holds_phrase(other, stretch)


UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]\p{M}*"


def can_cut(before: str, after: str) -> bool:
    """Return whether a phrase may begin or end between two parts of a text."""
    if not before or not after or before[-1] == " " or after[0] == " ":
        return True
    return all(regex.search(pattern, part) for pattern, part in ((UNSPACED + r"\Z", before), (r"\A" + UNSPACED, after)))


def split_parts(text: str) -> list[str]:
    """List the words of a text, the characters of scripts without spaces, and a blank at the ends of their runs."""
    runs: list[str] = regex.findall(rf"(?:{UNSPACED})+|(?:(?!{UNSPACED})[\p{{L}}\p{{M}}\p{{N}}])+", normalize(text))
    return [part for run in runs for part in ([*run, " "] if regex.match(UNSPACED, run) else [fold(run)])]


def holds_phrase(text: str, phrase: str) -> bool:
    """Return whether the parts of a phrase follow each other in a text; its last run may go on there."""
    parts, wanted = split_parts(text), split_parts(phrase)
    wanted = wanted[:-1] if wanted[-1:] == [" "] else wanted
    return any(parts[start : start + len(wanted)] == wanted for start in range(len(parts)))


@QUICK
@given(line=lines, other=lines, data=st.data())
def test_the_beginning_of_a_word_finds_it(folder: Path, line: str, other: str, data: st.DataObject) -> None:
    """A beginning alone, and after the words before it; of Japanese and Thai any stretch is one."""
    written = line.split()
    at = data.draw(st.integers(0, len(written) - 1))
    clusters = regex.findall(r"\X", written[at])
    beginning = "".join(clusters[: data.draw(st.integers(1, len(clusters)))])
    with store(folder, [line, other]) as collection:
        if len(fold(beginning)) > 1:
            found = find(collection, beginning + "*")
            assert "0" in found
            if regex.fullmatch(r"\p{Hangul}+|\p{Latin}+", beginning):
                assert ("1" in found) == any(part.startswith(fold(beginning)) for part in list_runs(other))
        if at and regex.search(r"[\p{L}\p{N}]", beginning):
            assert "0" in find(collection, f'"{" ".join([*written[:at], beginning])}*"')


def list_runs(text: str) -> list[str]:
    """List the words of a text as they are written, and its runs of scripts without spaces, those without Korean left out."""
    runs = regex.findall(rf"(?:{UNSPACED})+|(?:(?!{UNSPACED})[\p{{L}}\p{{M}}\p{{N}}])+", normalize(text))
    return [fold(run) for run in runs if regex.search(r"\p{Hangul}", run) or not regex.match(UNSPACED, run)]
