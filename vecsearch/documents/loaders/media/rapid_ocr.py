"""The words in a picture, by RapidOCR: photographs of signs, Chinese and Japanese, which Tesseract reads badly. It is slower."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.core.memory_limits import extend_memory_limit
from vecsearch.core.onnx_runtime import load_runtime
from vecsearch.core.parallel import count_cores
from vecsearch.core.settings import OCR_CONFIDENCE_MIN, OCR_DPI, OCR_MODEL_BYTES
from vecsearch.core.weights import WEIGHTS_VARIABLE, Weights, require_reader
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.media.text_blocks import TextBlock

_DETECTOR: Final = "PP-OCRv6_det_small.onnx"
_TURN_CLASSIFIER: Final = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
_RECOGNIZER: Final = "PP-OCRv6_rec_small.onnx"
_WEIGHTS: Final = Weights(
    "rapidocr",
    {  # of RapidOCR 3.10
        _DETECTOR: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        _TURN_CLASSIFIER: "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        _RECOGNIZER: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    },
    ("rapidocr",),
)
_DETECTOR_SIDE: Final = 1280  # pixels of the longer side in which lines are looked for; they are read in full size
_WHOLE_SIDE: Final = 100_000  # larger than any picture: it is not made smaller before its lines are cut out
_GAP: Final = 0.9  # heights of a line between it and the next of a paragraph, at most
_TALLER: Final = 1.5  # a line of another size begins a paragraph


@dataclass(frozen=True, slots=True)
class TextLine:
    """What was read in one line: its box is left, top, right, bottom in pixels, its confidence of 100."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    def is_followed_by(self, other: TextLine) -> bool:
        """Return whether another line stands below this one, near enough and large enough to go on with its paragraph."""
        shared = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        narrower = min(self.box[2] - self.box[0], other.box[2] - other.box[0])
        low, high = sorted((self.height, other.height))
        is_below = other.box[1] > self.box[1] + self.height / 2 and other.box[1] - self.box[3] < _GAP * low
        return is_below and shared > narrower / 2 and high < _TALLER * low


class RapidReader:
    """RapidOCR with the models of PaddleOCR that it brings: Chinese, Japanese and the Latin alphabet at once; see PageReader."""

    languages: Final = "zh+ja+latin"

    def __init__(self, folder: Path) -> None:
        load_runtime()  # quietly
        from rapidocr import RapidOCR

        extend_memory_limit(OCR_MODEL_BYTES)
        self.engine: Final = f"rapidocr {metadata.version('rapidocr')}"
        self._engine: Any = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.max_side_len": _WHOLE_SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": count_cores(),
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Det.limit_type": "max",
                "Det.limit_side_len": _DETECTOR_SIDE,
                "Det.model_path": str(folder / _DETECTOR),
                "Cls.model_path": str(folder / _TURN_CLASSIFIER),
                "Rec.model_path": str(folder / _RECOGNIZER),
                "Rec.rec_batch_num": 1,  # a line is not read the longer for the lines beside it, and needs less memory
            }
        )

    def read(self, gray: bytes, size: tuple[int, int], *, stride: int | None = None, dpi: int = OCR_DPI) -> list[TextBlock]:
        """Return the paragraphs of a picture, in the order in which they are read."""
        width, height = size
        pixels = np.frombuffer(gray, np.uint8).reshape(height, stride or width)[:, :width]
        found = self._engine(np.ascontiguousarray(pixels))
        if found.txts is None:
            return []
        read = zip(found.txts, found.boxes, found.scores, strict=True)
        return group_lines(_make_line(text, corners, 100 * score) for text, corners, score in read)


def group_lines(lines: Iterable[TextLine]) -> list[TextBlock]:
    """Return the paragraphs that lines make, which are given from top to bottom: a line goes on with the one right above it."""
    paragraphs: list[list[TextLine]] = []
    for line in lines:
        if line.confidence < OCR_CONFIDENCE_MIN or not any(character.isalnum() for character in line.text):
            continue
        above = next((part for part in reversed(paragraphs) if part[-1].is_followed_by(line)), None)
        if above is None:
            paragraphs.append(above := [])
        above.append(line)
    return [_join_lines(part) for part in paragraphs]


def _join_lines(lines: Sequence[TextLine]) -> TextBlock:
    left, top, right, bottom = zip(*(line.box for line in lines), strict=True)
    confidence = np.average([line.confidence for line in lines], weights=[len(line.text) for line in lines])
    box = (round(min(left)), round(min(top)), round(max(right)), round(max(bottom)))
    return TextBlock("\n".join(line.text for line in lines), box, float(confidence))


def load_rapid_ocr() -> RapidReader:
    """Return the reader, loaded once a process. Raises UnavailableError with the line that installs what is missing."""
    return _load(os.environ.get(WEIGHTS_VARIABLE))


@cache
def _load(_: str | None) -> RapidReader:
    return RapidReader(require_reader("its words are read with RapidOCR", {"rapidocr": "rapidocr"}, _WEIGHTS))


def _make_line(text: str, corners: Any, confidence: float) -> TextLine:
    points = np.asarray(corners, np.float64)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return TextLine(" ".join(clean(text).split()), (left, top, right, bottom), confidence)
