"""The workers on demand: opened, closed, destroyed, started anew; told when that is so (Q7). Pure.

A server whose workers are closed stays registered and takes no work. What was asked is answered
once: when the workers are ready, when they are proven to be gone, or why not.
"""

from shotline.action_server.attempts import Attempts
from shotline.action_server.events import Outlet
from shotline.action_server.slots import Slots, SlotState
from shotline.common.machine import Instant
from shotline.common.messages import CommandWorkers, EndedBy, WorkersAct, WorkersState, WorkersTold

_TEXT_MAX = 2000
_USABLE = (SlotState.IDLE, SlotState.RUNNING)
_CLOSED = "its workers are closed: `shotline queue environment open` starts them"


class Environment:
    """Carries out orders about the workers."""

    def __init__(self, out: Outlet, slots: Slots, attempts: Attempts) -> None:
        self._out = out
        self._slots = slots
        self._attempts = attempts
        self._order: CommandWorkers | None = None  # not answered yet
        self._renew: set[int] = set()  # slots whose worker is still to be replaced

    @property
    def trouble(self) -> str:
        """Why no work is taken; empty where some is."""
        return _CLOSED if self._slots.closed else ""

    def take(self, now: Instant, order: CommandWorkers) -> None:
        """Begin to carry out an order; another one that was not answered yet never will be."""
        self._order = order
        self._renew.clear()
        slots = self._slots
        match order.act:
            case WorkersAct.OPEN:
                slots.closed = False
                for slot in slots:
                    if slot.state is SlotState.GONE:
                        slots.start(now, slot)
            case WorkersAct.CLOSE:
                slots.closed = True
                self._attempts.give_back(_CLOSED)
            case WorkersAct.DESTROY:
                slots.closed = True
                self._attempts.give_back(_CLOSED)
                self._attempts.end_all(now, EndedBy.ABORT, order.reason)
                slots.close(now)
            case WorkersAct.RELOAD:
                slots.closed = False
                for slot in slots:
                    if slot.state in (SlotState.GONE, SlotState.BROKEN):
                        slots.start(now, slot)
                    else:
                        self._renew.add(slot.index)

    def go_on(self, now: Instant) -> None:
        """End workers that are free now and are to end; answer when all is as it was asked."""
        if self._order is None and not self._renew and not self._slots.closed:
            return
        if self._slots.closed:
            self._slots.close(now)
        for slot in self._slots:
            if slot.index in self._renew and slot.state in (SlotState.IDLE, SlotState.STARTING):
                self._renew.discard(slot.index)
                self._slots.end(now, slot)
        if self._order is not None:
            self._answer(self._order)

    def _answer(self, order: CommandWorkers) -> None:
        slots = self._slots
        if slots.closed:
            if slots.stuck:
                text = f"{slots.stuck} of its workers cannot be ended"
                self._tell(order, "failed", text)
            elif slots.are_all_ended:
                self._tell(order, "ended", "its workers are proven to be gone")
        elif slots.trouble:
            self._tell(order, "failed", slots.trouble)
        elif not self._renew and all(slot.state in _USABLE for slot in slots):
            self._tell(order, "ready", f"{len(slots)} workers are ready")

    def _tell(self, order: CommandWorkers, state: WorkersState, text: str) -> None:
        self._order = None
        workers = sum(slot.state in _USABLE for slot in self._slots)
        told = WorkersTold(id=order.id, state=state, text=text[:_TEXT_MAX], workers=workers)
        self._out.send(told)
