"""Histories of a shot: what a page is told of it, beside what the dispatcher's own fold knows then.

    python -m tests.support.histories

writes `tests/js/histories.json`, which the page's fold is held to (`tests/js/histories.test.js`).
The dispatcher's machine decides and publishes, the monitor's view tells; nothing is made up here.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs
from tests.support.dispatching import KEY, Bench, result
from tests.support.tables import action, both, no

from shotline.client.observer import News, Whole, payload_of
from shotline.common import commands as c
from shotline.common.actions import category_of, colour_of
from shotline.common.base import as_plain
from shotline.common.channels import shot_channel
from shotline.common.dangers import Danger
from shotline.common.messages import EndedBy, Event, LivenessState, Progress
from shotline.common.nodes import DispatchOptions, SourceMark
from shotline.common.records import Counts
from shotline.common.views import ActionView, SnapshotResult
from shotline.monitor.channels import Channels
from shotline.monitor.channels.histories import Limits
from shotline.monitor.view import View, ViewSettings
from shotline.monitor.view.effects import Effect, Post, Refresh
from shotline.monitor.view.shots import ShotState

FILE: Final = Path(__file__).parents[1] / "js" / "histories.json"
CHANNEL: Final = shot_channel(KEY)
PAGE: Final = "T/1"
BEHIND: Final = 1  # the reader who reads nothing before the end

Json = dict[str, object]


class History:
    """One shot's story as it is told to pages, step by step."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        settings = ViewSettings(broker="", version="", life="life")
        self.view = View(settings)
        self.channels = Channels(Limits(merge_beyond=0), "life", self._whole)
        self.channels.enter(BEHIND, form=True)
        self.steps: list[Json] = []
        self.folds: list[tuple[Json, Json]] = []  # at each step: the monitor's, the dispatcher's
        self._read = 0
        self._messages: list[Json] = []
        self._numbers = 0

    @property
    def state(self) -> ShotState:
        """The shot as the monitor has it."""
        return self.view.shots[KEY]

    def snapshot(self) -> SnapshotResult:
        """Return the shot as the dispatcher has it."""
        self._numbers += 1
        reply = self.bench.told(c.Snapshot(channel=CHANNEL), f"snapshot-{self._numbers:04}")
        return msgspec.json.decode(reply.result, type=SnapshotResult)

    def begin(self) -> None:
        """Let the monitor come when there is a table."""
        self._read = len(self.bench.events)
        self._take(self.view.take(self.bench.instant, Whole(CHANNEL, self.snapshot())))
        self.channels.subscribe(BEHIND, PAGE, whole=True)
        list(self._behind())
        self.step("the table is built")

    def step(self, what: str) -> None:
        """Tell what has happened since the last step."""
        events, self._read = self.bench.events[self._read :], len(self.bench.events)
        for event in events:
            if event.channel == CHANNEL:
                self._event(event)
        messages, self._messages = self._messages, []
        expected = self.expected()
        self.steps.append({"what": what, "messages": messages, "expected": expected})
        self.folds.append((self._by_the_monitor(), expected | self._in_short()))

    def command(self, command: c.AnyCommand) -> None:
        """Give a command that must be carried out."""
        self._numbers += 1
        reply = self.bench.told(command, f"command-{self._numbers:04}")
        assert reply.outcome == "ok", reply.message

    def _event(self, event: Event) -> None:
        payload = payload_of(event)
        effects = self.view.take(self.bench.instant, News(CHANNEL, event.at, payload))
        for effect in self._take(effects):
            if isinstance(effect, Refresh):
                whole = Whole(CHANNEL, self.snapshot())
                self._take(self.view.take(self.bench.instant, whole))

    def _take(self, effects: Iterator[Effect]) -> list[Effect]:
        left = []
        for effect in effects:
            if isinstance(effect, Post) and effect.channel == PAGE:
                self._messages.append(json.loads(b"{" + effect.body))
                self.channels.publish(PAGE, effect.body, effect.key)
            else:
                left.append(effect)
        return left

    def _whole(self, _: str) -> bytes:
        return self.state.whole(self.bench.wall)

    def _behind(self) -> Iterator[Json]:
        more = True
        while more:
            due = self.channels.due(BEHIND)
            self.channels.sent(BEHIND)
            more = due.more
            for frame in due.frames:
                yield from json.loads(frame)["messages"]

    def expected(self) -> Json:
        """Return what a page must show now: the dispatcher's own fold."""
        snapshot, shot = self.snapshot(), self.bench.shot()
        assert snapshot.shot is not None
        phases = dict.fromkeys(one.phase for one in snapshot.actions)
        counts = {
            phase: shot.counts([one.path for one in snapshot.actions if one.phase == phase])
            for phase in phases
        }
        return {
            "rows": [row_of(one) for one in snapshot.actions],
            "counts": {phase: as_plain(found) for phase, found in counts.items()},
            "runs": [[run.run, run.state, run.outcome] for run in snapshot.shot.runs],
            "source": shot.source_changed,
        }

    def _in_short(self) -> Json:
        shot = self.snapshot().shot
        assert shot is not None
        return {"total": shot.counts, "by_run": {run.run: run.counts for run in shot.runs}}

    def _by_the_monitor(self) -> Json:
        short, none = self.state.short(), dict.fromkeys(Counts.__struct_fields__, 0)
        return {
            "rows": [row_of(one) for one in self.state.board.actions.values()],
            "counts": {phase: none | found for phase, found in self.state.tally.shown().items()},
            "runs": [[run.run, run.state, run.outcome] for run in short.runs],
            "source": short.source_changed,
            "total": short.counts,
            "by_run": {run.run: run.counts for run in short.runs},
        }

    def told(self, title: str) -> Json:
        """Return the whole history; `behind`: as it is told to who reads it at its end."""
        whole = json.loads(b"{" + self._whole(PAGE))
        behind = list(self._behind())
        return {"title": title, "steps": self.steps, "behind": behind, "whole": whole}


def row_of(one: ActionView) -> Json:
    """Return what of an action the page shows, in the page's words."""
    live = one.last
    category = category_of(live.state, live.status, live.cause, failed=one.failed)
    return {
        "path": one.path,
        "state": live.state,
        "status": live.status,
        "cause": live.cause,
        "run": live.run,
        "attempt": live.attempt,
        "aborting": live.aborting,
        "outcome_unknown": live.outcome_unknown,
        "failed": one.failed,
        "colour": colour_of(live.state, live.status, live.cause),
        "category": category,
        "progress": one.progress,
        "trouble": one.event_trouble,
        "on": one.on,
    }


INIT: Final = c.DoPhase(phase="INIT")


def made(*nodes: object, options: DispatchOptions | None = None) -> History:
    """Return the history of a shot with these actions; a server of SRV_A with two slots."""
    bench = Bench(*nodes, options=options, phases=("INIT", "PULSE", "STORE"))  # type: ignore[arg-type]
    bench.register("SRV_A:1", slots=2)
    for command in (c.CreatePulse(tree="T", shot=1), c.BuildTables(tree="T", shot=1)):
        assert bench.told(command, f"first-{command.verb}").outcome == "ok"
    history = History(bench)
    history.begin()
    return history


def a_phase() -> History:
    """Return a phase with progress, conditions and a failure, done twice."""
    history = made(
        action("ONE", 1),
        action("TWO", 2),
        action("AFTER", "ONE"),
        action("NOT", no("ONE")),
        action("BOTH", both("ONE", "TWO")),
        action("LATER", 1, phase="STORE"),
    )
    bench = history.bench
    for _ in range(2):
        history.command(INIT)
        history.step("the phase has begun")
        bench.start("ONE").pass_time(0.6)
        half = Progress(attempt=bench.attempt("ONE"), fraction=0.5, text="half")
        bench.from_server("SRV_A:1", half)
        history.step("ONE runs")
        bench.finish("ONE")
        history.step("ONE is done")
        bench.start("TWO").finish("TWO", ok=False).finish("AFTER").pass_time(0.6)
        history.step("the phase is over")
    history.command(c.DoPhase(phase="STORE"))
    bench.finish("LATER")
    history.step("another phase is over")
    return history


NEVER: Final = (
    action("ON", 10),
    action("OFF", 10, on=False),
    action("ASYNC", 10, asynchronous=True),
    action("BAD", -1),
    action("BROKEN", 10, unreadable="no such node"),
    action("ODD", None),
    action("BEYOND", 30),
)


def a_sequence() -> History:
    """Return a range over actions that are never dispatched."""
    history = made(*NEVER, action("OFF_AFTER", "ON", on=False))
    history.command(c.DoSequence(phase="INIT", first=1, last=20))
    history.step("the range has begun")
    history.bench.finish("ON")
    history.step("the range is over")
    history.command(INIT)
    history.step("the phase has begun")
    history.bench.finish("ON", "BEYOND")
    history.step("the phase is over")
    return history


def with_warnings() -> History:
    """Return the same where what is unreadable is no failure."""
    history = made(*NEVER, options=DispatchOptions(unreadable="warn"))
    history.command(c.DoSequence(phase="INIT", first=1, last=20))
    history.bench.finish("ON")
    history.step("the range is over")
    return history


def off_all_the_same() -> History:
    """Return an off action that was dispatched, and its phase done again."""
    history = made(action("ON", 10), action("OFF", 10, on=False))
    for _ in range(2):
        history.command(c.DispatchAction(path="OFF", insist=(Danger.OFF,)))
        history.step("OFF was dispatched all the same")
        history.bench.finish("OFF")
        history.step("OFF is done")
        history.command(INIT)
        history.step("the phase leaves it as it is")
        history.bench.finish("ON")
        history.step("the phase is over")
    return history


def in_an_open_run() -> History:
    """Return redispatches within an open run, of what is off, too."""
    history = made(action("ONE", 1), action("OFF", 1, on=False), action("TWO", 2))
    bench = history.bench
    history.command(INIT)
    bench.finish("ONE", ok=False)
    history.step("ONE has failed")
    history.command(c.DispatchAction(path="ONE"))
    history.command(c.DispatchAction(path="OFF", insist=(Danger.OFF,)))
    history.step("ONE and OFF are dispatched")
    bench.finish("ONE").finish("OFF").finish("TWO")
    history.step("the run is over")
    return history


def lost() -> History:
    """Return a lost server, an unknown outcome, the same again, and a late result."""
    history = made(action("ONE", 1), action("TWO", 2))
    bench = history.bench
    history.command(INIT)
    bench.start("ONE")
    history.step("ONE runs")
    first = bench.attempt("ONE")
    bench.judge("SRV_A:1", LivenessState.LOST)
    history.step("its server is lost")
    bench.pass_time(6.0)
    history.step("there is no server")
    bench.register("SRV_A:2")
    history.command(structs.replace(INIT, insist=(Danger.OUTCOME_UNKNOWN,)))
    history.step("the phase has begun again")
    bench.from_server("SRV_A:1", result(first, ended_by=EndedBy.RESULT))
    history.step("the first result comes late")
    bench.finish("ONE").finish("TWO")
    history.step("the phase is over")
    return history


def not_heard() -> History:
    """Return completion events that could not be raised, and what became of it."""
    one, two = (
        structs.replace(action(name, number), completion_event=f"{name}_DONE")
        for number, name in enumerate(("ONE", "TWO"), start=1)
    )
    history = made(one, two)
    bench = history.bench
    history.command(INIT)
    bench.answers_jobs = False
    bench.finish("ONE")
    bench.start("TWO")
    history.step("the event of ONE is being raised")
    bench.answer_jobs("no event server")
    history.step("the event of ONE was not raised")
    bench.finish("TWO").answer_jobs()
    history.step("the phase is over")
    bench.answers_jobs = True
    history.command(c.DispatchAction(path="ONE"))
    bench.start("ONE")
    history.step("ONE runs again")
    bench.finish("ONE")
    history.step("the event of ONE was raised")
    return history


def ended_by_people() -> History:
    """Return what was held, resumed, removed and aborted."""
    history = made(*(action(f"A{number}", number) for number in range(1, 6)))
    bench = history.bench
    history.command(INIT)
    bench.start("A1")
    history.command(c.Hold())
    bench.finish("A1")
    history.step("the run is held")
    history.command(c.Resume())
    bench.start("A2")
    history.step("it goes on")
    history.command(c.Abort(tree="T", shot=1, path="A2"))
    history.step("A2 is being aborted")
    bench.from_server("SRV_A:1", result(bench.attempt("A2"), ended_by=EndedBy.ABORT))
    history.step("A2 was aborted")
    history.command(c.Abort(tree="T", shot=1, path="A5"))
    history.step("A5 was removed")
    history.command(c.AbortPending(tree="T", shot=1))
    history.step("what was pending is removed")
    bench.finish("A3")
    history.step("the run is over")
    history.command(INIT)
    bench.start("A1")
    history.command(c.Abort(tree="T", shot=1))
    history.step("the next run is being aborted")
    bench.from_server("SRV_A:1", result(bench.attempt("A1"), ended_by=EndedBy.ABORT))
    history.step("the next run was aborted")
    return history


def given_back() -> History:
    """Return what came back unstarted."""
    history = made(action("ONE", 1), action("TWO", 1))
    bench = history.bench
    history.command(INIT)
    history.step("both were sent")
    bench.give_back("ONE")
    history.step("ONE came back")
    bench.register("SRV_A:2").finish("TWO")
    history.step("it is sent elsewhere")
    bench.finish("ONE")
    history.step("the phase is over")
    return history


def other_nodes() -> History:
    """Return nodes that were switched, and tables that were built anew between runs."""
    history = made(action("ONE", 1), action("TWO", 2), action("OLD", 3))
    bench = history.bench
    history.command(INIT)
    bench.finish("ONE").finish("TWO").finish("OLD")
    history.step("the phase is over")
    bench.nodes = (action("ONE", 1, on=False), *bench.nodes[1:])
    history.command(c.DispatchAction(path="ONE", insist=(Danger.OFF,)))
    bench.finish("ONE")
    history.step("ONE is off since, and was dispatched")
    bench.nodes = (action("ONE", 1, on=False), action("TWO", 2, on=False), action("NEW", 3))
    history.command(c.BuildTables(tree="T", shot=1))
    history.step("the table has other actions")
    history.command(INIT)
    bench.finish("NEW")
    history.step("the phase is over with them")
    bench.nodes = (action("ONE", 1), action("TWO", 2), action("NEW", 3))
    history.command(c.BuildTables(tree="T", shot=1, reset=True))
    history.step("all is forgotten")
    history.command(INIT)
    history.step("the phase has begun again")
    return history


def another_source() -> History:
    """Return a tree that was changed, changed back, changed again, and read anew."""
    history = made(action("ONE", 1))
    bench = history.bench
    bench.marks = (SourceMark(what="the tree", mark="before"),)
    history.command(c.BuildTables(tree="T", shot=1))
    history.step("the table has a source")
    for mark in ("after", "before", "later"):
        bench.marks = (SourceMark(what="the tree", mark=mark),)
        history.command(INIT)
        history.step("a run has looked")
        bench.finish("ONE")
        history.step("the phase is over")
    history.command(c.BuildTables(tree="T", shot=1))
    history.step("the table is the source's")
    return history


HISTORIES: Final[Sequence[Callable[[], History]]] = (
    a_phase,
    a_sequence,
    with_warnings,
    off_all_the_same,
    in_an_open_run,
    lost,
    not_heard,
    ended_by_people,
    given_back,
    other_nodes,
    another_source,
)


def text(histories: Sequence[History]) -> str:
    """Return the file: a history on each line."""
    titles = (one.__name__.replace("_", " ") for one in HISTORIES)
    told = (history.told(title) for title, history in zip(titles, histories, strict=True))
    lines = (json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in told)
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(text([one() for one in HISTORIES]), encoding="utf-8")
