"""What an encoder of a caller's own says of itself is checked before anything is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.checks import get_vectors, is_sound
from tests.fakes import FakeEncoder
from vecsearch.encoders.base import TextEncoder


class SelfMadeEncoder:
    """Says of itself what it is told to."""

    def __init__(self, spans: Callable[[str], Any] | None = None, **fields: Any) -> None:
        said = {"name": "own", "fingerprint": "own-1", "dimension": 32, "max_tokens": 40, **fields}
        self.__dict__.update({field: value for field, value in said.items() if value is not KeyError})
        self._spans = spans or FakeEncoder().token_spans

    def token_spans(self, text: str) -> Any:
        return self._spans(text)

    def encode_documents(self, texts: Sequence[str]) -> Any:
        return FakeEncoder().encode_documents(texts)

    encode_queries = encode_documents


def make_encoder(**fields: Any) -> TextEncoder:
    encoder: Any = SelfMadeEncoder(**fields)
    return encoder  # type: ignore[no-any-return]


def test_whole_numbers_of_numpy_are_taken_as_such(tmp_path: Path) -> None:
    encoder = make_encoder(
        name=np.str_("own"), fingerprint=np.str_("own-1"), dimension=np.int64(32), max_tokens=np.uint8(4),
        spans=lambda text: np.array(FakeEncoder().token_spans(text), np.int32).reshape(-1, 2),
    )  # fmt: skip
    text = " ".join(f"word{n}" for n in range(50))
    (tmp_path / "a.txt").write_text(text)
    with vecsearch.open(tmp_path / "x.vec", model=encoder) as collection:
        assert type(collection.dimension) is int
        collection.add([text, "two"], ids=["one", "two"], titles=["a title of nine words that is too long", None])
        collection.index([tmp_path / "a.txt"])
        assert collection.search("two", limit=1)[0].id == "two"
        assert (collection.dimension, collection.status()["dimension"]) == (32, 32)
        (document,) = collection.get("two", include_vectors=True)
        assert document.vectors is not None and document.vectors.shape == (1, 32)
        assert len(collection.search("word1", group_by="document", mode="lexical")) == 2
    with vecsearch.open(tmp_path / "x.vec", model=make_encoder(max_tokens=4)) as collection:  # which gives the same, plainly
        assert get_vectors(collection.get("one", include_vectors=True)[0]).shape[0] > 10
        collection.add(["three"], ids=["three"])
    assert is_sound(tmp_path / "x.vec")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"dimension": None}, "`dimension` of the encoder SelfMadeEncoder must be a whole number from 1 to 65,536, got None"),
    ({"dimension": 0}, "`dimension` .* got 0"), ({"dimension": "32"}, "`dimension` .* got '32'"),
    ({"dimension": np.float64(32)}, "`dimension` .* got np.float64"), ({"dimension": True}, "`dimension` .* got True"),
    ({"dimension": KeyError}, "`dimension` of the encoder SelfMadeEncoder is missing"),
    ({"fingerprint": 5}, "`fingerprint` of the encoder SelfMadeEncoder must be a text that is not empty, got 5"),
    ({"fingerprint": None}, "`fingerprint` .* got None"), ({"fingerprint": ""}, "`fingerprint` .* got ''"),
    ({"fingerprint": b"own"}, "`fingerprint` .* got b'own'"), ({"name": None}, "`name` .* got None"),
    ({"name": "\ud800"}, "`name` .* got"), ({"name": Path("own")}, "`name` .* got"),
    ({"max_tokens": None}, "`max_tokens` of the encoder SelfMadeEncoder must be a whole number of at least 1, got None"),
    ({"max_tokens": 2.5}, "`max_tokens` .* got 2.5"), ({"max_tokens": 0}, "`max_tokens` .* got 0"),
    ({"max_tokens": KeyError}, "`max_tokens` .* is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_wrong_field_is_named_and_nothing_is_stored(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    (tmp_path / "a.txt").write_text("a heron")
    (tmp_path / "lines.jsonl").write_text('{"id": "x", "text": "a heron"}\n')
    for others in (False, True):  # the collection is there already, or not
        encoder = make_encoder(**fields)
        folder = tmp_path / f"{others}.vec"
        if others:
            with vecsearch.open(folder, model=make_encoder()) as collection:
                collection.add(["there"], ids=["there"])
        calls: list[Callable[[vecsearch.Collection], object]] = [
            lambda c: c.add(["one"], ids=["1"]), lambda c: c.index([tmp_path / "a.txt"]),
            lambda c: c.import_documents(tmp_path / "lines.jsonl"),
        ]  # fmt: skip
        if not {"name", "fingerprint"} & set(fields):
            calls.append(lambda c: c.embed(["one"]))
        if "name" in fields and others:
            continue  # the name that is stored is the other's, and serves
        for call in calls:
            with pytest.raises(vecsearch.InputError, match=message), vecsearch.open(folder, model=encoder) as collection:
                call(collection)
        with vecsearch.open(folder, model=make_encoder()) as collection:
            assert list(collection) == ["there"] * others
            if others and "max_tokens" not in fields:
                with pytest.raises(vecsearch.InputError, match=message):
                    collection.reembed(make_encoder(**{"fingerprint": "own-2", **fields}))
                assert [hit.id for hit in collection.search("there", mode="dense")] == ["there"]
        assert is_sound(folder)


@pytest.mark.parametrize(("fields", "message"), [case for case in WRONG if "max_tokens" not in case[0]])
def test_an_empty_collection_is_not_made_for_a_wrong_field(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with vecsearch.connect(tmp_path / "x.vec") as database:
        with pytest.raises(vecsearch.InputError, match=message):
            database.create_collection("new", model=make_encoder(**fields))
        if "dimension" not in fields:  # the vectors have one
            with pytest.raises(vecsearch.InputError, match=message):
                database.collection("new", model=make_encoder(**fields)).add(["a"], vectors=[[1.0, 2.0]])
        assert database.collections() == []


@pytest.mark.parametrize(
    "spans", [lambda text: None, lambda text: 3, lambda text: [1, 2], lambda text: [(0, 1, 2)], lambda text: [(0, 1.0)],
              lambda text: [(0, len(text) + 1)], lambda text: [(2, 1)], lambda text: [(-1, 1)]],
)  # fmt: skip
def test_spans_that_are_no_ranges_of_the_text_are_refused(tmp_path: Path, spans: Callable[[str], Any]) -> None:
    encoder = make_encoder(spans=spans, max_tokens=1)
    with vecsearch.open(tmp_path / "x.vec", model=encoder) as collection:
        for call in (
            lambda: collection.add(["a heron"]), lambda: collection.embed(["a heron"]), lambda: collection.search("a heron"),
        ):  # fmt: skip
            with pytest.raises(vecsearch.VecsearchError, match=r"`token_spans` .* must return a pair|no collection"):
                call()
        assert len(collection) == 0
