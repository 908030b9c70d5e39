"""What came through a pipe, or is imported, as documents: read in the parser's process, within its limits, as files are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vecsearch.core.parsed import LoaderItem
from vecsearch.core.row_options import RowOptions
from vecsearch.core.stop_signal import NO_STOP, StopSignal
from vecsearch.documents.parser_process import ParseRequest, ParserProcess


class StreamReader:
    """Rows, JSON lines or plain lines in a file whose name says nothing. Once all are read, `rows` says how rows were read."""

    def __init__(self, path: Path, name: str, options: RowOptions, *, stop: StopSignal = NO_STOP) -> None:
        """Read the file at `path`; its content is called `name`."""
        self._request = ParseRequest(path, name, path.stat().st_size, rows=options, is_stream=True)
        self._stop = stop
        self.rows: RowOptions | None = None

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return self._request.size

    def read_items(self) -> Iterator[LoaderItem]:
        """Yield what it says, from the beginning each time. Raises UnreadableFileError, perhaps after some items."""
        with ParserProcess(stop=self._stop) as parser:
            for result in parser.read([self._request]):
                yield from result.read_items()
                self.rows = result.rows
