"""What only one kind of store offers: it can be looked after by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vecsearch.core.types import CheckReport
from vecsearch.encoders.base import TextEncoder
from vecsearch.stores.base import Store

if TYPE_CHECKING:
    from vecsearch.stores.base import RepairReport


@runtime_checkable
class MaintainedStore(Store, Protocol):
    """A store that can be looked after by hand: checked, repaired, copied, compacted. Offered by the one in a folder."""

    def check(self, model: str | TextEncoder | None = None) -> CheckReport:
        """Return what is wrong with it, the worst first, and what was looked at. Changes nothing. `model`: as in `repair`."""

    def repair(self, model: str | TextEncoder | None = None) -> RepairReport:
        """Derive again what follows from texts, vectors and metadata, after a backup.

        `model` encodes again where vectors are lost, if it is the collection's and cannot be loaded by its name.
        """

    def compact(self, collection: str | None = None, *, full: bool = False) -> None:
        """Merge a collection's text index and give free space back to the file system; `full` writes the whole file again."""

    def backup(self, file: Path, *, replace: bool = False) -> dict[str, Any]:
        """Write all of it, as it is now, into one file with a checksum; returns what it holds."""

    def find_old_copies(self) -> list[Path]:
        """Return copies of it as it was once, beside it: they still hold what has been deleted since."""
