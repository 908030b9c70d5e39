"""Pages name files that exist, and their Python sessions give what they show."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
SESSIONS = ("docs/documents.md",)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_link_of_a_page_exists(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    files = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert files or links
    assert [name for name in files if not any((root / name).exists() for root in (PROJECT, PROJECT / "vecsearch"))] == []
    assert [link for link in links if not ((PROJECT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", SESSIONS)
def test_the_python_sessions_of_a_page_give_what_it_shows(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sessions = re.findall(r"```pycon\n(.*?)```", (PROJECT / page).read_text(encoding="utf-8"), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(sessions), {}, page, None, 0)
    assert len(test.examples) >= 5
    assert doctest.DocTestRunner().run(test).failed == 0
