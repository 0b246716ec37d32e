"""`shotline up` and `shotline demo` as processes: what they start they end, however they end."""

import shutil
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, eventually
from tests.support.up import read_until, shotline, up_config

from shotline.client.supervisor import Supervisor


@pytest.mark.slow
def test_the_demo_runs_a_whole_shot_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with shotline(tmp_path, "demo") as process:
        read_until(process, "up    hub")
        process.send_signal(signal.SIGHUP)  # which is for the daemons, also now
        out, _ = process.communicate(timeout=4 * DEADLINE_S)
        assert process.returncode == 0, out
        for phase in ("INIT", "PULSE", "STORE"):
            assert f"of {phase} has begun" in out
        assert "✗ CAMERA:ARM  Failure" in out
        assert "it is meant to fail" in out
        assert "What was not run, and why" in out
        assert "Logs of the daemons" in out
        _, _, following = out.partition("Next commands to try:")
        programs = {line.split()[0] for line in following.strip().splitlines()}
        assert len(programs) == 1
        assert shutil.which(programs.pop()), "it can be called so from where the demo was"
        assert processes_of(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_demo_ends_in_order_when_it_is_interrupted(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with shotline(tmp_path, "demo", pace="1") as process:
        read_until(process, "of INIT has begun")
        assert len(processes_of(tmp_path)) > 8
        process.send_signal(number)
        out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == code, out
        assert "ended hub" in out
        assert "Traceback" not in out
        assert processes_of(tmp_path) == []


@pytest.mark.slow
def test_killed_it_leaves_nothing_behind_either(tmp_path: Path) -> None:
    with shotline(tmp_path, "demo", pace="1") as process:
        read_until(process, "of INIT has begun")
        process.kill()
        process.wait()
        eventually(lambda: not processes_of(tmp_path), lambda: str(processes_of(tmp_path)))


def test_up_says_what_is_up_tells_of_what_is_lost_and_ends_the_rest_in_order(
    tmp_path: Path,
) -> None:
    config = up_config(tmp_path)
    with shotline(tmp_path, "--config", str(config), "up") as process:
        said = read_until(process, "all are up")
        order = ["redis", "broker", "dispatcher", "monitor", "A:1"]
        places = [said.index(f"up    {name}") for name in order]
        assert places == sorted(places)
        settings = yaml.safe_load(config.read_text())
        page = f"http://127.0.0.1:{settings['monitor']['port']}/"
        assert f"the page: {page}" in said
        with urlopen(page, timeout=DEADLINE_S) as answer:
            assert b"<title>Shotline</title>" in answer.read()
        with Supervisor(config=config, timeout_s=DEADLINE_S) as shotline_:
            assert shotline_.status().term >= 1
        (server,) = [
            one for one in processes_of(tmp_path) if "shotline.action_server" in one.cmdline()
        ]
        server.kill()
        assert "by signal 9" in read_until(process, "LOST  A:1")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=DEADLINE_S)
        places = [
            out.index(f"ended {name}") for name in ("monitor", "dispatcher", "broker", "redis")
        ]
        assert places == sorted(places)
        assert process.returncode == 4
        assert processes_of(tmp_path) == []


def test_up_that_cannot_start_a_daemon_says_why_and_ends_the_others(tmp_path: Path) -> None:
    config = up_config(tmp_path)
    settings = yaml.safe_load(config.read_text())
    settings["experiments"]["TEST"]["source"]["file"] = "nowhere.yaml"
    settings["broker"]["events"] = "tcp://192.0.2.1:5572"  # an address of nobody's (RFC 5737)
    settings["security"] = {"insecure": True}
    config.write_text(yaml.safe_dump(settings))
    with shotline(tmp_path, "--config", str(config), "up") as process:
        out, _ = process.communicate(timeout=2 * DEADLINE_S)
        assert process.returncode == 2, out
        assert "broker ended with exit status 1" in out
        assert "192.0.2.1" in out
        assert "ended redis" in out
        assert "Traceback" not in out
        assert processes_of(tmp_path) == []
