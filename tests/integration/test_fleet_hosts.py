"""The fleet on two hosts, one of which is cut off: what is shown of it, and how it goes on."""

import json
from pathlib import Path
from typing import Any

from tests.support.hosts import CONTROL, TwoHosts, two_hosts
from tests.support.stack import eventually

SEVERAL = {
    "broker": {
        "clients": f"tcp://{CONTROL}:5570",
        "servers": f"tcp://{CONTROL}:5571",
        "events": f"tcp://{CONTROL}:5572",
        "bind": "*",
        "server_lost_s": 3.0,
    },
    "keys": {"required": True},
}
EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: GATED, server_class: A, phase: INIT, when: 10, task: {shell: [sh, -c, WAIT]}}
"""


def test_a_host_that_is_cut_off_keeps_its_row_its_settings_and_what_it_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"echo began >> {tmp_path / 'starts'}; until [ -e {gate} ]; do sleep 0.1; done"
    experiment = EXPERIMENT.replace("WAIT", json.dumps(wait))
    with two_hosts() as hosts:
        site = TwoHosts(hosts, tmp_path, SEVERAL, experiment)
        control, other = hosts

        def server() -> dict[str, Any]:
            found = json.loads(site.good(control, "fleet", "list", "--json"))["result"]
            (one,) = found["servers"]
            return dict(one)

        def action() -> dict[str, Any]:
            found = json.loads(site.good(control, "show", "GATED", "TEST", "1", "--json"))
            return dict(found["result"]["action"]["last"])

        site.start()
        site.carry_keys()
        site.start_server()
        site.good(control, "fleet", "drain", "A:1", "--reason", "cable work")
        site.good(control, "fleet", "resume", "A:1")
        site.good(control, "fleet", "heartbeat", "--every", "2", "A:1")
        eventually(lambda: bool(server()["facts"] and server()["facts"]["host"]), site.said)
        site.good(control, "create-pulse", "TEST", "1")
        site.good(control, "build-tables", "TEST", "1")
        site.good(control, "do-phase", "TEST", "1", "INIT")
        eventually((tmp_path / "starts").exists, site.said)
        before = server()

        other.unplug()
        eventually(lambda: server()["liveness"] == "lost", site.said)
        gone = server()
        assert gone["facts"]["host"]["cpus"] == before["facts"]["host"]["cpus"]
        assert gone["settings"] == before["settings"]
        assert (gone["usable"], gone["host"]) == (0, before["host"])
        last = action()
        assert (last["state"], last["cause"]) == ("ABORTED", "server_lost")
        assert last["outcome_unknown"], "nobody has proof that it has ended"
        drained = site.good(control, "fleet", "drain", "A:1", "--reason", "cut off")
        assert "A:1" in drained

        other.plug()
        gate.touch()
        eventually(lambda: server()["liveness"] == "alive", site.said)
        back = server()
        assert back["incarnation"] == before["incarnation"], "its process has lived on"
        assert [one["kind"] for one in back["flags"]] == ["draining"]
        site.good(control, "fleet", "resume", "A:1")
        eventually(lambda: server()["usable"] == 1, site.said)
        assert (tmp_path / "starts").read_text() == "began\n"
