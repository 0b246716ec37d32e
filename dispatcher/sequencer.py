"""One run: which of its actions may start now, which never will, and what the rest waits for.

Turns of sequence numbers (D2) come from `turns`, conditions (D4) from `conditions`. Queues,
servers, attempts and the journal are not known here. Pure.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from shotline.common.actions import Cause
from shotline.common.records import Transition
from shotline.dispatcher.table import Table
from shotline.trees.options import DispatchOptions


class Settle(NamedTuple):
    """An action of the run that is settled without having been dispatched."""

    path: str
    cause: Cause
    reason: str


class Step(NamedTuple):
    """What follows from one change; each part in the table's order.

    `settle` and `reopened` are applied in the sequencer already: it may be told about them again
    through `changed`, before anything else. `reopened` are other actions than the one redispatched,
    which are pending in this run from now on (some of them were so before, without a run).
    """

    ready: tuple[str, ...] = ()
    settle: tuple[Settle, ...] = ()
    reopened: tuple[str, ...] = ()


class Sequencer:
    """The order of one run (I3). Tell it every change of every action of the shot.

    `paths` are the run's actions, already reset: a pending one has not been sent in this run.
    `standing` is the live state of all actions of the shot; a path that is not in it is pending.
    `exempt` names, after a recovery, those that were redispatched in this run.

    A redispatch outside of a run: make one without paths and call `reopen`; the run's actions are
    the path and `Step.reopened`.
    """

    def __init__(
        self,
        table: Table,
        paths: Sequence[str],
        standing: Mapping[str, Transition],
        options: DispatchOptions,
        *,
        exempt: Collection[str] = (),
    ) -> None:
        raise NotImplementedError

    def start(self) -> Step:
        """Look at everything once: at the run's start, or after a recovery in its middle."""
        raise NotImplementedError

    def changed(self, transition: Transition) -> Step:
        """Take in the new state of any action of the shot."""
        raise NotImplementedError

    def reopen(self, path: str, table: Table | None = None) -> Step:
        """Redispatch an action (D10); `table` is the one with its node read again.

        It need not be of the run: it joins it. Nothing happens when it is ready, sent or running.
        """
        raise NotImplementedError

    def conclude(self) -> Step:
        """Settle what is still open as `cannot_happen` (D5).

        Nothing happens while an action is ready, sent or running (`is_stuck` is False then).
        """
        raise NotImplementedError

    def waits_for(self, path: str) -> str:
        """Return in words why an action does not go on; empty when it is settled or sent."""
        raise NotImplementedError

    @property
    def is_finished(self) -> bool:
        """Whether every action of the run is settled."""
        raise NotImplementedError

    @property
    def is_stuck(self) -> bool:
        """Whether something is open and nothing ready, sent or running: `conclude` is due."""
        raise NotImplementedError

    @property
    def open_paths(self) -> tuple[str, ...]:
        """The run's actions that are not settled, in the table's order."""
        raise NotImplementedError
