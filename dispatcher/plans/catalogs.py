"""What is known of experiments for the queue's checks: their phases, and the classes of each. Pure.

The model of an experiment says it, read by its tree worker when somebody first asks, and again when
a plan names a phase that it had not; where it cannot be read, the newest tables do.
"""

from collections.abc import Callable, Iterable
from typing import Final

from shotline.common.nodes import DispatchOptions
from shotline.common.records import ShotKey
from shotline.dispatcher.commands.answer import Answer, Asked
from shotline.dispatcher.commands.requests import Done, Family, Requests
from shotline.dispatcher.table import Table
from shotline.dispatcher.trees.jobs import ReadTableJob, TreeDone
from shotline.pulse_queue.world import Catalog
from shotline.trees.tree import TreeError

MODEL: Final = -1
FRESH_S: Final = 2.0  # a model that was read in this time is not read again
TRY_AGAIN_S: Final = 30.0


class Catalogs(Family):
    """Reads models, and remembers what they declare."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        self._known: dict[str, Catalog] = {}
        self._read_at: dict[str, float] = {}

    def of(self, tree: str) -> Catalog | None:
        """Return what is known of an experiment."""
        found = self._known.get(tree)
        if found is not None:
            return found
        newest = self._core.newest.get(tree)
        shot = self._core.shots.get(ShotKey(tree, newest)) if newest is not None else None
        return catalog_of(shot.table) if shot is not None and shot.has_tables else None

    def wanting(self, trees: Iterable[str], *, anew: bool) -> str | None:
        """Return an experiment whose model should be read before a plan is checked; None: none."""
        for tree in trees:
            if tree not in self._core.config.experiments:
                continue
            age_s = self._core.now - self._read_at.get(tree, -TRY_AGAIN_S)
            if age_s >= (FRESH_S if anew else TRY_AGAIN_S) and (anew or tree not in self._known):
                return tree
        return None

    def read(self, asked: Asked, tree: str, go_on: Callable[[], Answer | None]) -> None:
        """Read a model, and go on whatever comes of it."""
        self._read_at[tree] = self._core.now

        def done(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            self._read_at[tree] = self._core.now
            if not done.error:
                try:
                    table = Table.build(done.nodes, done.phases, DispatchOptions())
                    self._known[tree] = catalog_of(table)
                except TreeError as error:
                    self._core.say("warning", f"the model of {tree} cannot be used: {error}")
            else:
                self._core.say("warning", f"the model of {tree} cannot be read: {done.error}")
            return go_on()

        key = ShotKey(tree, MODEL)
        self._core.after(ReadTableJob(job=self._requests.later(asked, done), key=key))


def catalog_of(table: Table) -> Catalog:
    """Return what a table declares of phases and classes."""
    classes: dict[str, set[str]] = {}
    for node in table.actions:
        if node.server_class and table.initial(node.path).cause is None:
            classes.setdefault(node.phase, set()).add(node.server_class)
    return Catalog(tuple(table.phases), {name: frozenset(found) for name, found in classes.items()})
