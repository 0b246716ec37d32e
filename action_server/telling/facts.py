"""What the server tells of itself beside its heartbeats: what it is, and what it has done. Pure.

The host is measured by `host_facts`. Told at each registration, whenever the host was measured,
and at once when somebody asks.
"""

from msgspec import structs

from shotline.action_server.slots import Slot
from shotline.common.fleet.facts import Health, HostFacts, ServerFacts


class Facts:
    """The counts of this life of the server, and the host as it was last measured."""

    def __init__(self, always: ServerFacts) -> None:
        """Take what does not change."""
        self._always = always
        self._host: HostFacts | None = None
        self._health: Health | None = None
        self._is_due = False
        self.cpu_time_s = 0.0

    def measured(self, host: HostFacts | None, health: Health | None) -> None:
        """Take the host's figures, and what its check says."""
        self._host, self._health = host, health
        self._is_due = True

    def tell_again(self) -> None:
        """Let the next heartbeat carry all."""
        self._is_due = True

    def used(self, slot: Slot, cpu_s: float) -> None:
        """Take the processor time that a slot's worker has used so far, at a task's end."""
        self.cpu_time_s += max(0.0, cpu_s - slot.cpu_s)
        slot.cpu_s = cpu_s

    def take(
        self, *, done: int, failed: int, heartbeat_s: float, clock_offset_s: float | None
    ) -> ServerFacts | None:
        """Return what the heartbeat that leaves now tells, None for nothing new."""
        if not self._is_due:
            return None
        self._is_due = False
        host = self._host and structs.replace(self._host, clock_offset_s=clock_offset_s)
        return structs.replace(
            self._always,
            done=done,
            failed=failed,
            cpu_time_s=self.cpu_time_s,
            heartbeat_s=heartbeat_s,
            host=host,
            health=self._health,
        )
