"""The configuration's section `qserver`: the bridge for clients of bluesky-queueserver."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from shotline.common.settings.sections.values import Endpoint, PositiveCount, Section, Switch

DeviceName = Annotated[str, Field(min_length=1, max_length=200)]


class QserverSection(Section):
    """The bridge for clients of bluesky-queueserver."""

    control: Endpoint = Field(
        "tcp://127.0.0.1:60615", description="Address at which their requests are answered."
    )
    info: Endpoint | None = Field(
        "tcp://127.0.0.1:60625",
        description="Address at which status and console are published; null: nowhere.",
    )
    encoding: Literal["json", "msgpack"] = Field(
        "json", description="How messages are written; the clients must be set alike."
    )
    key_file: Path | None = Field(
        None,
        description="File, readable by its owner only, with the secret key of the control address "
        "(as `qserver-zmq-keys` makes it); null: without encryption.",
    )
    return_to: Literal["held", "front"] = Field(
        "held",
        description="What a client's queue_start does with plans that failed or were aborted: "
        "`held`: it is refused until somebody releases them; `front`: they run again.",
    )
    resume_aborted: Literal["refuse", "again", "leave"] = Field(
        "refuse",
        description="What a client's re_resume does with actions that were aborted for an "
        "immediate pause: it is refused, runs them again, or leaves them.",
    )
    devices: tuple[DeviceName, ...] = Field(
        (), description="Names that plans take, told to clients as devices."
    )
    stop_unsafe: Switch = Field(
        False, description="Whether manager_stop ends the bridge also while a plan runs."
    )
    test_methods: Switch = Field(
        False, description="Whether manager_kill lets the bridge fall silent for five seconds."
    )
    old_dialect: Endpoint | None = Field(
        None, description="Address for clients of version 0.0.1, such as tcp://127.0.0.1:5555."
    )
    requests_max: PositiveCount = Field(1_000, description="Requests that are answered at a time.")
