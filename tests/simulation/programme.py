"""What people do in a scenario, and the rules of what they do it with: a part that it has."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from tests.simulation.daemons import DispatcherDaemon, ServerDaemon

from shotline.common.base import Struct
from shotline.common.records import ShotKey, ShotRecord
from shotline.dispatcher import effects as d

if TYPE_CHECKING:
    from tests.simulation.scenario import Scenario


class Programme:
    """One shot with its supervisor, as the scenario itself has it."""

    sections: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Keys of the dispatcher's configuration."""
    redispatches: ClassVar[bool] = True
    """Whether people send single actions again."""

    def __init__(self, scenario: "Scenario") -> None:
        self.scenario = scenario
        self.world, self.chance = scenario.world, scenario.chance

    def plan_orders(self) -> None:
        """Let people give orders at bad moments."""
        self.scenario._plan_orders()

    def supervise(self) -> None:
        """Begin; the scenario `is_done` when all is over."""
        self.scenario._supervise()

    # What it is told

    def prepare(self, dispatcher: DispatcherDaemon) -> None:
        """A dispatcher is made, and has read nothing yet."""

    def prepare_server(self, server: ServerDaemon) -> None:
        """A server is made, and has done nothing yet."""

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """A record of a shot was journalled."""

    def hosted(self, stream: str, records: Sequence[Struct]) -> None:
        """What one commit has of a hosted machine's stream was journalled, before its shots."""

    def effect(self, effect: d.Effect) -> None:
        """An effect leaves the dispatcher."""

    def is_told_by(self, streams: Mapping[str, Sequence[Struct]]) -> bool:
        """Return whether what is in the journal comes to what was journalled."""
        del streams
        return True

    def at_end(self) -> None:
        """Faults have stopped, and all is over: check what must hold."""
