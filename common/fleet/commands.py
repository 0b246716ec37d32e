"""The commands about the fleet, one class each. Pure.

All but the questions act on the servers that `select` means, and are answered for each of them.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from shotline.common.command import Command, PagedCommand
from shotline.common.fleet.settings import (
    Drain,
    QuitAfter,
    Repeat,
    Select,
    Slots,
    ZoneName,
)
from shotline.common.fleet.views import ExpectedServer
from shotline.common.queue.plans import Words
from shotline.common.ranges import Duration, TimeLimit, Wall
from shotline.common.scopes import Scope

ServerFullName = Annotated[str, Meta(pattern=r"^[^:\s]+:[^:\s]+$", max_length=128)]
WindowId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
HoursTime = Annotated[str, Meta(pattern=r"^(now|off|([01][0-9]|2[0-3]):[0-5][0-9])$")]
"""HH:MM; `now`: the present minute; `off`: no such time any more."""


class FleetCommand(Command):
    """The base of those that change something: which servers, and why (people are shown it)."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    select: Select
    reason: Words = ""


class FleetList(PagedCommand, tag="fleet"):
    """The servers that are meant (none given: all), with what there is beside them."""

    SCOPE: ClassVar[Scope] = Scope.READ
    select: Select = Select()


class FleetSlots(FleetCommand, tag="fleet_slots"):
    """Let servers use so many of their slots; negative: all but so many; null: all.

    What runs is not touched.
    """

    slots: Slots | None = None


class FleetHours(FleetCommand, tag="fleet_hours"):
    """Set when servers work, every day. What is left out stays; `clear`: at any time.

    From `start` on they take work, from `stop` on nothing more; at `end` what they run is ended.
    """

    ENDS: ClassVar[str] = "at the end of the hours what runs is ended"
    start: HoursTime | None = None
    stop: HoursTime | None = None
    end: HoursTime | None = None
    zone: ZoneName | None = None  # as before; else that of the configuration
    clear: bool = False


class FleetDrain(FleetCommand, tag="fleet_drain"):
    """Let servers take nothing more. `now`: what they run is ended.

    `finish`: it goes on, until the deadline at the latest. `then` happens once they are empty.
    """

    ENDS: ClassVar[str] = "it may end what runs there"
    mode: Literal["finish", "now"] = "finish"
    deadline: Wall | None = None
    within_s: Duration | None = None  # a deadline from now on
    then: Literal["resume", "restart", "quit", "stay"] = "stay"

    def drain(self, wall: float) -> Drain:
        """Return what is asked for, at this time."""
        deadline = self.deadline if self.within_s is None else wall + self.within_s
        return Drain(mode=self.mode, deadline=deadline, then=self.then)


class FleetResume(FleetCommand, tag="fleet_resume"):
    """Let servers that were drained take work again; what was to come then does not."""


class FleetQuitAfter(FleetCommand, tag="fleet_quit_after"):
    """Let servers serve so much more and then end; 0: nothing more; without it for ever."""

    ENDS: ClassVar[str] = "it ends servers, once they have served so much"
    after: QuitAfter | None = None


class FleetHeartbeat(FleetCommand, tag="fleet_heartbeat"):
    """Set how often servers tell of themselves (null: as configured), or ask them now."""

    every_s: TimeLimit | None = None
    now: bool = False  # and leave the interval as it is


class FleetAdd(Command, tag="fleet_add"):
    """Start servers by the site's own program (`dispatcher.server_command`); the answer has what it
    says.
    """

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    servers: Annotated[tuple[ServerFullName, ...], Meta(min_length=1, max_length=100)]
    reason: Words = ""


class FleetDismiss(FleetCommand, tag="fleet_dismiss"):
    """Forget servers that are gone: their rows, their last words and what they were set to."""


class FleetWindow(FleetCommand, tag="fleet_window"):
    """Plan a maintenance window: meanwhile the servers that are meant take nothing more.

    The answer names plans of the pulse queue that it meets.
    """

    id: WindowId | None = None  # another one of the same name is replaced; none: it gets one
    begins_at: Wall
    duration_s: TimeLimit
    repeat: Repeat = Repeat.ONCE
    zone: ZoneName | None = None
    until: Wall | None = None
    mode: Literal["finish", "now"] = "finish"


class FleetWindowRemove(Command, tag="fleet_window_remove"):
    """Remove a maintenance window; servers that it keeps from working take work again."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    id: WindowId
    reason: Words = ""


Expected = Annotated[tuple[ExpectedServer, ...], Meta(max_length=10_000)]


class FleetExpect(Command, tag="fleet_expect"):
    """Keep which servers are expected; null: those that are there now, as they are."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    servers: Expected | None = None
    reason: Words = ""


class FleetExpected(Command, tag="fleet_expected"):
    """What is expected, and what is not as it says. `servers`: compare with these instead.

    `now`: what would be kept of the servers that are there.
    """

    SCOPE: ClassVar[Scope] = Scope.READ
    servers: Expected | None = None
    now: bool = False


FleetAct = (
    FleetSlots
    | FleetHours
    | FleetDrain
    | FleetResume
    | FleetQuitAfter
    | FleetHeartbeat
    | FleetDismiss
    | FleetWindow
)
"""What is done with the servers that are meant."""

AnyFleetCommand = FleetList | FleetAct | FleetAdd | FleetWindowRemove | FleetExpect | FleetExpected
