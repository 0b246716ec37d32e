"""What the monitor tells Prometheus: names, units, and no label that grows with shots."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from shotline.common.records import Counts
from shotline.monitor.channels import Channels
from shotline.monitor.channels.websocket import Readers
from shotline.monitor.messages import server_state
from shotline.monitor.models import ServerState
from shotline.monitor.view import View

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Family = GaugeMetricFamily | CounterMetricFamily | InfoMetricFamily


class Metrics(Collector):
    """Reads what is counted elsewhere, when it is asked for."""

    def __init__(self, view: View, channels: Channels, readers: Readers) -> None:
        self._view = view
        self._channels = channels
        self._readers = readers
        self.requests: Counter[tuple[str, int]] = Counter()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Family]:
        """Yield all metrics of our own."""
        yield from self._system()
        yield from self._messages()
        requests = CounterMetricFamily(
            "shotline_monitor_http_requests",
            "HTTP requests answered.",
            labels=("method", "status"),
        )
        for (method, status), number in sorted(self.requests.items()):
            requests.add_metric((method, str(status)), number)
        yield requests

    def _system(self) -> Iterator[Family]:
        system = self._view.system
        yield InfoMetricFamily(
            "shotline_monitor", "The monitor's version.", {"version": system.version}
        )
        yield _gauge("monitor_feed_up", "Whether the event feed is live.", system.feed == "live")
        yield _gauge(
            "monitor_journal_ok",
            "Whether the dispatcher's journal is whole.",
            system.journal == "ok",
        )
        servers = GaugeMetricFamily(
            "shotline_servers", "Action servers by state.", labels=("state",)
        )
        states = Counter(server_state(server) for server in self._view.servers.values())
        for state in ServerState:
            servers.add_metric((state,), states[state])
        yield servers
        actions = GaugeMetricFamily(
            "shotline_current_shot_actions",
            "Actions of the current shot by what is shown of them.",
            labels=("category",),
        )
        current = next(
            (shot for key, shot in self._view.shots.items() if key == system.current), None
        )
        counts = current.short().counts if current is not None else Counts()
        for category, number in counts.model_dump().items():
            actions.add_metric((category,), number)
        yield actions
        runs = sum(shot.board.open_run is not None for shot in self._view.shots.values())
        yield _gauge("open_runs", "Runs that have not ended.", runs)

    def _messages(self) -> Iterator[Family]:
        counts, readers = self._channels.counts, self._readers
        yield _gauge("monitor_websockets", "WebSockets that are open.", len(readers))
        yield _gauge("monitor_channels", "Channels that are kept.", len(self._channels))
        yield _gauge("monitor_history_bytes", "Size of all histories.", self._channels.size)
        for name, words, number in (
            ("published_messages", "Messages published on channels.", counts.published),
            ("sent_frames", "Frames sent to WebSockets.", counts.frames),
            ("merged_messages", "Messages left out as later ones replace them.", counts.merged),
            ("left_out_messages", "Messages too many for a slow reader.", counts.left_out),
            ("cut_messages", "Messages cut from histories.", counts.cut),
            ("dropped_channels", "Channels dropped after their time.", counts.dropped),
            ("slow_websockets_closed", "WebSockets closed as too slow.", counts.slow_closed),
            ("refused_websockets", "WebSockets refused as too many.", readers.refused),
            ("malformed_frames", "Frames of clients that were no request.", readers.malformed),
        ):
            yield CounterMetricFamily(f"shotline_monitor_{name}", words, value=number)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"shotline_{name}", words, value=float(value))
