"""`shotline doctor` and `shotline support-bundle` on a real stack, whole and with things broken."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from tests.support import access
from tests.support.monitor import with_monitor
from tests.support.nginx import OURS, nginx
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.common.keys.folder import KeysFolder, read_key

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: ONE, server_class: A, phase: INIT, when: 10, task: {shell: [echo, hello]}}
"""
WITHOUT_WEBSOCKETS = """
server {
    listen 80;
    location / { proxy_pass http://127.0.0.1:5580/; proxy_set_header Host $http_host; }
}
"""
OTHER_NAME = """
server {
    listen 80;
    location / { proxy_pass http://127.0.0.1:5580/; proxy_set_header Host nobody.here; }
}
"""
PLANTED = {
    "file": "planted-in-a-file-1f2e",
    "url": "planted-in-a-url-3d4c",
    "variable": "planted-in-a-variable-5b6a",
    "log": "planted-in-a-log-7a8b",
}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    with with_monitor(tmp_path, ("A:1",), {"TEST": tmp_path / "experiment.yaml"}) as running:
        yield running


def shotline(
    config: Path, *words: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "shotline.client.cli", "--config", str(config), *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, **(environment or {})},
        cwd=config.parent,
    )


def problems(config: Path, *words: str) -> dict[str, str]:
    """Return what the doctor calls a problem: text and advice, by subject."""
    done = shotline(config, "doctor", "--json", *words)
    found = json.loads(done.stdout)["findings"]
    bad = {one["subject"]: f"{one['text']} -- {one['advice']}" for one in found if is_bad(one)}
    assert done.returncode == (5 if bad else 0), done.stderr
    return bad


def is_bad(finding: Mapping[str, str]) -> bool:
    return finding["level"] == "problem"


def test_where_all_is_in_order_there_is_no_problem(stack: Stack) -> None:
    assert problems(stack.config_file) == {}
    done = shotline(stack.config_file, "doctor")
    for seen in ("it answers at", "in term", "all is written to Redis", "1 are alive", "it beats"):
        assert f"{seen}" in done.stdout
    assert "✓ redis          it keeps what it is told" in done.stdout
    assert "✓ page           the monitor answers" in done.stdout


def test_each_daemon_that_is_missing_is_named_with_what_to_do(stack: Stack) -> None:
    stack["A:1"].stop(DEADLINE_S)
    stack.wait_until(lambda status: status.servers[0].liveness == "lost")
    bad = problems(stack.config_file)
    assert "A:1 is lost" in bad["servers"]
    assert "systemctl start shotline-action-server@A:1" in bad["servers"]
    stack.dispatcher.stop(DEADLINE_S)
    assert "systemctl start shotline.target" in problems(stack.config_file)["dispatcher"]
    stack.broker.stop(DEADLINE_S)
    assert stack.config.broker.clients in problems(stack.config_file)["broker"]


def test_a_redis_that_forgets_is_a_problem(stack: Stack) -> None:
    with stack.redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert "set it to noeviction" in problems(stack.config_file)["redis"]
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "no")
        assert "appendonly is no; set it to yes" in problems(stack.config_file)["redis"]


def test_without_redis_the_journal_is_degraded(stack: Stack) -> None:
    stack.redis.stop()
    stack.wait_until(lambda status: status.journal == "degraded")
    bad = problems(stack.config_file)
    assert "cannot be used from here" in bad["redis"]
    assert "spill file" in bad["journal"]


def test_a_configuration_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("broker:\n  heartbeat_s: soon\n")
    bad = problems(file)
    assert bad.keys() == {"configuration"}
    assert f"{file}:2" in bad["configuration"]


def test_a_proxy_is_looked_through(stack: Stack, tmp_path: Path) -> None:
    site = OURS.read_text(encoding="utf-8")
    for text, wrong in (
        (site, None),
        (WITHOUT_WEBSOCKETS, "does not pass WebSockets"),
        (OTHER_NAME, "name it under monitor.hosts"),
    ):
        folder = tmp_path / "proxy"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with nginx(text, stack.config.monitor.port, folder) as address:
            for prefix in ("/", "/shotline/") if wrong is None else ("/",):
                bad = problems(stack.config_file, "--page", f"{address}{prefix}")
                assert bad.keys() == ({"proxy"} if wrong else set()), bad
                assert wrong is None or wrong in bad["proxy"]
    (port,) = free_ports(1)
    assert (
        "does not answer"
        in problems(stack.config_file, "--page", f"http://127.0.0.1:{port}/")["proxy"]
    )


def test_a_page_with_https_and_a_login_answers(tmp_path: Path) -> None:
    access.lay_out(tmp_path)
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=page -keyout tls.key -out tls.crt"
    subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "tls.key").chmod(0o600)
    files = {"users_file": "users", "tls_certificate": "tls.crt", "tls_key": "tls.key"}
    with with_monitor(tmp_path, (), {}, {"access": files}) as stack:
        assert problems(stack.config_file) == {}
        page = f"https://127.0.0.1:{stack.config.monitor.port}/"
        assert f"the monitor answers at {page}" in shotline(stack.config_file, "doctor").stdout
        bad = problems(stack.config_file, "--page", page)
        assert bad.keys() == {"proxy"}
        assert "renew the certificate" in bad["proxy"]


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Stack]:
    """A stack in which all know each other by keys."""
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    stack = with_monitor(tmp_path, ("A:1",), {"TEST": tmp_path / "experiment.yaml"})
    stack.make_keys()
    with stack:
        yield stack


def test_the_keys_are_looked_at(keyed: Stack, tmp_path: Path) -> None:
    assert problems(keyed.config_file) == {}
    said = shotline(keyed.config_file, "doctor").stdout
    assert "✓ keys           the broker lets in those with one of its 4 keys" in said
    folder = KeysFolder(keyed.config.keys.folder)
    stray = folder.file_of("stray")
    stray.write_text(folder.file_of("monitor").read_text())
    stray.chmod(0o640)
    assert f"may use {stray}" in problems(keyed.config_file)["keys"]
    stray.unlink()
    folder.folder.chmod(0o750)
    assert f"chmod 700 {folder.folder}" in problems(keyed.config_file)["keys"]
    folder.folder.chmod(0o700)
    kept = tmp_path / "operator.key"
    kept.write_text(folder.file_of("operator").read_text())
    kept.chmod(0o600)
    folder.revoke("operator")
    # The broker looks at its list of keys twice a second.
    eventually(lambda: "broker" in problems(keyed.config_file, "--key-file", str(kept)))
    bad = problems(keyed.config_file, "--key-file", str(kept))
    assert "refused this key (operator)" in bad["broker"]
    assert "shotline keys new" in bad["broker"]


def test_the_bundle_has_what_helps_and_no_secret(keyed: Stack, tmp_path: Path) -> None:
    stack = keyed
    keys = [read_key(file).secret for file in keyed.config.keys.folder.glob("*.key")]
    assert len(keys) == 5
    own = stack.redis.password_file.read_text().strip()
    legacy = tmp_path / "legacy.password"
    legacy.write_text(f"{PLANTED['file']}\n")
    legacy.chmod(0o600)
    known = yaml.safe_load(stack.config_file.read_text())
    known["legacy"] = {
        "redis_url": f"redis://old:{PLANTED['url']}@127.0.0.1:1/0",
        "password_file": str(legacy),
    }
    stack.config_file.chmod(0o600)
    stack.config_file.write_text(yaml.safe_dump(known))
    with stack.broker.log_file.open("a") as log:
        log.write(f"a task printed {own} and {PLANTED['file']}\n")
        log.write(f"and {keys[0]}\n")
        log.write(f"password={PLANTED['log']} token: {PLANTED['log']}\n")
        log.write(f"redis://somebody:{PLANTED['log']}@10.0.0.1/0 Cookie: id={PLANTED['log']}\n")
    file = tmp_path / "bundle.tar.gz"
    made = shotline(
        stack.config_file,
        "support-bundle",
        str(file),
        environment={"SHOTLINE_SOME_TOKEN": PLANTED["variable"]},
    )
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    texts = {}
    with tarfile.open(file) as archive:
        for member in archive.getmembers():
            opened = archive.extractfile(member)
            assert opened is not None
            texts[member.name.removeprefix("bundle/")] = opened.read().decode()
    assert {"about.json", "config.json", "findings.json"} <= texts.keys()
    assert json.loads(texts["answers/status.json"])["servers"][0]["server"] == "A:1"
    assert json.loads(texts["config.json"])["broker"]["clients"] == stack.config.broker.clients
    assert "serves clients at" in texts["logs/log/broker.log"]
    assert "a task printed [removed] and [removed]" in texts["logs/log/broker.log"]
    for name, text in texts.items():
        for secret in (own, *PLANTED.values(), *keys):
            assert secret not in text, name


def test_a_bundle_takes_no_other_file_s_place(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("mine")
    done = shotline(stack.config_file, "support-bundle", str(file))
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert file.read_text() == "mine"
