"""What is wrong with a plan, when it is added and again when it begins. Pure."""

from collections.abc import Iterator

from msgspec import structs

from shotline.common.queue import kinds
from shotline.common.queue.kinds import PlanKind
from shotline.common.queue.plans import NEXT, Existing, FailsOn, PulsePlan
from shotline.common.queue.records import QueueGroup
from shotline.common.queue.views import RefusalCode
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.groups import require_fit
from shotline.pulse_queue.refusal import QueueRefusal
from shotline.pulse_queue.world import Catalog

LISTED_MAX = 20

Seen = dict[object, tuple[PlanKind, tuple[str, ...]] | QueueRefusal]


class Checks:
    """Checks plans against the configuration, and what is known of experiments and servers."""

    def __init__(self, core: QueueCore) -> None:
        self._core = core

    def given(self, plan: PulsePlan) -> PulsePlan:
        """Return a plan with its names as they are spelled here."""
        if plan.experiment is None or plan.experiment.isupper():
            return plan
        return structs.replace(plan, experiment=plan.experiment.strip().upper())

    def resolved(self, plan: PulsePlan) -> PulsePlan:
        """Return what is to be run: the plan, and its kind where it says nothing."""
        kind = self._core.kinds.get(plan.kind) or PlanKind()
        return structs.replace(
            plan,
            experiment=plan.experiment or kind.experiment,
            phases=kind.phases if plan.phases is None else plan.phases,
            parameters=kinds.values_of(kind, plan.parameters),
            existing=plan.existing or kind.existing,
            fails_on=plan.fails_on or kind.fails_on,
        )

    def check(
        self, plan: PulsePlan, name: str, group: QueueGroup, seen: Seen | None = None
    ) -> tuple[str, ...]:
        """Return what is worth a look. Raise QueueRefusal where the plan could not be run.

        `seen`: what was found of plans before it, that may run the same with other parameters.
        """
        if plan.type == "stop":
            return ()
        seen = {} if seen is None else seen
        what = (plan.kind, plan.experiment, plan.phases)
        found = seen.get(what)
        if found is None:
            try:
                found = self._look(plan, name, group)
            except QueueRefusal as refusal:
                found = refusal
            seen[what] = found
        if isinstance(found, QueueRefusal):
            raise found
        kind, notices = found
        if kind.parameters or plan.parameters:
            for wrong in kinds.problems(kind, plan.parameters):
                raise QueueRefusal(RefusalCode.BAD_PARAMETER, f"{self._named(plan)}: {wrong}")
        self._check_number(plan, kind)
        return notices

    def _look(
        self, plan: PulsePlan, name: str, group: QueueGroup
    ) -> tuple[PlanKind, tuple[str, ...]]:
        """Look at all of a plan but its parameters and its shot."""
        kind = self._kind(plan)
        if plan.kind:
            require_fit(group.kinds, plan.kind, "plans of the kind", name)
        tree = self._experiment(plan, kind)
        require_fit(group.experiments, tree, "the experiment", name)
        return kind, tuple(self._phases(plan, kind, tree, name, group))

    def _named(self, plan: PulsePlan) -> str:
        return plan.kind or plan.experiment or "the plan"

    def _kind(self, plan: PulsePlan) -> PlanKind:
        known = self._core.kinds
        if plan.kind:
            kind = known.get(plan.kind)
            if kind is None:
                listed = ", ".join(sorted(known)[:LISTED_MAX]) or "none is configured"
                text = f"unknown kind of plans {plan.kind}; known: {listed}"
                raise QueueRefusal(RefusalCode.UNKNOWN_KIND, text)
            return kind
        if self._core.config.queue.kinds_only:
            listed = ", ".join(sorted(known)[:LISTED_MAX]) or "none is configured"
            text = f"a plan must be of a kind (queue.kinds_only); known: {listed}"
            raise QueueRefusal(RefusalCode.UNKNOWN_KIND, text)
        return PlanKind()

    def _experiment(self, plan: PulsePlan, kind: PlanKind) -> str:
        known = self._core.config.experiments
        listed = ", ".join(sorted(known)) or "none is configured"
        if plan.experiment and kind.experiment and plan.experiment != kind.experiment:
            text = f"{plan.kind} is of the experiment {kind.experiment}, not of {plan.experiment}"
            raise QueueRefusal(RefusalCode.BAD_PLAN, text)
        tree = plan.experiment or kind.experiment
        if tree is None:
            text = f"{plan.kind or 'the plan'} names no experiment; known: {listed}"
            raise QueueRefusal(RefusalCode.UNKNOWN_EXPERIMENT, text)
        if tree not in known:
            text = f"unknown experiment {tree}; known: {listed}"
            raise QueueRefusal(RefusalCode.UNKNOWN_EXPERIMENT, text)
        return tree

    def _check_number(self, plan: PulsePlan, kind: PlanKind) -> None:
        if plan.repeat > kind.repeat_max:
            text = f"{self._named(plan)} is repeated at most {kind.repeat_max} times"
            raise QueueRefusal(RefusalCode.BAD_PLAN, text)
        existing = plan.existing or kind.existing
        if plan.repeat > 1 and plan.shot != NEXT and existing is Existing.REFUSE:
            text = f"shot {plan.shot} can be made once only; to repeat it, leave the shot out"
            raise QueueRefusal(RefusalCode.BAD_PLAN, text)

    def _phases(
        self, plan: PulsePlan, kind: PlanKind, tree: str, name: str, group: QueueGroup
    ) -> Iterator[str]:
        """Yield what is worth a look in the phases. Raise QueueRefusal where one is none."""
        phases = kind.phases if plan.phases is None else plan.phases
        if not phases:
            text = f"{self._named(plan)} names no phases{self._known(tree)}"
            raise QueueRefusal(RefusalCode.UNKNOWN_PHASE, text)
        catalog = self._core.world.catalog(tree)
        if catalog is None:
            yield f"the phases of {tree} are not known yet: they are looked at when it runs"
            return
        for one in phases:
            if one.phase not in catalog.phases:
                text = f"{tree} has no phase {one.phase}{self._known(tree)}"
                raise QueueRefusal(RefusalCode.UNKNOWN_PHASE, text)
        wanted = frozenset().union(*(catalog.classes.get(one.phase, ()) for one in phases))
        for server_class in sorted(wanted):
            require_fit(group.classes, server_class, "the server class", name)
        yield from self._unserved(plan, wanted)

    def _known(self, tree: str) -> str:
        catalog: Catalog | None = self._core.world.catalog(tree)
        return f"; known: {', '.join(catalog.phases)}" if catalog is not None else ""

    def _unserved(self, plan: PulsePlan, wanted: frozenset[str]) -> Iterator[str]:
        missing = sorted(wanted - self._core.world.served())
        if not missing:
            return
        text = f"{self._named(plan)}: no server of {', '.join(missing)} is known"
        if self._core.config.queue.unserved == "refuse":
            raise QueueRefusal(RefusalCode.NO_SERVERS, text)
        yield text


def fails_on(plan: PulsePlan) -> FailsOn:
    """Return which failed actions make a plan a failed one."""
    return plan.fails_on or FailsOn.ANY
