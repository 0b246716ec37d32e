"""Mutants through the codec: messages, or MalformedMessage, and nothing else."""

from contextlib import suppress
from random import Random
from typing import Any

from tests.fuzz.mutants import mutant
from tests.fuzz.values import made, structs_of

from shotline.common.codec import decode_all, split
from shotline.common.commands import AnyCommand, decode_command
from shotline.common.errors import MalformedMessage
from shotline.common.messages import AnyMessage

MESSAGES = structs_of(AnyMessage)
COMMANDS = structs_of(AnyCommand)
FRESH = 50  # mutants of a value, before the next is made


def feed(count: int, seed: int) -> tuple[int, int]:
    """Try so many mutants; return how many were accepted, and how many were refused."""
    random, accepted, value = Random(seed), 0, dict[str, Any]()
    for number in range(count):
        if number % FRESH == 0:
            value = made(MESSAGES[number // FRESH % len(MESSAGES)], random)
        data = mutant([value], random)
        try:
            decode_all([data])
            accepted += 1
        except MalformedMessage:
            pass
        with suppress(MalformedMessage):
            split(data)
    return accepted, count - accepted


def feed_commands(count: int, seed: int) -> tuple[int, int]:
    """The same with commands, which are JSON; what is wrong with one is a ValueError."""
    random, accepted, value = Random(seed), 0, dict[str, Any]()
    for number in range(count):
        if number % FRESH == 0:
            value = made(COMMANDS[number // FRESH % len(COMMANDS)], random)
        try:
            decode_command(mutant(value, random, as_json=True))
            accepted += 1
        except ValueError:
            pass
    return accepted, count - accepted
