"""When the journal wants to be called: never at a time that has passed, or its loop would spin."""

from tests.simulation.storm.redis import SimJournal, SimRedis, SimSpill
from tests.simulation.world import World

from shotline.common.records import Commit
from shotline.dispatcher.journal import encode_commit

FAR_S = 20.0


def test_a_commit_that_waits_for_the_spill_files_turn_does_not_make_the_loop_spin() -> None:
    world = World(0)
    redis = SimRedis(world, lambda _commit: None)
    spill = SimSpill(world, lambda _commit: None)
    journal = SimJournal(world, redis, spill, lambda: None)
    term, _ = journal.begin(0)

    def poll_until(time: float) -> None:
        world.run(time, lambda: False)
        world.now = time
        journal.poll(time)

    redis.end(away_s=2.0, lose_s=0.0)
    poll_until(100.5)
    journal.write_at(world.now, encode_commit(Commit(term, 1, {})))
    poll_until(101.0)
    assert spill.size, "the first is in the file"
    spill.full = True
    journal.write_at(world.now, encode_commit(Commit(term, 2, {})))
    poll_until(101.5)
    # Redis is there again, takes the connection, and answers nothing to what the file holds.
    for tenth in range(1, 20):
        poll_until(101.5 + tenth / 10)
        if journal.link is not None:
            redis.stall(FAR_S)
    assert journal.link is not None
    assert journal.link.silent_since() is not None, "it has the first, and has not answered"
    wake_at = journal.wake_at()
    assert wake_at is not None
    assert wake_at > world.now
