"""The fleet's records: what servers were set to, which are gone, windows, what is expected. Pure.

Their fold (`fold`) is the fleet's state. `by` is who asked, empty where it came about by itself.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from shotline.common.base import Struct
from shotline.common.fleet.settings import ServerSettings, Window
from shotline.common.fleet.views import ExpectedServer
from shotline.common.queue.plans import Who, Words
from shotline.common.ranges import Small, Wall
from shotline.common.views import ServerView

Named = Annotated[str, Meta(max_length=300)]


class _FleetRecord(Struct, tag_field="type"):
    """The base of the fleet's records."""

    time: Wall
    by: Who = ""
    reason: Words = ""


class ServerSet(_FleetRecord, tag="server_set"):
    """A server is set so from now on; `changed` names what was otherwise before."""

    server: Named
    settings: ServerSettings
    changed: tuple[str, ...]


class ServerServed(_FleetRecord, tag="server_served"):
    """A server that ends after so much has served of it; `left` is still to come."""

    server: Named
    left: Small
    shot: Named = ""  # that it has begun to work for, where shots are counted


class ServerOrdered(_FleetRecord, tag="server_ordered"):
    """This life of a server was told to end, or to begin anew, since its settings ask for it."""

    server: Named
    order: Literal["restart", "quit"]
    incarnation: Named


class ServerGone(_FleetRecord, tag="server_gone"):
    """A server was lost, or did not come back; this is the last that is known of it."""

    last: ServerView


class ServersDismissed(_FleetRecord, tag="servers_dismissed"):
    """Somebody needs to know nothing more of these."""

    servers: tuple[str, ...]


class WindowSet(_FleetRecord, tag="window_set"):
    """A maintenance window was made, or replaced."""

    window: Window


class WindowRemoved(_FleetRecord, tag="window_removed"):
    """A maintenance window was removed, or is over for good."""

    id: Named


class ExpectedSet(_FleetRecord, tag="expected_set"):
    """These servers are expected from now on."""

    servers: tuple[ExpectedServer, ...]


class SetBy(Struct):
    """Who has set something, why and when."""

    by: Who = ""
    reason: Words = ""
    at: Wall = 0.0


class KeptServer(Struct):
    """What is kept of one server."""

    server: Named
    settings: ServerSettings = ServerSettings()
    notes: dict[str, SetBy] = {}  # by the name of what was set
    shots: tuple[str, ...] = ()  # that it has worked for, where shots are counted
    ordered: Named = ""  # life that was told to end or to begin anew


class FleetKept(_FleetRecord, tag="fleet_kept"):
    """The whole state: the journal of the fleet may begin here."""

    servers: tuple[KeptServer, ...] = ()
    gone: tuple[ServerView, ...] = ()
    dismissed: dict[str, Wall] = {}  # when servers were dismissed last
    windows: tuple[Window, ...] = ()
    expected: tuple[ExpectedServer, ...] = ()
    expected_note: SetBy = SetBy()


FleetRecord = (
    ServerSet
    | ServerServed
    | ServerOrdered
    | ServerGone
    | ServersDismissed
    | WindowSet
    | WindowRemoved
    | ExpectedSet
    | FleetKept
)

FLEET: Final = "fleet"
"""The stream that has them."""

_MANY: Final[msgspec.json.Decoder[tuple[FleetRecord, ...]]] = msgspec.json.Decoder(
    tuple[FleetRecord, ...]
)


def decode_fleet_records(data: bytes | str) -> tuple[FleetRecord, ...]:
    """Return the fleet's records of a JSON array. Raise ValueError when one is none of ours."""
    return _MANY.decode(data)
