"""Models of text and pictures, or text and sound, by sentence-transformers: tiny ones with random weights, built here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import build_clap, build_clip, build_embedding_gemma, build_siglip
from vecsearch.core.errors import UnavailableError
from vecsearch.encoders.auto import AutoEncoder
from vecsearch.encoders.base import AudioEncoder, ImageEncoder
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder

TEXTS = ["a heron", "a much longer text about a crane that waits in the water", "x"]
BUILDERS: dict[str, tuple[Callable[[Path], Path], set[str], int]] = {  # what it encodes, the length of its window
    "clip": (build_clip, {"text", "image"}, 77),
    "siglip": (build_siglip, {"text", "image"}, 64),
    "clap": (build_clap, {"text", "audio"}, 77),
    "embedding-gemma": (build_embedding_gemma, {"text"}, 128),
}


def make_pictures() -> list[Any]:
    from PIL import Image

    generator = np.random.default_rng(26)
    return [Image.fromarray(generator.integers(0, 256, (30 + 9 * n, 40, 3), dtype=np.uint8)) for n in range(3)]


def make_sounds() -> list[Any]:
    moments = np.arange(3 * 48_000) / 48_000
    return [np.sin(2 * np.pi * tone * moments[: 48_000 * (n + 1)]).astype(np.float32) for n, tone in enumerate((220, 440, 880))]


def encode_all(encoder: SentenceTransformersEncoder | AutoEncoder) -> list[Any]:
    """Encode all that it takes."""
    rows = [encoder.encode_documents(TEXTS), encoder.encode_queries(TEXTS)]
    rows += [encoder.encode_images(make_pictures())] if "image" in encoder.modalities else []
    rows += [encoder.encode_audio(make_sounds(), sample_rate=48_000)] if "audio" in encoder.modalities else []
    return rows


@pytest.fixture(scope="module", params=BUILDERS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return BUILDERS[kind][0](tmp_path_factory.mktemp("models") / kind)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(str(folder))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(str(build_clip(tmp_path_factory.mktemp("models") / "clip")))


def test_all_that_a_model_takes_has_one_space(kind: str, encoder: SentenceTransformersEncoder) -> None:
    _, modalities, window = BUILDERS[kind]
    assert encoder.modalities == modalities and window - 30 <= encoder.max_tokens < window
    for rows in encode_all(encoder):
        assert rows.shape == (3, encoder.dimension) and np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert len({row.tobytes() for row in rows}) == 3


def test_a_vector_does_not_depend_on_what_is_encoded_beside_it(kind: str, encoder: SentenceTransformersEncoder) -> None:
    pairs: list[tuple[Any, Any]] = [(encoder.encode_documents, TEXTS), (encoder.encode_queries, TEXTS)]
    pairs += [(encoder.encode_images, make_pictures())] if "image" in encoder.modalities else []
    sound = lambda sounds: encoder.encode_audio(sounds, sample_rate=48_000)  # noqa: E731
    pairs += [(sound, make_sounds())] if "audio" in encoder.modalities else []
    for encode, inputs in pairs:
        alone = np.concatenate([encode([each]) for each in inputs])
        assert ((encode(inputs) * alone).sum(axis=1) > 0.9999).all(), kind


def test_a_model_that_is_saved_and_loaded_again_gives_the_same_bits(
    kind: str, encoder: SentenceTransformersEncoder, tmp_path: Path
) -> None:
    encoder._model.save(str(tmp_path / kind))
    again = SentenceTransformersEncoder(str(tmp_path / kind))
    assert again.modalities == encoder.modalities
    for before, after in zip(encode_all(encoder), encode_all(again), strict=True):
        assert before.tobytes() == after.tobytes()


@pytest.mark.filterwarnings("ignore:.*runs on sentence-transformers")
def test_a_model_by_its_folder_encodes_what_it_says(kind: str, folder: Path, encoder: SentenceTransformersEncoder) -> None:
    auto = AutoEncoder(str(folder))
    assert auto.modalities == BUILDERS[kind][1]
    assert isinstance(auto, ImageEncoder) and isinstance(auto, AudioEncoder)
    for by_name, rows in zip(encode_all(auto), encode_all(encoder), strict=True):
        assert ((by_name * rows).sum(axis=1) > 0.98).all()
    with pytest.raises(UnavailableError, match=r"encodes .*text.*; choose one such as CL[IA]P"):
        auto.encode_audio([], sample_rate=48_000) if "image" in auto.modalities else auto.encode_images([])


def test_the_prompts_of_embedding_gemma_are_put_before_documents_and_questions(tmp_path: Path) -> None:
    gemma = SentenceTransformersEncoder(str(build_embedding_gemma(tmp_path / "gemma")))
    given = gemma._model.encode(
        ["title: none | text: a heron", "task: search result | query: a heron"], normalize_embeddings=True
    )
    rows = np.concatenate([gemma.encode_documents(["a heron"]), gemma.encode_queries(["a heron"])])
    assert ((given * rows).sum(axis=1) > 0.9999).all() and float(rows[0] @ rows[1]) < 0.9999


def test_a_text_that_is_a_path_or_an_address_is_a_text(clip: SentenceTransformersEncoder, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), "red").save(path)
    before = clip.encode_documents([str(path)])
    Image.new("RGB", (40, 30), "blue").save(path)
    assert np.allclose(clip.encode_documents([str(path)]), before, atol=1e-6)
    path.unlink()
    assert np.allclose(clip.encode_queries([str(path)]), before, atol=1e-6)
    addresses: list[Any] = ["http://127.0.0.1:9/a.png", "data:image/png;base64,AAAA"]
    assert clip.encode_documents(addresses).shape == (2, 12)


def test_of_a_long_sound_the_first_ten_seconds_are_encoded(tmp_path: Path) -> None:
    clap = SentenceTransformersEncoder(str(build_clap(tmp_path / "clap")))
    sound = np.random.default_rng(26).normal(0, 0.1, 20 * 48_000).astype(np.float32)
    rows = [clap.encode_audio([each], sample_rate=48_000) for each in (sound, sound, sound[: 10 * 48_000])]
    assert np.allclose(rows[0], rows[1], atol=1e-6) and np.allclose(rows[0], rows[2], atol=1e-6)
    assert clap.encode_audio([], sample_rate=48_000).shape == (0, 12)
