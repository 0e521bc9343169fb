"""The tenants, collections and objects of one batch, changed in memory; what failed is undone.

Everything in it is an immutable value, and each step is journalled, so that going back to a mark
leaves exactly what stood there.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from streams.collections.rejected import check_room
from streams.collections.values import (
    Change,
    Collection,
    Earlier,
    Loaded,
    Object,
    Tenant,
)

_TICK: Final = timedelta(microseconds=1)
_NOTHING: Final = object()


class World:
    """What is, as far as the batch concerns it; the locks held make it the truth."""

    def __init__(self, loaded: Loaded) -> None:
        self.now: Final = loaded.now
        self._loaded = loaded
        self.tenants = dict(loaded.tenants)
        self.collections = dict(loaded.collections)
        self.objects = dict(loaded.objects)
        self.earlier = dict(loaded.earlier)
        self.collection_counts = dict(loaded.collection_counts)
        self.dropped_sequences = dict(loaded.dropped_sequences)
        self.forgotten: dict[str, int] = {}
        """By object: up to which version its history is to be removed."""
        self._names = {
            (each.gpt_id, each.name): each.collection_id
            for each in self.collections.values()
            if each.deleted_at is None
        }
        self._keys: dict[tuple[str, str], dict[str, str]] = {}
        for each in self.objects.values():
            if each.deleted_at is None and each.key is not None:
                self._keys.setdefault((each.collection_id, each.key), {})[each.subject or ""] = (
                    each.object_id
                )
        self._highest: dict[tuple[str, str, str], int] = {}
        """By collection, key and end user: the highest version that any object of them has had."""
        for each in self.objects.values():
            if (place := _place(each)) is not None:
                self._highest[place] = max(each.version, self._highest.get(place, 0))
        self._journal: list[tuple[MutableMapping[Any, Any], Any, Any]] = []
        self._changes: list[Change] = []

    # Going forward and back

    def mark(self) -> tuple[int, int]:
        """Returns: a place to go back to."""
        return len(self._journal), len(self._changes)

    def undo(self, mark: tuple[int, int]) -> None:
        """Go back to a mark, as if nothing had happened since."""
        steps, changes = mark
        while len(self._journal) > steps:
            mapping, key, before = self._journal.pop()
            if before is _NOTHING:
                del mapping[key]
            else:
                mapping[key] = before
        del self._changes[changes:]

    def changes_since(self, mark: tuple[int, int]) -> list[Change]:
        """Returns: what happened to objects since, in its order."""
        return self._changes[mark[1] :]

    def _set(self, mapping: MutableMapping[Any, Any], key: Any, value: Any) -> None:  # noqa: ANN401
        self._journal.append((mapping, key, mapping.get(key, _NOTHING)))
        mapping[key] = value

    # Finding

    def collection(self, gpt_id: str, name: str) -> Collection | None:
        """Returns: the live collection of that name."""
        found = self._names.get((gpt_id, name))
        return None if found is None else self.collections[found]

    def bearer(self, collection_id: str, subject: str | None, key: str) -> Object | None:
        """Returns: the object that occupies an end user's key, even one whose time is over."""
        found = self._keys.get((collection_id, key), {}).get(subject or "")
        return self.objects[found] if found else None

    # Changing

    def keep(self, collection: Collection) -> None:
        """Let a collection be this from now on; a deleted one gives its name back."""
        self._set(self.collections, collection.collection_id, collection)
        place = (collection.gpt_id, collection.name)
        if collection.deleted_at is None:
            self._set(self._names, place, collection.collection_id)
            return
        if self._names.get(place) == collection.collection_id:
            self._set(self._names, place, None)
        # Who goes on with a number of this one in a later collection of its name is to be told.
        last = max(collection.sequence, self.dropped_sequences.get(collection.gpt_id, 0))
        self._set(self.dropped_sequences, collection.gpt_id, last)

    def first_sequence(self, gpt_id: str) -> int:
        """Returns: what a new collection counts on from: above all that a deleted one has had."""
        dropped = self.dropped_sequences.get(gpt_id, 0)
        return dropped + 1 if dropped else 0

    def count_collections(self, gpt_id: str, more: int) -> None:
        """Count collections of a tenant, where their number matters to the batch."""
        if gpt_id in self.collection_counts:
            self._set(self.collection_counts, gpt_id, self.collection_counts[gpt_id] + more)

    def count(self, gpt_id: str, objects: int, size_bytes: int) -> None:
        """Count live objects and their bytes of a tenant."""
        tenant = self.tenants[gpt_id]
        counted = replace(
            tenant,
            object_count=tenant.object_count + objects,
            byte_count=tenant.byte_count + size_bytes,
        )
        self._set(self.tenants, gpt_id, counted)

    def create(self, one: Object) -> Object:
        """Enter an object; its version, sequence and time of creation are given to it here.

        Raises: Rejected: a quota has no room for it.
        """
        collection = self.collections[one.collection_id]
        self._afford(collection, 1, one.size_bytes)
        created_at = self.now
        if collection.last_created_at is not None:
            created_at = max(created_at, collection.last_created_at + _TICK)
        version = self._next_version(one, 0)
        entered = replace(
            one,
            version=version,
            first_version=version if version > 1 else None,
            sequence=collection.sequence + 1,
            created_at=created_at,
            updated_at=max(created_at, self.now),
        )
        self._store(Change("created", entered), 1, one.size_bytes)
        return entered

    def supersede(self, before: Object, after: Object) -> Object:
        """Put a newer version in an object's place; what it was is kept as an earlier version.

        Raises: Rejected: a quota has no room for it.
        """
        collection = self.collections[before.collection_id]
        more = after.size_bytes - before.size_bytes
        self._afford(collection, 0, more)
        return self._replaced("updated", before, after, 0, more)

    def revive(self, tombstone: Object, after: Object) -> Object:
        """Put a newer version in a tombstone's place. Raises: Rejected: a quota has no room."""
        self._afford(self.collections[after.collection_id], 1, after.size_bytes)
        return self._replaced("created", tombstone, after, 1, after.size_bytes)

    def bury(self, one: Object) -> Object:
        """Put a tombstone in an object's place. Returns: the tombstone."""
        after = replace(one, body="{}", size_bytes=2, expires_at=None, deleted_at=self.now)
        return self._replaced("deleted", one, after, -1, -one.size_bytes)

    def put_off(self, one: Object, ends: datetime | None) -> Object:
        """Let an object end at another time, or never; it stays in its version."""
        after = replace(one, expires_at=ends)
        self._set(self.objects, one.object_id, after)
        return after

    def forget_earlier(self, one: Object) -> None:
        """Have all earlier versions of an object removed."""
        self._set(self.forgotten, one.object_id, one.version)

    def _replaced(
        self,
        kind: Literal["created", "updated", "deleted"],
        before: Object,
        after: Object,
        objects: int,
        more: int,
    ) -> Object:
        collection = self.collections[before.collection_id]
        version = self._next_version(after, before.version)
        entered = replace(
            after,
            version=version,
            first_version=version if kind == "created" else after.first_version,
            sequence=collection.sequence + 1,
            updated_at=max(self.now, before.updated_at),
        )
        if before.deleted_at is None:
            self._set(self.earlier, (before.object_id, before.version), Earlier.of(before))
        self._store(Change(kind, entered), objects, more)
        return entered

    def _next_version(self, one: Object, before: int) -> int:
        """Returns: a version above its last one, and above all that an object of its key has had.

        Who holds the ETag of a deleted object must not write over another one of its key.
        """
        place = _place(one)
        return 1 + max(before, 0 if place is None else self._highest.get(place, 0))

    def _store(self, change: Change, objects: int, more: int) -> None:
        after = change.after
        self._set(self.objects, after.object_id, after)
        collection = self.collections[after.collection_id]
        created = max(after.created_at, collection.last_created_at or after.created_at)
        self._set(
            self.collections,
            collection.collection_id,
            replace(
                collection,
                object_count=collection.object_count + objects,
                byte_count=collection.byte_count + more,
                sequence=after.sequence,
                last_created_at=created,
            ),
        )
        self.count(after.gpt_id, objects, more)
        if after.key is not None:
            bearers = self._keys.setdefault((after.collection_id, after.key), {})
            there = after.object_id if after.deleted_at is None else ""
            self._set(bearers, after.subject or "", there)
        if (place := _place(after)) is not None:
            self._set(self._highest, place, after.version)
        self._changes.append(change)

    def _afford(self, collection: Collection, objects: int, more: int) -> None:
        tenant = self.tenants[collection.gpt_id]
        for holder, name in ((collection, "The collection"), (tenant, "The GPT")):
            if objects > 0:
                check_room(name, holder.object_count, objects, holder.max_objects, "objects")
            if more > 0:
                check_room(name, holder.byte_count, more, holder.max_bytes, "bytes")

    # What is to be written

    def changed_tenants(self) -> list[Tenant]:
        """Returns: the tenants whose counts are others than were loaded."""
        return list(_others(self.tenants, self._loaded.tenants))

    def redefined_collections(self) -> list[Collection]:
        """Returns: the collections that are new, changed or deleted; the deleted ones first.

        So a name is free before another collection takes it.
        """
        found = [each for each in self.collections.values() if self._is_redefined(each)]
        return sorted(found, key=lambda each: each.deleted_at is None)

    def counted_collections(self) -> list[Collection]:
        """Returns: the collections of which the counts, at most, are others than were loaded."""
        return list(_others(self.collections, self._loaded.collections))

    def _is_redefined(self, one: Collection) -> bool:
        before = self._loaded.collections.get(one.collection_id)
        return before is None or before.version != one.version

    def changed_objects(self) -> list[Object]:
        """Returns: the objects that differ from what was loaded, deleted ones first.

        So a key is free before another object takes it.
        """
        found = _others(self.objects, self._loaded.objects)
        return sorted(found, key=lambda each: (each.deleted_at is None, each.object_id))

    def superseded(self) -> list[Earlier]:
        """Returns: the earlier versions that are to be entered, of those that are kept."""
        found = _others(self.earlier, self._loaded.earlier)
        return [each for each in found if each.version > self._floor(each.object_id)]

    def floors(self) -> list[tuple[str, int]]:
        """Returns: up to which version the history of which changed objects is to be removed."""
        changed = {each.object_id for each in self.changed_objects()} | set(self.forgotten)
        found = ((each, self._floor(each)) for each in sorted(changed))
        return [(each, floor) for each, floor in found if floor > 0]

    def _floor(self, object_id: str) -> int:
        one = self.objects[object_id]
        kept = self.collections[one.collection_id].keep_versions
        return max(one.version - 1 - kept, self.forgotten.get(object_id, 0))


def _place(one: Object) -> tuple[str, str, str] | None:
    return None if one.key is None else (one.collection_id, one.key, one.subject or "")


def _others(now: MutableMapping[Any, Any], then: MutableMapping[Any, Any]) -> Iterator[Any]:
    return (each for key, each in now.items() if then.get(key) is not each)
