"""`inspect` in the shell: text for any terminal, JSON and SVG say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import vecsearch
from tests.conftest import CommandResult
from vecsearch.core.inspection import Head
from vecsearch.interfaces.rendering.attention_views import select_attention, summarize_heads
from vecsearch.interfaces.rendering.inspection_svg import draw_inspection
from vecsearch.interfaces.rendering.inspection_text import format_inspection
from vecsearch.interfaces.rendering.terminal import Terminal, measure_cells

Shell = Callable[..., CommandResult]
SVG = "{http://www.w3.org/2000/svg}"
FASHION, LEARNING = "The fashion model walked the runway", "The machine learning model was trained on data"
WIDE = "東京の高い塔 👩\u200d👩\u200d👧 wundervolle cafe\u0301 \x1b[31m <b>&"


@pytest.fixture(scope="module")
def pair() -> vecsearch.Inspection:
    return vecsearch.inspect([FASHION, LEARNING])


def test_a_terminal_shows_tokens_words_the_map_layers_and_the_matrix(shell: Shell) -> None:
    out = shell("inspect", FASHION, LEARNING).out
    assert "all-MiniLM-L6-v2: 6 layers of 12 heads, 384 dimensions" in out
    assert re.search(r"^   fashion +4827 +4–11 +11\.\d\d +1\d\.\d % █+$", out, re.MULTILINE)
    assert re.search(r"^   model +fashion \d\d %, walked \d\d %, \w+ \d\d %$", out, re.MULTILINE)
    assert "attention, mean of 72 heads" in out and "[CLS] and [SEP]" in out
    assert re.search(r"^model \(1, 2\) +0\.9[89]\d( +0\.\d{3}){5} +0\.6\d\d$", out, re.MULTILINE)
    assert re.search(r"^ 2 +0\.\d{3} +1\.000$", out, re.MULTILINE)
    assert "ρ with leave-one-out is 0.75 on average over 204 sentences; --leave-one-out" in " ".join(out.split())
    assert "\x1b" not in out


def test_leave_one_out_is_shown_beside_attention(shell: Shell) -> None:
    out = shell("inspect", FASHION, "--leave-one-out").out
    assert len(re.findall(r"left out: \w+ 0\.\d{3}, \w+ 0\.\d{3}, \w+ 0\.\d{3}$", out, re.MULTILINE)) == 6
    assert re.search(r"on average over 204 sentences; here 0\.\d\d\.", " ".join(out.split()))


@pytest.mark.parametrize("width", [20, 32, 60, 80, 200])
@pytest.mark.parametrize("colors", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, colors: bool) -> None:
    inspection = vecsearch.inspect([WIDE, f"{WIDE} wundervolle " * 30], leave_one_out=False)
    for line in format_inspection(inspection, Terminal(width, has_colors=colors), head=Head(3, 2)):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
        assert "\x1b" not in plain
        assert measure_cells(plain) <= max(width, 38), line  # a table of figures is not broken


def test_no_color_switches_colours_off(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[48;5;" in shell("inspect", FASHION, "--color", "always").out
    assert "\x1b" not in shell("inspect", FASHION, "--color", "never").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shell("inspect", FASHION).out


def test_json_holds_what_the_value_holds(shell: Shell, pair: vecsearch.Inspection) -> None:
    value = json.loads(shell("inspect", FASHION, LEARNING, "--json").out)
    text, ours = value["texts"][0], pair.texts[0]
    assert (value["model"], value["layers"], value["heads"]) == ("all-MiniLM-L6-v2", 6, 12)
    assert text["vector"] == pytest.approx(ours.vector.tolist(), abs=1e-6)
    assert sum(token["share"] for token in text["tokens"]) == pytest.approx(1, abs=1e-6)
    assert text["tokens"][2] == {
        "piece": "fashion", "id": 4827, "start": 4, "end": 11, "word": 1, "norm": pytest.approx(ours.tokens[2].norm, abs=1e-5),
        "share": pytest.approx(ours.tokens[2].share, abs=1e-6),
    }  # fmt: skip
    assert np.array(text["attention"]) == pytest.approx(ours.attention.mean(axis=(0, 1)), abs=1e-5)
    assert np.array(text["shaped_by"]) == pytest.approx(ours.shaped_by, abs=1e-5)
    assert [comparison["word"] for comparison in value["comparisons"]] == [c.word for c in pair.comparisons]
    assert value["typical_correlation"] == 0.75 and value["attention_correlation"] is None
    assert "heads" not in text and "leave_one_out" not in text


def test_json_holds_all_heads_or_one_on_request(shell: Shell, pair: vecsearch.Inspection) -> None:
    (text,) = json.loads(shell("inspect", FASHION, "--json", "--heads", "--head", "3.2").out)["texts"]
    assert np.array(text["heads"]) == pytest.approx(pair.attention, abs=1e-5)
    assert np.array(text["attention_3.2"]) == pytest.approx(pair.attention[2, 1], abs=1e-5)


def test_heads_are_told_apart_by_where_they_look(shell: Shell, pair: vecsearch.Inspection) -> None:
    summaries = {str(summary.head): summary for summary in summarize_heads(pair.texts[0])}
    assert len(summaries) == 72
    assert summaries["1.3"].previous > 0.8  # it looks at the token before
    assert summaries["2.9"].next > 0.4 > summaries["2.9"].previous  # at the one behind
    assert summaries["2.11"].special > 0.8  # it rests on [CLS] and [SEP]
    out = shell("inspect", FASHION, "--heads", "--head", "1.3").out
    assert "attention, head 1.3" in out
    assert re.search(r"^   1\.3 +\d+ +(8|9)\d ", out, re.MULTILINE)


def test_a_map_has_forty_tokens_and_tells_the_rest(shell: Shell, tmp_path: Path) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    text = vecsearch.inspect(long).texts[0]
    view = select_attention(text, None)
    inner = sum(token.span is not None for token in text.tokens)
    assert (len(view.places), view.hidden) == (40, inner - 40)
    assert f"{len(text.tokens) - 40} tokens more; --json has all" in shell("inspect", long).out
    picture = shell("inspect", long, "--svg", "-").out
    assert f"{inner - 40} tokens more not shown" in " ".join(re.sub(r"<[^>]*>", " ", picture).split())


@pytest.mark.parametrize("heads", [False, True])
def test_the_picture_is_one_file_that_refers_to_nothing(heads: bool) -> None:
    inspection = vecsearch.inspect([WIDE, f"a wundervolle {WIDE}"], leave_one_out=True)
    picture = draw_inspection(inspection, heads=heads)
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|href|url\(|<script|<image|<b>", picture)
    shown = " ".join(element.text or "" for element in root.iter(f"{SVG}text"))
    assert "<b>&" in shown.replace(" ", "") and "東" in shown and "wundervolle" in shown
    hovers = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert any(re.match(r"wu looks at nder: \d+\.\d%", hover) for hover in hovers)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rectangle in root.iter(f"{SVG}rect"):
        if "x" in rectangle.attrib:
            assert float(rectangle.attrib["x"]) + float(rectangle.attrib["width"]) <= width
            assert float(rectangle.attrib["y"]) + float(rectangle.attrib["height"]) <= height


def test_a_picture_is_written_to_a_file(shell: Shell, tmp_path: Path) -> None:
    result = shell("inspect", FASHION, "--svg", "look.svg")
    assert (result.status, result.out, result.err) == (0, "", "wrote look.svg\n")
    assert ElementTree.fromstring((tmp_path / "look.svg").read_text(encoding="utf-8")).tag == f"{SVG}svg"
    failed = shell("inspect", FASHION, "--svg", "no/such/look.svg")
    assert failed.status == 1 and "no/such/look.svg cannot be written: No such file or directory" in failed.err


def test_neighbours_come_from_the_collection(shell: Shell, notes: Path) -> None:
    out = shell("inspect", "jumping over", "--neighbours").out
    assert re.search(r"nearest in the collection\n   0\.\d{3}  leap  a jump over the fence", out)
    (text,) = json.loads(shell("inspect", "jumping over", "--neighbours", "--json").out)["texts"]
    assert text["neighbours"][0]["id"] == "leap"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([""], 2, "text 1 is empty: expected some words"),
        ([], 2, "Missing argument"),
        (["a bank", "--head", "3"], 2, "a head is LAYER.HEAD, both from 1, such as 3.2; got '3'"),
        (["a bank", "--head", "0.1"], 2, "a head is LAYER.HEAD"),
        (["a bank", "--head", "7.1"], 2, "has the heads 1.1 to 6.12, got 7.1"),
        (["a bank", "--svg", "x.svg", "--json"], 2, "Give --svg or --json."),
        (["a bank", "-c", "words"], 2, "-c goes with --neighbours"),
        (["a bank", "--word", "river"], 1, "'river' must occur twice"),
        (["a bank", "--neighbours"], 1, "no database"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], status: int, message: str, shell: Shell) -> None:
    result = shell("inspect", *arguments)
    assert (result.status, result.out) == (status, "")
    assert message in result.err
