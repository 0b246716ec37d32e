"""What a task leaves for the end of its program (`atexit`): it is called at the task's end.

A worker process runs many tasks, and ends by a signal. So a function that a task registers is kept
here and called when the task has ended, the last one first, while its output still is the task's;
whoever registered it takes the process for ended, which therefore is replaced. What a module
registers while it is loaded belongs to the process, as the module does.
"""

import atexit
import contextlib
import sys
import traceback
import weakref
from collections.abc import Callable
from typing import Any, Final

_IMPORTING: Final = "<frozen importlib._bootstrap>"

_Entry = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]


class ExitFunctions:
    """The functions that the present task has registered."""

    def __init__(self) -> None:
        """Take the place of `atexit.register` and `atexit.unregister`."""
        self._entries: list[_Entry] = []
        weakref.finalize(self, bool).detach()  # registers for all of its kind, at the first
        self._register = atexit.register
        self._unregister = atexit.unregister
        atexit.register = self._take
        atexit.unregister = self._drop

    def call(self) -> bool:
        """Call them, as the interpreter does at its end: what they raise is shown, and no more.

        Return whether there were any.
        """
        if not self._entries:
            return False
        while self._entries:
            function, words, named = self._entries.pop()
            try:
                function(*words, **named)
            except BaseException:  # noqa: BLE001 (one must not keep the others from being called)
                with contextlib.suppress(Exception):  # it may have closed its streams
                    sys.stderr.write(f"Exception ignored in atexit callback {function!r}:\n")
                    traceback.print_exc()
        return True

    def _take(
        self, function: Callable[..., Any], /, *words: Any, **named: Any
    ) -> Callable[..., Any]:
        if _is_loading():
            return self._register(function, *words, **named)
        self._entries.append((function, words, named))
        return function

    def _drop(self, function: Callable[..., object]) -> None:
        self._entries = [entry for entry in self._entries if entry[0] != function]
        self._unregister(function)


def _is_loading() -> bool:
    """Return whether a module is being loaded that has called us."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
