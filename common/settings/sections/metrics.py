"""The configuration of metrics. Pure."""

from pydantic import Field

from shotline.common.settings.sections.logs import DaemonName
from shotline.common.settings.sections.values import HostAndPort, Section


class MetricsSection(Section):
    """Where Prometheus collects what the daemons count and measure."""

    addresses: dict[DaemonName, HostAndPort] = Field(
        {},
        description="Address as HOST:PORT by daemon: broker, dispatcher, hub, monitor, legacy, "
        "watcher, qserver, filterorchestrator, provider, or an action server's CLASS:ID. Others "
        "have none.",
    )

    def address_of(self, daemon: str) -> tuple[str, int] | None:
        """Return host and port of a daemon's address; None where it has none."""
        address = self.addresses.get(daemon)
        if address is None:
            return None
        host, _, port = address.rpartition(":")
        return host, int(port)
