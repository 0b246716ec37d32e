"""The fold of the feed: what pages are told of shots, runs, servers and the system."""

import json
from collections.abc import Iterable

import msgspec
from msgspec import structs
from tests.support import steps

from shotline.client.board import RUNS_MAX
from shotline.client.observer import FeedStopped, News, Unknown, Whole
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.machine import Instant
from shotline.common.nodes import ActionNode
from shotline.common.records import (
    Counts,
    NodeRead,
    PulseCreated,
    Record,
    RunEnded,
    RunKind,
    RunOpened,
    RunOutcome,
    RunPutOnHold,
    ShotKey,
    Transition,
)
from shotline.common.views import (
    ActionView,
    FeedBeat,
    RunView,
    ServersEvent,
    ServerView,
    ShotEvent,
    ShotsResult,
    ShotView,
    SnapshotResult,
    StatusResult,
)
from shotline.monitor.view import UNKNOWN_MAX, View, ViewSettings
from shotline.monitor.view.effects import (
    AskSystem,
    Drop,
    Effect,
    End,
    Open,
    Post,
    Refresh,
    Unfollow,
)

A, B = "\\T::TOP:A", "\\T::TOP:B"
Message = dict[str, object]


def view(**settings: int) -> View:
    return View(
        ViewSettings(broker="tcp://b", version="1", life="x", expected=("S:1",), **settings)  # type: ignore[arg-type]
    )


def now(mono: float = 10.0) -> Instant:
    return Instant(mono, 1000.0 + mono)


def live(path: str, state: ActionState, run: int | None = None, **fields: object) -> Transition:
    return msgspec.convert(
        {"time": 5.0, "path": path, "state": state, "run": run} | fields, Transition
    )


def pending(path: str) -> Transition:
    return live(path, ActionState.NOT_DISPATCHED)


def done(path: str, run: int) -> Transition:
    return live(path, ActionState.DONE, run, attempt=1, status=Status.FAILURE, cause=Cause.TIMEOUT)


def action(last: Transition) -> ActionView:
    return ActionView(path=last.path, name=last.path, server_class="S", phase="INIT", last=last)


def snapshot(
    *actions: Transition,
    runs: tuple[RunView, ...] = (),
    shot: int = 1,
    built_at: float = 1.0,
    current: bool = False,
) -> Whole:
    about = ShotView(tree="T", shot=shot, built_at=built_at, runs=runs, current=current)
    channel = f"shot/T/{shot}"
    return Whole(
        channel,
        SnapshotResult(
            channel=channel, term=1, seq=1, shot=about, actions=tuple(map(action, actions))
        ),
    )


def news(
    *records: Record, shot: int = 1, progress: tuple[tuple[str, float, str], ...] = ()
) -> News:
    return News(f"shot/T/{shot}", 6.0, ShotEvent(records=records, progress=progress))


def run(state: str = "open", number: int = 1) -> RunView:
    return msgspec.convert(
        {
            "tree": "T",
            "shot": 1,
            "run": number,
            "kind": "phase",
            "phase": "INIT",
            "state": state,
            "opened_at": 2.0,
            "counts": Counts(),
        },
        RunView,
    )


OPENED = RunOpened(time=3.0, run=1, kind=RunKind.PHASE, phase="INIT", paths=(A, B))
ENDED = RunEnded(time=9.0, run=1, outcome=RunOutcome.COMPLETED, counts=Counts(failed=2))


def told(effects: Iterable[Effect], channel: str) -> list[Message]:
    return [
        json.loads(b"{" + one.body)
        for one in effects
        if isinstance(one, Post) and one.channel == channel
    ]


def commands(messages: list[Message]) -> list[object]:
    return [message["command"] for message in messages]


def test_a_run_is_told_on_the_shots_channel_and_on_its_own() -> None:
    one = view()
    first = list(one.take(now(), snapshot(pending(A), pending(B))))
    assert Open("T/1", "") in first
    assert commands(told(first, "T/1")) == ["WHOLE"]
    effects = list(
        one.take(
            now(), news(OPENED, live(A, ActionState.DISPATCHED, 1, attempt=1), done(A, 1), ENDED)
        )
    )
    assert commands(told(effects, "T/1")) == [
        "RUN_OPENED",
        "ACTION",
        "TASK",
        "RUN_CHANGED",
        "COUNTS",
    ]
    mine = told(effects, "T/1/INIT/1")
    assert commands(mine) == ["STARTED", "ACTION", "TASK", "FINISHED"]
    assert mine[2]["task_state"] == "FAILED"
    assert mine[2]["failed"] is True
    assert End("T/1/INIT/1") in effects
    assert told(effects, "T/1")[0]["reset"] == [[0, 1]]  # places in the table
    assert told(effects, "T/1")[-1]["counts"] == {"pending": 1, "failed": 1}


def test_a_run_of_some_actions_names_them() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), pending(B))))
    effects = list(one.take(now(), news(structs.replace(OPENED, paths=(B,)))))
    assert told(effects, "T/1")[0]["reset"] == [[1, 1]]


def test_what_limits_a_run_is_told_only_when_it_changes() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), pending(B))))
    list(one.take(now(), news(OPENED, live(A, ActionState.DOING, 1, attempt=1, started_at=5.0))))
    shot = one.shots[ShotKey("T", 1)]
    shot.durations.note(
        ShotKey("T", 9), structs.replace(done(A, 1), status=Status.SUCCESS, duration_s=9.0)
    )

    def told_at(mono: float) -> list[Message]:
        return told(steps.done(shot.estimating(now(mono), {"S": 1}, 1.5))[1], "T/1")

    assert commands(told_at(-994.0)) == ["ESTIMATE", "LIMITS"]
    assert commands(told_at(-993.0)) == ["ESTIMATE"]
    assert commands(told_at(-993.0)) == []
    whole = json.loads(b"{" + shot.whole(1.0))
    assert set(whole["estimate"]) == {"run", "remaining_s", "known", "critical", "slow"}


def test_what_was_missed_is_told_as_the_latest_of_what_has_changed() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), pending(B))))
    list(one.take(now(), news(OPENED)))
    later = snapshot(done(A, 1), pending(B), runs=(run("held"),))
    effects = list(one.take(now(), later))
    assert commands(told(effects, "T/1")) == ["TASK", "ACTION", "COUNTS", "RUN_CHANGED"]
    assert told(effects, "T/1")[0]["task_id"] == A


def test_a_table_that_was_built_anew_is_told_whole() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A))))
    effects = list(one.take(now(), snapshot(pending(A), pending(B), built_at=2.0)))
    assert commands(told(effects, "T/1")) == ["WHOLE"]


def test_a_node_that_was_read_again_has_the_whole_asked_for() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A))))
    node = ActionNode(path=A, name="A", server_class="OTHER", phase="INIT")
    effects = list(one.take(now(), news(NodeRead(time=7.0, node=node))))
    assert Refresh("T", 1) in effects
    changed = snapshot(pending(A))
    assert changed.snapshot.shot is not None
    other = structs.replace(changed.snapshot.actions[0], server_class="OTHER")
    again = Whole(changed.channel, structs.replace(changed.snapshot, actions=(other,)))
    effects = list(one.take(now(), again))
    (message,) = told(effects, "T/1")
    assert (message["command"], message["task_id"]) == ("NODE", A)


def test_an_open_run_from_before_this_monitor_has_a_channel_that_says_so() -> None:
    one = view()
    effects = list(one.take(now(), snapshot(done(A, 1), pending(B), runs=(run(),))))
    opened = [effect for effect in effects if isinstance(effect, Open)]
    assert [bool(effect.lacks) for effect in opened] == [True, True]
    assert commands(told(effects, "T/1/INIT/1")) == ["STARTED", "TASK"]


def test_a_held_run_is_told_and_its_channel_stays() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), pending(B))))
    list(one.take(now(), news(OPENED)))
    effects = list(one.take(now(), news(RunPutOnHold(time=4.0, run=1, reason="too old"))))
    (message,) = told(effects, "T/1/INIT/1")
    assert message["run"]["state"] == "held"  # type: ignore[index]
    assert not any(isinstance(effect, End) for effect in effects)


def test_the_current_pulse_is_told() -> None:
    one = view()
    effects = list(one.take(now(), snapshot(pending(A), current=True)))
    assert "CURRENT" in commands(told(effects, "system"))
    assert one.system.current == ("T", 1)
    list(one.take(now(), snapshot(shot=2)))
    effects = list(one.take(now(), news(PulseCreated(time=8.0), shot=2)))
    assert one.system.current == ("T", 2)
    assert commands(told(effects, "T/2")) == ["PULSE"]


def test_the_shot_that_was_quiet_longest_makes_room_for_a_new_one() -> None:
    one = view(shots_max=2)
    for number in (1, 2):
        list(one.take(now(float(number)), snapshot(pending(A), shot=number)))
    effects = list(one.take(now(3.0), snapshot(pending(A), shot=3)))
    assert Unfollow("T", 1) in effects
    assert Drop("T/1") in effects
    assert set(one.shots) == {ShotKey("T", 2), ShotKey("T", 3)}
    assert {shot.shot for shot in one.all_shots()} == {1, 2, 3}


def test_a_shot_with_an_open_run_is_never_dropped() -> None:
    one = view(shots_max=1)
    list(one.take(now(1.0), snapshot(pending(A), runs=(run(),))))
    list(one.take(now(2.0), snapshot(pending(A), shot=2)))
    assert ShotKey("T", 1) in one.shots


def server(liveness: str = "alive", seen: float = 1.0, name: str = "S:1") -> ServerView:
    return msgspec.convert(
        {
            "server": name,
            "server_class": "S",
            "server_id": name[2:],
            "liveness": liveness,
            "last_seen_at": seen,
            "round_trip_s": seen / 1000,
        },
        ServerView,
    )


def servers(*views: ServerView, term: int = 1) -> Whole:
    return Whole("servers", SnapshotResult(channel="servers", term=term, seq=1, servers=views))


def test_expected_servers_are_shown_also_while_they_are_absent() -> None:
    one = view()
    assert [(each.server, each.liveness) for each in one.all_servers()] == [("S:1", "absent")]
    effects = list(one.take(now(), servers(server("suspect", name="S:2"))))
    assert [message["task_state"] for message in told(effects, "servers")] == ["SUSPECT"]
    assert [each.server for each in one.all_servers()] == ["S:2", "S:1"]


def test_heartbeats_are_kept_up_to_their_number() -> None:
    one = view(heartbeats_max=3)
    for beat in range(1, 6):
        list(one.take(now(), News("servers", 1.0, ServersEvent(servers=(server(seen=beat),)))))
    whole = json.loads(b"{" + (one.whole("servers", 1.0) or b""))
    assert whole["heartbeats"] == {"S:1": [[3.0, 0.003], [4.0, 0.004], [5.0, 0.005]]}


def test_a_feed_that_has_stopped_is_said_with_its_time_until_it_is_back() -> None:
    one = view()
    assert AskSystem() in list(one.take(now(), servers()))
    effects = list(one.take(now(20.0), FeedStopped("servers", 5.0)))
    (message,) = told(effects, "system")
    assert message["system"]["feed"] == "stopped"  # type: ignore[index]
    assert message["system"]["feed_stopped_at"] == 1015.0  # type: ignore[index]
    effects = list(one.take(now(30.0), servers()))
    assert told(effects, "system")[0]["system"]["feed"] == "live"  # type: ignore[index]
    assert AskSystem() in effects


def test_a_degraded_journal_is_told_at_once() -> None:
    one = view()
    effects = list(one.take(now(), News("feed", 1.0, FeedBeat(last={}, journal="degraded"))))
    assert told(effects, "system")[0]["system"]["journal"] == "degraded"  # type: ignore[index]


def test_progress_is_told_where_it_belongs() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), pending(B))))
    list(one.take(now(), news(OPENED, live(A, ActionState.DOING, 1, attempt=1))))
    effects = list(one.take(now(), news(progress=((A, 0.5, "half"),))))
    for channel in ("T/1", "T/1/INIT/1"):
        (message,) = told(effects, channel)
        assert (message["command"], message["progress"], message["text"]) == (
            "PROGRESS",
            0.5,
            "half",
        )


def test_what_is_known_of_shots_and_servers_is_bounded() -> None:
    one = view(shots_max=2, shots_listed_max=3, servers_gone_max=2)
    told_of: list[Message] = []
    for shot in range(1, 12):
        effects = one.take(now(shot), snapshot(pending(A), shot=shot, built_at=float(shot)))
        told_of += told(effects, "system")
        told_of += told(one.take(now(), Unknown(f"shot/T/{1000 + shot}", "unknown")), "system")
    assert [key.shot for key in one.listed] == [7, 8, 9]
    gone = [one["shot"] for one in told_of if one["command"] == "GONE"]
    assert gone == [1, 2, 3, 4, 5, 6]
    for shot in range(3 * UNKNOWN_MAX):
        list(one.take(now(), Unknown(f"shot/T/{2000 + shot}", "unknown")))
    assert len(one.unknown) == UNKNOWN_MAX
    names = [f"S:{number}" for number in range(2, 9)]
    list(one.take(now(), servers(*(server(name=name, seen=float(name[2:])) for name in names))))
    effects = list(one.take(now(), servers(server(name="S:8", seen=9.0))))
    left = {each.server: each.liveness for each in one.all_servers()}
    assert left == {"S:8": "alive", "S:1": "absent", "S:6": "absent", "S:7": "absent"}
    forgotten = [each["task_id"] for each in told(effects, "servers") if each["command"] == "GONE"]
    assert forgotten == ["S:2", "S:3", "S:4", "S:5"]
    assert set(one.heartbeats) == {"S:6", "S:7", "S:8"}


def test_shots_that_the_dispatcher_has_forgotten_are_listed_no_more() -> None:
    one = view()
    first, second = (ShotView(tree="T", shot=shot) for shot in (1, 2))
    status = StatusResult(term=1, dispatcher="d", started_at=1.0, journal="ok")
    list(one.status(now(), status, ShotsResult(shots=(first, second))))
    effects = list(one.status(now(), status, ShotsResult(shots=(second,))))
    assert [message["shot"] for message in told(effects, "system")] == [1]
    assert list(one.listed) == [ShotKey("T", 2)]


def test_of_very_many_runs_of_a_shot_the_last_are_kept() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), pending(B))))
    for number in range(1, 3 * RUNS_MAX):
        opened = structs.replace(OPENED, run=number)
        list(one.take(now(), news(opened, structs.replace(ENDED, run=number))))
    assert list(one.shots[ShotKey("T", 1)].board.runs) == list(range(2 * RUNS_MAX, 3 * RUNS_MAX))


def test_what_was_missed_of_a_run_is_told_on_its_channel_before_its_end() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), pending(B))))
    list(one.take(now(), news(OPENED)))
    effects = list(one.take(now(), snapshot(done(A, 1), done(B, 1), runs=(run("ended"),))))
    assert commands(told(effects, "T/1/INIT/1")) == ["TASK", "TASK", "ABORTED"]


def test_runs_that_are_counted_anew_replace_those_before() -> None:
    one = view()
    list(one.take(now(), snapshot(pending(A), runs=(run(number=7),))))
    list(one.take(now(), snapshot(pending(A), runs=(run(number=1), run(number=2)))))
    assert list(one.shots[ShotKey("T", 1)].board.runs) == [1, 2]


def test_text_from_trees_is_told_as_it_stands() -> None:
    one = view()
    name = '<img src=x onerror=alert(1)>"\\\n\x1b[31m'
    effects = list(one.take(now(), snapshot(live(name, ActionState.NOT_DISPATCHED))))
    actions = told(effects, "T/1")[0]["actions"]
    assert isinstance(actions, list)
    assert actions[0]["path"] == name


def test_what_actions_wait_for_is_told_for_every_shot_on_its_own_channel() -> None:
    seen = view()
    for shot in (1, 2):
        list(seen.take(now(), snapshot(pending(A), pending(B), shot=shot)))
    for shot, words in ((1, "a free slot of class S"), (2, "resume: run 1 is HELD")):
        event = ShotEvent(waits=((A, words), ("\\T::TOP:GONE", "nothing")))
        effects = seen.take(now(), News(f"shot/T/{shot}", 6.0, event))
        (message,) = told(effects, f"T/{shot}")
        assert (message["command"], message["waits"]) == ("WAITS", {A: words})
        assert seen.shots[ShotKey("T", shot)].board.actions[A].waits_for == words
