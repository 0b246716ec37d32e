"""The configuration of the broker. Pure."""

from typing import Annotated

from pydantic import Field

from shotline.common.settings.sections.values import (
    Bytes,
    Endpoint,
    PositiveCount,
    Seconds,
    Section,
)


class BrokerSection(Section):
    """Where the broker is, and when it calls a peer lost."""

    clients: Endpoint = Field(
        "tcp://127.0.0.1:5570",
        description="Address for the dispatcher, the monitor, supervisors and the command line.",
    )
    servers: Endpoint = Field("tcp://127.0.0.1:5571", description="Address for the action servers.")
    events: Endpoint = Field(
        "tcp://127.0.0.1:5572",
        description="Address at which observers subscribe to what happens.",
    )
    bind: str | None = Field(
        None,
        description="Network interface or IP address that the broker binds to with the ports of "
        "the three addresses; null: the hosts in the addresses themselves.",
    )
    heartbeat_s: Seconds = Field(1.0, description="Every peer says this often that it is alive.")
    suspect_beats: PositiveCount = Field(
        2, description="After so many missed heartbeats a peer is suspect and gets no new work."
    )
    server_lost_s: Seconds = Field(
        10.0, description="A server that was silent for this long is lost; its actions too."
    )
    probe_s: Seconds = Field(
        1.0,
        description="Time for a server to answer when another one registers under its name; "
        "one that stays silent is replaced.",
    )
    high_water_mark: PositiveCount = Field(
        100_000, description="Messages that may wait in a socket for one peer."
    )
    message_bytes_max: Annotated[Bytes, Field(ge=2**20)] = Field(
        16 * 1024 * 1024, description="Larger messages are refused, and their sender cut off."
    )
    observer_topics_bytes_max: Bytes = Field(
        256 * 1024,
        description="Bytes of the topics that one observer of the events may subscribe to; one "
        "with more is cut off.",
    )
    topics_bytes_max: Bytes = Field(
        2 * 1024 * 1024, description="Bytes of the topics of all observers together."
    )
    clients_max: PositiveCount = Field(
        1000, description="Clients that may be connected at a time; further ones are refused."
    )
    servers_max: PositiveCount = Field(
        1000, description="Action servers that may be registered; further ones are refused."
    )

    @property
    def suspect_s(self) -> float:
        """A silence as long as this makes a peer suspect."""
        return self.suspect_beats * self.heartbeat_s

    def bound_hosts(self) -> dict[str, str]:
        """Return the host that each TCP address is bound to, by key."""
        hosts = {}
        for key, address in self.endpoints().items():
            if address.startswith("tcp://"):
                hosts[key] = self.bind or address.removeprefix("tcp://").rpartition(":")[0]
                if ":" in hosts[key] and not hosts[key].startswith("["):
                    hosts[key] = f"[{hosts[key]}]"
        return hosts

    def bound_endpoints(self) -> dict[str, str]:
        """Return the address that the broker binds each of its sockets to, by key."""
        hosts = self.bound_hosts()
        return {
            key: f"tcp://{hosts[key]}:{address.rpartition(':')[2]}" if key in hosts else address
            for key, address in self.endpoints().items()
        }

    def endpoints(self) -> dict[str, str]:
        """Return the three addresses to connect to, by key."""
        return {"clients": self.clients, "servers": self.servers, "events": self.events}
