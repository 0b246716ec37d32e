"""Sockets that never block, say what they cannot send, and bind where they say."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
import zmq

from shotline.common.errors import ConfigError
from shotline.common.transport import Dealer, Delivery, Publisher, Router, SocketLimits, Subscriber
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
    dealer = Dealer(context, address, b"me")
    assert not dealer.send([b"kind", b"lost"])
    with again(context, address) as router:
        connected(dealer)
        # The monitor may speak a moment before the socket takes a message.
        until(lambda: dealer.send([b"kind", b"body", b"kind", b""]))
        assert received(router) == [(b"me", [b"kind", b"body", b"kind", b""])]
        assert router.send(b"me", [b"hello"]) is Delivery.SENT
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
        Dealer(context, router.address, b"slow", limits) as dealer,
    ):
        connected(dealer)
        dealer.send([b"here"])
        received(router)
        body = bytes(100_000)
        sent = 0
        while router.send(b"slow", [body]) is Delivery.SENT:
            sent += 1
            assert sent < 10_000
        got = 0

        def all_arrived() -> bool:
            nonlocal got
            got += len(dealer.receive_all())
            return got == sent

        until(all_arrived, dealer.socket)


def test_a_peer_that_comes_back_takes_its_routing_id_over(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    with Router(context, LOOPBACK) as router, Dealer(context, router.address, b"me") as old:
        connected(old)
        old.send([b"first"])
        received(router)
        with Dealer(context, router.address, b"me") as new:
            connected(new)
            new.send([b"second"])
            assert received(router) == [(b"me", [b"second"])]
            router.send(b"me", [b"answer"])
            until(lambda: new.receive_all() == [[b"answer"]], new.socket)


def test_a_message_above_the_limit_cuts_its_sender_off(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    with Router(context, LOOPBACK, SocketLimits(message_bytes_max=1000)) as router:
        with Dealer(context, router.address, b"big") as big:
            connected(big)
            big.send([bytes(1001)])
            until(lambda: False in big.connection(), big.connection_socket)
        with Dealer(context, router.address, b"small") as small:
            connected(small)
            small.send([bytes(1000)])
            assert received(router) == [(b"small", [bytes(1000)])]


def test_the_address_is_told_of_whoever_begins_with_the_frame_that_is_asked_for(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    with (
        Router(context, "tcp://127.0.0.1:*") as router,
        Dealer(context, router.address, b"a") as first,
        Dealer(context, router.address, b"b") as second,
    ):
        for dealer, frames in ((first, [b"hello", b"1", b"hello"]), (second, [b"other", b"2"])):
            connected(dealer)
            assert dealer.send(frames)
        found: dict[bytes, list[bytes]] = {}
        addresses: dict[bytes, str] = {}

        def arrived() -> bool:
            messages, told = router.receive_addressed(b"hello")
            found.update(messages)
            addresses.update(told)
            return len(found) == 2

        until(arrived, router.socket)
    assert found == {b"a": [b"hello", b"1", b"hello"], b"b": [b"other", b"2"]}
    assert addresses == {b"a": "127.0.0.1"}


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
        Dealer(context, router.address, b"A") as dealer,
        Subscriber(context, publisher.address) as subscriber,
    ):
        connected(dealer)
        assert dealer.send([b"hello"])
        assert received(router) == [(b"A", [b"hello"])]
        subscriber.subscribe(b"")
        got: list[list[bytes]] = []

        def heard() -> bool:
            publisher.subscribed()
            publisher.send(b"topic", b"body")
            got.extend(subscriber.receive_all())
            return bool(got)

        until(heard, subscriber.socket)
