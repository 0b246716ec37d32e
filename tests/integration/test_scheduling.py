"""Limits, labels and checks of hosts with every daemon, real tasks, and a server that is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stack import Stack, eventually

from shotline.common.fleet.views import FlagKind

EXPERIMENT = """
experiment: TEST
phases: {{INIT: 1, PULSE: 2}}
actions:
  - {{path: ONE, server_class: NBI1, phase: INIT, when: 1, task: {{shell: {heats}}}}}
  - {{path: TWO, server_class: NBI2, phase: INIT, when: 1, task: {{shell: {heats}}}}}
  - {{path: WAVES, server_class: ECRH, phase: INIT, when: 1, task: {{shell: {heats}}}}}
  - {{path: PICTURE, server_class: DAQ, phase: PULSE, when: 1, label: hall,
      task: {{shell: ["true"]}}}}
"""
SERVERS = ("NBI1:1", "NBI2:1", "ECRH:1", "DAQ:1", "DAQ:2")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    log, ill = tmp_path / "log", tmp_path / "ill"
    heats = f'["sh", "-c", "echo on >> {log}; sleep 0.3; echo off >> {log}"]'
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT.format(heats=heats))
    servers = [
        {"class": name, "id": number, "labels": ["hall"] if name == "DAQ" and number == "2" else []}
        for name, _, number in (one.partition(":") for one in SERVERS)
    ]
    settings = {
        "limits": {"heater": {"most": 1, "classes": ["NBI?", "ECRH"]}},
        "up": {"servers": servers},
        "dispatcher": {"server_grace_s": 30.0},
        "action_server": {
            "facts_s": 0.5,
            "health": {"command": ["sh", "-c", f"! cat {ill}"], "every_s": 0.2},
        },
    }
    with Stack(
        tmp_path, SERVERS, {"TEST": tmp_path / "experiment.yaml"}, settings=settings
    ) as running:
        yield running


def test_one_heater_at_a_time_and_pictures_where_the_label_is(stack: Stack, tmp_path: Path) -> None:
    with stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        assert shotline.do_phase("INIT", wait=True).run.counts.success == 3
        assert (tmp_path / "log").read_text().split() == ["on", "off"] * 3
        report = shotline.do_phase("PULSE", wait=True)
        assert [one.last.server for one in report.actions] == ["DAQ:2"]


def test_a_host_that_fails_its_check_gets_nothing_until_it_is_well(
    stack: Stack, tmp_path: Path
) -> None:
    def are_failing() -> bool:
        flags = [flag for one in shotline.servers().servers for flag in one.flags]
        kinds = {(flag.kind, flag.reason) for flag in flags}
        return kinds == {(FlagKind.FAILING, "fan stands still")} and len(flags) == len(SERVERS)

    def waits_for(name: str) -> str:
        found = shotline.actions("TEST", 1).actions
        return next(one.waits_for for one in found if one.name == name)

    with stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        (tmp_path / "ill").write_text("fan stands still")
        eventually(are_failing)
        begun = shotline.do_phase("PULSE", wait=False)
        eventually(lambda: "fails its check: fan stands still" in waits_for("PICTURE"))
        (tmp_path / "ill").unlink()
        assert shotline.wait("TEST", 1, begun.run.run).run.counts.success == 1


def test_the_log_of_a_server_outlives_it(stack: Stack) -> None:
    with stack.supervisor() as shotline:
        eventually(lambda: len(shotline.server_log("DAQ:1").lines) > 0)
        stack["DAQ:1"].kill()
        stack.wait_until(
            lambda status: any(
                one.server == "DAQ:1" and one.liveness == "lost" for one in status.servers
            )
        )
        lines = shotline.server_log("DAQ:1").lines
        assert "action server DAQ:1" in lines[0].text
