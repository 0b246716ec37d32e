"""A pulse on the real stack while something breaks: tasks that count their own starts and wait at
gates, commands that wait in the background, and what the journal says afterwards.

Which daemon is killed, stopped or doubled is the tests' business.
"""

import contextlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeVar

import yaml
from tests.support.stack import DEADLINE_S, HUB, Stack, eventually, merged

from shotline.client.cli import main as cli
from shotline.client.local.daemons import Daemon
from shotline.client.report import Report
from shotline.client.supervisor import Supervisor
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.records import LateResult, RunEnded, ShotKey, ShotRecord
from shotline.common.views import ActionView, StatusResult
from shotline.dispatcher.journal.layout import Entry, Keys, parse_journal

T = TypeVar("T")

TREE: Final = "TEST"

# How an action ended, in short: state, status, cause.
End = tuple[ActionState, Status | None, Cause | None]
SUCCESS: Final[End] = (ActionState.DONE, Status.SUCCESS, Cause.RESULT)
FAILURE: Final[End] = (ActionState.DONE, Status.FAILURE, Cause.RESULT)
LOST: Final[End] = (ActionState.ABORTED, None, Cause.SERVER_LOST)
ABORTED: Final[End] = (ActionState.ABORTED, None, Cause.OPERATOR)
REMOVED: Final[End] = (ActionState.NOT_DISPATCHED, None, Cause.ABORTED_BEFORE_SENT)
CONDITION_FALSE: Final[End] = (ActionState.NOT_DISPATCHED, None, Cause.CONDITION_FALSE)
NO_SERVER: Final[End] = (ActionState.SERVER_OFF, None, Cause.NO_SERVER)
PENDING: Final[End] = (ActionState.NOT_DISPATCHED, None, None)
DOING: Final[End] = (ActionState.DOING, None, None)

# Says that it has started, waits for its gate where it has one, says that it has ended.
_TASK: Final = """
echo "$1 $SHOTLINE_ATTEMPT" >> starts
until [ -z "$2" ] || [ -e "$2" ]; do sleep 0.05; done
echo "$1 $SHOTLINE_ATTEMPT" >> ends
echo "$1 is over"
exit "$3"
"""

# Small times; what loses a server is for the tests that want to lose one.
SETTINGS: Final[Mapping[str, object]] = {
    "broker": {"heartbeat_s": 0.2, "server_lost_s": 15.0, "probe_s": 1.0},
    "redis": {"timeout_s": 1.0, "retry_s": 0.2},
    "dispatcher": {"recovery_s": 2.0, "server_grace_s": 10.0, "tree_timeout_s": 30.0},
}
LOST_SOON: Final[Mapping[str, object]] = {
    "broker": {"server_lost_s": 2.0},
    "dispatcher": {"server_grace_s": 1.0},
}


def action(
    name: str,
    server_class: str,
    when: int | str,
    *,
    gate: str = "",
    code: int = 0,
    phase: str = "INIT",
    **more: object,
) -> dict[str, object]:
    """Return an action of the experiment file. It waits until the file `gate` is there."""
    task = {"shell": ["sh", "-c", _TASK, "task", name, gate, str(code)]}
    return {
        "path": name,
        "server_class": server_class,
        "phase": phase,
        "when": when,
        "task": task,
        **more,
    }


# Two that wait at a gate, and what follows them: next in line, and by a condition.
ACTIONS: Final = (
    action("A_FIRST", "A", 1, gate="a"),
    action("A_NEXT", "A", 2),
    action("B_FIRST", "B", 1, gate="b"),
    action("B_AFTER", "B", "A_FIRST"),
)
ALL: Final = ("A_FIRST", "A_NEXT", "B_FIRST", "B_AFTER")
ALL_GOOD: Final = dict.fromkeys(ALL, SUCCESS)


def experiment(folder: Path, *actions: Mapping[str, object]) -> Path:
    """Write an experiment file of these actions and return it."""
    file = folder / "experiment.yaml"
    declared = {
        "experiment": TREE,
        "phases": {"INIT": 1, "PULSE": 2, "STORE": 3},
        "actions": list(actions),
    }
    file.write_text(yaml.safe_dump(declared))
    return file


def stack_of(
    folder: Path,
    servers: Sequence[str],
    *actions: Mapping[str, object],
    settings: Mapping[str, object] | None = None,
    keyed: bool = HUB,
) -> Stack:
    """Return a stack, to be entered, with one experiment of these actions."""
    return Stack(
        folder,
        servers=servers,
        experiments={TREE: experiment(folder, *actions)},
        settings=merged(SETTINGS, settings or {}),
        keyed=keyed,
    )


class Waiting(Generic[T]):
    """A call that waits in a thread of its own, with a connection of its own."""

    def __init__(self, stack: Stack, call: Callable[[Supervisor], T]) -> None:
        self._result: list[T] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(stack, call), daemon=True)
        self._thread.start()

    def _run(self, stack: Stack, call: Callable[[Supervisor], T]) -> None:
        try:
            with stack.supervisor() as shotline:
                self._result.append(call(shotline))
        except BaseException as error:  # noqa: BLE001  # raised again in the test's thread
            self._error.append(error)

    @property
    def is_over(self) -> bool:
        """Whether the call has returned or raised."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """Return what the call returned, or raise what it raised."""
        self._thread.join(DEADLINE_S)
        assert self.is_over, "the command was never answered"
        if self._error:
            raise self._error[0]
        return self._result[0]


class Pulse:
    """One shot of the experiment on a running stack."""

    def __init__(self, stack: Stack, shot: int = 1) -> None:
        self.stack = stack
        self.key = ShotKey(TREE, shot)
        with stack.supervisor() as shotline:
            shotline.create_pulse(*self.key)
            shotline.build_tables(*self.key)

    @property
    def folder(self) -> Path:
        """Where its tasks run."""
        return next(self.stack.folder.glob(f"**/pulses/{TREE}/{self.key.shot}"))

    def begin(self, phase: str = "INIT") -> Waiting[Report]:
        """Do a phase; the report is there at its end."""
        return Waiting(self.stack, lambda shotline: shotline.do_phase(phase, *self.key))

    def open(self, *gates: str) -> None:
        """Let the tasks go on that wait at these gates."""
        for gate in gates:
            (self.folder / gate).touch()

    def starts(self) -> Counter[str]:
        """Return how often each task says that it was started."""
        return _counted(self.folder / "starts")

    def ends(self) -> Counter[str]:
        """Return how often each task says that it came to its end."""
        return _counted(self.folder / "ends")

    def wait_started(self, *names: str) -> None:
        """Return once these tasks have said so."""
        eventually(
            lambda: all(self.starts()[name] for name in names),
            lambda: f"of {names} only {dict(self.starts())} have started",
        )

    def wait_doing(self, *names: str) -> None:
        """Return once these actions are DOING, as everybody is shown."""
        self.wait_state(ActionState.DOING, *names)

    def wait_state(self, state: ActionState, *names: str) -> None:
        """Return once these actions are in this state."""
        eventually(
            lambda: {self.action(name).last.state for name in names} == {state},
            lambda: f"{ {name: self.action(name).last for name in names} }",
        )

    def action(self, name: str) -> ActionView:
        """Return an action as the dispatcher shows it now."""
        with self.stack.supervisor() as shotline:
            views = shotline.actions(*self.key).actions
        return next(view for view in views if name == view.name)

    def ends_by_name(self) -> dict[str, End]:
        """Return how each action stands, as the dispatcher shows it now."""
        with self.stack.supervisor() as shotline:
            return ends_of(shotline.actions(*self.key).actions)

    def records(self) -> list[ShotRecord]:
        """Return all that Redis's journal holds of the shot."""
        keys = Keys(self.stack.config.redis.key_prefix).of(self.key)
        with contextlib.closing(self.stack.redis_client()) as connection:
            found = connection.execute_command(  # type: ignore[no-untyped-call]
                "XRANGE", keys.journal, "-", "+"
            )
        entries: list[Entry] = [
            (entry_id, [part for pair in fields.items() for part in pair])
            for entry_id, fields in found
        ]
        return parse_journal(self.key, entries)

    def runs_ended(self) -> list[int]:
        """Return the runs whose end is journalled, each as often as it is."""
        return [record.run for record in self.records() if isinstance(record, RunEnded)]

    def late_results(self) -> list[tuple[str, int, Status | None]]:
        """Return name, attempt and status of the results that are journalled as late."""
        return [
            (record.path.rpartition(":")[2], record.attempt, record.status)
            for record in self.records()
            if isinstance(record, LateResult)
        ]


@contextlib.contextmanager
def in_mid_phase(
    folder: Path,
    settings: Mapping[str, object] | None = None,
    *,
    shown: bool = False,
    keyed: bool = HUB,
) -> Iterator[tuple[Stack, Pulse, Waiting[Report]]]:
    """Give a stack with `ACTIONS` in a phase: the first ones have started and wait at their gates.

    `shown`: the dispatcher has heard of it, too.
    """
    servers = ("A:1", "B:1")
    with stack_of(folder, servers, *ACTIONS, settings=settings, keyed=keyed) as stack:
        with stack.redis.client() as client:
            # Otherwise a Redis whose disk is slow may lose what it has confirmed when it is killed.
            client.config_set("appendfsync", "always")
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_started("A_FIRST", "B_FIRST")
        if shown:
            pulse.wait_doing("A_FIRST", "B_FIRST")
        yield stack, pulse, report


def assert_all_good(pulse: Pulse, report: Waiting[Report]) -> None:
    """Whoever waits for the phase gets its end; each action started once, and it ended once."""
    assert ends_of(report.result().actions) == ALL_GOOD
    assert pulse.starts() == each_once(*ALL)
    assert pulse.runs_ended() == [1]


def ends_of(views: Sequence[ActionView]) -> dict[str, End]:
    """Return how each action stands, by its name."""
    return {view.name: (view.last.state, view.last.status, view.last.cause) for view in views}


def each_once(*names: str) -> Counter[str]:
    """Return the count of starts when each has started once, and no other."""
    return Counter(dict.fromkeys(names, 1))


def journal_is(state: str) -> Callable[[StatusResult], bool]:
    """Return whether the journal is in this state, for `Stack.wait_until`."""
    return lambda status: status.journal == state


def liveness_of(status: StatusResult, name: str) -> str:
    """Return what is thought of a server; empty when it is not known."""
    return next((one.liveness for one in status.servers if one.server == name), "")


def shotline_command(stack: Stack, *words: str) -> tuple[int, str]:
    """Run the command line here and return its exit code and all that it wrote."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        code = cli.run(["--config", str(stack.config_file), "--timeout", "30", *words])
    return code, written.getvalue()


def _counted(file: Path) -> Counter[str]:
    if not file.exists():
        return Counter()
    return Counter(line.split()[0] for line in file.read_text().splitlines() if line.strip())


def second_dispatcher(stack: Stack) -> Daemon:
    """Return another dispatcher of the same configuration, not yet started.

    Its spill file is its own: one dispatcher holds a file at a time.
    """
    return Daemon(
        "second dispatcher",
        "shotline.dispatcher",
        ("--config", str(stack.config_file)),
        stack.daemons.logs / "second-dispatcher.log",
        {"SHOTLINE_JOURNAL__SPILL_FILE": "second.spill"},
    )


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    """Start a daemon, and end it at the end if it is still there."""
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
