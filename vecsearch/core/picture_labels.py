"""What a picture shows, as a text: the likeliest labels with their shares, from which its vector can be made at any time.

An encoder of texts sees such a text as the mean of its labels, each encoded as "a photo of a …", weighted by its share (ConSE,
Norouzi et al., ICLR 2014): so pictures stand in the space of texts. A text of this form is read so wherever it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

PICTURE_CONTEXT: Final = "a photo of a"  # what stands above the labels, as headings stand above other texts
_SHARE_MIN: Final = 0.0005  # below it the text would say 0.0 %
_LABEL: Final = r"[^,%\n]+ \d{1,3}\.\d %"
_INPUT: Final = re.compile(rf"{PICTURE_CONTEXT}\n({_LABEL}(?:, {_LABEL})*),?")
_PART: Final = re.compile(r"([^,%\n]+) (\d{1,3}\.\d) %")


class WeightedText(NamedTuple):
    """A text, and its share of a vector."""

    text: str
    weight: float


def format_labels(labels: Sequence[tuple[str, float]]) -> str:
    """Return labels with their probabilities as a text: `espresso 95.1 %, cup 3.0 %`."""
    return ", ".join(f"{label} {100 * share:.1f} %" for label, share in labels if share >= _SHARE_MIN)


def parse_picture(encoder_input: str) -> list[WeightedText] | None:
    """Return the texts whose weighted mean stands for a picture; None for a text that is encoded as it stands."""
    if not encoder_input.startswith(PICTURE_CONTEXT) or (match := _INPUT.fullmatch(encoder_input)) is None:
        return None
    parts = [(label.strip(), float(share)) for label, share in _PART.findall(match[1])]
    return [WeightedText(f"{PICTURE_CONTEXT} {label}", share) for label, share in parts if share > 0] or None
