"""The pulse queue on a running stack: plans whose tasks count their starts and wait at gates."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.faults import TREE
from tests.support.stack import Stack, eventually

from shotline.common.base import Json
from shotline.common.queue.plans import HistoryItem
from shotline.common.queue.views import QueueState, QueueView

PHASES = [{"phase": "INIT"}, {"phase": "PULSE"}, {"phase": "STORE", "closing": True}]


def plan(**fields: Json) -> dict[str, Json]:
    """Return a plan of the tests' experiment; by default all of its phases."""
    return {"experiment": TREE, "phases": PHASES, **fields}


class Programme:
    """The queue of a stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def view(self) -> QueueView:
        """Return how the queue stands now."""
        with self.stack.supervisor() as shotline:
            return shotline.queue_status().queue

    def history(self) -> Sequence[HistoryItem]:
        """Return what has ended."""
        with self.stack.supervisor() as shotline:
            return shotline.queue_history().items

    def results(self) -> list[str]:
        """Return how the plans have ended, in their order."""
        return [item.result.exit_status.value for item in self.history()]

    def wait_state(self, *states: QueueState) -> QueueView:
        """Return once the queue is in one of these states."""
        return self.wait_until(lambda view: view.state in states)

    def wait_until(self, holds: Callable[[QueueView], bool]) -> QueueView:
        """Return the first view for which it holds."""
        seen: list[QueueView] = []

        def look() -> bool:
            seen.append(self.view())
            return holds(seen[-1])

        eventually(look, lambda: f"the last view was {seen[-1:]}")
        return seen[-1]

    def folder(self, shot: int) -> Path:
        """Return the folder of a pulse, which is there or not."""
        return self.stack.folder / "var" / "pulses" / TREE / str(shot)

    def open(self, shot: int, *gates: str) -> None:
        """Let the tasks of a pulse go on that wait at these gates."""
        eventually(self.folder(shot).is_dir)
        for gate in gates:
            (self.folder(shot) / gate).touch()

    def starts(self, shot: int) -> Counter[str]:
        """Return how often each task of a pulse was started."""
        file = self.folder(shot) / "starts"
        lines = file.read_text().splitlines() if file.exists() else []
        return Counter(line.split()[0] for line in lines if line.strip())

    def wait_started(self, shot: int, *names: str) -> None:
        """Return once these tasks of a pulse have started."""
        eventually(
            lambda: all(self.starts(shot)[name] for name in names),
            lambda: f"of {names} only {dict(self.starts(shot))} have started",
        )
