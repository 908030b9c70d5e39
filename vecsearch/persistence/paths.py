"""How paths of sources are stored: relative to the database's parent folder when below it, so that both can move together."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import ColumnElement, func, or_, true

from vecsearch.persistence.tables import sources


def stored(parent: Path, path: Path) -> str:
    """The stored form of an absolute path, POSIX style; it is the id of a file's document too."""
    return (path.relative_to(parent) if path.is_relative_to(parent) else path).as_posix()


def absolute(parent: Path, path: str) -> Path:
    """The absolute path of a stored one."""
    return parent / path


def below(parent: Path, path: Path) -> ColumnElement[bool]:
    """True for the source at an absolute path, or for any below it."""
    if path == parent:  # everything stored as a relative path
        return func.substr(sources.c.path, 1, 1) != "/"
    name = stored(parent, path)
    prefix = name.rstrip("/") + "/"
    inside = func.substr(sources.c.path, 1, len(prefix)) == prefix
    relative = func.substr(sources.c.path, 1, 1) != "/"
    return or_(sources.c.path == name, inside, relative if parent.is_relative_to(path) else ~true())
