"""The collections of data sets, kept in the user's cache so that a corpus is encoded once. Touches no database of the user's."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from vecsearch.api.arguments import spool_json_lines
from vecsearch.api.collection import Collection
from vecsearch.api.open import exists
from vecsearch.api.open import open as open_collection
from vecsearch.core.atomic_files import write_atomically
from vecsearch.core.cache_folders import CACHE_VARIABLE, create_private_folder, get_cache_folder
from vecsearch.core.errors import InputError, StorageError, UnreadableFileError
from vecsearch.core.nesting import load_json
from vecsearch.core.settings import LOADER_VERSION, SCHEMA_VERSION
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder
from vecsearch.evaluation.datasets import Dataset, open_packed
from vecsearch.indexing.progress import Progress


@dataclass(frozen=True, slots=True)
class CachedCollection:
    """Where a data set's collection lies, or will. `record` is a file that is there once the whole corpus is indexed: a list of
    what could not be."""

    dataset: Dataset
    encoder: TextEncoder
    folder: Path

    @classmethod
    def from_dataset(cls, dataset: Dataset, *, model: str | None = None) -> CachedCollection:
        """Return that of a corpus, a model and the database format. Raises UnreadableFileError, UnavailableError."""
        encoder = registry.load(model)
        name = hashlib.sha256(f"{_hash_file(dataset.corpus)}\n{encoder.fingerprint}\n{SCHEMA_VERSION}\n{LOADER_VERSION}".encode())
        return cls(dataset, encoder, get_cache_folder("eval") / name.hexdigest()[:32])

    @property
    def record(self) -> Path:
        """Return the path of a file beside the database."""
        return self.folder.with_suffix(".json")

    @property
    def is_whole(self) -> bool:
        """Return whether there is nothing left to index."""
        return self.record.is_file() and exists(self.folder)

    def index(self, progress: Progress | None = None) -> None:
        """Index what is not there yet of the corpus. Raises InputError when it gives no document, StorageError."""
        try:
            create_private_folder(self.folder.parent)
        except OSError as error:
            raise StorageError(f"cannot write to the cache: {error}; set {CACHE_VARIABLE} to another folder") from error
        with _open_corpus(self.dataset.corpus) as lines, open_collection(self.folder, model=self.encoder) as collection:
            troubles = self._index(collection, lines, progress)
            collection.optimize()
        with write_atomically(self.record) as record:
            record.write(json.dumps(troubles).encode())

    def _index(self, collection: Collection, lines: RawFile, progress: Progress | None) -> list[str]:
        try:
            report = collection._index_json_lines(lines, progress=progress)
        except UnreadableFileError as error:
            raise UnreadableFileError(f"{self.dataset.corpus} gave no document: {error}") from error
        troubles = [failure.error for failure in report.failed]
        if not report.documents:
            raise InputError(f"{self.dataset.corpus} gave no document: {troubles[0] if troubles else 'it is empty'}")
        return troubles

    def read_problems(self) -> list[str]:
        """Read why some documents of a complete corpus are not in the collection, one reason a document."""
        problems: list[str] = load_json(self.record.read_text(encoding="utf-8"))
        return problems

    @contextmanager
    def open_for_reading(self) -> Iterator[Collection]:
        """Open the collection, to read from."""
        with open_collection(self.folder, model=self.encoder, readonly=True) as collection:
            yield collection


def _hash_file(path: Path) -> str:
    try:
        with open_packed(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(f"cannot read {path}: {error}") from error


@contextmanager
def _open_corpus(path: Path) -> Iterator[RawFile]:
    """Open the lines of a corpus, as a file that can be read more than once."""
    if path.suffix != ".gz":
        yield RawFile(path.name, ".jsonl", path=path)
        return
    with open_packed(path) as stream, spool_json_lines(cast(BinaryIO, stream), path.name) as raw:
        yield raw
