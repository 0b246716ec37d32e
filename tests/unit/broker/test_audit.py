"""What the broker tells the dispatcher for the audit: who sent a command, and what it refused."""

import pytest
from tests.unit.broker.peers import CLIENT, DISPATCHER, World

from shotline.broker.machine import KeyUsed
from shotline.broker.permissions import ANYBODY, Peer, may_command
from shotline.common.codec import decode_one
from shotline.common.commands import VERBS
from shotline.common.keys.peers import PeerRole
from shotline.common.messages import Outcome, Reply, Request, TurnedAway, Vouched
from shotline.common.tellings import EACH_BURST

WATCHER = b"client/watcher"
SERVER = b"client/server"


def world() -> World:
    clients = {
        CLIENT: Peer("console", address="10.0.0.5"),
        SERVER: Peer("gas", roles=frozenset({PeerRole.SERVER}), address="10.0.0.7"),
        WATCHER: Peer(roles=frozenset({PeerRole.VIEWER}), address="10.0.0.6"),
    }
    made = World(who=lambda peer: clients.get(peer, ANYBODY))
    made.seat()
    made.greet()
    made.greet(WATCHER)
    made.read(DISPATCHER)
    return made


def test_a_command_goes_on_behind_who_has_sent_it() -> None:
    broker = world()
    request = broker.request("abort")
    broker.client(CLIENT, request)
    assert broker.read(DISPATCHER) == [
        (CLIENT, Vouched(key="console", address="10.0.0.5")),
        (CLIENT, request),
    ]


def test_a_question_goes_on_as_it_is() -> None:
    broker = world()
    broker.client(CLIENT, broker.request("status"))
    assert broker.kinds(DISPATCHER) == ["request"]


@pytest.mark.parametrize("forged", [Vouched(key="me"), TurnedAway(verb="x", outcome="ok", text="")])
def test_no_client_may_say_so_itself(forged: Vouched | TurnedAway) -> None:
    broker = world()
    broker.client(CLIENT, forged, broker.request("abort"))
    assert broker.kinds(DISPATCHER) == []
    assert broker.kinds(CLIENT) == ["problem"]


def test_a_command_that_its_sender_may_not_give_is_told() -> None:
    broker = world()
    request = broker.request("abort")
    broker.client(WATCHER, request)
    (told,) = broker.got(DISPATCHER, TurnedAway)
    assert (told.address, told.verb, told.outcome) == ("10.0.0.6", "abort", Outcome.REFUSED)
    assert told.text == "abort is not for the role viewer"
    assert decode_one(told.request) == request
    (reply,) = broker.got(WATCHER, Reply)
    assert reply.outcome is Outcome.REFUSED


def test_a_command_of_a_peer_that_may_give_none_is_told() -> None:
    broker = world()
    request = broker.request("abort")
    broker.client(SERVER, request)
    (told,) = broker.got(DISPATCHER, TurnedAway)
    assert (told.key, told.verb) == ("gas", "abort")
    assert told.text == "'request' is not for server to send"
    assert decode_one(told.request) == request


def test_a_command_that_has_expired_is_told() -> None:
    broker = world()
    broker.client(CLIENT, broker.request("abort", lifetime_s=-1.0))
    (told,) = broker.got(DISPATCHER, TurnedAway)
    assert (told.key, told.verb) == ("console", "abort")
    assert "expired" in told.text


def test_a_question_that_has_expired_is_not_told() -> None:
    broker = world()
    broker.client(CLIENT, broker.request("status", lifetime_s=-1.0))
    assert broker.got(DISPATCHER, TurnedAway) == []


def test_nobody_fills_the_audit_with_what_is_refused() -> None:
    broker = world()
    for _ in range(1000):
        broker.client(WATCHER, broker.request("abort"))
    assert len(broker.got(DISPATCHER, TurnedAway)) == EACH_BURST
    assert len(broker.got(WATCHER, Reply)) == 1000
    broker.client(CLIENT, broker.request("abort", lifetime_s=-1.0))
    (told,) = broker.got(DISPATCHER, TurnedAway)
    assert told.untold == 1000 - EACH_BURST


def test_of_a_large_request_only_the_verb_is_told() -> None:
    broker = world()
    request = Request(
        id="request-1", verb="abort", deadline_s=broker.now + 10, command=b"x" * 60_000
    )
    broker.client(WATCHER, request)
    (told,) = broker.got(DISPATCHER, TurnedAway)
    assert (told.verb, told.request) == ("abort", b"")


def test_without_a_dispatcher_nothing_is_kept() -> None:
    broker = World(who=lambda _peer: Peer(roles=frozenset({PeerRole.VIEWER})))
    broker.client(CLIENT, broker.request("abort"))
    assert [reply.outcome for reply in broker.got(CLIENT, Reply)] == [Outcome.REFUSED]


def test_who_may_read_the_audit_and_who_may_write_into_it() -> None:
    def those_who_may(verb: str) -> set[PeerRole]:
        return {role for role in PeerRole if may_command(frozenset({role}), verb)}

    assert "note_access" not in VERBS
    assert those_who_may("note_access") == {PeerRole.MONITOR}
    assert "provider_report" not in VERBS
    assert those_who_may("provider_report") == {PeerRole.PROVIDER}
    assert "rehearse" not in VERBS
    assert those_who_may("rehearse") == {PeerRole.OPERATOR}
    assert those_who_may("audit") == {PeerRole.MONITOR, PeerRole.OPERATOR}


def test_what_is_done_with_keys_is_told() -> None:
    broker = world()
    broker.handle(KeyUsed("revoke_key", "wall", Outcome.OK, "the key wall was revoked"))
    for _ in range(1000):
        broker.handle(KeyUsed("connect", "", Outcome.REFUSED, "not let in", "10.6.6.6"))
    first, *refused = broker.got(DISPATCHER, TurnedAway)
    assert (first.verb, first.key, first.outcome) == ("revoke_key", "wall", Outcome.OK)
    assert {one.address for one in refused} == {"10.6.6.6"}
    assert len(refused) == EACH_BURST
