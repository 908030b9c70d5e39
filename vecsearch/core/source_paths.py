"""How paths of sources are stored: relative to the database's parent folder when below it, so that both can move together."""

from __future__ import annotations

from pathlib import Path


def to_stored_path(parent: Path, path: Path) -> str:
    """Return the stored form of an absolute path, POSIX style; it is the id of a file's document too."""
    return (path.relative_to(parent) if path.is_relative_to(parent) else path).as_posix()


def to_absolute_path(parent: Path, path: str) -> Path:
    """Return the absolute path of a stored one."""
    return parent / path
