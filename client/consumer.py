"""Consumers of data records: they lease records, keep the leases while they work, and end them.

    with Consumer("filter") as consumer:
        for record in consumer:
            work_on(record.file)

What the body of the loop returns from is done; what it raises gives the record back. Leases are
renewed beside it by a connection of its own, in a thread, so that a long record stays leased.
"""

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import structs

from shotline.client.errors import SupervisorError
from shotline.client.supervisor import AsyncSupervisor, Supervisor
from shotline.common.base import to_json
from shotline.common.closable import AsyncClosable, Closable
from shotline.common.files.checksum import checksum_of
from shotline.common.volumes.commands import Verify
from shotline.common.volumes.views import LeasesResult, LeaseView, TokenFate, TokensResult

RECORD_VARIABLE: Final = "SHOTLINE_RECORD"
NEVER: Final = 65
"""The exit code of a program (EX_DATAERR) that says that a record can never be worked on."""

WAIT_S: Final = 20.0
DELAY_S: Final = 5.0  # until a file that is not as it was announced is offered again


def default_name() -> str:
    """Return a name for a consumer that no other one has."""
    return f"{here()}:{os.getpid()}:{os.urandom(3).hex()}"


def here() -> str:
    """Return the name of this host, as watchers have it."""
    return socket.gethostname()


def run_program(lease: LeaseView, program: Sequence[str]) -> int:
    """Run a program for a record; its file is the last argument. Return its exit code."""
    record = to_json(lease).decode()
    done = subprocess.run(
        [*program, lease.file], env={**os.environ, RECORD_VARIABLE: record}, check=False
    )
    return done.returncode


def what_is_wrong(lease: LeaseView, verify: Verify) -> str:
    """Return how a record's file is not what was announced; empty: it is."""
    if not verify:
        return ""
    root = Path(lease.folder)
    try:
        size_b = sum((root / path).stat().st_size for path in (lease.path, *lease.companions))
        if size_b != lease.size_b:
            return f"{lease.path} has {size_b} bytes, and was announced with {lease.size_b}"
        if verify == "checksum" and lease.checksum:
            found = checksum_of(Path(lease.file), lease.checksum.partition(":")[0])
            if found != lease.checksum:
                return f"{lease.path} has {found}, and was announced with {lease.checksum}"
    except OSError as error:
        return f"{lease.path} cannot be read here: {error.strerror}"
    return ""


def sorted_out(
    leases: Iterable[LeaseView], verify: Verify
) -> tuple[list[LeaseView], dict[str, str]]:
    """Return those whose files are as they were announced; and what is wrong, by token."""
    good, bad = [], {}
    for lease in leases:
        wrong = what_is_wrong(lease, verify)
        if wrong:
            bad[lease.token] = wrong
        else:
            good.append(lease)
    return good, bad


def passed_on(found: LeasesResult, verify: Verify) -> tuple[LeasesResult, dict[str, str]]:
    """Return leases for somebody else: without those whose files have changed, as far as these are
    on this machine; and what is wrong with those, by token.
    """
    mine = [lease for lease in found.leases if lease.host == here()]
    _, bad = sorted_out(mine, verify)
    if not bad:
        return found, bad
    leases = tuple(lease for lease in found.leases if lease.token not in bad)
    why = "" if leases else "; ".join(bad.values())
    return structs.replace(found, leases=leases, why=why), bad


_Ask = Callable[[list[str]], TokensResult]
_AskAsync = Callable[[list[str]], Awaitable[TokensResult]]


def _fates(told: TokensResult) -> dict[str, TokenFate]:
    return {one.token: one.fate for one in told.answers}


class _Choice:
    """What a consumer wants: of which group, under which name, how much at a time."""

    def __init__(
        self,
        group: str,
        name: str = "",
        *,
        host: str | None = None,
        batch: int = 1,
        hold_s: float | None = None,
        verify: Verify = "size",
    ) -> None:
        self.group, self.name = group, name or default_name()
        self.host = here() if host is None else host
        self.batch, self.hold_s = batch, hold_s
        self.verify: Verify = verify
        self.leases: dict[str, LeaseView] = {}  # by token: what it has

    def _take(self, found: LeasesResult) -> tuple[list[LeaseView], dict[str, str]]:
        """Return what is as it was announced, and what is wrong with the rest, by token."""
        good, bad = sorted_out(found.leases, self.verify)
        self.leases.update((lease.token, lease) for lease in good)
        return good, bad

    def _forget(self, leases: Sequence[LeaseView]) -> list[str]:
        for lease in leases:
            self.leases.pop(lease.token, None)
        return [lease.token for lease in leases]

    @property
    def renew_s(self) -> float:
        """How often leases are renewed, so that one lost answer ends none."""
        held = [lease.hold_s for lease in self.leases.values()]
        return max(min(held, default=15.0) / 3, 0.05)


class Consumer(_Choice, Closable):
    """A consumer; a thread of its own renews what it has. See the module."""

    def __init__(
        self,
        group: str,
        name: str = "",
        *,
        host: str | None = None,
        batch: int = 1,
        hold_s: float | None = None,
        verify: Verify = "size",
        broker: str | None = None,
        config: Path | None = None,
        key: Path | None = None,
    ) -> None:
        super().__init__(group, name, host=host, batch=batch, hold_s=hold_s, verify=verify)
        self._options = {"broker": broker, "config": config, "key": key}
        self._supervisor = Supervisor(broker, config=config, key=key)
        self._ended = threading.Event()
        self._renewer: threading.Thread | None = None
        self._lock = threading.Lock()

    def take(self, limit: int | None = None, *, wait: float = WAIT_S) -> list[LeaseView]:
        """Lease records; none when none came up in time. A file that has changed is given back."""
        found = self._supervisor.records_lease(
            self.group,
            self.name,
            host=self.host,
            limit=limit or self.batch,
            hold_s=self.hold_s,
            wait=wait,
        )
        with self._lock:
            good, bad = self._take(found)
        for token, wrong in bad.items():
            self._supervisor.records_return(self.name, [token], delay_s=DELAY_S, reason=wrong)
        if good and self._renewer is None:
            self._renewer = threading.Thread(target=self._renew_on, daemon=True)
            self._renewer.start()
        return good

    def done(self, *leases: LeaseView) -> dict[str, TokenFate]:
        """Say that records are done. Return what became of each, by its token."""
        return self._end(
            lambda tokens: self._supervisor.records_complete(self.name, tokens), leases
        )

    def give_back(
        self, *leases: LeaseView, delay_s: float = 0.0, reason: str = "", never: bool = False
    ) -> dict[str, TokenFate]:
        """Give records back, to be offered again; with `never` they are not."""
        return self._end(
            lambda tokens: self._supervisor.records_return(
                self.name, tokens, delay_s=delay_s, reason=reason, never=never
            ),
            leases,
        )

    def _end(self, ask: _Ask, leases: Sequence[LeaseView]) -> dict[str, TokenFate]:
        with self._lock:
            tokens = self._forget(leases)
        return _fates(ask(tokens)) if tokens else {}

    def __iter__(self) -> Iterator[LeaseView]:
        """Yield records for ever: each is done when the next one is asked for."""
        while True:
            for lease in self.take():
                try:
                    yield lease
                except BaseException:
                    self._give_back_raised(lease)
                    raise
                if lease.token in self.leases:
                    self.done(lease)

    def _give_back_raised(self, lease: LeaseView) -> None:
        if lease.token in self.leases:
            with suppress(SupervisorError):
                self.give_back(lease, reason="the consumer ended while it had it")

    def _renew_on(self) -> None:
        # A supervisor is one thread's.
        with Supervisor(**self._options) as supervisor:  # type: ignore[arg-type]  # ours
            while not self._ended.wait(self.renew_s):
                with self._lock:
                    tokens = list(self.leases)
                if tokens:
                    with suppress(SupervisorError):
                        supervisor.records_renew(self.name, tokens)

    def close(self) -> None:
        """Give back what it has, and leave."""
        self._ended.set()
        with suppress(SupervisorError):
            self._supervisor.records_leave(self.name)
        self._supervisor.close()
        if self._renewer is not None:
            self._renewer.join()


class AsyncConsumer(_Choice, AsyncClosable):
    """A consumer in an asyncio program; a task renews what it has. See the module.

    Made inside the running event loop. `supervisor`: one that others use, too; else it has its own.
    """

    def __init__(
        self,
        group: str,
        name: str = "",
        *,
        host: str | None = None,
        batch: int = 1,
        hold_s: float | None = None,
        verify: Verify = "size",
        broker: str | None = None,
        config: Path | None = None,
        key: Path | None = None,
        supervisor: AsyncSupervisor | None = None,
    ) -> None:
        super().__init__(group, name, host=host, batch=batch, hold_s=hold_s, verify=verify)
        self._is_own = supervisor is None
        if supervisor is None:
            supervisor = AsyncSupervisor(broker, config=config, key=key)
        self._supervisor = supervisor
        self._renewer = asyncio.get_running_loop().create_task(self._renew_on())

    async def take(self, limit: int | None = None, *, wait: float = WAIT_S) -> list[LeaseView]:
        """Lease records; none when none came up in time. A file that has changed is given back."""
        found = await self._supervisor.records_lease(
            self.group,
            self.name,
            host=self.host,
            limit=limit or self.batch,
            hold_s=self.hold_s,
            wait=wait,
        )
        good, bad = await asyncio.to_thread(self._take, found)
        for token, wrong in bad.items():
            await self._supervisor.records_return(self.name, [token], delay_s=DELAY_S, reason=wrong)
        return good

    async def done(self, *leases: LeaseView) -> dict[str, TokenFate]:
        """Say that records are done. Return what became of each, by its token."""
        return await self._end(
            lambda tokens: self._supervisor.records_complete(self.name, tokens), leases
        )

    async def give_back(
        self, *leases: LeaseView, delay_s: float = 0.0, reason: str = "", never: bool = False
    ) -> dict[str, TokenFate]:
        """Give records back, to be offered again; with `never` they are not."""
        return await self._end(
            lambda tokens: self._supervisor.records_return(
                self.name, tokens, delay_s=delay_s, reason=reason, never=never
            ),
            leases,
        )

    async def _end(self, ask: _AskAsync, leases: Sequence[LeaseView]) -> dict[str, TokenFate]:
        tokens = self._forget(leases)
        return _fates(await ask(tokens)) if tokens else {}

    async def __aiter__(self) -> AsyncIterator[LeaseView]:
        """Yield records for ever: each is done when the next one is asked for."""
        while True:
            for lease in await self.take():
                yield lease
                if lease.token in self.leases:
                    await self.done(lease)

    async def _renew_on(self) -> None:
        while True:
            await asyncio.sleep(self.renew_s)
            if self.leases:
                with suppress(SupervisorError):
                    await self._supervisor.records_renew(self.name, list(self.leases))

    async def leave(self) -> None:
        """Give back what it has, and leave."""
        self._renewer.cancel()
        self.leases.clear()
        await self._supervisor.records_leave(self.name)

    async def __aexit__(self, *_: object) -> None:
        with suppress(SupervisorError):
            await self.leave()
        self.close()

    def close(self) -> None:
        """Renew no more; what it has is offered again when its time is over."""
        self._renewer.cancel()
        if self._is_own:
            self._supervisor.close()
