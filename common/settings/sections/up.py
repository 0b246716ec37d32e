"""What `shotline up` starts. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from shotline.common.settings.sections.values import (
    Label,
    MdsipUrl,
    Seconds,
    Section,
    ServerClass,
    ServerId,
)


class UpServer(Section):
    """One action server that `shotline up` starts."""

    server_class: ServerClass = Field(alias="class", description="Server class (MDSplus ident).")
    id: ServerId = Field("1", description="What tells servers of one class apart.")
    slots: Annotated[int, Field(ge=0, le=1024, strict=True)] | None = Field(
        None, description="Actions that run at a time; null: as in `action_server`."
    )
    mdsip_url: MdsipUrl | None = Field(
        None, description="This server's own mdsip server; null: as in `action_server`."
    )
    labels: tuple[Label, ...] | None = Field(
        None, description="This server's own labels; null: as in `action_server`."
    )


class UpSection(Section):
    """What `shotline up` runs on this machine, in the order of their start."""

    daemons: tuple[
        Literal[
            "hub",
            "broker",
            "dispatcher",
            "monitor",
            "watcher",
            "legacy",
            "qserver",
            "filterorchestrator",
            "provider",
        ],
        ...,
    ] = Field(
        ("hub", "monitor"),
        description="Daemons; hub: broker and dispatcher in one process. With the dispatcher "
        "also Redis, where `redis.url` is null.",
    )
    servers: tuple[UpServer, ...] = Field((), description="Action servers.")
    start_s: Seconds = Field(30.0, description="Time for each of them to become ready.")
    stop_s: Seconds = Field(10.0, description="Time for each of them to end before it is killed.")
    restart: bool = Field(
        True, description="Whether what hangs, or ends by itself, is started again."
    )
    restart_s: Seconds = Field(
        1.0, description="Time before that; after each further loss twice as long."
    )
    restart_s_max: Seconds = Field(
        60.0,
        description="The longest such time; what has run for so long begins with `restart_s` anew.",
    )
    watchdog_s: Seconds | None = Field(
        20.0,
        description="A daemon whose loop gives no sign of life for so long hangs, and is killed; "
        "null: that is not looked at.",
    )

    def runner_of(self, part: Literal["broker", "dispatcher"]) -> str | None:
        """Return the daemon here that is the broker, or the dispatcher; None: it runs elsewhere."""
        return next((one for one in ("hub", part) if one in self.daemons), None)
