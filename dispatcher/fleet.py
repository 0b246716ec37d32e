"""The fleet: each class's queue, its servers and their slots. Says who gets what; starts nothing.

A server that is lost touches no other server of its class (D7); each takes only what its free slots
hold, in the order in which actions became ready. Pure.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from shotline.common.actions import AttemptId
from shotline.common.fleet.facts import ServerFacts
from shotline.common.fleet.settings import ServerSettings
from shotline.common.fleet.views import AlertKind, Flag, FlagKind
from shotline.common.messages import LivenessState, Register, ServerBeat
from shotline.common.nodes import ActionNode
from shotline.common.records import ShotKey
from shotline.common.views import ServerView
from shotline.dispatcher.scheduling import Scheduling
from shotline.dispatcher.urls import Urls, in_words
from shotline.fleet.standing import Standing
from shotline.trees.mdsip_binding import url_of


class Queued(NamedTuple):
    """An action that is ready and waits for a slot."""

    key: ShotKey
    path: str


@dataclass(slots=True)
class Server:
    """One server as the dispatcher knows it."""

    register: Register
    liveness: LivenessState = LivenessState.ALIVE
    why: str = ""
    reported: bool = True  # has registered since the last claim
    stopping: bool = False  # server_stop: ends when its work is done
    restarting: bool = False  # server_restart of its class: starts anew in its turn
    leaving: bool = False  # server_quit or server_restart was sent
    leaving_since: float | None = None
    leaving_why: str = ""
    full: bool = False
    stuck: int = 0
    broken: int = 0
    trouble: str = ""
    wants_to_leave: str = ""  # why: it has served what it was started for
    unanswered: int = 0
    number: int = 0  # of the last dispatch in this epoch
    released: deque[tuple[int, float]] = field(default_factory=deque)  # number, when it left
    attempts: dict[AttemptId, int] = field(default_factory=dict)  # what it has → epoch of sending
    last_seen_at: float | None = None
    round_trip_s: float | None = None
    facts: ServerFacts | None = None
    standing: Standing | None = None  # what it is set to comes to; None: nothing limits it
    settings: ServerSettings | None = None
    new_shots: set[str] = field(default_factory=set)  # taken on since then
    differs: tuple[Flag, ...] = ()  # in what it is not as it should be
    last_given: int = 0  # turn counter, for fairness
    name: str = field(init=False)  # CLASS:ID
    identity: bytes = field(init=False)  # its routing id

    def __post_init__(self) -> None:
        self.name = self.register.server
        self.identity = f"{self.name}/{self.register.incarnation}".encode()

    @property
    def told(self) -> tuple[object, ...]:
        """What its heartbeats tell, but for what each of them tells anew."""
        return (
            self.liveness,
            self.full,
            self.stuck,
            self.broken,
            self.trouble,
            self.wants_to_leave,
            self.unanswered,
            self.failing,
        )

    @property
    def free(self) -> int:
        """Slots that take an action now."""
        able = self.register.slots - self.stuck - self.broken
        standing = self.standing
        if standing is None:
            return able - len(self.attempts)
        able = min(able, standing.slots)
        return (able if standing.left is None else min(able, standing.left)) - len(self.attempts)

    def takes_shot(self, key: ShotKey) -> bool:
        """Whether it takes actions of a shot, where it serves only so many shots more."""
        standing = self.standing
        if standing is None or standing.shots is None:
            return True
        name = str(key)
        known = name in standing.shots or name in self.new_shots
        return known or len(self.new_shots) < standing.more_shots

    def note_shot(self, key: ShotKey) -> None:
        """Count a shot that it takes on, where it serves only so many."""
        standing, name = self.standing, str(key)
        if standing is not None and standing.shots is not None and name not in standing.shots:
            self.new_shots.add(name)

    @property
    def usable(self) -> int:
        """Slots that may have an action, running ones with them."""
        if self.liveness is not LivenessState.ALIVE or self.leaving or self.full or self.barred:
            return 0
        able = self.register.slots - self.stuck - self.broken
        return max(able if self.standing is None else min(able, self.standing.slots), 0)

    @property
    def failing(self) -> str:
        """Why its host is not well; "" where it is, or where nobody checks it."""
        health = None if self.facts is None else self.facts.health
        if health is None or health.ok:
            return ""
        return health.text or "its check says no more"

    @property
    def barred(self) -> str:
        """Why it is to take nothing; "" where it may."""
        if self.failing:
            return f"its host fails its check: {self.failing}"
        return "" if self.standing is None else self.standing.barred

    @property
    def is_broken(self) -> bool:
        """Whether none of its worker processes starts: it is as good as not there."""
        return 0 < self.broken >= self.register.slots - self.stuck

    @property
    def is_lost(self) -> bool:
        """Whether the broker counts it as lost."""
        return self.liveness is LivenessState.LOST


class Provided(NamedTuple):
    """What a provider says of a class: servers of it can be started on demand (DESIGN §12)."""

    until: float  # monotonic; the grace of D6 rests until then
    start_wait_s: float  # but no longer than this
    able: bool
    text: str
    labels: tuple[str, ...]  # that such a server has


@dataclass(slots=True)
class ServerClass:
    """The servers of one class and what waits for them."""

    queue: OrderedDict[Queued, ActionNode] = field(default_factory=OrderedDict)
    servers: dict[str, Server] = field(default_factory=dict)
    without_since: float | None = None  # monotonic; None while it has a server
    waiting_since: float | None = None  # monotonic; since when something has waited all the time
    provided: Provided | None = None
    labels: dict[str, int] = field(default_factory=dict)  # asked for in the queue, by how many
    unlabelled_since: dict[str, float] = field(default_factory=dict)  # those that no server has
    last_given: int = 0  # turn counter, for fairness between classes that share a limit

    def off_at(self, grace_s: float) -> float | None:
        """Return when what waits becomes SERVER_OFF (D6); None while nothing does, or need not."""
        since = self.without_since
        return None if not self.queue or since is None else self.rested(since) + grace_s

    def rested(self, since: float) -> float:
        """Return from when the grace counts: it rests while a server may be on its way (P2)."""
        if self.provided is None or self.waiting_since is None:
            return since
        # Counted from when somebody has wanted a server and there was none.
        longest = max(since, self.waiting_since) + self.provided.start_wait_s
        return max(since, min(self.provided.until, longest))

    def unlabelled_from(self, label: str, since: float) -> float:
        """Return from when the grace counts of a label that no server has."""
        can_come = self.provided is not None and label in self.provided.labels
        return self.rested(since) if can_come else since

    @property
    def ready(self) -> int:
        """How many wait that a server on demand could run."""
        if not self.labels:
            return len(self.queue)
        can = () if self.provided is None else self.provided.labels
        return len(self.queue) - sum(n for one, n in self.labels.items() if one not in can)


class Fleet:
    """All classes and servers."""

    def __init__(self) -> None:
        self.servers: dict[str, Server] = {}
        self.classes: dict[str, ServerClass] = {}
        self.urls = Urls()
        self.scheduling = Scheduling()
        self.absent: dict[str, ServerView] = {}  # that were there or are expected
        self.alerts: Counter[AlertKind] = Counter()
        self.told: dict[str, Server] = {}  # those that are to stop or to restart in their time
        self._blocked: dict[Queued, tuple[str, str, float]] = {}  # class, url, since when
        self._turn = 0
        self._no_class_since = 0.0

    def begin(self, now: float) -> None:
        """Start counting the time that a class has no server: at recovery (D6)."""
        self._no_class_since = now
        for name, members in self.classes.items():
            members.without_since = None if self._has_server(name) else now

    def server_class(self, name: str) -> ServerClass:
        """Return a class, known or not yet."""
        found = self.classes.get(name)
        if found is None:
            found = self.classes[name] = ServerClass(without_since=self._no_class_since)
        return found

    def of_class(self, name: str) -> list[Server]:
        """Return the servers of a class that are not lost."""
        return list(self._there(name))

    def _there(self, name: str) -> Iterator[Server]:
        """Yield the servers of a class that are not lost: most often the first one is enough."""
        for server in self.server_class(name).servers.values():
            if not server.is_lost:
                yield server

    def matching(self, name: str) -> list[Server]:
        """Return the servers that `CLASS` or `CLASS:ID` names, lost ones left out."""
        if ":" in name:
            server = self.servers.get(name)
            return [server] if server is not None and not server.is_lost else []
        return self.of_class(name)

    def by_identity(self, identity: bytes) -> Server | None:
        """Return the server with this routing id."""
        server = self.servers.get(identity.decode(errors="replace").rpartition("/")[0])
        return server if server is not None and server.identity == identity else None

    # Registration and life

    def registered(self, register: Register, wall: float) -> Server:
        """Take a registration: the same incarnation in a new epoch, or a new incarnation.

        What the server held before stays in `attempts`; recovery judges it.
        """
        old = self.servers.get(register.server)
        if old is not None and old.register.incarnation == register.incarnation:
            old.register = register
            old.liveness, old.why, old.reported = LivenessState.ALIVE, "", True
            old.number = 0
            old.released.clear()
            old.last_seen_at = wall
            server = old
        else:
            server = self.servers[register.server] = Server(register, last_seen_at=wall)
            self.urls.forget_server(server.name)
            self.told.pop(server.name, None)
        members = self.server_class(register.server_class)
        members.servers[server.name] = server
        if not server.is_broken:
            members.without_since = None
        return server

    def tell(self, server: Server, *, stopping: bool = False, restarting: bool = False) -> None:
        """Note what a server is to do when its time comes; nothing takes an earlier word back."""
        server.stopping, server.restarting = stopping, restarting
        if stopping or restarting:
            self.told[server.name] = server
        else:
            self.told.pop(server.name, None)

    def judged(self, server: Server, state: LivenessState, why: str, now: float) -> None:
        """Take the broker's judgement."""
        server.liveness, server.why = state, why
        self.note_absence(server.register.server_class, now)

    def note_absence(self, name: str, now: float) -> None:
        """Start or stop counting how long a class has had no server (D6)."""
        members = self.server_class(name)
        if self._has_server(name):
            members.without_since = None
        elif members.without_since is None:
            members.without_since = now

    def _has_server(self, name: str) -> bool:
        return any(
            not server.leaving
            and not server.barred
            and not server.is_broken
            and not (server.stopping and not self.alone(server))
            for server in self._there(name)
        )

    def alone(self, server: Server) -> bool:
        """Whether no other server of its class takes work."""
        return not any(
            other is not server and not other.stopping and not other.leaving and not other.barred
            for other in self._there(server.register.server_class)
        )

    def beat(self, server: Server, beat: ServerBeat, now: float, delivery_s: float) -> bool:
        """Take a heartbeat. False when dispatches have not arrived for too long (DESIGN §5)."""
        server.full, server.stuck, server.unanswered = beat.full, beat.stuck, beat.unanswered
        server.broken, server.trouble = beat.broken, beat.trouble
        server.wants_to_leave = beat.leaving
        server.round_trip_s = beat.round_trip_s
        server.facts = beat.facts or server.facts
        self.note_absence(server.register.server_class, now)
        if beat.epoch != server.register.epoch:
            return True
        while server.released and server.released[0][0] <= beat.last_number:
            server.released.popleft()
        return not server.released or now - server.released[0][1] <= delivery_s

    # Queues and slots

    def enqueue(self, entry: Queued, node: ActionNode, *, first: bool = False) -> None:
        """Let a ready action wait for a slot of its class, `first` where it came back."""
        members = self.server_class(node.server_class)
        members.queue[entry] = node
        if node.label is not None:
            members.labels[node.label] = members.labels.get(node.label, 0) + 1
        if first:
            members.queue.move_to_end(entry, last=False)

    def withdraw(self, name: str, entry: Queued) -> bool:
        """Take a waiting action out of its queue. False when it was not there."""
        members = self.server_class(name)
        node = members.queue.pop(entry, None)
        if node is None:
            return False
        if node.label is not None:
            members.labels[node.label] -= 1
            if not members.labels[node.label]:
                del members.labels[node.label]
        if not members.queue:
            members.waiting_since = None
        self._blocked.pop(entry, None)
        return True

    def assign(self, now: float) -> Iterator[tuple[Queued, Server]]:
        """Yield who gets what now, first come first served; the caller adds the attempt.

        What needs an mdsip url that works for another shot is passed over, and what asks for a
        label that no free server has.
        """
        rules = self.scheduling
        is_limited = rules.has_limits
        classes: Iterable[tuple[str, ServerClass]] = self.classes.items()
        if is_limited:
            classes = sorted(classes, key=lambda one: one[1].last_given)
        for name, members in classes:
            if not members.queue:
                continue
            able = [server for server in self.of_class(name) if self.takes_work(server)]
            prefers = bool(rules.of(name).prefer)
            while able and members.queue and (not is_limited or rules.has_room(name)):
                able.sort(key=lambda server: (-server.free, server.last_given))
                if prefers:
                    able.sort(key=lambda one: rules.rank(name, one.name, one.register.labels))
                found = self._next(name, members, able, now)
                if found is None:
                    break
                entry, server = found
                self._turn += 1
                server.last_given = members.last_given = self._turn
                server.note_shot(entry.key)
                self.withdraw(name, entry)
                yield entry, server
                if server.free <= 0:
                    able.remove(server)

    def _next(
        self, name: str, members: ServerClass, able: list[Server], now: float
    ) -> tuple[Queued, Server] | None:
        labels: set[str] = set()
        if members.labels:
            labels.update(label for server in able for label in server.register.labels)
            labelled = sum(members.labels.values())
            if labelled == len(members.queue) and labels.isdisjoint(members.labels):
                return None
        for entry, node in members.queue.items():
            if node.label is not None and node.label not in labels:
                continue
            busy = ""
            for server in able:
                if node.label is not None and node.label not in server.register.labels:
                    continue
                if not server.takes_shot(entry.key):
                    continue
                url = url_of(node.task, server.register.url)
                if url is None or self.urls.is_free_for(url, entry.key):
                    return entry, server
                busy = url
            if busy:
                self._blocked.setdefault(entry, (name, busy, now))
        return None

    def takes_work(self, server: Server) -> bool:
        """Whether a server may get an action now."""
        return (
            server.liveness is LivenessState.ALIVE
            and server.reported
            and not server.leaving
            and not server.restarting
            and not server.full
            and server.free > 0
            and not server.barred
            and (not server.stopping or self.alone(server))
        )

    def expired(self, now: float, grace_s: float) -> list[tuple[str, list[Queued]]]:
        """Take the waiting actions of classes that have had no server for the grace time (D6), or
        none with the label that they ask for. With them stands why.
        """
        taken = []
        for name, members in self.classes.items():
            if not members.queue:
                members.waiting_since = None
            elif members.waiting_since is None:
                members.waiting_since = now
            off_at = members.off_at(grace_s)
            if off_at is not None and now >= off_at:
                members.waiting_since = None
                why = f"no live server of class {name} for {grace_s:g} s{self.without(name)}"
                taken.append((why, self._take(name, list(members.queue))))
            if members.labels or members.unlabelled_since:
                for label in self._unlabelled(name, members, now, grace_s):
                    entries = [one for one, node in members.queue.items() if node.label == label]
                    why = f"no live server of class {name} with the label {label} for {grace_s:g} s"
                    taken.append((why, self._take(name, entries)))
        return taken

    def _unlabelled(self, name: str, members: ServerClass, now: float, grace_s: float) -> list[str]:
        """Return the labels in a class's queue that no server has had for the grace time."""
        there = {
            label
            for server in self._there(name)
            if not server.leaving and not server.is_broken
            for label in server.register.labels
        }
        missing = members.unlabelled_since
        members.unlabelled_since = {
            label: missing.get(label, now) for label in members.labels if label not in there
        }
        return [
            label
            for label, since in members.unlabelled_since.items()
            if now >= members.unlabelled_from(label, since) + grace_s
        ]

    def _take(self, name: str, entries: list[Queued]) -> list[Queued]:
        for entry in entries:
            self.withdraw(name, entry)
        return entries

    def beyond(self) -> list[tuple[str, list[Queued]]]:
        """Take what waits beyond the longest queue of its class, the last first. With it stands
        why.
        """
        if not self.scheduling.has_longest_queues:
            return []
        taken = []
        for name, members in self.classes.items():
            most = self.scheduling.of(name).longest_queue
            if most is not None and len(members.queue) > most:
                why = f"{most} actions of class {name} wait already, its longest queue"
                taken.append((why, self._take(name, list(members.queue)[most:])))
        return taken

    def provided(self, name: str, said: Provided | None, now: float) -> None:
        """Take what a provider says of a class; the grace counts from when it rested last."""
        members = self.server_class(name)
        rested = members.provided
        if said is None and rested is not None:
            said = rested._replace(until=min(rested.until, now), able=False, text="")
        elif said is not None and not said.able and rested is not None:
            said = said._replace(until=min(rested.until, said.until))
        members.provided = said

    def blocked_too_long(self, now: float, url_wait_s: float) -> list[tuple[Queued, str]]:
        """Take the actions whose mdsip url has worked for another shot for too long."""
        due = [
            (entry, name, url)
            for entry, (name, url, since) in self._blocked.items()
            if now >= since + url_wait_s
        ]
        taken = []
        for entry, name, url in due:
            if self._blocking_url(name, entry) is None:
                del self._blocked[entry]  # free by now: it waits for a slot only
            elif self.withdraw(name, entry):
                taken.append((entry, url))
        return taken

    def _blocking_url(self, name: str, entry: Queued) -> str | None:
        """Return the url that a waiting action waits for, None where it waits for something else.

        It waits while every server that is there would run it on a url that is busy.
        """
        node = self.server_class(name).queue.get(entry)
        task = None if node is None else node.task
        blocking = None
        for server in self.of_class(name):
            url = url_of(task, server.register.url)
            if url is None or self.urls.is_free_for(url, entry.key):
                return None
            blocking = url
        return blocking

    def due(self, grace_s: float, url_wait_s: float) -> float:
        """Return when the next class runs out of its grace time, or a wait for a url ends."""
        due = inf
        for members in self.classes.values():
            if members.queue and (off_at := members.off_at(grace_s)) is not None:
                due = min(due, off_at)
            for label, since in members.unlabelled_since.items():
                due = min(due, members.unlabelled_from(label, since) + grace_s)
        for _, _, since in self._blocked.values():
            due = min(due, since + url_wait_s)
        return due

    def without(self, name: str) -> str:
        """Return in words, with a colon before them, what is wrong with the servers of a class that
        counts as without one; nothing where there is none.
        """
        servers = self.of_class(name)
        broken = [one for one in servers if one.is_broken]
        words = [f"{one.name} cannot run anything: {one.trouble}" for one in broken]
        words += [f"{one.name} takes nothing: {one.barred}" for one in servers if one.barred]
        provided = self.server_class(name).provided
        if provided is not None and provided.text:
            words.append(provided.text)
        return f": {'; '.join(words)}" if words else ""

    def waits_for(self, name: str, entry: Queued, now: float, grace_s: float) -> str:
        """Return in words what a ready action of this class waits for."""
        servers = self.of_class(name)
        url = self._blocking_url(name, entry)
        if url is not None:
            return f"the mdsip server at {url}, which works for {self.urls.shot_of(url)}"
        members = self.server_class(name)
        if servers and all(server.leaving or server.restarting for server in servers):
            return f"a server of class {name} that has been restarted"
        if members.without_since is not None:
            left = max((members.off_at(grace_s) or members.without_since + grace_s) - now, 0)
            there = self.without(name) or ": none is there"
            return f"a server of class {name}{there}, SERVER_OFF in {left:.0f} s"
        if all(server.liveness is LivenessState.SUSPECT for server in servers):
            return f"a server of class {name} to answer: {servers[0].why}"
        if any(server.full for server in servers):
            return f"a server of class {name} to be rid of its results"
        if places := self.scheduling.waits_for(name):
            return places
        node = members.queue.get(entry)
        if node is not None and node.label is not None:
            return self._waits_for_label(members, name, node.label, now, grace_s)
        return f"a free slot of class {name} ({sum(s.register.slots for s in servers)} in use)"

    def _waits_for_label(
        self, members: ServerClass, name: str, label: str, now: float, grace_s: float
    ) -> str:
        since = members.unlabelled_since.get(label)
        if since is not None:
            left = max(since + grace_s - now, 0)
            words = f"a server of class {name} with the label {label}"
            return f"{words}: none is there, SERVER_OFF in {left:.0f} s"
        able = [one for one in self.of_class(name) if label in one.register.labels]
        slots = sum(server.register.slots for server in able)
        return f"a free slot of class {name} with the label {label} ({slots} in use)"

    @property
    def any_suspect(self) -> bool:
        """Whether any server has been silent for too long."""
        return any(one.liveness is LivenessState.SUSPECT for one in self.servers.values())

    def is_suspect(self, name: str | None) -> bool:
        """Return whether a server is there and has been silent for too long."""
        server = self.servers.get(name or "")
        return server is not None and server.liveness is LivenessState.SUSPECT

    def forget(self, server: Server) -> None:
        """Forget a server that is lost."""
        self.servers.pop(server.name, None)
        self.told.pop(server.name, None)
        self.server_class(server.register.server_class).servers.pop(server.name, None)

    def views(self) -> tuple[ServerView, ...]:
        """Return what is shown of all, by name, absent ones too."""
        found = {name: self.view(server) for name, server in self.servers.items()}
        return tuple(view for _, view in sorted((self.absent | found).items()))

    def view(self, server: Server) -> ServerView:
        """Return what is shown of a server."""
        register = server.register
        return ServerView(
            server=server.name,
            server_class=register.server_class,
            server_id=register.server_id,
            liveness=server.liveness.value,
            draining=server.stopping or server.restarting or server.leaving,
            why=server.why,
            host=register.host,
            address=register.address,
            pid=register.pid,
            version=register.version,
            slots=register.slots,
            stuck=server.stuck,
            broken=server.broken,
            trouble=server.trouble,
            busy=tuple(
                f"{attempt.tree}/{attempt.shot} {attempt.path}" for attempt in server.attempts
            ),
            unanswered=server.unanswered,
            incarnation=register.incarnation,
            epoch=register.epoch,
            started_at=register.started_at,
            last_seen_at=server.last_seen_at,
            round_trip_s=server.round_trip_s,
            url=register.url,
            bound=tuple(in_words(bound) for bound in self.urls.states_of(server.name)),
            labels=register.labels,
            facts=server.facts,
            flags=_flags_of(server),
            settings=server.settings,
            usable=server.usable,
        )


def _flags_of(server: Server) -> tuple[Flag, ...]:
    """Return what holds for a server beside its being alive or not."""
    found = list(server.standing.flags) if server.standing is not None else []
    if server.failing and server.facts is not None and server.facts.health is not None:
        by = f"the check of host {server.register.host}"
        at = server.facts.health.at
        found.append(Flag(kind=FlagKind.FAILING, reason=server.failing, by=by, at=at))
    if server.leaving or server.restarting or server.stopping:
        text = "ends when its work is done" if server.stopping else "begins anew in its turn"
        reason = server.leaving_why if server.leaving else text
        found.append(Flag(kind=FlagKind.LEAVING, reason=reason))
    if server.stuck or server.broken:
        stuck = f"{server.stuck} slots are taken by what cannot be ended" if server.stuck else ""
        broken = f"{server.broken} slots have no worker: {server.trouble}" if server.broken else ""
        found.append(Flag(kind=FlagKind.STUCK, reason="; ".join(filter(None, (stuck, broken)))))
    return (*found, *server.differs)
