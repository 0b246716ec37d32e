"""Runs the queue server's own tests, unmodified, against the bridge: `make test-queue-server`.

    run.py ENVIRONMENT [--all]

ENVIRONMENT has the queue server's packages. The tests use fixed ports, so
they run in network namespaces of their own, in each a Redis, a process that makes managers
(`managers.py`), and a share of the tests.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from shotline.client.local.redis_server import find_redis_binary

HERE = Path(__file__).parent
SHARES = 3  # most of their time the tests wait for their own clocks
READY_S = 30.0
TESTS_FAILED, NO_TESTS = 1, 5  # of pytest


def main(python: str, *, is_all: bool) -> int:
    """Run all shares; return the exit code."""
    chosen = yaml.safe_load((HERE / "selection.yaml").read_text())
    modules = [name for name, module in chosen.items() if is_all or module.get("every_run")]
    namespace = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
    shares = []
    for number in range(SHARES):
        environment = {
            **os.environ,
            "SHOTLINE_TEST_ALL": str(int(is_all)),
            "SHOTLINE_TEST_SHARE": f"{number}/{SHARES}",
        }
        command = [*namespace, sys.executable, "-P", __file__, "--inside", python, *modules]
        shares.append(subprocess.Popen(command, env=environment))
    return max(share.wait() for share in shares)


def inside(python: str, modules: list[str]) -> int:
    """Run one share, in a namespace made for it; return the exit code."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="shotline-queue-server-") as name:
        folder = Path(name)
        managers = folder / "managers"
        environment = {
            **os.environ,
            "PATH": f"{HERE / 'bin'}:{Path(python).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SHOTLINE_TEST_MANAGERS": str(managers),
            "TMPDIR": name,
        }
        redis = [find_redis_binary(), "--port", "6379", "--save", "", "--dir", name]
        helpers = [
            subprocess.Popen(redis, stdout=subprocess.DEVNULL),
            subprocess.Popen(
                [sys.executable, "-P", HERE / "managers.py", managers], env=environment
            ),
        ]
        try:
            _wait_for(managers)
            tests = [
                python,
                "-m",
                "pytest",
                "-q",
                "--tb=short",
                "-c",
                os.devnull,
                "-p",
                "selection",
            ]
            places = [
                "--rootdir",
                str(site_packages(python)),
                "-o",
                f"cache_dir={folder / 'cache'}",
            ]
            ours = [HERE / "clients.py"] if environment["SHOTLINE_TEST_SHARE"][0] == "0" else []
            command = [*tests, *places, "--confcutdir", HERE, "--pyargs", *modules, *ours]
            code = subprocess.run(command, env=environment, cwd=folder).returncode
            if code == TESTS_FAILED:
                # Their clients wait for 2 s, which a machine that others use does not always keep.
                environment["SHOTLINE_TEST_SHARE"] = "0/1"
                again = [*command, "--last-failed"]
                code = subprocess.run(again, env=environment, cwd=folder).returncode
            return 0 if code == NO_TESTS else code  # a share may have none
        finally:
            for helper in helpers:
                helper.send_signal(signal.SIGTERM)
                helper.wait()


def site_packages(python: str) -> Path:
    """Return where that environment's packages are."""
    return next((Path(python).parent.parent / "lib").glob("python3*/site-packages"))


def _wait_for(address: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not address.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{address} does not appear")
        time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        sys.exit(inside(sys.argv[2], sys.argv[3:]))
    sys.exit(main(f"{sys.argv[1]}/bin/python", is_all="--all" in sys.argv[2:]))
