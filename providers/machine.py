"""When servers are started on demand, and what becomes of each: the provider's machine.

`handle(now, *events)` gives the effects to carry out; `report(now)` is what the dispatcher is told.
Each class has as many places (`p1`, `p2` …) as it may have pilots, and a place has one pilot at a
time: what an engine has not said to be over keeps its place, whatever else is known. So there are
never more than `max`, and a provider that begins anew finds in the engine what an earlier one has
started. Nothing is started before engine and dispatcher have both answered. Pure.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final, Literal

from shotline.common.commands import ProviderReport
from shotline.common.machine import Instant
from shotline.common.pilots import ClassDemand, ClassReport, Pilot, PilotState, is_of
from shotline.common.settings.sections.providers import ProvidedClass, ProvidersSection
from shotline.providers.events import (
    Cancel,
    Effect,
    EngineName,
    Event,
    Heard,
    Job,
    Listed,
    Look,
    NotListed,
    NotStarted,
    Say,
    Start,
    Started,
    Unheard,
)

_ENDED_KEPT_S: Final = 300.0
"""A pilot that has ended is told of for so long."""

_MISSED_LOOKS: Final = 2
"""A pilot that an engine does not know at so many looks is over, though nothing is proven."""

_GONE_LOOKS: Final = 3
"""For so many usual looks at its engine a server that is gone may be one that has ended."""

_THERE: Final = ("alive", "suspect")
_REASON_MAX: Final = 300


@dataclass(slots=True)
class _Pilot:
    server: str
    token: str
    is_kept: bool
    since: Instant
    state: PilotState = PilotState.QUEUED
    job: str = ""
    reason: str = ""
    proof: str = ""
    settled_at: float | None = None  # when its start was answered; None: it is under way
    registered: bool = False  # the dispatcher has known it
    lives: dict[str, float] = field(default_factory=dict)  # known incarnations, begun when (wall)
    started_at: float | None = None  # wall; by its engine
    cancelled: bool = False
    was_found: bool = False  # an earlier life has started it; its end is no failed start
    gone_since: float | None = None  # it had registered, and the dispatcher has it no more
    missed: int = 0  # looks at which its engine did not know it
    idle_since: float | None = None

    @property
    def is_over(self) -> bool:
        return self.state is PilotState.ENDED

    @property
    def is_coming(self) -> bool:
        return self.state in (PilotState.QUEUED, PilotState.STARTING)

    @property
    def has_lived_once(self) -> bool:
        """Whether the end that its engine tells of is that of the one life that is known.

        A controller that has lost its memory may have started it twice, and knows of the last end.
        """
        begun = [*self.lives.values()]
        return len(begun) == 1 and self.started_at is not None and self.started_at <= begun[0]

    def turn(self, state: PilotState, now: Instant, reason: str = "") -> None:
        if state is not self.state:
            self.state, self.since = state, now
        self.reason = reason[:_REASON_MAX]


@dataclass(slots=True)
class _Engine:
    """What is known of an engine."""

    name: EngineName
    listed_at: float = -inf  # when it was asked for the last answer
    look_at: float = -inf
    is_asked: bool = False
    trouble: str = ""
    judged: dict[str, None] = field(default_factory=dict)  # jobs that are over


class _Class:
    """One class: its places, and why nothing is started."""

    def __init__(self, name: str, section: ProvidedClass, engine: _Engine) -> None:
        self.name = name
        self.section = section
        self.engine = engine
        self.pilots: dict[str, _Pilot] = {}  # by place, as CLASS:ID; the last one of each
        self.ended: list[_Pilot] = []  # those before, and those that had no place
        self.demand: ClassDemand | None = None
        self.failures = 0
        self.failure = ""
        self.paused_until = -inf
        self.no_demand_since: float | None = None
        self.fresh_look_wanted = False

    def places(self) -> Iterable[str]:
        return (f"{self.name}:p{number}" for number in range(1, self.section.max + 1))

    def living(self) -> list[_Pilot]:
        return [one for one in self.pilots.values() if not one.is_over]

    def put(self, pilot: _Pilot) -> None:
        before = self.pilots.get(pilot.server)
        if before is not None:
            self.ended.append(before)
        self.pilots[pilot.server] = pilot

    def failed(self, now: Instant, why: str) -> None:
        """Count a start that has failed, and pause."""
        self.failures += 1
        self.failure = why[:_REASON_MAX]
        section = self.section
        pause_s = min(section.back_off_s * 2 ** min(self.failures - 1, 30), section.back_off_max_s)
        self.paused_until = now.mono + pause_s


class Provider:
    """The machine. `tokens` gives a new one for each pilot."""

    def __init__(self, section: ProvidersSection, life: str, tokens: Callable[[], str]) -> None:
        self._section = section
        self._life = life
        self._tokens = tokens
        self._engines: dict[str, _Engine] = {}
        self._classes: dict[str, _Class] = {}
        for name, one in section.classes.items():
            engine = self._engines.setdefault(one.provider, _Engine(one.provider))
            self._classes[name] = _Class(name, one, engine)
        self._heard_at = -inf
        self._recovering = True
        self._unheard = "the dispatcher has not been heard of"
        self._effects: list[Effect] = []

    @property
    def valid_s(self) -> float:
        """How long a report holds, and what was heard of the dispatcher."""
        return max(4 * self._section.look_s, 3.0)

    @property
    def trouble(self) -> str:
        """Why nothing is started, where that is so for all classes; else empty."""
        return self._unheard

    def handle(self, now: Instant, *events: Event) -> list[Effect]:
        """Return what is to be done."""
        for event in events:
            self._take(now, event)
        for one in self._classes.values():
            self._look_after(now, one)
        for engine in self._engines.values():
            self._look(now, engine)
        effects, self._effects = self._effects, []
        return effects

    def report(self, now: Instant) -> ProviderReport:
        """Return what the dispatcher is told."""
        return ProviderReport(
            life=self._life,
            valid_s=self.valid_s,
            classes=tuple(self._report(now, one) for one in self._classes.values()),
        )

    def pilots(self) -> dict[PilotState, int]:
        """Return how many there are, by their state; without those that have ended."""
        living = [one.state for each in self._classes.values() for one in each.living()]
        return {state: living.count(state) for state in PilotState if state is not PilotState.ENDED}

    def failures(self) -> int:
        """Return how many starts have failed since the last that has not."""
        return sum(one.failures for one in self._classes.values())

    # Events

    def _take(self, now: Instant, event: Event) -> None:
        match event:
            case Heard():
                if self._unheard:
                    self._say("info", "the dispatcher answers")
                self._heard_at, self._unheard = event.asked_at, ""
                self._recovering = event.demand.recovering
                for demand in event.demand.classes:
                    found = self._classes.get(demand.server_class)
                    if found is not None and not self._recovering:
                        self._needs(now, found, demand)
            case Unheard():
                if event.why != self._unheard:
                    self._say("warning", f"nothing is started: {event.why}")
                self._unheard = event.why
            case Listed():
                self._listed(now, event)
            case NotListed():
                engine = self._engines[event.engine]
                engine.is_asked = False
                engine.look_at = now.mono + self._section.engine_look_s
                if not engine.trouble:
                    self._say("warning", f"{event.engine} does not answer: {event.why}")
                engine.trouble = event.why[:_REASON_MAX]
            case Started():
                pilot = self._pilot_of(event.server, event.token)
                if pilot is not None:
                    pilot.job, pilot.settled_at = event.job, now.mono
                    if self._class_of(event.server).section.provider == "script":
                        pilot.turn(PilotState.STARTING, now)
            case NotStarted():
                self._not_started(now, event)

    def _not_started(self, now: Instant, event: NotStarted) -> None:
        pilot, one = self._pilot_of(event.server, event.token), self._class_of(event.server)
        if pilot is None:
            return
        pilot.settled_at = now.mono
        if event.is_unsure:
            pilot.reason = f"perhaps started: {event.why}"[:_REASON_MAX]
            self._say("warning", f"{event.server} was perhaps started: {event.why}")
        else:
            self._over(now, one, pilot, event.why)

    def _class_of(self, server: str) -> _Class:
        return self._classes[server.partition(":")[0]]

    def _pilot_of(self, server: str, token: str) -> _Pilot | None:
        pilot = self._class_of(server).pilots.get(server)
        return pilot if pilot is not None and pilot.token == token else None

    def _needs(self, now: Instant, one: _Class, demand: ClassDemand) -> None:
        """Take what a class needs, and which of its servers the dispatcher knows."""
        one.demand = demand
        if demand.ready:
            one.no_demand_since = None
        elif one.no_demand_since is None:
            one.no_demand_since = now.mono
        if one.section.provider == "script":
            self._script_servers(now, one, demand)
            return
        for pilot in (*one.ended, *one.pilots.values()):
            is_there = False
            for server in demand.servers:
                if is_of(server.incarnation, pilot.token):
                    pilot.lives[server.incarnation] = server.started_at or 0.0
                    self._has_registered(now, one, pilot)
                    is_there |= server.liveness in _THERE
            if is_there or not pilot.registered:
                pilot.gone_since = None
            elif pilot.gone_since is None:
                pilot.gone_since = now.mono

    def _has_registered(self, now: Instant, one: _Class, pilot: _Pilot) -> None:
        """The dispatcher knows it, even where it has lost it since."""
        if not pilot.registered:
            pilot.registered = True
            one.failures, one.failure, one.paused_until = 0, "", -inf
            self._say("info", f"{pilot.server} has registered")
        if pilot.is_coming:
            pilot.turn(PilotState.RUNNING, now)

    def _script_servers(self, now: Instant, one: _Class, demand: ClassDemand) -> None:
        """Take the servers themselves for what the script, which lists nothing, has started."""
        places = {place: number for number, place in enumerate(one.places(), 1)}
        for server in demand.servers:
            number = places.get(server.server)
            if number is None:
                continue
            pilot = one.pilots.get(server.server)
            is_there = server.liveness in _THERE
            if is_there and (pilot is None or pilot.is_over):
                is_kept = number <= one.section.min
                pilot = _Pilot(server.server, "", is_kept, now, settled_at=now.mono)
                one.put(pilot)
            if pilot is None or pilot.is_over:
                continue
            if is_there:
                self._has_registered(now, one, pilot)
                if server.busy or demand.ready:
                    pilot.idle_since = None
                elif pilot.idle_since is None:
                    pilot.idle_since = now.mono
            elif pilot.state is PilotState.RUNNING:
                self._over(now, one, pilot, "the dispatcher has lost it")

    def _listed(self, now: Instant, event: Listed) -> None:
        engine = self._engines[event.engine]
        if engine.trouble:
            self._say("info", f"{event.engine} answers again")
        engine.is_asked, engine.trouble = False, ""
        engine.listed_at = event.asked_at
        engine.look_at = now.mono + self._section.engine_look_s
        engine.judged = {job.job: None for job in event.jobs if job.job in engine.judged}
        by_token = {job.token: job for job in event.jobs}
        for job in event.jobs:
            one = self._classes.get(job.server.partition(":")[0])
            if one is not None and one.engine is engine and job.job not in engine.judged:
                self._take_job(now, one, job)
        for one in self._classes.values():
            if one.engine is engine:
                for pilot in one.living():
                    self._take_missing(now, one, pilot, event.asked_at, by_token)

    def _take_job(self, now: Instant, one: _Class, job: Job) -> None:
        pilot = one.pilots.get(job.server)
        if pilot is None or pilot.token != job.token:
            pilot = self._take_stranger(now, one, job, pilot)
            if pilot is None:
                return
        pilot.job, pilot.started_at = job.job, job.started_at
        if pilot.settled_at is None:
            pilot.settled_at = now.mono
        if job.state is PilotState.ENDED:
            pilot.proof = job.proof
            one.engine.judged[job.job] = None
            self._over(now, one, pilot, job.reason)
        elif not (job.state is PilotState.STARTING and pilot.state is PilotState.RUNNING):
            if pilot.state is PilotState.QUEUED and job.state is PilotState.STARTING:
                pilot.cancelled = False  # it was started before it could be taken back
            pilot.turn(job.state, now, job.reason)

    def _take_stranger(
        self, now: Instant, one: _Class, job: Job, there: _Pilot | None
    ) -> _Pilot | None:
        """Take a pilot that an earlier life of the provider has started."""
        known = next((old for old in one.ended if old.token == job.token), None)
        if known is not None:
            return known
        found = _Pilot(job.server, job.token, job.is_kept, now, job=job.job, was_found=True)
        if job.state is PilotState.ENDED:
            one.ended.append(found)
            return found
        if there is not None and not there.is_over:
            why = f"its place has {there.token} already"
            self._effects.append(Cancel(job.server, job.job, why, only_queued=True))
            return None
        self._say("info", f"found {job.server}, job {job.job}, which is {job.state}")
        one.put(found)
        return found

    def _take_missing(
        self,
        now: Instant,
        one: _Class,
        pilot: _Pilot,
        asked_at: float,
        by_token: dict[str, Job],
    ) -> None:
        """Count the looks at which an engine does not know a pilot whose start was answered."""
        if pilot.token in by_token or pilot.settled_at is None or pilot.settled_at >= asked_at:
            pilot.missed = 0
            return
        pilot.missed += 1
        if pilot.missed >= _MISSED_LOOKS:
            was_unsure = not pilot.job
            why = pilot.reason if was_unsure else f"job {pilot.job} is not known any more"
            self._over(now, one, pilot, why)

    def _over(self, now: Instant, one: _Class, pilot: _Pilot, why: str) -> None:
        """A pilot has ended; one that never registered is a start that has failed."""
        if pilot.is_over:
            return
        pilot.turn(PilotState.ENDED, now, why)
        if pilot.registered or pilot.cancelled or pilot.was_found:
            proven = " (proven)" if pilot.proof else ""
            self._say("info", f"{pilot.server} has ended: {why or 'no reason is known'}{proven}")
            return
        one.failed(now, why)
        pause_s = one.paused_until - now.mono
        self._say(
            "error", f"{pilot.server} did not start: {why}; again in {pause_s:.0f} s at first"
        )

    # What is to be done

    def _look_after(self, now: Instant, one: _Class) -> None:
        one.ended = [old for old in one.ended if now.mono < old.since.mono + _ENDED_KEPT_S]
        for place, pilot in list(one.pilots.items()):
            if pilot.is_over and now.mono >= pilot.since.mono + _ENDED_KEPT_S:
                del one.pilots[place]
        one.fresh_look_wanted = False
        if not self._knows_need(now):
            return
        self._end_unwanted(now, one)
        number = self._lacking(one)
        if number <= 0 or now.mono < one.paused_until:
            return
        # Also one that its engine has given up, and that lives, keeps its place.
        free = [place for place in one.places() if self._is_free(one, place)]
        if not free:
            return
        if one.section.provider == "slurm" and not self._is_fresh(now, one.engine):
            one.fresh_look_wanted = True
            return
        for place in free[:number]:
            self._start(now, one, place)

    def _knows_need(self, now: Instant) -> bool:
        return not self._recovering and now.mono < self._heard_at + self.valid_s

    def _is_fresh(self, now: Instant, engine: _Engine) -> bool:
        return not engine.trouble and now.mono - engine.listed_at <= self._section.engine_look_s

    @staticmethod
    def _is_free(one: _Class, place: str) -> bool:
        pilot = one.pilots.get(place)
        if pilot is not None and not pilot.is_over:
            return False
        servers = one.demand.servers if one.demand is not None else ()
        return not any(server.server == place and server.liveness in _THERE for server in servers)

    def _lacking(self, one: _Class) -> int:
        """Return how many more pilots are wanted, whether there is a place for them or not."""
        demand, section = one.demand, one.section
        if demand is None:
            return 0
        living = one.living()
        number = section.min - sum(pilot.is_kept for pilot in living)
        if demand.waiting_s is not None and demand.waiting_s >= section.start_after_s:
            coming = sum(pilot.is_coming for pilot in living)
            slots = demand.ready - demand.free - coming * section.slots
            number = max(number, ceil(slots / section.slots))
        return number

    def _start(self, now: Instant, one: _Class, place: str) -> None:
        kept = sum(pilot.is_kept for pilot in one.living())
        is_script = one.section.provider == "script"
        before = one.pilots.get(place)
        may_run = is_script and before is not None and before.registered
        token = "" if is_script else self._tokens()
        pilot = _Pilot(place, token, kept < one.section.min, now)
        one.put(pilot)
        self._say("info", f"starts {place}")
        self._effects.append(Start(place, token, pilot.is_kept, may_run))

    def _end_unwanted(self, now: Instant, one: _Class) -> None:
        section = one.section
        no_demand = one.no_demand_since
        for pilot in one.living():
            if pilot.settled_at is None or pilot.cancelled:
                continue
            waited_s = now.mono - pilot.since.mono
            if pilot.state is PilotState.STARTING and waited_s >= section.register_s:
                why = f"it has not registered within {section.register_s:g} s"
                self._effects.append(Cancel(pilot.server, pilot.job, why))
                if section.provider == "script":
                    self._over(now, one, pilot, why)
                else:
                    one.failed(now, f"{pilot.server}: {why}")
                    self._say("error", f"{pilot.server} is ended: {why}")
                pilot.cancelled = True
            elif (
                pilot.state is PilotState.QUEUED
                and pilot.job
                and not pilot.is_kept
                and no_demand is not None
                and now.mono >= no_demand + section.idle_s
            ):
                why = "nothing waits for it any more"
                pilot.cancelled = True
                self._effects.append(Cancel(pilot.server, pilot.job, why, only_queued=True))

    def _look(self, now: Instant, engine: _Engine) -> None:
        """Ask an engine where it has something of ours, or something is to be started."""
        if engine.name == "script" or engine.is_asked:
            return
        mine = [one for one in self._classes.values() if one.engine is engine]
        is_first = engine.listed_at == -inf
        is_wanted = is_first or any(one.living() or one.fresh_look_wanted for one in mine)
        is_due = now.mono >= engine.look_at
        is_looked_for = now.mono >= engine.listed_at + self._section.look_s and any(
            self._is_ending(now, one) for one in mine
        )
        # One that has not answered would answer no better if it were asked at once.
        is_urgent = not engine.trouble and (
            is_looked_for or any(one.fresh_look_wanted for one in mine)
        )
        if is_wanted and (is_due or is_urgent):
            engine.is_asked = True
            self._effects.append(Look(engine.name, frozenset(engine.judged)))

    def _is_ending(self, now: Instant, one: _Class) -> bool:
        """Whether a place may become free at any moment: its server has just gone."""
        longest_s = _GONE_LOOKS * self._section.engine_look_s
        return any(
            pilot.gone_since is not None and now.mono < pilot.gone_since + longest_s
            for pilot in one.living()
        )

    # What is said

    def _report(self, now: Instant, one: _Class) -> ClassReport:
        section = one.section
        told = [*one.ended, *one.pilots.values()]
        is_coming = any(pilot.is_coming for pilot in one.living())
        is_paused = now.mono < one.paused_until
        has_place = len(one.living()) < section.max or self._is_ending(now, one)
        return ClassReport(
            server_class=one.name,
            provider=section.provider,
            most=section.max,
            able=is_coming or (has_place and not is_paused),
            text=self._words(now, one),
            start_wait_s=section.start_wait_s,
            labels=section.labels,
            pilots=tuple(
                Pilot(
                    server=pilot.server,
                    token=pilot.token,
                    job=pilot.job,
                    state=pilot.state,
                    reason=pilot.reason,
                    since=pilot.since.wall,
                    proof=pilot.proof if pilot.has_lived_once else "",
                )
                for pilot in told
            ),
            stop=tuple(
                pilot.server
                for pilot in one.living()
                if section.provider == "script"
                and not pilot.is_kept
                and pilot.idle_since is not None
                and now.mono >= pilot.idle_since + section.idle_s
            ),
        )

    def _words(self, now: Instant, one: _Class) -> str:
        """Say what goes on with servers that are on the way, or why none is."""
        engine, words = one.engine, []
        coming: dict[str, list[str]] = {}
        for pilot in one.living():
            if pilot.is_coming:
                said = f" ({pilot.reason})" if pilot.reason else ""
                is_queued = pilot.state is PilotState.QUEUED
                state = f"waits in {engine.name}" if is_queued else "is starting"
                coming.setdefault(f"{state}{said}", []).append(pilot.server)
        words += [f"{', '.join(servers)} {what}" for what, servers in coming.items()]
        if engine.trouble:
            words.append(f"{engine.name} does not answer: {engine.trouble}")
        if now.mono < one.paused_until:
            number = "start has" if one.failures == 1 else f"{one.failures} starts have"
            words.append(f"the last {number} failed, and it is tried again: {one.failure}")
        elif not coming and len(one.living()) >= one.section.max and one.demand is not None:
            words.append(f"all {one.section.max} servers that it may have were started")
        return "; ".join(words)[:1000]

    def _say(self, level: Literal["info", "warning", "error"], text: str) -> None:
        self._effects.append(Say(level, text))
