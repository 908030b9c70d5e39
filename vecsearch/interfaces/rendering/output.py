"""Answers as text for people and as JSON for programs: written once, for every surface. Prints nothing itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecsearch.core.checks import shorten_repr
from vecsearch.core.citations import describe_location
from vecsearch.core.results import Facets, Hit, Hits, KeySummary
from vecsearch.core.types import Document, DocumentSummary, Finding, Source, SourceState, format_count
from vecsearch.interfaces.rendering.explanations import format_explanation, format_profile
from vecsearch.interfaces.rendering.terminal_safe import make_encodable, make_printable

if TYPE_CHECKING:
    from vecsearch.core.files import FailedFile, IndexReport
    from vecsearch.indexing.vector_filler import FillReport

_SNIPPET_LINES = 2
_FAILED_SHOWN = 5
_VALUE_LENGTH = 60


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
    query: str | None, mode: str, took_ms: float, hits: Hits, *, include_profile: bool = False
) -> dict[str, Any]:
    """Return the JSON of `search`, `similar` and `recommend`; with how the answer was found where that is requested."""
    profile = {"profile": asdict(hits.profile)} if include_profile and hits.profile else {}
    found = [hit.to_dict() for hit in hits]
    answer = {"query": query, "mode": mode, "took_ms": round(took_ms, 1), **profile, "hits": found}
    return {**answer, "pending_vectors": hits.pending_vectors}


def format_hits(hits: Hits) -> Iterator[str]:
    """Yield `score  id · title`, then the beginning of the chunk, as wide as the terminal; the explanation where there is one."""
    width = max(40, min(shutil.get_terminal_size().columns, 120))
    for hit in hits:
        yield from _format_hit(hit, width)
        if hit.explanation:
            yield from format_explanation(hit, width)
    if hits.profile and any(hit.explanation for hit in hits):
        yield format_profile(hits.profile)


def _format_hit(hit: Hit, width: int) -> Iterator[str]:
    place = hit.id if hit.chunk_index == 0 else f"{hit.id}#{hit.chunk_index}"
    title = None if hit.title == hit.id else hit.title
    more = f"+{hit.group_size:,} more" if hit.group_size else None
    head = " · ".join(filter(None, (place, describe_location(hit.location, hit.title), title, more)))
    body = " ".join((hit.window.text if hit.window else hit.text).split())
    lead = f"{hit.score:6.3f}  "
    if body in ("", hit.id, hit.title) or (hit.explanation and hit.explanation.tokens):
        yield make_printable(lead + head)
    elif len(lead + head) + 3 + len(body) <= width:
        yield make_printable(f"{lead}{head} · {body}")
    else:
        yield make_printable(lead + head)
        yield from (
            make_printable(f"{'':8}{line}") for line in _wrap_text(body, width - 8, None if hit.window else _SNIPPET_LINES)
        )


def _wrap_text(text: str, width: int, lines: int | None) -> list[str]:
    from textwrap import wrap

    return wrap(text, width, max_lines=lines, placeholder=" …")


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


def format_summaries(summaries: Sequence[DocumentSummary], *, total: int, offset: int) -> Iterator[str]:
    """Yield `id · title  n chunks  time`, and how to see the next page."""
    for summary in summaries:
        name = " · ".join(part for part in (summary.id, summary.title) if part)
        state = "" if summary.state is SourceState.INDEXED else f", {summary.state}"
        yield make_printable(f"{name}  ({format_count(summary.chunks, 'chunk')}, {_format_minute(summary.indexed_at)}{state})")
    yield from _format_next_page(len(summaries), total, offset)


def format_sources(sources: Sequence[Source], *, total: int, offset: int) -> Iterator[str]:
    """Yield `state  path  n documents, n chunks, time`, then the error, and how to see the next page."""
    for source in sources:
        amounts = f"{format_count(source.documents, 'document')}, {format_count(source.chunks, 'chunk')}"
        yield make_printable(f"{source.state:10}  {source.source}  ({amounts}, {_format_minute(source.indexed_at)})")
        if source.error:
            yield make_printable(f"{'':12}{source.error}")
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


def _format_minute(moment: str) -> str:
    """Return `2026-05-01 13:45` for a time in ISO 8601."""
    return moment[:16].replace("T", " ")


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


# -- writing


def format_report(report: IndexReport) -> Iterator[str]:
    """Yield what a run did, and what there is now; what a dry run would do, document by document."""
    for verb, key in report.planned or ():
        yield make_printable(f"{verb:6}  {key}")
    changes = ", ".join(f"{getattr(report, what):,} {what}" for what in ("added", "updated", "unchanged", "removed"))
    totals = f"{format_count(report.documents, 'document')}, {format_count(report.chunks, 'chunk')}"
    would = "dry run: " if report.planned is not None else ""
    waiting = f" · {report.pending_vectors:,} vectors to come" if report.pending_vectors else ""
    yield f"{would}{changes} · now {totals}{waiting} · {report.seconds:.1f} s"


def format_fill_report(report: FillReport) -> Iterator[str]:
    """Yield how many vectors were made, and of how many chunks there are."""
    yield f"{format_count(report.encoded, 'text')} encoded · now {format_count(report.chunks, 'chunk')} · {report.seconds:.1f} s"


def format_failed_files(failed: Sequence[FailedFile], *, limit: int = 20) -> Iterator[str]:
    """Yield what failed, a line each."""
    for failure in failed[:limit]:
        yield make_printable(": ".join(filter(None, ("failed", failure.source, failure.error))))
    if len(failed) > limit:
        yield f"failed: {len(failed) - limit:,} more; --json lists them all"


def format_failures(report: IndexReport, *, limit: int = 20) -> Iterator[str]:
    """Yield what failed, a line each; what was skipped, a line for each reason, the most common first."""
    yield from format_failed_files(report.failed, limit=limit)
    by_reason: dict[str, list[str]] = {}
    for skip in report.skipped:
        by_reason.setdefault(skip.reason, []).append(skip.source)
    reasons = sorted(by_reason.items(), key=lambda reason: -len(reason[1]))
    for reason, uris in reasons[:limit]:
        yield make_printable(f"skipped: {uris[0]}{f' and {len(uris) - 1:,} more' if len(uris) > 1 else ''}: {reason}")
    if len(reasons) > limit:
        yield f"skipped: {sum(len(uris) for _, uris in reasons[limit:]):,} more for other reasons; --json lists them all"


# -- the database


def format_status(status: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of `status`: the database, then each collection."""
    from vecsearch.text.analyzer import STEMMERS  # slow to import: regex

    yield make_printable(f"{status['db']} · format {status['format']} · {_format_bytes(status['bytes'])}")
    for collection in status["collections"]:
        index = collection["index"]
        yield make_printable(
            f"{collection['name']}: {format_count(collection['documents'], 'document')}, "
            f"{format_count(collection['chunks'], 'chunk')}"
        )
        if waiting := collection["pending_vectors"]:
            yield f"  vectors  {waiting:,} still to be made; continue with: vecsearch index --vectors-only"
        yield make_printable(
            f"  model    {collection['model']} · {collection['dimension']} dimensions · {collection['precision']}"
        )
        yield make_printable(f"  stemmer  {STEMMERS.get(collection['stemmer'], collection['stemmer'])}")
        if begun := collection["reembedding"]:
            progress = f"{begun['documents']:,} of {begun['of']:,} documents"
            yield make_printable(f"  reembed  {begun['model']} · {progress}; continue with: vecsearch reembed")
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


def format_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield each finding with what it means and how to fix it; one line when there is none."""
    if not findings:
        yield "no problem found"
    for finding in findings:
        yield make_printable(f"{finding.severity}: {finding.what}")
        yield make_printable(f"  {finding.meaning}; {finding.fix}")


def format_repairs(repaired: Sequence[str], backup: Path | None, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what was repaired, where the backup is, and what is left."""
    for repair in repaired:
        yield make_printable(f"repaired: {repair}")
    if backup is not None:
        yield make_printable(f"the database as it was before: {backup}; remove it once you do not need it")
    yield from format_findings(findings)


def format_models(models: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield each model, whether it is on this machine, and which collections use it."""
    for model in models:
        notes = ["default"] if model["default"] else []
        notes += ["on this machine" if model["available"] else "not on this machine"]
        notes += [f"used by {', '.join(model['collections'])}"] if model["collections"] else []
        yield make_printable(f"{model['name']}  ({'; '.join(notes)})")


def _format_bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
