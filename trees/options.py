"""How an experiment wants its actions dispatched; each choice says whose behaviour it is."""

from typing import Literal

from pydantic import Field

from shotline.common.model import Model
from shotline.common.ranges import SequenceNumber


class DispatchOptions(Model):
    """Compatibility choices of one experiment (DESIGN D2, D3, D4, D13)."""

    barrier: Literal["class", "global"] = Field(
        "class",
        description="class: each server class advances by itself, as the Redis dispatcher and "
        "jDispatcher do. global: all classes keep step, as the C dispatcher (mdstcl) does.",
    )
    synchronize_at: tuple[SequenceNumber, ...] = Field(
        (),
        description="No class starts a number at or above one of these until all numbers below it "
        "have settled in all classes, as jDispatcher's synch_seq_numbers.",
    )
    test: Literal["success", "completion"] = Field(
        "success",
        description="success: a condition's reference is true when DONE with Success, as in "
        "jDispatcher. completion: every DONE is true, as in the Redis dispatcher.",
    )
    completion_events: Literal["all", "success"] = Field(
        "all", description="Raise completion events for every DONE action, or only on Success."
    )
    essential_failure: Literal["remember", "abort_run"] = Field(
        "remember",
        description="remember: a failed essential action is shown and returned by `check`, as in "
        "the C dispatcher. abort_run: it also aborts the run.",
    )
    unreadable: Literal["fail", "warn"] = Field(
        "fail", description="Whether a node that is on but cannot be read counts as failed."
    )
    changed_source: Literal["warn", "refuse", "ignore"] = Field(
        "warn",
        description="What a run does whose tables' source (file, tree) has changed since they were "
        "built. warn: the reply and the log say so. refuse: it does not begin unless somebody "
        "insists (--even-if-changed). ignore: nobody looks.",
    )
    write_status: bool = Field(
        False, description="Write the status back to the node, as the C dispatcher does."
    )
