"""Who gets in at the broker, with which key, and what they can do there: real sockets."""

import itertools
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from tests.support import keys
from tests.support.keys import Connected, Deed, Site, Trier, connected, registration

from shotline.client.errors import NotLetIn
from shotline.client.supervisor import Supervisor
from shotline.common.codec import BROKER, encode
from shotline.common.keys.peers import PeerRole
from shotline.common.messages import (
    Claim,
    ClaimAccepted,
    Event,
    Hello,
    Liveness,
    LivenessState,
    Outcome,
    Ping,
    Pong,
    Problem,
    Register,
    Registered,
    RegistrationRefused,
    Reply,
    Welcome,
)
from shotline.common.transport import Subscriber

ROOT = Path(__file__).resolve().parents[2]
_terms = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with keys.site(tmp_path_factory.mktemp("keys")) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with keys.site(tmp_path) as running:
        yield running


@pytest.mark.parametrize("deed", Deed)
@pytest.mark.parametrize("trier", keys.TRIERS, ids=lambda trier: trier.name)
def test_each_key_does_what_it_is_for(shared: Site, trier: Trier, deed: Deed) -> None:
    assert keys.tried(shared, trier, deed, next(_terms)) == trier.expected(deed)


def test_the_documents_table_is_that_of_the_tests() -> None:
    document = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert keys.written(document) == document, "make schema"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "asks for a key, and none was found"),
        ("unknown", "refused this key (unknown)"),
        ("elsewhere", "do not belong together"),
        ("revoked", "refused this key (revoked)"),
    ],
)
def test_who_is_not_let_in_is_told_so(shared: Site, key: str | None, words: str) -> None:
    with connected(shared, key) as peer:
        assert not peer.is_let_in
        assert words in peer.dealer.refusal
        assert shared.addresses["clients"] in peer.dealer.refusal
    with Supervisor(shared.addresses["clients"], key=shared.curve(key)) as supervisor:
        for ask in (supervisor.status, supervisor.connect):
            with pytest.raises(NotLetIn) as raised:
                ask()
            assert words in str(raised.value)


def test_who_is_refused_is_told_why(site: Site) -> None:
    with connected(site, "viewer") as viewer:
        viewer.say(Hello(name="test"))
        welcome = viewer.get(Welcome)
        assert isinstance(welcome, Welcome)
        assert welcome.role == "viewer"
        reply = viewer.ask("abort")
        assert isinstance(reply, Reply)
        assert (reply.outcome, reply.message) == (
            Outcome.REFUSED,
            "abort is not for the role viewer",
        )
    with connected(site, "server") as server:
        problem = server.ask("abort")
        assert isinstance(problem, Problem)
        assert problem.text == "'request' is not for server to send"
    with connected(site, "server", "servers") as server:
        server.say(registration("B:1"))
        refused = server.get(RegistrationRefused)
        assert isinstance(refused, RegistrationRefused)
        assert refused.fatal
        assert refused.text == "the key 'server' is not for B:1, but for A"
        for line in (
            "client 'viewer' at 127.0.0.1 may not 'abort' as viewer",
            "the key 'server' is not for B:1",
        ):
            server.until(lambda line=line: line in site.log.read_text())  # type: ignore[misc]


def test_another_key_does_not_get_a_live_servers_name_and_the_first_is_not_disturbed(
    site: Site,
) -> None:
    site.keys.new("thief", PeerRole.SERVER, "A")
    with (
        connected(site, "dispatcher") as dispatcher,
        connected(site, "server", "servers") as first,
        connected(site, "thief", "servers") as thief,
    ):
        dispatcher.say(Claim(term=1, name="test"), target=BROKER)
        dispatcher.get(ClaimAccepted)
        first.say(registration("A:1", "x"))
        first.get(Registered)
        dispatcher.get(Register)
        for incarnation, epoch in (("x", 2), ("y", 1)):
            thief.say(registration("A:1", incarnation, epoch))
            refused = thief.get(RegistrationRefused)
            assert isinstance(refused, RegistrationRefused)
            assert "with another key" in refused.text
        assert first.inbox == []
        dispatcher.say(Ping(sent_s=0.0, term=1), target=BROKER)
        dispatcher.get(Pong)
        assert not any(isinstance(one, Register | Liveness) for one in dispatcher.inbox)


def test_nobody_has_the_name_of_anothers_connection(site: Site) -> None:
    """A routing id of one's own is refused, whosever it is."""
    context: keys.ZContext = zmq.Context()
    with connected(site, "operator") as operator, context.socket(zmq.DEALER) as named:
        operator.say(Hello(name="test"))
        operator.get(Welcome)
        key = site.curve("operator")
        assert key is not None
        named.linger = 0
        named.setsockopt(zmq.ROUTING_ID, b"A:1/x")
        named.curve_publickey, named.curve_secretkey = key.public, key.secret
        named.curve_serverkey = key.server
        named.connect(site.addresses["clients"])
        named.send(encode([Hello(name="test")]))
        assert named.poll(1000 * keys.DEADLINE_S)
        assert b"does not name its connection" in named.recv()
        assert isinstance(operator.ask("status"), Reply)
    context.term()


def observer_of(site: Site, key: str, context: keys.ZContext) -> Subscriber:
    observer = Subscriber(context, site.addresses["events"], curve=site.curve(key))
    observer.subscribe(b"log")
    return observer


def publish_until_heard(dispatcher: Connected, *observers: Subscriber) -> None:
    event = Event(channel="log", term=1, seq=1, at=0.0, payload=b"{}")
    waiting = list(observers)

    def all_heard() -> bool:
        dispatcher.dealer.send([b"*log", encode([event])])
        waiting[:] = [one for one in waiting if not one.receive_all()]
        return not waiting

    dispatcher.until(all_heard)


def test_revoking_ends_what_is_open_at_once_and_nothing_else(site: Site) -> None:
    context: keys.ZContext = zmq.Context()
    site.keys.new("other", PeerRole.OPERATOR)
    site.keys.new("B", PeerRole.SERVER, "B")
    with (
        connected(site, "dispatcher") as dispatcher,
        connected(site, "server", "servers") as server,
        connected(site, "B", "servers") as other_server,
        connected(site, "operator") as operator,
        connected(site, "other") as other,
        observer_of(site, "operator", context) as observer,
        observer_of(site, "other", context) as other_observer,
    ):
        dispatcher.say(Claim(term=1, name="test"), target=BROKER)
        dispatcher.get(ClaimAccepted)
        for peer, name in ((server, "A:1"), (other_server, "B:1")):
            peer.say(registration(name))
            peer.get(Registered)
            dispatcher.get(Register)
        for peer in (operator, other):
            peer.say(Hello(name="test"))
            peer.get(Welcome)
        publish_until_heard(dispatcher, observer, other_observer)
        for name in ("operator", "server"):
            site.keys.revoke(name)
        for peer in (operator, server):
            peer.until(lambda peer=peer: bool(peer.dealer.refusal))  # type: ignore[misc]
            assert "refused this key" in peer.dealer.refusal
        lost = dispatcher.get(Liveness)
        assert isinstance(lost, Liveness)
        assert (lost.server, lost.state, lost.why) == (
            "A:1",
            LivenessState.LOST,
            "its key was revoked",
        )
        assert not keys.is_let_in(observer.socket)
        observer.receive_all()
        publish_until_heard(dispatcher, other_observer)
        assert observer.receive_all() == []
        observer.socket.disable_monitor()
        other.say(Ping(sent_s=1.0))
        other.get(Pong)
        assert not other_server.lost
        site.keys.revoke("dispatcher")
        dispatcher.until(lambda: bool(dispatcher.dealer.refusal))
        other.inbox.clear()
        reply = other.ask("status", "request-2")
        assert isinstance(reply, Reply)
        assert reply.outcome is Outcome.NOBODY
    context.term()
    assert "the key operator was revoked" in site.log.read_text()


def test_a_new_key_is_let_in_without_a_restart(site: Site) -> None:
    site.keys.new("late", PeerRole.VIEWER)
    with connected(site, "late") as peer:
        peer.until(lambda: peer.dealer.send([encode([Hello(name="test")])]))
        peer.get(Welcome)


def test_who_was_refused_gets_in_once_the_key_is_known(site: Site) -> None:
    """libzmq does not try again after a refusal; we do."""
    without = site.keys.authorised.read_text()
    site.keys.new("late", PeerRole.VIEWER)
    with_it = site.keys.authorised.read_text()
    site.keys.authorised.write_text(without)
    with connected(site, "late") as peer:
        peer.until(lambda: "refused this key" in peer.dealer.refusal)
        site.keys.authorised.write_text(with_it)
        peer.until(lambda: peer.dealer.send([encode([Hello(name="test")])]))
        peer.get(Welcome)
        assert peer.dealer.refusal == ""


def test_the_brokers_key_is_rotated_and_who_was_told_of_it_stays(site: Site) -> None:
    """One who was not is refused in words: it has no bundle of after the beginning."""
    old = site.curve("operator")
    carried = site.folder / "carried.key"
    carried.write_text(site.keys.key("server").text())
    carried.chmod(0o600)
    with (
        connected(site, "dispatcher", file=site.keys.file_of("dispatcher")) as dispatcher,
        connected(site, "server", "servers", file=carried) as server,
    ):
        dispatcher.say(Claim(term=1, name="test"), target=BROKER)
        dispatcher.get(ClaimAccepted)
        server.say(registration("A:1"))
        server.get(Registered)
        assert site.keys.rotate() == []
        carried.write_text(site.keys.key("server").text())
        with connected(site, "operator") as told_early:  # the broker has its former key still
            assert told_early.is_let_in
        assert site.keys.switch() == []
        with connected(site, "operator") as before_the_restart:
            assert before_the_restart.is_let_in
        site.stop()
        site.process = site.start()
        for peer in (dispatcher, server):
            peer.until(lambda peer=peer: peer.lost)  # type: ignore[misc]
        dispatcher.say(Claim(term=2, name="test"), target=BROKER)
        dispatcher.get(ClaimAccepted)
        server.say(registration("A:1", epoch=2))
        server.get(Registered)
        assert (dispatcher.dealer.refusal, server.dealer.refusal) == ("", "")
    with connected(site, "old", curve=old) as late:
        assert not late.is_let_in
        assert "carry a new bundle here (shotline keys bundle operator)" in late.dealer.refusal
    assert site.keys.finish() == []
    assert site.keys.key("operator").also == ()
    with connected(site, "operator") as operator:
        assert operator.is_let_in


def test_a_list_that_cannot_be_read_leaves_all_as_it_was(site: Site) -> None:
    with connected(site, "operator") as operator:
        operator.say(Hello(name="test"))
        operator.get(Welcome)
        text = site.keys.authorised.read_text()
        site.keys.authorised.write_text("nonsense")
        operator.until(lambda: "the keys stay as they were" in site.log.read_text())
        assert isinstance(operator.ask("status"), Reply)
        site.keys.authorised.write_text(text)


@pytest.mark.parametrize("link", ["clients", "servers", "events"])
def test_no_socket_of_the_brokers_is_without(shared: Site, link: str) -> None:
    context: keys.ZContext = zmq.Context()
    with context.socket(zmq.SUB if link == "events" else zmq.DEALER) as plain:
        plain.linger = 0
        plain.connect(shared.addresses[link])
        assert not keys.is_let_in(plain)
        plain.disable_monitor()
    context.term()


def test_the_files_are_their_owners_alone(shared: Site) -> None:
    assert stat.S_IMODE(shared.keys.folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(one.stat().st_mode) for one in shared.keys.folder.iterdir()}
    assert modes == {0o600}
