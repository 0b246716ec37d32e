"""What a request of a client comes to: `answer(request)` gives the first step. Pure.

Here is what all methods have in common: which there are, what each takes, and the lock. What each
does is in `editing`, `driving`, `telling` and `locking`.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from shotline.bridges.qserver import driving, editing, locking, telling
from shotline.bridges.qserver.asking import Body, Done, Heard, Question, Sorry, Step
from shotline.bridges.qserver.method import Context, Method, lock_key, require
from shotline.bridges.qserver.wire import QueueRequest
from shotline.common.queue import commands as q
from shotline.common.queue.views import QueueLockResult

METHODS: Final[dict[str, Method]] = {
    **editing.METHODS,
    **driving.METHODS,
    **telling.METHODS,
    **locking.METHODS,
}
STATUS: Final = frozenset(("", "ping", "status"))  # never fail, and ignore what they are given
AWAY: Final = "Shotline does not answer: nothing was changed"
_BY_ITSELF: Final = ("manager_stop", "manager_kill", "config_get")  # need no Shotline


class Machine:
    """Answers requests, from what the view knows or by commands."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def answer(self, request: QueueRequest) -> Step:
        """Return the answer to a request, or the command that leads to it."""
        method = METHODS.get(request.method)
        if method is None:
            known = ", ".join(sorted(METHODS))
            text = f"Unknown method {request.method[:80]!r}; known: {known}"
            return Done({"success": False, "msg": text})
        return self._guarded(method, lambda: self._begin(request, method))

    def _begin(self, request: QueueRequest, method: Method) -> Step:
        context, params = self._context, request.params
        _require_known(method, params)
        if not context.view.known and request.method not in _BY_ITSELF:
            raise Sorry(AWAY)
        key = lock_key(params) if method.lock else ""
        lock = context.view.fold.lock
        if lock is None or not method.lock or not getattr(lock, method.lock):
            return method.answer(context, params)

        def unlocked(told: Heard) -> Step:
            require(told)
            assert isinstance(told.result, QueueLockResult)
            if told.result.lock is not None and not told.result.key_fits:
                note = f": {lock.note}" if lock.note else ""
                raise Sorry(f"Invalid lock key: {lock.user} has locked the {method.lock}{note}")
            return method.answer(context, params)

        return Question(q.QueueLockInfo(key=key or "-"), unlocked)

    def _guarded(self, method: Method, step: Callable[[], Step]) -> Step:
        try:
            made = step()
        except Sorry as sorry:
            return Done(_refusal(method, sorry))
        if isinstance(made, Done):
            return made
        then = made.then
        return replace(made, then=lambda told: self._guarded(method, lambda: then(told)))


def _refusal(method: Method, sorry: Sorry) -> Body:
    more = {name: value for name, value in sorry.more.items() if name in method.blank}
    return {
        "success": False,
        "msg": f"{method.failed}{sorry}",
        **method.blank,
        **more,
    }


def _require_known(method: Method, params: Body) -> None:
    """Raise Sorry for parameters that the method does not know."""
    supported = (*method.params, *(("lock_key",) if method.lock else ()))
    unknown = [name for name in params if name not in supported]
    if unknown:
        names = ", ".join(map(repr, unknown))
        text = f"API request contains unsupported parameters: {names}."
        raise Sorry(f"{text} Supported parameters: {list(supported)}")
