"""Answers as text for people and as JSON for programs: written once, for every surface. Prints nothing itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vecsearch.core.answers import Hit, Hits
from vecsearch.core.citing import place_words
from vecsearch.core.types import Document, Finding, IndexReport, Listed, Source, SourceState, plural
from vecsearch.surfaces.reasons import plan_line, reason_lines
from vecsearch.surfaces.safe import encodable, printable

_SNIPPET_LINES = 2
_FAILED_SHOWN = 5


def as_json(value: Any) -> str:
    """One JSON value; characters that no terminal or file can take are replaced."""
    return encodable(json.dumps(value, ensure_ascii=False, indent=2))


# -- search


def answer(query: str | None, mode: str, took_ms: float, hits: Hits, *, plan: bool = False) -> dict[str, Any]:
    """The JSON of `search`, `similar` and `recommend`; with how the answer was found where that is asked for."""
    found = {"plan": asdict(hits.plan)} if plan and hits.plan else {}
    return {"query": query, "mode": mode, "took_ms": round(took_ms, 1), **found, "hits": [hit.to_dict() for hit in hits]}


def hit_lines(hits: Hits) -> Iterator[str]:
    """`score  id · title`, then the beginning of the chunk, within the width of the terminal; the reasons where there are any."""
    width = max(40, min(shutil.get_terminal_size().columns, 120))
    for hit in hits:
        yield from _hit(hit, width)
        if hit.reasons:
            yield from reason_lines(hit, width)
    if hits.plan and any(hit.reasons for hit in hits):
        yield plan_line(hits.plan)


def _hit(hit: Hit, width: int) -> Iterator[str]:
    place = hit.id if hit.chunk == 0 else f"{hit.id}#{hit.chunk}"
    title = None if hit.title == hit.id else hit.title
    more = f"+{hit.more:,} more" if hit.more else None
    head = " · ".join(filter(None, (place, place_words(hit.place, hit.title), title, more)))
    body = " ".join((hit.around.text if hit.around else hit.text).split())
    lead = f"{hit.score:6.3f}  "
    if body in ("", hit.id, hit.title) or (hit.reasons and hit.reasons.shares):
        yield printable(lead + head)
    elif len(lead + head) + 3 + len(body) <= width:
        yield printable(f"{lead}{head} · {body}")
    else:
        yield printable(lead + head)
        yield from (printable(f"{'':8}{line}") for line in _wrapped(body, width - 8, None if hit.around else _SNIPPET_LINES))


def _wrapped(text: str, width: int, lines: int | None) -> list[str]:
    from textwrap import wrap

    return wrap(text, width, max_lines=lines, placeholder=" …")


# -- documents


def document_lines(documents: Sequence[Document]) -> Iterator[str]:
    """Each document's id, title, metadata and text."""
    for number, document in enumerate(documents):
        if number:
            yield ""
        yield printable(" · ".join(part for part in (document.id, document.title) if part))
        if document.metadata:
            yield printable(json.dumps(dict(document.metadata), ensure_ascii=False))
        yield printable(document.text)


def listing_lines(listed: Sequence[Listed], *, total: int, offset: int) -> Iterator[str]:
    """`id · title  n chunks  time`, and how to see the rest."""
    for each in listed:
        name = " · ".join(part for part in (each.id, each.title) if part)
        state = "" if each.state is SourceState.INDEXED else f", {each.state}"
        yield printable(f"{name}  ({plural(each.chunks, 'chunk')}, {_minute(each.indexed_at)}{state})")
    yield from _rest(len(listed), total, offset)


def source_lines(listed: Sequence[Source], *, total: int, offset: int) -> Iterator[str]:
    """`state  path  n documents, n chunks, time`, then what is wrong, and how to see the rest."""
    for each in listed:
        amounts = f"{plural(each.documents, 'document')}, {plural(each.chunks, 'chunk')}"
        yield printable(f"{each.state:10}  {each.uri}  ({amounts}, {_minute(each.indexed_at)})")
        if each.error:
            yield printable(f"{'':12}{each.error}")
    yield from _rest(len(listed), total, offset)


def _minute(moment: str) -> str:
    """2026-05-01 13:45, of a time in ISO 8601."""
    return moment[:16].replace("T", " ")


def _rest(shown: int, total: int, offset: int) -> Iterator[str]:
    """How to see what a page leaves out, if anything."""
    if total > offset + shown:
        yield f"{offset + 1:,} to {offset + shown:,} of {total:,}; the next: --offset {offset + shown}"


def json_documents(documents: Sequence[Document]) -> dict[str, Any]:
    """The JSON of `get`."""
    return {"documents": [_json_document(document) for document in documents]}


def _json_document(document: Document) -> dict[str, Any]:
    fields = asdict(document)
    chunks = [{key: value for key, value in chunk.items() if key != "place" or value} for chunk in fields["chunks"]]
    return {**{key: fields[key] for key in ("id", "uri", "title", "text", "metadata")}, "chunks": chunks}


def json_listed(listed: Listed) -> dict[str, Any]:
    """A document in the JSON of `ls`; the state and error of its file only where that is not well."""
    fields = asdict(listed)
    well = ("state", "error") if listed.state is SourceState.INDEXED else ()
    return {key: value for key, value in fields.items() if key not in well}


# -- writing


def report_lines(report: IndexReport) -> Iterator[str]:
    """What a run did, and what there is now; what a dry run would do, document by document."""
    for verb, key in report.planned or ():
        yield printable(f"{verb:6}  {key}")
    changes = ", ".join(f"{getattr(report, what):,} {what}" for what in ("added", "updated", "unchanged", "removed"))
    totals = f"{plural(report.documents, 'document')}, {plural(report.chunks, 'chunk')}"
    would = "a dry run: " if report.planned is not None else ""
    yield f"{would}{changes} · now {totals} · {report.seconds:.1f} s"


def trouble_lines(report: IndexReport, *, most: int = 20) -> Iterator[str]:
    """What failed, a line each; what was skipped, a line for each reason, the commonest first."""
    for failure in report.failed[:most]:
        yield printable(f"failed: {failure.uri}: {failure.error}")
    if len(report.failed) > most:
        yield f"failed: {len(report.failed) - most:,} more; --json lists them all"
    by_reason: dict[str, list[str]] = {}
    for skip in report.skipped:
        by_reason.setdefault(skip.reason, []).append(skip.uri)
    reasons = sorted(by_reason.items(), key=lambda each: -len(each[1]))
    for reason, uris in reasons[:most]:
        yield printable(f"skipped: {uris[0]}{f' and {len(uris) - 1:,} more' if len(uris) > 1 else ''}: {reason}")
    if len(reasons) > most:
        yield f"skipped: {sum(len(uris) for _, uris in reasons[most:]):,} more for other reasons; --json lists them all"


# -- the database


def status_lines(status: dict[str, Any]) -> Iterator[str]:
    """The database, then each collection."""
    yield printable(f"{status['db']} · format {status['format']} · {_bytes(status['bytes'])}")
    for each in status["collections"]:
        index = each["index"]
        yield printable(f"{each['name']}: {plural(each['documents'], 'document')}, {plural(each['chunks'], 'chunk')}")
        yield printable(f"  encoder  {each['encoder']} · {each['dimension']} numbers · {each['precision']}")
        yield printable(f"  words    stems of {each['language']}")
        if begun := each["reembedding"]:
            made = f"{begun['documents']:,} of {begun['of']:,} documents"
            yield printable(f"  reembed  {begun['encoder']} · {made}; go on: vecsearch reembed")
        waiting = f", {index['tail']:,} rows after it, {index['deleted']:,} deleted" if index["tail"] or index["deleted"] else ""
        yield f"  index    {index['kind']} · {index['state']} · {plural(index['rows'], 'row')}{waiting}"
        yield "  sources  " + " · ".join(f"{count:,} {state}" for state, count in each["sources"].items())
        for failed in each["failed"][:_FAILED_SHOWN]:
            yield printable(f"    failed {failed['uri']}: {failed['error']}")
        if each["sources"]["failed"] > _FAILED_SHOWN:
            yield "    all of them: vecsearch ls --failed"
        sizes = " · ".join(f"{what} {_bytes(size)}" for what, size in each["bytes"].items())
        yield f"  bytes    {sizes}"


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Each finding with what it means and what mends it; a word of comfort when there is none."""
    if not findings:
        yield "all is well"
    for finding in findings:
        yield printable(f"{finding.severity}: {finding.what}")
        yield printable(f"  {finding.meaning}; {finding.fix}")


def mended_lines(mended: Sequence[str], backup: Path | None, findings: Sequence[Finding]) -> Iterator[str]:
    """What was mended, where the backup is, and what is left."""
    for each in mended:
        yield printable(f"mended: {each}")
    if backup is not None:
        yield printable(f"the database as it was before: {backup}; remove it once you do not need it")
    yield from finding_lines(findings)


def model_lines(models: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Each encoder, whether it is on this machine, and who uses it."""
    for model in models:
        notes = ["default"] if model["default"] else []
        notes += ["here" if model["available"] else "not on this machine"]
        notes += [f"used by {', '.join(model['collections'])}"] if model["collections"] else []
        yield printable(f"{model['name']}  ({'; '.join(notes)})")


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
