"""Answers as text for people and as JSON for programs: written once, for every surface. Prints nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vecsearch.core.checks import shorten_repr
from vecsearch.core.results import DeleteReport, Facets, Hits, KeySummary
from vecsearch.core.types import Document, DocumentSummary, Source, SourceState, format_count
from vecsearch.interfaces.rendering.hit_links import build_hit_json
from vecsearch.interfaces.rendering.terminal import Style, Terminal, measure_cells, shorten_end, shorten_middle
from vecsearch.interfaces.rendering.terminal_safe import make_encodable, make_printable

if TYPE_CHECKING:
    from vecsearch.core.files import FailedFile, IndexReport, RowFile
    from vecsearch.indexing.vector_filler import FillReport

_VALUE_LENGTH = 60
_SEPARATOR = " · "
_STATE_WIDTH = 12
_NARROW = 60  # cells, below which a line has no room for more than a name and a time
_TITLE_WIDTH_MIN = 8


def dump_json(value: Any, encoding: str = "utf-8") -> str:
    """Return one JSON value as text: what the encoding has not is escaped, half surrogate pairs are replaced."""
    text = make_encodable(json.dumps(value, ensure_ascii=False, indent=2))
    if encoding == "utf-8" or text.isascii():
        return text
    lacking = [character for character in set(text) if not _has_character(encoding, character)]
    return text.translate(
        {ord(character): json.dumps(character)[1:-1] for character in lacking}
    )  # outside of strings JSON is ASCII


def _has_character(encoding: str, character: str) -> bool:
    """Return whether a character comes back as it went: Shift JIS makes a backslash of a yen sign."""
    try:
        return character.encode(encoding).decode(encoding) == character
    except UnicodeError:
        return False


# -- search


def build_answer_json(
    query: str | None, mode: str, took_ms: float, hits: Hits, *, total: int, include_profile: bool = False
) -> dict[str, Any]:
    """Return the JSON of `search`, `similar` and `recommend`: `total` is how many documents, or chunks, could have been found.

    With how the answer was found where that is requested.
    """
    profile = {"profile": asdict(hits.profile)} if include_profile and hits.profile else {}
    found = [build_hit_json(hit) for hit in hits]
    answer = {"query": query, "mode": mode, "took_ms": round(took_ms, 1), "total": total, **profile, "hits": found}
    reason = {} if hits.reason is None else {"reason": hits.reason}
    return {**answer, "weak": hits.weak, "pending_vectors": hits.pending_vectors, **reason}


# -- documents


def format_documents(documents: Sequence[Document]) -> Iterator[str]:
    """Yield each document's id, title, metadata and text."""
    for number, document in enumerate(documents):
        if number:
            yield ""
        yield make_printable(" · ".join(part for part in (document.id, document.title) if part))
        if document.metadata:
            yield make_printable(json.dumps(dict(document.metadata), ensure_ascii=False))
        yield make_printable(document.text)


def format_summaries(summaries: Sequence[DocumentSummary], terminal: Terminal, *, total: int, offset: int) -> Iterator[str]:
    """Yield `id · title  n chunks  time`, shortened to the width of a terminal, and how to see the next page."""
    for summary in summaries:
        state = "" if summary.state is SourceState.INDEXED else f", {summary.state}"
        chunks = "" if terminal.is_terminal and terminal.width < _NARROW else f"{format_count(summary.chunks, 'chunk')}, "
        amounts = f"  ({chunks}{format_minute(summary.indexed_at)}{state})"
        room = terminal.width - measure_cells(amounts)
        id, title = make_printable(summary.id), make_printable(summary.title or "")
        if terminal.is_terminal:
            id = shorten_middle(id, room)
            room -= measure_cells(id) + len(_SEPARATOR)
            title = shorten_end(title, room) if room >= min(_TITLE_WIDTH_MIN, measure_cells(title)) else ""
        yield (
            terminal.style(id, Style.PATH) + (_SEPARATOR if title else "") + title + terminal.style(amounts, Style.DIM)
        )  # fmt: skip
    yield from _format_next_page(len(summaries), total, offset)


def format_sources(sources: Sequence[Source], terminal: Terminal, *, total: int, offset: int) -> Iterator[str]:
    """Yield `state  path  n documents, n chunks, time`, then the error, and how to see the next page."""
    for source in sources:
        amounts = f"{format_count(source.documents, 'document')}, {format_count(source.chunks, 'chunk')}, "
        amounts = "" if source.state is SourceState.SKIPPED else amounts
        state, amounts = f"{source.state:10}", f"({amounts}{format_minute(source.indexed_at)})"
        path, room = make_printable(source.source), terminal.width - _STATE_WIDTH
        is_split = terminal.is_terminal and measure_cells(path) + 2 + len(amounts) > room
        path = shorten_middle(path, room) if is_split else path
        style = Style.ERROR if source.state is SourceState.FAILED else Style.DIM
        behind = "" if is_split else terminal.style(f"  {amounts}", Style.DIM)
        yield f"{terminal.style(state, style)}  {terminal.style(path, Style.PATH)}{behind}"
        if is_split:
            yield from (terminal.style(part, Style.DIM) for part in terminal.wrap(f"{'':{_STATE_WIDTH}}{amounts}", _STATE_WIDTH))
        if source.error:
            yield from terminal.wrap(f"{'':{_STATE_WIDTH}}{make_printable(source.error)}", _STATE_WIDTH)
    yield from _format_next_page(len(sources), total, offset)


def format_keys(keys: Sequence[KeySummary]) -> Iterator[str]:
    """Yield `key  n documents  types  least to greatest`."""
    for summary in keys:
        types = ", ".join(name if count == summary.documents else f"{name} {count:,}" for name, count in summary.types.items())
        reach = "" if summary.min is None else f"  {dump_value(summary.min)} to {dump_value(summary.max)}"
        yield make_printable(f"{_format_key(summary.key)}  ({format_count(summary.documents, 'document')}, {types}){reach}")


def format_facets(facets: Facets) -> Iterator[str]:
    """Yield `count  value`, then how many values and documents there are besides."""
    width = max((len(f"{found.count:,}") for found in facets.values), default=1)
    for found in facets.values:
        yield make_printable(f"{found.count:{width},}  {dump_value(found.value)}")
    if facets.distinct > len(facets.values):
        yield f"… and {facets.distinct - len(facets.values):,} more values: --limit {facets.distinct}"
    yield make_printable(
        f"{format_count(facets.documents, 'document')} with {_format_key(facets.key)}, {facets.missing:,} without"
    )


def _format_key(key: str) -> str:
    """Return a key in one line: as JSON where it holds line ends or other control characters."""
    return key if key.isprintable() else json.dumps(key, ensure_ascii=False)


def dump_value(value: Any) -> str:
    """Return a metadata value as JSON in one line, shortened."""
    return shorten_repr(value) if isinstance(value, str) and len(value) > _VALUE_LENGTH else json.dumps(value, ensure_ascii=False)


def format_minute(moment: str) -> str:
    """Return `2026-05-01 13:45`, in this machine's time zone, for a time in ISO 8601."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def _format_next_page(shown: int, total: int, offset: int) -> Iterator[str]:
    """Yield how to see the next page, if there is one."""
    if total > offset + shown:
        yield f"{offset + 1:,} to {offset + shown:,} of {total:,}; the next: --offset {offset + shown}"


def build_documents_json(documents: Sequence[Document]) -> dict[str, Any]:
    """Return the JSON of `get`."""
    return {"documents": [_build_document_json(document) for document in documents]}


def _build_document_json(document: Document) -> dict[str, Any]:
    fields = asdict(document)
    chunks = [{key: value for key, value in chunk.items() if key != "location" or value} for chunk in fields["chunks"]]
    payload = {} if document.payload is None else {"payload": document.payload}
    return {**{key: fields[key] for key in ("id", "source", "title", "text", "metadata")}, **payload, "chunks": chunks}


def build_summary_json(summary: DocumentSummary) -> dict[str, Any]:
    """Return a document in the JSON of `ls`; the state and error of its file only where it is not indexed."""
    fields = asdict(summary)
    well = ("state", "error") if summary.state is SourceState.INDEXED else ()
    return {key: value for key, value in fields.items() if key not in well}


def format_after_delete(report: DeleteReport) -> Iterator[str]:
    """Yield what becomes of deleted documents whose file is still there, and which roots are no more."""
    if count := len(report.returning):
        subject = (
            "its file is" if count == 1 else f"the files of {count:,} of them are" if count < len(report) else "their files are"
        )
        pronoun = "it" if count == 1 else "them"
        yield f"{subject} still there: the next `vecsearch index` brings {pronoun} back; with --ignore it does not"
    for path in report.forgotten:
        yield make_printable(f"{path} is gone, and no root any more")


# -- writing


def format_report(report: IndexReport, folder: str) -> Iterator[str]:
    """Yield what a run did, and what there is now, in which folder; what a dry run would do, document by document."""
    for verb, key in report.planned or ():
        yield make_printable(f"{verb:6}  {key}")
    amounts = {what: getattr(report, what) for what in ("added", "updated", "unchanged", "removed")}
    amounts |= {"failed": len(report.failed), "skipped": len(report.skipped)}
    changes = ", ".join(f"{amount:,} {what}" for what, amount in amounts.items())
    totals = f"{format_count(report.documents, 'document')}, {format_count(report.chunks, 'chunk')}"
    would = "dry run: " if report.planned is not None else ""
    waiting = f" · {format_count(report.pending_vectors, 'vector')} to come" if report.pending_vectors else ""
    yield f"{would}{changes}"
    yield make_printable(f"now {totals}{waiting} · {folder} · {report.seconds:.1f} s")


def format_fill_report(report: FillReport) -> Iterator[str]:
    """Yield how many vectors were made, and of how many chunks there are."""
    yield f"{format_count(report.encoded, 'text')} encoded · now {format_count(report.chunks, 'chunk')} · {report.seconds:.1f} s"


def format_failed_files(failed: Sequence[FailedFile], *, limit: int = 20) -> Iterator[str]:
    """Yield what failed, a line each."""
    for failure in failed[:limit]:
        yield make_printable(": ".join(filter(None, ("failed", failure.source, failure.error))))
    if len(failed) > limit:
        yield f"failed: {len(failed) - limit:,} more; --json lists them all"


def format_row_files(files: Sequence[RowFile], *, limit: int = 5) -> Iterator[str]:
    """Yield, for files whose columns were guessed, how their rows became documents, a line each."""
    from vecsearch.core.row_options import LINE_COLUMN

    guessed = [file for file in files if file.columns.qualified]
    for file in guessed[:limit]:
        columns = file.columns
        names = [f"text={','.join(columns.text) or 'all columns'}", *([f"title={columns.title}"] if columns.title else ())]
        what = ", ".join([f"id={columns.id}" if columns.id is not None else "no id", *names])
        kind = "a line" if columns.id == LINE_COLUMN else f"a row: {what}"
        otherwise = "" if file.source == "stdin" else "; --no-rows for one document"
        yield make_printable(f"{file.source}: one document {kind}{otherwise}")
    if len(guessed) > limit:
        yield f"{len(guessed) - limit:,} more files with a document a row; --json lists them all"


def format_failures(report: IndexReport, *, limit: int = 20) -> Iterator[str]:
    """Yield what failed, a line each; what is skipped since this run, a line for each reason, the most common first."""
    yield from format_failed_files(report.failed, limit=limit)
    by_reason: dict[str, list[str]] = {}
    for skip in report.skipped:
        if not skip.is_new:
            continue
        by_reason.setdefault(skip.reason, []).append(skip.source)
    reasons = sorted(by_reason.items(), key=lambda reason: -len(reason[1]))
    for reason, uris in reasons[:limit]:
        yield make_printable(f"skipped: {uris[0]}{f' and {len(uris) - 1:,} more' if len(uris) > 1 else ''}: {reason}")
    if len(reasons) > limit:
        yield f"skipped: {sum(len(uris) for _, uris in reasons[limit:]):,} more for other reasons; all: vecsearch ls --skipped"
