"""Packages that a plain install does not bring."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from vecsearch.core.errors import UnavailableError
from vecsearch.core.optional_packages import import_optional, list_packages

REQUIREMENTS = [
    "numpy>=2.0",
    'pyarrow>=18.0; extra == "parquet"',
    'pydantic-core[all]<3,>=2.1; (python_version >= "3.11" and sys_platform != "win32") and extra == \'parquet\'',
    "pyarrow-hotfix; extra == 'parquet-more'",
]


def test_the_packages_of_an_extra_come_from_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIREMENTS if name == "vecsearch" else None)
    assert list_packages("parquet") == ["pyarrow", "pydantic-core"]
    assert list_packages("nothing") == []
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnavailableError, match=r"^pyarrow is not installed; pip install pyarrow pydantic-core$"):
        import_optional("pyarrow.parquet", extra="parquet")


def test_the_metadata_of_this_install_are_read() -> None:
    assert list_packages("parquet") == ["pyarrow"]


def test_without_metadata_the_hint_names_the_package_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", refuse)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UnavailableError, match=r"^pandas is not installed; pip install pandas$"):
        import_optional("pandas")


def test_a_broken_package_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brokenpackage.py").write_text("import what_it_needs_and_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_needs_and_is_not_there"):
        import_optional("brokenpackage")
