"""Collections of a model that takes pictures or sound itself: their own vectors, made as their files are read again."""

from __future__ import annotations

import io
import json
import sqlite3
import wave
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.tiny_models import build_clap, build_clip, build_embedding_gemma, build_siglip
from vecsearch.core.errors import EncodingError, UsageError
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder
from vecsearch.encoders.unit_vectors import Vector

pytestmark = pytest.mark.filterwarnings("ignore:.*runs on sentence-transformers")
Image = pytest.importorskip("PIL.Image", reason="pip install pillow")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture(scope="module")
def encoder(clip: Path) -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(str(clip))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Make a folder of three pictures and a text."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(("heron", "crane", "sky")):
        draw_picture(number).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("A heron waits in shallow water. " * 12)
    return folder


def draw_picture(seed: int) -> Any:
    """Paint a picture of four colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((48, 40), Image.Resampling.NEAREST)


def get_vector(collection: vecsearch.Collection, key: str) -> Vector:
    (document,) = collection.get([key], include_vectors=True)
    assert document.vectors is not None
    return np.asarray(document.vectors[-1], np.float32)


@pytest.fixture
def collection(tmp_path: Path, clip: Path) -> Iterator[vecsearch.Collection]:
    with vecsearch.open(tmp_path / "db", model=str(clip)) as opened:
        yield opened


def test_pictures_and_texts_stand_in_the_space_of_the_model(
    collection: vecsearch.Collection, photos: Path, encoder: SentenceTransformersEncoder
) -> None:
    report = collection.index([photos])
    assert (report.added, report.failed, report.skipped, report.pending_vectors) == (4, (), (), 0)
    rows = encoder.encode_images([draw_picture(number) for number in range(3)])
    keys = [f"photos/{name}.png" for name in ("heron", "crane", "sky")]
    for key, row in zip(keys, rows, strict=True):
        assert float(get_vector(collection, key) @ row) > 0.999
    question = encoder.encode_queries(["a bird"])[0]
    hits = collection.search("a bird", mode="dense", group_by="document")
    pictures = [hit for hit in hits if hit.id in keys]
    assert [hit.id for hit in pictures] == [keys[n] for n in np.argsort(-rows @ question)]
    for hit in pictures:
        assert hit.score == pytest.approx(float(rows[keys.index(hit.id)] @ question), abs=1e-3)
        assert hit.location["media"] == "image" and hit.source is not None and hit.source.endswith(hit.id)
        assert hit.title == Path(hit.id).stem and hit.text == ""
    assert any(hit.id == "photos/notes.txt" for hit in hits)
    assert collection.search("crane", mode="lexical")[0].id == "photos/crane.png"
    assert collection.index([photos]).unchanged == 4


def test_pictures_are_asked_with_and_compared_by_themselves(
    collection: vecsearch.Collection, photos: Path, tmp_path: Path
) -> None:
    collection.index([photos])
    asked = tmp_path / "asked.png"
    draw_picture(1).save(asked)
    for hits in (collection.search(file=asked), collection.similar(file=asked)):
        assert hits[0].id == "photos/crane.png" and hits[0].score == pytest.approx(1.0, abs=1e-3)
    own = collection.similar(file=photos / "crane.png")
    assert own[0].id != "photos/crane.png" and collection.similar(id="photos/crane.png")[0].id == own[0].id
    with pytest.raises(UsageError, match="a vector has no terms"):
        collection.search(file=asked, mode="lexical")
    asked.write_bytes(asked.read_bytes()[:60])
    with pytest.raises(vecsearch.VecsearchError, match=r"cannot read .*asked\.png: a picture is damaged"):
        collection.similar(file=asked)


def test_texts_that_name_pictures_are_texts_and_chunks_fit_the_window(
    collection: vecsearch.Collection, photos: Path, encoder: SentenceTransformersEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    path, address = "heron.png", "http://127.0.0.1:9/heron.png"
    collection.add([path, address], ids=["path", "address"])
    assert float(get_vector(collection, "path") @ encoder.encode_documents([path])[0]) > 0.999
    assert collection.search(address, mode="dense")[0].id == "address"
    collection.index([photos / "notes.txt"])
    (notes,) = collection.get(["photos/notes.txt"])
    assert len(notes.chunks) > 1
    for chunk in notes.chunks:
        assert len(encoder.token_spans(notes.text[chunk.start : chunk.end].strip())) <= encoder.max_tokens


def test_vectors_of_pictures_are_made_later_from_what_the_files_hold(
    collection: vecsearch.Collection, photos: Path, encoder: SentenceTransformersEncoder
) -> None:
    assert collection.index([photos], vectors=False).pending_vectors > 3
    assert collection.search("sky", mode="lexical")[0].id == "photos/sky.png"
    draw_picture(9).save(photos / "heron.png")
    (photos / "crane.png").unlink()
    filled = collection.fill_vectors()
    reasons = {Path(failed.source).name: failed.error for failed in filled.failed}
    assert reasons.keys() == {"heron.png", "crane.png"} and filled.pending_vectors == 2
    assert "its file has changed since it was indexed: vecsearch index" in reasons["heron.png"]
    report = collection.index([photos])
    assert (report.updated, report.removed, report.pending_vectors, report.failed) == (1, 1, 0, ())
    assert float(get_vector(collection, "photos/heron.png") @ encoder.encode_images([draw_picture(9)])[0]) > 0.999


def test_a_picture_that_cannot_be_read_costs_itself_alone(collection: vecsearch.Collection, photos: Path) -> None:
    data = (photos / "sky.png").read_bytes()
    (photos / "sky.png").write_bytes(data[: len(data) // 2])
    report = collection.index([photos])
    assert [Path(failed.source).name for failed in report.failed] == ["sky.png"] and report.added == 3
    (photos / "sky.png").write_bytes(data)
    assert collection.index([photos]).added == 1


def test_pictures_in_an_archive_and_pages_have_vectors_of_their_own(
    collection: vecsearch.Collection, tmp_path: Path, encoder: SentenceTransformersEncoder
) -> None:
    pages = io.BytesIO()
    draw_picture(5).save(pages, "TIFF", save_all=True, append_images=[draw_picture(6)])
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(2):
            stream = io.BytesIO()
            draw_picture(number).save(stream, "PNG")
            archive.writestr(f"in/{number}.png", stream.getvalue())
        archive.writestr("pages.tif", pages.getvalue())
    assert collection.index([tmp_path / "all.zip"]).added == 3
    for number, row in enumerate(encoder.encode_images([draw_picture(0), draw_picture(1)])):
        assert float(get_vector(collection, f"all.zip!in/{number}.png") @ row) > 0.999
    (document,) = collection.get(["all.zip!pages.tif"], include_vectors=True)
    assert [chunk.location["page"] for chunk in document.chunks] == [1, 2] and document.vectors is not None
    assert (np.einsum("ij,ij->i", document.vectors, encoder.encode_images([draw_picture(5), draw_picture(6)])) > 0.999).all()


def test_another_model_reads_the_pictures_again_and_one_of_text_is_refused(
    collection: vecsearch.Collection, photos: Path, tmp_path: Path
) -> None:
    collection.index([photos])
    before = get_vector(collection, "photos/sky.png")
    with pytest.raises(EncodingError, match=r"made of its image: the model .* encodes text, no image; choose one such as CLIP"):
        collection.reembed(model="all-MiniLM-L6-v2")
    assert (get_vector(collection, "photos/sky.png") == before).all()
    other = SentenceTransformersEncoder(str(build_clip(tmp_path / "other", seed=27)))
    collection.reembed(model=other.name)
    assert float(get_vector(collection, "photos/sky.png") @ other.encode_images([draw_picture(2)])[0]) > 0.999
    assert collection.index([photos]).unchanged == 4


def test_a_collection_of_texts_that_gets_such_a_model_takes_pictures_from_then_on(
    tmp_path: Path, photos: Path, clip: Path, encoder: SentenceTransformersEncoder
) -> None:
    with vecsearch.open(tmp_path / "db") as collection:
        collection.index([photos / "notes.txt", photos])
        collection.reembed(model=str(clip))
        collection.index()
        assert float(get_vector(collection, "photos/sky.png") @ encoder.encode_images([draw_picture(2)])[0]) > 0.999
        assert collection.index().unchanged == 4


def test_a_damaged_vector_of_a_picture_is_made_again_from_its_file(
    tmp_path: Path, clip: Path, photos: Path, shell: Any, encoder: SentenceTransformersEncoder
) -> None:
    assert shell("index", "photos", "-c", "pictures", "--model", clip).status == 0
    with closing(sqlite3.connect(tmp_path / ".vecsearch" / "vecsearch.db")) as connection, connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
    assert shell("doctor").status == 1
    assert shell("doctor", "--fix").status == 0
    assert json.loads(shell("status", "--json").out)["collections"][0]["pending_vectors"] == 3
    assert shell("index", "--vectors-only", "-c", "pictures").status == 0
    with vecsearch.open(tmp_path / ".vecsearch", collection="pictures") as collection:
        assert float(get_vector(collection, "photos/sky.png") @ encoder.encode_images([draw_picture(2)])[0]) > 0.999
    assert shell("doctor").status == 0


def test_the_shell_indexes_a_folder_of_pictures_alone_and_searches_it(
    tmp_path: Path, clip: Path, photos: Path, shell: Any
) -> None:
    (photos / "notes.txt").unlink()
    assert shell("index", "photos", "-c", "pictures", "--model", clip).status == 0
    hits = json.loads(shell("similar", "--file", photos / "sky.png", "-c", "pictures", "--json").out)["hits"]
    assert {hit["id"] for hit in hits} == {"photos/heron.png", "photos/crane.png"}
    assert all(hit["location"]["media"] == "image" for hit in hits)
    found = shell("search", "the blue sky", "-c", "pictures", "--window", "1")
    assert found.status == 0 and "photos/sky.png" in found.out
    for arguments in (["--rerank"], ["--explain"], ["--dedupe"], ["--min-similarity", "auto"], ["--mode", "lexical"]):
        assert shell("search", "the blue sky", "-c", "pictures", *arguments).status in (0, 1), arguments
    assert shell("get", "photos/sky.png", "-c", "pictures").status == 0


def test_an_encoder_of_the_callers_own_takes_pictures_where_it_says_so(
    tmp_path: Path, photos: Path, encoder: SentenceTransformersEncoder
) -> None:
    class OwnEncoder:
        name, dimension, fingerprint, max_tokens = "own", encoder.dimension, "own-1", 40
        modalities = frozenset({"text", "image"})

        def token_spans(self, text: str) -> Any:
            return encoder.token_spans(text)

        def encode_documents(self, texts: Any) -> Any:
            return encoder.encode_documents(texts)

        encode_queries = encode_documents

        def encode_images(self, images: Any) -> Any:
            return -encoder.encode_images(images)

    with vecsearch.open(tmp_path / "db", model=OwnEncoder()) as collection:
        collection.index([photos])
        assert float(get_vector(collection, "photos/sky.png") @ encoder.encode_images([draw_picture(2)])[0]) < -0.999


# -- sound


def write_sound(path: Path, seconds: float, rate: int = 48_000) -> Any:
    """Write a wav of a tone that rises; return its samples."""
    moments = np.arange(int(seconds * rate)) / rate
    samples = np.rint(8_000 * np.sin(2 * np.pi * (200 + 20 * moments) * moments)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return samples.astype(np.float32) / 32768


def test_sound_has_a_vector_for_each_ten_seconds_with_their_times(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="pip install av")
    folder = build_clap(tmp_path / "clap")
    encoder = SentenceTransformersEncoder(str(folder))
    samples = write_sound(tmp_path / "tone.wav", 24.5)
    write_sound(tmp_path / "short.wav", 3)
    with vecsearch.open(tmp_path / "db", model=str(folder)) as collection:
        report = collection.index([tmp_path / "tone.wav", tmp_path / "short.wav"])
        assert (report.added, report.failed, report.pending_vectors) == (2, (), 0)
        (tone,) = collection.get(["tone.wav"], include_vectors=True)
        pieces = [chunk for chunk in tone.chunks if chunk.location.get("media") == "audio"]
        assert [piece.location["time"] for piece in pieces] == [
            ["00:00:00.000", "00:00:10.000"], ["00:00:10.000", "00:00:20.000"], ["00:00:20.000", "00:00:24.500"],
        ]  # fmt: skip
        rows = encoder.encode_audio([samples[:480_000], samples[480_000:960_000], samples[960_000:]], sample_rate=48_000)
        assert tone.vectors is not None and (np.einsum("ij,ij->i", tone.vectors[-3:], rows) > 0.999).all()
        (hit,) = collection.similar(file=tmp_path / "short.wav", limit=1)
        assert hit.id == "tone.wav" and hit.location["media"] == "audio" and len(hit.location["time"]) == 2
        assert collection.search("a tone that rises", mode="dense")[0].id in ("tone.wav", "short.wav")


def test_pictures_and_texts_of_siglip_are_indexed_searched_and_embedded_again(photos: Path, tmp_path: Path, clip: Path) -> None:
    folder = build_siglip(tmp_path / "siglip")
    encoder = SentenceTransformersEncoder(str(folder))
    with vecsearch.open(tmp_path / "db", model=str(folder)) as collection:
        assert collection.index([photos], vectors=False).pending_vectors > 3
        assert collection.fill_vectors().failed == ()
        rows = encoder.encode_images([draw_picture(number) for number in range(3)])
        keys = [f"photos/{name}.png" for name in ("heron", "crane", "sky")]
        assert all(float(get_vector(collection, key) @ row) > 0.999 for key, row in zip(keys, rows, strict=True))
        question = encoder.encode_queries(["a bird"])[0]
        pictures = [hit.id for hit in collection.search("a bird", mode="dense", group_by="document") if hit.id in keys]
        assert pictures == [keys[n] for n in np.argsort(-rows @ question)]
        assert collection.similar(file=photos / "sky.png")[0].id != keys[2]
        collection.reembed(model=str(clip))
        other = SentenceTransformersEncoder(str(clip)).encode_images([draw_picture(0)])[0]
        assert float(get_vector(collection, keys[0]) @ other) > 0.999


def test_texts_of_embedding_gemma_are_indexed_with_its_document_prompt_and_asked_with_that_of_questions(tmp_path: Path) -> None:
    folder = build_embedding_gemma(tmp_path / "gemma")
    encoder = SentenceTransformersEncoder(str(folder))
    texts = ["a heron waits in shallow water", "the bank lends money", "cranes dance", "a model walks the runway"]
    with vecsearch.open(tmp_path / "db", model=str(folder)) as collection:
        collection.add(texts, ids=["0", "1", "2", "3"])
        hits = collection.search("a bird", mode="dense", limit=4)
        cosines = encoder.encode_documents(texts) @ encoder.encode_queries(["a bird"])[0]
    assert [hit.id for hit in hits] == [str(n) for n in np.argsort(-cosines)]
    assert [hit.score for hit in hits] == pytest.approx(sorted(cosines.tolist(), reverse=True), abs=1e-3)
