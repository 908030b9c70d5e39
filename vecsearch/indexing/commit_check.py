"""What of a batch may be committed: a last look, under the write lock, at what it was planned for.

A batch is planned and encoded without the lock, so others may have stored, replaced or deleted the same documents meanwhile.
What they stored is never overwritten, and what is left out for it is read again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vecsearch.core.id_table import AnyIds
from vecsearch.core.types import Metadata
from vecsearch.stores.base import IndexedFile, NewDocument, Snapshot, StoredDocument


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A document that was not stored, since another run stored its id (`stored_source`), changed it or deleted it meanwhile."""

    id: str
    source: str | None
    stored_source: str | None = None
    is_gone: bool = False
    is_changed: bool = False

    def __str__(self) -> str:
        if self.is_gone:
            return f"the document {self.id!r} was deleted by another run while this one read it; give it again to have it back"
        if self.is_changed:
            return f"the document {self.id!r} was changed by another run while this one read it; index it again"
        return format_id_conflict(self.id, self.stored_source, self.source)


@dataclass(frozen=True, slots=True)
class Relabelling:
    """Other metadata for a stored document of this source (a stored path; None for one from code or a pipe)."""

    source: str | None
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class FinishedFile:
    """A file that was read, the ids of the documents that it gave, and whether any others of it are to be removed."""

    file: IndexedFile
    ids: AnyIds
    removes_others: bool


@dataclass(slots=True)
class CommitPlan:
    """What may be committed, and what not."""

    documents: list[NewDocument] = field(default_factory=list)
    metadata: dict[str, Metadata] = field(default_factory=dict)
    files: list[IndexedFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)  # ids among the documents that are stored already


def plan_commit(
    snapshot: Snapshot | None,
    new: Sequence[NewDocument],
    relabellings: Mapping[str, Relabelling],
    files: Sequence[FinishedFile],
    may_overwrite: Callable[[StoredDocument, NewDocument], bool],
) -> CommitPlan:
    """Return what of a batch may be committed to the collection as it is now."""
    keys = [*(document.id for document in new), *relabellings]
    stored = {} if snapshot is None or not keys else snapshot.find_stored_documents(keys)
    plan = CommitPlan()
    for document in {document.id: document for document in new}.values():
        _plan_document(plan, document, stored.get(document.id), may_overwrite)
    for key, relabelling in relabellings.items():
        _plan_metadata(plan, key, relabelling, stored.get(key))
    _plan_files(plan, snapshot, files)
    return plan


def _plan_document(
    plan: CommitPlan,
    document: NewDocument,
    prior: StoredDocument | None,
    may_overwrite: Callable[[StoredDocument, NewDocument], bool],
) -> None:
    if prior is not None and not may_overwrite(prior, document):
        plan.left_out.append(LeftOut(document.id, document.source, prior.source))
        return
    plan.documents.append(document)
    if prior is not None:
        plan.replaced.add(document.id)


def _plan_metadata(plan: CommitPlan, key: str, relabelling: Relabelling, prior: StoredDocument | None) -> None:
    if prior is not None and prior.source == relabelling.source:
        plan.metadata[key] = relabelling.metadata
    elif prior is not None:
        plan.left_out.append(LeftOut(key, relabelling.source, prior.source))
    elif relabelling.source is None:  # a file that lacks it is read again
        plan.left_out.append(LeftOut(key, None, is_gone=True))


def _plan_files(plan: CommitPlan, snapshot: Snapshot | None, files: Sequence[FinishedFile]) -> None:
    """Note what each file no longer gives; one that lacks a document, which another run took or deleted, is to be read again."""
    given = {finished.file.path: finished for finished in files}
    kept, others = Counter[str](), defaultdict[str, list[str]](list)
    coming: dict[str, set[str]] = {name: set() for name in given}
    for document in plan.documents:
        if document.source in coming:
            coming[document.source].add(document.id)
    for name, key in () if snapshot is None or not given else snapshot.iterate_source_document_ids(list(given)):
        coming[name].discard(key)
        if key in given[name].ids:
            kept[name] += 1
        elif given[name].removes_others:
            others[name].append(key)
    for name, finished in given.items():
        is_whole = kept[name] + sum(key in finished.ids for key in coming[name]) == len(finished.ids)
        file = replace(finished.file, removed_ids=tuple(sorted(others[name])))
        plan.files.append(file if is_whole else replace(file, digest=None))


def format_id_conflict(key: str, stored_source: str | None, new_source: str | None) -> str:
    """Return the message for one id from two sources."""
    stored, new = ("a document added from code or a pipe" if source is None else source for source in (stored_source, new_source))
    return f"the id {key!r} is taken: it came from {stored}, and now from {new}; give one of them another id"
