"""A small part of `make fuzz`: any bytes are a message or refused, and every daemon goes on."""

from pathlib import Path

import msgspec
import pytest
from tests.fuzz import codec, live, mad_broker
from tests.fuzz.values import made

from shotline.common.codec import decode, encode


def test_every_message_is_made_as_it_is_accepted_and_comes_back() -> None:
    random = codec.Random(3)
    for kind in codec.MESSAGES:
        for _ in range(20):
            try:
                (message,) = decode(msgspec.msgpack.encode([made(kind, random)]))
            except codec.MalformedMessage:
                continue  # two of its fields do not fit together
            assert decode(encode([message])) == [message]
            break
        else:
            pytest.fail(f"no {kind.__name__} in order was ever made")


def test_mutants_of_messages_and_commands_are_in_order_or_refused() -> None:
    for feed in (codec.feed, codec.feed_commands):
        accepted, refused = feed(20_000, seed=2)
        assert accepted > 200, "too wild: nothing that looks right is tried"
        assert refused > 10_000


def test_every_daemon_goes_on_after_mutants_on_its_sockets(tmp_path: Path) -> None:
    assert live.feed(tmp_path, 195, 2, lambda _: None) == 195


def test_an_action_server_goes_on_after_mutants_of_its_broker(tmp_path: Path) -> None:
    assert live.feed_server(tmp_path, 2000, 2, lambda _: None) == 2000


def test_every_daemon_works_again_after_a_broker_gone_mad(tmp_path: Path) -> None:
    assert mad_broker.feed(tmp_path, 100, 2, lambda _: None) >= 100
