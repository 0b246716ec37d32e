"""What the doctor says of servers on demand, with stand-ins for Slurm's commands."""

from pathlib import Path

import pytest

from shotline.client.doctor.finding import Level
from shotline.client.doctor.providers import COMMANDS, providers
from shotline.common.settings.config import Config
from shotline.common.settings.sections.providers import ProvidedClass, ProvidersSection


def config(**keys: object) -> Config:
    one = ProvidedClass.model_validate({"provider": "slurm", **keys})
    return Config(providers=ProvidersSection(classes={"ANALYSIS": one}))


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in COMMANDS:
        command(tmp_path, name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def command(folder: Path, name: str, words: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{words}\n")
    (folder / name).chmod(0o755)


def test_nothing_is_said_where_nothing_is_configured() -> None:
    assert list(providers(Config())) == []


def test_slurm_answers(commands: Path) -> None:
    (found,) = providers(config())
    assert (found.level, found.subject) == (Level.OK, "providers")


def test_slurm_does_not_answer(commands: Path) -> None:
    command(commands, "squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    (found,) = providers(config())
    assert found.level is Level.PROBLEM
    assert "Unable to contact slurm controller" in found.text


def test_a_machine_without_slurm_is_not_the_provider_s(commands: Path) -> None:
    (commands / "sbatch").unlink()
    (found,) = providers(config())
    assert found.level is Level.WARNING
    assert "sbatch" in found.text


def test_actions_that_are_given_up_too_soon(commands: Path) -> None:
    found = list(providers(config(start_wait_s=5.0, start_after_s=5.0)))
    assert [one.level for one in found] == [Level.OK, Level.PROBLEM]
