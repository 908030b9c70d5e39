"""Pictures among texts: what they show as labels, and a vector in the space of texts that is made from those labels alone."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest

import vecsearch
from benchmarks.scanned_pages import build_scan, draw_page
from vecsearch.core.errors import UnavailableError, UnreadableFileError
from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.picture_labels import PICTURE_CONTEXT, format_labels, parse_picture
from vecsearch.core.types import Split
from vecsearch.documents.chunk_inputs import chunk_document
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.media.classifier import get_picture_reader
from vecsearch.documents.loaders.media.page_reader import get_page_reader
from vecsearch.documents.loaders.media.speech import get_speech_reader
from vecsearch.documents.loaders.media.torch_weights import load_torch_weights
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.picture_vectors import encode_documents

LABELS = [("ballplayer", 0.887), ("baseball", 0.096), ("racket", 0.003), ("cup", 0.0001)]
SHOWN = "ballplayer 88.7 %, baseball 9.6 %, racket 0.3 %"


@pytest.fixture
def photo(shared: Callable[[str], Path]) -> Path:
    """Find a photo of a baseball player; skip the test where nothing tells what it shows."""
    try:
        get_picture_reader()
    except UnavailableError as error:
        pytest.skip(str(error))
    return shared("files/good") / "tika__baseball.jpg"


def mix(encoder: TextEncoder) -> Any:
    """Return the vector of SHOWN by its definition."""
    rows = encoder.encode_documents(["a photo of a ballplayer", "a photo of a baseball", "a photo of a racket"])
    total = np.array([0.887, 0.096, 0.003]) @ rows
    return total / np.linalg.norm(total)


# -- labels


def test_labels_are_written_and_read_as_a_text() -> None:
    assert format_labels(LABELS) == SHOWN
    parts = parse_picture(f"{PICTURE_CONTEXT}\n{SHOWN}")
    assert parts == [("a photo of a ballplayer", 88.7), ("a photo of a baseball", 9.6), ("a photo of a racket", 0.3)]
    for other in (
        SHOWN,
        PICTURE_CONTEXT,
        f"{PICTURE_CONTEXT}\na ball",
        f"{PICTURE_CONTEXT}\ncup 0.0 %",
        f"x\n{PICTURE_CONTEXT}\n{SHOWN}",
    ):
        assert parse_picture(other) is None


def test_a_picture_is_the_mean_of_its_labels_among_texts_as_they_stand(encoder: TextEncoder) -> None:
    texts = ["a heron", f"{PICTURE_CONTEXT}\n{SHOWN}", "a heron", f"{PICTURE_CONTEXT}\nnot a picture"]
    rows = encode_documents(encoder, texts)
    assert np.allclose(rows[1], mix(encoder), atol=1e-3)
    assert (rows[0] == rows[2]).all() and float(rows[0] @ encoder.encode_documents(["a heron"])[0]) > 0.9999
    assert float(rows[3] @ encoder.encode_documents(texts[3:])[0]) > 0.9999
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("split", list(Split))
def test_the_labels_of_a_picture_stay_together_however_it_is_split(encoder: TextEncoder, split: Split) -> None:
    from vecsearch.core.parsed import Section

    document = ParsedDocument("p", f"words in it\n\n{SHOWN}", sections=(Section(0, {}), Section(13, {}, PICTURE_CONTEXT, True)))
    spans, texts = chunk_document(document, split, encoder)
    assert len(spans) == 2 and texts[1] == f"{PICTURE_CONTEXT}\n{SHOWN}"


def test_weights_that_name_anything_but_arrays_are_not_read(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harm",)

    parts: list[Any] = [1, 1001, {}, Harmful()]
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(UnreadableFileError, match="weights must hold arrays alone, not "):
        load_torch_weights(path)
    assert not (tmp_path / "harm").exists()


# -- pictures


def test_a_photo_is_described_by_its_likeliest_labels(photo: Path) -> None:
    (document,) = load(RawFile("f.jpg", ".jpg", path=photo))
    assert isinstance(document, ParsedDocument)
    parts = parse_picture(f"{document.sections[-1].context}\n{document.text}")
    assert parts is not None and parts[0][0] == "a photo of a baseball player" and parts[0][1] > 50 and len(parts) <= 10
    reading = document.metadata["read_by"]
    assert reading["engine"] == "efficientnet-lite0" and reading["confidence"] == pytest.approx(parts[0][1], abs=0.6)


def test_a_photo_with_a_few_words_has_both_and_a_page_of_text_has_no_labels(photo: Path) -> None:
    try:
        get_page_reader()
    except UnavailableError as error:
        pytest.skip(str(error))
    from PIL import Image

    def load_picture(lines: list[str]) -> ParsedDocument:
        stream = io.BytesIO()
        Image.fromarray(draw_page(lines, "Helvetica")[80:600]).save(stream, "PNG")
        (document,) = load(RawFile("f.png", ".png", content=stream.getvalue()))
        assert isinstance(document, ParsedDocument)
        return document

    sign = load_picture(["No swimming here"])
    assert sign.text.startswith("No swimming here\n\n") and sign.sections[-1].context == PICTURE_CONTEXT
    page = load_picture(["The heron waits in the shallow water for a fish to come by."] * 3)
    assert "%" not in page.text and all(not section.context for section in page.sections)


def test_the_vector_of_a_picture_outlives_what_makes_vectors_anew(
    photo: Path, tmp_path: Path, shell: Any, encoder: TextEncoder
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    copy(photo, folder / "photo.jpg")
    (folder / "heron.txt").write_text("A heron stands in shallow water.")
    with vecsearch.open("db") as collection:
        collection.index([folder])
        (picture,) = collection.get(["docs/photo.jpg"], include_vectors=True)
        expected = encode_documents(encoder, [f"{PICTURE_CONTEXT}\n{picture.text}"])[0]
        assert picture.vectors is not None and float(picture.vectors[0] @ expected) > 0.999
        assert collection.search("somebody throws a ball", mode="dense")[0].id == "docs/photo.jpg"
    assert shell("doctor", "--db", "db").status == 0
    assert shell("reembed", "--precision", "float32", "--db", "db").status == 0
    with vecsearch.open("db") as collection:
        (again,) = collection.get(["docs/photo.jpg"], include_vectors=True)
        assert again.vectors is not None and float(again.vectors[0] @ expected) > 0.99
        (heron,) = collection.get(["docs/heron.txt"], include_vectors=True)
        assert heron.vectors is not None and float(heron.vectors[0] @ expected) < 0.5


def test_a_text_a_scan_a_recording_and_a_picture_stand_in_one_ranking_each_with_its_place(
    photo: Path, tmp_path: Path, shell: Any, shared: Callable[[str], Path]
) -> None:
    for get_reader in (get_page_reader, get_speech_reader):
        try:
            get_reader()
        except UnavailableError as error:
            pytest.skip(str(error))
    folder = tmp_path / "docs"
    folder.mkdir()
    copy(photo, folder / "photo.jpg")
    copy(shared("files/good") / "docling__sample_10s.mp3", folder / "talk.mp3")
    (folder / "game.txt").write_text("Rules of play\n\nA pitcher throws the ball to the batter.")
    (folder / "scan.pdf").write_bytes(
        build_scan([draw_page([], "Courier"), draw_page(["The batter runs to first base."], "Courier")])
    )
    assert shell("index", "docs").status == 0
    hits = json.loads(shell("search", "baseball player or a public recording", "--json", "--limit", "4").out)["hits"]
    places = {hit["id"].removeprefix("docs/"): hit["location"] for hit in hits}
    assert places.keys() == {"photo.jpg", "talk.mp3", "game.txt", "scan.pdf"}
    assert places["scan.pdf"]["page"] == 2 and len(places["scan.pdf"]["box"]) == 4
    assert len(places["talk.mp3"]["time"]) == 2 and places["game.txt"]["lines"] == [1, 3]
    assert next(hit for hit in hits if hit["id"] == "docs/photo.jpg")["text"].startswith("baseball player")


# -- files as questions


@pytest.fixture
def notes(tmp_path: Path) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path / "db")
    texts = ["a pitcher throws the ball to the batter", "Oscar Wilde wrote about Shakespeare", "the heron waits in the reeds"]
    collection.add(texts, ids=["game", "wilde", "heron"])
    return collection


def test_a_file_of_text_is_a_question(notes: vecsearch.Collection, tmp_path: Path, shell: Any) -> None:
    (tmp_path / "question.txt").write_text("which bird waits")
    assert notes.search(file=tmp_path / "question.txt")[0].id == notes.search("which bird waits")[0].id == "heron"
    assert "heron" in shell("search", "--file", "question.txt", "--db", "db", "-n", "1").out
    assert shell("search", "--file", "question.txt", "bird", "--db", "db").status == 2
    assert shell("search", "--db", "db").status == 2
    with pytest.raises(vecsearch.UsageError, match="search takes a query or a file: one of them"):
        notes.search()  # type: ignore[call-overload]


def test_a_picture_is_a_question(notes: vecsearch.Collection, photo: Path) -> None:
    for hits in (notes.similar(file=photo), notes.search(file=photo), notes.search(file=photo, mode="dense")):
        assert hits[0].id == "game"
    assert notes.similar(file=photo)[0].similarity == pytest.approx(
        notes.search(file=photo, mode="dense")[0].similarity, abs=1e-5
    )


def test_a_spoken_question_is_answered(notes: vecsearch.Collection, shared: Callable[[str], Path]) -> None:
    try:
        get_speech_reader()
    except UnavailableError as error:
        pytest.skip(str(error))
    assert notes.search(file=shared("files/good") / "docling__sample_10s.mp3")[0].id == "wilde"
