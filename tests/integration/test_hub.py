"""The hub: broker and dispatcher in one process, and when one is without the other."""

from pathlib import Path

import pytest
from tests.support.faults import (
    SUCCESS,
    Pulse,
    action,
    each_once,
    ends_of,
    running,
    second_dispatcher,
    stack_of,
)
from tests.support.stack import Stack, eventually

from shotline.client.errors import NoDispatcher

GATED = (action("A_FIRST", "A", 1, gate="a"), action("A_NEXT", "A", 2))
HUB = {"up": {"daemons": ["hub"]}}


def test_who_takes_over_from_a_hub_gets_its_servers_and_the_run_goes_on(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED, settings=HUB) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        first_term = stack.wait_until(lambda status: not status.recovering).term
        with running(second_dispatcher(stack)):
            status = stack.wait_until(
                lambda status: status.term > first_term and not status.recovering
            )
            assert str(stack["hub"].pid) not in status.dispatcher
            assert stack["hub"].running, "it is the broker"
            pulse.open("a")
            assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
            assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
            stack["hub"].stop()
            assert stack["hub"].exit_status == 0


def test_a_hub_whose_redis_is_away_says_so_and_goes_on_when_it_comes(tmp_path: Path) -> None:
    stack = Stack(tmp_path, settings=HUB)
    hub = stack["hub"]
    hub.start()
    try:
        with stack.supervisor() as supervisor:
            with pytest.raises(NoDispatcher):
                supervisor.status()
            stack.redis.start(30.0)
            eventually(lambda: _has_dispatcher(stack))
    finally:
        hub.stop()
        stack.redis.stop(10.0)


def _has_dispatcher(stack: Stack) -> bool:
    with stack.supervisor() as supervisor:
        try:
            return not supervisor.status().recovering
        except NoDispatcher:
            return False
