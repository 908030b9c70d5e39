"""Make a document's chunks, and the texts that an encoder sees for them.

Pure functions over plain values: a worker elsewhere can run them. They need from the encoder how many tokens a text has and how
many its window holds; nothing is encoded here.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from vecsearch.core.encoder_fields import read_max_tokens, read_token_count, read_token_spans, read_token_starts
from vecsearch.core.errors import VecsearchWarning
from vecsearch.core.parsed import ChunkedParts, ChunkSpan, ParsedDocument, Section, get_media_kind
from vecsearch.core.settings import BLOCK_CHARACTERS, CONTEXT_SHARE_MAX, TITLE_SHARE_MAX
from vecsearch.core.tokenizer_window import find_token_window
from vecsearch.core.types import Split
from vecsearch.documents import chunking
from vecsearch.documents.token_ruler import FitTest


class TokenWindow(Protocol):
    """What chunks are fitted to: every text encoder is one."""

    @property
    def max_tokens(self) -> int:
        """Return how many tokens of a document's own text fit the window, special tokens and prompt taken off."""
        ...

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Return half-open character ranges of the tokens of a text, uncut and without special tokens, in order."""
        ...


class ChunkInputs(NamedTuple):
    """A document's chunks, and the text to encode for each, empty for one that is a picture or sound."""

    spans: tuple[ChunkSpan, ...]
    texts: tuple[str, ...]


def chunk_document(document: ParsedDocument, split: Split, window: TokenWindow) -> ChunkInputs:
    """Split a document into chunks that fit the window together with its title and the context above them.

    One that comes with its chunks keeps them. Warns where a title takes too much of the window, and encodes its beginning only.
    """
    title = _truncate_title(document, window)
    spans = _find_spans(document, split, title, window) if document.chunks is None else document.chunks.spans
    return ChunkInputs(spans, tuple(_format_input(document, title, span) for span in spans))


def add_chunks(document: ParsedDocument, split: Split, window: TokenWindow) -> ParsedDocument:
    """Return a document with its chunks, without the sections that they were made from."""
    spans = _find_spans(document, split, _truncate_title(document, window), window)
    parts = ChunkedParts(hash_content(document, split), spans)
    return replace(document, sections=(), chunks=parts)


def _find_spans(document: ParsedDocument, split: Split, title: str, window: TokenWindow) -> tuple[ChunkSpan, ...]:
    title_tokens = read_token_count(window, title + "\n") if title else 0
    contexts = _truncate_contexts({section.context for section in document.sections}, window)
    costs = {context: read_token_count(window, f"{context}\n") if context else 0 for context in contexts.values()}
    spans = chunking.split(
        document.text,
        unit=split,
        budget=max(1, read_max_tokens(window) - title_tokens),
        token_spans=partial(read_token_spans, window),
        sections=[_truncate_section(section, contexts[section.context]) for section in document.sections],
        cost=lambda context: costs.get(context, 0),
        token_starts=partial(read_token_starts, window) if hasattr(window, "token_starts") else None,
        fits=_choose_fit_test(window),
    )
    if not spans and not document.media:  # a title alone
        return (ChunkSpan(0, 0),)
    end = len(document.text)
    return (*spans, *(ChunkSpan(end, end, place) for place in document.media))


def _choose_fit_test(window: TokenWindow) -> FitTest | None:
    """Return the quickest way to tell whether a text has at most so many tokens; None where all must be found for that."""
    if (tokenizer := find_token_window(window)) is not None:
        return tokenizer.has_at_most
    return (lambda text, most: read_token_count(window, text) <= most) if hasattr(window, "count_tokens") else None


def _format_input(document: ParsedDocument, title: str, span: ChunkSpan) -> str:
    if get_media_kind(span.location) is not None:
        return ""
    return format_encoder_input(title, span.context, document.text[span.start : span.end])


def refit_chunks(document: ParsedDocument, spans: Sequence[ChunkSpan], window: TokenWindow) -> ChunkInputs:
    """Keep the chunks that were made for another encoder, and split those further that do not fit this one's window."""
    title = _truncate_title(document, window)
    contexts = _truncate_contexts({span.context for span in spans}, window)
    count_tokens, budget = partial(read_token_count, window), read_max_tokens(window)
    fitting_spans: list[ChunkSpan] = []
    texts: list[str] = []
    for span in spans:
        if get_media_kind(span.location) is not None:
            fitting_spans.append(span)
            texts.append("")
            continue
        context, chunk_text = contexts[span.context], document.text[span.start : span.end]
        encoder_input = format_encoder_input(title, context, chunk_text)
        fits = len(chunk_text) <= BLOCK_CHARACTERS and count_tokens(encoder_input) <= budget
        parts = [span] if fits else _split_further(span, chunk_text, title, context, window)
        fitting_spans.extend(parts)
        texts.extend(format_encoder_input(title, context, document.text[part.start : part.end]) for part in parts)
    return ChunkInputs(tuple(fitting_spans), tuple(texts))


def format_encoder_input(title: str | None, context: str, text: str) -> str:
    """Return what a chunk is encoded as: title, context and text, each on a line; no title where the text begins with it."""
    text = text.strip()
    above = context if not title or text.lstrip("#=* \n").startswith(title) else f"{title}\n{context}" if context else title
    return f"{above}\n{text}" if above and text else above or text


def build_encoder_input(key: str, title: str | None, context: str, text: str, window: TokenWindow) -> str:
    """Return what `chunk_document` gave for a chunk, from what is stored of it: its document's id and title, context and text."""
    context = _truncate_context(context, window)  # of a chunk that was made for another encoder it may be longer
    return format_encoder_input(_truncate_title(ParsedDocument(key, text, title), window), context, text)


def hash_encoder_input(text: str) -> str:
    """Return the sha256 that names an encoded text."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_content(document: ParsedDocument, split: Split) -> str:
    """Return a sha256 that changes with anything that changes a document's chunks, their locations or their vectors."""
    if document.chunks is not None:
        return document.chunks.digest
    content = [document.title or "", split.value, document.text]
    for section in document.sections:
        fields = [section.start, section.location, section.context, section.hard_boundary, section.split_priority]
        content.append(json.dumps(fields))
    content += [json.dumps(place) for place in document.media]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()


def _truncate_title(document: ParsedDocument, window: TokenWindow) -> str:
    """Return as much of the title as leaves a part of the window to the text; all that fits, where there is no text."""
    title = (document.title or "").strip()
    limit = read_max_tokens(window)
    if document.text.strip():
        limit = max(1, int(limit * TITLE_SHARE_MAX))
    tokens = read_token_spans(window, title) if len(title) > limit else ()  # each has a character at least
    if len(tokens) <= limit:
        return title
    warnings.warn(
        f"the title of {document.id!r} has {len(tokens)} tokens; its first {limit} are encoded with every chunk, "
        "lexical search finds all of it",
        VecsearchWarning,
        stacklevel=3,
    )
    return title[: tokens[limit - 1][1]]


def _truncate_section(section: Section, context: str) -> Section:
    return section if context == section.context else replace(section, context=context)


def _truncate_contexts(contexts: set[str], window: TokenWindow) -> dict[str, str]:
    """Map each context to as much of it as leaves most of the window to the text."""
    return {context: _truncate_context(context, window) for context in contexts}


def _truncate_context(context: str, window: TokenWindow) -> str:
    limit = max(1, int(read_max_tokens(window) * CONTEXT_SHARE_MAX))
    if len(context) <= limit or read_token_count(window, context) <= limit:  # a token has a character at least
        return context
    return context[: read_token_spans(window, context)[limit - 1][1]]


def _split_further(span: ChunkSpan, chunk_text: str, title: str, context: str, window: TokenWindow) -> list[ChunkSpan]:
    """Return a chunk's parts that fit, with their locations; the chunk itself where there is nothing to split."""
    above = format_encoder_input(title, context, "")
    tokens_above = read_token_count(window, f"{above}\n") if above else 0
    first_location = {key: value[0] if key in ("lines", "rows") else value for key, value in span.location.items()}
    parts = chunking.split(
        chunk_text,
        unit=Split.TOKENS,
        budget=max(1, read_max_tokens(window) - tokens_above),
        token_spans=partial(read_token_spans, window),
        sections=(Section(0, first_location),),
    )
    return [ChunkSpan(span.start + part.start, span.start + part.end, part.location, span.context) for part in parts] or [span]
