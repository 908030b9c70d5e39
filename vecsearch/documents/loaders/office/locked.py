"""OpenDocument files under a password, opened as OpenDocument 1.2 (part 3, section 4) says: AES-256 in CBC mode, PBKDF2.

The Blowfish of before 2011 is not opened.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from vecsearch.core.errors import UnreadableFile
from vecsearch.documents.loaders.office.package import PART_MAX, Package, Xml, attribute, child, descendants, package
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.text import Encrypted

_ITERATIONS_MAX: Final = 10_000_000
_CHECKED: Final = 1024  # the bytes that the checksum is of


def unlocked(raw: Raw, kind: str) -> Raw:
    """The file itself, or the same without its encryption. Raises Encrypted, UnreadableFile."""
    document = package(raw, kind)
    locks = _locks(document)
    if not locks:
        return raw
    if any("aes256-cbc" not in attribute(child(lock, "algorithm"), "algorithm-name") for lock in locks.values()):
        raise UnreadableFile(f"{kind} is encrypted in a way that is not known")
    for password in raw.passwords:
        if _opens(document, locks, password):
            return Raw(raw.name, raw.suffix, content=_without(document, locks, password), inside=raw.inside)
    raise Encrypted(kind, tried=bool(raw.passwords))


def _locks(document: Package) -> dict[str, Xml]:
    """How each encrypted part is locked."""
    entries = descendants(document.xml("META-INF/manifest.xml"), "file-entry")
    found = {attribute(each, "full-path"): child(each, "encryption-data") for each in entries}
    return {name: lock for name, lock in found.items() if lock is not None and document.has(name)}


def _opens(document: Package, locks: Mapping[str, Xml], password: str) -> bool:
    """Tried on the shortest part, since deriving a key is slow on purpose."""
    name = min(locks, key=lambda each: len(document.read(each)))
    data = _decrypted(document.read(name), locks[name], password)
    kind = "sha256" if "sha256" in attribute(locks[name], "checksum-type").lower() else "sha1"
    return hashlib.new(kind, data[:_CHECKED]).digest() == _bytes(locks[name], "checksum")


def _decrypted(data: bytes, lock: Xml, password: str) -> bytes:
    from Cryptodome.Cipher import AES

    start = "sha256" if attribute(child(lock, "start-key-generation"), "start-key-generation-name").endswith("sha256") else "sha1"
    derivation = child(lock, "key-derivation")
    iterations = attribute(derivation, "iteration-count")
    if not iterations.isdecimal() or not 0 < int(iterations) <= _ITERATIONS_MAX:
        raise UnreadableFile(f"asks for {iterations!r:.20} rounds to make its key")
    seed = hashlib.new(start, password.encode()).digest()
    key = hashlib.pbkdf2_hmac("sha1", seed, _bytes(derivation, "salt"), int(iterations), 32)
    try:
        whole = data[: len(data) // AES.block_size * AES.block_size]
        plain: bytes = AES.new(key, AES.MODE_CBC, _bytes(child(lock, "algorithm"), "initialisation-vector")).decrypt(whole)
    except ValueError as error:
        raise UnreadableFile("its encryption is damaged") from error
    filling = plain[-1] if plain else 0
    return plain[:-filling] if 1 <= filling <= AES.block_size else plain


def _without(document: Package, locks: Mapping[str, Xml], password: str) -> bytes:
    """The package with its XML parts in the clear and a manifest that says so; pictures are left out."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr("mimetype", document.read("mimetype"))
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        for name, lock in locks.items():
            if name.endswith(".xml"):
                archive.writestr(name, _inflated(_decrypted(document.read(name), lock, password), name))
    return copy.getvalue()


def _inflated(data: bytes, name: str) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        plain = inflater.decompress(data, PART_MAX)
    except zlib.error as error:
        raise UnreadableFile(f"{name} in it is damaged") from error
    if inflater.unconsumed_tail:
        raise UnreadableFile(f"{name} expands to more than {PART_MAX >> 20} MB: too much to read")
    return plain


def _bytes(element: Xml | None, name: str) -> bytes:
    try:
        return b64decode(attribute(element, name))
    except ValueError as error:
        raise UnreadableFile("its encryption is damaged") from error
