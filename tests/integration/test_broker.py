"""The real broker in a process of its own: real sockets, signals, kills, and bad input."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgpack
import msgspec
import pytest
import zmq
from msgspec import structs
from tests.support.ports import free_ports

from shotline.common.codec import BROKER, PUBLISH, addressed, decode, encode
from shotline.common.messages import (
    AbortAttempt,
    Claim,
    ClaimAccepted,
    Event,
    Goodbye,
    Hello,
    Liveness,
    LivenessState,
    Message,
    Outcome,
    Ping,
    Pong,
    ProbeAnswer,
    Problem,
    Register,
    RegisterAnew,
    Registered,
    RegistrationRefused,
    Reply,
    Request,
    ServerBeat,
    Started,
    Undeliverable,
    Welcome,
)
from shotline.common.transport import Dealer, Subscriber

DEADLINE_S = 30
HEARTBEAT_S = 0.2
LOST_S = 3.0
ATTEMPT = ("TEST", 1, "\\TEST::A", 1)
M = TypeVar("M", bound=Message)
ZContext = zmq.Context[zmq.Socket[bytes]]


def started() -> Started:
    return msgspec.convert({"attempt": ATTEMPT, "started_at": 1.0}, Started)


def abort(reason: str) -> AbortAttempt:
    return msgspec.convert({"term": 1, "attempt": ATTEMPT, "reason": reason}, AbortAttempt)


class Peer:
    """A client, server or dispatcher with a socket of its own."""

    def __init__(self, context: ZContext, address: str, identity: str) -> None:
        self.identity = identity.encode()  # of a server, to the dispatcher
        self.dealer = Dealer(context, address)
        self.source = b""  # of the last message that was got
        self.inbox: list[tuple[bytes, Message]] = []

    @property
    def addressed(self) -> bool:
        return self.identity.startswith(b"dispatcher/")

    def receive(self, timeout_s: float) -> None:
        self.dealer.socket.poll(round(timeout_s * 1000))
        for frames in self.dealer.receive_all():
            letters = addressed(frames) if self.addressed else [(b"", batch) for batch in frames]
            for source, batch in letters:
                self.inbox += [(source, message) for message in decode(batch)]

    def say(self, *messages: Message, target: bytes = BROKER) -> bool:
        return self.dealer.send([*([target] if self.addressed else []), encode(messages)])

    def send(self, *messages: Message, target: bytes = BROKER) -> None:
        """Send as soon as there is a connection."""
        until(lambda: self.say(*messages, target=target), self)

    def get(self, kind: type[M], *others: "Peer", each: Callable[[], object] | None = None) -> M:
        """Wait for a message of this kind; what came before it is dropped.

        `each` is done now and then meanwhile.
        """
        found: list[M] = []

        def search() -> bool:
            if each is not None:
                each()
            while self.inbox and not found:
                source, message = self.inbox.pop(0)
                if isinstance(message, kind):
                    self.source = source
                    found.append(message)
            return bool(found)

        until(search, self, *others)
        return found[0]


def until(done: Callable[[], bool], *peers: Peer) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        for peer in peers:
            peer.receive(0.05)


class RunningBroker:
    """The process, and peers of all sorts."""

    def __init__(self, context: ZContext, folder: Path) -> None:
        self.context = context
        clients, servers, events = (f"tcp://127.0.0.1:{port}" for port in free_ports(3))
        self.addresses = {"clients": clients, "servers": servers, "events": events}
        self.log = folder / "broker.log"
        self.peers: list[Peer] = []
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        options = [f"--{key}={value}" for key, value in self.addresses.items()]
        settings = {
            "SHOTLINE_BROKER__HEARTBEAT_S": str(HEARTBEAT_S),
            "SHOTLINE_BROKER__SERVER_LOST_S": str(LOST_S),
            "SHOTLINE_BROKER__MESSAGE_BYTES_MAX": "1048576",
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "shotline.broker", *options],
                env=os.environ | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def restart(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self.start()

    def peer(self, link: str, identity: str) -> Peer:
        peer = Peer(self.context, self.addresses[link], identity)
        self.peers.append(peer)
        return peer

    def client(self) -> Peer:
        peer = self.peer("clients", f"client/{secrets.token_hex(4)}")
        peer.send(Hello(name="test"))
        peer.get(Welcome)
        return peer

    def server(self, name: str = "SRV_A:1", incarnation: str = "x", epoch: int = 1) -> Peer:
        peer = self.peer("servers", f"{name}/{incarnation}")
        peer.send(register(name, incarnation, epoch))
        return peer

    def dispatcher(self, term: int = 1) -> Peer:
        peer = self.peer("clients", f"dispatcher/{secrets.token_hex(4)}")
        peer.send(Claim(term=term, name="test"))
        peer.get(ClaimAccepted)
        return peer

    def stop(self) -> None:
        for peer in self.peers:
            peer.dealer.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        code = self.process.wait(DEADLINE_S)
        log = self.log.read_text()
        assert code == 0, log
        assert "Traceback" not in log


def register(name: str = "SRV_A:1", incarnation: str = "x", epoch: int = 1) -> Register:
    server_class, _, server_id = name.partition(":")
    return Register(
        server_class=server_class,
        server_id=server_id,
        incarnation=incarnation,
        epoch=epoch,
        slots=1,
    )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    context: ZContext = zmq.Context()
    running = RunningBroker(context, tmp_path)
    try:
        yield running
        running.stop()
    finally:
        running.process.kill()
        running.process.wait()
        context.destroy(linger=0)


def beat(epoch: int = 1) -> ServerBeat:
    return ServerBeat(sent_s=time.monotonic(), epoch=epoch, last_number=0, busy=0)


def event(channel: str) -> Event:
    return Event(channel=channel, term=1, seq=1, at=0.0, payload=b"{}")


def test_a_command_a_dispatch_a_result_an_event(broker: RunningBroker) -> None:
    """The whole way round, through all three sockets."""
    dispatcher, server, client = broker.dispatcher(), broker.server(), broker.client()
    server.get(Registered)
    arrived = dispatcher.get(Register)
    assert arrived == structs.replace(register(), address="127.0.0.1")
    clock_s = ping(client).clock_s
    request = Request(id="request-1", verb="status", deadline_s=clock_s + 60, command=b"{}")
    client.send(request)
    assert dispatcher.get(Request) == request
    whose = dispatcher.source
    dispatcher.send(abort("why"), target=server.identity)
    assert server.get(AbortAttempt) == abort("why")
    server.send(started())
    assert dispatcher.get(Started) == started()
    with Subscriber(broker.context, broker.addresses["events"]) as observer:
        observer.subscribe(b"shot/")
        events: list[list[bytes]] = []

        def seen() -> bool:
            dispatcher.say(event("log"), target=PUBLISH + b"log")
            dispatcher.say(event("shot/TEST/1"), target=PUBLISH + b"shot/TEST/1")
            events.extend(observer.receive_all())
            return bool(events)

        until(seen, dispatcher)
        assert events[0] == [b"shot/TEST/1", encode([event("shot/TEST/1")])]
    reply = Reply(id="request-1", outcome=Outcome.OK, message="done")
    dispatcher.send(reply, target=whose)
    assert client.get(Reply) == reply


def ping(peer: Peer) -> Pong:
    sent = Ping(sent_s=time.monotonic())
    peer.send(sent)
    while True:
        pong = peer.get(Pong)
        if pong.sent_s == sent.sent_s:
            return pong


def test_without_dispatcher_a_command_is_answered(broker: RunningBroker) -> None:
    client = broker.client()
    request = Request(
        id="request-1", verb="status", deadline_s=ping(client).clock_s + 60, command=b"{}"
    )
    client.send(request)
    reply = client.get(Reply)
    assert reply.outcome is Outcome.NOBODY
    assert broker.addresses["clients"] in reply.message


def test_a_killed_server_is_suspect_then_lost_and_its_mail_comes_back(
    broker: RunningBroker,
) -> None:
    dispatcher, server = broker.dispatcher(), broker.server()
    server.get(Registered)
    server.dealer.close()

    def alive() -> None:
        dispatcher.say(Ping(sent_s=0.0))

    assert dispatcher.get(Liveness, each=alive).state is LivenessState.SUSPECT
    lost = dispatcher.get(Liveness, each=alive)
    assert (lost.server, lost.incarnation, lost.state) == ("SRV_A:1", "x", LivenessState.LOST)
    dispatcher.send(abort("late"), target=server.identity)
    back = dispatcher.get(Undeliverable)
    assert back.batches == (encode([abort("late")]),)


def test_mail_for_a_broken_connection_comes_back(broker: RunningBroker) -> None:
    """Before anybody is lost: the broker sees that its connection has ended."""
    dispatcher, server = broker.dispatcher(), broker.server()
    server.get(Registered)
    server.dealer.close()
    back = dispatcher.get(
        Undeliverable, each=lambda: dispatcher.say(abort("x"), target=server.identity)
    )
    assert back.target == server.identity


def test_a_live_servers_name_is_kept_and_a_dead_ones_taken_over(broker: RunningBroker) -> None:
    dispatcher, first = broker.dispatcher(), broker.server()
    first.get(Registered)
    second = broker.server(incarnation="y")
    refused = second.get(RegistrationRefused, first, each=lambda: first.say(ProbeAnswer(), beat()))
    assert refused.fatal
    assert "SRV_A:1 is in use" in refused.text
    first.dealer.close()
    third = broker.server(incarnation="z")
    third.get(Registered)
    states = []

    def lost() -> bool:
        states.extend(
            (one.incarnation, one.state) for _, one in dispatcher.inbox if isinstance(one, Liveness)
        )
        dispatcher.inbox.clear()
        return ("x", LivenessState.LOST) in states

    until(lost, dispatcher)


def test_a_server_comes_back_on_another_connection(broker: RunningBroker) -> None:
    """After a broken connection, before anybody has noticed the break."""
    dispatcher, server = broker.dispatcher(), broker.server()
    server.get(Registered)
    again = broker.server(epoch=2)
    assert again.get(Registered).epoch == 2
    dispatcher.get(Register)
    assert dispatcher.get(Register).epoch == 2
    dispatcher.send(abort("new"), target=again.identity)
    assert again.get(AbortAttempt) == abort("new")


def test_a_stopped_broker_goes_on_and_loses_nobody(broker: RunningBroker) -> None:
    dispatcher, server, client = broker.dispatcher(), broker.server(), broker.client()
    server.get(Registered)
    dispatcher.get(Register)
    broker.process.send_signal(signal.SIGSTOP)
    stopped_until = time.monotonic() + LOST_S + 1
    until(lambda: time.monotonic() > stopped_until, server, dispatcher)
    broker.process.send_signal(signal.SIGCONT)
    assert ping(client).clock_s > 0
    epoch = 1

    def live() -> None:
        # As a real server: new epoch when it is asked to.
        nonlocal epoch
        if any(isinstance(message, RegisterAnew) for _, message in server.inbox):
            epoch += 1
            server.say(register(epoch=epoch))
        server.inbox.clear()
        server.say(beat(epoch))
        dispatcher.say(Ping(sent_s=0.0, term=1), target=BROKER)

    def goes_on() -> bool:
        live()
        return any(isinstance(message, ServerBeat) for _, message in dispatcher.inbox)

    until(goes_on, server, dispatcher)
    judged = [message for _, message in dispatcher.inbox if isinstance(message, Liveness)]
    assert all(one.state is not LivenessState.LOST for one in judged)


def test_a_killed_broker_comes_back_and_everybody_with_it(broker: RunningBroker) -> None:
    dispatcher, server, client = broker.dispatcher(term=3), broker.server(), broker.client()
    first = server.get(Registered).broker
    broker.restart()
    # The server notices nothing and goes on: it is asked to register.
    server.get(RegisterAnew, each=lambda: server.say(started()))
    server.send(structs.replace(register(epoch=2), term=3))
    second = server.get(Registered)
    assert second.broker != first
    pong = dispatcher.get(Pong, each=lambda: dispatcher.say(Ping(sent_s=0.0, term=3)))
    assert pong.term is None
    dispatcher.send(Claim(term=3, name="test"))
    assert dispatcher.get(ClaimAccepted).broker == second.broker
    server.get(RegisterAnew)
    server.send(register(epoch=3))
    assert dispatcher.get(Register).epoch == 3
    client.get(Pong, each=lambda: client.say(Ping(sent_s=0.0)))
    client.send(Hello(name="again"))
    assert client.get(Welcome).term == 3


BAD_FRAMES: dict[str, list[bytes]] = {
    "empty": [b""],
    "no batch": [b"ping"],
    "no message": [b"\x90"],
    "truncated": [encode([Ping(sent_s=1.0)])[:-3]],
    "unknown": [msgpack.packb([{"kind": "no_such_kind"}])],
    "wrong type": [msgpack.packb([{"kind": "ping", "sent_s": "soon"}])],
    "more fields": [msgpack.packb([{"kind": "ping", "sent_s": 1.0, "surprise": 1}])],
    "nested": [b"\x91\x82\xa4kind\xa4ping\xa1x" + b"\x91" * 50_000],
    "nested field": [b"\x91\x82\xa4kind\xa4ping\xa6sent_s" + b"\x91" * 900 + b"\xc0"],
    "random": [b"\xff\xfe", b"\x00\x01\x02", b"\x80"],
    "many": [b"\xc1"] * 3000,
    "other's": [encode([Pong(sent_s=1.0, broker="me", clock_s=1.0)])],
}


def test_bad_input_is_answered_and_changes_nothing(broker: RunningBroker) -> None:
    dispatcher, server, client = broker.dispatcher(), broker.server(), broker.client()
    server.get(Registered)
    dispatcher.get(Register)
    senders = [
        client,
        server,
        broker.peer("clients", "client/new"),
        broker.peer("servers", "SRV_B:1/new"),
    ]
    for frames in BAD_FRAMES.values():
        for peer in senders:
            until(lambda peer=peer, frames=frames: peer.dealer.send(frames), peer)  # type: ignore[misc]
            peer.get(Problem)
        for target in (BROKER, server.identity, b"SRV_B:1/new"):
            dispatcher.dealer.send([target, *frames])
            dispatcher.get(Problem)
        dispatcher.send(abort("still here"), target=server.identity)
        assert server.get(AbortAttempt) == abort("still here")
        ping(client)
        server.send(started())
        dispatcher.get(Started)


@pytest.mark.parametrize("link", ["clients", "servers"])
def test_an_oversized_frame_cuts_only_its_sender_off(broker: RunningBroker, link: str) -> None:
    client = broker.client()
    big = broker.peer(link, "client/big" if link == "clients" else "SRV_A:1/big")
    until(lambda: big.dealer.send([b"hello", bytes(2**20 + 1)]), big)
    until(lambda: False in big.dealer.connection(), big)
    ping(client)


@pytest.mark.parametrize("link", ["clients", "servers", "events"])
def test_bytes_that_are_not_zeromq_do_no_harm(broker: RunningBroker, link: str) -> None:
    client = broker.client()
    host, _, port = broker.addresses[link].removeprefix("tcp://").partition(":")
    for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100_000, b"", b"\xff\0\0\0\0\0\0\0\1\x7f"):
        with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as line:
            line.sendall(rubbish)
    ping(client)


def test_goodbye_of_a_server_is_told_at_once(broker: RunningBroker) -> None:
    dispatcher, server = broker.dispatcher(), broker.server()
    server.get(Registered)
    server.send(Goodbye(why="restart"))
    lost = dispatcher.get(Liveness)
    assert (lost.state, lost.why) == (LivenessState.LOST, "said goodbye: restart")


def test_an_address_in_use_is_said_in_words(broker: RunningBroker) -> None:
    broker.client()
    second = subprocess.run(
        [sys.executable, "-m", "shotline.broker", f"--clients={broker.addresses['clients']}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert second.returncode == 1
    assert f"cannot bind to {broker.addresses['clients']}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_wrong_option_is_said_in_words() -> None:
    wrong = subprocess.run(
        [sys.executable, "-m", "shotline.broker", "--clients=nowhere"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert wrong.returncode == 1
    assert "broker.clients" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_an_observer_that_subscribes_to_too_much_is_cut_off_and_no_other(
    broker: RunningBroker,
) -> None:
    with contextlib.ExitStack() as stack:

        def observer() -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
            """Return a subscriber, and a socket that is readable once it is cut off."""
            one = broker.context.socket(zmq.SUB)
            one.linger = 0
            cut = one.get_monitor_socket(zmq.EVENT_DISCONNECTED)
            stack.callback(one.close)
            stack.callback(cut.close, 0)
            stack.callback(one.disable_monitor)
            one.connect(broker.addresses["events"])
            return one, cut

        (good, good_cut), (greedy, greedy_cut), (endless, endless_cut) = (
            observer(),
            observer(),
            observer(),
        )
        good.subscribe(b"log")
        for number in range(1000):
            greedy.subscribe(b"%d/" % number + b"x" * 1000)
        endless.subscribe(b"x" * 5_000)
        assert greedy_cut.poll(DEADLINE_S * 1000)
        assert endless_cut.poll(DEADLINE_S * 1000)
        assert not good_cut.poll(0)
        assert "an observer of the events is cut off" in broker.log.read_text()
