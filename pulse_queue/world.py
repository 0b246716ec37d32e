"""What the queue asks of the dispatcher that hosts it. Pure."""

from typing import NamedTuple, Protocol


class Catalog(NamedTuple):
    """What an experiment declares, as its model, or its newest tables, have it."""

    phases: tuple[str, ...]
    classes: dict[str, frozenset[str]]  # phase → classes whose servers its actions need


class PhaseState(NamedTuple):
    """How far the open run of a plan is."""

    done: int
    total: int


class World(Protocol):
    """The dispatcher, as the queue sees it."""

    def catalog(self, tree: str) -> Catalog | None:
        """Return what is known of an experiment's phases; None: nothing."""

    def served(self) -> frozenset[str]:
        """Return the server classes that have a server, present or configured."""

    def servers_of(self, server_class: str) -> tuple[str, ...]:
        """Return the present servers of a class."""

    def next_shot(self, tree: str) -> int:
        """Return the number above all shots of an experiment that are known here."""

    def phase_state(self, tree: str, shot: int, run: int) -> PhaseState | None:
        """Return how far a run is; None: nothing is known of it."""
