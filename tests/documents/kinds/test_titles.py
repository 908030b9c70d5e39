from __future__ import annotations

import pytest

from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.raw_file import RawFile


def read(source, suffix=".md"):
    (document,) = load(RawFile("file", suffix, content=source.encode()))
    return document


@pytest.mark.parametrize(
    "title",
    [
        "UNKNOWN", "Title", "untitled", "Untitled-1", "Untitled Document", "(no title)", "[Unknown]", "Document1", "New Document",
        "Microsoft Word - x.doc", "Microsoft Word - Annual report", "Microsoft PowerPoint - Talk", "PowerPoint Presentation",
        "Présentation PowerPoint", "thesis.dvi", "My Report.doc", "index.html", "Unbenannt", "Sans titre 2", "null", "?", "  ",
        None,
    ],
)  # fmt: skip
def test_what_a_program_writes_is_no_title(title):
    assert normalize_title(title) is None
    if title:
        assert read(f"<title>{title}</title><h1>Tides</h1>", ".html").title == "Tides"
        assert read(f"---\ntitle: {title.strip('[?') or 'untitled'}\n---\n# Tides\n").title == "Tides"
        assert read(f"#+TITLE: {title}\n* Tides\n", ".org").title == "Tides"


@pytest.mark.parametrize(
    "title",
    ["1984", "Title 17", "The Unknown", "Documents", "Understanding robots.txt", "ASP.NET", "Word - the power", "Book"],
)  # fmt: skip
def test_what_somebody_wrote_is_a_title(title):
    assert normalize_title(f" {title} ") == title


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ('<h1 align="center">Project X</h1>\n\nWords.\n', "Project X"),
        ("<H1>Project <em>X</em></H1>\n", "Project X"),
        (
            '<div align="center">\n    <h1>\n      <img src="a.png" alt="Logo">\n      Project<br/>X\n    </h1>\n</div>\n',
            "Project X",
        ),
        ("<h1>\n\n**Project** `X`\n\n</h1>\n", "Project X"),
        ('<p align="center"><h2>Project X</h2></p>\n', "Project X"),
        ('<h1 align=center><a href="u"><img src=logo.png alt="Project X"></a></h1>\n', "Project X"),
        ("    <h1>code</h1>\n\n# Project X\n", "Project X"),
        ("```html\n<h1>code</h1>\n```\n\n# Project X\n", "Project X"),
        ("<!--\n<h1>comment</h1>\n-->\n# Project X\n", "Project X"),
        ("<h1>never closed\n" + "words\n" * 30 + "\n# Project X\n", "Project X"),
        ("Words about <h1> and <header>.\n\n# Project X\n", "Project X"),
    ],
)
def test_a_heading_of_html_in_markdown_is_a_heading(source, title):
    assert read(source).title == title


def test_headings_of_both_notations_stand_above_what_follows_them():
    document = read('<h1 align="center">Project X</h1>\n\nWords.\n\n## Install\n\npip\n\n<h3>Linux</h3>\n\napt\n')
    places = {document.text[section.start :].split("\n")[0]: section.location for section in document.sections}
    assert places["Words."] == {"heading": ["Project X"], "lines": 3}
    assert places["pip"] == {"heading": ["Project X", "Install"], "lines": 7}
    assert places["apt"] == {"heading": ["Project X", "Install", "Linux"], "lines": 11}


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("# [![Build Status](https://travis-ci.org/x.svg?branch=main)](https://travis-ci.org/x)", "Real"),
        ("# [![Build][build]][travis] [![Coverage][cov]][codecov]", "Real"),
        ("# ![CI](https://github.com/x/y/workflows/CI/badge.svg)", "Real"),
        ('# <a href="u"><img src="https://img.shields.io/npm/v/x" alt="npm version"></a>', "Real"),
        ("[![Build](https://x/build.svg)](https://x)\n---", "Real"),
        ("# Project X [![CI](https://img.shields.io/x)](u) ![npm](x.svg)", "Project X"),
        ("# ![Logo](logo.svg) Project X", "Project X"),
        ("# ![Project X](logo.png)", "Project X"),
        ("# [![Project X](logo.png)](https://x.org)", "Project X"),
        ('<h1 align="center"><img alt="Project X" src="x.png"></h1>', "Project X"),
        ("# [Project X](https://x.org)", "Project X"),
    ],
)
def test_badges_are_no_title(heading, title):
    assert read(f"{heading}\n\n# Real\n\nWords.\n").title == title
