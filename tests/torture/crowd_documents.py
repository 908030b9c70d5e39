"""The documents of a crowd: what each must hold follows from its id and its versions, so that anybody can tell a right one."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

import vecsearch
from tests.checks import get_vectors
from tests.fakes import Matrix
from tests.torture.states import BROUGHT, WORDS, Doc, State
from vecsearch.documents.chunk_inputs import format_encoder_input

ENCODER = State({}).encoder
GROUPS = 4
CLOSE = 2e-3  # cosines of float16 rows, from those of float32 rows
_KEYS = ("owner", "group", "version", "tags", "at")


class WrongError(AssertionError):
    """Something is not as the model has it."""


@dataclass(frozen=True)
class Version:
    """Which text a document has, which metadata, whether its vector was brought, and the mark that a change by filter left."""

    text: int
    metadata: int
    brought: bool = False
    mark: int | None = None

    def change_text(self, version: int, *, brought: bool = False) -> Version:
        """Return what it is with another text."""
        return replace(self, text=version, brought=brought)

    def change_metadata(self, version: int) -> Version:
        """Return what it is with other metadata, the mark apart."""
        return replace(self, metadata=version)


World = dict[str, Version]  # by id


@lru_cache(20_000)
def make_text(key: str, version: int) -> str:
    """Return a text; its last word is its own, and ends with the version."""
    draw = random.Random(f"{key} {version}")
    words = draw.choices(WORDS, k=draw.choice([3, 3, 8, 20, 90]))  # the last is several chunks
    return " ".join([*words, f"x{draw.getrandbits(48):x}v{version}"])


def get_token(key: str, version: Version) -> str:
    """Return the word that no other text has."""
    return make_text(key, version.text).split()[-1]


def make_metadata(key: str, version: Version) -> dict[str, Any]:
    """Return the metadata of a document."""
    number = version.metadata
    metadata: dict[str, Any] = {"owner": get_owner(key), "group": number % GROUPS, "version": number}
    if number % 3 == 0:
        metadata["tags"] = ["a", f"tag{number % 5}"]
    if number % 3 == 1:
        metadata["at"] = {"sea": number % 2 == 0, "depth": number / 4}
    if version.mark is not None:
        metadata["mark"] = version.mark
    return metadata


def make_metadata_change(key: str, version: int) -> dict[str, Any]:
    """Return what makes the metadata those of a version, whatever they were."""
    return {**dict.fromkeys(_KEYS), **make_metadata(key, Version(0, version))}


def get_owner(key: str) -> str:
    """Return the worker whose document it is."""
    return key.partition("-")[0]


@lru_cache(20_000)
def encode(text: str, *, brought: bool = False) -> Matrix:
    """Return the vector of a text, shape (dimension,)."""
    row: Matrix = (BROUGHT if brought else ENCODER).encode_documents([text])[0]
    return row


def make_rows(document: vecsearch.Document, version: Version) -> list[Matrix]:
    """Return the vector that each of its chunks must have."""
    if version.brought:
        return [encode(document.text, brought=True)]
    return [encode(format_encoder_input(document.title, "", document.text[chunk.start : chunk.end])) for chunk in document.chunks]


def is_version(document: vecsearch.Document, version: Version) -> bool:
    """Return whether a document, loaded with its vectors, is this version of itself in every part."""
    text, metadata = make_text(document.id, version.text), make_metadata(document.id, version)
    if (document.text, document.title, document.metadata) != (text, None, metadata):
        return False
    rows = np.array(make_rows(document, version))
    return np.shape(get_vectors(document)) == rows.shape and np.allclose(get_vectors(document), rows, atol=CLOSE)


def find_versions(documents: Iterable[vecsearch.Document], candidates: Mapping[str, Iterable[Version | None]]) -> World:
    """Return which of its candidates each document is; one that is not there must have None among them. Raises WrongError."""
    found = {document.id: document for document in documents}
    world = {}
    for key, versions in candidates.items():
        document = found.pop(key, None)
        fitting = [version for version in versions if _fits(document, version)]
        if not fitting:
            raise WrongError(f"{key!r} is {describe(document)}, expected one of {list(versions)}")
        if fitting[0] is not None:
            world[key] = fitting[0]
    if found:
        raise WrongError(
            f"{sorted(found)[:5]} ({len(found)}) are there, and nobody wrote them: {describe(next(iter(found.values())))}"
        )
    return world


def _fits(document: vecsearch.Document | None, version: Version | None) -> bool:
    if document is None or version is None:
        return document is None and version is None
    return is_version(document, version)


def describe(document: vecsearch.Document | None) -> str:
    """Return what a finding tells of a document."""
    if document is None:
        return "not there"
    shape = None if document.vectors is None else document.vectors.shape
    return f"{document.text[-60:]!r} with {document.metadata}, title {document.title!r}, vectors {shape}"


def check_metadata(found: Any) -> None:
    """Check that a document, or a hit, of whatever version and worker has the metadata of one version. Raises WrongError."""
    metadata = found.metadata
    expected = make_metadata(found.id, Version(0, metadata.get("version", -1), mark=metadata.get("mark")))
    if metadata != expected:
        raise WrongError(f"{found.id!r} has the metadata {metadata}, expected {expected}")


def check_foreign(documents: Iterable[vecsearch.Document]) -> None:
    """Check that no document, of whatever version and worker, is a mixture. Raises WrongError."""
    for document in documents:
        check_metadata(document)
        version = int(document.text.rpartition("v")[2])
        if document.text != make_text(document.id, version):
            raise WrongError(f"{document.id!r} is {describe(document)}, whose text is no version of it")


def to_state(world: Mapping[str, Version]) -> State:
    """Return the same as a state of `check`."""
    return State({
        key: Doc(make_text(key, version.text), None, make_metadata(key, version), version.brought)
        for key, version in world.items()
    })  # fmt: skip
