"""The ways to reach a real Redis: with certificates, as a user of few rights, by a socket."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.ports import free_ports
from tests.support.redis_site import PASSWORD, Certificates, Process, secret_file
from tests.support.stack import eventually

from shotline.common.errors import JournalError
from shotline.common.nodes import ActionNode, DispatchOptions
from shotline.common.records import Commit, ShotKey, TableBuilt
from shotline.common.settings.sections.redis import JournalSection, RedisSection
from shotline.dispatcher.journal import Written, encode_commit
from shotline.dispatcher.journal.redis_journal import RedisJournal

SHOT = ShotKey("TEST", 42)
TABLE = TableBuilt(time=1.0, actions=(ActionNode(path="A", name="A"),), options=DispatchOptions())
DOCS = Path(__file__).resolve().parents[2] / "docs" / "redis.md"


def write_and_read(folder: Path, section: RedisSection) -> list[str]:
    """Commit a table, read it as the next dispatcher does; return the warnings of the start."""
    settings = JournalSection(spill_file=folder / "spill")
    with closing(RedisJournal(section, settings, 100)) as journal:
        loaded = journal.load()
        journal.write(time.monotonic(), encode_commit(Commit(loaded.term, 1, {SHOT: (TABLE,)})))
        events: list[object] = []
        eventually(lambda: bool(events.extend(journal.poll(time.monotonic())) or events))
        assert events == [Written(1)]
    with closing(RedisJournal(section, settings, 100)) as journal:
        again = journal.load()
    assert again.shots[SHOT].records[-1] == TABLE
    assert again.term == loaded.term + 1
    return list(loaded.warnings)


def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    own = Certificates(tmp_path / "own")
    (port,) = free_ports(1)
    lines = f"port 0\ntls-port {port}\n{own.server_lines}appendonly yes\n"
    with Process(tmp_path / "redis", port, lines):
        url = f"rediss://127.0.0.1:{port}/3?{own.client_options}"
        assert write_and_read(tmp_path, RedisSection(url=url)) == []
        for wrong, why in (
            (f"rediss://127.0.0.1:{port}/3", "self-signed certificate|verify failed"),
            (f"rediss://localhost:{port}/3?{own.client_options}", "localhost"),
            (url.partition("&")[0], ""),
            (f"redis://127.0.0.1:{port}/3", ""),
        ):
            journal = RedisJournal(
                RedisSection(url=wrong), JournalSection(spill_file=tmp_path / "spill"), 100
            )
            told = pytest.raises(JournalError, match=rf"cannot be reached.*({why})")
            with closing(journal), told:
                journal.load()


def test_sentinels_with_tls(tmp_path: Path) -> None:
    own = Certificates(tmp_path / "own")
    port, sentinel = free_ports(2)
    tls = f"port 0\ntls-replication yes\n{own.server_lines}"
    lines = f"{tls}tls-port {port}\nappendonly yes\nmin-replicas-to-write 0\n"
    watch = f"{tls}tls-port {sentinel}\nsentinel monitor lab 127.0.0.1 {port} 1\n"
    with (
        Process(tmp_path / "redis", port, lines),
        Process(tmp_path / "sentinel", sentinel, watch, sentinel=True),
    ):
        url = f"rediss-sentinel://127.0.0.1:{sentinel}/2?master=lab&{own.client_options}"
        (warning,) = write_and_read(tmp_path, RedisSection(url=url))
        assert "min-replicas-to-write" in warning
        for wrong, why in (
            (url.replace("=lab", "=other"), "knows no master of that name"),
            (f"redis-sentinel://127.0.0.1:{sentinel}/2?master=lab", "does not answer"),
            (
                f"rediss-sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/0?master=lab",
                "127.0.0.1:1 .*veri",
            ),
        ):
            journal = RedisJournal(
                RedisSection(url=wrong), JournalSection(spill_file=tmp_path / "spill"), 100
            )
            told = pytest.raises(JournalError, match=rf"Redis master .* cannot be reached.*{why}")
            with closing(journal), told:
                journal.load()


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    own = Certificates(tmp_path / "own")
    (tmp_path / "own" / "client.key").chmod(0o640)
    section = RedisSection(url=f"rediss://127.0.0.1:1/0?{own.client_options}")
    journal = RedisJournal(section, JournalSection(spill_file=tmp_path / "spill"), 100)
    told = pytest.raises(JournalError, match=r"client\.key \(mode 0640\)")
    with closing(journal), told:
        journal.load()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Process]:
    """A server with the user of the documents, and no other."""
    (port,) = free_ports(1)
    (rights,) = re.findall(r"ACL SETUSER shotline on '>PASSWORD' (.+)", DOCS.read_text())
    lines = (
        f"port {port}\nunixsocket {tmp_path}/redis.sock\nappendonly yes\n"
        f"user default off\nuser shotline on >{PASSWORD} {rights}\n"
    )
    with Process(tmp_path / "redis", port, lines) as server:
        yield server


def test_a_user_with_few_rights_is_enough(guarded: Process, tmp_path: Path) -> None:
    file = secret_file(tmp_path / "password", PASSWORD)
    for url in (
        f"redis://shotline@127.0.0.1:{guarded.port}",
        f"unix://shotline@{tmp_path}/redis.sock?db=2",
    ):
        (warning,) = write_and_read(tmp_path, RedisSection(url=url, password_file=file))
        assert "does not tell its settings" in warning
    told = pytest.raises(JournalError, match=r"failed while it was read: .*NOPERM|no permissions")
    elsewhere = RedisSection(url=url, password_file=file, key_prefix="other:")
    journal = RedisJournal(elsewhere, JournalSection(spill_file=tmp_path / "spill"), 100)
    with closing(journal), told:
        journal.load()


def test_the_password_may_be_a_credential_of_systemd_or_in_the_url(
    guarded: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"redis://shotline@127.0.0.1:{guarded.port}/0"
    refused = RedisJournal(
        RedisSection(url=url), JournalSection(spill_file=tmp_path / "spill"), 100
    )
    with closing(refused), pytest.raises(JournalError, match="refuses the password"):
        refused.load()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "redis_password").write_text(PASSWORD)
    assert write_and_read(tmp_path, RedisSection(url=url))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    url = url.replace("shotline@", f"shotline:{PASSWORD}@")
    assert write_and_read(tmp_path, RedisSection(url=url))
