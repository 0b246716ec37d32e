"""The page's types: as committed, and in step with what the monitor really sends."""

import json
from pathlib import Path

import msgspec
import pytest
from tools.page_types import text

from shotline import monitor
from shotline.common.actions import ActionState
from shotline.common.records import Counts, EventOutcome, EventRaised, RunKind, Transition
from shotline.common.views import ActionView, OutputLine, RunView, ServerView, ShotView
from shotline.monitor import messages
from shotline.monitor.models import ChannelMessage, SystemView

COMMITTED = Path(monitor.__file__).parent / "static" / "model" / "types.js"
HISTORIES = Path(__file__).resolve().parents[2] / "js" / "histories.json"
LIVE = Transition(time=1.0, path="ONE", state=ActionState.DOING, attempt=1, run=1, server="A:1")
ACTION = ActionView(path="ONE", name="ONE", server_class="A", phase="INIT", last=LIVE)
RUN = RunView(
    tree="T",
    shot=1,
    run=1,
    kind=RunKind.PHASE,
    phase="INIT",
    state="open",
    opened_at=1.0,
    counts=Counts(),
)
SHOT = ShotView(tree="T", shot=1, runs=(RUN,))
SERVER = ServerView(server="A:1", server_class="A", server_id="1", liveness="alive")
SYSTEM = SystemView(broker="tcp://b", version="1", life="x", feed="live", current=("T", 1))
LINE = OutputLine(number=3, at=1.0, stream=1, text="a line")
RAISED = EventRaised(time=1.0, path="ONE", attempt=1, event="E", outcome=EventOutcome.RAISED)
SENT = {
    "action": messages.action_message(LIVE, failed=False),
    "node": messages.node_message(1.0, ACTION),
    "progress": messages.progress_message(1.0, "ONE", 0.5, "half"),
    "run": messages.run_message("RUN_CHANGED", 1.0, RUN),
    "run opened": messages.run_opened(1.0, RUN, [0, 1, 4]),
    "counts": messages.counts_message(1.0, "INIT", {"pending": 3}),
    "record": messages.record_message("EVENT", 1.0, RAISED),
    "output": messages.output_message(1.0, "ONE", [LINE]),
    "tail": messages.tail_message("ONE", LINE),
    "server": messages.server_message(1.0, SERVER),
    "log": messages.log_message(1.0, "info", "broker", "words", ("T", 1, "ONE", 2)),
    "shot": messages.shot_message(1.0, SHOT),
    "system": messages.system_message(1.0, SYSTEM),
    "cut": messages.cut_message(1, 5, "too long"),
    "whole shot": messages.whole_shot(
        1.0, SHOT, [ACTION], {"INIT": {"in_progress": 1}}, {"ONE": 2.0}, {"run": 1, "known": 0.5}
    ),
    "whole servers": messages.whole_servers(1.0, [SERVER], {"A:1": [(1.0, None), (2.0, 0.1)]}),
    "whole system": messages.whole_system(1.0, SYSTEM, [SHOT]),
    "current": messages.plain("CURRENT", 1.0, {"tree": "T", "shot": 1}),
}


def test_the_committed_types_are_up_to_date() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text(), "write them anew: make schema"


@pytest.mark.parametrize("body", SENT.values(), ids=SENT)
def test_every_message_is_what_the_types_say(body: bytes) -> None:
    msgspec.json.decode(b'{"seq":1,' + body, type=ChannelMessage)


def test_a_shots_messages_are_what_the_types_say() -> None:
    for history in json.loads(HISTORIES.read_text(encoding="utf-8")):
        for step in history["steps"]:
            for message in step["messages"]:
                msgspec.json.decode(json.dumps({"seq": 1} | message), type=ChannelMessage)
