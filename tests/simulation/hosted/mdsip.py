"""mdsip servers in the simulation: what runs in them goes on, whatever becomes of its askers.

The keepers here are as `trees.mdsip_keeper`'s, with the same `UrlBinding`, but without processes.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.simulation.daemons import URL_WAIT_S, ServerDaemon, Task
from tests.simulation.world import World

from shotline.action_server import events as srv
from shotline.action_server.task.channel import Ended
from shotline.common.actions import AttemptId, Status
from shotline.trees.mdsip_binding import UrlBinding

Shot = tuple[str, int]


class MdsipServer:
    """One mdsip server: its open trees are common to all that runs in it. `on_end` is told of each
    task that has come to its end there, and whether it went well.
    """

    def __init__(
        self,
        world: World,
        url: str,
        on_end: Callable[[AttemptId, bool], None] = lambda _attempt, _good: None,
    ) -> None:
        self.url = url
        self._world, self._on_end = world, on_end
        self._running: dict[AttemptId, None] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs in it."""
        return not self._running

    def runs(self, attempt: AttemptId) -> bool:
        """Return whether this runs in it."""
        return attempt in self._running

    def run(self, attempt: AttemptId, task: Task, answered: Callable[[], None]) -> None:
        """Run a task to its end; check that all that runs is of one shot."""
        self._running[attempt] = None
        shots = {(one.tree, one.shot) for one in self._running}
        assert len(shots) == 1, f"mdsip: {self.url} works for {sorted(shots)} at a time"

        def end() -> None:
            del self._running[attempt]
            self._on_end(attempt, task.ok)
            answered()

        self._world.after(task.duration_s, end)


@dataclass(slots=True)
class Request:
    """What a worker has asked its keeper for."""

    slot: int
    attempt: AttemptId
    task: Task
    has_worker: bool = True
    is_started: bool = False


class Keeper:
    """The connections of one life of an action server to one mdsip server."""

    def __init__(
        self, world: World, server: MdsipServer, start: Callable[[AttemptId], None]
    ) -> None:
        self._world, self._server, self._start = world, server, start
        self._binding = UrlBinding(server.url)
        self._said = self._binding.state
        self._numbers = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._asked: set[AttemptId] = set()
        self._is_closed = False
        self.tell: Callable[[srv.Event], None] = lambda _event: None

    def close(self) -> None:
        """End with the action server; no answer finds anybody."""
        self._is_closed = True

    def ask(self, slot: int, attempt: AttemptId, task: Task) -> None:
        """A worker asks for a task; it waits while the url works for another shot."""
        if attempt in self._asked:
            return
        self._asked.add(attempt)
        number = next(self._numbers)
        self._requests[number] = Request(slot, attempt, task)
        if self._binding.ask(number, (attempt.tree, attempt.shot)):
            self._go(number)
        else:
            self._world.after(URL_WAIT_S, lambda: self._give_up(number))
        self._say_state()

    def worker_gone(self, slot: int) -> None:
        """A worker was ended: what it waited for is withdrawn, what it asked for goes on."""
        for number, request in list(self._requests.items()):
            if request.slot == slot and request.has_worker:
                request.has_worker = False
                if request.is_started:
                    self._binding.abandoned(number)
                else:
                    self._drop(number)
                    self.tell(srv.TaskProven(request.attempt, text="it was never started there"))
        self._say_state()

    def withdraw(self, attempt: AttemptId) -> None:
        """The action server has ended the worker of this attempt."""
        if attempt not in self._asked:
            self._asked.add(attempt)
            self.tell(srv.TaskProven(attempt, text="it was never started there"))

    def clear(self) -> None:
        """Somebody vouches that nothing given up runs there."""
        self._go_on(self._binding.clear())

    def _go(self, number: int) -> None:
        request = self._requests[number]
        request.is_started = True
        self._start(request.attempt)
        self._server.run(request.attempt, request.task, lambda: self._answered(number))

    def _answered(self, number: int) -> None:
        if self._is_closed:
            return
        request = self._requests.pop(number)
        status = Status.SUCCESS if request.task.ok else Status.FAILURE
        self._go_on(self._binding.answered(number))
        if request.has_worker:
            self.tell(srv.TaskEnded(request.slot, Ended(request.task.ok)))
            self.tell(srv.TaskProven(request.attempt))
        else:
            self.tell(srv.TaskProven(request.attempt, status))

    def _give_up(self, number: int) -> None:
        request = self._requests.get(number)
        if request is not None and not request.is_started and not self._is_closed:
            self._drop(number)
            self.tell(srv.TaskEnded(request.slot, Ended(ok=False, text="busy", url_busy=True)))
            self._say_state()

    def _drop(self, number: int) -> None:
        del self._requests[number]
        self._binding.withdrawn(number)

    def _go_on(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            self._go(number)
        self._say_state()

    def _say_state(self) -> None:
        state = self._binding.state
        if state != self._said:
            self._said = state
            self.tell(state)


class MdsipServerDaemon(ServerDaemon):
    """One life of an action server whose tasks with a url run on an mdsip server."""

    mdsip: MdsipServer  # set before it is made

    def __init__(self, *about: Any, **more: Any) -> None:
        self._keeper: Keeper | None = None
        super().__init__(*about, **more)

    def _kept(self) -> Keeper:
        if self._keeper is None:
            name = ":".join(self.name)
            self._keeper = Keeper(self.world, self.mdsip, lambda one: self._on_start(one, name))
            # What it says comes over a pipe: later, and not at all to a life that is over.
            self._keeper.tell = lambda event: self.world.after(0.001, lambda: self.handle(event))
        return self._keeper

    def kill(self) -> None:
        """End at once, with workers and keeper; the mdsip server goes on."""
        if self._keeper is not None:
            self._keeper.close()
        super().kill()

    def _one(self, effect: srv.Effect) -> None:
        match effect:
            case srv.StartTask(slot, dispatch, url) if url is not None:
                attempt = dispatch.attempt
                self._kept().ask(slot, attempt, self._task_of(attempt))
            case srv.SignalGroup(slot, _):
                super()._one(effect)
                self._kept().worker_gone(slot)
            case srv.WithdrawAttempt(_, attempt):
                self._kept().withdraw(attempt)
            case srv.FreeUrl():
                self._kept().clear()
            case _:
                super()._one(effect)
