"""W5: one action prints many lines, until an observer has them all and they are stored."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from bench.baseline import Baseline
from bench.daemons import PHASE, Entry, Form, Site, action
from bench.harness import B2, ActionWorkload, Ready, Round, tell
from bench.results import Goal
from bench.workloads import LINE_BYTES, Sizes, Workload
from shotline.client.connection import EventStream
from shotline.client.observer import News, Whole
from shotline.common.channels import output_channel
from shotline.common.records import ShotKey
from shotline.common.views import OutputEvent

PATH: Final = r"\W5::TOP:TALK"
SILENCE_S: Final = 60.0
GOALS: Final = {Form.HUB: Goal(14, at_least=True)}


class Lines(ActionWorkload):
    """What has been announced to observers has been journalled before."""

    name: ClassVar = Workload.W5
    title: ClassVar = "lines of output, observed and stored"
    repeats: ClassVar = 3

    def actions(self, sizes: Sizes) -> list[Entry]:
        """One that talks."""
        arguments = {"count": sizes.lines, "line_bytes": LINE_BYTES}
        return [action("TALK", 1, "print_lines", **arguments)]

    def drive(self, client: Baseline, sizes: Sizes) -> None:
        """The client is the observer, too; what it has is in Redis already."""
        _check(client.do(1, lines=sizes.lines), sizes)

    def ready(self, site: Site, shot: int, sizes: Sizes) -> Callable[[], object]:
        """Observe the output that there will be."""
        observer = site.supervisor.events(output_channel(ShotKey(self.name, shot), PATH))
        first = observer.get(SILENCE_S)
        if not isinstance(first, Whole):
            raise RuntimeError(f"the observer began with {first} and not with the whole state")

        def run() -> None:
            site.supervisor.do_phase(PHASE, self.name, shot, wait=False)
            with observer:
                _check(_seen(observer, sizes), sizes)
            (last,) = site.supervisor.logs(PATH, self.name, shot, since=sizes.lines - 1).lines
            _check(last.number + 1, sizes)

        return run

    def compare(self, subjects: Sequence[Ready], of: Round) -> None:
        """Tell lines a second."""
        rates = {one.name: of.sizes.lines / one.seconds() for one in subjects}
        tell(of, "rate", "/s", rates, base=B2, goals=GOALS)


def _seen(observer: EventStream, sizes: Sizes) -> int:
    """Return how many lines have come, once there are enough."""
    seen = 0
    while seen < sizes.lines:
        update = observer.get(SILENCE_S)
        if not isinstance(update, News):
            raise RuntimeError(f"{seen} of {sizes.lines} lines seen, then {update}")
        if isinstance(update.payload, OutputEvent):
            seen += sum(text.count("\n") + 1 for _, _, text in update.payload.pieces)
    return seen


def _check(lines: int, sizes: Sizes) -> None:
    if lines != sizes.lines:
        raise RuntimeError(f"{lines} of {sizes.lines} lines arrived")
