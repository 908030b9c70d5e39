"""A whole database: its collections, what is in it, whether it is sound, copies of it. For documents see `collection`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vecsearch.api import arguments
from vecsearch.api.collection import Collection
from vecsearch.core.cache_folders import get_cache_folder
from vecsearch.core.checks import check_choice, check_collection_name
from vecsearch.core.errors import CollectionNotFoundError, DatabaseCorruptedError, InputError, drop_doctor_hint
from vecsearch.core.types import AnyPath, Check, CheckReport, CollectionSpec, Finding, Precision, Severity
from vecsearch.encoders import model_files
from vecsearch.encoders.base import TextEncoder, describe_encoder
from vecsearch.encoders.known_models import KNOWN_MODELS, find_known_model
from vecsearch.stores.base import RESTORE_HINT, CollectionInfo
from vecsearch.stores.maintenance import MaintainedStore

if TYPE_CHECKING:
    from vecsearch.stores.base import RepairReport


class Database:
    """A database folder. Made by `vecsearch.connect`; close it, or use it in `with`."""

    def __init__(self, store: MaintainedStore, *, reopen: Callable[..., Collection] | None = None) -> None:
        """Look after a store. `reopen` opens a collection of the same database, given the other arguments of `open`."""
        self._store, self._reopen = store, reopen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<vecsearch.Database {self._store.location}>"

    @property
    def path(self) -> Path:
        """Return the database folder."""
        return Path(self._store.location)

    @property
    def readonly(self) -> bool:
        """Return whether it can only be read."""
        return self._store.readonly

    def close(self) -> None:
        """Give the file handles back. Nothing needs saving: every write was durable when it returned.

        Whatever is asked of it, or of its collections, then raises DatabaseClosedError; to close it twice is no error.
        """
        self._store.close()

    # -- collections

    def collections(self) -> list[str]:
        """Return the names of the collections, ascending."""
        return self._store.list_names()

    def collection(
        self, name: str, *, model: str | TextEncoder | None = None, precision: str = Precision.FLOAT16, stemmer: str | None = None
    ) -> Collection:
        """Return a collection, which is created by its first write where it is not there; it is open while the database is.

        For the arguments see `vecsearch.open`. Raises ModelMismatchError, UnavailableError.
        """
        check_collection_name(name)
        spec = CollectionSpec(check_choice(Precision, precision, "precision"), arguments.parse_stemmer(stemmer))
        collection = Collection(self._store, name, model=model, spec=spec, reopen=self._reopen, closes_store=False)
        collection._check_settings()
        return collection

    def create_collection(
        self,
        name: str,
        *,
        model: str | TextEncoder | None = None,
        precision: str = Precision.FLOAT16,
        stemmer: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Collection:
        """Create an empty collection. `metadata` is a JSON object of yours, kept with it.

        Raises InputError where the name is taken, UnavailableError where the model cannot be loaded.
        """
        from vecsearch.documents.validation import validate_metadata
        from vecsearch.text.analyzer import STEMMER_DEFAULT

        collection = self.collection(name, model=model, precision=precision, stemmer=stemmer)
        stored_metadata = validate_metadata({} if metadata is None else arguments.to_plain_json(metadata, "metadata"))
        encoder = collection._load_encoder()
        spec = describe_encoder(encoder)
        with self._store.open_writer(name) as writer:
            if writer.info is not None:
                raise InputError(f"there is a collection named {name!r} already; choose another name, or open it")
            writer.ensure(
                spec,
                precision=collection._spec.precision,
                stemmer=collection._spec.stemmer or STEMMER_DEFAULT,
                metadata=stored_metadata,
            )
        return collection

    def rename_collection(self, old: str, new: str) -> None:
        """Raise CollectionNotFoundError, and InputError where the new name is taken."""
        check_collection_name(new)
        self._store.rename_collection(old, new)

    def delete_collection(self, name: str) -> None:
        """Delete a collection with all its documents. Raises CollectionNotFoundError."""
        self._store.drop_collection(name)

    def cancel_reembedding(self, name: str) -> bool:
        """Drop the new vectors that an interrupted `reembed` of a collection has made; returns whether there were any.

        Raises CollectionNotFoundError.
        """
        self._store.upgrade()
        if name not in (known := self.collections()):
            raise CollectionNotFoundError(name, known)
        return self._store.get_replacement(name).abandon()

    # -- looking after it

    def upgrade(self) -> bool:
        """Bring a database of an older format up to date, after a backup in its folder; returns whether there was anything to do.

        The first write does so too; reading raises SchemaVersionError until then.
        """
        return self._store.upgrade()

    def status(self, collection: str | None = None) -> dict[str, Any]:
        """Return what the database holds: documents, chunks, keys, model, index and bytes of every collection, or of one.

        Loads no model. `cache` is the folder in which prepared models lie. Raises CollectionNotFoundError.
        """
        status = self._store.collect_statistics()
        by_name = {entry["name"]: entry for entry in status["collections"]}
        if collection is not None and collection not in by_name:
            raise CollectionNotFoundError(collection, list(by_name))
        shown = list(by_name.values()) if collection is None else [by_name[collection]]
        entries = [{**entry, "keys": self.collection(entry["name"])._list_keys(entry["documents"])} for entry in shown]
        return {**status, "cache": str(get_cache_folder("")), "collections": entries}

    def describe_collections(self) -> list[dict[str, Any]]:
        """Return the name, the number of documents and the model of each collection, by name. Quicker than `status`."""
        infos = self._store.list_collections()
        return [{"name": info.name, "documents": len(self.collection(info.name)), "model": info.encoder.model} for info in infos]

    def models(self) -> list[dict[str, Any]]:
        """Return the bundled model, those that the collections use, and a few others that are known, with languages and sizes."""
        used: dict[str, list[CollectionInfo]] = {model_files.BUNDLED_MODEL: []}
        for info in self._store.list_collections():
            used.setdefault(info.encoder.model, []).append(info)
        return [_describe_used(name, used.get(name, [])) for name in dict.fromkeys((*used, *KNOWN_MODELS))]

    def check(self, *, model: str | TextEncoder | None = None) -> CheckReport:
        """Return what is wrong with the database, the worst first; empty when all is well. Changes nothing.

        Its `checks` are the things that were looked at, in order.
        """
        try:
            return self._store.check(model)
        except DatabaseCorruptedError as error:
            return report_damage(error)

    def repair(self, *, model: str | TextEncoder | None = None) -> RepairReport:
        """Derive again what follows from texts, vectors and metadata, after a backup in the database's folder.

        What does not follow is reported: restore a backup. `model`: the encoder that encodes again where vectors are lost, if it
        is the collection's and cannot be loaded by its name. Raises DatabaseLockedError, ReadOnlyError, DiskFullError; run it
        again after any of them.
        """
        from vecsearch.stores.base import RepairReport

        try:
            return self._store.repair(model)
        except DatabaseCorruptedError as error:
            return RepairReport((describe_damage(error),))

    def compact(self, *, full: bool = False) -> None:
        """Give free space back to the file system; `full` writes the whole file again. See also `Collection.optimize`."""
        self._store.compact(full=full)

    def backup(self, file: AnyPath, *, force: bool = False) -> dict[str, Any]:
        """Write the whole database, as it is now, into one file with a checksum, while others read and write it.

        Returns what it holds. Index files, which are derived, are not in it. `force` writes over a file that is there. Raises
        InputError, DiskFullError. To put it back: `vecsearch.restore`.
        """
        return self._store.backup(Path(file).expanduser(), replace=force)

    def list_old_copies(self) -> list[Path]:
        """Return copies of the database as it was once, in its folder: they still hold what has been deleted since."""
        return self._store.find_old_copies()


def _describe_used(name: str, users: Sequence[CollectionInfo]) -> dict[str, Any]:
    return describe_model(name, [info.name for info in users], dimension=users[0].encoder.dimension if users else None)


def describe_model(name: str, collections: list[str], *, dimension: int | None = None) -> dict[str, Any]:
    """Return the fields of the shell's JSON; the dimension where it is known without loading the model."""
    known = find_known_model(name)
    return {
        "name": name,
        "default": name == model_files.BUNDLED_MODEL,
        "available": model_files.is_local(name),
        "collections": collections,
        "languages": None if known is None else known.description,
        "dimension": dimension if known is None or dimension is not None else known.dimension,
        "megabytes": None if known is None else known.megabytes,
    }


def describe_damage(error: DatabaseCorruptedError) -> Finding:
    """Return the finding for a database that cannot even be opened."""
    what = drop_doctor_hint(str(error))
    return Finding(Severity.ERROR, what, "the file that holds everything is damaged", RESTORE_HINT)


def report_damage(error: DatabaseCorruptedError) -> CheckReport:
    """Return the report of a check that got no further than to open the database."""
    return CheckReport([Check("SQLite's file", (describe_damage(error),))])
