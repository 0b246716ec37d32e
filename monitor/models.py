"""What the HTTP interface takes and answers beside the commands and views of `common`. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from shotline.common.dangers import Danger, NamedDanger
from shotline.common.messages import Outcome
from shotline.common.model import Model
from shotline.common.sections import ServerClass, ServerId
from shotline.common.views import AnyResult, ShotView


class FieldProblem(Model):
    """What is wrong with one field of a request."""

    field: str
    message: str


class CommandAnswer(Model):
    """The answer to a command: how it ended, in words, and what it asked for."""

    outcome: Outcome
    message: str = ""
    notices: tuple[str, ...] = ()
    dangers: tuple[NamedDanger, ...] = ()  # refused, until somebody insists on each by its code
    result: Annotated[AnyResult, Field(discriminator="kind")] | None = None
    fields: tuple[FieldProblem, ...] = ()  # with status 422


Away = Literal["broker", "dispatcher"]


class SystemView(Model):
    """What the monitor is connected to, and how that is."""

    broker: str
    version: str
    life: str  # of this monitor; message numbers count within it
    feed: Literal["connecting", "live", "stopped"]
    feed_stopped_at: float | None = None
    away: Away | None = None  # who does not answer, as far as is known
    dispatcher: str = ""
    term: int | None = None
    journal: Literal["ok", "degraded", "stopped"] = "ok"
    journal_text: str = ""
    recovering: bool = False
    current: tuple[str, int] | None = None
    experiments: tuple[str, ...] = ()
    role: Literal["operator", "viewer"] = "operator"  # of whoever asks


class MonitorAnswer(Model):
    """Answer to `GET /api/monitor`."""

    system: SystemView
    shots: tuple[ShotView, ...] = ()


class LogRequest(Model):
    """A test message for the live log."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    text: Annotated[str, Field(min_length=1, max_length=10_000)]


class LogAnswer(Model):
    """The test message was written."""

    text: str


class ServerCommandRequest(Model):
    """Have the site's script, or `shotline up`, start, restart or end servers."""

    server_class: ServerClass
    command: Literal["START", "STOP", "RESTART", "KILL", "STATUS"]
    server_id: ServerId | None = None


class ServerCommandAnswer(Model):
    """What was run and what it wrote; its exit code is `null` when it was ended at its limit."""

    arguments: tuple[str, ...]
    exit_code: int | None
    output: str
    duration_s: float
    timed_out: bool = False


class CommandLineRequest(Model):
    """A line as one would type it after `shotline`; the word `shotline` itself may stand first."""

    line: Annotated[str, Field(min_length=1, max_length=4_096)]
    careful: bool = False  # refuse what ends something, unless `insist` has `ends`
    insist: tuple[Danger, ...] = ()


class CommandLineAnswer(Model):
    """What the command wrote, and its exit code; `null` when it was ended at its limit."""

    arguments: tuple[str, ...]
    exit_code: int | None
    output: str
    duration_s: float
    timed_out: bool = False
