"""Subtitles, WebVTT and SubRip: what is said, a cue a line, each with its time. No numbers, times, styles or notes.

The libraries for them refuse a file without its first line, or take the name of the next cue for words of this one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

_TIME: Final = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES: Final = re.compile(rf"\s*{_TIME}\s*--?>\s*{_TIME}")
_VOICE: Final = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]*)>")
_TAG: Final = re.compile(r"</?(?:[a-zA-Z][^<>]*|\d[\d:.]*)?>|\{\\[^{}]*\}")  # also times inside a line, and {\an8}
_LANGUAGE: Final = re.compile(r"^Language:[ \t]*(\S+)", re.MULTILINE)
_HEAD_MAX: Final = 1_000


@dataclass(slots=True)
class _SubtitleCue:
    start: str
    end: str
    lines: list[str] = field(default_factory=list)


def load_vtt(raw: RawFile) -> Iterator[LoaderItem]:
    """Return the document of a WebVTT file. A voice stands before its words: "Name: …"."""
    text = decode(raw.data)
    stating = _LANGUAGE.search(text[:_HEAD_MAX].partition("\n\n")[0])
    return _load_cues(raw, text, _parse_cues(text, blank_ends=True), language=stating[1] if stating else None)


def load_srt(raw: RawFile) -> Iterator[LoaderItem]:
    """Return the document of a SubRip file."""
    text = decode(raw.data)
    return _load_cues(raw, text, _parse_cues(text, blank_ends=False))


def _load_cues(raw: RawFile, text: str, cues: Iterator[_SubtitleCue], *, language: str | None = None) -> Iterator[LoaderItem]:
    lines: list[str] = []
    sections: list[Section] = []
    start, end, shown, none = 0, "", [""], True
    for cue in cues:
        none = False
        spoken = list(filter(None, map(_strip_tags, cue.lines)))
        # captions that roll show the last line again above the next one
        words = " ".join(spoken[cue.start == end and spoken[:1] == shown[-1:] :])
        if words:
            sections.append(Section(start, {"time": [cue.start, cue.end]}))
            lines.append(words)
            start += len(words) + 1
        end, shown = cue.end, spoken
    if none and text.strip() and not text.startswith("WEBVTT"):
        raise UnreadableFileError("no subtitles: no line of it says from when to when")
    return emit_document(raw, "\n".join(lines), metadata=build_metadata(language=language), sections=sections)


def _parse_cues(text: str, *, blank_ends: bool) -> Iterator[_SubtitleCue]:
    """Yield the cues in their order. What stands between cues is none of their words, nor is the number before the next."""
    cue, inside = None, False
    for line in text.split("\n"):
        if times := _TIMES.match(line):
            if cue:
                if inside and cue.lines and cue.lines[-1].strip().isdigit():
                    cue.lines.pop()
                yield cue
            cue, inside = _SubtitleCue(_format_time(*times.groups()[:4]), _format_time(*times.groups()[4:])), True
        elif blank_ends and not line.strip():
            inside = False
        elif cue and inside:
            cue.lines.append(line)
    if cue:
        yield cue


def _format_time(hours: str | None, minutes: str, seconds: str, fraction: str) -> str:
    return f"{int(hours or 0):02}:{int(minutes):02}:{int(seconds):02}.{fraction:0<3}"


def _strip_tags(line: str) -> str:
    """Return a line of a cue without its tags."""
    line = _TAG.sub("", _VOICE.sub(lambda voice: f" {voice[1].strip()}: ", line))
    return " ".join(clean(html.unescape(line)).split())
