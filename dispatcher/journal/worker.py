"""A thread that makes blocking calls one after another, so that the dispatcher's loop never waits.

The journal uses one for the disk (a sync may take seconds) and one for connecting (a stopped Redis
accepts connections and says nothing).
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from shotline.common.base import Value

T = TypeVar("T")


class Failed(Value):
    """A call raised."""

    error: Exception


class Worker(Generic[T]):
    """Runs calls in order in a daemon thread, and keeps their results until they are taken.

    `notify` is called from the thread after each one and must be safe there. The results of one
    kind of call have one type T; the errors named in `expected` come back as Failed.
    """

    def __init__(
        self, name: str, notify: Callable[[], None], expected: tuple[type[Exception], ...]
    ) -> None:
        self._name = name
        self._notify = notify
        self._expected = expected
        self._calls: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._results: deque[T | Failed] = deque()
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], T]) -> None:
        """Have the function called in the thread; its result is taken with `take`."""
        if self._thread is None:
            # A daemon: the dispatcher's end does not wait for a dead disk.
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._calls.put(function)

    def take(self) -> T | Failed | None:
        """Return the oldest result not yet taken, None when there is none."""
        return self._results.popleft() if self._results else None

    def close(self, timeout_s: float = 2.0) -> bool:
        """End the thread after the calls at hand; return whether it has gone in that time."""
        if self._thread is None:
            return True
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (function := self._calls.get()) is not None:
            try:
                result: T | Failed = function()
            except self._expected as error:
                result = Failed(error)
            self._results.append(result)
            self._notify()
