"""A child process that damages copies of a database and uses them: `python -m tests.damaging FOLDER WHAT SEED COUNT`.

It prints a line for each case before it begins, so that a crash of the interpreter is known for what it is, and a traceback for
whatever is not a VecsearchError. Answers are checked where the damage is to what is derived.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import vecsearch
from tests import maintenance
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.stores.sqlite.vectors import faiss_segment

ROWS = 400
WORDS = "harbour seal bank river jump leap fence model runway train plane turn sand ice ring dust planet moon".split()
ENCODER = FakeEncoder()


def make(folder: Path) -> None:
    """Make a database with two collections, files, deleted rows, several index files, and a log not yet checkpointed."""
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=6)) for _ in range(ROWS)]
    metadatas = [{"n": n, "tags": [WORDS[n % 7], n], "deep": {"n": -n}} for n in range(ROWS)]
    (folder.parent / "docs").mkdir()
    (folder.parent / "docs/a.txt").write_text("a file of the harbour")
    with patch.object(faiss_segment, "PQ_MIN_ROWS", 100), vecsearch.open(folder, model=ENCODER) as notes:
        notes.add(texts[:300], ids=[f"d{n}" for n in range(300)], metadatas=metadatas[:300])
        notes.index([folder.parent / "docs"])
        notes.add(texts[300:], ids=[f"d{n}" for n in range(300, ROWS)], metadatas=metadatas[300:])
        notes.optimize()
        notes.delete(["d5", "d350"])
        notes.update("d7", metadata={"changed": True})
    with vecsearch.open(folder, model=ENCODER, collection="second") as notes:
        notes.add(["another text"], ids=["x"])


def copy(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


# -- damages: of a file, by chance


def flip_bits(file: Path, chance: random.Random) -> None:
    size = file.stat().st_size
    with file.open("rb+") as handle:
        for _ in range(chance.choice([1, 1, 3, 30])):
            position = chance.randrange(size)
            handle.seek(position)
            old = handle.read(1)[0]
            handle.seek(position)
            handle.write(bytes([old ^ (1 << chance.randrange(8))]))


def overwrite_bytes(file: Path, chance: random.Random) -> None:
    size = file.stat().st_size
    position, count = chance.randrange(size), chance.choice([4, 100, 8192])
    with file.open("rb+") as handle:
        handle.seek(position)
        handle.write(chance.randbytes(min(count, size - position)))


def zero_page(file: Path, chance: random.Random) -> None:
    with file.open("rb+") as handle:
        handle.seek(8192 * chance.randrange(-(-file.stat().st_size // 8192)))
        handle.write(bytes(8192))


def truncate_file(file: Path, chance: random.Random) -> None:
    os.truncate(file, chance.choice([0, 1, 100, chance.randrange(file.stat().st_size)]))


def lengthen_file(file: Path, chance: random.Random) -> None:
    with file.open("ab") as handle:
        size = chance.choice([1, 100, 8192, 100_000])
        handle.write(chance.choice([bytes(size), random.Random(1).randbytes(size)]))


def move_page(file: Path, chance: random.Random) -> None:
    data = bytearray(file.read_bytes())
    pages = len(data) // 8192
    if pages > 1:
        page, other = chance.randrange(pages) * 8192, chance.randrange(pages) * 8192
        data[page : page + 8192] = data[other : other + 8192]
        file.write_bytes(data)


def remove_file(file: Path, chance: random.Random) -> None:
    file.unlink()


def replace_by_folder(file: Path, chance: random.Random) -> None:
    file.unlink()
    file.mkdir()
    (file / "in the way").touch()


def copy_other_file(file: Path, chance: random.Random) -> None:
    other_files = sorted(path for path in file.parent.parent.rglob("*") if path.is_file() and path != file)
    shutil.copy(chance.choice(other_files), file)


def write_garbage(file: Path, chance: random.Random) -> None:
    contents = [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"pid": {}}',
        '{"pid": 1, "host": [], "command": null, "since": 7}',
        "[" * 100_000,
        "\ud800",
    ]
    file.write_bytes(chance.choice(contents).encode("utf-8", "surrogatepass"))


DAMAGES = [flip_bits, flip_bits, overwrite_bytes, zero_page, truncate_file, lengthen_file, move_page, copy_other_file]


# -- uses


def list_uses(folder: Path) -> list[Callable[[], object]]:
    def make_use(ask: Callable[[vecsearch.Collection], object], *, readonly: bool = False) -> Callable[[], object]:
        def run_use() -> object:
            with vecsearch.open(folder, model=ENCODER, readonly=readonly, lock_timeout=1.0) as notes:
                return ask(notes)

        return run_use

    row = ENCODER.encode_queries(["harbour seal"])[0]
    return [
        make_use(lambda notes: notes.search("harbour seal", limit=500), readonly=True),
        make_use(lambda notes: notes.search(row, limit=10)),
        make_use(lambda notes: notes.search("harbour river*", mode="lexical", limit=500)),
        make_use(
            lambda notes: notes.search("jump", where={"$or": [{"n": {"$lt": 50}}, {"tags": {"$contains": "bank"}}]}, explain=True)
        ),
        make_use(lambda notes: notes.similar(id="d9")),
        make_use(lambda notes: (notes.count(), notes.list_documents(limit=1000), notes.list_sources())),
        make_use(lambda notes: notes.get(where={})),
        lambda: maintenance.status(folder),
        lambda: maintenance.check(folder),
        lambda: maintenance.list_models(folder),
        make_use(lambda notes: notes.add(["new words"], ids=["new"], on_conflict="replace")),
        make_use(lambda notes: notes.update("d1", text="changed")),
        make_use(lambda notes: notes.index([folder.parent])),
        make_use(lambda notes: notes.delete(["d2", "d3"])),
        make_use(lambda notes: notes.optimize()),
        make_use(lambda notes: notes.optimize(full=True)),
        lambda: maintenance.rename_collection(folder, "second", "third"),
        lambda: maintenance.delete_collection(folder, "default"),
    ]


def run_uses(folder: Path) -> bool:
    """Use everything once. Return False for an error that is none of ours."""
    is_right = True
    for number, action in enumerate(list_uses(folder)):
        try:
            action()
        except vecsearch.VecsearchError as error:
            if len(str(error)) > 2_000:
                print("LONG", len(str(error)), flush=True)
                is_right = False
        except Exception:
            is_right = False
            print(f"use {number}:", "".join(traceback.format_exc().splitlines(keepends=True)[-12:]), flush=True)
    return is_right


def collect_answers(folder: Path) -> object:
    """Return what a sound database says, for any damage to what is derived."""
    with vecsearch.open(folder, model=ENCODER, readonly=True) as notes:
        rows = ENCODER.encode_queries(["harbour seal", "moon dust on the sand"])
        return [
            [(hit.id, round(hit.score, 5)) for hit in hits]
            for hits in (
                *notes.search(rows, limit=20),
                notes.search("river bank", limit=20),
                notes.search("jump", where={"n": {"$gt": 300}}),
            )
        ]


def run_case(folder: Path, target: str, number: int) -> bool:
    chance = random.Random(number)
    damage = chance.choice(DAMAGES)
    with TemporaryDirectory() as place:
        folder_copy = copy(folder, Path(place) / "db")
        if target == "sqlite":
            damage(folder_copy / DATABASE_FILE, chance)
            return run_uses(folder_copy)
        if target == "log":
            open_log(folder, folder_copy)
            damage(
                chance.choice(
                    [
                        folder_copy / f"{DATABASE_FILE}-wal",
                        folder_copy / f"{DATABASE_FILE}-wal",
                        folder_copy / f"{DATABASE_FILE}-shm",
                    ]
                ),
                chance,
            )
            return run_uses(folder_copy)
        expected = collect_answers(folder)
        files = (
            sorted((folder_copy / "index").iterdir())
            if target == "index"
            else [folder_copy / "write.lock", folder_copy / "write.owner.json"]
        )
        for file in chance.sample(files, chance.randrange(1, len(files) + 1)):
            file.touch()
            chance.choice(
                [*DAMAGES, remove_file, replace_by_folder]
                if target == "index"
                else [write_garbage, write_garbage, remove_file, replace_by_folder]
            )(file, chance)
        is_right = collect_answers(folder_copy) == expected
        if not is_right:
            print("other answers", flush=True)
        findings = maintenance.list_errors(folder_copy)
        if findings:
            print("doctor:", findings, flush=True)
        is_right = run_uses(folder_copy) and not findings and is_right
        if target == "index":
            second_copy = copy(folder_copy, Path(place) / "mended")
            is_right = is_right and second_copy.exists()
        return is_right


def open_log(folder: Path, target_folder: Path) -> None:
    """Copy a database in use: with a log that was not checkpointed."""
    with TemporaryDirectory() as place:
        live_folder = copy(folder, Path(place) / "db")
        notes = vecsearch.open(live_folder, model=ENCODER)
        reader = vecsearch.open(live_folder, model=ENCODER, readonly=True)
        reader.count()
        notes.add([f"late {WORDS[n % 9]} {n}" for n in range(60)], ids=[f"late{n}" for n in range(60)])
        for name in (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm"):
            shutil.copy(live_folder / name, target_folder / name)
        reader.close()
        notes.close()


def main() -> None:
    warnings.simplefilter("ignore")
    folder, target, seed, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    bad_numbers = []
    for number in range(seed, seed + count):
        print(f"case {target} {number}", flush=True)
        if not run_case(folder, target, number):
            bad_numbers.append(number)
    print(json.dumps(bad_numbers), flush=True)
    sys.exit(1 if bad_numbers else 0)


if __name__ == "__main__":
    main()
