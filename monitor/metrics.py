"""What the monitor tells Prometheus: names, units, and no label that grows with shots."""

from collections import Counter
from collections.abc import Iterator

from msgspec import structs

from shotline.common.metrics import Metric, counter, counters, gauge, gauges
from shotline.common.records import Counts
from shotline.monitor.channels import Channels
from shotline.monitor.channels.websocket import Readers
from shotline.monitor.messages import server_state
from shotline.monitor.models import ServerState
from shotline.monitor.view import View


class Metrics:
    """Reads what is counted elsewhere, when it is asked for."""

    def __init__(self, view: View, channels: Channels, readers: Readers) -> None:
        self._view = view
        self._channels = channels
        self._readers = readers
        self.requests: Counter[tuple[str, int]] = Counter()

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield from self._system()
        yield from self._messages()
        answered = [((method, str(status)), n) for (method, status), n in self.requests.items()]
        words = "HTTP requests answered."
        yield counters("monitor_http_requests", words, ("method", "status"), answered)

    def _system(self) -> Iterator[Metric]:
        system = self._view.system
        words = "The monitor's version."
        yield gauges("monitor_info", words, ("version",), [((system.version,), 1)])
        yield gauge("monitor_feed_up", "Whether the event feed is live.", system.feed == "live")
        yield gauge(
            "monitor_journal_ok",
            "Whether the dispatcher's journal is whole.",
            system.journal == "ok",
        )
        states = Counter(server_state(server) for server in self._view.servers.values())
        servers = {(state.value,): states[state] for state in ServerState}
        yield gauges("servers", "Action servers by state.", ("state",), servers.items())
        current = next(
            (shot for key, shot in self._view.shots.items() if key == system.current), None
        )
        counts = current.short().counts if current is not None else Counts()
        actions = {(category,): number for category, number in structs.asdict(counts).items()}
        words = "Actions of the current shot by what is shown of them."
        yield gauges("current_shot_actions", words, ("category",), actions.items())
        runs = sum(shot.board.open_run is not None for shot in self._view.shots.values())
        yield gauge("open_runs", "Runs that have not ended.", runs)

    def _messages(self) -> Iterator[Metric]:
        counts, readers = self._channels.counts, self._readers
        yield gauge("monitor_websockets", "WebSockets that are open.", len(readers))
        yield gauge("monitor_channels", "Channels that are kept.", len(self._channels))
        yield gauge("monitor_history_bytes", "Size of all histories.", self._channels.size)
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
            yield counter(f"monitor_{name}", words, number)
