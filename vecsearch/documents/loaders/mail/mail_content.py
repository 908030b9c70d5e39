"""What a mail says, whatever form it came in, and the documents that it gives: the message, and each document attached to it.

Nothing linked is fetched. What has no words, such as pictures, is only named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning
from vecsearch.core.types import Location
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders import LOADERS, load
from vecsearch.documents.loaders.document_builder import DocumentBuilder
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.members import MEMBER_MAX, clean_member_name, get_suffix, load_member
from vecsearch.documents.loaders.raw_file import Container, MemberBudget, MemberLimitError, RawFile

_NAME_MAX: Final = 200  # characters
_WORD: Final = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]+")
_LINK: Final = re.compile(r"https?://\S+|\S+@\S+")
_SAME_SHARE: Final = 0.8  # of the words of one text that another has: it then says the same
_SUFFIXES: Final = {  # of texts, which their bytes do not tell
    "text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/markdown": ".md", "text/xml": ".xml",
    "application/xml": ".xml", "application/json": ".json", "message/rfc822": ".eml",
}  # fmt: skip
_WORDLESS: Final = re.compile(r"(?:image/(?!svg)|audio/|video/|font/)|application/(?:x-)?(?:pkcs7|pgp)-signature$")


@dataclass(slots=True)
class Attachment:
    """What is attached: bytes, or a message that was taken apart with the one it is attached to."""

    name: str
    media_type: str = ""
    read: Callable[[], bytes] | None = None  # raises UnreadableFileError
    mail: MailContent | None = None


@dataclass(slots=True)
class MailContent:
    """What a message says."""

    headers: dict[str, str] = field(default_factory=dict)  # by name in lower case
    bodies: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # what invitations in it say, which its text may repeat
    problems: list[ParseWarning] = field(default_factory=list)
    size: int = 0  # in bytes

    def absorb(self, inner: MailContent) -> None:
        """Take in what was packed into a part of it: the whole message once more, or what its text leaves out."""
        self.headers = {**inner.headers, **{name: value for name, value in self.headers.items() if value}}
        subject = inner.headers.get("subject", "")
        self.bodies = choose_alternatives(
            self.bodies, [*([subject] if subject != self.headers.get("subject") else []), *inner.bodies]
        )
        self.attachments += inner.attachments
        self.events += inner.events
        self.problems += inner.problems


def emit_mail(raw: RawFile, mail: MailContent, location: Location) -> Iterator[LoaderItem]:
    """Yield the message as one document, its subject the title, then what is attached to it, as documents of their own.

    Raises EmptyFileError for a message that says nothing, MemberLimitError where a limit is not its own.
    """
    is_outermost = raw.budget is None
    raw.budget = raw.budget or MemberBudget(mail.size)
    names = _choose_names(mail.attachments)
    document = _build_document(raw.name, mail, names, location)
    if not (document.text or document.title or mail.problems):
        raise EmptyFileError("no text in it")
    yield from mail.problems
    if document.text or document.title:
        yield document
    try:
        for name, attachment in zip(names, mail.attachments, strict=True):
            yield from _load_attachment(raw, name, attachment, location)
    except MemberLimitError as error:
        if not is_outermost:
            raise
        yield ParseWarning(f"what is attached is not read to its end: {error}")


def choose_alternatives(plain: Sequence[str], rich: Sequence[str]) -> list[str]:
    """Return what a reader sees of two forms of one text: the plain one where it says what the rich one does, the rich one
    where the plain one says nothing else, both where they differ."""
    if not any(map(str.strip, rich)):
        return [text for text in plain if text.strip()]
    plain_words, rich_words = _count_words(plain), _count_words(rich)
    if _measure_share(rich_words, plain_words) >= _SAME_SHARE and plain_words:
        return list(plain)
    if _measure_share(plain_words, rich_words) >= _SAME_SHARE:
        return list(rich)
    return [*plain, *rich]


def _count_words(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(_LINK.sub(" ", text).casefold()))


def _measure_share(words: Counter[str], others: Counter[str]) -> float:
    """Return the share of some words that are among others; all of none."""
    return (words & others).total() / words.total() if words else 1.0


# -- the message


def _build_document(identifier: str, mail: MailContent, names: Sequence[str], location: Location) -> ParsedDocument:
    """Return a document of bodies, what of an invitation they do not say, and the names of what is attached."""
    outline, headers = DocumentBuilder(), mail.headers
    outline.at(location)
    for body in mail.bodies:
        outline.add_block(body)
    outline.add_block("\n".join(_find_new_lines(mail.events, [headers.get("subject", ""), *mail.bodies])))
    outline.add_block("\n".join(f"attachment: {name}" for name in names))
    metadata = build_metadata(
        author=[headers.get("from", "")], created=headers.get("date"), language=headers.get("content-language")
    )
    title = headers.get("subject") or None
    to = {key: headers[key] for key in ("to", "cc") if headers.get(key)}
    return ParsedDocument(identifier, outline.text, title, {**metadata, **to}, tuple(outline.build_sections(title)))


def _find_new_lines(texts: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield the lines that are not said before."""
    said = " ".join(" ".join(known).split()).casefold()
    for line in (line.strip() for text in texts for line in text.splitlines()):
        words = " ".join(line.split()).casefold()
        if words and words not in said:
            said = f"{said} {words}"
            yield line


# -- what is attached


def _choose_names(attachments: Iterable[Attachment]) -> list[str]:
    """Return the names by which attachments are known, no two of them the same."""
    names: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for attachment in attachments:
        given = name = _shorten_name(clean_member_name(attachment.name)) or "attachment"
        suffix = PurePosixPath(given).suffix
        while name in names:
            numbers[given] += 1
            name = f"{given.removesuffix(suffix)} ({numbers[given] + 1}){suffix}"
        names[name] = None
    return list(names)


def _shorten_name(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return name if len(name) <= _NAME_MAX else name[: _NAME_MAX // 2] + suffix[: _NAME_MAX // 2]


def _load_attachment(raw: RawFile, name: str, attachment: Attachment, location: Location) -> Iterator[LoaderItem]:
    """Yield what an attachment gives, nothing for one without words. Raises MemberLimitError."""

    def load_items(inner: RawFile) -> Iterator[LoaderItem]:
        if attachment.mail is not None:
            return emit_mail(inner, attachment.mail, {})
        assert attachment.read is not None and inner.budget is not None
        content = attachment.read()
        inner.budget.take_bytes(len(content))
        if len(content) > MEMBER_MAX:
            raise UnreadableFileError(f"of more than {MEMBER_MAX // 1_000_000} MB")
        inner.content = content
        return load(inner)

    if attachment.mail is None and (attachment.read is None or _WORDLESS.match(attachment.media_type)):
        return iter(())
    suffix = get_suffix(name)
    if suffix not in LOADERS:
        suffix = _SUFFIXES.get(attachment.media_type, suffix)
    return load_member(raw, name, load_items, container=Container.MAIL, suffix=suffix, location=location)
