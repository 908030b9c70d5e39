"""Every error a user can meet, in one tree:

VecsearchError
├── InputError        ask differently: a path, a value, an id, a filter, a name
│   ├── UsageError    the options contradict each other, or say nothing (the shell exits 2, as for what its parser rejects)
│   ├── DimensionMismatchError, ModelMismatchError, CollectionNotFoundError, DocumentNotFoundError, DocumentExistsError,
│   ├── EncodingError, FilterError, UnreadableFileError
├── StorageError      the database is locked, damaged, full, read-only, of another version, or was changed under a run
│   ├── DatabaseLockedError, ReadOnlyError, DatabaseCorruptedError, SchemaVersionError, NotADatabaseError, DiskFullError,
│   ├── StorageIOError, CollectionChangedError, DatabaseReplacedError, DatabaseClosedError
└── UnavailableError  a model or a package is missing
    └── UnsafeForkError

A message says what, expected and got, and the next command.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from shlex import quote
from typing import Any, Final

_DOCTOR_HINT: Final = re.compile(r"; see `vecsearch doctor[^`]*`")
_DISK_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY_ERRNOS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class VecsearchError(Exception):
    """Root of every error that vecsearch raises on purpose. Each can be pickled and copied, with its fields and notes."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Build it again from its message, whatever its constructor takes: a pool of processes would wait for it for ever."""
        return _rebuild_error, (type(self), self.args), self.__dict__.copy()


class InputError(VecsearchError, ValueError):
    """The request cannot be answered as asked; nothing was changed."""


class UsageError(InputError):
    """Two options contradict each other, or one says nothing that can be understood."""


class FilterError(InputError):
    """A `where` expression that cannot be understood; the shell exits 2."""


class CollectionNotFoundError(InputError):
    """No collection of that name in the database."""

    def __init__(self, name: str, known: list[str]) -> None:
        names = ", ".join(known) if known else "none yet"
        super().__init__(f"no collection named {name!r} (existing: {names}); see `vecsearch collections`")
        self.name = name


class DocumentNotFoundError(InputError):
    """No document under some ids, which are not those of any."""

    def __init__(self, message: str, ids: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class DocumentExistsError(InputError):
    """Some ids are taken by stored documents."""

    def __init__(self, message: str, ids: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class UnreadableFileError(InputError):
    """A file that should have been readable: broken encoding, damaged, or no permission."""


class EncodingError(InputError):
    """A model gave no usable vector for a text, or gives none at all: of another shape than it says, NaN, or zeros."""


class DimensionMismatchError(InputError):
    """A vector of another length than the collection's."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"the vectors of this collection have {expected} dimensions, got {actual}; use the model that it was built with"
        )
        self.expected, self.actual = expected, actual


class ModelMismatchError(InputError):
    """Vectors were made by another model than the requested one, which `model` loads; `collection` is None outside of one."""

    def __init__(self, collection: str | None, stored: str, requested: str, *, model: str | None = None) -> None:
        if collection is None:
            message = f"the vectors were made by {stored}, not {requested}; use the same files of the model everywhere"
        else:
            message = (
                f"collection {collection!r} was built with model {stored}, not {requested}; their vectors cannot be mixed: leave "
                "the model out, or rebuild all vectors: "
                f"vecsearch reembed --model {quote(model or requested)} -c {quote(collection)}"
            )
        super().__init__(message)


class StorageError(VecsearchError):
    """The database cannot be read or written as it stands."""


class DatabaseClosedError(StorageError):
    """A collection, or its database, was closed, and is used all the same."""


class DatabaseLockedError(StorageError):
    """Another process is writing."""


class ReadOnlyError(StorageError):
    """A write to a database that was opened, or lies, read-only."""


class DatabaseCorruptedError(StorageError):
    """The SQLite file is not sound."""


class SchemaVersionError(StorageError):
    """The database has another schema version than this program."""


class NotADatabaseError(StorageError):
    """The folder is no vecsearch database, or is not there."""


class DiskFullError(StorageError):
    """There is no room for the write: the disk is full, a quota used up, or a limit on file sizes met; commits are kept."""


class StorageIOError(StorageError):
    """The operating system could not read or write a file of the database: a failing disk, a lost connection."""


class CollectionChangedError(StorageError):
    """The collection was dropped, renamed, restored or embedded by another model while a run wrote to it."""


class DatabaseReplacedError(StorageError):
    """The database was deleted, moved or replaced by another since it was opened; what was opened is written no more."""


class UnavailableError(VecsearchError):
    """A model or a package is missing or is not what it claims to be."""


class UnsafeForkError(UnavailableError):
    """This process was forked while another thread of its parent was in the middle of work in vecsearch."""


class VecsearchWarning(UserWarning):
    """Something was done, but not quite as the user may expect."""


def _rebuild_error(kind: type[VecsearchError], args: tuple[Any, ...]) -> VecsearchError:
    error = kind.__new__(kind)
    error.args = args
    return error


def is_disk_full(error: OSError) -> bool:
    """Return whether a write failed for want of room: a full disk, a quota, a limit on file sizes."""
    return error.errno in _DISK_FULL_ERRNOS


def is_read_only(error: OSError) -> bool:
    """Return whether a write failed because it is not allowed there: modes, a file made immutable, a read-only mount."""
    return error.errno in _READ_ONLY_ERRNOS


def raise_foreign(error: OSError) -> None:
    """Raise an error again that a signal handler raised, such as a TimeoutError: those of the system have a number."""
    if error.errno is None:
        raise error


@contextmanager
def ignore_os_errors() -> Iterator[None]:
    """End a block where the system reports an error."""
    try:
        yield
    except OSError as error:
        raise_foreign(error)


def wrap_write_error(message: str, error: OSError) -> StorageError:
    """Return what to raise where a file could not be written: DiskFullError for want of room, ReadOnlyError where that is not
    allowed, else StorageIOError. Raises what a signal handler raised."""
    raise_foreign(error)
    if is_read_only(error):
        return ReadOnlyError(f"{message}: {error.strerror or error}; let this user write there, or name another place")
    kind = DiskFullError if is_disk_full(error) else StorageIOError
    return kind(f"{message}: {error.strerror or error}")


def drop_doctor_hint(message: str) -> str:
    """Return a message without its advice to run `doctor`, for what `doctor` itself says."""
    return _DOCTOR_HINT.sub("", message)
