"""What a crowd's worker writes: a change of some of its documents, and what they are afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import vecsearch
from tests.torture.crowd_documents import GROUPS, Version, World, encode, make_metadata, make_metadata_change, make_text

Write = Callable[[vecsearch.Collection], object]
_MANY = 40  # documents of one worker, above which it deletes more than it adds


@dataclass(frozen=True)
class Change:
    """One call. `after`: what its documents are then, None for gone. `expected`: it must raise that, and change nothing.

    `whole`: it is one transaction; else each document is as it was or as it is to be, where the call did not return.
    """

    name: str
    run: Write
    after: Mapping[str, Version | None]
    expected: type[vecsearch.VecsearchError] | None = None
    whole: bool = False


@dataclass
class Drawer:
    """Draws changes of the documents of an owner."""

    owner: str
    draw: random.Random
    serial: int = field(default=0)

    def draw_change(self, world: World) -> Change:
        """Return any change that fits."""
        names = list(CHANGES) if world else ["add", "upsert", "bring", "delete a missing one"]
        if len(world) > _MANY:
            names = ["delete", "delete by filter", "update", "update many", "mark by filter"]
        return CHANGES[self.draw.choice(names)](self, world)

    def next(self) -> int:
        """Return a number that was never used."""
        self.serial += 1
        return self.serial

    def new_key(self) -> str:
        """Return an id that was never used."""
        return f"{self.owner}-{self.next()}"

    def choose(self, world: World, most: int = 6) -> list[str]:
        """Return the ids of one or some of the documents."""
        return self.draw.sample(sorted(world), min(len(world), self.draw.randint(1, most)))

    def new_versions(self, keys: Sequence[str], *, brought: bool = False) -> dict[str, Version]:
        """Return new texts and metadata for some ids."""
        return {key: Version(self.next(), self.next(), brought) for key in keys}

    # -- changes

    def add(self, world: World) -> Change:
        after = self.new_versions([self.new_key() for _ in range(self.draw.choice([1, 1, 3, 12]))])
        return Change("add", lambda collection: collection.add(**make_columns(after)), after)

    def add_taken(self, world: World) -> Change:
        """One of the ids is there."""
        versions = self.new_versions([self.new_key(), *self.choose(world, 1)])
        after = {key: world.get(key) for key in versions}
        columns = make_columns(versions)
        return Change("add a taken one", lambda collection: collection.add(**columns), after, vecsearch.DocumentExistsError)

    def add_skipping(self, world: World) -> Change:
        versions = self.new_versions([self.new_key(), *self.choose(world)])
        after = {key: world.get(key, version) for key, version in versions.items()}
        columns = make_columns(versions)
        return Change("add, skip", lambda collection: collection.add(on_conflict="skip", **columns), after)

    def upsert(self, world: World) -> Change:
        after = self.new_versions([self.new_key(), *(self.choose(world) if world else [])])
        return Change("upsert", lambda collection: collection.upsert(**make_columns(after)), after)

    def bring(self, world: World) -> Change:
        keys = [self.new_key() for _ in range(self.draw.choice([1, 6]))] + (self.choose(world, 2) if world else [])
        after = self.new_versions(keys, brought=True)
        return Change("bring vectors", lambda collection: collection.upsert(**make_columns(after)), after, whole=True)

    def update(self, world: World) -> Change:
        (key,) = self.choose(world, 1)
        version, what = world[key], self.draw.choice(["text", "metadata", "both"])
        text, metadata = None, None
        if what != "metadata":
            version = version.change_text(self.next())
            text = make_text(key, version.text)
        if what != "text":
            version = version.change_metadata(self.next())
            metadata = make_metadata_change(key, version.metadata)
        return Change(
            f"update {what}", lambda collection: collection.update(key, text=text, metadata=metadata), {key: version}, whole=True
        )

    def update_many(self, world: World) -> Change:
        keys = self.choose(world)
        metadatas: list[dict[str, Any] | None] = []
        after: dict[str, Version] = {}
        brought = self.draw.random() < 0.3
        for key in keys:
            has_metadata = self.draw.random() < 0.5
            version = world[key].change_text(self.next(), brought=brought)
            after[key] = version.change_metadata(self.next()) if has_metadata else version
            metadatas.append(make_metadata_change(key, after[key].metadata) if has_metadata else None)
        texts = [make_text(key, after[key].text) for key in keys]
        vectors = [encode(text, brought=True) for text in texts] if brought else None

        def run(collection: vecsearch.Collection) -> object:
            return collection.update_many(keys, texts=texts, metadatas=metadatas, vectors=vectors)

        return Change("update many, vectors" if brought else "update many", run, after)

    def change_metadata(self, world: World) -> Change:
        keys = self.choose(world)
        after = {key: world[key].change_metadata(self.next()) for key in keys}
        metadatas = [make_metadata_change(key, version.metadata) for key, version in after.items()]
        return Change("change metadata", lambda collection: collection.update_many(keys, metadatas=metadatas), after)

    def mark(self, world: World) -> Change:
        group, mark = self.draw.randrange(GROUPS), self.next()
        after = {key: Version(v.text, v.metadata, v.brought, mark) for key, v in self.list_group(world, group).items()}
        where = {"owner": self.owner, "group": group}
        return Change("mark by filter", lambda collection: collection.update_many(where=where, metadata={"mark": mark}), after)

    def delete(self, world: World) -> Change:
        keys = self.choose(world, 12)
        after = dict.fromkeys(keys)
        given = [*keys, f"{self.owner}-none"]
        return Change("delete", lambda collection: collection.delete(given, missing="skip"), after, whole=True)

    def delete_missing(self, world: World) -> Change:
        keys = self.choose(world, 1) if world else []
        after = {key: world[key] for key in keys}
        given = [*keys, f"{self.owner}-none"]
        return Change("delete a missing one", lambda collection: collection.delete(given), after, vecsearch.DocumentNotFoundError)

    def delete_group(self, world: World) -> Change:
        group = self.draw.randrange(GROUPS)
        after = dict.fromkeys(self.list_group(world, group))
        where = {"owner": self.owner, "group": group}
        return Change("delete by filter", lambda collection: collection.delete(where=where), after, whole=True)

    def list_group(self, world: World, group: int) -> World:
        """Return the documents of a group."""
        return {key: version for key, version in world.items() if make_metadata(key, version)["group"] == group}


CHANGES: dict[str, Callable[[Drawer, World], Change]] = {
    "add": Drawer.add,
    "add a taken one": Drawer.add_taken,
    "add, skip": Drawer.add_skipping,
    "upsert": Drawer.upsert,
    "bring": Drawer.bring,
    "update": Drawer.update,
    "update many": Drawer.update_many,
    "change metadata": Drawer.change_metadata,
    "mark by filter": Drawer.mark,
    "delete": Drawer.delete,
    "delete a missing one": Drawer.delete_missing,
    "delete by filter": Drawer.delete_group,
}


def make_columns(versions: Mapping[str, Version]) -> dict[str, Any]:
    """Return the arguments of `add` that give these documents; their vectors, where they are brought."""
    texts = [make_text(key, version.text) for key, version in versions.items()]
    brought = all(version.brought for version in versions.values())
    return {
        "texts": texts, "ids": list(versions), "metadatas": [make_metadata(key, version) for key, version in versions.items()],
        "vectors": [encode(text, brought=True) for text in texts] if brought else None,
    }  # fmt: skip
