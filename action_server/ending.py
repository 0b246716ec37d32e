"""The end of the server process: what is still to be delivered, the goodbye, the exit code. Pure.

Whether it restarts, quits, or was refused: what runs is ended, what waits is given back, results
are delivered for a while; then it leaves (D17).
"""

from math import inf
from typing import Final

from shotline.action_server.contact import Contact
from shotline.action_server.events import Exit, Outlet
from shotline.action_server.reports import Reports
from shotline.action_server.slots import Slots
from shotline.common.machine import Instant
from shotline.common.messages import Goodbye, ServerOrder

_DELIVER_S: Final = 5.0
_EXIT_REFUSED: Final = 69  # EX_UNAVAILABLE: the broker does not want this server
_EXIT_AT_ONCE: Final = 75  # EX_TEMPFAIL: a second request to end, results may be undelivered


class Ending:
    """Whether and how the server ends. Results are delivered for some seconds."""

    def __init__(
        self,
        out: Outlet,
        contact: Contact,
        slots: Slots,
        reports: Reports,
    ) -> None:
        self.is_begun = False
        self.has_exited = False
        self.deliver_by = inf
        self._out = out
        self._contact = contact
        self._slots = slots
        self._reports = reports
        self._order: ServerOrder | None = None
        self._reason = ""
        self._code = 0

    def begin(self, order: ServerOrder, reason: str) -> bool:
        """Remember that it ends, and why. Return False when it already does."""
        if self.is_begun:
            return False
        self.is_begun = True
        self._order, self._reason = order, reason
        return True

    def refuse(self) -> None:
        """Take it that the broker will never want this server: nothing can be delivered."""
        self._code = _EXIT_REFUSED

    def exit_when_done(self, now: Instant) -> None:
        """Leave when no process is left and all results are answered, or were not in time."""
        if not self._slots.are_all_ended:
            return
        if len(self._reports):
            if self.deliver_by == inf:
                wait_s = 0.0 if self._code == _EXIT_REFUSED else _DELIVER_S
                self.deliver_by = now.mono + wait_s
            if now.mono < self.deliver_by:
                return
            self._out.log(
                "error",
                f"{len(self._reports)} results were not answered and are lost with this process: "
                + ", ".join(str(finished.attempt) for finished in self._reports.all()[:10]),
            )
        self._exit(self._code, self._reason)

    def exit_at_once(self) -> None:
        """Leave now: it was asked for a second time."""
        self._exit(_EXIT_AT_ONCE, "asked to end a second time")

    def _exit(self, code: int, reason: str) -> None:
        if self._contact.is_registered:
            self._out.send(Goodbye(why=reason[:1000]))
        self.has_exited = True
        is_restart = self._order is ServerOrder.RESTART and code == 0
        self._out.add(Exit(is_restart, code, reason))
