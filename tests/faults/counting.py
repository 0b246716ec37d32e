"""What is counted after a shot whose daemons were killed, outside of the system: starts by lines
that each task has appended, ends by the journal. And the judgement, which shares no code with it.
"""

from collections import Counter
from pathlib import Path

from tests.faults.trial import Row
from tests.support.faults import Pulse
from tests.support.stack import Stack, eventually

from shotline.client.errors import Nobody, SupervisorError
from shotline.common.actions import ActionState, Cause
from shotline.common.views import ActionView


def lines_of(file: Path) -> Counter[str]:
    """Return how often each first word stands in a file."""
    if not file.exists():
        return Counter()
    return Counter(line.split()[0] for line in file.read_text().splitlines() if line.strip())


def run_to_end(stack: Stack, pulse: Pulse, run: int = 1) -> None:
    """Return once the run's end is journalled. A run that is HELD is resumed, as people would."""

    def ended() -> bool:
        if run in pulse.runs_ended():
            return True
        try:
            with stack.supervisor() as shotline:
                shotline.resume(*pulse.key)
        except SupervisorError:
            pass  # it is not HELD, or nobody is there yet
        return False

    eventually(ended, lambda: f"{pulse.key}: {pulse.runs_ended()}")


def judge(row: Row, pulse: Pulse, what: str, *, started_files: Path | None = None) -> None:
    """Hold the shot's end against what its tasks say. Each action was to run once."""
    starts = lines_of(started_files or pulse.folder / "starts")
    views = shown(pulse)
    row.counted["actions"] += len(views)
    row.counted["starts"] += sum(starts.values())
    twice = sorted(name for name, number in starts.items() if number > 1)
    row.counted["started twice"] += len(twice)
    row.check(not twice, f"{what}: {twice} started twice")
    ends = pulse.runs_ended()
    row.check(len(ends) == len(set(ends)), f"{what}: the ends of runs are journalled as {ends}")
    for view in views:
        state, unknown = view.last.state, view.last.outcome_unknown
        if state is ActionState.DONE:
            row.counted["results"] += 1
            was_cut_off = view.last.cause is not Cause.RESULT  # perhaps before its first line
            began = starts[view.name] == 1 or was_cut_off
            row.counted["cut off"] += was_cut_off
            row.check(began, f"{what}: {view.name} is DONE and never started")
        elif unknown:
            row.counted["outcome unknown"] += 1
        elif state is ActionState.ABORTED:
            row.counted["aborted, proven dead"] += 1
        elif starts[view.name]:
            row.counted["results lost"] += 1
            row.wrong.append(f"{what}: {view.name} has started and is {state}")


def shown(pulse: Pulse) -> tuple[ActionView, ...]:
    """Return all actions as the dispatcher shows them, once it answers."""
    found: list[tuple[ActionView, ...]] = []

    def asked() -> bool:
        try:
            with pulse.stack.supervisor() as shotline:
                found.append(tuple(shotline.actions(*pulse.key).actions))
        except Nobody:
            return False
        return True

    eventually(asked)
    return found[-1]
