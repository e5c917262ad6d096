"""A cache that is bounded by the bytes of its values, shared by threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

__all__ = ["ByteCache"]


Value = TypeVar("Value", bound=np.ndarray | bytes | None)


class ByteCache(Generic[Value]):
    """Values by key; the least recently used ones are dropped beyond `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        """Make an empty cache."""
        self.max_bytes = max_bytes
        """Bytes of all values together, at most."""
        self.nbytes = 0
        """Bytes of the values that are kept now."""
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key; made without a lock, so two threads may make the same value."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values and _size(value) <= self.max_bytes:
                self._values[key] = value
                self.nbytes += _size(value)
                while self.nbytes > self.max_bytes:
                    self.nbytes -= _size(self._values.popitem(last=False)[1])
        return value


def _size(value: np.ndarray | bytes | None) -> int:
    """Bytes of a value, with those of an entry of the cache itself."""
    own = 0 if value is None else len(value) if isinstance(value, bytes) else value.nbytes
    return own + 200
