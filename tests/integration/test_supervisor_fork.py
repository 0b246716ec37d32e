"""A supervisor that is used after a fork, in the parent and in the child."""

import multiprocessing
import warnings
from collections.abc import Callable
from typing import Any

from tests.support.fake_broker import fake_broker, reply

from shotline.client.errors import Closed
from shotline.client.supervisor import Supervisor
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome, Reply, Request

DEADLINE_S = 60.0


def answer(request: Request, _: AnyCommand) -> list[Reply]:
    return [reply(request, Outcome.OK, "done")]


def in_child(work: Callable[[], str]) -> str:
    """Return what a forked process gets from `work`."""
    context = multiprocessing.get_context("fork")
    reading, writing = context.Pipe(duplex=False)

    def child() -> None:
        try:
            writing.send(work())
        except Exception as error:  # noqa: BLE001  # the test compares its words
            writing.send(f"{type(error).__name__}: {error}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads, as users do
        process: Any = context.Process(target=child)
        process.start()
    try:
        assert reading.poll(DEADLINE_S), "the child hangs"
        said = reading.recv()
        process.join(DEADLINE_S)
        assert process.exitcode == 0
        return str(said)
    finally:
        if process.is_alive():
            process.kill()
            process.join()


def test_each_process_has_a_connection_of_its_own() -> None:
    with fake_broker(answer) as broker, Supervisor(broker.address) as shotline:

        def ask() -> str:
            return shotline.hold("TEST", 1).message

        assert ask() == "done"
        assert in_child(ask) == "done"
        assert ask() == "done"


def test_a_child_that_leaves_the_block_takes_nothing_from_its_parent() -> None:
    with fake_broker(answer) as broker, Supervisor(broker.address) as shotline:
        assert shotline.hold("TEST", 1).message == "done"

        def leave() -> str:
            shotline.close()
            return "closed"

        assert in_child(leave) == "closed"
        assert shotline.hold("TEST", 1).message == "done"


def test_events_of_the_parent_are_refused_to_the_child_in_words() -> None:
    with fake_broker(answer) as broker, Supervisor(broker.address) as shotline:
        stream = shotline.events("servers")

        def get() -> str:
            return str(stream.get(1.0))

        assert in_child(get).startswith(f"{Closed.__name__}: this was made before a fork")
