"""What programs that watch see: what Prometheus collects of every daemon, the files that are made
for it, and logs as JSON.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.support.monitor import with_monitor
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.common.process.scrape import CONNECTIONS_MAX
from shotline.common.settings.config import check_config

ETC = Path(__file__).resolve().parents[2] / "etc"
RULES = ETC / "prometheus" / "shotline.rules.yaml"
DASHBOARD = ETC / "grafana" / "shotline.json"
NAME = re.compile(r"\b(?:shotline|process)_[a-z_]+\b")
EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: GOOD, server_class: A, phase: INIT, when: 10, task: {shell: ["true"]}}
  - {path: BAD, server_class: A, phase: INIT, when: 20, task: {shell: ["false"]}}
  - {path: NEVER, server_class: A, phase: INIT, when: not GOOD, task: {shell: ["true"]}}
"""
Samples = dict[tuple[str, ...], float]


def samples_at(address: str) -> Samples:
    """Return what a daemon tells, by name and labels' values."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=DEADLINE_S) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    names = ("broker", "dispatcher", "monitor", "legacy", "A:1")
    ports = free_ports(len(names))
    settings = {
        "up": {"daemons": ["broker", "dispatcher", "monitor", "legacy"]},
        "logging": {"format": "json"},
        "volumes": {"folders": {"RAW": {"folder": "raw"}}},
        "action_server": {"disks": [str(folder)]},
        "metrics": {
            "addresses": {
                name: f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)
            }
        },
    }
    made = with_monitor(folder, ("A:1",), {"TEST": folder / "experiment.yaml"}, settings=settings)
    with made as running:
        with running.supervisor() as shotline:
            shotline.create_pulse("TEST", 1)
            shotline.build_tables("TEST", 1)
            shotline.do_phase("INIT", "TEST", 1)
        dispatcher = running.config.metrics.addresses["dispatcher"]
        # What hosts tell of themselves comes with a heartbeat.
        of_hosts = {"shotline_host_disk_bytes", "shotline_host_clock_offset_seconds"}
        eventually(lambda: of_hosts <= known({"": samples_at(dispatcher)}))
        yield running


@pytest.fixture(scope="module")
def told(stack: Stack) -> dict[str, Samples]:
    """Return what each daemon tells after a run."""
    return {name: samples_at(at) for name, at in stack.config.metrics.addresses.items()}


def test_every_daemon_says_who_it_is(told: dict[str, Samples]) -> None:
    for name, samples in told.items():
        assert [key[1] for key in samples if key[0] == "shotline_daemon_info"] == [name]
        assert samples["process_resident_memory_bytes",] > 0


def test_what_has_happened_is_counted_once(told: dict[str, Samples]) -> None:
    dispatcher = told["dispatcher"]
    outcomes = {
        key[1:]: value
        for key, value in dispatcher.items()
        if key[0] == "shotline_actions_total" and value
    }
    assert outcomes == {
        ("result", "success"): 1,
        ("result", "failure"): 1,
        ("condition_false", "not_dispatched"): 1,
    }
    assert dispatcher["shotline_dispatch_seconds_count",] == 2
    assert dispatcher["shotline_journal_commit_seconds_count",] >= 3
    assert dispatcher["shotline_journal_state", "ok"] == 1
    assert dispatcher["shotline_server_up", "A:1"] == 1
    assert dispatcher["shotline_dispatcher_queued_actions", "A"] == 0
    assert told["A:1"]["shotline_action_server_results_total",] == 2
    assert told["broker"]["shotline_broker_dispatcher_up",] == 1
    assert told["broker"]["shotline_broker_servers",] == 1
    assert told["monitor"]["shotline_servers", "ON"] == 1
    assert told["legacy"]["shotline_bridge_feed_up",] in (0, 1)


def test_results_that_are_stored_wait_no_more(stack: Stack) -> None:
    address = stack.config.metrics.addresses["A:1"]
    eventually(lambda: samples_at(address)["shotline_action_server_unanswered_results",] == 0)


@pytest.mark.usefixtures("told")
def test_what_servers_tell_of_themselves_and_their_hosts_is_collected(stack: Stack) -> None:
    address = stack.config.metrics.addresses["dispatcher"]
    host = socket.gethostname()
    eventually(lambda: samples_at(address).get(("shotline_server_ended_total", "A:1")) == 2)
    samples = samples_at(address)
    assert samples["shotline_host_cpus", host] == os.cpu_count()
    assert (
        samples["shotline_host_memory_bytes", host]
        > samples["shotline_host_memory_used_bytes", host]
    )
    assert abs(samples["shotline_host_clock_offset_seconds", host]) < 1


def test_no_label_grows_with_shots(told: dict[str, Samples]) -> None:
    for samples in told.values():
        assert not [key for key in samples if "TEST" in " ".join(key) or "GOOD" in " ".join(key)]


@pytest.mark.usefixtures("told")
def test_each_line_of_the_logs_is_an_object_and_says_what_it_is_about(stack: Stack) -> None:
    lines = {
        daemon.name: [json.loads(line) for line in daemon.log_file.read_text().splitlines()]
        for daemon in stack.daemons.all
    }
    assert all(lines.values())
    (failed,) = [line for line in lines["dispatcher"] if "action" in line]
    assert (failed["shot"], failed["attempt"], failed["level"]) == ("TEST/1", 1, "error")
    assert failed["action"].endswith("BAD")
    assert "exit" in failed["message"]
    of_the_shot = [line for line in lines["dispatcher"] if line.get("shot") == "TEST/1"]
    assert any("run 1 (INIT) has begun" in line["message"] for line in of_the_shot), of_the_shot


def test_a_server_that_was_lost_is_shown_as_down(stack: Stack) -> None:
    stack["A:1"].stop(DEADLINE_S)
    address = stack.config.metrics.addresses["dispatcher"]
    eventually(lambda: samples_at(address)["shotline_server_up", "A:1"] == 0)
    stack.restart(stack["A:1"])
    eventually(lambda: samples_at(address)["shotline_server_up", "A:1"] == 1)


def test_who_asks_badly_disturbs_nobody(stack: Stack) -> None:
    address = stack.config.metrics.addresses["broker"]
    host, _, port = address.rpartition(":")
    asking = [socket.create_connection((host, int(port))) for _ in range(3 * CONNECTIONS_MAX)]
    asking[-1].sendall(b"GET /met")
    asking[-2].sendall(b"x" * 100_000)
    samples_at(address)
    for path in ("/etc/passwd", "/metrics/x"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{address}{path}", timeout=DEADLINE_S)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://{address}/metrics", data=b"x", timeout=DEADLINE_S)
    for one in asking:
        one.close()
    samples_at(address)


def test_the_hub_tells_what_broker_and_dispatcher_do(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = {
        "up": {"daemons": ["hub"]},
        "metrics": {"addresses": {"hub": f"127.0.0.1:{port}"}},
    }
    with Stack(tmp_path, settings=settings):
        hub = samples_at(f"127.0.0.1:{port}")
    assert hub["shotline_broker_dispatcher_up",] == 1
    assert hub["shotline_dispatcher_broker_up",] == 1
    assert hub["shotline_journal_commit_seconds_count",] >= 0
    assert ("shotline_actions_total", "result", "success") in hub


def test_an_address_that_others_reach_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text('metrics: {addresses: {broker: "0.0.0.0:9570"}}\n')
    (problem,) = check_config(file, environment={})
    assert "metrics.addresses.broker" in str(problem)
    assert "insecure: true" in str(problem)
    file.write_text(f"{file.read_text()}security: {{insecure: true}}\n")
    assert check_config(file, environment={}) == []


@pytest.mark.parametrize(
    "addresses",
    ['{"broker": "127.0.0.1"}', '{"broker": "127.0.0.1:0"}', '{"browser": "127.0.0.1:1"}'],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, addresses: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"metrics: {{addresses: {addresses}}}\n")
    assert len(check_config(file, environment={})) == 1


def test_the_same_address_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text('metrics: {addresses: {broker: "127.0.0.1:5580"}}\n')  # the page's
    (problem,) = check_config(file, environment={})
    assert "same address as" in str(problem)


def known(told: dict[str, Samples]) -> set[str]:
    return {key[0] for samples in told.values() for key in samples}


def test_the_alert_rules_are_of_metrics_that_exist(told: dict[str, Samples]) -> None:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]:
        names = set(NAME.findall(rule["expr"]))
        assert names <= known(told), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "action"}
        assert rule["labels"]["severity"] in ("critical", "warning")
    if tool := shutil.which("promtool"):
        for command, file in (("rules", RULES), ("config", RULES.with_name("prometheus.yaml"))):
            done = subprocess.run([tool, "check", command, file], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr


def test_the_dashboard_shows_metrics_that_exist(told: dict[str, Samples]) -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        for target in panel["targets"]:
            names = set(NAME.findall(target["expr"]))
            assert names, panel["title"]
            assert names <= known(told), panel["title"]
