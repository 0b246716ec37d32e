"""How many actions of a shot's phases are in which category, kept up to date. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from shotline.common.actions import Category, category_of
from shotline.common.records import Counts
from shotline.common.views import ActionView


def category(action: ActionView) -> Category:
    """Return what an action is counted as."""
    live = action.last
    return category_of(live.state, live.status, live.cause, failed=action.failed)


def counts(actions: Iterable[ActionView]) -> Counts:
    """Count actions by what is shown of them (D7)."""
    return Counts.of(Counter(map(category, actions)))


class Tally:
    """The counts of one shot, and of which phases they have changed."""

    def __init__(self) -> None:
        self.phases: dict[str, dict[Category, int]] = {}  # in the order of the first actions
        self._counted: dict[str, tuple[str, Category]] = {}  # phase and category by path
        self._changed: dict[str, None] = {}

    def begin(self, actions: Iterable[ActionView]) -> None:
        """Count all actions of a shot anew."""
        before, self.phases, self._counted = self.phases, {}, {}
        for action in actions:
            self.note(action)
        self._changed = dict.fromkeys(
            phase
            for phase in before | self.phases
            if _shown(before.get(phase)) != _shown(self.phases.get(phase))
        )

    def note(self, action: ActionView) -> None:
        """Count one action, whose state has perhaps changed."""
        now = (action.phase, category(action))
        before = self._counted.get(action.path)
        if now == before:
            return
        self._counted[action.path] = now
        if before is not None:
            self._count(*before, -1)
        self._count(*now, 1)

    def _count(self, phase: str, one: Category, by: int) -> None:
        of_phase = self.phases.setdefault(phase, {})
        of_phase[one] = of_phase.get(one, 0) + by
        self._changed[phase] = None

    def changes(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Yield the phases whose counts have changed since this was asked last."""
        changed, self._changed = self._changed, {}
        for phase in changed:
            yield phase, _shown(self.phases.get(phase))

    def shown(self) -> dict[str, dict[str, int]]:
        """Return the counts of all phases, without those that are 0."""
        return {phase: _shown(found) for phase, found in self.phases.items()}

    def total(self) -> Counts:
        """Return the counts of all phases together."""
        number: Counter[Category] = Counter()
        for of_phase in self.phases.values():
            number.update(of_phase)
        return Counts.of(number)


def _shown(of_phase: dict[Category, int] | None) -> dict[str, int]:
    return {one.value: count for one, count in (of_phase or {}).items() if count}
