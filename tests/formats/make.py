"""Make the database that is kept of a format: python tests/formats/make.py tests/formats/6

It is run once, by the program of that format: from the folder of a checkout of it, with PYTHONPATH=. before the command.
`4` is the last format before the first that is read, to be refused.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import vecsearch

NOTES = {
    "knots.md": "# Knots\n\nA bowline makes a loop that does not slip.\n\n## Hitches\n\n"
    "A clove hitch holds a fender to a rail.\n",
    "seals.txt": "The harbour seals rest on the sandbank at low tide.\n\n"
    "At high water they swim to the estuary and hunt for sand eels.\n",
    "sky.jsonl": '{"id": "planet", "text": "a ring of ice and dust", "title": "Saturn", "year": 1610}\n'
    '{"id": "moon", "text": "the far side is never seen", "year": 1959}\n',
    "greetings.txt": "Viele Grüße aus 東京, naïve façade, Ελλάδα, 🦭.\n",
    "tide.py": 'def height(hours: float) -> float:\n    """Metres above low water."""\n    return 2.0 * (1 - hours / 6)\n',
}
LEAP = {"lang": "en", "tags": ["run", "jump"], "seen": {"when": "2024-05-01", "by": None}, "seen.by": "me"}


def make(place: Path) -> None:
    """Make a database with deletes, updates, an index file and rows after it, and the files that it was made from."""
    (place / "notes").mkdir(parents=True)
    for name, text in NOTES.items():
        (place / "notes" / name).write_text(text, encoding="utf-8")
    (place / "notes/gone.txt").write_text("A file that is about to go.\n")
    with vecsearch.open(place / "database") as collection:
        collection.index([place / "notes"])
        collection.add(["a jump over the fence", "to be deleted"], ids=["leap", "dust"], metadatas=[LEAP, None])
        collection.add(["an old text"], ids=["kept/ü"], metadatas=[{"big": 2**70, "n": -1.5, "ok": True}])
        collection.update("kept/ü", text="an albatross rests on the mast", title="Vögel", metadata={"n": 2})
        (place / "notes/gone.txt").unlink()
        collection.index([place / "notes"])
        collection.delete(["dust"])
        collection.optimize()
        collection.add(["brought along"], ids=["brought"], vectors=np.eye(1, 384))
        collection.add(["added after the index file"], ids=["tail"])
        collection.like("ann", ["leap", "kept/ü"])
        collection.unlike("ann", ["moon"], weight=0.5)
    with vecsearch.open(place / "database", collection="exact", precision="float32") as collection:
        collection.add(["one of another collection"], ids=["other"])
    with vecsearch.open(place / "database", collection="mixed") as collection:
        rows, payloads = [None, np.eye(384)[1]], [{"raw": [1]}, None]
        collection.add(["a text without a vector", None], ids=["bare", "mute"], vectors=rows, payloads=payloads)
        collection.set_metadata({"of": "the sea"})
    for pattern in ("*.lock", "write.owner.json"):
        for file in (place / "database").glob(pattern):
            file.unlink()
    print(json.dumps(sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
