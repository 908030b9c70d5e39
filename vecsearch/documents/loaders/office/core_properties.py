"""What the author of an Office document states about it, in the part that all its kinds share."""

from __future__ import annotations

from vecsearch.core.types import Metadata
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.office.package import Package, get_local_name
from vecsearch.documents.loaders.office.property_fields import normalize_title


def read_core_properties(package: Package) -> tuple[str | None, Metadata]:
    """Return its title, None where it has none worth the name, and its metadata."""
    part = next(iter(package.find_related("", "core-properties").values()), "docProps/core.xml")
    root = package.parse_part(part)
    values: dict[str, str] = {}
    for child in root if root is not None else ():
        values.setdefault(get_local_name(child).lower(), " ".join((child.text or "").split()))
    return normalize_title(values.get("title")), build_metadata(
        author=values.get("creator", "").split(";"), created=values.get("created"), modified=values.get("modified"),
        language=values.get("language"),
    )  # fmt: skip
