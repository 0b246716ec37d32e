"""A bug that is planted in a machine while a test runs, and taken out again.

It is a replacement of exact lines of one function. Where the function has them no more, planting
fails: then the bug is to be told anew.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.simulation.__main__ import KINDS

SEEDS = 500


@dataclass(frozen=True, slots=True)
class Edit:
    """In this function of this class, these lines are others."""

    owner: type
    name: str
    old: str
    new: str

    def made(self) -> tuple[object, object]:
        """Return what the class has, and what it has with the edit."""
        had = inspect.getattr_static(self.owner, self.name)
        function = had.fget if isinstance(had, property) else getattr(had, "__func__", had)
        source = textwrap.dedent(inspect.getsource(function))
        where = f"{self.owner.__module__}.{self.owner.__name__}.{self.name}"
        assert source.count(self.old) == 1, f"{where} has not just one {self.old!r} any more"
        found: dict[str, object] = {}
        code = compile(source.replace(self.old, self.new), inspect.getfile(function), "exec")
        exec(code, function.__globals__, found)
        return had, found[self.name]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug, in words; what breaks by it, and in which seed of which simulation that is seen."""

    what: str
    machine: str
    rules: tuple[str, ...]
    kind: str
    seed: int
    edits: tuple[Edit, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Let it be there meanwhile."""
        made = [(edit, *edit.made()) for edit in self.edits]
        try:
            for edit, _, has in made:
                setattr(edit.owner, edit.name, has)
            yield
        finally:
            for edit, had, _ in reversed(made):
                setattr(edit.owner, edit.name, had)

    def breaks(self, seed: int) -> str:
        """Return the rule that a seed breaks with it, "" where it breaks none of its own."""
        return broken_rule(self, seed)[0]


def broken_rule(mutant: Mutant, seed: int) -> tuple[str, str]:
    """Return which of a bug's rules a seed breaks while it is planted, and all that is told."""
    with mutant.planted():
        try:
            KINDS[mutant.kind](seed).run()
        except Exception as error:  # noqa: BLE001  # a machine may break in any way
            told = f"{type(error).__name__}: {error}"
            rule = next((one for one in mutant.rules if str(error).startswith(one)), "")
            return rule, told
    return "", ""


def first_seed(mutant: Mutant, seeds: int, say: Callable[[str], None]) -> int | None:
    """Return the first seed that breaks a rule of a bug's own; tell of other ends."""
    others: dict[str, int] = {}
    for seed in range(seeds):
        rule, told = broken_rule(mutant, seed)
        if rule:
            return seed
        if told:
            others.setdefault(told[:60], seed)
            if len(others) == 1 and others.get(told[:60]) == seed:
                say(f"    in seed {seed}, by no rule of its own: {told[:160]}")
    return None
