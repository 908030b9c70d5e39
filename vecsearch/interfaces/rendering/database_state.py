"""The database as text: what it holds, whether it is sound, its collections and models. Prints nothing itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vecsearch.core.types import Check, Finding, Severity, format_count
from vecsearch.interfaces.rendering.output import format_minute
from vecsearch.interfaces.rendering.terminal import Style, Terminal
from vecsearch.interfaces.rendering.terminal_safe import make_printable
from vecsearch.interfaces.rendering.text_table import format_table

_FAILED_SHOWN: Final = 5
_LABEL_WIDTH: Final = 11  # of the lines of a collection
_LABEL: Final = re.compile(r" {2,4}([a-z]+)(?= )")


def format_status(status: dict[str, Any], terminal: Terminal) -> Iterator[str]:
    """Yield the lines of `status`: the database, then each collection; on a terminal by their words, with colours."""
    head = f"{status['db']} · format {status['format']} · {_format_bytes(status['bytes'])}"
    yield from terminal.wrap(make_printable(head))
    yield from terminal.wrap(make_printable(f"cache of prepared models: {status['cache']}"))
    for collection in status["collections"]:
        name = make_printable(collection["name"])
        for number, line in enumerate(_format_collection(collection)):
            for part in terminal.wrap(line, _LABEL_WIDTH):
                yield _style_status(part, terminal, name if number == 0 else None)


def _style_status(line: str, terminal: Terminal, name: str | None) -> str:
    """Return a line of a collection with its name, or what a value is called, apart by colour; what has failed in red."""
    if name is not None and line.startswith(name):
        return terminal.style(name, Style.PATH) + line[len(name) :]
    label = _LABEL.match(line)
    if label is None:
        return line
    return terminal.style(label[0], Style.ERROR if label[1] == "failed" else Style.DIM) + line[label.end() :]


def _format_collection(collection: Mapping[str, Any]) -> Iterator[str]:
    from vecsearch.text.analyzer import STEMMERS  # slow to import: regex

    amounts = f"{format_count(collection['documents'], 'document')}, {format_count(collection['chunks'], 'chunk')}"
    changed = f", changed {format_minute(collection['changed_at'])}" if collection["changed_at"] else ""
    yield make_printable(f"{collection['name']}: {amounts}{changed}")
    if waiting := collection["pending_vectors"]:
        yield f"  vectors  {waiting:,} still to be made; continue with: vecsearch index --vectors-only"
    yield make_printable(f"  model    {collection['model']} · {collection['dimension']} dimensions · {collection['precision']}")
    yield make_printable(f"  stemmer  {STEMMERS.get(collection['stemmer'], collection['stemmer'])}")
    yield from _format_keys(collection["keys"])
    if tuned := collection["tuning"]:
        what = f"map of questions of {format_minute(tuned['at'])}, learned from {format_count(tuned['pairs'], 'pair')}"
        yield make_printable(f"  tune     {what}; undo: vecsearch tune --drop")
    if begun := collection["reembedding"]:
        progress = f"{begun['documents']:,} of {begun['of']:,} documents"
        yield make_printable(f"  reembed  {begun['model']} · {progress}; continue with: vecsearch reembed")
    index = collection["index"]
    has_changes = index["unindexed"] or index["deleted"]
    changes = f", {index['unindexed']:,} rows after it, {index['deleted']:,} deleted" if has_changes else ""
    yield f"  index    {index['kind']} · {index['state']} · {format_count(index['rows'], 'row')}{changes}"
    yield "  sources  " + " · ".join(f"{count:,} {state}" for state, count in collection["sources"].items())
    for failed in collection["failed"][:_FAILED_SHOWN]:
        yield make_printable(f"    failed {failed['source']}: {failed['error']}")
    if collection["sources"]["failed"] > _FAILED_SHOWN:
        yield "    all of them: vecsearch ls --failed"
    sizes = " · ".join(f"{what} {_format_bytes(size)}" for what, size in collection["bytes"].items())
    yield f"  bytes    {sizes}"


def _format_keys(keys: Sequence[Mapping[str, Any]] | None) -> Iterator[str]:
    """Yield the metadata keys with their types; nothing where there are none."""
    if keys is None:
        yield "  keys     vecsearch facets lists them"
        return
    if keys:
        shown = " · ".join(f"{key['key']} ({', '.join(key['types'])})" for key in keys)
        yield make_printable(f"{'  keys':{_LABEL_WIDTH}}{shown}")


def format_collections(collections: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table of the collections; nothing where there are none."""
    rows = [(entry["name"], f"{entry['documents']:,}", entry["model"]) for entry in collections]
    return format_table(("COLLECTION", "DOCUMENTS", "MODEL"), rows, numbers=(1,)) if rows else iter(())


def format_models(models: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table of the models: sizes, languages, whether each is on this machine, and which collections use it."""
    rows = [
        (
            f"{model['name']} (default)" if model["default"] else model["name"],
            "" if model["dimension"] is None else f"{model['dimension']:,}",
            "" if model["megabytes"] is None else f"{model['megabytes']:,}",
            "yes" if model["available"] else "no",
            model["languages"] or "",
            ", ".join(model["collections"]),
        )
        for model in models
    ]
    return format_table(("MODEL", "DIMENSIONS", "MB", "HERE", "LANGUAGES", "COLLECTIONS"), rows, numbers=(1, 2))


# -- doctor


def format_checks(checks: Sequence[Check]) -> Iterator[str]:
    """Yield a line for each check, with what was found and how to fix it below."""
    for check in checks:
        yield make_printable(f"{_get_verdict(check.findings):5}  {check.what}")
        for finding in check.findings:
            yield make_printable(f"{'':7}{finding.what}")
            yield make_printable(f"{'':7}{finding.meaning}; {finding.fix}")


def build_check_json(check: Check) -> dict[str, Any]:
    """Return the JSON of a check; its findings stand beside, the worst first."""
    return {"check": check.what, "result": _get_verdict(check.findings), "findings": len(check.findings)}


def _get_verdict(findings: Sequence[Finding]) -> str:
    if any(finding.severity is Severity.ERROR for finding in findings):
        return "error"
    return "note" if findings else "ok"


def format_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield each finding with what it means and how to fix it."""
    for finding in findings:
        yield make_printable(f"{finding.severity}: {finding.what}")
        yield make_printable(f"  {finding.meaning}; {finding.fix}")


def format_verdict(findings: Sequence[Finding]) -> str:
    """Return whether the data are sound, in a line."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    notes = f"; {format_count(len(findings) - errors, 'note')}" if len(findings) > errors else ""
    return f"{format_count(errors, 'error')} found{notes}" if errors else f"no problem found{notes}"


def format_repairs(repaired: Sequence[str], backup: Path | None) -> Iterator[str]:
    """Yield what was repaired, and where the backup is."""
    for repair in repaired:
        yield make_printable(f"repaired: {repair}")
    if backup is not None:
        yield make_printable(f"the database as it was before: {backup}; remove it once you do not need it")


def _format_bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
