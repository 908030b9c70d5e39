"""Documents in languages that the model was not trained on are counted and named once a run, with the way out."""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.parsed import ParsedDocument
from vecsearch.encoders.known_models import KNOWN_MODELS
from vecsearch.indexing.language_counter import LanguageCounter
from vecsearch.text.language import detect_language, detect_plain_language

GERMAN = "Die Bank gibt dem Kunden einen Kredit, wenn er ein Haus als Sicherheit hat und regelmäßig arbeitet. "
JAPANESE = "大会は来月に東京で開催されます。参加者は事前に登録してください。会場では昼食と飲み物が用意されています。"
ENGLISH = "The heron waits at the edge of the water for fish, and it stands still for a long time before it strikes. " * 2
CODE = "def read(path):\n    return [line for line in open(path) if line.strip() != '']\n" * 3
TABLE = "| SKU-1001 | 12.50 | kg |\n| SKU-1002 | 13.75 | kg |\n" * 5
TEXTS = {
    "de.txt": GERMAN,
    "jp.txt": JAPANESE,
    "en.txt": ENGLISH,
    "code.py": CODE,
    "table.csv": TABLE,
    "short.txt": "Grüße an alle",
}
STATED = {"stated.md": "---\nlanguage: fr\n---\nBonjour"}


def test_the_language_of_a_text_is_told_where_it_is_plain() -> None:
    assert {name: detect_plain_language(text) for name, text in TEXTS.items()} == {
        "de.txt": "de", "jp.txt": "ja", "en.txt": "en", "code.py": None, "table.csv": None, "short.txt": None,
    }  # fmt: skip


LIKE_ENGLISH = {  # each has many words that English has, too
    "da": "Jeg har aldrig set noget så smukt, og jeg er glad for at vi kom her for at se det, inden vi skulle have mad i haven. ",
    "no": "Jeg er glad for at vi kom hit i dag, og at det er så fint vær. I Norge er det mange som har hytte i fjellet. ",
    "nl": "Het is in Nederland niet ongewoon dat we in de zomer op vakantie gaan; als er was dan is het of in Frankrijk. ",
    "sv": "Han var i staden i går, men det var så mycket snö att vi inte kunde se något, och hon var glad att vi kom hem igen. ",
    "hu": "A ház a tó mellett áll, és a fiú a kutyával a kertben játszik, mert a nap süt, a szél pedig nem fúj. ",
}


@pytest.mark.parametrize("language", LIKE_ENGLISH)
def test_a_language_that_shares_short_words_with_english_is_told_apart(language: str) -> None:
    text = LIKE_ENGLISH[language] * 2
    assert detect_plain_language(text) == detect_language([text]) == language


def test_english_texts_are_told_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)  # importing it fails
    assert detect_plain_language(ENGLISH) == detect_language([ENGLISH, CODE]) == "en"


def test_a_run_says_once_which_documents_the_model_does_not_know(tmp_path: Path, shell: Any) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in {**TEXTS, **STATED, "de2.txt": GERMAN * 2}.items():
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    result = shell("index", "docs", "--no-vectors")
    said = [line for line in result.err.splitlines() if "does not know" in line]
    assert result.status == 0 and len(said) == 1
    assert "4 documents in languages that the model all-MiniLM-L6-v2 does not know (2 de, " in said[0]
    assert "1 ja" in said[0] and "1 fr" in said[0] and "reembed --model paraphrase-multilingual-MiniLM-L12-v2" in said[0]
    assert "does not know" not in shell("index", "docs", "--no-vectors").err  # nothing is read again
    assert "does not know" not in shell("index", "docs/de.txt", "-q", "--no-vectors", "-c", "other").err


def test_add_says_so_too_once_a_collection(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "notes") as collection:
        with pytest.warns(vecsearch.VecsearchWarning, match=r"^2 documents in languages that .* \(1 de, 1 ja\)") as caught:
            collection.add([GERMAN, JAPANESE, ENGLISH])
        assert len(caught) == 1 and "reembed --model" in str(caught[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            collection.add([GERMAN * 2])  # it is known by now
    with vecsearch.open(tmp_path / "more") as collection:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            collection.add([ENGLISH, CODE])
        with pytest.warns(vecsearch.VecsearchWarning, match="1 document in languages"):
            collection.upsert([GERMAN], ids=["1"])


def test_of_many_documents_some_are_looked_at() -> None:
    languages = LanguageCounter()
    documents = [ParsedDocument(str(n), GERMAN if n % 2 else ENGLISH) for n in range(250)]
    languages.add_some(documents, "all-MiniLM-L6-v2")
    with pytest.warns(vecsearch.VecsearchWarning, match=r"^about 1\d\d documents in languages .* \(1\d\d de\)"):
        assert languages.warn("all-MiniLM-L6-v2", "default")
    languages.add_some(documents[::2], "all-MiniLM-L6-v2")
    assert not languages.warn("all-MiniLM-L6-v2", "default")


def test_of_the_files_of_a_large_run_some_stand_for_the_others_after_the_first_five_hundred() -> None:
    few, many = LanguageCounter(), LanguageCounter()
    german, english = ParsedDocument("a", GERMAN), ParsedDocument("b", ENGLISH)
    for n in range(2_000):
        document = german if n % 3 else english
        many.add(document, "all-MiniLM-L6-v2")
        if n < 500:
            few.add(document, "all-MiniLM-L6-v2")
    for counter, pattern, least, most in (
        (few, "^([0-9]+) documents in", 333, 333),
        (many, "^about ([0-9,]+) documents in", 1_280, 1_386),
    ):
        with pytest.warns(vecsearch.VecsearchWarning) as told:
            counter.warn("all-MiniLM-L6-v2", "default")
        match = re.match(pattern, str(told[0].message))
        assert match is not None and least <= int(match[1].replace(",", "")) <= most


def test_known_models_say_what_is_true_of_them() -> None:
    assert len(KNOWN_MODELS["paraphrase-multilingual-MiniLM-L12-v2"].languages) >= 50
    for name in ("intfloat/multilingual-e5-small", "BAAI/bge-m3"):
        assert {"sw", "ta", "te", "tl", "uz", "xh", "yi", "en", "de", "ja"} <= KNOWN_MODELS[name].languages
    assert all(len(code) == 2 for model in KNOWN_MODELS.values() for code in model.languages)


def test_nothing_is_said_of_a_model_that_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text(GERMAN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with vecsearch.open(tmp_path / "f.vec", model=FakeEncoder()) as collection:
            assert collection.index([tmp_path / "de.txt"]).added == 1


def test_models_are_listed_with_languages_and_sizes(shell: Any) -> None:
    models = {model["name"]: model for model in json.loads(shell("models", "--json").out)["models"]}
    bundled, other = models["all-MiniLM-L6-v2"], models["paraphrase-multilingual-MiniLM-L12-v2"]
    assert (bundled["languages"], bundled["dimension"], bundled["megabytes"], bundled["default"]) == ("English", 384, 91, True)
    assert (other["languages"], other["available"]) == ("50 languages", False)
    assert re.search(r"^all-MiniLM-L6-v2 \(default\) +384 +91  yes   English$", shell("models").out, re.MULTILINE)
