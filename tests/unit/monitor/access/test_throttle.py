"""Logins that fail: each further one takes longer, and nobody else is kept out for long."""

from shotline.monitor.access.throttle import FORGOTTEN_S, FREE, KEPT_MAX, USER_WAIT_S_MAX, Throttle

HOST, USER = "10.0.0.1", "anna"


def failing(times: int, now: float = 0.0, host: str = HOST, user: str = USER) -> Throttle:
    throttle = Throttle()
    for _ in range(times):
        throttle.failed(now, host, user)
    return throttle


def test_who_mistypes_waits_for_nothing() -> None:
    assert failing(FREE - 1).wait_s(0.0, HOST, USER) == 0.0


def test_each_further_failure_takes_longer() -> None:
    throttle = failing(FREE)
    first = throttle.wait_s(0.0, HOST, USER)
    throttle.failed(0.0, HOST, USER)
    assert 0 < first < throttle.wait_s(0.0, HOST, USER)
    for _ in range(2000):
        throttle.failed(0.0, HOST, USER)
    assert throttle.wait_s(0.0, HOST, "another") == 300.0


def test_a_stranger_cannot_keep_somebody_out() -> None:
    throttle = failing(2000)
    assert throttle.wait_s(0.0, "10.0.0.2", USER) == USER_WAIT_S_MAX


def test_a_right_password_does_not_let_an_address_try_on() -> None:
    throttle = failing(20)
    throttle.succeeded(USER)
    assert throttle.wait_s(0.0, "10.0.0.2", USER) == 0.0
    assert throttle.wait_s(0.0, HOST, USER) > 0.0


def test_what_is_long_ago_is_forgotten_and_what_is_kept_is_bounded() -> None:
    throttle = failing(20)
    throttle.failed(FORGOTTEN_S + 1.0, HOST, USER)
    assert throttle.wait_s(FORGOTTEN_S + 1.0, HOST, USER) == 0.0
    stubborn = failing(20, host="first")
    for number in range(KEPT_MAX):
        stubborn.failed(0.0, f"host{number}", USER)
    assert stubborn.wait_s(0.0, "first", "another") == 0.0
