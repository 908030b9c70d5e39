"""How the rows of a table, the records of a JSON file or the lines of a list become documents, one each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

ROW_MARK = "#"
"""What stands between the path of a file and the key of one of its rows, in an id of the file's own."""
LINE_COLUMN = "line"
"""The only column of a list of plain lines."""


@dataclass(frozen=True, slots=True)
class RowOptions:
    """Which columns of a row are a document's id, text and title; all others become its metadata.

    What names no column is guessed: `id` None, an empty `text`, and, where `text` is empty too, `title` None. An empty `text` for
    which no column can be guessed stands for all values with their names. The ids of a column that was named are the documents'
    ids; those of a guessed one are unique within their file, `path#id`, and `qualified` says so of a column that was guessed
    before. `guess`: rows are read only of a file that the user named itself, and that looks like a list; any other file is one
    document.
    """

    id: str | None = None
    text: tuple[str, ...] = ()
    title: str | None = None
    qualified: bool = False
    guess: bool = False

    def list_columns(self) -> tuple[str, ...]:
        """Return the columns that are named, each once."""
        return tuple(dict.fromkeys(filter(None, (self.id, *self.text, self.title))))

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON values."""
        return {**asdict(self), "text": list(self.text)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the options that `to_dict` gave."""
        return cls(**{**values, "text": tuple(values["text"])})
