"""When `shotline up` starts again what was lost."""

from shotline.client.local.backoff import Backoff
from shotline.common.settings.sections.up import UpSection


def backoff() -> Backoff:
    return Backoff(UpSection(restart_s=1.0, restart_s_max=5.0))


def test_each_further_loss_waits_longer_up_to_a_limit() -> None:
    one, now, waited = backoff(), 0.0, []
    for _ in range(5):
        waited.append(one.lost("A:1", now))
        now += waited[-1]
        assert one.due(now - 0.01) == []
        assert one.due(now) == ["A:1"]
        one.started("A:1", now)
        assert one.wake_at is None
    assert waited == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert one.lost("B:1", now) == 1.0, "each for itself"


def test_what_has_run_for_long_begins_anew() -> None:
    one = backoff()
    one.lost("A:1", 0.0)
    one.started("A:1", 1.0)
    assert one.lost("A:1", 3.0) == 2.0
    one.started("A:1", 5.0)
    assert one.lost("A:1", 10.0) == 1.0


def test_a_start_that_fails_counts_as_a_loss() -> None:
    one = backoff()
    assert [one.lost("A:1", now) for now in (0.0, 1.0, 3.0)] == [1.0, 2.0, 4.0]


def test_what_somebody_has_ended_is_not_started() -> None:
    one = backoff()
    one.lost("A:1", 0.0)
    one.forget("A:1")
    assert (one.due(100.0), one.wake_at) == ([], None)
