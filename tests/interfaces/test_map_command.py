"""`map`: a collection as a picture and as a page, the same each time, of a sample where it is large."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

import vecsearch
from tests.conftest import SAMPLE_DATA, CommandResult
from vecsearch.interfaces.rendering.map_svg import build_page, draw_map

Shell = Callable[..., CommandResult]
SVG = "{http://www.w3.org/2000/svg}"
HARMFUL = '</title><script>alert("1")</script>&amp;'


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    """Open a collection of words with metadata, one of them harmful."""
    collection = vecsearch.open(tmp_path_factory.mktemp("map") / "m.vec", collection="words")
    texts = [*dict.fromkeys((SAMPLE_DATA / "words.txt").read_text(encoding="utf-8").split()), HARMFUL][-60:]
    numbers = range(len(texts))
    metadatas = [{"kind": HARMFUL if n % 3 else "plain", "year": 1950 + n, "deep": {"er": n}} for n in numbers]
    collection.add(texts, ids=[f"w{number}" for number in numbers], metadatas=metadatas)
    return collection


def test_near_documents_are_drawn_near_and_the_same_each_time(words: vecsearch.Collection) -> None:
    drawn = vecsearch.map_documents(words)
    assert (len(drawn.points), drawn.documents, drawn.without_vector) == (60, 60, 0)
    assert all(0 <= point.x <= 1 and 0 <= point.y <= 1 for point in drawn.points)
    assert drawn.neighbours_kept > 0.3  # by chance 0.08
    assert drawn == vecsearch.map_documents(words)
    assert draw_map(drawn) == draw_map(vecsearch.map_documents(words))


def test_a_large_collection_is_sampled_and_says_so(words: vecsearch.Collection, shell: Shell) -> None:
    drawn = vecsearch.map_documents(words, limit=20)
    assert (len(drawn.points), drawn.documents) == (20, 60)
    assert {point.id for point in drawn.points} != {point.id for point in vecsearch.map_documents(words, limit=20, seed=5).points}
    result = shell("map", "--db", words.path, "-c", "words", "-n", "20", "--svg", "w.svg")
    assert result.status == 0
    assert re.match(r"words: 20 of 60 documents, a sample; keeps \d+ % of each one's five nearest\nwrote w\.svg\n", result.err)


def test_labels_and_colours_come_from_what_is_named(words: vecsearch.Collection) -> None:
    assert [point.label for point in vecsearch.map_documents(words, label="deep.er").points[:2]] == ["0", "1"]
    assert {point.label for point in vecsearch.map_documents(words, label="$id").points} == set(words)
    years = vecsearch.map_documents(words, color="year", where={"year": {"$gte": 1990}})
    assert sorted(point.value for point in years.points) == list(range(1990, 2010))
    root = ElementTree.fromstring(draw_map(years))
    assert "1990" in [element.text for element in root.iter(f"{SVG}text")]  # the scale's beginning
    assert len({circle.attrib["fill"] for circle in root.iter(f"{SVG}circle")}) == 20
    kinds = ElementTree.fromstring(draw_map(vecsearch.map_documents(words, color="kind")))
    assert len({circle.attrib["fill"] for circle in kinds.iter(f"{SVG}circle")}) == 2
    assert "plain (20)" in [element.text for element in kinds.iter(f"{SVG}text")]


def test_a_page_runs_nothing_and_loads_nothing(words: vecsearch.Collection) -> None:
    drawn = vecsearch.map_documents(words, color="kind", label="$text")
    for text in (draw_map(drawn), build_page(drawn)):
        assert "<script" not in text and not re.search(r"https?://(?!www\.w3\.org/2000/svg)|href|url\(|<img|@import", text)
    page = build_page(drawn)
    assert page.startswith("<!doctype html>") and "default-src &#x27;none&#x27;" in page
    picture = page[page.index("<svg") : page.index("</svg>") + 6]
    titles = [title.text or "" for title in ElementTree.fromstring(picture).iter(f"{SVG}title")]
    assert any(HARMFUL in title for title in titles)
    assert len(titles) == 61


def test_a_file_without_a_title_is_labelled_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a long way" / "to a file"
    folder.mkdir(parents=True)
    for name in ("bread.txt", "bats.txt", "banks.txt"):
        (folder / name).write_text(f"{name} says nothing in its first line.\nAnd more below.\n" * 9, encoding="utf-8")
    with vecsearch.open(tmp_path / "m.vec") as collection:
        collection.index(folder)
        assert {point.label for point in vecsearch.map_documents(collection).points} == {"bread.txt", "bats.txt", "banks.txt"}


def test_an_empty_collection_has_no_map(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "m.vec") as collection:
        collection.add(["gone"], ids=["gone"])
        collection.delete("gone")
        with pytest.raises(vecsearch.InputError, match="a map needs at least 3 documents with vectors, got 0"):
            vecsearch.map_documents(collection)


def test_no_label_covers_another(words: vecsearch.Collection) -> None:
    root = ElementTree.fromstring(draw_map(vecsearch.map_documents(words, label="$text")))
    labels = [
        (float(element.attrib["x"]), float(element.attrib["y"]))
        for element in root.iter(f"{SVG}text")
        if element.attrib["font-size"] == "11"
    ]
    assert len(labels) > 20
    assert all(abs(a[1] - b[1]) > 10 or abs(a[0] - b[0]) > 10 for a in labels for b in labels if a is not b)


def test_few_equal_and_vectorless_documents(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "few.vec") as few:
        few.add(["one", "two"])
        with pytest.raises(vecsearch.InputError, match="a map needs at least 3 documents with vectors, got 2"):
            vecsearch.map_documents(few)
        few.add(["three"])
        assert len(vecsearch.map_documents(few).points) == 3
        few.add(["no vector"], vectors=[None])
        assert vecsearch.map_documents(few).without_vector == 1
    with vecsearch.open(tmp_path / "same.vec") as same:
        same.add(["equal"] * 8)
        assert all(0 <= point.x <= 1 for point in vecsearch.map_documents(same).points)


def test_wrong_use_is_told(words: vecsearch.Collection, shell: Shell) -> None:
    place = ("--db", words.path, "-c", "words")
    for arguments, status, message in [
        ([], 2, "Give --svg FILE, --html FILE or both, or --json."),
        (["--svg", "-", "--html", "-"], 2, "Give --svg FILE"),
        (["--json", "--svg", "-"], 2, "Stdout is for --json: name a file."),
        (["--svg", "x.svg", "-n", "2"], 2, "-n"),
        (
            ["--svg", "x.svg", "--color-by", "yeer"],
            1,
            "no document has the key 'yeer'; there are: $id, $title, $text, deep, kind, year",
        ),
    ]:
        result = shell("map", *place, *arguments)
        assert (result.status, result.out) == (status, ""), result
        assert message in result.err


def test_json_holds_the_points(words: vecsearch.Collection, shell: Shell) -> None:
    value = json.loads(shell("map", "--db", words.path, "-c", "words", "--json", "--color-by", "year").out)
    assert value["points"][0].keys() == {"id", "label", "text", "x", "y", "value"}
    assert (value["documents"], value["color"]) == (60, "year")


def test_without_scikit_learn_the_line_to_install_is_told(words: vecsearch.Collection, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from vecsearch.interfaces.cli.main import run\n"
        f"sys.argv = ['vecsearch', 'map', '--db', {str(words.path)!r}, '-c', 'words', '--svg', 'x.svg']\n"
        "sys.exit(run())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 1
    assert "a map needs scikit-learn, which is not installed; pip install scikit-learn" in result.stderr
