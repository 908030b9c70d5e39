"""Invitations and calendars (RFC 5545): what, when, where and with whom, a line each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from vecsearch.core.parsed import LoaderItem, ParsedDocument, Section
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.raw_file import RawFile

_COMPONENTS: Final = ("VEVENT", "VTODO", "VJOURNAL")
_FOLD: Final = re.compile(r"\n[ \t]")
_LINE: Final = re.compile(r"""([\w-]+)((?:;[^:;"]*(?:"[^"\n]*"[^:;"]*)*)*):(.*)""")
_PARAMETER: Final = re.compile(r""";\s*([\w-]+)=(?:"([^"]*)"|([^;"]*))""")
_ESCAPE: Final = re.compile(r"\\(.)")
_TIME: Final = re.compile(r"(\d{8})(?:T(\d{4})(?:\d{2})?(Z)?)?")


class _Property(NamedTuple):
    name: str
    parameters: dict[str, str]
    value: str


def load_calendar(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield a calendar as one document, a paragraph an event; an only event's title is its title."""
    events = list(_iterate_events(decode(raw.data)))
    texts = list(map(_format_event, events))
    if not any(texts):
        return
    title = next((item.value for item in events[0] if item.name == "SUMMARY"), None) if len(events) == 1 else None
    yield ParsedDocument(
        raw.name, "\n\n".join(filter(None, texts)), _decode_escapes(title or "") or None, sections=(Section(0, {}),)
    )


def extract_events(text: str) -> list[str]:
    """Return what each event of a calendar says; what is no calendar has none."""
    return list(filter(None, map(_format_event, _iterate_events(text))))


def _iterate_events(text: str) -> Iterator[list[_Property]]:
    """Yield the properties of each event, those of its reminders left out."""
    open_names: list[str] = []
    event: list[_Property] = []
    for line in _FOLD.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n"):
        match = _LINE.match(line.strip())
        if not match:
            continue
        name, value = match[1].upper(), match[3]
        if name == "BEGIN":
            open_names.append(value.strip().upper())
            event = [] if open_names[-1] in _COMPONENTS else event
        elif name == "END" and open_names:
            if open_names.pop() in _COMPONENTS:
                yield event
        elif open_names and open_names[-1] in _COMPONENTS:
            parameters = {key.upper(): quoted or plain for key, quoted, plain in _PARAMETER.findall(match[2])}
            event.append(_Property(name, parameters, value))


def _format_event(event: list[_Property]) -> str:
    return "\n".join(filter(None, _iterate_lines(event)))


def _iterate_lines(event: list[_Property]) -> Iterator[str]:
    values: dict[str, _Property] = {}
    for item in event:
        values.setdefault(item.name, item)
    if "SUMMARY" in values:
        yield _decode_escapes(values["SUMMARY"].value)
    times = [_format_time(values[name]) for name in ("DTSTART", "DTEND", "DUE") if name in values]
    yield " – ".join(dict.fromkeys(filter(None, times)))
    yield from (_decode_escapes(values[name].value) for name in ("LOCATION", "DESCRIPTION") if name in values)
    people = (_format_person(item) for item in event if item.name in ("ORGANIZER", "ATTENDEE"))
    yield from dict.fromkeys(people)
    yield from (_decode_escapes(item.value) for item in event if item.name in ("COMMENT", "CATEGORIES"))


def _format_time(item: _Property) -> str:
    """Return 2024-03-05 10:00 Europe/Berlin, or a day; as it stands where it is no time."""
    match = _TIME.match(item.value)
    try:
        day = datetime.strptime(match[1] + (match[2] or "0000") if match else "", "%Y%m%d%H%M")
    except ValueError:
        return _decode_escapes(item.value)
    assert match is not None
    if not match[2]:
        return f"{day:%Y-%m-%d}"
    return " ".join(filter(None, (f"{day:%Y-%m-%d %H:%M}", "UTC" if match[3] else item.parameters.get("TZID", ""))))


def _format_person(item: _Property) -> str:
    address = re.sub("^mailto:", "", item.value.strip(), flags=re.IGNORECASE)
    name = item.parameters.get("CN", "").strip()
    return f"{name} <{address}>" if name and "@" in address and name != address else name or address


def _decode_escapes(value: str) -> str:
    return clean(_ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)).strip()
