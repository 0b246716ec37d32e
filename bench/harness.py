"""What every workload is, and how those that are actions run beside the baselines.

A round starts everything anew. Within it the subjects take turns, so that what else the machine
does hits all alike; a ratio is one of neighbours in time.
"""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from bench.baseline import Baseline
from bench.daemons import Entry, Form, Site
from bench.machine import Groups, used
from bench.results import Goal, Results
from bench.workloads import Sizes
from shotline.client.local.redis_server import RedisServer

B1: Final = "B1"
B2: Final = "B2"
WINDOWED: Final = "B2, windowed"
SHOTS_LOADED_MAX: Final = 2  # one that is run, and one that is just being made


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one workload: what is measured, where, and who is told."""

    forms: Sequence[Form]
    sizes: Sizes
    folder: Path  # for all that is written; it is removed afterwards
    results: Results


class Measurement(ABC):
    """One thing that is measured."""

    name: ClassVar[str]
    title: ClassVar[str]
    rounds_max: ClassVar[int] = 100

    @abstractmethod
    def measure(self, of: Round) -> None:
        """Do one round, and tell its results."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What carries out a workload: a baseline, or Shotline in one form (which has `groups`).

    `ready` does what comes before the clock starts, and returns what is timed.
    """

    name: str
    ready: Callable[[], Callable[[], object]]
    groups: Callable[[], Groups] | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A subject that is ready to be timed."""

    subject: Subject
    run: Callable[[], object]

    @property
    def name(self) -> str:
        """The subject's name."""
        return self.subject.name

    def seconds(self) -> float:
        """Run it, and return how long it took."""
        begin = time.perf_counter()
        self.run()
        return time.perf_counter() - begin


class ActionWorkload(Measurement):
    """A workload of actions, which the baselines carry out, too.

    `repeats`: so often in a round, where it is over in a moment.
    """

    repeats: ClassVar[int] = 1

    @abstractmethod
    def actions(self, sizes: Sizes) -> list[Entry]:
        """Return the experiment, whose tree has the workload's name."""

    @abstractmethod
    def drive(self, client: Baseline, sizes: Sizes) -> None:
        """Do the same as a baseline's client, which itself decides what comes after what."""

    def variants(self, second: Baseline, sizes: Sizes) -> list[Subject]:  # noqa: ARG002
        """Return what else the second baseline can be compared in."""
        return []

    def ready(self, site: Site, shot: int, sizes: Sizes) -> Callable[[], object]:  # noqa: ARG002
        """Return what does the actions of a shot, whose table is built, until the last reply."""
        return lambda: site.do_phase(self.name, shot)

    @abstractmethod
    def compare(self, subjects: Sequence[Ready], of: Round) -> None:
        """Run the subjects once, and tell the results."""

    def measure(self, of: Round) -> None:
        """Do one round, with both baselines and all forms up side by side."""
        sizes = of.sizes
        with ExitStack() as running:
            first = running.enter_context(Baseline())
            redis = running.enter_context(RedisServer(of.folder / "redis"))
            second = running.enter_context(Baseline(redis))
            subjects = [
                Subject(B1, lambda: lambda: self.drive(first, sizes)),
                Subject(B2, lambda: lambda: self.drive(second, sizes)),
                *self.variants(second, sizes),
            ]
            for form in of.forms:
                stack = running.enter_context(ActionStack([self], sizes, of.folder / form, form))
                subjects.append(Subject(form, partial(stack.ready, self), stack.site.groups))
            for _ in range(self.repeats):
                self.compare([Ready(subject, subject.ready()) for subject in subjects], of)


class ActionStack:
    """Shotline up and warm, with the experiments of some workloads."""

    def __init__(
        self,
        workloads: Sequence[ActionWorkload],
        sizes: Sizes,
        folder: Path,
        form: Form,
        profiles: Mapping[str, Path] | None = None,
        *,
        redis_url: str | None = None,
    ) -> None:
        self._sizes = sizes
        self._shots = Counter[str]()
        experiments = {one.name: one.actions(sizes) for one in workloads}
        self.site = Site(
            folder,
            form,
            experiments,
            redis_url=redis_url,
            settings={"dispatcher": {"shots_loaded_max": SHOTS_LOADED_MAX, "recovery_s": 0.1}},
            profiles=profiles,
        )

    def ready(self, workload: ActionWorkload) -> Callable[[], object]:
        """Make a new shot of a workload; return what does its actions."""
        self._shots[workload.name] += 1
        shot = self._shots[workload.name]
        self.site.build(workload.name, shot)
        return workload.ready(self.site, shot, self._sizes)

    def __enter__(self) -> Self:
        self.site.__enter__()
        with ExitStack() as failed:
            failed.push(self.site)
            self.site.warm_up()
            failed.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.site.__exit__(kind, error, traceback)


def tell(
    of: Round,
    what: str,
    unit: str,
    values: Mapping[str, float],
    *,
    base: str = "",
    goals: Mapping[Form, Goal] | None = None,
) -> None:
    """Tell a value of each subject; those of Shotline are compared with `base`."""
    for name, value in values.items():
        ours = Form(name) if name in set(Form) else None
        of.results.add(
            what,
            name,
            value,
            unit,
            beside=(base, values[base]) if ours and base else None,
            goal=goals.get(ours) if ours and goals else None,
        )


@contextmanager
def shares(subject: Ready, of: Round, count: int, goals: Mapping[str, Goal]) -> Iterator[None]:
    """Tell what each process of Shotline takes for one of `count` actions of the body."""
    if subject.subject.groups is None:
        yield
        return
    before = used(subject.subject.groups())
    yield
    after = used(subject.subject.groups())
    for part, total in after.items():
        taken = total.since(before[part])
        name, add = subject.name, of.results.add
        cpu_us = taken.cpu_s / count * 1e6
        add("processor time an action", name, cpu_us, "µs", part=part, goal=goals.get(part))
        add("wake-ups an action", name, taken.wake_ups / count, "", part=part)
