"""The words between provider and dispatcher: pilots, and what each class needs. Pure.

A pilot is an ordinary action server that an engine has started. What tells it from others is the
token that its provider gave it: the incarnations of all its lives begin with it, so that what an
engine says of the pilot's end is said of them, and of no other server of that name.
"""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta

from shotline.common.base import Struct
from shotline.common.ranges import Count, Duration, Small, Wall

PILOT: Final = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
"""A pilot's token."""

Words = Annotated[str, Meta(max_length=1000)]
_Class = Annotated[str, Meta(pattern=r"^[^:\s]+$", max_length=64)]
_Server = Annotated[str, Meta(pattern=r"^[^:\s]+:[^:\s]+$", max_length=128)]
_Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]*$", max_length=32)]


def incarnation_of(pilot: str, life: str) -> str:
    """Return the incarnation of one life of a pilot, or of a server that is none ("")."""
    return f"{pilot}.{life}" if pilot else life


def is_of(incarnation: str | None, pilot: str) -> bool:
    """Return whether this incarnation is a life of this pilot."""
    return bool(pilot) and incarnation is not None and incarnation.startswith(f"{pilot}.")


class PilotState(StrEnum):
    """Where a pilot is, as its provider knows it."""

    QUEUED = "queued"  # the engine has it, and has not started it
    STARTING = "starting"  # it was started, and has not registered yet
    RUNNING = "running"  # it has registered
    ENDED = "ended"


class Pilot(Struct):
    """One server that an engine was asked for."""

    server: _Server  # CLASS:ID
    token: _Token = ""  # "": nothing can be proven of it
    job: Annotated[str, Meta(max_length=64)] = ""  # its name in the engine
    state: PilotState
    reason: Words = ""  # the engine's own
    since: Wall | None = None  # in this state
    proof: Words = ""  # of one that has ended: how the engine's accounting proves it (P3)


class ClassReport(Struct):
    """What a provider says of a class."""

    server_class: _Class
    provider: Literal["script", "slurm"]
    most: Small  # pilots at a time
    able: bool  # a start is under way, or possible now: the grace of D6 rests
    text: Words = ""  # why not, or what goes on
    start_wait_s: Duration  # and rests no longer than this
    labels: tuple[str, ...] = ()  # that each of its pilots has
    pilots: Annotated[tuple[Pilot, ...], Meta(max_length=10_000)] = ()
    stop: Annotated[tuple[_Server, ...], Meta(max_length=10_000)] = ()  # to be ended in order


class PilotServer(Struct):
    """A server of a provided class, as the dispatcher knows it."""

    server: _Server
    incarnation: str
    liveness: Literal["alive", "suspect", "lost", "absent"]
    started_at: Wall | None = None  # by its own clock
    busy: Small = 0
    ending: bool = False  # it takes no more work


class ClassDemand(Struct):
    """What a class needs."""

    server_class: _Class
    ready: Count = 0  # actions that wait for a slot, and that one more server could run
    waiting_s: Duration | None = None  # since when some have waited all the time
    running: Count = 0
    free: Count = 0  # slots that take an action now
    servers: tuple[PilotServer, ...] = ()
