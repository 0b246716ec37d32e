"""Real Redis servers as a site has them: with certificates, users, replicas and Sentinels.

Each is a process with a configuration file of its own, which ends with the test, by its pid.
"""

import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import redis
from tests.support.ports import free_ports
from tests.support.stack import eventually

from shotline.client.local.redis_server import find_redis_binary

MASTER: Final = "lab"
PASSWORD: Final = "pw-of-the-lab-7f3a"
SENTINEL_PASSWORD: Final = "pw-of-the-sentinels-91bc"


class Process:
    """One redis-server, or Sentinel, of these lines of configuration, on `port`."""

    def __init__(self, folder: Path, port: int, lines: str, *, sentinel: bool = False) -> None:
        folder.mkdir()
        self.port = port
        self.log = folder / "log"
        self._file = folder / "redis.conf"
        self._file.write_text(f"dir {folder}\nlogfile {self.log}\nbind 127.0.0.1\n{lines}\n")
        self._command = [find_redis_binary(), self._file, *(["--sentinel"] if sentinel else [])]
        self._password = SENTINEL_PASSWORD if sentinel else PASSWORD
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        eventually(self._listens, self.log.read_text)

    def client(self, **options: Any) -> redis.Redis:
        """Return a connection to it."""
        usual = {"port": self.port, "password": self._password, "decode_responses": True}
        return redis.Redis(**{**usual, **options})

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listens(self) -> bool:
        assert self.is_running, self.log.read_text()
        told = self.log.read_text() if self.log.exists() else ""
        return "Ready to accept connections" in told or "+monitor" in told


class Watched:
    """A master, its replica, and three Sentinels that watch them."""

    def __init__(self, folder: Path) -> None:
        first, second, *watching = free_ports(5)
        common = (
            f"requirepass {PASSWORD}\nmasterauth {PASSWORD}\nappendonly yes\nsave ''\n"
            "repl-diskless-sync-delay 0\nmaxmemory-policy noeviction\n"
        )
        self.servers = [
            Process(folder / "first", first, f"port {first}\n{common}"),
            Process(
                folder / "second", second, f"port {second}\n{common}replicaof 127.0.0.1 {first}"
            ),
        ]
        self.sentinels = [
            Process(
                folder / f"sentinel{port}",
                port,
                f"port {port}\nrequirepass {SENTINEL_PASSWORD}\n"
                f"sentinel sentinel-pass {SENTINEL_PASSWORD}\n"
                f"sentinel monitor {MASTER} 127.0.0.1 {first} 2\n"
                f"sentinel auth-pass {MASTER} {PASSWORD}\n"
                f"sentinel down-after-milliseconds {MASTER} 1000\n"
                f"sentinel failover-timeout {MASTER} 3000\n",
                sentinel=True,
            )
            for port in watching
        ]
        self.url = (
            f"redis-sentinel://{','.join(f'127.0.0.1:{port}' for port in watching)}/0"
            f"?master={MASTER}"
        )
        self.access: dict[str, object] = {  # of a section, beside the url
            "password_file": str(secret_file(folder / "password", PASSWORD)),
            "sentinel_password_file": str(secret_file(folder / "sentinels", SENTINEL_PASSWORD)),
        }
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            for one in (*self.servers, *self.sentinels):
                starting.enter_context(one)
            self.wait_replica()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def master(self) -> Process | None:
        """Return the server that all living Sentinels now call the master."""
        told: set[str] = set()
        for one in self.sentinels:
            if one.is_running:
                with one.client() as sentinel:
                    found = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
                    told.add(str(found[1]))
        return next((one for one in self.servers if {str(one.port)} == told), None)

    def wait_replica(self) -> None:
        """Return once the Sentinels know each other and the replica, which has all."""

        def known() -> bool:
            for one in self.sentinels:
                with one.client() as sentinel:
                    about = sentinel.execute_command("SENTINEL", "MASTER", MASTER)
                if [int(about[f"num-{one}"]) for one in ("slaves", "other-sentinels")] != [1, 2]:
                    return False
            with self.servers[1].client() as replica:
                return bool(replica.info("replication")["master_link_status"] == "up")

        eventually(known)


class Certificates:
    """An authority, and keys with certificates of it for a server on 127.0.0.1 and for a client."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.authority = folder / "ca.pem"
        new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        self._openssl(f"req -x509 {new_key} -keyout ca.key -out ca.pem -subj /CN=lab -days 2")
        (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
        for name in ("server", "client"):
            self._openssl(f"req {new_key} -keyout {name}.key -out {name}.csr -subj /CN={name}")
            self._openssl(
                f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
                f"-out {name}.pem -days 2 -extfile extensions"
            )

    @property
    def server_lines(self) -> str:
        """What a server's configuration says, beside `port 0` and `tls-port`."""
        return (
            f"tls-cert-file {self._folder}/server.pem\ntls-key-file {self._folder}/server.key\n"
            f"tls-ca-cert-file {self.authority}\ntls-auth-clients yes\n"
        )

    @property
    def client_options(self) -> str:
        """The options of a url."""
        return (
            f"ssl_ca_certs={self.authority}&ssl_certfile={self._folder}/client.pem"
            f"&ssl_keyfile={self._folder}/client.key"
        )

    def _openssl(self, words: str) -> None:
        subprocess.run(
            ["openssl", *words.split()], cwd=self._folder, check=True, capture_output=True
        )


def secret_file(file: Path, secret: str) -> Path:
    """Write a secret into a file that only its owner may read, and return it."""
    file.touch(mode=0o600)
    file.write_text(f"{secret}\n")
    return file
