"""What was asked of a monitor before it stood still is not done afterwards."""

from shotline.monitor.access.awake import STILL_S, Awake


def test_orders_are_taken_as_long_as_it_is_awake() -> None:
    awake = Awake(100.0)
    assert awake.refuses(100.0 + STILL_S / 2) is None
    assert awake.refuses(99.0 + 1.5 * STILL_S) is None


def test_what_had_waited_is_refused_until_all_of_it_is_read() -> None:
    awake = Awake(100.0)
    assert "stood still for 900 s" in (awake.refuses(1000.0) or "")
    awake.look(1000.5)
    assert awake.refuses(1000.9) is not None
    assert awake.refuses(1001.1) is None


def test_it_is_noticed_by_a_look_as_well() -> None:
    awake = Awake(100.0)
    awake.look(200.0)
    assert awake.refuses(200.1) is not None
