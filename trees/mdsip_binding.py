"""Where a task runs, and which shot an mdsip server may work for: all in it shares a process. Pure.

While a request for one (tree, shot) is unanswered, requests for another wait; those for the same go
ahead beside it. A request stays unanswered when its asker was killed (the answer may still come) or
when the connection broke (it never will, until somebody says `clear`). DESIGN §6, mdsip.
"""

from dataclasses import dataclass, field

from shotline.common.messages import Bound
from shotline.common.nodes import MdsplusTask, Task
from shotline.common.records import ShotKey


def url_of(task: Task | None, own_url: str | None) -> str | None:
    """Return the mdsip url on which a server runs a task, None where its own worker runs it.

    A server that has a url of its own runs all MDSplus tasks there.
    """
    return (own_url or task.url or None) if isinstance(task, MdsplusTask) else None


@dataclass
class UrlBinding:
    """The binding of one url. Requests have numbers that their owner chooses."""

    url: str
    _under_way: dict[int, ShotKey] = field(default_factory=dict)
    _waiting: dict[int, ShotKey] = field(default_factory=dict)  # in the order in which they came
    _abandoned: set[int] = field(default_factory=set)
    _lost: set[int] = field(default_factory=set)

    @property
    def state(self) -> Bound:
        """What the url is busy with."""
        tree, shot = self._shot or (None, None)
        return Bound(
            url=self.url,
            tree=tree,
            shot=shot,
            unanswered=len(self._under_way),
            abandoned=len(self._abandoned),
            lost=len(self._lost),
            waiting=len(self._waiting),
        )

    def ask(self, request: int, shot: ShotKey) -> bool:
        """Add a request. Return whether it may start; else it waits until it is named below."""
        if self._shot in (None, shot):
            self._under_way[request] = shot
            return True
        self._waiting[request] = shot
        return False

    def answered(self, request: int) -> tuple[int, ...]:
        """The answer came, also for one that was abandoned. Return what may start now."""
        self._forget({request})
        return self._started()

    def abandoned(self, request: int) -> None:
        """Its asker has gone; what it asked for goes on."""
        if request in self._under_way:
            self._abandoned.add(request)

    def lost(self, request: int) -> None:
        """Its connection broke: what it asked for may go on, and no answer will come."""
        if request in self._under_way:
            self._abandoned.discard(request)
            self._lost.add(request)

    def withdrawn(self, request: int) -> None:
        """A waiting request is not wanted any more."""
        self._waiting.pop(request, None)

    def clear(self) -> tuple[int, ...]:
        """Somebody vouches that nothing abandoned or lost is running. Return what may start now."""
        self._forget(self._abandoned | self._lost)
        return self._started()

    @property
    def _shot(self) -> ShotKey | None:
        return next(iter(self._under_way.values()), None)

    def _forget(self, requests: set[int]) -> None:
        for request in requests:
            self._under_way.pop(request, None)
        self._abandoned -= requests
        self._lost -= requests

    def _started(self) -> tuple[int, ...]:
        """Bind to the shot of the first that waits, and start all that wait for it."""
        if self._under_way or not self._waiting:
            return ()
        shot = next(iter(self._waiting.values()))
        started = tuple(request for request, wanted in self._waiting.items() if wanted == shot)
        for request in started:
            self._under_way[request] = self._waiting.pop(request)
        return started
