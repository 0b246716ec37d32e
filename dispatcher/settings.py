"""What the configuration tells the dispatcher's machine. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration tells the machine; times in seconds."""

    name: str  # of this dispatcher process, for people
    host: str = ""
    pid: int = 0
    experiments: frozenset[str] = frozenset()
    server_classes: frozenset[str] = frozenset()  # of the servers that the configuration names
    heartbeat_s: float = 1.0
    server_grace_s: float = 5.0
    server_lost_s: float = 10.0
    recovery_s: float = 3.0
    resume_within_s: float = 60.0
    delivery_s: float = 2.0
    url_wait_s: float = 60.0
    source_look_s: float = 2.0
    task_timeout_s: float | None = None
    end_on_return: bool = False
    commands_remembered_max: int = 10_000
    shots_loaded_max: int = 20
    keep_shots: int = 100
    output_bytes_max: int = 10 * 1024 * 1024  # stored of one attempt
    page_bytes: int = 512 * 1024  # of one page of an answer, and of the records of one event
    servers_event_s: float = 0.1
    feed_window_s: float = 30.0
