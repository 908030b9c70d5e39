"""What lies inside a file, read like a file: members of archives, messages of mailboxes, attachments of mails.

Its id is `path!name`, of what lies inside that `path!name/other`, and its location names it. How many, how large and how deep is
limited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import LoaderItem, MediaContent, ParseWarning, Section
from vecsearch.core.types import Location
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError, EncryptedFileError
from vecsearch.documents.loaders.raw_file import Container, MemberBudget, MemberLimitError, RawFile

MemberLoader: TypeAlias = Callable[[RawFile], Iterator[LoaderItem]]  # raises what `load` does

MEMBER_MAX: Final = 100_000_000  # bytes of one member
_DEPTH_MAX: Final = 20  # files inside each other


def load_member(
    parent: RawFile, name: str, load_items: MemberLoader, *, container: Container, suffix: str, location: Location | None = None
) -> Iterator[LoaderItem]:
    """Yield what a member gives, or why it gives nothing; `location` is where it stands in its parent, beside its name.

    Raises MemberLimitError, and EncryptedFileError for a member whose content cannot be taken out.
    """
    parent.budget = parent.budget or MemberBudget(parent.size)
    inner = parent.derive(parent.name_member(name), suffix, within=(*parent.within, container))
    try:
        parent.budget.take_member()
        if len(inner.within) > _DEPTH_MAX:
            raise UnreadableFileError(f"more than {_DEPTH_MAX} files inside each other")
        yield from [_add_location(item, inner.name, name, location or {}) for item in load_items(inner)]
    except (MemberLimitError, MemoryError):
        raise
    except (BinaryFileError, EmptyFileError) as error:
        yield SkippedFile(inner.name, str(error))
    except UnreadableFileError as error:
        if isinstance(error, EncryptedFileError) and inner.content is None:
            raise
        yield ParseWarning(f"{name}: {error}")
    except Exception as error:  # a library's own: it must not cost the other members
        yield ParseWarning(f"{name}: damaged ({type(error).__name__})")


def clean_member_name(name: str) -> str:
    """Return the name without what would lead out of the file that it lies in, and in one line."""
    name = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def get_suffix(name: str) -> str:
    """Return what a name ends in, as the table of loaders has it."""
    return PurePosixPath(name).suffix.lower()


def _add_location(item: LoaderItem, identifier: str, name: str, location: Location) -> LoaderItem:
    """Return a member's item as one of the file that it lies in."""
    match item:
        case ParseWarning():
            return ParseWarning(f"{name}: {item.message}")
        case SkippedFile() | MediaContent():
            return item
    own = item.id if item.id.startswith(identifier) else f"{identifier}/{item.id}"
    sections = []
    for section in item.sections or (Section(0, {}),):
        inner = section.location.get("member")
        place = {**location, **section.location, "member": f"{name}/{inner}" if inner else name}
        sections.append(replace(section, location=place))
    media = tuple({**location, **place, "member": name} for place in item.media)
    return replace(item, id=own, sections=tuple(sections), media=media)
