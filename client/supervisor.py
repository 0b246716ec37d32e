"""The library for supervisors: `Supervisor` (blocking) and `AsyncSupervisor`.

    with Supervisor() as shotline:
        shotline.create_pulse("TEST", 42)
        shotline.build_tables("TEST", 42)
        for phase in ("INIT", "PULSE", "STORE"):
            report = shotline.do_phase(phase)
            print(phase, "ok" if report.ok else [action.path for action in report.failed])

Every command returns what was done or raises a SupervisorError; nothing hangs.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from shotline.client.calls import Call, shot_of
from shotline.client.errors import WrongArguments
from shotline.client.methods import AsyncCommands, Commands
from shotline.client.opening import Opening
from shotline.client.patience import Patience
from shotline.common.channels import output_channel, shot_channel
from shotline.common.closable import AsyncClosable, Closable
from shotline.common.codec import describe, sendable
from shotline.common.endpoint import endpoint
from shotline.common.messages import Behalf

if TYPE_CHECKING:
    from shotline.client.async_connection import AsyncConnection, AsyncEventStream
    from shotline.client.connection import Connection, EventStream
    from shotline.common.settings.config import Config
    from shotline.common.transport import CurveClient

T = TypeVar("T")

BROKER_VARIABLE = "SHOTLINE_BROKER"
BEHALF_VARIABLE = "SHOTLINE_BEHALF"
KEY_VARIABLE = "SHOTLINE_KEY"
TIMEOUT_S = 60.0


def broker_address(broker: str | None = None, config: Path | None = None) -> str:
    """Return the broker's address: the argument, else SHOTLINE_BROKER, else the configuration's.

    Raise WrongArguments when it is no address, and FileProblems, a ConfigError, when the
    configuration is wrong.
    """
    found = broker or os.environ.get(BROKER_VARIABLE) or _configured(config).broker.clients
    address = found if "://" in found else f"tcp://{found}"
    try:
        return endpoint(address)
    except ValueError as error:
        raise WrongArguments(f"the broker's address {found!r} {error}") from None


def own_key(
    key: "Path | CurveClient | None", broker: str | None, config: Path | None
) -> "CurveClient | None":
    """Return the key for the broker: the argument, else SHOTLINE_KEY's, else the configuration's.

    Who names the broker and no configuration has none of that. Raise ConfigError, in words, for one
    that cannot be used.
    """
    file = key or os.environ.get(KEY_VARIABLE)
    is_named = broker or os.environ.get(BROKER_VARIABLE)
    if not file and is_named and config is None:
        return None
    from shotline.common.keys import folder

    if not file:
        return folder.own_key(_configured(config).keys, "operator", "viewer")
    return folder.curve_in(Path(file)) if isinstance(file, str | Path) else file


def _configured(config: Path | None) -> "Config":
    # Who names the broker needs no configuration, which takes longer to import than all the rest.
    from shotline.common.settings.config import load_config

    return load_config(config)


def behalf_of(given: str | Behalf) -> Behalf | None:
    """Return for whom commands are given: the argument, else what SHOTLINE_BEHALF has as JSON.

    Raise WrongArguments when it cannot be.
    """
    found = given or os.environ.get(BEHALF_VARIABLE)
    if not found:
        return None
    if isinstance(found, Behalf):
        return found
    try:
        if given:
            return msgspec.convert({"name": sendable(found)}, Behalf)
        return msgspec.json.decode(found, type=Behalf)
    except ValueError as error:
        raise WrongArguments(f"on whose behalf commands are given: {describe(error)}") from None


class _Patient:
    """Where a supervisor finds the broker, and how long it waits for an answer.

    `on_behalf_of`: for whom commands are given, for the audit, where not for this process's user.
    """

    def __init__(
        self,
        broker: str | None = None,
        *,
        config: Path | None = None,
        key: "Path | CurveClient | None" = None,
        timeout_s: float = TIMEOUT_S,
        wait_timeout_s: float | None = None,
        patience: Patience | None = None,
        on_behalf_of: str | Behalf = "",
    ) -> None:
        self.address = broker_address(broker, config)
        self._behalf = behalf_of(on_behalf_of)
        self._key = own_key(key, broker, config)
        self.timeout_s = timeout_s
        self.wait_timeout_s = wait_timeout_s
        self._patience = patience or Patience()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.address}>"

    def _limit_s(self, call: Call[T], timeout_s: float | None) -> float | None:
        if timeout_s is not None:
            return timeout_s
        return self.wait_timeout_s if call.long else self.timeout_s


class Supervisor(_Patient, Commands, Closable):
    """Drives shots, blocking. One thread uses it; make one per thread, they are cheap.

    A process that was forked has a connection of its own; what its parent asked for and the events
    that its parent subscribed to remain the parent's.

    `timeout_s` is for commands that answer when they are done; commands that wait for a run
    (`do_phase`, `do_sequence`, `dispatch`, `wait`) take as long as their run, and end when broker
    or dispatcher stay away for `patience.absence_s`.
    """

    _made: "Connection | None" = None
    _before_fork: "tuple[Connection, ...]" = ()  # never touched: they are the parent's

    @property
    def _connection(self) -> "Connection":
        # What it needs takes longer to import than all the rest: a socket is not wanted by who only
        # names the library.
        from shotline.client.connection import Connection

        if self._made is not None and self._made.foreign:
            self._before_fork += (self._made,)
            self._made = None
        if self._made is None:
            self._made = Connection(self.address, self._patience, self._behalf, self._key)
        return self._made

    def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Carry out a call of one of the `verbs`, at most for `timeout_s`."""
        return self._connection.ask(call, self._limit_s(call, timeout_s))

    def connect(self) -> None:
        """Return once the broker has answered. Raise NoBroker."""
        self._connection.connect(self._patience.connect_s)

    def events(self, *channels: str, taps: tuple[str, ...] = ()) -> "EventStream":
        """Return what happens on channels (`shot/TREE/SHOT`, `output/…`, `servers`, `log`).

        Each begins with its whole state. `taps` are beginnings of channel names that are heard
        without a state and without a promise that nothing is missed.
        """
        self.connect()
        from shotline.client.connection import EventStream

        return EventStream(self._connection, channels, taps)

    def watch(self, tree: str, shot: int | None = None) -> "EventStream":
        """Return what happens to a shot, and its actions' output as it comes.

        for update in shotline.watch("TEST/42"):
        """
        key = shot_of(tree, shot)
        return self.events(shot_channel(key), taps=(output_channel(key, ""),))

    def close(self) -> None:
        """Close the connection. What was asked for goes on."""
        if self._made is not None and not self._made.foreign:
            self._made.close()


class AsyncSupervisor(_Patient, AsyncCommands, AsyncClosable):
    """Drives shots from an asyncio program; see `Supervisor`. Any number of tasks may share one.

    Use it as an asynchronous context manager, or call `connect` first.
    """

    _made: "AsyncConnection | None" = None

    async def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Carry out a call of one of the `verbs`, at most for `timeout_s`."""
        return await self._connection.ask(call, self._limit_s(call, timeout_s))

    async def connect(self) -> None:
        """Return once the broker has answered. Raise NoBroker."""
        await self._connection.connect(self._patience.connect_s)

    def events(
        self, *channels: str, taps: tuple[str, ...] = (), follows: tuple[str, ...] = ()
    ) -> "Opening[AsyncEventStream]":
        """Return what happens on channels; see `Supervisor.events`. It is opened where it is used.

        `follows` are beginnings of channel names (`shot/`): each such channel is had, from its
        whole state on, as soon as something happens there.
        """

        async def opened() -> "AsyncEventStream":
            from shotline.client.async_connection import AsyncEventStream

            await self.connect()
            return AsyncEventStream(self._connection, channels, taps, follows)

        return Opening(opened, ", ".join((*channels, *taps, *follows)))

    def watch(self, tree: str, shot: int | None = None) -> "Opening[AsyncEventStream]":
        """Return what happens to a shot, and its actions' output as it comes.

        async for update in shotline.watch("TEST/42"):
        """
        key = shot_of(tree, shot)
        return self.events(shot_channel(key), taps=(output_channel(key, ""),))

    def close(self) -> None:
        """Close the connection. What was asked for goes on; calls under way raise Closed."""
        if self._made is not None:
            self._made.close()

    @property
    def in_contact(self) -> bool:
        """Whether the broker has answered lately."""
        return self._made is not None and self._made.wire.session.in_contact

    @property
    def _connection(self) -> "AsyncConnection":
        # A blocking supervisor does without asyncio.
        from shotline.client.async_connection import AsyncConnection

        if self._made is None:
            self._made = AsyncConnection(self.address, self._patience, self._behalf, self._key)
        return self._made
