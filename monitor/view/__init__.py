"""What the monitor knows of shots, servers and the system: the fold of the feed. Pure.

The feed's updates come in, messages for the channels come out (I6). `shots` folds one shot;
`channels` keeps what was told.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Final

from msgspec import structs

from shotline.client.observer import FeedStopped, News, Unknown, Update, Whole
from shotline.common.actions import Colour
from shotline.common.base import Value
from shotline.common.channels import (
    ALARMS,
    FEED,
    LOG,
    QUEUE,
    SERVERS,
    SHOTS,
    VOLUMES,
    output_of,
    shot_of,
)
from shotline.common.fleet.views import FleetView
from shotline.common.machine import Instant
from shotline.common.records import PulseCreated, ShotKey
from shotline.common.views import (
    ActionsResult,
    AuditEvent,
    FeedBeat,
    LogEvent,
    OutputEvent,
    ServersEvent,
    ServerView,
    ShotEvent,
    ShotsResult,
    ShotView,
    StatusResult,
)
from shotline.common.volumes.views import LedgerView, VolumesEvent
from shotline.monitor.messages import (
    Body,
    colour,
    fleet_message,
    log_message,
    plain,
    server_message,
    shot_message,
    system_message,
    volumes_message,
    whole_servers,
    whole_system,
    whole_volumes,
)
from shotline.monitor.models import Away, HostSample, RanAction, SystemView
from shotline.monitor.names import SYSTEM, ShotName, named
from shotline.monitor.view.alarms import AlarmBoard
from shotline.monitor.view.durations import Durations
from shotline.monitor.view.effects import (
    AskSystem,
    Drop,
    Effect,
    Follow,
    Post,
    Unfollow,
)
from shotline.monitor.view.queue import QueueBoard
from shotline.monitor.view.shots import ShotState

UNKNOWN_MAX: Final = 100  # shots of which it is remembered why nothing is known

Beat = tuple[float, float | None]
SAMPLE_S: Final = 60.0  # what servers tell of their hosts is kept so often
SAMPLES_MAX: Final = 60  # of each
PAST_MAX: Final = 200  # actions that a server has run


class ViewSettings(Value):
    """What bounds the view; see the configuration's section `monitor`."""

    broker: str
    version: str
    life: str
    experiments: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    shots_max: int = 10
    shots_listed_max: int = 1000
    heartbeats_max: int = 120
    servers_gone_max: int = 100
    median_shots: int = 10
    slow_factor: float = 1.5


class View:
    """The state that pages are shown."""

    def __init__(self, settings: ViewSettings) -> None:
        self.settings = settings
        self.durations = Durations(settings.median_shots)
        self.shots: dict[ShotKey, ShotState] = {}
        self.listed: dict[ShotKey, ShotView] = {}
        self.servers: dict[str, ServerView] = {}
        self.heartbeats: dict[str, deque[Beat]] = {}
        self.samples: dict[str, deque[HostSample]] = {}
        self.fleet: FleetView | None = None  # None: nothing was told yet
        self.unknown: dict[ShotKey, str] = {}
        self.queue = QueueBoard()
        self.ledger: LedgerView | None = None  # None: nothing was told yet
        self.alarms = AlarmBoard()
        self.system = SystemView(
            broker=settings.broker,
            version=settings.version,
            life=settings.life,
            feed="connecting",
            experiments=settings.experiments,
        )
        for name in settings.expected:
            self.servers[name] = _absent(name)

    def whole(self, channel_id: str, time: float) -> Body | None:
        """Return the whole state of a channel that has one."""
        source = _SOURCES.get(channel_id)
        if source is not None:
            return source.whole(self, time)
        name = named(channel_id)
        shot = self.shots.get(name.key) if isinstance(name, ShotName) else None
        return shot.whole(time) if shot is not None and shot.known else None

    def whole_servers(self, time: float) -> Body:
        """Return the whole state of the action servers."""
        beats = {name: list(beats) for name, beats in self.heartbeats.items()}
        return whole_servers(time, self.all_servers(), beats, self.fleet, self.samples)

    def whole_system(self, time: float) -> Body:
        """Return the whole state of what the monitor is connected to."""
        return whole_system(time, self.system, self.all_shots())

    def all_servers(self) -> list[ServerView]:
        """Return every server, those that are ON first."""
        order = ("alive", "suspect", "lost", "absent")
        return sorted(
            self.servers.values(), key=lambda one: (order.index(one.liveness), one.server)
        )

    def all_shots(self) -> list[ShotView]:
        """Return every shot that is known, the latest of each tree first."""
        found = dict(self.listed)
        current = self.system.current
        for key, shot in self.shots.items():
            if shot.known:
                found[key] = shot.short()
        return [
            structs.replace(found[key], current=key == current)
            for key in sorted(found, key=lambda key: (key.tree, -key.shot))
        ]

    # What the feed tells

    def take(self, now: Instant, update: Update) -> Iterator[Effect]:
        """Take one update and yield what follows from it."""
        channel = update.channel
        if channel.startswith(SHOTS):
            yield from self._take_shot(now, update)
        elif (source := _SOURCES.get(channel)) is not None:
            yield from source.take(self, now, update)
        elif isinstance(update, News):
            yield from self._take_news(now, update)

    def _take_news(self, now: Instant, news: News) -> Iterator[Effect]:
        match news.payload:
            case OutputEvent() as event:
                yield from self._output(news.channel, event)
            case FeedBeat() as beat:
                if news.channel == FEED and beat.journal != self.system.journal:
                    yield from self._system_is(now, journal=beat.journal, journal_text="")
                    yield AskSystem()  # it knows the words
            case AuditEvent(last=last):
                yield Post(SYSTEM, plain("AUDIT", now.wall, {"last": last}), "audit")
            case _:
                pass

    def take_log(self, update: Update) -> Iterator[Effect]:
        """Take lines of the daemons' logs."""
        if isinstance(update, News) and isinstance(event := update.payload, LogEvent):
            for at, level, source, text in event.lines:
                yield Post(LOG, log_message(at, level, source, text, event.about))

    def _output(self, channel: str, event: OutputEvent) -> Iterator[Effect]:
        output = output_of(channel)
        if output is None:
            return
        key, path = output
        state = self.shots.get(key)
        attempt = state.attempts.get((path, event.attempt)) if state is not None else None
        if attempt is not None:
            yield from attempt.output(event)

    # Shots

    def _take_shot(self, now: Instant, update: Update) -> Iterator[Effect]:
        key = shot_of(update.channel)
        if key is None:
            return
        if isinstance(update, Unknown):
            self.unknown[key] = update.why
            while len(self.unknown) > UNKNOWN_MAX:
                del self.unknown[next(iter(self.unknown))]
            if key not in self.shots:
                yield from self._unlist(now, key)
            return
        state = self.shots.get(key)
        if state is None:
            state = self.shots[key] = ShotState(key, self.durations)
        self.unknown.pop(key, None)
        match update:
            case Whole():
                yield from state.take_whole(now, update)
                if update.snapshot.shot is not None and update.snapshot.shot.current:
                    yield from self._current_is(now, key)
                yield from self._make_room(now)
            case News(payload=ShotEvent() as event):
                yield from state.take_news(now, update)
                if any(isinstance(record, PulseCreated) for record in event.records):
                    yield from self._current_is(now, key)
            case _:
                pass

    def _make_room(self, now: Instant) -> Iterator[Effect]:
        """Drop the shots that were quiet longest."""
        while len(self.shots) > self.settings.shots_max:
            quiet = [
                shot
                for shot in self.shots.values()
                if shot.board.open_run is None and shot.key != self.system.current
            ]
            if not quiet:
                return
            oldest = min(quiet, key=lambda shot: shot.touched)
            del self.shots[oldest.key]
            yield from self._list(now, oldest.key, oldest.short())
            yield Unfollow(*oldest.key)
            yield Drop(oldest.channel)

    def _list(self, now: Instant, key: ShotKey, shot: ShotView) -> Iterator[Effect]:
        """List a shot; of too many that which was built first is listed no more."""
        self.listed[key] = shot
        while len(self.listed) > self.settings.shots_listed_max:
            oldest = min(self.listed, key=lambda one: (self.listed[one].built_at or 0.0, one.shot))
            yield from self._unlist(now, oldest)

    def _unlist(self, now: Instant, key: ShotKey) -> Iterator[Effect]:
        if self.listed.pop(key, None) is not None and key not in self.shots:
            gone = {"tree": key.tree, "shot": key.shot}
            yield Post(SYSTEM, plain("GONE", now.wall, gone), f"shot/{key}")

    def _current_is(self, now: Instant, key: ShotKey | None) -> Iterator[Effect]:
        if key is None or key == self.system.current:
            return
        fields = {"tree": key.tree, "shot": key.shot}
        yield Post(SYSTEM, plain("CURRENT", now.wall, fields), "current")
        yield from self._system_is(now, current=tuple(key))

    # Servers

    def take_servers(self, now: Instant, update: Update) -> Iterator[Effect]:
        """Take what is told of the action servers; it tells of the dispatcher, too."""
        match update:
            case Whole(snapshot=snapshot):
                if self.system.feed != "live" or snapshot.term != self.system.term:
                    yield from self._system_is(
                        now, feed="live", feed_stopped_at=None, away=None, term=snapshot.term
                    )
                    yield AskSystem()
                told = {server.server for server in snapshot.servers}
                gone = [_absent(name) for name in self.servers if name not in told]
                yield from self._forget_servers(now, told)
                gone = [one for one in gone if one.server in self.servers]
                yield from self._servers(now, [*snapshot.servers, *gone])
                yield from self._fleet_is(now, snapshot.fleet)
            case News(payload=ServersEvent() as event):
                yield from self._servers(now, event.servers)
                for name in event.gone:
                    yield from self._dismissed(now, name)
                yield from self._fleet_is(now, event.fleet)
            case FeedStopped(silent_s=silent_s):
                stopped_at = now.wall - silent_s
                yield from self._system_is(now, feed="stopped", feed_stopped_at=stopped_at)
                yield AskSystem()
            case _:
                pass

    def _servers(self, now: Instant, servers: Sequence[ServerView]) -> Iterator[Effect]:
        for server in servers:
            old, self.servers[server.server] = self.servers.get(server.server), server
            if server == old:
                continue
            seen_at = server.last_seen_at
            if seen_at is not None and (old is None or old.last_seen_at != seen_at):
                beats = self.heartbeats.setdefault(
                    server.server, deque(maxlen=self.settings.heartbeats_max)
                )
                beats.append((seen_at, server.round_trip_s))
            sample = sample_of(server)
            if sample is not None:
                self._sampled(server.server, sample)
            yield Post(SERVERS, server_message(now.wall, server), f"s/{server.server}")

    def _sampled(self, name: str, sample: HostSample) -> None:
        """Keep what a server has told of its host, the newest in the last one's place."""
        kept = self.samples.setdefault(name, deque(maxlen=SAMPLES_MAX))
        if len(kept) > 1 and sample.at - kept[-2].at < SAMPLE_S:
            kept.pop()
        kept.append(sample)

    def _fleet_is(self, now: Instant, fleet: FleetView | None) -> Iterator[Effect]:
        if fleet is not None and fleet != self.fleet:
            self.fleet = fleet
            yield Post(SERVERS, fleet_message(now.wall, fleet), "fleet")

    def _dismissed(self, now: Instant, name: str) -> Iterator[Effect]:
        """Forget a server that somebody has dismissed; one that is expected is absent again."""
        if self.servers.pop(name, None) is None:
            return
        self.heartbeats.pop(name, None)
        self.samples.pop(name, None)
        yield Post(SERVERS, plain("GONE", now.wall, {"task_id": name}), f"s/{name}")
        if name in self.settings.expected:
            yield from self._servers(now, [_absent(name)])

    def _forget_servers(self, now: Instant, told: Set[str]) -> Iterator[Effect]:
        """Forget servers that are neither there nor expected, those that were seen first."""
        kept = told | set(self.settings.expected)
        gone = [one for name, one in self.servers.items() if name not in kept]
        gone.sort(key=lambda one: self._last_beat(one.server))
        for one in gone[: max(0, len(gone) - self.settings.servers_gone_max)]:
            del self.servers[one.server]
            self.heartbeats.pop(one.server, None)
            self.samples.pop(one.server, None)
            told_so = plain("GONE", now.wall, {"task_id": one.server})
            yield Post(SERVERS, told_so, f"s/{one.server}")

    def _last_beat(self, name: str) -> float:
        beats = self.heartbeats.get(name)
        return beats[-1][0] if beats else 0.0

    def past_of(self, server: str) -> list[RanAction]:
        """Return what a server has run of the shots that are held, the latest first."""
        found = [
            RanAction(
                tree=key.tree,
                shot=key.shot,
                name=action.name,
                colour=Colour(colour(action.last)),
                last=action.last,
            )
            for key, shot in self.shots.items()
            for action in shot.board.actions.values()
            if action.last.server == server
        ]
        found.sort(key=lambda one: one.last.time, reverse=True)
        return found[:PAST_MAX]

    # Volumes

    def whole_volumes(self, time: float) -> Body | None:
        """Return the whole state of volumes, groups and consumers."""
        return None if self.ledger is None else whole_volumes(time, self.ledger)

    def take_volumes(self, now: Instant, update: Update) -> Iterator[Effect]:
        """Take what is told of volumes, groups and consumers."""
        match update:
            case Whole(snapshot=snapshot) if snapshot.ledger is not None:
                ledger = snapshot.ledger
            case News(payload=VolumesEvent(ledger=ledger)):
                pass
            case _:
                return
        self.ledger = ledger
        yield Post(VOLUMES, volumes_message(now.wall, ledger), "ledger")

    # The system

    def status(self, now: Instant, status: StatusResult, shots: ShotsResult) -> Iterator[Effect]:
        """Take the dispatcher's own word, asked for when the connection is made anew."""
        stored = {ShotKey(shot.tree, shot.shot) for shot in shots.shots}
        for key in [key for key in self.listed if key not in stored]:
            yield from self._unlist(now, key)
        for shot in shots.shots:
            key = ShotKey(shot.tree, shot.shot)
            if self.listed.get(key) != shot:
                yield from self._list(now, key, shot)
                if key not in self.shots and key in self.listed:
                    told = shot_message(now.wall, shot)
                    yield Post(SYSTEM, told, f"shot/{key}")
        yield from self._system_is(
            now,
            away=None,
            dispatcher=status.dispatcher,
            term=status.term,
            journal=status.journal,
            journal_text=status.journal_text,
            recovering=status.recovering,
        )
        yield from self._current_is(now, status.current and ShotKey(*status.current))
        newest: dict[str, ShotKey] = {}
        for shot in status.shots:
            key = ShotKey(shot.tree, shot.shot)
            is_open = any(run.state != "ended" for run in shot.runs)
            if is_open or key == self.system.current:
                yield Follow(*key)
            if shot.built_at is not None:
                newest[key.tree] = max(key, newest.get(key.tree, key))
        for key in newest.values():
            yield Follow(*key)

    def nobody(self, now: Instant, away: Away) -> Iterator[Effect]:
        """Note that nobody dispatches at present, and who it is that does not answer."""
        yield from self._system_is(now, dispatcher="", away=away)

    def medians(self, now: Instant) -> Iterator[Effect]:
        """Tell the usual durations of all shots that are held."""
        for shot in self.shots.values():
            if shot.known:
                usual = self.durations.medians(shot.key, shot.board.actions)
                yield Post(shot.channel, plain("MEDIANS", now.wall, {"medians": usual}), "medians")

    def past(self, result: ActionsResult) -> None:
        """Take an earlier shot's actions, for the usual durations."""
        for shot in result.shots[:1]:
            for action in result.actions:
                self.durations.note(ShotKey(shot.tree, shot.shot), action.last)

    def _system_is(self, now: Instant, **changed: object) -> Iterator[Effect]:
        new = structs.replace(self.system, **changed)
        if new != self.system:
            self.system = new
            yield Post(SYSTEM, system_message(now.wall, new), "system")


def earlier_shots(keys: Iterable[ShotKey], count: int) -> list[ShotKey]:
    """Return the last shots of each tree, the latest first."""
    by_tree: dict[str, list[ShotKey]] = {}
    for key in sorted(keys, reverse=True):
        by_tree.setdefault(key.tree, []).append(key)
    return [key for keys_of_tree in by_tree.values() for key in keys_of_tree[: count + 1]]


def sample_of(server: ServerView) -> HostSample | None:
    """Return what a server has told of its host last, as it is kept; None: nothing."""
    if server.facts is None or server.facts.host is None or server.last_seen_at is None:
        return None
    host = server.facts.host
    shares = [1 - one.free_b / one.total_b for one in host.disks if one.total_b]
    return HostSample(
        at=round(server.last_seen_at),
        cpu=round(host.cpu_percent, 1),
        load=round(host.load_1, 2),
        memory=_share(host.memory_used_b, host.memory_total_b),
        swap=_share(host.swap_used_b, host.swap_total_b),
        disk=round(100 * max(shares, default=0.0), 1),
        temperature=host.temperature_c,
        busy=len(server.busy),
    )


def _share(used: int, total: int) -> float:
    return round(100 * used / total, 1) if total else 0.0


def _absent(name: str) -> ServerView:
    server_class, _, server_id = name.partition(":")
    return ServerView(
        server=name,
        server_class=server_class,
        server_id=server_id,
        liveness="absent",
        why="it is expected, and not there",
    )


class StandingChannel(Value):
    """A channel that is always there: its whole state, and what its news become."""

    id: str
    is_heard: bool  # on the event feed, under the same name; else the dispatcher is asked
    whole: Callable[[View, float], Body | None]  # None: it has nothing but its history
    take: Callable[[View, Instant, Update], Iterator[Effect]]


SOURCES: Final = (
    StandingChannel(SERVERS, is_heard=True, whole=View.whole_servers, take=View.take_servers),
    StandingChannel(
        LOG,
        is_heard=True,
        whole=lambda view, time: None,  # noqa: ARG005
        take=lambda view, now, update: view.take_log(update),  # noqa: ARG005
    ),
    StandingChannel(
        QUEUE,
        is_heard=True,
        whole=lambda view, time: view.queue.whole(time),
        take=lambda view, now, update: view.queue.take(now, update),
    ),
    StandingChannel(VOLUMES, is_heard=True, whole=View.whole_volumes, take=View.take_volumes),
    StandingChannel(
        ALARMS,
        is_heard=True,
        whole=lambda view, time: view.alarms.whole(time),
        take=lambda view, now, update: view.alarms.take(now, update),
    ),
    StandingChannel(
        SYSTEM,
        is_heard=False,
        whole=View.whole_system,
        take=lambda view, now, update: iter(()),  # noqa: ARG005
    ),
)
"""The channels that there are beside those of shots. A further one is a line here."""

_SOURCES: Final = {source.id: source for source in SOURCES}
