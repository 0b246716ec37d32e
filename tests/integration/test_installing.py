"""docs/installing.md: its units and files exist, several hosts work as it says."""

import json
import re
import sys
from pathlib import Path

import yaml
from tests.support import documents
from tests.support.hosts import CONTROL, TwoHosts, two_hosts

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "installing.md"
DOCUMENT = PAGE.read_text(encoding="utf-8")
SHELL = [block.text for block in documents.blocks(PAGE) if block.language == "sh"]
CONFIGURATIONS = [block.text for block in documents.blocks(PAGE) if block.language == "yaml"]
EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: HERE, server_class: A, phase: INIT, when: 10, task: {shell: [echo, hello]}}
"""


def test_every_unit_and_file_exists() -> None:
    units = {path.name.partition(".")[0].rstrip("@") for path in (ROOT / "etc/systemd").iterdir()}
    named = set(re.findall(r"(shotline-(?!support)[a-z-]+[a-z])(?=[@ \n'`])", "\n".join(SHELL)))
    assert {"shotline-hub", "shotline-action-server"} <= named
    assert named <= units
    etc = set(re.findall(r"(?<![/\w])etc/[\w./@-]+\w", DOCUMENT))
    etc |= {f"etc/{one}" for one in re.findall(r"-m 644 ([\w./]+\.(?:conf|rules))", DOCUMENT)}
    assert len(etc) >= 6
    for name in etc:
        assert (ROOT / name).exists(), name


def test_the_document_names_the_version_that_is_here() -> None:
    setup = (ROOT / "src" / "shotline" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'__version__ = "(.*)"', setup)
    assert set(re.findall(r"/opt/shotline-([0-9.]+[0-9])", DOCUMENT)) == {version}


# Several hosts


def test_a_server_of_another_host_runs_actions_and_the_doctor_sees_it(tmp_path: Path) -> None:
    several = yaml.safe_load(CONFIGURATIONS[1].replace("control.example", CONTROL))
    with two_hosts() as hosts:
        site = TwoHosts(hosts, tmp_path, several, EXPERIMENT)
        control, other = hosts
        site.start()
        nobody = site.cli(other, "status")
        assert nobody.returncode == 1
        assert "this program needs a key (keys.required)" in nobody.stderr
        unsafe = other.run(
            *(sys.executable, "-m", "shotline.client.cli", "--broker", "tcp://10.0.0.1:5570"),
            "status",
        )
        assert unsafe.returncode == 3
        assert "asks for a key" in unsafe.stderr
        site.carry_keys()
        site.start_server()
        site.good(other, "create-pulse", "TEST", "1")
        site.good(other, "build-tables", "TEST", "1")
        site.good(other, "do-phase", "TEST", "1", "INIT", "--wait")
        assert "hello" in site.good(control, "logs", "HERE")
        for host in hosts:
            found = json.loads(site.cli(host, "doctor", "--json").stdout)["findings"]
            assert [one for one in found if one["level"] == "problem"] == []
            assert any("1 are alive" in one["text"] for one in found)
        redis = [one for one in found if one["subject"] == "redis"]
        assert [one["level"] for one in redis] == ["warning"]  # the other host need not reach it
