"""What the slides of an old presentation say, from whichever of its formats, and how it becomes text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from vecsearch.documents.loaders.document_builder import DocumentBuilder

_TITLE_KINDS: Final = (0, 6)
_NUMBER_MARK: Final = "*"  # stands for the number of a slide, its date, its footer


class SlideText(NamedTuple):
    """The text of a shape; `kind` says what it is on the slide: 0 and 6 are titles ([MS-PPT] 2.13.33)."""

    kind: int
    text: str


@dataclass(frozen=True, slots=True)
class SlideTexts:
    """The texts of a slide's shapes, of its notes, and of its comments."""

    texts: Sequence[SlideText]
    notes: Sequence[SlideText] = ()
    comments: Sequence[str] = ()


def write_slides(builder: DocumentBuilder, slides: Iterable[SlideTexts]) -> None:
    """Write slides one after the other: the title first, then the other texts, the notes, the comments."""
    for count, slide in enumerate(slides, start=1):
        builder.start_part({"slide": count})
        title = next((text for text in slide.texts if text.kind in _TITLE_KINDS and text.text.strip()), None)
        if title:
            builder.add_heading(1, title.text)
        for text in (*slide.texts, *slide.notes):
            if text is not title and text.text.strip() != _NUMBER_MARK:
                builder.add_block(text.text)
        for comment in slide.comments:
            builder.add_block(comment)
