"""Files on their way into a collection: which to take, what was found, what a run did with them. A search loads none of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vecsearch.core.row_options import RowOptions
from vecsearch.core.settings import MAX_FILE_BYTES
from vecsearch.core.source_paths import format_path, parse_path


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A source that should have been readable, and why it was not."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file met in a walk that holds nothing to index, and why; `is_new`: it was not skipped for that before."""

    source: str
    reason: str
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file whose rows, records or lines became documents, one each, and which of its columns were taken for what."""

    source: str
    columns: RowOptions

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON: `qualified` where the ids are the file's own, `path#id`."""
        fields = self.columns.to_dict()
        return {"source": self.source, **{key: fields[key] for key in ("id", "text", "title", "qualified")}}


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one `index` run did. Counts are documents; `documents` and `chunks` are the collection's totals after it, of which
    `pending_vectors` chunks are found by their words alone so far.

    `stopped`: the run was told to stop before its end. The next one goes on; until then nothing is removed that is missing.
    `reread` are the roots that have other options than before, so that all their files are read again.
    `planned` are ("add" | "update" | "remove", document id) pairs of a dry run, which changed nothing. `rows`: the files whose
    rows became documents in this run.
    """

    added: int
    updated: int
    unchanged: int
    removed: int
    failed: tuple[FailedFile, ...]
    skipped: tuple[SkippedFile, ...]
    documents: int
    chunks: int
    seconds: float
    pending_vectors: int = 0
    stopped: bool = False
    reread: tuple[str, ...] = ()
    planned: tuple[tuple[str, str], ...] | None = None
    rows: tuple[RowFile, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON, in its order; `planned` only after a dry run."""
        fields = asdict(self) | {"rows": [file.to_dict() for file in self.rows]}
        return fields if self.planned is not None else {key: value for key, value in fields.items() if key != "planned"}


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files to take among those that a walk meets; a file that the user names is taken whatever the patterns say.

    `include` and `exclude` are patterns in gitignore's notation, matched against the path relative to the folder that is walked;
    a pattern that matches a folder holds for everything below it, a later one overrides an earlier one. No `include` takes all
    files, and `exclude` wins. A file of more than `max_bytes` is left out, named or not.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_bytes: int = MAX_FILE_BYTES


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A readable regular file that a root led to. `explicit` is True when the user gave the file itself, not a folder; `size` is
    in bytes, `device` the number of the file system that it lies on."""

    path: Path
    explicit: bool
    size: int
    device: int

    @property
    def source(self) -> str:
        """Return its path as it is shown."""
        return format_path(self.path)


@dataclass(frozen=True, slots=True)
class Scan:
    """What the given roots hold.

    `fully_scanned` are the folders that were read without an error anywhere below: only below them may a missing file be
    taken for deleted. `empty_roots` are the folders among the roots that hold no entry at all. `ignored` are the files, and
    the folders with all that lies below, that an ignore file leaves out (no pattern of the `FileFilter` does): what was
    indexed from there before is meant to go, but for what stands in `files`. All paths are real ones; `linked_roots` are roots as
    they were given, through a symbolic link.
    """

    files: tuple[FoundFile, ...]
    failed: tuple[FailedFile, ...]
    skipped: tuple[SkippedFile, ...]
    fully_scanned: tuple[Path, ...]
    empty_roots: tuple[Path, ...]
    ignored: tuple[Path, ...]
    linked_roots: tuple[Path, ...] = ()

    def list_failed_paths(self) -> tuple[Path, ...]:
        """Return the paths on the disk of what failed."""
        return tuple(Path(parse_path(failure.source)) for failure in self.failed)
