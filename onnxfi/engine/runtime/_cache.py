"""A cache that drops what was used longest ago when memory runs short; giving memory back."""

from __future__ import annotations

import ctypes
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class HasBytes(Protocol):
    """Something that knows how much memory it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ...


_Item = TypeVar("_Item", bound=HasBytes)


class Cache(Generic[_Item]):
    """Items by key, made on demand, up to a limit in bytes.

    The item asked for last stays, however large it is. Items grow while they are in use; that is
    noticed when another one is asked for.

    Args:
        limit_bytes: Size up to which items are kept.
        elsewhere: How much of it something else holds at the time.
    """

    def __init__(self, limit_bytes: int, elsewhere: Callable[[], int] = lambda: 0) -> None:
        self._limit = limit_bytes
        self._elsewhere = elsewhere
        self._items: OrderedDict[Hashable, _Item] = OrderedDict()
        self._last: Hashable = object()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(item.nbytes for item in self._items.values())

    @property
    def items(self) -> tuple[_Item, ...]:
        """What is held, the one asked for last at the end."""
        return tuple(self._items.values())

    @property
    def room(self) -> int:
        """Bytes that may be held."""
        return self._limit - self._elsewhere()

    def get(self, key: Hashable, make: Callable[[], _Item], expected: int = 0) -> _Item:
        """The item of a key, made if it is not there.

        Args:
            key: Which.
            make: Makes it.
            expected: Bytes that it will hold, as far as that is known.
        """
        if key == self._last and key in self._items:
            return self._items[key]
        if key not in self._items:
            # Room is made first: two large sessions at once may not fit.
            self._shrink(keep=0, coming=expected)
            self._items[key] = make()
        self._items.move_to_end(key)
        self.shrink()
        self._last = key
        return self._items[key]

    def shrink(self) -> None:
        """Drop items beyond the limit, but for the one asked for last."""
        self._shrink(keep=1)

    def clear(self) -> None:
        """Drop all items."""
        self._items.clear()
        self._last = object()

    def _shrink(self, keep: int, coming: int = 0) -> None:
        held, room = self.nbytes, self.room - coming
        while len(self._items) > keep and held > room:
            _, dropped = self._items.popitem(last=False)
            held -= dropped.nbytes


def trim() -> None:
    """Give back what is free in the heap, where the C library would keep it (glibc).

    What graphs are opened with, twins of the model among it, comes to several times the model.
    """
    if not sys.platform.startswith("linux"):
        return
    found = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if found is not None:
        found(ctypes.c_size_t(0))
