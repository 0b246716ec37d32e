"""The monitor's connection to the broker: the event feed goes through the view to the channels.

What the updates mean is `view`'s business; who reads the channels is `websocket`'s.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from typing import Final

from shotline.client.async_connection import AsyncEventStream
from shotline.client.errors import Closed, Nobody, NoBroker, SupervisorError
from shotline.client.observer import Update
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.channels import AUDIT, FEED, LOG, SHOTS, output_channel, shot_channel
from shotline.common.machine import Instant
from shotline.common.records import ShotKey
from shotline.common.views import OutputLine
from shotline.monitor.channels import Channels
from shotline.monitor.messages import plain
from shotline.monitor.models import Away
from shotline.monitor.names import AttemptName, ShotName, named
from shotline.monitor.view import SOURCES, View, earlier_shots
from shotline.monitor.view.attempts import Attempt
from shotline.monitor.view.effects import (
    AskLines,
    AskSystem,
    Drop,
    Effect,
    End,
    Follow,
    Open,
    Post,
    Refresh,
    Unfollow,
)
from shotline.monitor.view.estimate import slots_by_class
from shotline.monitor.view.shots import ShotState

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
REFRESH_S: Final = 0.5  # a shot's whole state is asked for at most this often
LINES_PER_PAGE: Final = 1000
LINE_TRIES: Final = 30
WAIT_FOR_SHOT_S: Final = 15.0
COMING_S: Final = 2.0  # for a channel whose beginning is still on its way
PAST_PAUSE_S: Final = 0.1
ESTIMATE_PAUSE: Final = 20.0  # times as long as an estimate took
ESTIMATE_SLICE_S: Final = 0.004
ESTIMATE_GAP_S: Final = 0.016


class NoChannel(Exception):
    """There is no such channel; the text says why."""


def instant() -> Instant:
    """Return now."""
    return Instant(time.monotonic(), time.time())


class Follower:
    """Takes the feed's updates for the view, and carries out what the view asks for."""

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        view: View,
        channels: Channels,
        on_messages: Callable[[], None],
    ) -> None:
        self.supervisor = supervisor
        self.view = view
        self.channels = channels
        self._on_messages = on_messages
        self._stream: AsyncEventStream | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking_system = False
        self._refreshing: dict[ShotKey, asyncio.TimerHandle] = {}
        self._refreshed: dict[ShotKey, float] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._past: set[ShotKey] = set()
        self._changed = asyncio.Event()
        for source in SOURCES:
            channels.open(source.id, lasting=True)

    async def run(self) -> None:
        """Take updates until cancelled; broker and dispatcher may come and go."""
        while True:
            try:
                await self._run()
            except Closed:
                return
            except Nobody as error:
                log.info("no event feed yet: %s", error)
            except SupervisorError as error:
                log.warning("the event feed is opened again: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _run(self) -> None:
        async with await self.supervisor.events(
            *(source.id for source in SOURCES if source.is_heard),
            taps=(FEED, AUDIT),
            follows=(SHOTS,),
        ) as stream:
            self._stream = stream
            try:
                for key in self.view.shots:
                    stream.follow(shot_channel(key))
                while True:
                    update = await stream.get()
                    if update is not None:
                        self._take([update, *stream.take()])
            finally:
                self._stream = None

    def close(self) -> None:
        """End what is under way."""
        for task in [*self._tasks, *self._opening.values()]:
            task.cancel()
        for timer in self._refreshing.values():
            timer.cancel()

    # Effects

    def _take(self, updates: list[Update]) -> None:
        now = instant()
        for update in updates:
            self.carry_out(self.view.take(now, update))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what the view asks for."""
        for effect in effects:
            self._carry_out(effect)
        self._on_messages()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Post(channel, body, key):
                self.channels.publish(channel, body, key)
            case Open(channel, lacks):
                self._open(channel, lacks)
            case End(channel):
                self._end(channel)
            case Drop(channel):
                self.channels.drop(channel)
            case Follow(tree, shot):
                if self._stream is not None:
                    self._stream.follow(shot_channel(ShotKey(tree, shot)))
            case Unfollow(tree, shot):
                self._refreshed.pop(ShotKey(tree, shot), None)
                if self._stream is not None:
                    self._stream.leave(shot_channel(ShotKey(tree, shot)))
            case Refresh(tree, shot):
                self._refresh_soon(ShotKey(tree, shot))
            case AskLines(channel, since):
                self._spawn(self._fetch_lines(channel, since))
            case AskSystem():
                if not self._asking_system:
                    self._asking_system = True
                    self._spawn(self._ask_system())

    def _open(self, channel: str, lacks: str) -> None:
        self.channels.open(channel, lasting=isinstance(named(channel), ShotName))
        if lacks:
            self.channels.lack_beginning(channel, lacks)

    def _end(self, channel: str) -> None:
        self.channels.end(instant().mono, channel)
        found = self._attempt(channel)
        if found is not None:
            state, attempt = found
            del state.attempts[attempt.path, attempt.number]
            if self._stream is not None and not any(
                path == attempt.path for path, _ in state.attempts
            ):
                self._stream.untap(output_channel(attempt.key, attempt.path))

    def _refresh_soon(self, key: ShotKey) -> None:
        if key in self._refreshing:
            return
        loop = asyncio.get_running_loop()
        wait_s = max(0.0, self._refreshed.get(key, 0.0) + REFRESH_S - loop.time())

        def refresh() -> None:
            del self._refreshing[key]
            self._refreshed[key] = loop.time()
            if self._stream is not None:
                self._stream.refresh(shot_channel(key))

        self._refreshing[key] = loop.call_later(wait_s, refresh)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Asking the dispatcher

    async def _ask_system(self) -> None:
        try:
            recovering = True
            while recovering:
                try:
                    status = await self.supervisor.status()
                    shots = await self.supervisor.shots()
                except Nobody as error:
                    no_broker = isinstance(error, NoBroker)
                    away: Away = "broker" if no_broker else "dispatcher"
                    self.carry_out(self.view.nobody(instant(), away))
                    await asyncio.sleep(RETRY_S)
                    continue
                self.carry_out(self.view.status(instant(), status, shots))
                recovering = status.recovering
                if recovering:
                    await asyncio.sleep(RETRY_S)
        except Closed:
            return
        except SupervisorError as error:
            log.warning("the dispatcher's status is not known: %s", error)
            return
        finally:
            self._asking_system = False
        await self._load_past()

    async def _load_past(self) -> None:
        """Read how long the actions of earlier shots took, a shot at a time."""
        try:
            self._past &= {*self.view.listed, *self.view.shots}
            for key in earlier_shots(self.view.listed, self.view.settings.median_shots):
                if key not in self._past and key not in self.view.shots:
                    self._past.add(key)
                    self.view.past(await self.supervisor.actions(*key))
                    await asyncio.sleep(PAST_PAUSE_S)
        except SupervisorError as error:
            log.info("the usual durations are not all known: %s", error)
        self.carry_out(self.view.medians(instant()))

    async def _lines(
        self, attempt: Attempt, since: int
    ) -> tuple[Sequence[OutputLine], Sequence[OutputLine]]:
        """Return the stored lines from `since` on, and behind them those that have not ended."""
        lines: list[OutputLine] = []
        while True:
            page = await self.supervisor.logs(
                attempt.path,
                *attempt.key,
                attempt=attempt.number,
                since=since + len(lines),
                limit=LINES_PER_PAGE,
            )
            lines += page.lines
            if not page.more or not page.lines:
                return lines, page.tails

    async def _fetch_lines(self, channel: str, since: int) -> None:
        lines: Sequence[OutputLine] = ()
        tails: Sequence[OutputLine] = ()
        for _ in range(LINE_TRIES):
            found = self._attempt(channel)
            if found is None:
                return
            try:
                lines, tails = await self._lines(found[1], since)
                break
            except Closed:
                return
            except SupervisorError as error:
                log.info("output of %s is asked for again: %s", channel, error)
                await asyncio.sleep(RETRY_S)
        found = self._attempt(channel)
        if found is not None:
            self.carry_out(found[1].lines(lines, tails))

    # Once a second

    def tick(self) -> None:
        """Estimate the runs that somebody looks at."""
        for state in self.view.shots.values():
            if self.channels.has_readers(state.channel) and time.monotonic() >= state.estimate_at:
                state.estimate_at = math.inf  # while it is made
                self._spawn(self._estimate(state))

    async def _estimate(self, state: ShotState) -> None:
        """Estimate a run, a moment at a time: of a large one the whole takes too long."""
        now, worked_s = instant(), 0.0
        slots = slots_by_class(self.view.servers.values())
        steps = state.estimating(now, slots, self.view.settings.slow_factor)
        effects: list[Effect] | None = None
        try:
            while effects is None:
                effects, took_s = _for_a_moment(steps)
                worked_s += took_s
                if effects is None:
                    await asyncio.sleep(ESTIMATE_GAP_S)
        finally:
            state.estimate_at = time.monotonic() + max(0.5, ESTIMATE_PAUSE * worked_s)
        if self.view.shots.get(state.key) is state:
            self.carry_out(effects)

    # Channels that are made when somebody asks for them

    async def require(self, channel: str) -> None:
        """Return once a channel is there to be subscribed to. Raise NoChannel."""
        if channel in self.channels:
            return
        name = named(channel)
        if name is None:
            raise NoChannel(f"there is no channel {channel[:200]!r}")
        state = await self._require_shot(name.key)
        if isinstance(name, AttemptName):
            task = self._opening.get(channel)
            if task is None:
                task = asyncio.get_running_loop().create_task(self._open_attempt(state, name))
                self._opening[channel] = task
                task.add_done_callback(lambda _: self._opening.pop(channel, None))
            await asyncio.shield(task)
        if not await self._comes(channel):
            raise NoChannel(
                f"there is no channel {channel[:200]!r}; what has ended is kept for "
                f"{self.channels.limits.retention_s:g} s"
            )

    async def _comes(self, channel: str) -> bool:
        """Return whether a channel is there; the reply to do_phase may be before its event."""
        try:
            async with asyncio.timeout(COMING_S):
                while channel not in self.channels:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _require_shot(self, key: ShotKey) -> ShotState:
        state = self.view.shots.get(key)
        if state is not None and state.known:
            return state
        try:
            await self.supervisor.actions(*key)  # has the dispatcher load a stored shot
        except SupervisorError as error:
            raise NoChannel(str(error)) from None
        self.view.unknown.pop(key, None)
        self.carry_out([Follow(*key)])
        try:
            async with asyncio.timeout(WAIT_FOR_SHOT_S):
                while True:
                    state = self.view.shots.get(key)
                    if state is not None and state.known:
                        return state
                    if key in self.view.unknown:
                        raise NoChannel(self.view.unknown[key])
                    await self._changed.wait()
        except TimeoutError:
            raise NoChannel(f"the state of {key} did not come in time; try again") from None

    async def _open_attempt(self, state: ShotState, name: AttemptName) -> None:
        action = state.board.actions.get(name.path)
        if action is None or not 1 <= name.number <= action.last.attempt:
            raise NoChannel(f"{name.key} {name.path} has no attempt {name.number}")
        attempt = Attempt(name.key, name.path, name.number)
        if self._stream is not None:
            self._stream.tap(output_channel(name.key, name.path))
        # Registered before it is asked for, so that what happens meanwhile waits there.
        state.attempts[name.path, name.number] = attempt
        try:
            story = await self.supervisor.show(name.path, *name.key)
            ended_at = attempt.ended_at(story.records)
            kept_s = self.channels.limits.retention_s
            if ended_at is not None and time.time() > ended_at + kept_s:
                raise NoChannel(
                    f"attempt {name.number} of {name.path} ended more than {kept_s:g} s ago; its "
                    "output is at /api/logs"
                )
            lines, tails = await self._lines(attempt, 0)
        except (SupervisorError, NoChannel) as error:
            state.attempts.pop((name.path, name.number), None)
            raise NoChannel(str(error)) from None
        self.channels.open(attempt.channel)
        failed = state.board.actions[name.path].failed
        self.carry_out(attempt.loaded(story.records, lines, tails, failed=failed, time=time.time()))

    def _attempt(self, channel: str) -> tuple[ShotState, Attempt] | None:
        name = named(channel)
        if not isinstance(name, AttemptName):
            return None
        state = self.view.shots.get(name.key)
        attempt = state.attempts.get((name.path, name.number)) if state is not None else None
        return None if state is None or attempt is None else (state, attempt)

    # Our own part of the log

    def say(self, level: str, source: str, text: str) -> None:
        """Put a line on the channel `log`."""
        told = plain("LOG", time.time(), {"level": level, "source": source, "text": text})
        self.channels.publish(LOG, told)
        self._on_messages()


def _for_a_moment(
    steps: Generator[None, None, list[Effect]],
) -> tuple[list[Effect] | None, float]:
    """Go on with an estimate; return what follows from it once it is there, and the time taken."""
    begun = time.monotonic()
    try:
        while time.monotonic() < begun + ESTIMATE_SLICE_S:
            next(steps)
    except StopIteration as end:
        effects: list[Effect] = end.value
        return effects, time.monotonic() - begun
    return None, time.monotonic() - begun
