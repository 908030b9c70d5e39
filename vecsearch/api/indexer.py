"""Fill a collection from files: index them, refresh its roots, make the vectors that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vecsearch.api import arguments
from vecsearch.api.columns import list_values
from vecsearch.api.editor import CollectionEditor
from vecsearch.core.checks import check_choice, check_limit
from vecsearch.core.source_paths import format_path, resolve_path
from vecsearch.core.stop_signal import NO_STOP, StopSignal
from vecsearch.core.types import AnyPath, AnySplit, CollectionSpec, Precision, Split
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.stores.base import Store

if TYPE_CHECKING:  # loaded with the first write, so that a search does not wait
    from vecsearch.core.files import IndexReport, Scan
    from vecsearch.core.parsed import LoaderItem
    from vecsearch.core.row_options import RowOptions
    from vecsearch.documents.loaders.raw_file import RawFile
    from vecsearch.indexing.pipeline import IndexPipeline
    from vecsearch.indexing.progress import Progress
    from vecsearch.indexing.root_plan import GivenOptions, RootPlan
    from vecsearch.indexing.vector_filler import FillReport


class CollectionIndexer(CollectionEditor):
    """What a collection takes from files and folders."""

    def __init__(self, store: Store, name: str, *, model: str | TextEncoder | None, spec: CollectionSpec) -> None:
        exact = ComputePrecision.FLOAT32 if spec.precision is Precision.FLOAT32 else None
        super().__init__(store, name, model=model, compute_precision=exact)
        self._spec = spec

    def index(
        self,
        paths: Sequence[AnyPath] | AnyPath | None = None,
        *,
        split: AnySplit | None = None,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        max_bytes: int | None = None,
        passwords: Sequence[str] = (),
        password_file: AnyPath | None = None,
        allow_empty: bool = False,
        rows: bool | RowOptions | None = None,
        id: str | None = None,
        text: str | Sequence[str] | None = None,
        title: str | None = None,
        dry_run: bool = False,
        vectors: bool = True,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> IndexReport:
        """Add, refresh and remove documents so that the collection holds what the files, folders and globs at `paths` hold.

        Each of them is a root, which keeps its options: what is None is as it was given the last time, at first the default
        (`Split.TOKENS`, all files, MAX_FILE_BYTES). Without `paths` all `roots()` are refreshed. Where the split of a root has
        changed, its files are read again, and it stands in the report's `reread`. Passwords are not kept, the path of a
        `password_file`, one password a line, is.

        Texts are found by their words as soon as they are read; then vectors are made of all that waits for one, the newest
        first, unless `vectors` is False. Interrupted, the next run or `fill_vectors` goes on.

        With `rows`, the rows of tables (CSV, TSV, sheets), the records of JSON arrays and lines, and the lines of word lists are
        documents, one each: `id`, `text` (a column or several) and `title` name the columns, which asks for rows too; all others
        become metadata with their types. What is not named is guessed, and the report's `rows` says how. A file is read again
        where that changes. See `RowOptions`.

        `should_stop` is asked often, in the thread of the run: the is_set of a `threading.Event` will do. Once it says yes, the
        run ends after the batch that it is at, and its report is marked as `stopped`. What is stored stays, nothing is removed
        for not having been reached, and the next run goes on.

        Never raises for a file that cannot be read: it stands in the report's `failed`, and what it gave before is kept. Files
        that vanished are removed only below folders that were read completely. `include` and `exclude` are patterns as in
        .gitignore, for files met in folders; `passwords` are tried on encrypted files. `dry_run` changes nothing and reports
        what would be done. Others can write between batches; CollectionChangedError where they drop or replace the collection.
        Raises UsageError without `paths` where there is no root, or with options, which go with the path of a root.
        """
        from vecsearch.api.data_frames import parse_row_options
        from vecsearch.indexing.root_plan import GivenOptions

        stop, secrets = StopSignal(should_stop), list_values(passwords, "passwords")
        self._store.check_open()  # before folders are walked
        row_options = parse_row_options(bool(rows) if rows is None else rows, id, text, title)
        given = GivenOptions(
            None if split is None else check_choice(Split, split, "split"),
            None if include is None else tuple(list_values(include, "include")),
            None if exclude is None else tuple(list_values(exclude, "exclude")),
            None if max_bytes is None else check_limit(max_bytes, "max_bytes"),
            None if password_file is None else format_path(resolve_path(Path(password_file).expanduser())),
            row_options or (None if rows is None else False),
        )
        if not dry_run:
            self._store.upgrade()
        plan = self._plan_roots(None if paths is None else arguments.list_paths(paths), given)
        return self._index_plan(
            plan, plan.scan(stop), passwords=secrets, allow_empty=allow_empty, dry_run=dry_run, vectors=vectors,
            progress=progress, stop=stop,
        )  # fmt: skip

    def _plan_roots(self, paths: Sequence[AnyPath] | None, given: GivenOptions) -> RootPlan:
        """Return what a run over paths, or over all roots, is about. Raises UsageError."""
        from vecsearch.indexing.root_plan import RootPlan

        return RootPlan.make(self.roots(), paths, given)

    def _index_plan(
        self, plan: RootPlan, files: Scan, *, passwords: Sequence[str] = (), allow_empty: bool = False, dry_run: bool = False,
        vectors: bool = True, progress: Progress | None = None, stop: StopSignal = NO_STOP,
    ) -> IndexReport:  # fmt: skip
        """Index what the roots of a plan hold, or the part of it that is in `files`; see `index`."""
        if not dry_run:
            self._store.upgrade()
        pipeline = self._make_pipeline(plan, progress, passwords, dry_run=dry_run, vectors=vectors, stop=stop)
        return pipeline.run(files, allow_empty=allow_empty)

    def fill_vectors(self, *, progress: Progress | None = None, should_stop: Callable[[], bool] = lambda: False) -> FillReport:
        """Make the vectors of all chunks that wait for one, the newest first, until it `should_stop`; see `index`.

        Where another process makes them, waits for it. A text that the model gives no usable vector for stands in the report's
        `failed`, stays found by its words, and is tried again by the next run. Raises CollectionChangedError, UnavailableError,
        DatabaseLockedError, DiskFullError, EncodingError where the model gives no vectors at all.
        """
        from vecsearch.indexing.vector_filler import VectorFiller
        from vecsearch.indexing.write_target import CollectionTarget

        stop = StopSignal(should_stop)
        self._store.upgrade()
        target = CollectionTarget(self._store, self.name)
        return VectorFiller(
            target, get_encoder=self._load_encoder, progress=progress, stop=stop, source_root=self._store.source_root
        ).run()

    def _index_json_lines(
        self, lines: RawFile, *, items: Iterable[LoaderItem] | None = None, split: AnySplit = Split.TOKENS, vectors: bool = True,
        progress: Progress | None = None,
    ) -> IndexReport:  # fmt: skip
        """Add or replace documents given as JSON lines, or as other `items` read of it, that are no file of the user's.

        Raises UnreadableFileError.
        """
        from vecsearch.documents import loaders
        from vecsearch.indexing.root_plan import RootPlan

        self._store.upgrade()
        kind, pipeline = check_choice(Split, split, "split"), self._make_pipeline(RootPlan({}, {}), progress, vectors=vectors)
        found = loaders.load(lines) if items is None else items
        return pipeline.upsert(found, origin=lines.name, size=lines.size, split=kind)

    def _make_pipeline(
        self, plan: RootPlan, progress: Progress | None, passwords: Sequence[str] = (), *, dry_run: bool = False,
        vectors: bool = True, stop: StopSignal = NO_STOP,
    ) -> IndexPipeline:  # fmt: skip
        from vecsearch.indexing.pipeline import IndexPipeline
        from vecsearch.indexing.progress import NullProgress

        return IndexPipeline(
            self._store, self.name, get_encoder=self._load_encoder, spec=self._spec,
            plan=plan, progress=progress or NullProgress(), passwords=passwords, dry_run=dry_run,
            fill=vectors, stop=stop,
        )  # fmt: skip
