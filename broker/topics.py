"""How much observers have subscribed to: bounded for each of them and as a whole (I8). Pure.

A topic costs the broker memory for each of its bytes, so bytes are counted. Who is beyond the limit
is cut off; what it had subscribed to counts no more once it is gone.
"""

from collections import defaultdict


class Topics:
    """The bytes of all topics, by observer: a number that is its own while it is connected."""

    def __init__(self, observer_bytes_max: int, bytes_max: int) -> None:
        self._observer_bytes_max = observer_bytes_max
        self._bytes_max = bytes_max
        self._by_observer: dict[int, int] = defaultdict(int)
        self._cut: set[int] = set()
        self.bytes = 0

    def add(self, observer: int, size: int) -> str:
        """Count a topic of `size` bytes. Return why its observer is to be cut off, once, or ""."""
        self._by_observer[observer] += size
        self.bytes += size
        if observer in self._cut:
            return ""
        mine = self._by_observer[observer]
        if mine <= self._observer_bytes_max and self.bytes <= self._bytes_max:
            return ""
        self._cut.add(observer)
        return (
            f"it has subscribed to {mine} bytes of topics, all observers to {self.bytes}; "
            f"allowed are {self._observer_bytes_max} and {self._bytes_max}"
        )

    def remove(self, observer: int, size: int) -> None:
        """Count a topic no longer."""
        size = min(size, self._by_observer[observer])
        self._by_observer[observer] -= size
        self.bytes -= size

    def forget(self, observer: int) -> None:
        """Take that an observer is gone."""
        self._cut.discard(observer)
        self.bytes -= self._by_observer.pop(observer, 0)
