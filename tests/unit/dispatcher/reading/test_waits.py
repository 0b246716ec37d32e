"""What pending actions wait for is told while a run is open, of every shot and of every action."""

import msgspec
from tests.support.dispatching import KEY, Bench
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.messages import LivenessState
from shotline.common.records import ShotKey
from shotline.common.views import ShotEvent
from shotline.dispatcher.reading.waits import ACTIONS_MAX, PERIOD_S

OTHER = ShotKey("U", 1)


def told(bench: Bench, key: ShotKey = KEY) -> dict[str, str]:
    """Return what was told last of each action of a shot, and forget the events."""
    found: dict[str, str] = {}
    for event in bench.events:
        if event.channel == f"shot/{key}":
            found |= dict(msgspec.json.decode(event.payload, type=ShotEvent).waits)
    return found


def phase(key: ShotKey = KEY) -> c.DoPhase:
    return c.DoPhase(tree=key.tree, shot=key.shot, phase="INIT")


def test_several_shots_with_open_runs_are_each_told_of() -> None:
    bench = Bench(action("ONE", 1), action("TWO", 2)).register("SRV_A:1")
    for key in (KEY, OTHER):
        bench.build(key).told(phase(key))
    bench.told(c.Hold(tree="U", shot=1))
    bench.pass_time(2 * PERIOD_S)
    assert told(bench) == {"TWO": "sequence number 2 of SRV_A: waits for ONE (1)"}
    assert told(bench, OTHER)["ONE"].startswith("resume: run 1 is HELD")


def test_it_is_told_again_only_when_it_has_changed() -> None:
    bench = Bench(action("ONE", 1), action("TWO", 2), action("THREE", 3)).register("SRV_A:1")
    bench.build().told(phase())
    bench.pass_time(2 * PERIOD_S)
    assert "ONE" in told(bench)["TWO"]
    bench.events.clear()
    bench.pass_time(4 * PERIOD_S)
    assert told(bench) == {}
    bench.start("ONE").finish("ONE").pass_time(2 * PERIOD_S)
    assert told(bench) == {"THREE": "sequence number 3 of SRV_A: waits for TWO (2)"}


def test_what_runs_on_a_silent_server_says_so_until_it_is_heard_again() -> None:
    bench = Bench(action("ONE", 1), action("TWO", 2)).register("SRV_A:1")
    bench.build().told(phase())
    bench.start("ONE").pass_time(2 * PERIOD_S)
    assert "ONE" not in told(bench)
    bench.judge("SRV_A:1", LivenessState.SUSPECT).pass_time(2 * PERIOD_S)
    assert told(bench)["ONE"] == "its end on SRV_A:1, which is silent"
    bench.judge("SRV_A:1", LivenessState.ALIVE).pass_time(2 * PERIOD_S)
    assert told(bench)["ONE"] == "its end on SRV_A:1"


def test_of_many_the_first_are_told_each_time_and_the_rest_in_turns() -> None:
    nodes = [action(f"A{number:04}", 1 + number) for number in range(4 * ACTIONS_MAX)]
    bench = Bench(*nodes).register("SRV_A:1")
    bench.build().told(phase())
    bench.pass_time(1.5 * PERIOD_S)
    assert set(told(bench)) == {node.path for node in nodes[1 : 2 * ACTIONS_MAX + 1]}
    bench.pass_time(3 * PERIOD_S)
    assert set(told(bench)) == {node.path for node in nodes[1:]}
