"""Checks shared by tests: the error of a command, the contents of a database, and that nothing was lost."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

import vecsearch
from tests import maintenance

UNIT = np.eye(384, dtype=np.float32)


def get_vectors(document: vecsearch.Document) -> NDArray[np.float32]:
    """Return the vectors of a document that was asked for with them."""
    assert document.vectors is not None
    return document.vectors


def read_collection(folder):
    """Return all that a collection holds, and what a search finds in it, in a form to compare."""
    with vecsearch.open(folder, readonly=True) as collection:
        hits = collection.search("seals that leap", limit=50)
        assert {hit.id for hit in hits} == {document.id for document in collection.list_documents(limit=1000)}
        return collection.get(where={}), hits


def is_sound(folder):
    return not maintenance.list_errors(folder)


@contextmanager
def expect_nothing_lost(folder):
    """Check that the block, which must fail, leaves the database as it was."""
    before = read_collection(folder)
    yield
    assert read_collection(folder) == before
    assert is_sound(folder)


def get_error(result, status=1):
    """Return the one line that says what was wrong."""
    assert result.status == status, result
    assert "Traceback" not in result.err
    last = result.err.splitlines()[-1]
    if status == 2 and result.err.startswith("Usage: "):
        assert last.startswith("Error: ")
    else:
        assert result.err == f"{last}\n"
        assert last.startswith(("Error: ", "failed: "))
    return last.partition(": ")[2]


def list_files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
