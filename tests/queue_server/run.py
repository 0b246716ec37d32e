"""Runs the queue server's own tests, unmodified, against the bridge: `make test-queue-server`.

    run.py ENVIRONMENT [--all] [--only EXPRESSION] [--shares N]

ENVIRONMENT has the queue server's packages. The tests use fixed ports, so
they run in network namespaces of their own, in each a Redis, a process that makes managers
(`managers.py`), and a share of the tests. At the end it says what became of each suite.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import yaml

from shotline.client.local.redis_server import find_redis_binary

HERE = Path(__file__).parent
SHARES, SHARES_OF_ALL = 5, 6  # most of their time the tests wait for their own clocks
READY_S = 30.0
TESTS_FAILED, NO_TESTS = 1, 5  # of pytest


def main() -> int:
    """Run all shares; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("environment", type=Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="", help="an expression for pytest's -k")
    parser.add_argument("--shares", type=int)
    asked = parser.parse_args()
    chosen = yaml.safe_load((HERE / "selection.yaml").read_text())
    modules = [name for name, module in chosen.items() if asked.all or module.get("every_run")]
    namespace = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
    count = asked.shares or (SHARES_OF_ALL if asked.all else SHARES)
    with tempfile.TemporaryDirectory(prefix="shotline-queue-server-") as folder:
        shares, results = [], []
        for number in range(count):
            results.append(Path(folder) / f"{number}.jsonl")
            environment = {
                **os.environ,
                "SHOTLINE_TEST_ALL": str(int(asked.all)),
                "SHOTLINE_TEST_SHARE": f"{number}/{count}",
                "SHOTLINE_TEST_RESULTS": str(results[-1]),
            }
            python = str(asked.environment / "bin" / "python")
            command = [sys.executable, "-P", __file__, "--inside", python, asked.only, *modules]
            shares.append(subprocess.Popen([*namespace, *command], env=environment))
        code = max(share.wait() for share in shares)
        print("\n".join(told(results)))
    return code


def told(results: Iterable[Path]) -> Iterable[str]:
    """Yield what became of each suite's cases, a line each, and which of them failed."""
    outcomes: defaultdict[str, list[str]] = defaultdict(list)
    for file in results:
        for line in file.read_text().splitlines() if file.exists() else ():
            case, outcome = json.loads(line)
            outcomes[case].append(outcome)
    suites: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for case, said in outcomes.items():
        suite = suites[Path(case.partition("::")[0]).stem]
        suite[said[-1]] += 1
        if said[-1] == "passed" and "failed" in said:
            suite["at the second try"] += 1
    for name, suite in sorted(suites.items()):
        yield f"{name}: {', '.join(f'{count} {what}' for what, count in sorted(suite.items()))}"
    for case, said in sorted(outcomes.items()):
        if said[-1] == "failed":
            yield f"failed: {case}"


def inside(python: str, only: str, modules: list[str]) -> int:
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
                "-k",
                only,
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
        sys.exit(inside(sys.argv[2], sys.argv[3], sys.argv[4:]))
    sys.exit(main())
