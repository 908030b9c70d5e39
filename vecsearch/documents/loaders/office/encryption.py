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

from vecsearch.core.errors import UnreadableFileError
from vecsearch.documents.decoding import EncryptedFileError
from vecsearch.documents.loaders.office.package import (
    PART_BYTES_MAX,
    Package,
    XmlElement,
    find_child,
    get_attribute,
    iter_descendants,
    open_package,
)
from vecsearch.documents.loaders.raw_file import RawFile

_ITERATIONS_MAX: Final = 10_000_000
_CHECKSUM_BYTES: Final = 1024  # the bytes that the checksum is of


def decrypt_opendocument(raw: RawFile, kind: str) -> RawFile:
    """Return the file itself, or the same without its encryption. Raises EncryptedFileError, UnreadableFileError."""
    document = open_package(raw, kind)
    locks = _find_encrypted_parts(document)
    if not locks:
        return raw
    if any("aes256-cbc" not in get_attribute(find_child(lock, "algorithm"), "algorithm-name") for lock in locks.values()):
        raise UnreadableFileError(f"{kind} is encrypted in a way that is not known")
    for password in raw.passwords:
        if _is_correct_password(document, locks, password):
            return RawFile(raw.name, raw.suffix, content=_build_decrypted_package(document, locks, password), within=raw.within)
    raise EncryptedFileError(kind, passwords_tried=bool(raw.passwords))


def _find_encrypted_parts(document: Package) -> dict[str, XmlElement]:
    """Return how each encrypted part is locked."""
    entries = iter_descendants(document.parse_part("META-INF/manifest.xml"), "file-entry")
    encryptions = {get_attribute(entry, "full-path"): find_child(entry, "encryption-data") for entry in entries}
    return {name: lock for name, lock in encryptions.items() if lock is not None and document.has_part(name)}


def _is_correct_password(document: Package, encryptions: Mapping[str, XmlElement], password: str) -> bool:
    """Return whether a password opens the shortest part; deriving a key is slow on purpose."""
    name = min(encryptions, key=lambda part: len(document.read_part(part)))
    data = _decrypt_part(document.read_part(name), encryptions[name], password)
    kind = "sha256" if "sha256" in get_attribute(encryptions[name], "checksum-type").lower() else "sha1"
    return hashlib.new(kind, data[:_CHECKSUM_BYTES]).digest() == _decode_attribute(encryptions[name], "checksum")


def _decrypt_part(data: bytes, encryption: XmlElement, password: str) -> bytes:
    from Cryptodome.Cipher import AES

    start = (
        "sha256"
        if get_attribute(find_child(encryption, "start-key-generation"), "start-key-generation-name").endswith("sha256")
        else "sha1"
    )
    derivation = find_child(encryption, "key-derivation")
    iterations = get_attribute(derivation, "iteration-count")
    if not iterations.isdecimal() or not 0 < int(iterations) <= _ITERATIONS_MAX:
        raise UnreadableFileError(f"asks for {iterations!r:.20} rounds to make its key")
    seed = hashlib.new(start, password.encode()).digest()
    key = hashlib.pbkdf2_hmac("sha1", seed, _decode_attribute(derivation, "salt"), int(iterations), 32)
    try:
        blocks = data[: len(data) // AES.block_size * AES.block_size]
        plain: bytes = AES.new(
            key, AES.MODE_CBC, _decode_attribute(find_child(encryption, "algorithm"), "initialisation-vector")
        ).decrypt(blocks)
    except ValueError as error:
        raise UnreadableFileError("its encryption is damaged") from error
    filling = plain[-1] if plain else 0
    return plain[:-filling] if 1 <= filling <= AES.block_size else plain


def _build_decrypted_package(document: Package, encryptions: Mapping[str, XmlElement], password: str) -> bytes:
    """Return the package with its XML parts in the clear and a manifest that says so; pictures are left out."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr("mimetype", document.read_part("mimetype"))
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        for name, lock in encryptions.items():
            if name.endswith(".xml"):
                archive.writestr(name, _inflate_part(_decrypt_part(document.read_part(name), lock, password), name))
    return copy.getvalue()


def _inflate_part(data: bytes, name: str) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        plain = inflater.decompress(data, PART_BYTES_MAX)
    except zlib.error as error:
        raise UnreadableFileError(f"{name} in it is damaged") from error
    if inflater.unconsumed_tail:
        raise UnreadableFileError(f"{name} expands to more than {PART_BYTES_MAX >> 20} MB: too much to read")
    return plain


def _decode_attribute(element: XmlElement | None, name: str) -> bytes:
    try:
        return b64decode(get_attribute(element, name))
    except ValueError as error:
        raise UnreadableFileError("its encryption is damaged") from error
