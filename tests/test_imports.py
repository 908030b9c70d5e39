"""What is imported, and when: no command that needs no model waits for one; and every export of the package exists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import vecsearch
from vecsearch.core import errors

MODEL = {"torch", "transformers", "sentence_transformers", "onnxruntime"}
HEAVY = MODEL | {"faiss", "click", "alembic", "sqlalchemy", "numpy", "rich", "selectolax"}
RUN = "import sys; from vecsearch.interfaces.cli import main as cli; sys.argv[0] = 'vecsearch'; status = cli.run(); "
TELL = "print('LOADED', *sys.modules, file=sys.stderr); sys.exit(status)"


def list_loaded_modules(code: str, *arguments: object, full_names: bool = False) -> set[str]:
    """List the top-level modules that a process of its own has loaded, or the full names."""
    result = subprocess.run(
        [sys.executable, "-c", code + TELL, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    names = result.stderr.splitlines()[-1].split()[1:]
    return set(names) if full_names else {name.partition(".")[0] for name in names}


def test_the_package_alone_loads_next_to_nothing() -> None:
    assert list_loaded_modules("import sys, vecsearch; vecsearch.__version__; status = 0; ") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_click_and_no_more(arguments: list[str]) -> None:
    assert list_loaded_modules(RUN, *arguments) & HEAVY == {"click"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"], ["status"], ["get", "leap"], ["search", "fence", "--mode", "lexical"], ["similar", "--id", "leap"], ["models"],
        ["collections"], ["doctor"], ["delete", "leap", "--dry-run"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_needs_no_encoding_loads_no_model(notes: Path, arguments: list[str]) -> None:
    assert list_loaded_modules(RUN, *arguments, "--db", notes) & MODEL == set()


def test_indexing_what_is_unchanged_loads_no_model(notes: Path) -> None:
    assert list_loaded_modules(RUN, "index", notes.parent / "old", "--db", notes) & MODEL == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "fence"], ["search", "fence", "--where", "lang=en"], ["similar", "--id", "leap"],
        ["similar", "--text", "fence"],
        ["recommend", "--positive-text", "fence"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_asking_loads_nothing_of_the_write_path(notes: Path, arguments: list[str]) -> None:
    """Every module that a search does not need makes the shell wait: SQLAlchemy longer than the search takes."""
    modules = list_loaded_modules(RUN, *arguments, "--db", notes, full_names=True)
    assert "sqlalchemy" not in modules
    assert (
        modules
        & {
            "vecsearch.indexing.pipeline",
            "vecsearch.indexing.batch_writer",
            "vecsearch.stores.sqlite.write.writer",
            "vecsearch.search.context",
        }
        == set()
    )
    assert not any(name.startswith("vecsearch.documents.loaders") for name in modules)
    assert "vecsearch.search.engine" in modules


def test_asking_by_meaning_loads_the_lean_runtime_alone(notes: Path) -> None:
    assert list_loaded_modules(RUN, "search", "fence", "--db", notes) & MODEL == {"onnxruntime"}


def test_every_public_name_is_there() -> None:
    assert all(hasattr(vecsearch, name) for name in vecsearch.__all__)
    assert dir(vecsearch) == sorted(vecsearch.__all__)


def test_every_error_is_public() -> None:
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__}
    assert defined <= set(vecsearch.__all__)
