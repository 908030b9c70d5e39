"""Make what is made: python -m docs.make [PAGE…] writes the references, the pictures, and what the pages' commands print."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from docs.make.command_reference import make_command_reference
from docs.make.demo import refresh_demo
from docs.make.pictures import write_pictures
from docs.make.python_reference import make_python_reference
from docs.make.sessions import INDEXED, PROJECT, at_home, make_home, parse_blocks, refresh_page


def refresh(path: Path) -> None:
    """Write into a page what its commands print now."""
    page = path.read_text(encoding="utf-8")
    if not parse_blocks(page):
        return
    with tempfile.TemporaryDirectory() as folder, at_home(Path(folder).resolve()) as session:
        make_home(session.home)
        if page.startswith(INDEXED):
            session.run_line("vecsearch index notes")
        path.write_text(refresh_demo(refresh_page(page, session), session), encoding="utf-8")


def main(names: list[str]) -> None:
    """Make the pages that are named, else all that is made."""
    docs = PROJECT / "docs"
    if not names:
        (docs / "cli.md").write_text(make_command_reference(), encoding="utf-8")
        (docs / "python-api.md").write_text(make_python_reference(), encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder, at_home(Path(folder).resolve()) as session:
            make_home(session.home)
            write_pictures(docs / "pictures", session)
    for path in map(Path, names) if names else [PROJECT / "README.md", *sorted(docs.glob("*.md"))]:
        print(path)
        refresh(path.resolve())


main(sys.argv[1:])
