"""Work for several threads, where work of one kind goes to one thread as long as that is fair.

Checks of one problem have the same kind: the thread that has loaded its tables is the one to go on with it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

KINDS_REMEMBERED = 64  # per worker
UNFAIR = 8  # items by which the list of a worker may be longer than the shortest, before its kind goes elsewhere

Item = TypeVar("Item")


class Worklist(Generic[Item]):
    """Bounded lists, one per worker. A worker whose own list is empty takes from the end of the longest."""

    def __init__(self, workers: int, waiting_per_worker: int) -> None:
        self._lists: list[deque[tuple[Hashable, Item]]] = [deque() for _ in range(workers)]
        self._homes: OrderedDict[Hashable, int] = OrderedDict()
        self._room = waiting_per_worker * workers
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._has_room = threading.Condition(lock)
        self._full = False
        self._closed = False

    def put(self, kind: Hashable, item: Item) -> bool:
        """Add an item, waiting for room; return False when the list has been closed."""
        with self._changed:
            if sum(map(len, self._lists)) >= self._room:
                self._full = True
                self._has_room.wait_for(lambda: self._closed or not self._full)
            if self._closed:
                return False
            self._lists[self._choose(kind)].append((kind, item))
            self._changed.notify_all()
        return True

    def _choose(self, kind: Hashable) -> int:
        lengths = [len(one) for one in self._lists]
        home = self._homes.pop(kind, None)
        if home is None or lengths[home] > min(lengths) + UNFAIR:
            home = lengths.index(min(lengths))
        self._homes[kind] = home
        while len(self._homes) > KINDS_REMEMBERED * len(self._lists):
            self._homes.popitem(last=False)
        return home

    def take(self, worker: int) -> Item | None:
        """Return the next item for a worker, waiting for one; None when the list has been closed."""
        taken = self.take_some(worker, 1)
        return taken[0] if taken else None

    def take_some(self, worker: int, most: int) -> list[Item]:
        """Return up to `most` items for a worker, waiting for one; none when the list has been closed.

        They are the next of its own list, or, where that is empty, at most half of the longest other one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or any(self._lists))
            if self._closed:
                return []
            own, longest = self._lists[worker], max(self._lists, key=len)
            size = min(most, len(own) or (len(longest) + 1) // 2)
            taken = [(own.popleft() if own else longest.pop())[1] for _ in range(size)]
            if self._full and sum(map(len, self._lists)) <= self._room // 2:
                self._full = False
                self._has_room.notify_all()
            return taken

    def put_back(self, worker: int, items: Sequence[tuple[Hashable, Item]]) -> bool:
        """Put items that were taken, with their kinds, before all others of a worker, however long its list is;
        return False when the list has been closed."""
        with self._changed:
            if not self._closed:
                self._lists[worker].extendleft(reversed(items))
                self._changed.notify_all()
            return not self._closed

    def close(self) -> list[Item]:
        """Wake everybody; return what nobody has taken."""
        with self._changed:
            self._closed = True
            self._full = False
            self._has_room.notify_all()
            left = [item for one in self._lists for _, item in one]
            for one in self._lists:
                one.clear()
            self._changed.notify_all()
        return left
