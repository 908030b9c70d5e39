"""Packages that a plain install does not bring: loaded where they are used, and a missing one fails with its install line."""

from __future__ import annotations

import re
from importlib import import_module, metadata
from typing import Any

from vecsearch.core.errors import UnavailableError


def import_optional(module: str, *, extra: str = "") -> Any:
    """Return a module, which one of the packages of an extra brings, or the package of its own name.

    Raises UnavailableError with the line that installs them. It names packages, not the extra, so that it works for a clone too.
    """
    package = module.partition(".")[0]
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise  # the package is there but broken, which is not to be hidden
        packages = " ".join(list_packages(extra)) or package
        raise UnavailableError(f"{package} is not installed; pip install {packages}") from error
    return import_module(module)


def list_packages(extra: str) -> list[str]:
    """Return the names of the packages of an extra as the installed metadata has them; none for an extra that is not there."""
    try:
        requirements = metadata.requires("vecsearch") or []
    except metadata.PackageNotFoundError:  # run from its source without an install
        return []
    of_extra = re.compile(rf"([\w.-]+)[^;]*;.*\bextra\s*==\s*[\"']{re.escape(extra)}[\"']")
    return [match[1] for requirement in requirements if (match := of_extra.match(requirement))]
