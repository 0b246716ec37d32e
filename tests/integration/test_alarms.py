"""Alarms on the real daemons: latched over a kill, acknowledged, told once to the site."""

import json
from pathlib import Path

from tests.support.faults import LOST_SOON, action, shotline_command, stack_of
from tests.support.stack import Stack, eventually, merged

from shotline.common.alarms.alarm import Alarm, AlarmKind, ToldHow

HELP = "close the valve by hand"
CONTACT = "gas crew, phone 4711"

# Writes what it was called with, and what it could read.
TELL = """#!/bin/sh
{
    for word; do echo "argument $word"; done
    echo "of $SHOTLINE_ALARM_COUNT"
    cat
} >> "$0.said"
[ ! -e "$0.fails" ] || { echo "no line to the exchange"; exit 3; }
"""


def alarms(stack: Stack) -> dict[str, Alarm]:
    """Return all alarms by what they are about."""
    with stack.supervisor() as shotline:
        return {one.about: one for one in shotline.alarms(everything=True).alarms}


def told(stack: Stack, about: str) -> ToldHow | None:
    """Return how the site was told of something; None while there is no alarm of it."""
    found = alarms(stack).get(about)
    return found.told if found is not None else None


def run_phase(stack: Stack) -> None:
    with stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        shotline.do_phase("INIT", "TEST", 1)


def test_alarms_outlive_the_dispatcher_and_the_site_is_told_once(tmp_path: Path) -> None:
    program = tmp_path / "tell.sh"
    program.write_text(TELL)
    program.chmod(0o755)
    said = tmp_path / "tell.sh.said"
    settings = merged(
        LOST_SOON,
        {
            "alarms": {
                "alarm_command": [str(program), "crew"],
                "command_gather_s": 0.5,
                "group_after": 2,
            }
        },
    )
    failing = [action(f"BAD_{n}", "A", 1, code=1, help=HELP, contact=CONTACT) for n in range(5)]
    good = action("GOOD", "A", 1)
    with stack_of(tmp_path, ("A:1*2", "B:1"), *failing, good, settings=settings) as stack:
        run_phase(stack)
        eventually(lambda: told(stack, "TEST/1 BAD_0") is ToldHow.DONE)
        found = alarms(stack)
        assert set(found) == {"TEST/1 BAD_0", "TEST/1 BAD_1", "TEST/1 INIT"}
        group = found["TEST/1 INIT"]
        assert (group.kind, group.members, group.failing) == (AlarmKind.ACTIONS, 3, 3)
        assert (found["TEST/1 BAD_0"].help, found["TEST/1 BAD_0"].contact) == (HELP, CONTACT)
        lines = said.read_text().splitlines()
        assert lines[:4] == ["argument crew", "argument medium", "argument 3", lines[3]]
        assert lines[3].endswith("(and 2 more)")
        assert "of 3" in lines
        each = [json.loads(line) for line in lines if line.startswith("{")]
        assert {one["number"] for one in each} == {one.number for one in found.values()}

        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        eventually(lambda: bool(alarms(stack)))
        assert alarms(stack) == found

        numbers = [str(one.number) for one in found.values()]
        code, text = shotline_command(stack, "alarms", "ack", *numbers, "--note", "valve changed")
        assert (code, text.strip()) == (0, "3 alarms acknowledged")
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        eventually(lambda: bool(alarms(stack)))
        acknowledged = alarms(stack)["TEST/1 BAD_0"]
        assert acknowledged.note == "valve changed"
        assert acknowledged.acked_by
        assert said.read_text().splitlines() == lines  # nobody was told again

        # Its failing is an alarm of its own, of which nobody is told in vain.
        (tmp_path / "tell.sh.fails").touch()
        stack["B:1"].kill()
        eventually(lambda: "the alarm command" in alarms(stack))
        found = alarms(stack)
        assert found["B:1"].told is ToldHow.FAILED
        assert "exit code 3: no line to the exchange" in found["the alarm command"].text
        stack.restart(stack["B:1"])
        eventually(lambda: not alarms(stack)["B:1"].active)
        assert alarms(stack)["B:1"].is_new
        code, text = shotline_command(stack, "alarms", "list")
        assert code == 0
        assert "server lost" in text
        assert "cleared" in text
        code, text = shotline_command(stack, "show", "BAD_0", "TEST", "1")
        assert f"help: {HELP}" in text
        assert f"contact: {CONTACT}" in text
        code, text = shotline_command(stack, "alarms", "ack", "999")
        assert (code, "no alarm 999" in text) == (2, True)
