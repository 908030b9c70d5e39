"""Roots: the files and folders that were given to `index`, each with the options that it was given with, which it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from vecsearch.core.row_options import RowOptions
from vecsearch.core.settings import MAX_FILE_BYTES
from vecsearch.core.types import JSON, Split


@dataclass(frozen=True, slots=True)
class RootOptions:
    """How the files of a root are chosen and read; see `FileFilter`. `password_file` is the path of a file, never its content.
    `rows`: how the rows of tables and the lines of lists become documents, None where each file is one.

    Stored as a JSON object that holds what is not the default. A further option is a further field, with the default that roots
    had without it.
    """

    split: Split = Split.TOKENS
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_bytes: int = MAX_FILE_BYTES
    password_file: str | None = None
    rows: RowOptions | None = None

    def to_json(self) -> dict[str, JSON]:
        """Return what is not the default."""
        return {name: value for name, value in self.to_dict().items() if getattr(self, name) != getattr(_DEFAULTS, name)}

    def to_dict(self) -> dict[str, JSON]:
        """Return all options as JSON values."""
        rows = None if self.rows is None else self.rows.to_dict()
        values = {name: getattr(self, name) for name in _NAMES} | {"rows": rows}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, JSON]) -> Self:
        """Return the options of a JSON object; what it has besides is passed over."""
        known: dict[str, Any] = {name: stored[name] for name in _NAMES if name in stored}
        for name in {"include", "exclude"} & known.keys():
            known[name] = tuple(known[name])
        if "split" in known:
            known["split"] = Split(known["split"])
        if known.get("rows") is not None:
            known["rows"] = RowOptions.from_dict(known["rows"])
        return cls(**known)

    @property
    def of_reading(self) -> tuple[Any, ...]:
        """Return what decides which documents and chunks a file gives: where it changes, files are read again."""
        return (self.split, self.rows)


_NAMES = tuple(field.name for field in fields(RootOptions))
_DEFAULTS = RootOptions()


@dataclass(frozen=True, slots=True)
class Root:
    """A file, a folder or a glob pattern that `index` was given. `path` is absolute; `indexed_at`, when it was given or refreshed
    last, is UTC in ISO 8601."""

    path: str
    options: RootOptions
    indexed_at: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON: all options, with their defaults."""
        return {"path": self.path, **self.options.to_dict(), "indexed_at": self.indexed_at}


@dataclass(frozen=True, slots=True)
class IgnoredDocument:
    """A document that was deleted to be kept away: `id`, which the file `source` gives, is not indexed again."""

    source: str
    id: str


@dataclass(frozen=True, slots=True)
class RootList:
    """The roots of a collection, and the documents that are kept away."""

    roots: tuple[Root, ...] = ()
    ignored: tuple[IgnoredDocument, ...] = ()
