"""What an encoder gives is never believed: one bad text costs that text its vector, a broken encoder ends the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.encoders.base import TokenRows
from vecsearch.indexing import vector_filler

COUNT = 40
BAD = "poison"


def spoil(value: float) -> Callable[[Any], Any]:
    def change(row: Any) -> Any:
        return np.full_like(row, value)

    return change


def fail(row: Any) -> Any:
    raise ValueError("cannot read this")


CHANGES: dict[str, Callable[[Any], Any]] = {
    "NaN": spoil(np.nan), "infinity": spoil(np.inf), "zeros": spoil(0.0), "an error": fail,
    "too wide": lambda row: np.append(row, row), "too narrow": lambda row: row[:3],
    "complex": lambda row: row.astype(np.complex64) * 1j, "no numbers": lambda row: row.astype(str), "nothing": lambda row: None,
}  # fmt: skip


@dataclass(frozen=True)
class SpoiltEncoder(FakeEncoder):
    """Spoils the vector of every text that holds the bad word; of every text where that is empty."""

    change: Callable[[Any], Any] = lambda row: np.full_like(row, np.nan)
    bad: str = BAD

    def encode_documents(self, texts: Sequence[str]) -> Any:
        rows = [self.change(self._row(text)) if self.bad in text else self._row(text) for text in texts]
        try:
            return np.array(rows)
        except ValueError:  # of several widths
            return rows

    encode_queries = encode_documents


@dataclass(frozen=True)
class MiscountingEncoder(FakeEncoder):
    """Gives a row more, or less, than there are texts."""

    surplus: int = 1

    def encode_documents(self, texts: Sequence[str]) -> Any:
        rows = FakeEncoder.encode_documents(self, [*texts, "more"])
        return rows[: len(texts) + self.surplus]

    encode_queries = encode_documents


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vector_filler, "FILL_CHUNKS", 5)
    monkeypatch.setattr(vector_filler, "FILL_WINDOW", 7)
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(COUNT):
        (folder / f"{n:02}.txt").write_text(f"note number{n} about seals" + (f" and {BAD}" if n == COUNT - 2 else ""))
    return folder


def open_collection(folder: Path, encoder: FakeEncoder) -> vecsearch.Collection:
    return vecsearch.open(folder.parent / "x.vec", model=encoder)


@pytest.mark.parametrize("kind", CHANGES)
def test_one_text_without_a_usable_vector_is_one_failed_file_each_run(folder: Path, kind: str) -> None:
    with open_collection(folder, SpoiltEncoder(change=CHANGES[kind])) as collection:
        for _ in range(2):
            report = collection.index([folder])
            ((source, error),) = [(failure.source, failure.error) for failure in report.failed]
            assert (source, report.pending_vectors, report.documents) == ((folder / "38.txt").as_posix(), 1, COUNT)
            assert error.startswith("no vector for document 'files/38.txt': ")
            assert [source.error for source in collection.list_sources(failed=True)] == [error]
        assert [hit.id for hit in collection.search(BAD, mode="lexical")] == ["files/38.txt"]
        assert len(collection.search("seals", mode="dense", limit=COUNT)) == COUNT - 1
    with open_collection(folder, FakeEncoder()) as collection:  # whose vectors may be mixed with those
        report = collection.index([folder])
        assert (report.failed, report.pending_vectors, collection.list_sources(failed=True)) == ((), 0, [])


def test_what_waits_behind_many_bad_texts_is_not_kept_waiting(folder: Path) -> None:
    for n in range(COUNT // 2, COUNT):  # the newest, more than a window of them
        (folder / f"{n:02}.txt").write_text(f"{BAD} number{n}")
    with open_collection(folder, SpoiltEncoder()) as collection:
        collection.index([folder], vectors=False)
        report = collection.fill_vectors()
        assert (report.encoded, report.pending_vectors, len(report.failed)) == (COUNT // 2, COUNT // 2, COUNT // 2)
        assert collection.fill_vectors().encoded == 0


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (SpoiltEncoder(bad=""), vecsearch.EncodingError, "holds NaN or infinity, for a plain word too"),
        (SpoiltEncoder(bad="", change=CHANGES["too wide"]), vecsearch.EncodingError, r"shape \(1, 64\).*expected .* \(1, 32\)"),
        (SpoiltEncoder(bad="", change=fail), ValueError, "cannot read this"),
        (MiscountingEncoder(), vecsearch.EncodingError, r"shape \(2, 32\)"),
        (MiscountingEncoder(surplus=-1), vecsearch.EncodingError, r"shape \(0, 32\)"),
    ],
)
def test_an_encoder_that_is_broken_as_a_whole_ends_the_run_and_costs_no_words(
    folder: Path, encoder: FakeEncoder, error: type[Exception], message: str
) -> None:
    with open_collection(folder, encoder) as collection:
        with pytest.raises(error, match=message):
            collection.index([folder])
        assert collection.pending_vectors == COUNT
        assert collection.list_sources(failed=True) == []
        assert len(collection.search("seals", mode="lexical", limit=COUNT)) == COUNT
        with pytest.raises(error, match=message):
            collection.add(["a text"], ids=["a"])
        with pytest.raises(error, match=message):
            collection.embed(["a text"])
        with pytest.raises(error, match=message):
            collection.search("a text")
        with pytest.raises(error, match=message):
            collection.similar(text="a text")
        assert "a" not in collection


def test_a_batch_that_fails_is_encoded_text_by_text(folder: Path) -> None:
    """For want of memory on a device, say, or of a connection: no text is to blame."""

    @dataclass(frozen=True)
    class NarrowEncoder(FakeEncoder):
        def encode_documents(self, texts: Sequence[str]) -> Any:
            if len(texts) > 1:
                raise RuntimeError("too many texts for the device")
            return super().encode_documents(texts)

    with open_collection(folder, NarrowEncoder()) as collection:
        report = collection.index([folder])
        assert (report.failed, report.pending_vectors) == ((), 0)
        expected = FakeEncoder().encode_documents(["note number3 about seals"])[0]
        assert collection.search(expected)[0].id == "files/03.txt"


def test_lack_of_memory_ends_the_run(folder: Path) -> None:
    calls: list[int] = []

    def run_out(row: Any) -> Any:
        calls.append(1)
        raise MemoryError

    with open_collection(folder, SpoiltEncoder(change=run_out)) as collection:
        with pytest.raises(MemoryError):
            collection.index([folder])
        assert (len(calls), collection.list_sources(failed=True)) == (1, [])


@pytest.mark.parametrize("kind", CHANGES)
def test_whoever_brings_a_bad_text_is_told_which_and_nothing_is_stored(folder: Path, kind: str) -> None:
    with open_collection(folder, SpoiltEncoder(change=CHANGES[kind])) as collection:
        collection.add(["a", "b"], ids=["a", "b"])
        for call in (
            lambda: collection.add(["good", f"a {BAD}"], ids=["new", "bad"]),
            lambda: collection.upsert(["good", f"a {BAD}"], ids=["a", "bad"]),
        ):
            with pytest.raises(vecsearch.EncodingError, match="no vector for document 'bad': "):
                call()
        with pytest.raises(vecsearch.EncodingError, match="no vector for document 'a': "):
            collection.update("a", text=BAD)
        with pytest.raises(vecsearch.EncodingError, match=r"no vector for texts\[1\]: "):
            collection.embed(["good", BAD])
        for ask in (
            lambda: collection.search(["good", BAD]), lambda: collection.search(BAD, mode="dense"),
            lambda: collection.similar(text=BAD), lambda: collection.recommend([{"text": BAD}]), lambda: collection.context(BAD),
        ):  # fmt: skip
            with pytest.raises(vecsearch.EncodingError, match=f"no vector for '{BAD}': "):
                ask()
        assert [document.text for document in collection.get(["a", "b"])] == ["a", "b"]
        assert collection.count() == 2


def test_an_import_reports_the_bad_text_and_takes_the_others(folder: Path) -> None:
    lines = folder / "lines.jsonl"
    lines.write_text("".join(f'{{"id": "{n}", "text": "{BAD if n == 3 else "good"} {n}"}}\n' for n in range(9)))
    with open_collection(folder, SpoiltEncoder()) as collection:
        report = collection.import_documents(lines)
        assert ([failure.source for failure in report.failed], report.pending_vectors) == ([lines.as_posix()], 1)
        assert "no vector for document '3'" in report.failed[0].error


def test_reembedding_keeps_the_old_vectors_until_every_text_has_a_new_one(folder: Path) -> None:
    with open_collection(folder, FakeEncoder()) as collection:
        collection.index([folder])
        with pytest.raises(vecsearch.EncodingError, match=r"document 'files/38\.txt': .*the old vectors of 'default' stay"):
            collection.reembed(SpoiltEncoder(salt=1))
        assert (len(collection.search("seals", mode="dense", limit=COUNT)), collection.pending_vectors) == (COUNT, 0)
        collection.delete("files/38.txt")
        assert collection.reembed(SpoiltEncoder(salt=1)).encoded == 0


def test_the_shell_names_the_failed_file_and_exits_with_1(folder: Path, shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from vecsearch.encoders import registry

    monkeypatch.setattr(registry, "load", lambda *_: SpoiltEncoder())
    monkeypatch.setattr(registry, "load_matching", lambda *_, **__: SpoiltEncoder())
    for arguments in (["index", folder], ["index", "--vectors-only"]):
        result = shell(*arguments, "--db", folder.parent / "x.vec")
        assert result.status == 1
        assert f"failed: {folder / '38.txt'}: no vector for document" in result.err


@dataclass(frozen=True)
class TokenSpoiler(FakeEncoder):
    """Gives token rows as it is told to."""

    make: Callable[[Sequence[str]], list[TokenRows]] = lambda texts: []
    pools_by_mean: bool = True

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
        return self.make(texts)


def make_rows(value: float, width: int, tokens: int = 1) -> Callable[[Sequence[str]], list[TokenRows]]:
    spans = np.zeros((1, 2), np.int64)
    return lambda texts: [TokenRows(spans, np.full((tokens, width), value, np.float32)) for _ in texts]


@pytest.mark.parametrize("make", [lambda texts: [], make_rows(np.nan, 32), make_rows(1, 31), make_rows(1, 32, tokens=2)])
def test_token_rows_are_checked_before_they_rerank_or_explain(tmp_path: Path, make: Any) -> None:
    with vecsearch.open(tmp_path / "x.vec", model=TokenSpoiler(make=make)) as collection:
        collection.add(["a seal", "a whale"])
        with pytest.raises(vecsearch.EncodingError, match=r"token|shape"):
            collection.search("seal", rerank=True)
        explanation = collection.search("seal", explain=True)[0].explanation
        with pytest.raises(vecsearch.EncodingError, match=r"token|shape"):
            _ = explanation and explanation.tokens
