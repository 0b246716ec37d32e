"""What the parts of the dispatcher's machine share: its knowledge, and the two ways out.

`put` makes a record true and journals it; `after` lets an effect leave behind what was recorded;
`at_once` is only for what rests on nothing recorded (heartbeats, claims). Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

from shotline.alarms.events import AlarmInput
from shotline.common.actions import ActionState, AttemptId, Cause, Status, has_failed
from shotline.common.base import Struct, to_json
from shotline.common.channels import LOG, SERVERS
from shotline.common.machine import Instant, recurs_at
from shotline.common.messages import Message
from shotline.common.metrics import Histogram
from shotline.common.queue.records import TASKS
from shotline.common.records import (
    EventRaised,
    GlobalRecord,
    PulseCreated,
    RunEnded,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ServerSeen,
    ShotKey,
    ShotRecord,
    TableBuilt,
    Transition,
)
from shotline.common.settings.configuration import Config
from shotline.common.views import JournalState, LogEvent, ServersEvent
from shotline.dispatcher.alarms.watching import of_record, of_transition
from shotline.dispatcher.effects import Effect, Exit, Say, ToPeer, ToReader
from shotline.dispatcher.event_feed import EventFeed
from shotline.dispatcher.fleet import Fleet, Server
from shotline.dispatcher.journal import EncodedCommit
from shotline.dispatcher.journal.commit import EncodedHosted
from shotline.dispatcher.journal.ledger import Ledger
from shotline.dispatcher.server_logs import LAST_WORDS, ServerLogs
from shotline.dispatcher.shots import Run, Shot
from shotline.fleet.events import ActionEnded, ActionGiven, FleetInput, RunBegun, RunOver

FAILURES_SAID_MAX: Final = 100  # of each run
INSIDE: Final = b"inside"
"""The pulse queue as a client: its replies leave for nowhere."""

RULES: Final = b"inside: rules"
"""The rules of volumes as a client."""

PAGE_BYTES_MAX: Final = 512 * 1024  # makes some milliseconds of work
_OF_RUNS: Final = (RunOpened, RunEnded, RunPutOnHold, RunResumed)

SERVERS_GATHER_S: Final = 0.1
BEATS_GATHER_S: Final = 1.0
"""Changes of servers are gathered this long before observers are told."""


@dataclass(slots=True)
class Core:
    """The dispatcher's knowledge."""

    config: Config
    host: str  # of this process, for people, as is its number
    pid: int
    term: int
    instant: Instant
    fleet: Fleet = field(default_factory=Fleet)
    logs: ServerLogs = field(default_factory=ServerLogs)
    shots: dict[ShotKey, Shot] = field(default_factory=dict)
    stored: dict[ShotKey, None] = field(default_factory=dict)  # all, unused for longest first
    kept: set[ShotKey] = field(default_factory=set)  # that files have: they are only looked at
    keeping: ShotKey | None = None  # is written into a file, and has not changed since that began
    keep_trouble: str = ""  # why old shots cannot be written into files, and stay
    newest: dict[str, int] = field(default_factory=dict)  # tree → newest built shot
    current: ShotKey | None = None
    seen: dict[str, ServerSeen] = field(default_factory=dict)  # servers before our start, by name
    gone: dict[str, str] = field(default_factory=dict)  # pilots proven to have ended, and how
    journal_state: JournalState = JournalState.OK
    journal_text: str = ""
    recovering: bool = True
    may_lack_end: bool = False  # what was journalled last, before our start, may be lost
    broker: str | None = None  # the life of the broker that has accepted our claim
    clock_offset_s: float | None = None  # broker's clock minus ours
    building: dict[ShotKey, None] = field(default_factory=dict)  # tables that are being read
    started_at: float = 0.0
    succeeded: int = 0  # actions that have settled since our start, and the others by their cause
    unsuccessful: dict[Cause, int] = field(default_factory=dict)
    dispatching: Histogram = field(default_factory=Histogram)  # seconds until a start was known
    feed: EventFeed = field(init=False)
    ledger: Ledger = field(init=False)
    servers_due: float = inf  # when observers are told of servers that have changed
    watched: ShotKey | None = None  # whose runs the pulse queue hears of, beside those of TASKS
    run_news: list[tuple[ShotKey, int]] = field(default_factory=list)  # which have changed
    inside: dict[bytes, list[Message]] = field(
        default_factory=lambda: {INSIDE: [], RULES: []}
    )  # replies to those who give commands in here
    tell_hosted: dict[str, Callable[[EncodedHosted], Iterable[Effect]]] = field(
        default_factory=dict
    )  # by stream, what tells observers of its records
    steered: set[str] = field(default_factory=set)  # servers that are set to something
    steered_changed: dict[str, None] = field(default_factory=dict)  # which of them have changed
    fleet_news: list[FleetInput] = field(default_factory=list)  # what its machine is to hear
    alarm_news: list[AlarmInput] = field(default_factory=list)  # what its machine is to hear
    alarmed: Mapping[tuple[str, int, str], int] = field(default_factory=dict)  # failed actions
    _leaving: list[Effect] = field(default_factory=list)
    _dirty: dict[str, None] = field(default_factory=dict)
    _job: int = 0

    def __post_init__(self) -> None:
        self.feed = EventFeed(self.term)
        self.ledger = Ledger(self.term, self._tell)
        self.started_at = self.instant.wall
        self.configure(self.config)

    @property
    def now(self) -> float:
        """Monotonic seconds of the event that is being handled."""
        return self.instant.mono

    @property
    def wall(self) -> float:
        """Wall clock of the event that is being handled; only for display."""
        return self.instant.wall

    def recurs_at(self, period_s: float) -> float:
        """Return when to do again what is done every so often."""
        return recurs_at(self.now, period_s)

    @property
    def name(self) -> str:
        """This dispatcher process, for people."""
        return f"{self.host}:{self.pid}"

    @property
    def page_bytes(self) -> int:
        """About how large one page of an answer is, and the records of one event."""
        return min(PAGE_BYTES_MAX, self.config.broker.message_bytes_max // 4)

    def configure(self, config: Config) -> None:
        """Let a configuration count from now on."""
        self.config = config
        self.fleet.scheduling.configure(config, self.shots.values())

    # Ways out

    def put(self, shot: Shot, record: ShotRecord) -> None:
        """Make a record true and journal it."""
        before = shot.actions.get(record.path) if isinstance(record, Transition) else None
        shot.apply(record)
        self.ledger.record(shot.key, record)
        self.touched(shot.key)
        is_watched = shot.key == self.watched or shot.key.tree == TASKS
        if is_watched and isinstance(record, _OF_RUNS):
            self.run_news.append((shot.key, record.run))
        rules = self.fleet.scheduling
        if rules.has_limits:
            if isinstance(record, Transition):
                rules.changed(shot, record)
            elif isinstance(record, TableBuilt | PulseCreated):
                rules.count_anew(shot)
        if self.steered:
            self._tell_fleet(shot, record, before)
        if isinstance(record, Transition):
            self._count(before, record)
            if has_failed(record.state, record.status):
                self._say_failed(shot, before, record)
            self.alarm_news += of_transition(self.config.alarms, shot, before, record, self.alarmed)
        else:
            self.alarm_news += of_record(self.config.alarms, shot, record)
            if isinstance(record, EventRaised) and record.trouble:
                self._say_of(shot, shot.actions[record.path], record.trouble)

    def touched(self, key: ShotKey) -> None:
        """Note that a shot is another one than a file has that is being written."""
        if key == self.keeping:
            self.keeping = None

    def _tell_fleet(self, shot: Shot, record: ShotRecord, before: Transition | None) -> None:
        """Note what servers that are set to something serve, in the commit that has it."""
        match record:
            case Transition(server=str() as server) if server in self.steered:
                if record.state is ActionState.DISPATCHED:
                    self.fleet_news.append(ActionGiven(server, str(shot.key)))
                elif record.cause is not None and before is not None and before.cause is None:
                    self.fleet_news.append(ActionEnded(server))
            case RunOpened():
                self.fleet_news.append(RunBegun(str(shot.key)))
            case RunEnded(run=number):
                members = (shot.actions.get(path) for path in shot.runs[number].paths)
                servers = {one.server for one in members if one is not None and one.server}
                self.fleet_news.append(RunOver(tuple(sorted(servers & self.steered))))

    def _count(self, before: Transition | None, live: Transition) -> None:
        """Count each settled action once, and measure from decision to start where one ran."""
        if live.cause is None:
            ran_s = 0.0 if live.state is ActionState.DOING else None
        elif before is not None and before.cause is not None:
            return
        else:
            ran_s = live.duration_s
            if live.status is Status.SUCCESS:
                self.succeeded += 1
            else:
                self.unsuccessful[live.cause] = self.unsuccessful.get(live.cause, 0) + 1
        sent_at = live.dispatched_at
        if ran_s is None or sent_at is None or before is None:
            return
        if before.state is ActionState.DISPATCHED:
            waited_s = self.instant.wall - sent_at - ran_s
            self.dispatching.observe(waited_s if waited_s > 0.0 else 0.0)

    def put_system(self, record: GlobalRecord) -> None:
        """Journal a record that belongs to no shot."""
        self.ledger.record_system(record)

    def put_hosted(self, stream: str, record: Struct) -> None:
        """Journal a record of a machine that is hosted here."""
        self.ledger.record_hosted(stream, record)

    def put_seen(self, server: Server) -> None:
        """Journal what is known of a server, and what it was told to do."""
        register = server.register
        self.put_system(
            ServerSeen(
                time=self.wall,
                server=server.name,
                liveness=server.liveness.value,
                host=register.host,
                pid=register.pid,
                slots=register.slots,
                incarnation=register.incarnation,
                epoch=register.epoch,
                reason=server.why,
                stopping=server.stopping,
                restarting=server.restarting,
                last_words=self.logs.of(server.name, LAST_WORDS) if server.is_lost else (),
            )
        )

    def after(self, effect: Effect) -> None:
        """Let an effect leave behind all that was recorded so far (I4)."""
        self.ledger.after(effect)

    def send(self, target: bytes, *messages: Message) -> None:
        """Send messages behind all that was recorded so far."""
        if target in self.inside:
            self.inside[target] += messages
            return
        self.ledger.after(ToPeer(target, messages))

    def send_reader(self, target: bytes, message: Message) -> None:
        """Answer a reader behind all that was recorded so far, at once while the journal stopped.

        What it shows is then perhaps not journalled; it says that the journal has stopped.
        """
        if target in self.inside:
            self.inside[target].append(message)
            return
        self.ledger.after(ToReader(target, (message,)))

    def at_once(self, effect: Effect) -> None:
        """Let an effect leave that rests on nothing recorded."""
        self._leaving.append(effect)

    def leave(self, why: str) -> None:
        """End, behind all that was recorded so far; observers are told beforehand."""
        for beat in self.feed.beat(self.wall, self.journal_state, leaving=True):
            self.after(beat)
        self.after(Exit(0, why))

    def say(
        self,
        level: Literal["info", "warning", "error"],
        text: str,
        about: AttemptId | ShotKey | None = None,
    ) -> None:
        """Write a line to the dispatcher's log, and to the observers of all logs."""
        self._leaving.append(Say(level, text, about))
        attempt = about if isinstance(about, AttemptId) else None
        event = LogEvent(lines=((self.wall, level, "dispatcher", text),), about=attempt)
        self.after(self.feed.publish(LOG, self.wall, to_json(event)))

    def note(self, text: str, about: ShotKey | None = None) -> None:
        """Write a line to the dispatcher's log alone: a record tells its observers the same."""
        self._leaving.append(Say("info", text, about))

    def _say_failed(self, shot: Shot, before: Transition | None, live: Transition) -> None:
        """Write into the log what has failed: of each run so much as somebody will read."""
        if before is not None and before.attempt == live.attempt and before.cause is not None:
            return  # it had failed before; only what is known of it has changed
        where = f" on {live.server}" if live.server else ""
        reason = f": {live.reason}" if live.reason else ""
        what = live.status.value if live.status is not None else live.state.value
        self._say_of(shot, live, f"{what}{reason}", where)

    def _say_of(self, shot: Shot, live: Transition, text: str, where: str = "") -> None:
        """Write an error of an action into the log, unless its run has had too many of them."""
        run = shot.runs.get(live.run or 0)
        if run is None or run.failures_said > FAILURES_SAID_MAX:
            return
        run.failures_said += 1
        if run.failures_said > FAILURES_SAID_MAX:
            words = f"{shot.key}: more actions of run {run.number} fail than are told here"
            self.say("error", words, shot.key)
            return
        name = shot.table.node(live.path).name
        self.say("error", f"{shot.key}: {name}{where}: {text}", shot.attempt_of(live))

    def take_effects(self) -> list[Effect]:
        """Return what leaves at once, and forget it."""
        effects, self._leaving = self._leaving, []
        return effects

    def next_job(self) -> int:
        """Return a new number for a tree job or a query."""
        self._job += 1
        return self._job

    # Telling observers

    def _tell(self, commit: EncodedCommit) -> list[Effect]:
        events: list[Effect] = [
            event
            for key, told in commit.shots.items()
            for event in self.feed.records(key, self.wall, told, self.page_bytes)
        ]
        for stream, encoded in commit.hosted.items():
            if stream in self.tell_hosted:
                events += self.tell_hosted[stream](encoded)
        return events

    def server_changed(self, server: Server, *, is_news: bool = True) -> None:
        """Let observers know of a server's change, gathered for a moment.

        `is_news`: more than that it was heard of again, which gathers for longer.
        """
        self._dirty[server.name] = None
        if server.name in self.steered:
            self.steered_changed[server.name] = None
        due = self.now + SERVERS_GATHER_S if is_news else self.recurs_at(BEATS_GATHER_S)
        if due < self.servers_due:
            self.servers_due = due

    def publish_servers(self) -> None:
        """Publish the servers that changed."""
        self.servers_due = inf
        views = tuple(
            self.fleet.view(self.fleet.servers[name])
            for name in self._dirty
            if name in self.fleet.servers
        )
        self._dirty.clear()
        payload = to_json(ServersEvent(servers=views))
        self.after(self.feed.publish(SERVERS, self.wall, payload))

    # Questions

    def open_runs(self) -> Iterator[tuple[Shot, Run]]:
        """Yield the shots that have an open run, and the run."""
        for shot in self.shots.values():
            if shot.open_run is not None:
                yield shot, shot.open_run

    def last_life(self, name: str) -> str | None:
        """Return the incarnation under which a server has registered last, as far as is known."""
        server = self.fleet.servers.get(name)
        if server is not None:
            return server.register.incarnation
        seen = self.seen.get(name)
        return seen.incarnation if seen is not None else None

    def run_of_command(self, command: str) -> tuple[Shot, Run] | None:
        """Return the run that a command has opened, of the shots in memory."""
        for shot in self.shots.values():
            number = shot.run_of_command.get(command)
            if number is not None:
                return shot, shot.runs[number]
        return None

    def unload(self, keep: ShotKey | None = None) -> None:
        """Forget closed shots, the one unused for longest first; Redis still has them (I8)."""
        closed = [
            key
            for key in self.stored
            if not self.is_open(key) and key not in (keep, self.current) and key in self.shots
        ]
        for key in closed[: max(len(self.shots) - self.config.dispatcher.shots_loaded_max, 0)]:
            self.feed.forget(key, self.shots.pop(key).actions)

    def used(self, key: ShotKey) -> None:
        """Note that a stored shot was used: it is forgotten after all others."""
        self.stored.pop(key, None)
        self.stored[key] = None

    def is_open(self, key: ShotKey) -> bool:
        """Whether nothing of a shot may be forgotten (DESIGN §5, Journal)."""
        shot = self.shots.get(key)
        return (shot is not None and shot.open_run is not None) or self.newest.get(
            key.tree
        ) == key.shot
