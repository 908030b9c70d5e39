"""Shared fixtures: the real encoder, the sample data, the shell in this process and in its own process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import vecsearch

if threading.current_thread() is threading.main_thread():
    # a shell starts what it runs in the background with Ctrl-C ignored, and so would every command be that a test interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that uses the network fails
os.environ.pop("VECSEARCH_DB", None)

from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder

# a property holds or not, however long a busy machine takes over an example: Hypothesis's 200 ms fail tests under load
settings.register_profile("vecsearch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vecsearch")

PROJECT = Path(__file__).parents[1]
SAMPLE_DATA = PROJECT / "sample_data"
SHARED_DATA = PROJECT.parent / "shared" / "data"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


class CountingEncoder:
    """The real encoder, which records every text that it encodes, and every one whose tokens it gives."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.documents: list[str] = []
        self.of_tokens: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_documents(self, texts: Sequence[str]) -> Any:
        self.documents.extend(texts)
        return self._encoder.encode_documents(texts)

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> Any:
        self.of_tokens.extend(texts)
        return self._encoder.encode_tokens(texts, is_query=is_query)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    """Load the default encoder once a test process."""
    return registry.load(None)


@pytest.fixture
def counting_encoder(encoder: TextEncoder) -> CountingEncoder:
    return CountingEncoder(encoder)


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Find a folder of the evaluation data beside the project; skip the test where it is absent."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"evaluation data {name} is not beside the project")
        return path

    return find


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., CommandResult]]:
    """Run a command line in this process, in an empty folder, so that the model is loaded once for many."""
    from vecsearch.interfaces.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: bytes = b"") -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["vecsearch", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin)))
        capfd.readouterr()
        status = main.run()
        out, err = capfd.readouterr()
        return CommandResult(status, out, err)

    yield run


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., CommandResult]:
    """Run a command line in a process of its own."""

    def run(*arguments: object, stdin: str = "", env: Mapping[str, str] | None = None, **options: Any) -> CommandResult:
        result = subprocess.run(
            [sys.executable, "-m", "vecsearch", *map(str, arguments)], cwd=tmp_path, input=stdin, text=True, capture_output=True,
            timeout=300, env={**os.environ, **(env or {})}, check=False, **options,
        )  # fmt: skip
        return CommandResult(result.returncode, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def database_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a database: two documents added from code, two of files."""
    place = tmp_path_factory.mktemp("made")
    (place / "old").mkdir()
    (place / "old/sea.txt").write_text("the harbour seals rest on the sandbank")
    (place / "old/lines.jsonl").write_text('{"id": "planet", "text": "a ring of ice and dust", "year": 1610}\n')
    with vecsearch.open(place / DATABASE_FOLDER) as collection:
        collection.add(["a jump over the fence", "an upper limit"], ids=["leap", "bound"], metadatas=[{"lang": "en"}, None])
        collection.index([place / "old"])
    return place


@pytest.fixture
def notes(database_template: Path, tmp_path: Path) -> Path:
    """Copy that database for the test, into the folder that the shell works in."""
    shutil.copytree(database_template, tmp_path, dirs_exist_ok=True)
    return tmp_path / DATABASE_FOLDER
