"""Every error and every result can be sent to another process, and copied, with all that it says."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.checks import get_vectors
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from vecsearch.core.errors import VecsearchError

SAMPLES = {"str": "a 'name'", "str | None": "tides", "int": 384, "list[str]": ["sea", "land"]}


def round_trip(protocol: int, value: Any) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    **{f"pickle {number}": partial(round_trip, number) for number in range(6)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def list_error_classes() -> list[type[BaseException]]:
    """List every exception and warning that a module of the package defines, by importing all of them."""
    for module in pkgutil.walk_packages(vecsearch.__path__, "vecsearch."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    kinds = {kind for kind in iterate_subclasses(BaseException) if kind.__module__.partition(".")[0] == "vecsearch"}
    return sorted(kinds, key=lambda kind: (kind.__module__, kind.__qualname__))


def iterate_subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for subclass in type.__subclasses__(kind):
        yield subclass
        yield from iterate_subclasses(subclass)


def make_error(kind: type[BaseException]) -> BaseException:
    """Make one with a value of the right type for each argument; with a message where it says nothing of its arguments."""
    if kind.__init__ in (Exception.__init__, ValueError.__init__, UserWarning.__init__):
        return kind("what happened, and what to type next")
    parameters = list(inspect.signature(kind).parameters.values())
    given = [
        SAMPLES[parameter.annotation]
        for parameter in parameters
        if parameter.kind is not parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    ]
    return kind(*given)


CLASSES = list_error_classes()


def test_the_tree_is_all_there() -> None:
    names = {kind.__name__ for kind in CLASSES}
    assert {"VecsearchError", "VecsearchWarning", "DimensionMismatchError", "BinaryFileError", "NestingError"} <= names
    defined = sum(
        line.startswith("class ") and line.rstrip().endswith(("Error):", "Exception):", "Warning):", "ValueError):"))
        for path in (PROJECT / "vecsearch").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    assert len(CLASSES) == defined


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__qualname__)
def test_an_error_keeps_its_class_message_fields_and_notes(kind: type[BaseException], way: str) -> None:
    error = make_error(kind)
    error.add_note("while reading a.txt")
    error.extra = {"line": 7}  # type: ignore[attr-defined]
    twin = WAYS[way](error)
    assert type(twin) is kind and str(twin) == str(error) != "" and twin.args == error.args
    assert vars(twin) == vars(error) and twin.__notes__ == ["while reading a.txt"]


class _TwoFieldsError(vecsearch.InputError):
    """An error whose constructor makes its message, as one that is still to be written may."""

    def __init__(self, first: str, *, second: int) -> None:
        super().__init__(f"{first} and {second}")
        self.first, self.second = first, second


@pytest.mark.parametrize("way", WAYS)
def test_an_error_needs_no_code_of_its_own_for_its_fields(way: str) -> None:
    twin = WAYS[way](_TwoFieldsError("one", second=2))
    assert (type(twin), str(twin), twin.first, twin.second) == (_TwoFieldsError, "one and 2", "one", 2)


def raise_error(number: int) -> int:
    raise make_error([kind for kind in CLASSES if issubclass(kind, VecsearchError)][number])


def test_a_pool_of_processes_passes_every_error_on() -> None:
    kinds = [kind for kind in CLASSES if issubclass(kind, VecsearchError)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for number, kind in enumerate(kinds):
            with pytest.raises(kind, match=r"\w"):
                pool.apply_async(raise_error, (number,)).get(timeout=120)


def collect_results(place: Path) -> dict[str, Any]:
    """Collect what each method of the public classes returns."""
    (place / "a.md").write_text("# Tides\n\nThe sea rises twice a day.\n")
    (place / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    with vecsearch.open(place / "db") as collection:
        results: dict[str, Any] = {
            "ids": collection.add(["a jump over the fence", "an upper limit"], ids=["leap", "bound"], metadatas=[{"n": 1}, None]),
            "index": collection.index([place / "a.md", place / "bad.pdf"]),
            "search": collection.search("leap", explain=True, window=1, group_by="document"),
            "searches": collection.search(["leap", "limit"], mode="lexical", where={"n": 1}),
            "similar": collection.similar(id="leap"),
            "recommend": collection.recommend(["leap"]),
            "context": collection.context("when does the sea rise?"),
            "get": collection.get(["leap"]),
            "vectors": get_vectors(collection.get(["leap"], include_vectors=True)[0]).tolist(),
            "update": collection.update("leap", metadata={"n": 2}),
            "documents": collection.list_documents(),
            "sources": collection.list_sources(),
            "status": collection.status(),
            "metadata": collection.metadata,
            "path": collection.path,
            "fill": collection.fill_vectors(),
            "export": collection.export_documents(place / "out.jsonl"),
            "import": collection.import_documents(place / "out.jsonl", on_conflict="replace"),
            "reembed": collection.reembed(FakeEncoder()),
            "delete": collection.delete(["bound"]),
        }
    with vecsearch.connect(place / "db") as database:
        results |= {
            "collections": database.collections(), "database": database.status(), "models": database.models(),
            "findings": database.check(), "repair": database.repair(), "backup": database.backup(place / "b.backup"),
        }  # fmt: skip
    return results


def test_every_result_can_be_sent_to_another_process_and_copied(tmp_path: Path) -> None:
    for name, result in collect_results(tmp_path).items():
        for way, take in WAYS.items():
            twin = take(result)
            assert type(twin) is type(result) and twin == result, (name, way)
            if isinstance(result, vecsearch.Hits):
                assert (twin.profile, twin.pending_vectors) == (result.profile, result.pending_vectors)
                assert twin.profile is not None


def test_every_public_value_is_a_class_that_can_be_found_again() -> None:
    for name in vecsearch.__all__:
        value = getattr(vecsearch, name)
        if isinstance(value, type):
            assert pickle.loads(pickle.dumps(value)) is value, name
