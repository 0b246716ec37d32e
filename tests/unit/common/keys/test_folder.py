"""The folder of keys: what is made there, found there, and refused."""

import contextlib
import os
import stat
from pathlib import Path

import pytest
import zmq

from shotline.common.errors import ConfigError
from shotline.common.keys.folder import KeysFolder, brokers_key, own_key, read_key
from shotline.common.keys.peers import PeerRole
from shotline.common.settings.sections.security import KeysSection


@pytest.fixture
def folder(tmp_path: Path) -> KeysFolder:
    made = KeysFolder(tmp_path / "keys")
    made.make()
    return made


def section(folder: KeysFolder, **more: object) -> KeysSection:
    return KeysSection.model_validate({"folder": folder.folder, **more})


def test_a_key_is_a_pair_that_the_broker_knows(folder: KeysFolder) -> None:
    key = folder.new("A:1", PeerRole.SERVER, "A")
    assert zmq.curve_public(key.secret.encode()) == key.public.encode()
    assert key.broker == folder.key("broker").public
    known = folder.read().of_public(key.public)
    assert known is not None
    assert (known.name, known.role, known.classes) == ("A:1", PeerRole.SERVER, "A")
    assert read_key(folder.file_of("A:1")) == key


def test_a_name_is_of_one_key_until_that_is_revoked(folder: KeysFolder) -> None:
    first = folder.new("anna", PeerRole.OPERATOR)
    with pytest.raises(ConfigError, match="there is a key anna already"):
        folder.new("anna", PeerRole.VIEWER)
    folder.revoke("anna")
    assert folder.read().of_public(first.public) is None
    assert not folder.file_of("anna").exists()
    second = folder.new("anna", PeerRole.VIEWER)
    assert folder.read().of_public(first.public) is None
    assert folder.read().of_public(second.public) == folder.read().named("anna")
    assert len(folder.read().keys) == 2  # who had which key is still known


def test_what_there_is_not_is_said(folder: KeysFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no key nobody in use"):
        folder.revoke("nobody")
    with pytest.raises(ConfigError, match=r"there are keys in .* already"):
        folder.make()
    with pytest.raises(ConfigError, match="there are no keys in"):
        KeysFolder(tmp_path / "elsewhere").read()


@pytest.mark.parametrize("name", ["", "broker", "a/b", "../a", ".a", "a b", "a\n", "x" * 98])
def test_a_name_that_would_be_no_file_of_the_folder_is_refused(
    folder: KeysFolder, name: str
) -> None:
    with pytest.raises(ConfigError, match="cannot have the name"):
        folder.new(name, PeerRole.VIEWER)


@pytest.mark.parametrize(("role", "classes"), [("server", ""), ("operator", "A")])
def test_a_servers_key_and_no_other_has_classes(
    folder: KeysFolder, role: str, classes: str
) -> None:
    with pytest.raises(ConfigError, match="bound to its classes"):
        folder.new("one", PeerRole(role), classes)


def test_all_is_its_owners_alone(folder: KeysFolder) -> None:
    folder.new("A:1", PeerRole.SERVER, "A")
    assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.folder.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_folder_that_others_may_use_is_refused(folder: KeysFolder, mode: int) -> None:
    folder.new("operator", PeerRole.OPERATOR)
    folder.folder.chmod(mode)
    uses = (
        folder.read,
        lambda: own_key(section(folder), "operator"),
        lambda: brokers_key(section(folder)),
    )
    for use in uses:
        with pytest.raises(ConfigError, match=f"chmod 700 {folder.folder}"):
            use()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads the keys of the daemons' user")
def test_a_file_that_others_may_use_is_refused(folder: KeysFolder) -> None:
    folder.new("operator", PeerRole.OPERATOR)
    folder.file_of("operator").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        own_key(section(folder), "operator")


def test_a_key_outside_of_the_folder_that_others_may_use_is_refused(
    folder: KeysFolder, tmp_path: Path
) -> None:
    carried = tmp_path / "carried.key"
    carried.write_text(folder.new("operator", PeerRole.OPERATOR).text())
    carried.chmod(0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {carried}"):
        own_key(section(folder, file=carried), "operator")
    carried.chmod(0o600)
    found = own_key(section(folder, file=carried), "dispatcher")
    assert found is not None
    assert found.name == "operator"


@pytest.mark.parametrize("text", ["{}", "no key", '{"name": "x"}'])
def test_what_is_no_key_is_refused_and_not_told(
    folder: KeysFolder, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "some.key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="is no key file"):
        own_key(section(folder, file=file), "operator")


def test_a_program_takes_the_first_of_its_names(folder: KeysFolder) -> None:
    assert own_key(section(folder), "A:1", "A") is None
    folder.new("A", PeerRole.SERVER, "A")
    assert own_key(section(folder), "A:1", "A").name == "A"  # type: ignore[union-attr]
    folder.new("A:1", PeerRole.SERVER, "A:1")
    assert own_key(section(folder), "A:1", "A").name == "A:1"  # type: ignore[union-attr]


def test_a_credential_of_systemd_goes_before_the_folder(
    folder: KeysFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.new("dispatcher", PeerRole.DISPATCHER)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    elsewhere = KeysFolder(tmp_path / "elsewhere")
    elsewhere.make()
    given = elsewhere.new("given", PeerRole.DISPATCHER)
    (credentials / "shotline_key").write_text(given.text())
    (credentials / "shotline_broker_key").write_text(elsewhere.key("broker").text())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    found, broker = own_key(section(folder), "dispatcher"), brokers_key(section(folder))
    assert found is not None
    assert broker is not None
    assert found.public.decode() == given.public
    assert broker.public.decode() == given.broker


def test_where_keys_are_required_nothing_begins_without(tmp_path: Path) -> None:
    nowhere = KeysFolder(tmp_path / "keys")
    assert own_key(section(nowhere), "monitor") is None
    assert brokers_key(section(nowhere)) is None
    with pytest.raises(ConfigError, match=r"needs a key .*no monitor.key"):
        own_key(section(nowhere, required=True), "monitor")
    with pytest.raises(ConfigError, match="shotline keys init"):
        brokers_key(section(nowhere, required=True))


def test_each_step_of_a_rotation_follows_the_one_before(folder: KeysFolder) -> None:
    folder.new("A:1", PeerRole.SERVER, "A")
    folder.new("gone", PeerRole.VIEWER)
    folder.file_of("gone").unlink()
    former = folder.key("broker").public
    for early, words in ((folder.switch, "not being rotated"), (folder.finish, "rotate` begins")):
        with pytest.raises(ConfigError, match=words):
            early()
    assert folder.rotate() == ["gone"], "who has no file here is not told"
    key = folder.key("A:1")
    assert (key.broker, folder.key("broker").public) == (former, former)
    (following,) = key.also
    with pytest.raises(ConfigError, match=r"carry the bundles .* `shotline keys rotate switch`"):
        folder.rotate()
    assert folder.new("B:1", PeerRole.SERVER, "B").also == (following,)
    folder.switch()
    assert folder.key("broker").public == folder.key("A:1").broker == following
    assert folder.key("A:1").also == (former,)
    assert {one.name for one in folder.folder.iterdir()} == {
        *("authorised.json", "broker.key", "A:1.key", "B:1.key")
    }
    folder.finish()
    assert (folder.key("A:1").broker, folder.key("A:1").also) == (following, ())


def test_a_rotation_that_was_killed_goes_on(
    folder: KeysFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.new("A:1", PeerRole.SERVER, "A")
    write = KeysFolder._write
    for step in ("rotate", "switch", "finish"):
        for killed_at in range(1, 4):
            count = 0

            def dying(self: KeysFolder, file: Path, text: str, at: int = killed_at) -> None:
                nonlocal count
                count += 1
                if count == at:
                    raise KeyboardInterrupt
                write(self, file, text)

            monkeypatch.setattr(KeysFolder, "_write", dying)
            with contextlib.suppress(KeyboardInterrupt, ConfigError):
                getattr(folder, step)()
            monkeypatch.setattr(KeysFolder, "_write", write)
            peer, broker = folder.key("A:1"), folder.key("broker")
            assert broker.public in (peer.broker, *peer.also), f"{step} killed at {killed_at}"
        with contextlib.suppress(ConfigError):  # all of it was done before the kill
            getattr(folder, step)()
    assert folder.key("A:1").broker == folder.key("broker").public
    assert folder.key("A:1").also == folder.key("broker").also == ()
