"""The pages for contributors name files that exist."""

from __future__ import annotations

import re

import pytest

from tests.conftest import PROJECT

PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_link_of_a_page_exists(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    files = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert files or links
    assert [name for name in files if not any((root / name).exists() for root in (PROJECT, PROJECT / "vecsearch"))] == []
    assert [link for link in links if not ((PROJECT / page).parent / link).exists()] == []
