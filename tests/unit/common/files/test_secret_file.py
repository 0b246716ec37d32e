"""Secrets in files: only what nobody else can use is taken."""

import os
from pathlib import Path

import pytest

from shotline.common.errors import ConfigError
from shotline.common.files.secret_file import CREDENTIALS_VARIABLE, read_secret, secret_of
from shotline.common.settings.config import check_config, load_config

SECRET = "s3cret-of-the-lab"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "password"
    made.write_text(f"{SECRET}\n")
    made.chmod(0o600)
    return made


def test_a_secret_is_its_line(file: Path) -> None:
    assert read_secret(file) == SECRET
    file.chmod(0o400)
    assert read_secret(file) == SECRET


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o602, 0o601])
def test_a_file_that_others_can_use_is_refused_in_words(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError, match=rf"\(mode {mode:04o}\).*: chmod 600 {file}") as caught:
        read_secret(file)
    assert SECRET not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    os.chown(file, 12345, 12345)
    with pytest.raises(ConfigError, match=r"belongs to another user \(uid 12345\)"):
        read_secret(file)


def test_files_that_hold_no_secret_are_named(file: Path) -> None:
    file.write_bytes(b"\n")
    with pytest.raises(ConfigError, match="is empty"):
        read_secret(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        read_secret(file)
    file.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        read_secret(file)


def test_a_credential_of_systemd_counts_where_no_file_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secret_of(None, "redis_password") is None
    monkeypatch.setenv(CREDENTIALS_VARIABLE, str(file.parent))
    assert secret_of(None, "redis_password") is None
    credential = file.with_name("redis_password")
    credential.write_text("of the unit")
    credential.chmod(0o440)  # as systemd makes it, with an access list for the unit's user
    assert secret_of(None, "redis_password") == "of the unit"
    assert secret_of(file, "redis_password") == SECRET


def test_the_configuration_is_checked_with_the_files_that_it_names(file: Path) -> None:
    config = file.with_name("config.yaml")
    config.write_text("legacy:\n  password_file: password\n")
    assert check_config(config, {}) == []
    file.chmod(0o644)
    (problem,) = check_config(config, {})
    assert (problem.line, problem.where) == (2, "legacy.password_file")
    assert "chmod 600" in problem.message


def test_a_url_has_a_password_only_where_nobody_else_reads_it(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    url = f"redis://lab:{SECRET}@there:1/0"
    config.write_text(f"redis:\n  url: {url}\n")
    config.chmod(0o600)
    password = load_config(config, None, {}).redis.address.password
    assert password is not None
    assert password.get_secret_value() == SECRET
    config.chmod(0o640)
    for overrides, environment, told in (
        (None, {}, f"{config}:2: redis.url: others than its owner may use"),
        ({"redis.url": url}, {}, "option: redis.url: redis.url: must have no password here"),
        (None, {"SHOTLINE_REDIS__URL": url}, "SHOTLINE_REDIS__URL: redis.url: must have no pass"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_config(config, overrides, environment)
        assert told in str(caught.value)
        assert SECRET not in str(caught.value)
