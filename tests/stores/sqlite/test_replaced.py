"""A database that is deleted, moved or replaced while it is open: nothing is acknowledged that nobody will find."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import vecsearch
from tests.checks import is_sound
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.stores.sqlite.engine import write_lock
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder

ENCODER = FakeEncoder()


def open_collection(folder: Path, *, readonly: bool = False) -> vecsearch.Collection:
    return vecsearch.open(folder, model=ENCODER, readonly=readonly)


def make_database(folder: Path, *ids: str) -> None:
    with open_collection(folder) as collection:
        collection.add([f"a text about {key}" for key in ids], ids=list(ids))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make two databases beside each other, and a link to the first."""
    make_database(tmp_path / "db", "rope")
    make_database(tmp_path / "other", "sail")
    (tmp_path / "link").symlink_to("db")
    return tmp_path


def delete(place: Path) -> None:
    shutil.rmtree(place / "db")


def delete_and_make_again(place: Path) -> None:
    shutil.rmtree(place / "db")
    make_database(place / "db", "sail")


def replace_by_copy(place: Path) -> None:
    shutil.copytree(place / "db", place / "copy")
    shutil.rmtree(place / "db")
    (place / "copy").rename(place / "db")


def replace_file(place: Path) -> None:
    shutil.copy(place / "other" / DATABASE_FILE, place / "copy.db")
    (place / "copy.db").replace(place / "db" / DATABASE_FILE)


def move_away(place: Path) -> None:
    (place / "db").rename(place / "moved")


def move_away_and_put_another_there(place: Path) -> None:
    (place / "db").rename(place / "moved")
    (place / "other").rename(place / "db")


def empty(place: Path) -> None:
    shutil.rmtree(place / "db")
    (place / "db").mkdir()


def point_link_elsewhere(place: Path) -> None:
    (place / "link").unlink()
    (place / "link").symlink_to("other")


REPLACEMENTS = [
    delete, delete_and_make_again, replace_by_copy, replace_file, move_away, move_away_and_put_another_there, empty,
]  # fmt: skip
WRITES: dict[str, Callable[[vecsearch.Collection], object]] = {
    "add": lambda collection: collection.add(["late"], ids=["late"]),
    "update": lambda collection: collection.update("rope", metadata={"n": 1}),
    "delete": lambda collection: collection.delete("rope"),
    "optimize": lambda collection: collection.optimize(),
}
MESSAGE = r"(was deleted or moved|was replaced by another database) since it was opened: .*open it"


def read_files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("replace", REPLACEMENTS, ids=lambda replace: replace.__name__)
def test_who_has_it_open_is_told_and_touches_nothing(place: Path, replace: Callable[[Path], None]) -> None:
    with open_collection(place / "db") as collection, open_collection(place / "db", readonly=True) as reader:
        assert reader.search("rope")
        replace(place)
        before = read_files(place)
        for write in WRITES.values():
            with pytest.raises(vecsearch.DatabaseReplacedError, match=MESSAGE):
                write(collection)
        for read in (reader.count, lambda: reader.search("rope"), lambda: reader.get("rope")):
            with pytest.raises(vecsearch.DatabaseReplacedError, match=MESSAGE):
                read()
        assert read_files(place) == before
    make_database(place / "db", "late")
    assert is_sound(place / "db")


def test_a_link_that_leads_elsewhere_by_now_is_another_database(place: Path) -> None:
    with open_collection(place / "link") as collection, open_collection(place / "db") as direct:
        point_link_elsewhere(place)
        for write in WRITES.values():
            with pytest.raises(vecsearch.DatabaseReplacedError, match="replaced by another database"):
                write(collection)
        direct.add(["late"], ids=["late"])
    with open_collection(place / "link") as collection:
        assert list(collection) == ["sail"]


def test_what_is_put_back_is_gone_on_with(place: Path) -> None:
    with open_collection(place / "db") as collection:
        move_away(place)
        with pytest.raises(vecsearch.DatabaseReplacedError, match="put it back"):
            collection.add(["late"])
        (place / "moved").rename(place / "db")
        collection.add(["late"], ids=["late"])
        assert sorted(collection) == ["late", "rope"]


def test_what_a_restore_puts_in_place_is_gone_on_with(place: Path) -> None:
    with vecsearch.connect(place / "other") as other:
        other.backup(place / "backup")
    with open_collection(place / "db") as collection:
        vecsearch.restore(place / "backup", place / "db", replace=True)
        collection.add(["late"], ids=["late"])
        assert sorted(collection) == ["late", "sail"]


def test_a_database_that_was_too_damaged_to_be_opened_is_opened_again_after_the_restore(place: Path) -> None:
    with vecsearch.connect(place / "other") as other:
        other.backup(place / "backup")
    with open_collection(place / "db") as collection:
        (place / "db" / DATABASE_FILE).write_bytes(b"no database" * 1000)
        vecsearch.restore(place / "backup", place / "db", replace=True)
        for use in (lambda: collection.add(["late"]), collection.count):
            with pytest.raises(vecsearch.DatabaseReplacedError, match="open it again"):
                use()
    with open_collection(place / "db") as collection:
        assert list(collection) == ["sail"]


@pytest.mark.parametrize("replace", [delete, replace_by_copy, replace_file], ids=lambda replace: replace.__name__)
def test_a_write_during_which_it_goes_is_not_acknowledged(place: Path, replace: Callable[[Path], None]) -> None:
    with closing(DatabaseFolder(place / "db")) as database, database.hold_write_lock():  # noqa: SIM117 (the order is the point)
        with pytest.raises(vecsearch.DatabaseReplacedError, match=MESSAGE), database.begin_write() as connection:
            connection.exec_driver_sql("UPDATE collections SET data_version = data_version + 1")
            replace(place)


def test_a_connection_that_is_opened_late_is_not_one_to_another_file(place: Path) -> None:
    with closing(DatabaseFolder(place / "db")) as database, database.begin_driver_read():  # the one connection is in use
        replace_file(place)
        with pytest.raises(vecsearch.DatabaseReplacedError, match=MESSAGE), database.begin_driver_read():
            pass


# -- the lock


def test_a_writer_whose_lock_another_could_take_writes_no_more(place: Path) -> None:
    def remove_lock() -> None:
        (place / "db" / write_lock.LOCK_FILE).unlink()

    def replace_lock() -> None:
        remove_lock()
        (place / "db" / write_lock.LOCK_FILE).touch()

    for change in (remove_lock, replace_lock):
        with closing(DatabaseFolder(place / "db")) as database:
            with database.hold_write_lock():
                change()
                with pytest.raises(vecsearch.DatabaseLockedError, match="deleted or replaced"), database.begin_write():
                    pass
            with database.hold_write_lock(), database.begin_write():  # the next lock is whole again
                pass


def test_who_waited_for_the_lock_of_a_database_that_went_is_told(place: Path) -> None:
    with closing(DatabaseFolder(place / "db")) as database:
        real = write_lock.hold_write_lock

        def replace_and_hold(folder: Path, *, timeout: float) -> object:
            delete(place)
            return real(folder, timeout=timeout)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(write_lock, "hold_write_lock", replace_and_hold)
            with pytest.raises(vecsearch.DatabaseReplacedError, match="deleted or moved"), database.hold_write_lock():
                pass
    make_database(place / "db", "rope")  # whatever is left there is in nobody's way


# -- what is left of one


LEFTOVERS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: None,
    "the lock": lambda folder: (folder / "write.lock").touch(),
    "the lock and its owner": lambda folder: [(folder / name).write_text("{}") for name in ("write.lock", "write.owner.json")],
    "the claim of a filler": lambda folder: (folder / "fill-1.lock").touch(),
    "an empty folder of index files": lambda folder: (folder / "index").mkdir(),
    "a creation that was killed": lambda folder: (folder / f".{folder.name}-new-abc").mkdir(),
}


@pytest.mark.parametrize("left", LEFTOVERS)
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_without_anything_of_anybodys_becomes_a_database(tmp_path: Path, left: str, linked: bool) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    inode = folder.stat().st_ino
    LEFTOVERS[left](folder)
    if linked:
        (tmp_path / "link").symlink_to("db")
    make_database(tmp_path / "link" if linked else folder, "rope")
    assert folder.stat().st_ino == inode  # it may be a mount, or somebody's current folder
    assert is_sound(folder)
    with open_collection(folder) as collection:
        assert list(collection) == ["rope"]
    assert sorted(path.name for path in tmp_path.iterdir()) == (["db", "link"] if linked else ["db"])


@pytest.mark.parametrize("name", ["letter.txt", f"{DATABASE_FILE}-wal", "index/1-2.faiss"])
def test_a_folder_that_holds_anything_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "db/index").mkdir(parents=True)
    (tmp_path / "db" / name).touch()
    with pytest.raises(vecsearch.NotADatabaseError, match="is no vecsearch database"):
        open_collection(tmp_path / "db")
    assert read_files(tmp_path) == {tmp_path / "db" / name: b""}


def test_a_link_that_leads_nowhere_yet_stays_and_leads_to_the_database(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("disk/db")
    make_database(tmp_path / "link", "rope")
    assert (tmp_path / "link").is_symlink()
    assert is_sound(tmp_path / "disk/db")


@pytest.fixture
def counted_stats(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    from vecsearch.stores.sqlite.engine import file_identity

    calls: list[object] = []
    real = os.stat

    class CountingOs:
        @staticmethod
        def stat(path: object) -> os.stat_result:
            calls.append(path)
            return real(path)  # type: ignore[arg-type]

    monkeypatch.setattr(file_identity, "os", CountingOs)
    yield calls


def test_to_look_costs_three_calls_of_the_system_for_a_read_and_seven_for_a_transaction(
    place: Path, counted_stats: list[object]
) -> None:
    with closing(DatabaseFolder(place / "db")) as database:
        counted_stats.clear()
        with database.begin_driver_read():
            pass
        assert len(counted_stats) == 3
        with database.hold_write_lock():
            counted_stats.clear()
            with database.begin_write():
                pass
            assert len(counted_stats) == 7


LOGS = [("-wal",), ("-shm",), ("-wal", "-shm")]


@pytest.mark.parametrize("endings", LOGS, ids=" ".join)
@pytest.mark.parametrize("reads", [True, False])
def test_what_was_committed_survives_the_deletion_of_the_log(place: Path, endings: tuple[str, ...], reads: bool) -> None:
    with open_collection(place / "db") as collection:
        collection.add(["a text about knots"], ids=["knots"])
        for ending in endings:
            (place / "db" / f"{DATABASE_FILE}{ending}").unlink()
        with pytest.raises(vecsearch.DatabaseReplacedError, match=r"the log of .* was deleted or replaced while it was open"):
            collection.count() if reads else collection.add(["a text about oars"], ids=["oars"])
        assert collection.add(["a text about oars"], ids=["oars"]) == ["oars"]
    with open_collection(place / "db") as collection:
        assert [document.id for document in collection.get(where={})] == ["knots", "oars", "rope"]
    assert is_sound(place / "db")


def test_a_log_that_goes_during_a_write_takes_nothing_that_is_acknowledged(place: Path) -> None:
    with closing(DatabaseFolder(place / "db")) as database, database.hold_write_lock():
        with (
            pytest.raises(vecsearch.DatabaseReplacedError, match="what was committed is kept"),
            database.begin_write() as connection,
        ):
            connection.exec_driver_sql("UPDATE collections SET name = 'renamed'")
            (place / "db" / f"{DATABASE_FILE}-wal").unlink()
        with database.begin_write() as connection:
            assert connection.exec_driver_sql("SELECT name FROM collections").scalar_one() != "renamed"


def test_a_log_in_the_place_of_the_one_that_is_open_is_not_written_into(place: Path) -> None:
    log = place / "db" / f"{DATABASE_FILE}-wal"
    with open_collection(place / "db") as collection:
        collection.count()
        log.unlink()
        log.write_bytes(b"of another")
        with pytest.raises(vecsearch.DatabaseReplacedError, match=r"may be lost.*vecsearch doctor"):
            collection.add(["a text about oars"], ids=["oars"])
        assert log.read_bytes() == b"of another"
