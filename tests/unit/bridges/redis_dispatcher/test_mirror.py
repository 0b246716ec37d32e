"""What old programs see of the feed, and that no END_PHASE is lost or told too early."""

import json
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from shotline.bridges.redis_dispatcher import changes as ch
from shotline.bridges.redis_dispatcher.changes import Change
from shotline.bridges.redis_dispatcher.mirror import LOOKS_MAX, Mirror
from shotline.client.observer import FeedStopped, News, Unknown, Whole
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.nodes import DispatchOptions
from shotline.common.records import (
    Counts,
    PulseCreated,
    Record,
    RunEnded,
    RunKind,
    RunOpened,
    RunOutcome,
    ShotKey,
    TableBuilt,
    Transition,
)
from shotline.common.views import (
    ActionView,
    FeedBeat,
    RunView,
    ServersEvent,
    ServerView,
    ShotEvent,
    ShotView,
    SnapshotResult,
)

KEY = ShotKey("TEST", 5)
PATHS = ("P:A", "P:B")


def live(path: str, state: ActionState = ActionState.NOT_DISPATCHED, **more: object) -> Transition:
    return msgspec.convert({"time": 1.0, "path": path, "state": state, **more}, Transition)


def doing(path: str, attempt: int = 1) -> Transition:
    return live(path, ActionState.DOING, attempt=attempt, run=1, server="A:1")


def done(path: str, attempt: int = 1) -> Transition:
    more = {"status": Status.SUCCESS, "cause": Cause.RESULT, "server": "A:1", "run": 1}
    return live(path, ActionState.DONE, attempt=attempt, **more)


def view(last: Transition, server_class: str = "A", phase: str = "Init") -> ActionView:
    return ActionView(
        path=last.path, name=last.path, nid=3, server_class=server_class, phase=phase, last=last
    )


def opened(
    run: int, paths: Sequence[str] = PATHS, kind: RunKind = RunKind.PHASE, phase: str = "Init"
) -> RunOpened:
    time = 100.0 + run
    return RunOpened(time=time, run=run, kind=kind, phase=phase, paths=tuple(paths))


def over(run: int) -> RunEnded:
    return RunEnded(time=200.0 + run, run=run, outcome=RunOutcome.COMPLETED, counts=Counts())


def run_view(run: int, state: str, kind: RunKind = RunKind.PHASE) -> RunView:
    return msgspec.convert(
        {"tree": "TEST", "shot": 5, "run": run, "kind": kind, "phase": "Init", "state": state}
        | {"opened_at": 100.0 + run, "counts": Counts()},
        RunView,
    )


def whole(
    actions: Iterable[Transition] = (), runs: Iterable[RunView] = (), key: ShotKey = KEY
) -> Whole:
    channel = f"shot/{key.tree}/{key.shot}"
    shot = ShotView(tree=key.tree, shot=key.shot, built_at=50.0, runs=tuple(runs), current=True)
    snapshot = SnapshotResult(
        channel=channel, term=1, seq=0, shot=shot, actions=tuple(view(one) for one in actions)
    )
    return Whole(channel, snapshot)


def news(*records: Record, key: ShotKey = KEY) -> News:
    return News(f"shot/{key.tree}/{key.shot}", 1.0, ShotEvent(records=records))


def published(changes: Iterable[Change]) -> list[str]:
    return [change.text for change in changes if isinstance(change, ch.Publish)]


def keys(changes: Iterable[Change], before: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return the hashes after the changes, as Redis would have them."""
    hashes = {name: dict(fields) for name, fields in before.items()}
    for change in changes:
        match change:
            case ch.SetFields(key, fields):
                hashes.setdefault(key, {}).update(fields)
            case ch.ReplaceShot(key, replaced):
                name = f":{key.tree}:{key.shot}"
                info = ("ACTION_INFO", "ACTION_STATUS", "ACTION_SERVER_INFO", "ACTION_PHASE_INFO")
                for old in [one for one in hashes if one.startswith(info) and name in one]:
                    del hashes[old]
                hashes.update((one, dict(fields)) for one, fields in replaced)
    return hashes


def started(*, shots: Sequence[ShotKey] = ()) -> Mirror:
    mirror = Mirror()
    mirror.known_before(shots)
    return mirror


def ends(mirror: Mirror) -> list[str]:
    return [one.text for one in mirror.due()]


END = "END_PHASE+TEST+5+Init"


def test_a_run_is_mirrored_with_its_messages() -> None:
    mirror = started()
    found = keys(mirror.take(whole(map(live, PATHS))), {})
    assert found["ACTION_INFO:TEST:5:A"] == dict.fromkeys(PATHS, "NOT_DISPATCHED")
    assert found["ACTION_PHASE_INFO:TEST:5"] == dict.fromkeys(PATHS, "INIT")
    found = keys(mirror.take(news(opened(1))), found)
    assert found["CURRENT_PHASE"] == {"TEST": "Init"}
    changes = mirror.take(news(doing("P:A"), done("P:A"), doing("P:B")))
    assert published(changes) == [
        "DOING+TEST+5+A+1+P:A+3",
        "DONE+TEST+5+A+1+P:A+3+Success",
        "DOING+TEST+5+A+1+P:B+3",
    ]
    found = keys(changes, found)
    assert found["ACTION_INFO:TEST:5:A"] == {"P:A": "DONE", "P:B": "DOING"}
    assert found["ACTION_STATUS:TEST:5"] == {"P:A": "Success", "P:B": "None"}
    assert [one.path for one in changes if isinstance(one, ch.FetchOutput)] == ["P:A"]
    assert ends(mirror) == []
    mirror.take(news(done("P:B"), over(1)))
    assert ends(mirror) == [END]
    mirror.announced(KEY, 1)
    assert ends(mirror) == []


def test_an_end_comes_without_its_beginning_and_is_told_once() -> None:
    mirror = started()
    mirror.take(whole(map(live, PATHS)))
    assert published(mirror.take(news(opened(1), done("P:A")))) == [
        "DOING+TEST+5+A+1+P:A+3",
        "DONE+TEST+5+A+1+P:A+3+Success",
    ]
    assert published(mirror.take(whole([done("P:A"), live("P:B")], [run_view(1, "open")]))) == []
    again = mirror.take(whole([done("P:A", 2), live("P:B")], [run_view(1, "open")]))
    assert len(published(again)) == 2  # a second attempt was missed, and is told late


def test_a_missed_end_of_a_run_is_told_after_the_next_whole() -> None:
    mirror = started()
    mirror.take(whole(map(live, PATHS)))
    mirror.take(news(opened(1)))
    mirror.take(whole(map(done, PATHS), [run_view(1, "ended")]))
    assert ends(mirror) == [END]


def test_a_shot_that_came_and_went_before_its_first_snapshot_is_told() -> None:
    mirror = started()
    changes = mirror.take(whole(map(done, PATHS), [run_view(1, "ended")]))
    assert ends(mirror) == [END]
    assert len(published(changes)) == 4


def test_the_past_of_a_shot_that_was_there_before_is_not_told() -> None:
    mirror = started(shots=[KEY])
    changes = mirror.take(whole(map(done, PATHS), [run_view(1, "ended"), run_view(2, "open")]))
    assert published(changes) == []
    assert [one for one in changes if isinstance(one, ch.FillOutputs)]
    assert ends(mirror) == []
    mirror.take(news(over(2)))
    assert ends(mirror) == [END]


def test_a_run_that_an_old_program_began_is_told_whatever_was_there_before() -> None:
    mirror = started(shots=[KEY])
    mirror.begun(KEY, 2)
    mirror.take(whole((), [run_view(1, "ended"), run_view(2, "ended")]))
    assert [one.run for one in mirror.due()] == [2]


def test_what_a_bridge_before_did_not_tell_is_told_by_the_next() -> None:
    mirror = Mirror()
    mirror.remember({KEY: 1})
    mirror.known_before([KEY])
    mirror.take(whole((), [run_view(1, "ended"), run_view(2, "ended")]))
    assert [one.run for one in mirror.due()] == [2]


def test_runs_that_count_anew_are_told() -> None:
    mirror = Mirror()
    mirror.remember({KEY: 7})
    mirror.known_before([KEY])
    mirror.take(whole((), [run_view(1, "open")]))
    mirror.take(news(over(1)))
    assert ends(mirror) == [END]


def test_an_open_run_that_shotline_has_lost_is_told_as_ended() -> None:
    mirror = started()
    mirror.take(whole(map(live, PATHS)))
    mirror.take(news(opened(1)))
    assert published(mirror.take(whole())) == [END]
    mirror.take(news(opened(1), over(1)))
    assert ends(mirror) == [END]


def test_a_shot_that_is_not_found_is_looked_for_again_before_its_run_counts_as_over() -> None:
    mirror = started()
    mirror.take(whole(map(live, PATHS)))
    mirror.take(news(opened(1)))
    for _ in range(LOOKS_MAX - 1):
        assert mirror.take(Unknown("shot/TEST/5", "gone")) == [ch.LookAgain(KEY)]
        assert ends(mirror) == []
    mirror.take(Unknown("shot/TEST/5", "gone"))
    assert ends(mirror) == [END]


def test_a_redispatch_ends_no_phase() -> None:
    mirror = started()
    mirror.take(whole(map(live, PATHS)))
    mirror.take(news(opened(1, ["P:A"], RunKind.SINGLE), done("P:A"), over(1)))
    assert ends(mirror) == []
    assert not mirror.shots[KEY].is_open


def test_a_new_pulse_clears_its_keys_and_is_the_default() -> None:
    mirror = started()
    found = keys(mirror.take(whole(map(live, PATHS))), {})
    found = keys(mirror.take(news(PulseCreated(time=1.0, replaced=True))), found)
    assert not [name for name in found if name.startswith("ACTION_")]
    assert found["DISPATCH_DEFAULT"] == {"TREE": "TEST", "SHOT": "5"}
    assert found["DISPATCH_INFO"] == {"CURR_TREE": "TEST", "CURR_SHOT": "5"}
    built = TableBuilt(time=2.0, actions=(), options=DispatchOptions())
    assert ch.Refresh(KEY) in mirror.take(news(built))


def test_only_the_experiments_that_are_asked_for() -> None:
    mirror = Mirror(["TEST"])
    assert mirror.take(whole([live("P:A")], key=ShotKey("OTHER", 1))) == []
    assert mirror.wants("TEST")
    assert mirror.take(whole([live("P:A")]))


def test_an_action_is_found_where_it_runs_or_waits() -> None:
    mirror = started()
    other = ShotKey("TEST", 6)
    mirror.take(whole([done("P:A"), live("P:B")]))
    mirror.take(whole([doing("P:A"), live("P:B")], key=other))
    assert mirror.holders("A", "P:A") == [other]
    assert mirror.holders("B", "P:A") == []
    assert mirror.holders("A", "P:B") == []
    mirror.take(news(opened(1)))
    assert mirror.holders("A", "P:B") == [KEY]


def test_servers_are_on_while_somebody_vouches_for_them() -> None:
    def server(liveness: str) -> ServerView:
        return msgspec.convert(
            {"server": "A:1", "server_class": "A", "server_id": "1", "liveness": liveness}
            | {"host": "rack3", "address": "10.7.3.1", "busy": ("TEST/5 P:A",)},
            ServerView,
        )

    mirror = started()
    found = keys(mirror.take(News("servers", 1.0, ServersEvent(servers=(server("alive"),)))), {})
    assert found == {
        "ACTION_SERVER_ACTIVE:A": {"1": "ON"},
        "ACTION_SERVER_DOING:A": {"1": "1"},
        "ACTION_SERVER_IP:A": {"1": "10.7.3.1"},
    }
    beat = News("feed", 1.0, FeedBeat(last={}, journal="ok"))
    assert ch.AddOne("ACTION_SERVER_HEARTBEAT:A", "1") in mirror.take(beat)
    assert mirror.servers.calls() == [ch.Publish("ACTION_SERVER_PUBSUB:A", "HEARTBEAT+1")]
    found = keys(mirror.take(FeedStopped("servers", 5.0)), found)
    assert found["ACTION_SERVER_ACTIVE:A"] == {"1": "OFF"}
    assert keys(mirror.take(beat), found)["ACTION_SERVER_ACTIVE:A"] == {"1": "ON"}
    mirror.take(News("servers", 1.0, ServersEvent(servers=(server("lost"),))))
    assert mirror.take(beat) == mirror.servers.calls() == []
    gone = SnapshotResult(channel="servers", term=1, seq=1)
    assert keys(mirror.take(Whole("servers", gone)), found)["ACTION_SERVER_ACTIVE:A"]["1"] == "OFF"


def test_a_class_that_never_had_a_server_is_off_by_its_first() -> None:
    off = {"1": "OFF"}
    mirror = started()
    mirror.take(whole([live("P:A")]))
    servers = Whole("servers", SnapshotResult(channel="servers", term=1, seq=1))
    assert keys(mirror.take(servers), {})["ACTION_SERVER_ACTIVE:A"] == off
    assert keys(mirror.everything(), {})["ACTION_SERVER_ACTIVE:A"] == off
    other = whole([live("P:A")], key=ShotKey("TEST", 6))
    assert keys(mirror.take(other), {})["ACTION_SERVER_ACTIVE:A"] == off
    second = ServerView(server="A:2", server_class="A", server_id="2", liveness="alive")
    mirror.take(News("servers", 1.0, ServersEvent(servers=(second,))))
    assert keys(mirror.everything(), {})["ACTION_SERVER_ACTIVE:A"] == {"2": "ON"}


def test_a_run_of_an_older_shot_changes_the_phase_and_not_the_pulse() -> None:
    mirror = started()
    mirror.take(whole(map(live, PATHS)))
    mirror.take(news(PulseCreated(time=1.0), key=KEY))
    older = whole(map(live, PATHS), key=ShotKey("TEST", 4))
    assert older.snapshot.shot is not None
    not_current = structs.replace(older.snapshot.shot, current=False)
    mirror.take(Whole(older.channel, structs.replace(older.snapshot, shot=not_current)))
    found = keys(mirror.take(news(opened(1), key=ShotKey("TEST", 4))), {})
    assert found["DISPATCH_INFO"] == {"CURR_TREE": "TEST", "CURR_SHOT": "5", "CURR_PHASE": "Init"}


def test_what_is_news_is_the_latest_also_when_the_clock_was_set_back() -> None:
    mirror, other = started(), ShotKey("TEST", 4)
    mirror.take(whole(map(live, PATHS)))
    mirror.take(news(opened(9, phase="Store")))
    mirror.take(whole(map(live, PATHS), key=other))
    found = keys(mirror.take(news(opened(1), key=other)), {})
    assert found["CURRENT_PHASE"] == {"TEST": "Init"}
    assert found["DISPATCH_INFO"]["CURR_PHASE"] == "Init"
    built = TableBuilt(time=1.0, actions=(), options=DispatchOptions())
    [text] = [
        one.text for one in mirror.take(news(built, key=other)) if isinstance(one, ch.SetText)
    ]
    assert json.loads(text) == {"tree": "TEST", "shot": "4"}


def test_quiet_shots_are_left_but_none_whose_end_is_owed() -> None:
    mirror = Mirror(shots_max=2)
    mirror.known_before([])
    mirror.take(whole(map(live, PATHS)))
    mirror.take(news(opened(1)))
    for shot in (6, 7, 8):
        changes = mirror.take(whole([live("P:A")], key=ShotKey("TEST", shot)))
    assert [one.key.shot for one in changes if isinstance(one, ch.Leave)] == [7]
    assert [key.shot for key in mirror.shots] == [5, 8]
    mirror.take(news(over(1)))
    mirror.take(whole([live("P:A")], key=ShotKey("TEST", 9)))
    assert ends(mirror) == [END]


STEPS: tuple[Record, ...] = (
    opened(1),
    doing("P:A"),
    done("P:A"),
    doing("P:B"),
    live("P:B", ActionState.ABORTED, attempt=1, run=1, cause=Cause.OPERATOR, server="A:1"),
    over(1),
    opened(2, ["P:B"], RunKind.SINGLE),
    doing("P:B", 2),
    done("P:B", 2),
    over(2),
)


@given(st.lists(st.sampled_from(["news", "missed", "whole"]), min_size=10, max_size=10))
def test_keys_and_ends_do_not_depend_on_what_was_missed(fates: list[str]) -> None:
    """Whatever part of the feed is lost and made up for by a snapshot, the same comes out."""
    truth = started()
    truth.take(whole(map(live, PATHS)))
    mirror = started()
    found = keys(mirror.take(whole(map(live, PATHS))), {})
    messages: list[str] = []
    missed = False
    for step, fate in zip(STEPS, fates, strict=True):
        truth.take(news(step))
        if fate == "news" and not missed:
            changes = mirror.take(news(step))
        elif fate == "whole":
            missed = False
            changes = mirror.take(snapshot_of(truth))
        else:
            missed = True
            continue
        messages += published(changes)
        found = keys(changes, found)
    changes = mirror.take(snapshot_of(truth))
    messages += published(changes)
    found = keys(changes, found)
    assert found == keys(mirror.everything(), found)
    assert found["ACTION_STATUS:TEST:5"] == dict.fromkeys(PATHS, "Success")
    assert ends(mirror) == [END]
    of_b = [text for text in messages if "P:B" in text]
    assert of_b[-2:] == ["DOING+TEST+5+A+1+P:B+3", "DONE+TEST+5+A+1+P:B+3+Success"]
    # Of the first attempt, which was aborted, as much as was seen, and that once.
    first = ["DOING+TEST+5+A+1+P:B+3", "DONE+TEST+5+A+1+P:B+3+Aborted"]
    assert of_b[:-2] in ([], first[:1], first[1:], first)
    assert [text for text in messages if "P:A" in text] == [
        "DOING+TEST+5+A+1+P:A+3",
        "DONE+TEST+5+A+1+P:A+3+Success",
    ]


def snapshot_of(mirror: Mirror) -> Whole:
    """Return the whole as a dispatcher would send it that has seen everything."""
    shot = mirror.shots[KEY]
    runs = list(shot.board.runs.values())
    return whole([one.last for one in shot.board.actions.values()], runs)


@pytest.mark.parametrize("name", ["shot/TEST/x", "output/TEST/5/P:A", "log"])
def test_other_channels_are_nothing_to_it(name: str) -> None:
    assert started().take(Unknown(name, "")) == []
