"""The shell's `open`: a hit in one's editor at its line, or in the program that shows such files."""

from __future__ import annotations

import codecs
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from vecsearch.core.errors import InputError, UnavailableError
from vecsearch.core.source_paths import parse_path
from vecsearch.core.types import Location
from vecsearch.interfaces.cli.handles import resolve_handle
from vecsearch.interfaces.cli.last_hits import KeptHit, load_hits
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.cli.question_log import LoggedAct, log_choice
from vecsearch.interfaces.rendering.hit_links import find_row_line_of

_EDITOR_DEFAULT: Final = "vi"
_LOOKED_AT: Final = 8_192  # bytes
_FOR_VIEWERS: Final = ("%PDF", "{\\rtf")
_AT_LINE: Final[Mapping[str, tuple[str, ...]]] = {  # editors that do not take `+LINE FILE`
    **dict.fromkeys(("code", "code-insiders", "codium", "cursor", "windsurf"), ("--goto", "{path}:{line}")),
    **dict.fromkeys(("subl", "zed", "hx", "helix", "micro"), ("{path}:{line}",)),
}


@click.command("open")
@click.argument("hit", metavar="N | ID")
@add_common_options
def open_hit(options: CliContext, hit: str) -> int:
    """Open a hit in the editor at its line: the N-th of the last search in this shell, or what a search has printed.

    The editor is $VISUAL, or $EDITOR. What has no lines, such as a PDF, is opened by the program that shows such files.
    """
    kept = _find_hit(options, hit)
    log_choice(options.find_database(), options.name, kept.id, LoggedAct.OPENED)
    if kept.source is None:
        raise InputError(f"{kept.id!r} comes from no file; to read it: vecsearch get {shlex.quote(kept.id)}")
    path = parse_path(kept.source)
    if not os.path.exists(path):  # noqa: PTH110 (Path's raises an error for what may not be looked at)
        raise InputError(f"{kept.source} is gone; what was read of it: vecsearch get {shlex.quote(kept.id)}")
    if options.as_json:
        options.show({"source": kept.source, "line": kept.line, "location": dict(kept.location)}, ())
        return 0
    if not _is_text(Path(path), kept.location):
        if click.launch(path) != 0:
            raise UnavailableError(
                f"no program is known that shows {kept.source}; its text: vecsearch get {shlex.quote(kept.id)}"
            )
        return 0
    return _run_editor(path, kept.line)


def _find_hit(options: CliContext, text: str) -> KeptHit:
    """Return the hit of a number, or what a handle means. Raises InputError."""
    hits = load_hits(options.find_database()) if text.isdecimal() else None
    if hits is not None and 0 < int(text) <= len(hits):
        return hits[int(text) - 1]
    with options.open_for_reading() as collection:
        handle = resolve_handle(collection, text)
        document = None if handle is None else collection.get(handle.id)[0]
    if document is not None and handle is not None:
        location = document.chunks[handle.chunk_index or 0].location if document.chunks else {}
        span = location.get("lines") or location.get("rows")
        line = int(text.rpartition(":")[2]) if text.rpartition(":")[2].isdecimal() and span else span[0] if span else None
        if document.source is not None and not location:
            line = find_row_line_of(document.id, document.source, document.text)
        return KeptHit(document.id, document.source, line, location)
    if not text.isdecimal():
        raise InputError(f"no document with id {text!r}; see `vecsearch ls`")
    if hits is None:
        raise InputError("there is no last search in this shell and this database; first: vecsearch search QUERY")
    raise InputError(f"there is no hit {text}: the last search in this shell has {len(hits):,}")


def _is_text(path: Path, location: Location) -> bool:
    """Return whether an editor shows what is in a file, or in the beginning of it."""
    if "member" in location:
        return False
    if "lines" in location:
        return True
    with path.open("rb") as file:
        beginning = file.read(_LOOKED_AT)
    try:
        decoded = codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return False
    return "\0" not in decoded and not decoded.startswith(_FOR_VIEWERS)


def _run_editor(path: str, line: int | None) -> int:
    """Run the editor; return its exit status. Raises UnavailableError where there is none, UsageError for no command."""
    variable = next((name for name in ("VISUAL", "EDITOR") if os.environ.get(name)), None)
    chosen = os.environ[variable] if variable else _EDITOR_DEFAULT
    try:
        command = shlex.split(chosen)
    except ValueError:  # a quotation mark without its other one
        command = []
    if not command:
        raise click.UsageError(f"${variable} is {chosen!r}, which is no command; expected one such as 'vim' or 'code --wait'")
    at_line = _AT_LINE.get(Path(command[0]).name, ("+{line}", "{path}"))
    arguments = [part.replace("{line}", str(line or 1)).replace("{path}", path) for part in at_line]
    try:
        return subprocess.run([*command, *arguments], check=False).returncode
    except OSError as error:
        raise UnavailableError(f"the editor {chosen!r} cannot be run ({error.strerror}); set $VISUAL or $EDITOR") from error
