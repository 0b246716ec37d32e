"""Where an experiment's tree is found: the `source` part of its configuration.

What each means is done by the adapter of the same name; `open_tree` makes it.
"""

from typing import Annotated, Literal

from pydantic import Field

from shotline.common.codec import sendable
from shotline.common.model import Model


class FileSource(Model):
    """An experiment file (docs/experiment-file.md)."""

    kind: Literal["file"] = "file"
    file: str = Field(description="The experiment file.", min_length=1)
    pulses: str | None = Field(
        None,
        description="Folder that holds TREE/SHOT of each pulse. Default: `pulses` beside the "
        "experiment file.",
    )


class MdsipSource(Model):
    """An MDSplus tree on an mdsip server, read and executed through mdsthin."""

    kind: Literal["mdsip"] = "mdsip"
    url: str = Field(
        description="Url of the mdsip server that runs the tasks: host:port, or a tcp://, tcp6://, "
        "ssh:// or sshp:// url. Action servers may have urls of their own.",
        min_length=1,
    )
    tree_url: str | None = Field(
        None,
        description="Url of the mdsip server that tables are read from and pulses created on. It "
        "should be another than `url`, whose open trees the running tasks need. Default: `url`.",
        min_length=1,
    )
    connect_timeout_s: float = Field(10.0, gt=0, description="Time limit of making a connection.")
    read_timeout_s: float = Field(
        60.0, gt=0, description="Time limit of each answer while reading tables or making pulses."
    )
    keep_alive_s: int = Field(
        15, ge=1, description="A silent connection is tested this often, and lost after 4 of them."
    )


class MdsplusSource(Model):
    """An MDSplus tree, through the MDSplus installation of this machine."""

    kind: Literal["mdsplus"] = "mdsplus"


def untold(source: "Source") -> str:
    """Return why a source can be told to no other process, in words; "" where it can."""
    named = (source.file, source.pulses) if isinstance(source, FileSource) else ()
    for name in named:
        if name is not None and sendable(name) != name:
            return f"the name {sendable(name)} is not UTF-8; rename it, or name another one"
    return ""


Source = Annotated[FileSource | MdsipSource | MdsplusSource, Field(discriminator="kind")]
