"""What a server tells of itself beside its heartbeats, decided without a process."""

import pytest
from tests.unit.action_server.world import World

from shotline.action_server.events import (
    Connected,
    Measure,
    Measured,
    TaskEnded,
    WorkerExited,
    WorkerReady,
)
from shotline.action_server.task.channel import Ended
from shotline.common.codec import decode, encode
from shotline.common.fleet.facts import Health, HostFacts, ServerFacts
from shotline.common.messages import CommandBeats, Pong, ServerBeat

HOST = HostFacts(cpus=4, cpu_percent=12.5, load_1=0.5, memory_total_b=100, memory_used_b=10)


@pytest.fixture
def world() -> World:
    world = World(slots=2)
    world.answer()
    for slot in list(world.workers):
        world.workers[slot].is_ready = True
        world.handle(WorkerReady(slot, 1000 + slot, cpu_s=0.25))
    return world


def told(world: World) -> list[ServerFacts]:
    beats = [one for one in world.sent if isinstance(one, ServerBeat)]
    return [beat.facts for beat in beats if beat.facts is not None]


def pass_beats(world: World, seconds: float) -> None:
    for _ in range(int(seconds)):
        world.advance(1.0)
        world.answer()


def test_facts_are_told_at_each_registration_and_when_the_host_was_measured(world: World) -> None:
    pass_beats(world, 6)
    assert [facts.host for facts in told(world)] == [None]
    world.handle(Measured(HOST))
    pass_beats(world, 6)
    assert [facts.host for facts in told(world)] == [None, HOST]
    world.handle(Connected())
    pass_beats(world, 2)
    assert [facts.host for facts in told(world)] == [None, HOST, HOST]


def test_what_ended_is_counted_with_its_processor_time(world: World) -> None:
    for ok, cpu_s in ((True, 0.75), (False, 1.0)):
        slot = world.slot_of(world.dispatch())
        world.workers[slot].attempt = None
        world.handle(TaskEnded(slot, Ended(ok, cpu_s=cpu_s)))
        world.answer()
    killed = world.slot_of(world.dispatch())
    world.handle(WorkerExited(killed, "was killed by SIGKILL", cpu_s=3.0))
    world.be_gone(killed)
    world.handle(Measured(HOST))
    pass_beats(world, 2)
    facts = told(world)[-1]
    assert (facts.done, facts.failed) == (3, 2)
    assert facts.cpu_time_s == pytest.approx(2.75)


def test_a_worker_that_runs_nothing_uses_no_time_of_actions(world: World) -> None:
    world.handle(WorkerExited(0, "was killed by SIGKILL", cpu_s=3.0))
    world.handle(Measured(HOST))
    pass_beats(world, 2)
    assert told(world)[-1].cpu_time_s == 0.0


def test_an_aborted_attempt_counts_as_one_that_failed(world: World) -> None:
    attempt = world.dispatch()
    world.abort(attempt)
    slot = world.slot_of(attempt)
    world.exit_worker(slot)
    world.be_gone(slot)
    world.handle(Measured(HOST))
    pass_beats(world, 2)
    assert (told(world)[-1].done, told(world)[-1].failed) == (1, 1)


def test_the_clock_ahead_of_the_brokers_is_told(world: World) -> None:
    world.handle(Measured(HOST))
    sent_s, wall = world.now.mono - 0.2, world.now.wall
    world.handle(Pong(sent_s=sent_s, broker="b", clock_s=0.0, at=wall - 5.1))
    pass_beats(world, 2)
    host = told(world)[-1].host
    assert host is not None
    assert host.clock_offset_s == pytest.approx(5.0)


@pytest.mark.parametrize("sent_s", [-1e12, 1e12])
def test_a_pong_to_no_heartbeat_of_ours_makes_no_beat_that_cannot_be_sent(
    world: World, sent_s: float
) -> None:
    pass_beats(world, 2)
    world.handle(Pong(sent_s=sent_s, broker="b", clock_s=0.0, at=world.now.wall))
    world.advance(2.0)
    beats = [one for one in world.sent if isinstance(one, ServerBeat)]
    assert decode(encode(beats)) == beats


def test_who_asks_gets_facts_at_once_and_heartbeats_as_often_as_they_want(world: World) -> None:
    pass_beats(world, 3)
    before = len(told(world))
    effects = world.machine.handle(world.now, CommandBeats(term=1, heartbeat_s=0.25))
    assert Measure() in effects
    world.carry_out(effects)
    assert len(told(world)) == before + 1
    assert told(world)[-1].heartbeat_s == 0.25
    beats = len([one for one in world.sent if isinstance(one, ServerBeat)])
    for _ in range(4):
        world.advance(0.25)
        world.answer()
    assert len([one for one in world.sent if isinstance(one, ServerBeat)]) >= beats + 3
    world.handle(CommandBeats(term=1))
    assert told(world)[-1].heartbeat_s == 1.0


def test_nobody_makes_a_server_beat_less_often_than_it_must(world: World) -> None:
    world.handle(CommandBeats(term=1, heartbeat_s=60.0))
    assert told(world)[-1].heartbeat_s == 1.0


def test_a_dispatcher_that_was_replaced_asks_in_vain(world: World) -> None:
    world.dispatch(term=5)
    before = len(told(world))
    world.handle(CommandBeats(term=4, heartbeat_s=0.25))
    assert len(told(world)) == before


def test_what_the_check_of_the_host_says_is_told_with_the_next_heartbeat(world: World) -> None:
    ill = Health(ok=False, text="no disk", at=1.0)
    world.handle(Measured(HOST, ill))
    pass_beats(world, 2)
    assert told(world)[-1].health == ill
