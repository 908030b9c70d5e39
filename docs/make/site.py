"""Lay out what the site is built from: python -m docs.make.site FOLDER."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from docs.make.sessions import PROJECT


def lay_out_site(folder: Path) -> None:
    """Copy configuration, pages and pictures into the folder; the README is the first page."""
    docs, pages = PROJECT / "docs", folder / "pages"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(docs / "pictures", pages / "pictures")
    shutil.copy(docs / "zensical.toml", folder)
    for page in docs.glob("*.md"):
        shutil.copy(page, pages)
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "README.md"):
        text = (PROJECT / name).read_text(encoding="utf-8").replace("](docs/", "](").replace("](README.md", "](index.md")
        text = re.sub(r"\[([^\]]+)\]\(LICENSE\)", r"\1", text)
        (pages / name.lower().replace("readme", "index")).write_text(
            re.sub(r"\]\((C[A-Z]+\.md)", lambda link: link[0].lower(), text)
        )


if __name__ == "__main__":
    lay_out_site(Path(sys.argv[1]))
