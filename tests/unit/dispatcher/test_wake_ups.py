"""How often the dispatcher wakes up by itself, and how soon it tells of what its servers tell."""

from tests.support.dispatching import Bench
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.channels import SERVERS
from shotline.dispatcher.core import BEATS_GATHER_S, SERVERS_GATHER_S


def running() -> Bench:
    bench = Bench(action("ONE", 1), action("TWO", 2)).register("SRV_A:1").build()
    bench.told(c.DoPhase(phase="INIT"))
    return bench.start("ONE").pass_time(5.0)


def wake_ups(bench: Bench, seconds: float) -> int:
    until, found = bench.now + seconds, 0
    while (due := bench.wake_at()) is not None and due <= until:
        bench.set_time(due)
        bench.wake()
        found += 1
    return found


def told(bench: Bench) -> int:
    return len([one for one in bench.events if one.channel == SERVERS])


def test_what_recurs_falls_due_together() -> None:
    bench = running()
    assert 15 <= wake_ups(bench, 10.0) <= 22


def test_it_falls_due_once_at_a_time_whatever_the_period() -> None:
    bench = Bench(action("ONE", 1)).configure(broker={"heartbeat_s": 0.7})
    assert wake_ups(bench, 70.0) < 70 * (1 + 2 / 0.7)


def test_news_of_a_server_is_told_in_a_moment() -> None:
    bench = running()
    before = told(bench)
    bench.beat("SRV_A:1", 1, full=True).pass_time(SERVERS_GATHER_S)
    assert told(bench) == before + 1


def test_that_a_server_is_still_there_is_told_once_a_second() -> None:
    bench = running()
    bench.beat("SRV_A:1", 1).pass_time(BEATS_GATHER_S)
    before, seen_at = told(bench), bench.wall
    for _ in range(9):
        bench.beat("SRV_A:1", 1).set_time(bench.now + 0.1)
    bench.pass_time(BEATS_GATHER_S)
    assert before < told(bench) <= before + 2
    (view,) = bench.servers()
    assert view.last_seen_at is not None
    assert view.last_seen_at > seen_at
