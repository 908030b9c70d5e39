"""What the author of an Office document states about it, in the part that all its kinds share."""

from __future__ import annotations

from vecsearch.core.types import Metadata
from vecsearch.documents.loaders.office.package import Package, local
from vecsearch.documents.loaders.office.properties import real_title
from vecsearch.documents.loaders.stated import stated


def core_properties(package: Package) -> tuple[str | None, Metadata]:
    """Its title, None where it has none worth the name, and its metadata."""
    part = next(iter(package.related("", "core-properties").values()), "docProps/core.xml")
    root = package.xml(part)
    given: dict[str, str] = {}
    for each in root if root is not None else ():
        given.setdefault(local(each).lower(), " ".join((each.text or "").split()))
    return real_title(given.get("title")), stated(
        author=given.get("creator", "").split(";"), created=given.get("created"), modified=given.get("modified"),
        language=given.get("language"),
    )  # fmt: skip
