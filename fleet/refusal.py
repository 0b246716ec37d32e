"""Why an operation on the fleet is refused as a whole. Pure."""

from shotline.common.messages import Outcome
from shotline.fleet.events import FleetDone


class FleetRefusal(Exception):
    """Nothing was changed; the text says why and what to do."""

    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown

    def done(self) -> FleetDone:
        """Return the answer that says so."""
        return FleetDone(Outcome.REFUSED, str(self), unknown=self.unknown)
