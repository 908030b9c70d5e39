"""Whatever a terminal or a pipe can show, every command says what it has to say: other characters are escaped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.interfaces.rendering.output import dump_json

ENCODINGS = ["cp1252", "gbk", "latin-1", "ascii", "shift_jis", "utf-16"]
TEXT = "naïve café — ¥5 “quotes” 日本 \U0001f600 seal"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encodings")
    (folder / "nähe.txt").write_text(TEXT, encoding="utf-8")
    assert run(folder, "utf-8", "index", ".").returncode == 0
    return folder


def run(folder: Path, encoding: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "vecsearch", *arguments], cwd=folder, capture_output=True, timeout=300, check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, **env},
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_stays_valid_and_says_the_same_in_every_encoding(folder: Path, encoding: str) -> None:
    result = run(folder, encoding, "search", "seal", "--mode", "lexical", "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout.decode(encoding))["hits"][0]["text"] == TEXT


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_shows_what_the_encoding_lacks_as_an_escape(folder: Path, encoding: str) -> None:
    result = run(folder, encoding, "get", "nähe.txt")
    assert result.returncode == 0
    assert "seal" in result.stdout.decode(encoding)
    if encoding in ("cp1252", "latin-1", "gbk", "ascii"):
        assert b"\\U0001f600" in result.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["search", "--help"], ["status"], ["ls", "--sources"], ["delete", "--all", "--dry-run"]]
)
def test_every_kind_of_output_is_plain_ascii_where_it_must_be(folder: Path, arguments: list[str]) -> None:
    result = run(folder, "ascii", *arguments)
    assert result.returncode == 0
    assert result.stdout.isascii()
    assert result.stderr.isascii()


def test_errors_and_usage_are_shown_too_and_the_c_locale_counts(folder: Path) -> None:
    c_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    assert run(folder, "", "search", "seal", "--mode", "lexical", **c_locale).stdout.isascii()
    failed = run(folder, "ascii", "get", "nöne")
    assert (failed.returncode, failed.stderr.isascii(), b"n\\xf6ne" in failed.stderr) == (1, True, True)
    wrong = run(folder, "ascii", "search", "--limit", "ö", "seal")
    assert (wrong.returncode, wrong.stderr.isascii(), b"Traceback" in wrong.stderr) == (2, True, False)


@given(st.text(), st.sampled_from(["utf-8", *ENCODINGS, "cp437", "big5", "euc_kr", "iso2022_jp", "cp037"]))
def test_any_value_comes_back_from_its_json_in_any_encoding(text: str, encoding: str) -> None:
    value = {"key": text, text: [text]}
    expected = text.encode("utf-8", "replace").decode("utf-8")
    assert json.loads(dump_json(value, encoding).encode(encoding).decode(encoding))["key"] == expected
