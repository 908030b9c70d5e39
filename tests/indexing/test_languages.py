"""Documents in languages that the model was not trained on are counted and named once a run, with the way out."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.text.language import detect_plain_language

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
    assert "all-MiniLM-L6-v2  (English, 91 MB; default; on this machine)" in shell("models").out
