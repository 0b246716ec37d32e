"""Another user of the same machine reads nothing of a site, commands nothing, and plants nothing.

Root can try it; others' runs report it as skipped.
"""

import contextlib
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.processes import processes_of
from tests.support.stack import Stack
from tests.support.stranger import as_stranger, can_be_strangers, reached
from tests.support.up import read_until, shotline, up_stack

from shotline.client.errors import NotLetIn
from shotline.client.supervisor import Supervisor

pytestmark = pytest.mark.skipif(
    not can_be_strangers(), reason="only root may become another user: run the tests as root, too"
)
EXPERIMENT = """
experiment: TEST
phases: {P: 1}
actions:
  - {path: ONE, server_class: A, phase: P, when: 1, task: {shell: [echo, secret-of-a-task]}}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that everybody may pass: the one of pytest is its user's alone, and so all in it."""
    made = Path(tempfile.mkdtemp(prefix="pytest-others-"))
    made.chmod(0o755)
    shared = made / "shared"  # in the place of /tmp
    shared.mkdir()
    shared.chmod(0o1777)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Stack]:
    """A running `up` with keys, that has run an action."""
    stack = up_stack(folder, "A:1", settings={"up": {"daemons": ["broker", "dispatcher"]}})
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    with shotline(
        folder,
        *("--config", str(stack.config_file), "up"),
        environment={"TMPDIR": str(folder / "shared")},
    ) as up:
        read_until(up, "all are up")
        with stack.supervisor() as supervisor:
            supervisor.create_pulse("TEST", 1)
            supervisor.build_tables("TEST", 1)
            assert supervisor.do_phase("P", "TEST/1", wait=True).run is not None
        yield stack


def things(data: Path) -> list[Path]:
    return [data, *sorted(data.rglob("*"))]


def test_it_reads_writes_and_plants_nothing(site: Stack) -> None:
    data = site.config.data_folder
    found = things(data)
    names = {one.name for one in found}
    assert names >= {"operator.key", "broker.key", "up.sock"}, names
    assert any("spill" in name for name in names), names
    assert any(one.suffix == ".log" for one in found), names
    assert any(one.suffix == ".aof" for one in found), names
    assert as_stranger(lambda: reached(found)) == []


def test_a_folder_that_is_open_is_found_out(folder: Path) -> None:
    """The attempts can succeed."""
    there = folder / "open"
    there.mkdir()
    there.chmod(0o777)
    (there / "key").write_text("")
    done = as_stranger(lambda: reached([there, there / "key"]))
    assert [one.partition(" ")[0] for one in done] == ["read", "plant", "read", "remove"]


def test_nothing_stands_in_shared_folders_under_a_name_that_could_be_foreseen(
    site: Stack, folder: Path
) -> None:
    found = things(folder / "shared")[1:]
    assert as_stranger(lambda: reached(found)) == []
    for one in found:
        assert re.search(r"[a-z0-9_]{8}$", one.name), f"{one} could be foreseen"
    opened = [one for process in processes_of(folder) for one in _opened(process.pid)]
    places = ("/tmp/", "/var/tmp/", "/dev/shm/")
    own = (str(folder), "/memfd:", "/dev/shm/sem.")
    assert [one for one in opened if one.startswith(places) and not one.startswith(own)] == []


def _opened(pid: int) -> list[str]:
    with contextlib.suppress(OSError):  # it has ended
        return [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
    return []


def test_it_cannot_command_without_a_key(site: Stack) -> None:
    address = site.config.broker.clients

    def tries() -> list[str]:
        said = []
        with Supervisor(address, timeout_s=20.0) as supervisor:
            for ask in (supervisor.status, supervisor.abort, supervisor.quit):
                try:
                    ask()
                except NotLetIn as refused:
                    said.append(str(refused))
        return said

    refusals = as_stranger(tries)
    assert len(refusals) == 3
    assert all("asks for a key" in one for one in refusals)
    with site.supervisor() as supervisor:
        assert supervisor.status().servers, "all is as it was"


def test_it_reads_and_changes_nothing_in_redis(site: Stack) -> None:
    port = site.config.redis.port

    def tries() -> list[str]:
        said = []
        for words in (b"KEYS *", b"CONFIG SET save x", b"SHUTDOWN NOW", b"MONITOR", b"AUTH x"):
            with socket.create_connection(("127.0.0.1", port), 20.0) as tried:
                tried.sendall(words + b"\r\n")
                said.append(tried.recv(100).split()[0].decode())
        return said

    assert as_stranger(tries) == ["-NOAUTH"] * 4 + ["-WRONGPASS"]


def test_it_sees_no_secret_of_a_process(site: Stack, folder: Path) -> None:
    secrets = [one.read_text() for one in things(site.config.data_folder) if "password" in one.name]
    assert secrets
    pids = [one.pid for one in processes_of(folder)]

    def tries() -> list[str]:
        seen = []
        for pid in pids:
            for name in ("cmdline", "environ", "maps"):
                with contextlib.suppress(OSError):
                    seen.append(Path(f"/proc/{pid}/{name}").read_text(errors="replace"))
        return seen

    told = "".join(as_stranger(tries))
    assert "shotline" in told, "command lines are to be seen"
    assert not [one for one in secrets if one.strip() in told]
