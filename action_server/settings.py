"""All settings of the action server's machine, as the configuration says them. Pure."""

from dataclasses import dataclass, field
from typing import Literal

from shotline.action_server.contact import ContactTimes
from shotline.action_server.output import OutputLimits
from shotline.action_server.reports import ReportLimits
from shotline.common.sections import ActionServerSection, BrokerSection


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says about this server."""

    kill_grace_s: float = 0.5
    kill_wait_s: float = 5.0
    on_return: Literal["finish", "end"] = "finish"
    server_lost_s: float = 10.0
    task_timeout_s: float | None = None
    results_max: int = 1000
    held_bytes_max: int = 256 * 1024 * 1024  # of output that waits to be stored, all attempts
    fold_s: float = 0.005
    output_hold_s: float = 0.005
    report_hold_s: float = 0.001  # a result waits so long for those of other short tasks
    progress_s: float = 0.1
    worker_start_s: float = 60.0
    worker_retry_s: float = 1.0  # after a worker that did not start; doubled each time
    worker_retry_max_s: float = 30.0
    deliver_s: float = 5.0  # how long an ending server waits for answers to its results
    seen_max: int = 10_000
    aborts_max: int = 1000
    output: OutputLimits = field(default_factory=OutputLimits)
    reports: ReportLimits = field(default_factory=ReportLimits)
    contact: ContactTimes = field(default_factory=ContactTimes)


def settings_of(section: ActionServerSection, broker: BrokerSection) -> Settings:
    """Return the machine's settings of a configuration."""
    beat = broker.heartbeat_s
    return Settings(
        kill_grace_s=section.kill_grace_s,
        kill_wait_s=section.kill_wait_s,
        on_return=section.on_return,
        server_lost_s=broker.server_lost_s,
        task_timeout_s=section.task_timeout_s,
        results_max=section.results_max,
        held_bytes_max=section.held_bytes_max,
        fold_s=section.fold_s,
        output_hold_s=section.output_hold_s,
        output=OutputLimits(
            lines_max=section.output_lines_max,
            bytes_max=section.output_bytes_max,
            line_bytes_max=section.output_line_bytes_max,
            window_bytes=section.output_window_bytes,
        ),
        contact=ContactTimes(
            heartbeat_s=beat, pong_wait_s=max(3 * beat, 2.0), register_wait_s=max(beat, 1.0)
        ),
    )
