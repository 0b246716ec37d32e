"""What the action server's machine knows of mdsip servers: who needs one, what runs on behind it.

A task that runs in an mdsip server does not end with our worker. It is proven to have ended by the
keeper of its url only (DESIGN §6, mdsip). Pure.
"""

from math import inf
from typing import Final

import msgspec

from shotline.common.messages import Bound, Dispatch
from shotline.common.nodes import Task
from shotline.trees.mdsip_binding import url_of

_TELL_S: Final = 0.2
"""What urls are busy with is gathered this long before the dispatcher is told."""

_TASK: Final[msgspec.json.Decoder[Task]] = msgspec.json.Decoder(Task)


def url_of_dispatch(dispatch: Dispatch, own_url: str | None) -> str | None:
    """Return the mdsip url on which an action runs, None where it runs in our worker."""
    if b'"mdsplus"' not in dispatch.task:  # most often, and much faster
        return None
    try:
        task = _TASK.decode(dispatch.task)
    except ValueError:
        return None  # the worker says what is wrong with it
    return url_of(task, own_url)


class UrlNews:
    """What is to be told of urls: the last of each, gathered; all that are not free on request."""

    def __init__(self) -> None:
        self._busy: dict[str, Bound] = {}
        self._news: dict[str, Bound] = {}
        self.due = inf

    def take(self, now: float, bound: Bound) -> None:
        """Take what a keeper says of its url."""
        if bound.tree is None:
            self._busy.pop(bound.url, None)
        else:
            self._busy[bound.url] = bound
        self._news[bound.url] = bound
        if self.due == inf:
            self.due = now + _TELL_S

    def tell_all(self, now: float) -> None:
        """Tell everything again: the dispatcher may be another one."""
        self._news.update(self._busy)
        if self._news:
            self.due = now

    def pop_due(self, now: float) -> list[Bound]:
        """Return what is to be told now."""
        if now < self.due:
            return []
        self.due = inf
        news, self._news = list(self._news.values()), {}
        return news
