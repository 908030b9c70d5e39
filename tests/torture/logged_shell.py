"""`vecsearch`, with small batches, that writes down what it encodes; on request its disk fills at some point.

python -m tests.torture.logged_shell LOG FULL_AT FOLDER ARGUMENTS…     FULL_AT 0: never, else the shim must be loaded
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

SMALL = {
    "BATCH_CHUNKS": 8,
    "FILL_CHUNKS": 8,
    "BATCH_TEXT_CHUNKS": 24,
    "FILL_WINDOW": 32,
    "INDEX_FLUSH_ROWS": 40,
    "INDEX_RUN_ROWS_MIN": 8,
}


def main(log: str, full_at: str, folder: str, *arguments: str) -> int:
    """Run the command line; returns its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it is there that tells it
    from tests.torture.logged import append, hash_text
    from vecsearch.indexing import batch_writer, vector_filler
    from vecsearch.indexing.stages import embed
    from vecsearch.interfaces.cli.main import run
    from vecsearch.stores.sqlite.write import compaction, merge_plan

    for module in (batch_writer, vector_filler, compaction, merge_plan):
        for name in SMALL.keys() & vars(module).keys():
            setattr(module, name, SMALL[name])

    def embed_logged(texts: Sequence[str], *rest: object) -> object:
        rows = embed(texts, *rest)  # type: ignore[arg-type]
        append(Path(log), (hash_text(0, text) for text in texts))
        return rows

    for module in (batch_writer, vector_filler):
        setattr(module, "embed", embed_logged)  # noqa: B010
    if int(full_at):
        import errno

        from tests.torture.shim import Shim, What

        shim = Shim()  # which keeps the memory that the library counts in
        shim.arm(Path(folder), What.FULL, int(full_at), error=errno.ENOSPC)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts this may have ignored it
    sys.argv = ["vecsearch", *arguments]
    return run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
