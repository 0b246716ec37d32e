"""Sockets that never block, say what they cannot send, and bind where they say."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
import zmq

from shotline.common.errors import ConfigError
from shotline.common.transport import (
    Dealer,
    Delivery,
    Publisher,
    Router,
    SocketLimits,
    Subscriber,
    is_named_by_itself,
)
from shotline.monitor.http.listener import bound

DEADLINE_S = 20
LOOPBACK = "tcp://127.0.0.1:*"


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def until(done: Callable[[], bool], *sockets: zmq.Socket[bytes]) -> None:
    """Wait for activity on the sockets until `done`."""
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        poller.poll(20)


def connected(dealer: Dealer) -> None:
    until(lambda: True in dealer.connection(), dealer.connection_socket)


def again(context: zmq.Context[zmq.Socket[bytes]], address: str) -> Router:
    """Bind to an address that a socket of this process, closed before, may still hold."""
    routers: list[Router] = []

    def bound() -> bool:
        with contextlib.suppress(OSError):
            routers.append(Router(context, address))
        return bool(routers)

    until(bound)
    return routers[0]


def received(router: Router) -> list[tuple[bytes, list[bytes]]]:
    got: list[tuple[bytes, list[bytes]]] = []

    def some() -> bool:
        got.extend(router.receive_all())
        return bool(got)

    until(some, router.socket)
    return got


def test_a_dealer_sends_only_over_a_connection(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with Router(context, LOOPBACK) as router:
        address = router.address
    dealer = Dealer(context, address)
    assert not dealer.send([b"kind", b"lost"])
    with again(context, address) as router:
        connected(dealer)
        # The monitor may speak a moment before the socket takes a message.
        until(lambda: dealer.send([b"kind", b"body", b"kind", b""]))
        ((name, frames),) = received(router)
        assert frames == [b"kind", b"body", b"kind", b""]
        assert router.send(name, [b"hello"]) is Delivery.SENT
        until(lambda: dealer.receive_all() == [[b"hello"]], dealer.socket)
    until(lambda: False in dealer.connection(), dealer.connection_socket)
    until(lambda: not dealer.send([b"kind", b"lost"]), dealer.socket)
    dealer.close()


def test_a_router_says_whom_it_cannot_reach(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with Router(context, LOOPBACK) as router:
        assert router.send(b"nobody", [b"kind", b"body"]) is Delivery.UNREACHABLE


def test_a_router_says_when_too_much_waits(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    limits = SocketLimits(high_water_mark=10)
    with (
        Router(context, LOOPBACK, limits) as router,
        Dealer(context, router.address, limits) as dealer,
    ):
        connected(dealer)
        dealer.send([b"here"])
        ((slow, _),) = received(router)
        body = bytes(100_000)
        sent = 0
        while router.send(slow, [body]) is Delivery.SENT:
            sent += 1
            assert sent < 10_000
        got = 0

        def all_arrived() -> bool:
            nonlocal got
            got += len(dealer.receive_all())
            return got == sent

        until(all_arrived, dealer.socket)


def test_nobody_takes_anothers_connection(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with (
        Router(context, LOOPBACK) as router,
        Dealer(context, router.address) as first,
        context.socket(zmq.DEALER) as thief,
        context.socket(zmq.DEALER) as named,
    ):
        connected(first)
        first.send([b"first"])
        ((name, _),) = received(router)
        assert not is_named_by_itself(name)
        for socket, identity in ((thief, name), (named, b"A:1/x")):
            socket.linger = 0
            socket.setsockopt(zmq.ROUTING_ID, identity)
            socket.connect(router.address)
            socket.send(b"named")
        assert received(router) == [(b"A:1/x", [b"named"])]
        assert is_named_by_itself(b"A:1/x")
        assert router.send(name, [b"for the first"]) is Delivery.SENT
        until(lambda: first.receive_all() == [[b"for the first"]], first.socket)
        assert not thief.poll(0)


def test_a_connection_that_has_ended_is_forgotten(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    with Router(context, LOOPBACK) as router:
        with Dealer(context, router.address) as dealer:
            connected(dealer)
            dealer.send([b"hello"])
            ((name, _),) = received(router)
            assert router.origins[name].address == "127.0.0.1"
            assert router.origins[name].key == ""

        def forgotten() -> bool:
            router.forget_ended()
            return not router.origins

        until(forgotten, router.ended_socket)


def test_a_connection_is_cut_off(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with (
        Router(context, LOOPBACK) as router,
        Dealer(context, router.address) as one,
        Dealer(context, router.address) as other,
    ):
        for dealer in (one, other):
            connected(dealer)
        one.send([b"one"])
        ((name, _),) = received(router)
        router.cut_off(name)
        until(lambda: False in one.connection(), one.connection_socket)
        connected(one)
        assert other.connection() == []


def test_a_message_above_the_limit_cuts_its_sender_off(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    with Router(context, LOOPBACK, SocketLimits(message_bytes_max=1000)) as router:
        with Dealer(context, router.address) as big:
            connected(big)
            big.send([bytes(1001)])
            until(lambda: False in big.connection(), big.connection_socket)
        with Dealer(context, router.address) as small:
            connected(small)
            small.send([bytes(1000)])
            assert [frames for _, frames in received(router)] == [[bytes(1000)]]


def test_an_address_in_use_is_named(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with (
        Router(context, LOOPBACK) as router,
        pytest.raises(OSError, match=rf"cannot bind to {router.address}: Address already in use"),
    ):
        Router(context, router.address)


def test_subscribers_get_their_topics(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with (
        Publisher(context, LOOPBACK) as publisher,
        Subscriber(context, publisher.address) as subscriber,
    ):
        subscriber.subscribe(b"shot/")
        got: list[list[bytes]] = []

        def some() -> bool:
            publisher.send(b"log", b"not for us")
            publisher.send(b"shot/TEST/1", b"event")
            got.extend(subscriber.receive_all())
            return bool(got)

        until(some, subscriber.socket)
        assert got[0] == [b"shot/TEST/1", b"event"]
        assert all(frames[0] == b"shot/TEST/1" for frames in got)


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*"])
def test_a_socket_that_strangers_reach_is_bound_only_where_somebody_says_so(
    context: zmq.Context[zmq.Socket[bytes]], address: str
) -> None:
    with pytest.raises(ConfigError, match="insecure: true"):
        Router(context, address)
    with pytest.raises(ConfigError, match="insecure: true"):
        bound(address.removeprefix("tcp://").rpartition(":")[0], 0)
    with Router(context, address, insecure=True) as router:
        assert router.address.startswith("tcp://")


def test_ipv6_is_an_address_like_any_other(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with (
        Router(context, "tcp://[::1]:*") as router,
        Publisher(context, "tcp://[::1]:*") as publisher,
        Dealer(context, router.address) as dealer,
        Subscriber(context, publisher.address) as subscriber,
    ):
        connected(dealer)
        assert dealer.send([b"hello"])
        assert [frames for _, frames in received(router)] == [[b"hello"]]
        subscriber.subscribe(b"")
        got: list[list[bytes]] = []

        def heard() -> bool:
            publisher.subscribed()
            publisher.send(b"topic", b"body")
            got.extend(subscriber.receive_all())
            return bool(got)

        until(heard, subscriber.socket)
