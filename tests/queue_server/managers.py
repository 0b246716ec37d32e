"""Managers for the queue server's own tests: hub, an action server and the bridge in one group.

This process imports everything once, and forks for each manager that `start-re-manager` asks for,
which is up in a fraction of a second. A manager lives in a folder of its own, in which the next one
finds what it has left, while the tests have not deleted the queue server's keys from their Redis.
"""

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import click
import yaml
from redis import Redis

from shotline.action_server.__main__ import main as action_server
from shotline.bridges.qserver.__main__ import main as bridge
from shotline.client.supervisor import Supervisor
from shotline.hub.__main__ import main as hub

HERE = Path(__file__).parent
PORTS = (46100, 46101, 46102)
THEIR_REDIS = "redis://localhost:6379/0"
READY_S = 8.0
OUR_REDIS = "redis://localhost:6379/1"


def config_of(folder: Path, options: dict[str, object]) -> Path:
    """Write a manager's configuration; return its file."""
    clients, servers, events = (f"tcp://127.0.0.1:{port}" for port in PORTS)
    config = yaml.safe_load((HERE / "config.yaml").read_text())
    config["data_folder"] = str(folder / "var")
    config["broker"] = {"clients": clients, "servers": servers, "events": events}
    config["redis"] = {"url": OUR_REDIS}
    config["action_server"]["task_path"] = [str(HERE)]
    config["experiments"] = {
        name: {"source": {"kind": "file", "file": str(HERE / f"{name.lower()}.yaml")}}
        for name in ("BARS", "COUNT")
    }
    config["qserver"] |= options
    key = os.environ.get("QSERVER_EMERGENCY_LOCK_KEY_FOR_SERVER")
    if key:
        config["queue"]["emergency_key_file"] = str(_secret(folder / "emergency", key))
    names = ("QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER", "QSERVER_ZMQ_PRIVATE_KEY")
    private = next(filter(None, map(os.environ.get, names)), None)
    if private:
        config["qserver"]["key_file"] = str(_secret(folder / "private", private))
    file = folder / "config.yaml"
    file.write_text(json.dumps(config))
    return file


def _secret(file: Path, text: str) -> Path:
    file.touch(0o600)
    file.write_text(text)
    return file


def folder_of(prefix: str) -> Path:
    """Return the last manager's folder where its queue is to be there still, else a new one."""
    with Redis.from_url(THEIR_REDIS) as theirs:
        kept = theirs.get(marker := f"{prefix}_lock_info")
        if kept:
            return Path(json.loads(kept)["shotline"])
        folder = Path(tempfile.mkdtemp(prefix="shotline-manager-"))
        theirs.set(marker, json.dumps({"shotline": str(folder)}))
    with Redis.from_url(OUR_REDIS) as ours:
        ours.flushdb()
    return folder


def forked(main: Callable[[], None], *arguments: str, log: Path) -> int:
    """Start a daemon in a process forked from this one; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = [log.stem, *arguments]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # nobody else would tell of it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--redis-name-prefix", default="qs_default")
@click.option(
    "--zmq-control-addr",
    "--zmq-addr",
    "zmq_control_addr",
    envvar="QSERVER_ZMQ_CONTROL_ADDRESS_FOR_SERVER",
    default="tcp://*:60615",
)
@click.option(
    "--zmq-info-addr", envvar="QSERVER_ZMQ_INFO_ADDRESS_FOR_SERVER", default="tcp://*:60625"
)
@click.option("--zmq-publish-console", default="OFF")
@click.option("--console-output", default="ON")
@click.option("--zmq-encoding", default="json")
@click.option("--old-dialect", default=None)  # ours
@click.argument("rest", nargs=-1)
def manager(**options: str) -> None:
    """Start all, and end with the bridge."""
    folder = folder_of(options["redis_name_prefix"])
    is_published = options["zmq_publish_console"] == "ON"
    own: dict[str, object] = {
        "control": _here(options["zmq_control_addr"]),
        "info": _here(options["zmq_info_addr"]) if is_published else None,
        "encoding": options["zmq_encoding"],
        "old_dialect": options["old_dialect"],
    }
    # Whoever follows the console begins to do so while the environment is being opened.
    os.environ["SHOTLINE_TEST_LOADING_S"] = "3" if is_published else "0.4"
    os.environ["SHOTLINE_TEST_BUFFER"] = str(folder / "buffer.json")
    config = str(config_of(folder, own))
    (folder / "hub.log").unlink(missing_ok=True)  # the last manager's
    others = [forked(hub, "--config", config, log=folder / "hub.log")]
    _wait_for(folder / "hub.log", "serves clients")
    others.append(forked(action_server, "SIM", "1", "--config", config, log=folder / "server.log"))
    # Clients open the environment as soon as the bridge answers, which takes a while there.
    _wait_for(folder / "hub.log", "SIM:1 registered")
    os.waitpid(forked(_close_workers, log=folder / "close.log"), 0)
    pid = forked(bridge, "--config", config, log=folder / "bridge.log")
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(pid, number))
    _, status = os.waitpid(pid, 0)
    for other in others:
        os.kill(other, signal.SIGTERM)
    deadline = time.monotonic() + 2.0
    while others and time.monotonic() < deadline:
        others = [one for one in others if not os.waitpid(one, os.WNOHANG)[0]]
        time.sleep(0.01)
    for other in others:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def _close_workers() -> None:
    with Supervisor(f"tcp://127.0.0.1:{PORTS[0]}") as shotline:
        shotline.server_workers("SIM:1", "close")


def _wait_for(log: Path, words: str) -> None:
    """Return once a daemon has said something."""
    deadline = time.monotonic() + READY_S
    while not log.exists() or words not in log.read_text():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{log} does not say: {words}")
        time.sleep(0.01)


def _here(address: str) -> str:
    return address.replace("*", "127.0.0.1").replace("localhost", "127.0.0.1")


def serve(address: str) -> None:
    """Fork for every manager that is asked for, for ever."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(address)
        listening.listen()
        while True:
            asked, _ = listening.accept()
            if not os.fork():
                listening.close()
                _be_manager(asked)
            asked.close()


def _be_manager(asked: socket.socket) -> None:
    """Be the manager that is asked for, and tell how it ended."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        length, files, _, _ = socket.recv_fds(asked, 8, 2)
        with asked.makefile("rb") as lines:
            wanted = json.loads(lines.read(int.from_bytes(length, "big")))
        for number, file in enumerate(files, 1):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(wanted["environment"])
        asked.sendall(b"%d\n" % os.getpid())
        manager.main(wanted["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # nobody else would tell of it
        traceback.print_exc()
    finally:
        asked.sendall(b"%d\n" % code)
        os._exit(code)


if __name__ == "__main__":
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    serve(sys.argv[1])
