"""`make demo` prints what the documentation shows."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.make.demo import list_demo_commands, list_shown_steps
from tests.conftest import SAMPLE_DATA, CommandResult


def test_make_demo_prints_what_the_documentation_shows(
    tmp_path: Path, shell: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECSEARCH_DB", ".demo")
    shutil.copytree(SAMPLE_DATA, tmp_path / "sample_data")
    steps = list_shown_steps()
    assert len(steps) >= 5
    for command, expected in steps:
        result = shell(*shlex.split(command))
        assert result.status == 0
        assert_alike((result.out + result.err).strip(), expected.strip())
    assert [command for command, _ in steps] == list_demo_commands()


NEAR_TIE = 0.02  # 8-bit arithmetic differs that much between processors, and so does the order of what is that close


def assert_alike(actual: str, expected: str) -> None:
    """Check for equality but for seconds, small differences of scores, the order of near ties, and the last ones."""
    seconds = re.compile(r"\d+\.\d s$", re.MULTILINE)
    actual_hits, expected_hits = (parse_hits(seconds.sub("… s", text)) for text in (actual, expected))
    assert len(actual_hits) == len(expected_hits)
    for hits, other_hits in ((actual_hits, expected_hits), (expected_hits, actual_hits)):
        last = min(hits.values())
        for text, score in hits.items():
            assert text in other_hits or 0 < score < last + NEAR_TIE, text
            assert other_hits.get(text, score) == pytest.approx(score, abs=NEAR_TIE)


def parse_hits(output: str) -> dict[str, float]:
    """Parse each hit's text and its score; what is no answer is one text without a score."""
    parts = re.split(r"^ ?(?:\d+  )?(?: ?(-?\d\.\d{3})  (?:sim -?\d\.\d{3}  )?|sim (-?\d\.\d{3})  )", output, flags=re.MULTILINE)
    found = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    hits = {text.strip(): float(score or cosine) for score, cosine, text in found}
    return hits or {output: 0.0}
