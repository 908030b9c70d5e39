"""The write story: scan → compare → load → split → encode → commit.

A file is loaded when it is new, when its bytes have changed, or when its loader has; a document is encoded when its title, text
or split has changed and no other document says the same; a batch of chunks is committed as soon as it is encoded. So an
unchanged folder costs no encoding, a renamed file neither, and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from vecsearch.batches import Batches, Progress, conflict, content_digest
from vecsearch.core.errors import InputError, UnreadableFile
from vecsearch.core.portions import portions
from vecsearch.core.settings import READ_DOCUMENTS, READING
from vecsearch.core.types import (
    Draft,
    Failure,
    FoundFile,
    IndexReport,
    Item,
    Making,
    Metadata,
    Problem,
    Scan,
    Skip,
    Split,
)  # fmt: skip
from vecsearch.documents.parsing import Parser, Reading, Request
from vecsearch.documents.text import NoText, NotText
from vecsearch.documents.validate import checked
from vecsearch.encoding.protocol import Encoder
from vecsearch.persistence import paths, publish
from vecsearch.persistence.catalogue import StoredDocument, StoredSource
from vecsearch.persistence.database import Database
from vecsearch.persistence.reader import Reader
from vecsearch.persistence.writer import ReadSource, Writer
from vecsearch.vanished import is_mounted, vanished


@dataclass(slots=True)
class Tally:
    """Documents added, updated, unchanged, removed; files that failed or were skipped; what a dry run would do."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    planned: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class FileRun:
    """How far one file, or a stream, has come: what is wrong with it, the ids it gave, the bytes not yet reported as done."""

    uri: str
    source: str | None
    left: float
    problems: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    contested: bool = False  # an id of it belongs to another file, which may be about to let it go


class Ingest:
    """One run over files, or over the lines of a pipe. The caller holds the write lock; a dry run writes nothing."""

    def __init__(
        self, database: Database, name: str, *, encoder_of: Callable[[], Encoder], making: Making, split: Split,
        progress: Progress, passwords: Sequence[str] = (), dry: bool = False,
    ) -> None:  # fmt: skip
        self._database, self._name, self._parent = database, name, database.parent
        self._reader, self._writer = Reader(database, name), Writer(database, name)
        self._batches = Batches(database, name, encoder_of=encoder_of, making=making, advance=progress.advance)
        self._split, self._progress, self._passwords, self._dry = split, progress, passwords, dry
        self._tally, self._started = Tally(), perf_counter()
        self._gone: set[str] = set()  # stored paths of files that are no more; their documents are removed at the end
        self._errors: dict[str, str] = {}

    def run(self, scan: Scan, *, allow_empty: bool) -> IndexReport:
        """Bring the collection up to what the scanned roots hold."""
        self._tally.skipped.extend(scan.skipped)
        known = self._known()
        self._gone, kept = vanished(known, scan, self._parent, allow_empty=allow_empty)
        self._tally.failed.extend([*scan.failed, *kept])
        self._errors.update(
            {name: each.error for each in scan.failed if (name := paths.stored(self._parent, Path(each.uri))) in known}
        )
        self._progress.begin(sum(found.size for found in scan.files))
        contested = self._files(scan.files, known, last=False)
        if contested:  # by now whoever lets an id go has done so
            self._batches.flush()
            self._files(contested, {}, last=True)
        self._batches.flush()
        self._forget()
        return self._finished()

    def upsert(self, items: Iterable[Item], *, origin: str, size: int) -> IndexReport:
        """Add or replace documents that come from no file; removes nothing."""
        run = FileRun(origin, None, size)
        self._progress.begin(size)
        self._take(items, run, last=True)
        self._tally.failed.extend(Failure(origin, problem) for problem in run.problems)
        self._batches.flush()
        return self._finished()

    def _finished(self) -> IndexReport:
        with self._reader.snapshot() as snapshot:
            documents, chunks = (0, 0) if snapshot is None else snapshot.counts()
        if snapshot is not None and not self._dry:
            if self._errors:
                self._writer.note_failures(self._errors)
            publish.publish_if_possible(self._database, self._name)
        tally, seconds = self._tally, round(perf_counter() - self._started, 3)
        return IndexReport(
            tally.added, tally.updated, tally.unchanged, tally.removed, tuple(tally.failed), tuple(tally.skipped), documents,
            chunks, seconds, tuple(tally.planned) if self._dry else None,
        )  # fmt: skip

    def _known(self) -> dict[str, StoredSource]:
        with self._reader.snapshot() as snapshot:
            return {} if snapshot is None else snapshot.catalogue.sources()

    # -- files

    def _files(self, files: Sequence[FoundFile], known: dict[str, StoredSource], *, last: bool) -> list[FoundFile]:
        """Take in each file; gives those that another look, the `last`, may do more for."""
        contested = []
        with Parser(passwords=self._passwords) as parser:
            readings = parser.read(self._request(found, known) for found in files)
            for reading, found in zip(readings, files, strict=False):
                if self._file(found, reading, known.get(reading.request.name), last=last):
                    contested.append(found)
        return contested

    def _request(self, found: FoundFile, known: dict[str, StoredSource]) -> Request:
        name = paths.stored(self._parent, found.path)
        old = known.get(name)
        same = old is not None and (old.split, old.error, old.reading) == (self._split.value, None, READING)
        return Request(found.path, name, found.size, known=old.digest if old is not None and same else None)

    def _file(self, found: FoundFile, reading: Reading, known: StoredSource | None, *, last: bool) -> bool:
        """True when the file wants another look, which is promised unless this is the `last`."""
        run = FileRun(found.path.as_posix(), reading.request.name, found.size)
        try:
            self._take(reading.items(), run, last=last)
        except (NotText, NoText) as error:
            self._no_text(found, known, error, reading.request.name)
        except UnreadableFile as error:
            self._failed(found, str(error), known, reading.request.name)
        else:
            if run.contested and not last:
                return True
            self._read(found, reading, run, known)
        self._progress.advance(run.left, 0)
        return False

    def _no_text(self, found: FoundFile, known: StoredSource | None, error: InputError, name: str) -> None:
        if found.named or (known and known.documents):
            self._failed(found, str(error), known, name)
        else:
            self._tally.skipped.append(Skip(found.path.as_posix(), str(error)))
            self._gone |= {name} if known else set()

    def _failed(self, found: FoundFile, reason: str, known: StoredSource | None, name: str) -> None:
        kept = f"; what it gave before is kept ({known.documents:,})" if known and known.documents else ""
        self._tally.failed.append(Failure(found.path.as_posix(), reason + kept))
        self._errors[name] = reason

    def _read(self, found: FoundFile, reading: Reading, run: FileRun, known: StoredSource | None) -> None:
        """All of a file is stored, or waits to be."""
        if reading.unchanged:
            self._tally.unchanged += known.documents if known else 0
            return
        self._tally.failed.extend(Failure(run.uri, problem) for problem in run.problems)
        name = reading.request.name
        gone = () if run.problems else self._no_longer(name, run.seen)
        self._plan("remove", *gone)
        self._tally.removed += len(gone)
        if not self._dry:
            self._batches.finish(
                ReadSource(
                    path=name, digest=reading.digest or "", split=self._split, error="; ".join(run.problems[:3]) or None,
                    mounted=is_mounted(found.path, self._parent), gone=gone,
                )
            )  # fmt: skip

    def _no_longer(self, name: str, seen: set[str]) -> tuple[str, ...]:
        with self._reader.snapshot() as snapshot:
            return () if snapshot is None else tuple(sorted(snapshot.catalogue.keys_of_source(name) - seen))

    # -- documents

    def _take(self, items: Iterable[Item], run: FileRun, *, last: bool) -> None:
        """Store what is new or changed, some documents at a time."""
        for some in portions(items, READ_DOCUMENTS):
            drafts = []
            for item in some:
                match item:
                    case Problem(what):
                        run.problems.append(what)
                    case Skip():
                        self._tally.skipped.append(Skip(f"{run.uri}{item.uri.removeprefix(run.source or '')}", item.reason))
                    case Draft():
                        drafts.append(item)
            if sound := [draft for draft in drafts if _is_sound(draft, run)]:
                self._documents(sound, run, last=last)

    def _documents(self, drafts: Sequence[Draft], run: FileRun, *, last: bool) -> None:
        digests = {draft.id: content_digest(draft, self._split) for draft in drafts}
        with self._reader.snapshot() as snapshot:
            stored = {} if snapshot is None else snapshot.catalogue.stored(list(digests))
            twins = {} if snapshot is None else snapshot.catalogue.twins(list(digests.values()))
        relabelled: dict[str, Metadata] = {}
        for draft in drafts:
            prior, digest = stored.get(draft.id), digests[draft.id]
            weight = min(run.left, len(draft.text) + 50)
            run.left -= weight
            if not self._claimed(draft.id, prior, run, last=last):
                continue
            same = prior is not None and (prior.source, prior.digest) == (run.source, digest)
            if not same:
                self._store(draft, digest, twins.get(digest), prior, run, weight)
            elif prior is not None and prior.metadata != dict(draft.metadata):
                relabelled[draft.id] = draft.metadata
            self._count(draft.id, new=prior is None, changed=not same or draft.id in relabelled)
            self._progress.advance(weight if same else 0, 0)
        if relabelled and not self._dry:
            self._writer.change(relabelled)

    def _store(
        self, draft: Draft, digest: str, twin: int | None, prior: StoredDocument | None, run: FileRun, weight: float
    ) -> None:
        if self._dry:
            return
        if twin is None or not self._batches.add_twin(draft, digest, twin, source=run.source, weight=weight):
            self._batches.add(draft, digest, source=run.source, split=self._split, weight=weight, replaces=prior is not None)

    def _claimed(self, key: str, prior: StoredDocument | None, run: FileRun, *, last: bool) -> bool:
        """Whether an id is this source's from now on; where it is another's to the `last`, that is a problem."""
        if self._is_free(key, prior, run):
            run.seen.add(key)
            return True
        run.contested = True
        if last:
            run.problems.append(conflict(key, prior.source if prior else None, run.source))
        return False

    def _is_free(self, key: str, prior: StoredDocument | None, run: FileRun) -> bool:
        """Whether an id may be this source's: nobody else's, or that of a file that is gone."""
        if self._batches.is_waiting(key, other_than=run.source):
            return False
        return prior is None or prior.source == run.source or (prior.source is not None and prior.source in self._gone)

    def _count(self, key: str, *, new: bool, changed: bool) -> None:
        self._tally.added += new
        self._tally.updated += changed and not new
        self._tally.unchanged += not changed
        if changed:
            self._plan("add" if new else "update", key)

    def _plan(self, verb: str, *keys: str) -> None:
        if self._dry:
            self._tally.planned.extend((verb, key) for key in keys)

    # -- what is no longer there

    def _forget(self) -> None:
        """Last, so that a renamed file's vectors are still there when its new name is read."""
        if self._gone and self._dry:
            with self._reader.snapshot() as snapshot:
                keys = (
                    []
                    if snapshot is None
                    else [key for name in sorted(self._gone) for key in snapshot.catalogue.keys_of_source(name)]
                )
            self._plan("remove", *keys)
            self._tally.removed += len(keys)
        elif self._gone:
            self._tally.removed += self._writer.forget_sources(sorted(self._gone))


def _is_sound(draft: Draft, run: FileRun) -> bool:
    """Whether a document can be stored; what is wrong with it is noted before anything is asked or made of it."""
    try:
        checked(draft)
    except InputError as error:
        run.problems.append(str(error))
        return False
    return True


def gives_documents(files: Iterable[FoundFile], passwords: Sequence[str] = ()) -> bool:
    """Whether one of the files, read now, has anything to index."""
    with Parser(passwords=passwords) as parser:
        for reading in parser.read(Request(found.path, found.path.name, found.size) for found in files):
            try:
                if any(isinstance(item, Draft) for item in reading.items()):
                    return True
            except UnreadableFile:
                continue
    return False
