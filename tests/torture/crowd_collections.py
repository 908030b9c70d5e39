"""Collections that come, get other names and go: those of one worker, which knows all of them, and those that all share."""

from __future__ import annotations

import vecsearch
from tests.torture.crowd_changes import make_columns
from tests.torture.crowd_documents import (
    ENCODER,
    Version,
    WrongError,
    check_foreign,
    check_metadata,
    find_versions,
    is_version,
    make_metadata_change,
)
from tests.torture.crowd_worker import Worker
from tests.torture.interrupts import Outcome
from tests.torture.states import WORDS
from vecsearch.core.types import Precision

SHARED = ("harbour", "quay")
_MOST = 3  # collections of one worker
_GONE = (vecsearch.DatabaseLockedError, vecsearch.CollectionNotFoundError, vecsearch.CollectionChangedError)
_ALL = 100_000
SharedWorld = dict[str, tuple[Version, int]]


# -- of one worker


def list_own(worker: Worker) -> set[str]:
    """Return the names of the worker's collections that are there."""
    return {name for name in worker.crew.database.collections() if name.startswith(f"{worker.owner}-")}


def change_collections(worker: Worker) -> None:
    """Create, rename or drop a collection of the worker's own."""
    own = sorted(worker.report.worlds.keys() - {"default"})
    choices = (["create"] if len(own) < _MOST else []) + (["rename", "drop", "create a taken one"] if own else [])
    choice = worker.draw.choice(choices)
    if choice == "create":
        create(worker)
    elif choice == "rename":
        rename(worker, worker.draw.choice(own))
    elif choice == "drop":
        drop(worker, worker.draw.choice(own))
    else:
        name = worker.draw.choice(own)
        work = lambda: worker.crew.database.create_collection(name, model=ENCODER)  # noqa: E731
        worker.attempt("create a taken collection", work, vecsearch.DatabaseLockedError, expected=vecsearch.InputError)
        worker.look(name)


def create(worker: Worker) -> None:
    """Create a collection, empty, with metadata."""
    name = worker.drawer.new_key()
    precision = worker.draw.choice(list(Precision))
    metadata = {"name": name}

    def work() -> None:
        worker.crew.database.create_collection(name, model=ENCODER, precision=precision, metadata=metadata)

    outcome = worker.attempt("create collection", work, vecsearch.DatabaseLockedError)
    before = worker.report.worlds.keys() - {"default"}
    if settle_names(worker, outcome, before, before | {name}):
        worker.report.worlds[name] = {}
        with worker.draw_handle(name, to_read=True)() as collection:
            if collection.metadata != metadata or len(collection):
                raise WrongError(f"{name!r} has {len(collection)} documents and the metadata {collection.metadata}")


def rename(worker: Worker, old: str) -> None:
    """Rename a collection: all that it holds is there under the new name."""
    new = worker.drawer.new_key()
    worker.close_handle(old)
    outcome = worker.attempt(
        "rename collection", lambda: worker.crew.database.rename_collection(old, new), vecsearch.DatabaseLockedError
    )
    before = worker.report.worlds.keys() - {"default"}
    if settle_names(worker, outcome, before, before - {old} | {new}):
        worker.report.worlds[new] = worker.report.worlds.pop(old)
        worker.look(new)
    else:
        worker.look(old)


def drop(worker: Worker, name: str) -> None:
    """Drop a collection, with all that it holds."""
    worker.close_handle(name)
    outcome = worker.attempt(
        "drop collection", lambda: worker.crew.database.delete_collection(name), vecsearch.DatabaseLockedError
    )
    before = worker.report.worlds.keys() - {"default"}
    if settle_names(worker, outcome, before, before - {name}):
        del worker.report.worlds[name]
    else:
        worker.look(name)


def settle_names(worker: Worker, outcome: Outcome, before: set[str], after: set[str]) -> bool:
    """Return whether the worker's collections are those of `after`. Raises WrongError where they are neither."""
    names = list_own(worker)
    if names == after:
        return True
    if outcome.done or names != before:
        raise WrongError(f"collections {sorted(names)}, expected {sorted(after)}, before {sorted(before)}")
    return False


# -- of all


def use_shared(worker: Worker) -> None:
    """Write to, read or drop a collection that others write to, read and drop."""
    name = worker.draw.choice(SHARED)
    step = worker.draw.choice(
        [write_shared, write_shared, write_shared, update_shared, search_shared, search_shared, take_shared]
    )
    if worker.draw.random() < 0.05:
        step = drop_shared
    step(worker, name)
    with worker.draw_handle(name, to_read=True)() as collection:
        read_shared(worker.report.shared, name, worker.owner, collection)


def read_shared(shared: dict[str, SharedWorld], name: str, owner: str, collection: vecsearch.Collection) -> None:
    """Check the documents of an owner: where some are gone, the collection was dropped, and all that came before are gone."""
    world = shared.setdefault(name, {})
    try:
        documents = collection.get(where={"owner": owner}, include_vectors=True)
    except vecsearch.CollectionNotFoundError:
        documents = []
    found = find_versions(documents, {key: [version, None] for key, (version, _) in world.items()})
    there = [serial for key, (_, serial) in world.items() if key in found]
    gone = [serial for key, (_, serial) in world.items() if key not in found]
    if there and gone and min(there) <= max(gone):
        lost = sorted(key for key, (_, serial) in world.items() if key not in found and serial >= min(there))
        raise WrongError(f"{lost} are gone from {name!r}, and what came before them is there")
    shared[name] = {key: world[key] for key in found}


def write_shared(worker: Worker, name: str) -> None:
    """Write some documents, new ones and others."""
    world = worker.report.shared.setdefault(name, {})
    old = worker.draw.sample(sorted(world), min(len(world), 2))
    after = worker.drawer.new_versions([worker.drawer.new_key(), *old], brought=worker.draw.random() < 0.3)
    open_handle = worker.draw_handle(name)

    def work() -> None:
        with open_handle() as collection:
            collection.upsert(**make_columns(after))

    outcome = worker.attempt("upsert, shared", work, *_GONE)
    settle_shared(worker, name, after, outcome, is_new=True)


def update_shared(worker: Worker, name: str) -> None:
    """Change the metadata of some documents, if they are still there."""
    world = worker.report.shared.setdefault(name, {})
    keys = worker.draw.sample(sorted(world), min(len(world), 3))
    after = {key: world[key][0].change_metadata(worker.drawer.next()) for key in keys}
    metadatas = [make_metadata_change(key, version.metadata) for key, version in after.items()]
    open_handle = worker.draw_handle(name)

    def work() -> None:
        with open_handle() as collection:
            collection.update_many(keys, metadatas=metadatas, missing="skip")

    outcome = worker.attempt("update, shared", work, *_GONE)
    settle_shared(worker, name, after, outcome, is_new=False)


def settle_shared(worker: Worker, name: str, after: dict[str, Version], outcome: Outcome, *, is_new: bool) -> None:
    """Find out what a write has left: what was written, what was there before, or nothing at all."""
    world, serial = worker.report.shared[name], worker.drawer.next()
    try:
        with worker.draw_handle(name, to_read=True)() as collection:
            documents = {each.id: each for each in collection.get(list(after), missing="skip", include_vectors=True)}
    except vecsearch.CollectionNotFoundError:
        documents = {}
    for key, version in after.items():
        document, before = documents.get(key), world.get(key)
        if (document is not None and is_version(document, version)) or (outcome.done and document is None):
            world[key] = (version, serial if is_new or before is None else before[1])
        elif outcome.done or (document is not None and (before is None or not is_version(document, before[0]))):
            raise WrongError(f"{key!r} in {name!r} is {document}, expected {version}, before {before}")
        elif document is None:
            world.pop(key, None)


def search_shared(worker: Worker, name: str) -> None:
    """Search everybody's documents: none is a mixture."""
    open_handle = worker.draw_handle(name, to_read=True)
    query, mode = worker.draw.choice(WORDS), worker.draw.choice(["lexical", "dense", "hybrid"])

    def work() -> None:
        with open_handle() as collection:
            for hit in collection.search(query, mode=mode, limit=50):
                check_metadata(hit)
            check_foreign(collection.get(where={"version": {"$exists": True}}))

    worker.attempt("search, shared", work, vecsearch.CollectionNotFoundError)


def drop_shared(worker: Worker, name: str) -> None:
    """Drop it for everybody."""
    worker.close_handle(name)
    outcome = worker.attempt("drop collection, shared", lambda: worker.crew.database.delete_collection(name), *_GONE)
    if outcome.done or isinstance(outcome.error, vecsearch.CollectionNotFoundError):
        worker.report.shared[name] = {}


def take_shared(worker: Worker, name: str) -> None:
    """Rename it to a name of one's own: nobody changes it there; then drop it."""
    if worker.draw.random() < 0.8:
        return
    worker.close_handle(name)
    new, shared = worker.drawer.new_key(), worker.report.shared
    outcome = worker.attempt("rename collection, shared", lambda: worker.crew.database.rename_collection(name, new), *_GONE)
    if new not in list_own(worker):
        if outcome.done:
            raise WrongError(f"{name!r} was renamed to {new!r}, which is not there")
        return
    taken = {new: shared.pop(name, {})}
    with vecsearch.open(worker.crew.folder, collection=new, model=ENCODER) as collection:
        read_shared(taken, new, worker.owner, collection)
        documents = collection.get(where={"version": {"$exists": True}})
        check_foreign(documents)
        if len(collection) != len(documents) or collection.get(where={"version": {"$exists": True}}) != documents:
            raise WrongError(f"{new!r} changes, which is nobody else's")
    while new in list_own(worker):
        worker.attempt("drop collection", lambda: worker.crew.database.delete_collection(new), vecsearch.DatabaseLockedError)
