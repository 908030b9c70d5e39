"""What pages show happens: their commands, Python and links are tried, and what is generated is what a command makes now."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

import vecsearch
from docs.make import pictures, sessions
from docs.make.command_reference import list_commands, make_command_reference
from docs.make.python_reference import list_names, make_python_reference
from docs.make.site import lay_out_site
from tests.conftest import PROJECT
from vecsearch.encoders.base import TextEncoder

DOCS = PROJECT / "docs"
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))]
NEAR = 0.02  # 8-bit arithmetic differs that much between processors
CHANGING = re.compile(
    r"\d+(?:[.,]\d+)? (?:k|M|G)?(?:B|s|ms|minutes?|hours?)\b"  # sizes and times
    r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?\S*|\b[0-9a-f]{32}\b|(?<=  )\d+\.\d$"  # moments, hashes, milliseconds
)


@pytest.fixture(scope="module", autouse=True)
def encoding_once(encoder: TextEncoder) -> Iterator[None]:
    """Let the real encoder make each text's vector once, for all pages that index the same notes."""
    made: dict[str, Any] = {}
    encode = encoder.encode_documents

    def encode_new(texts: Sequence[str]) -> Any:
        new = [text for text in dict.fromkeys(texts) if text not in made]
        made.update(zip(new, encode(new), strict=True) if new else ())
        return np.array([made[text] for text in texts])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "encode_documents", encode_new)
        yield


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out a home whose notes are indexed, for every page that begins with one to copy."""
    folder = tmp_path_factory.mktemp("home")
    with sessions.at_home(folder) as session:
        sessions.make_home(folder)
        assert session.run_line("vecsearch index notes")[0] == 0
    (folder / ".cache/models").unlink()
    (folder / ".cache").rmdir() if not any((folder / ".cache").iterdir()) else None
    return folder


def read_page(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if sessions.parse_blocks(read_page(page)) and page != "CONTRIBUTING.md"])
def test_what_a_page_shows_happens(page: str, indexed: Path, tmp_path: Path) -> None:
    text = read_page(page)
    home = tmp_path / "home"
    home.mkdir()
    if text.startswith(sessions.INDEXED):
        copytree(indexed, home, dirs_exist_ok=True)
    else:
        sessions.make_home(home)
    with sessions.at_home(home.resolve()) as session:
        for block in sessions.parse_blocks(text):
            match block.kind:
                case "console":
                    for step, output in session.run_steps(block):
                        assert_alike(step.command, output, step.shown)
                case "sh":
                    session.run_commands(block)
                case "python":
                    session.run_python(block)
                case _:
                    assert session.run_examples(block) == 0, block.text


def assert_alike(command: str, output: str, shown: str) -> None:
    """Check for the same lines, in whatever order near ties come, with figures that are near and without times and sizes."""
    actual, expected = (sorted(split_figures(text)) for text in (output, shown))
    assert Counter(line for line, _ in actual) == Counter(line for line, _ in expected), f"$ {command}\n{output}"
    for (line, figures), (_, others) in zip(actual, expected, strict=True):
        assert figures == pytest.approx(others, abs=NEAR), line


def split_figures(text: str) -> Iterator[tuple[str, list[float]]]:
    """Yield each line with its decimal fractions taken out, and these."""
    for line in text.splitlines():
        fixed = CHANGING.sub("…", line.rstrip())
        fixed = re.sub(r"^ ?\d+ (?= *(?:-?\d\.\d|sim ))", "N ", fixed)
        yield re.sub(r" *-?\d\.\d+", " #", fixed), [float(figure) for figure in re.findall(r"-?\d\.\d+", fixed)]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_link_of_a_page_exists(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", read_page(page), flags=re.MULTILINE | re.DOTALL)
    files = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", text)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [name for name in files if not any((root / name).exists() for root in (PROJECT, PROJECT / "vecsearch"))] == []
    for link in links:
        target, _, anchor = link.partition("#")
        path = (PROJECT / page).parent / target if target else PROJECT / page
        assert path.exists(), link
        assert not anchor or anchor in list_anchors(path.read_text(encoding="utf-8")), link
        assert page in {"README.md", "CONTRIBUTING.md"} or path.resolve().is_relative_to(DOCS), f"{link} leaves the site"


def list_anchors(text: str) -> list[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_what_is_generated_is_what_the_command_makes_now() -> None:
    hint = "run: python -m docs.make"
    assert read_page("docs/cli.md") == make_command_reference(), hint
    assert read_page("docs/python-api.md") == make_python_reference(), hint
    assert (DOCS / "pictures/flow.svg").read_text(encoding="utf-8") == pictures.draw_flow(), hint
    terminal = (DOCS / "pictures/terminal.svg").read_text(encoding="utf-8")
    assert "@font-face" not in terminal
    assert all(command.split()[1] in terminal for command in pictures.COMMANDS)


def test_the_references_name_every_command_and_every_public_name() -> None:
    commands, python = read_page("docs/cli.md"), read_page("docs/python-api.md")
    assert [name for name in list_commands() if f"\n## `vecsearch {name}`\n" not in commands] == []
    assert [name for name in list_names() if f"`{name}`\n" not in python and f"`vecsearch.{name}`\n" not in python] == []
    methods = [name for name, member in vars(vecsearch.Collection).items() if callable(member) and not name.startswith("_")]
    assert len(methods) > 5
    assert [name for name in methods if f"#### `Collection.{name}`" not in python] == []


def test_every_page_is_on_the_site_and_the_readme_is_short() -> None:
    site = (DOCS / "zensical.toml").read_text(encoding="utf-8")
    assert [path.name for path in DOCS.glob("*.md") if f'"{path.name}"' not in site] == []
    assert len(read_page("README.md").splitlines()) <= 150


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the extra `docs` is not installed")
    lay_out_site(tmp_path / "site")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(tmp_path / "site/zensical.toml")]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "site/html/searching/index.html").exists()
