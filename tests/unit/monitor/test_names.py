"""The ids of channels and the forms that name them."""

import pytest

from shotline.common.errors import MalformedMessage
from shotline.common.records import ShotKey
from shotline.monitor.channels.forms import SubscribeForm, listed, parsed
from shotline.monitor.names import (
    AttemptName,
    RunName,
    ShotName,
    attempt_id,
    named,
    run_id,
    shot_id,
)

KEY = ShotKey("TEST", 42)


@pytest.mark.parametrize("phase", ["INIT", "a phase", "X#1", "A/B", "Ä"])
def test_a_run_is_found_by_its_id(phase: str) -> None:
    assert named(run_id(KEY, phase, 3)) == RunName(KEY, phase, 3)


@pytest.mark.parametrize("path", ["\\TEST::TOP:A", "A/3", "A#1", "A/3#1", "a b", "Ä\n"])
def test_an_attempt_is_found_by_its_id(path: str) -> None:
    assert named(attempt_id(KEY, path, 2)) == AttemptName(KEY, path, 2)


def test_a_shot_is_found_by_its_id() -> None:
    assert named(shot_id(KEY)) == named("test/42") == ShotName(KEY)


@pytest.mark.parametrize(
    "text",
    ["", "servers", "TEST", "TEST/", "TEST/0", "TEST/-1", "TEST/x", "TEST/42/", "TEST/42/INIT",
     "TEST/42/INIT/0", "TEST/42/PATH#0", "TEST/42/PATH#", "/42", "1T/42", "TEST/42x",
     "TEST/42/" + "x" * 2_000 + "#1"],
)  # fmt: skip
def test_what_names_nothing(text: str) -> None:
    assert named(text) is None


def test_a_channel_id_is_taken_as_it_stands() -> None:
    assert parsed(" TEST/42/INIT/3\n") == "TEST/42/INIT/3"


def test_a_form_names_one_channel_or_several() -> None:
    one = parsed('{"subscribe": "log", "since": 7, "life": "x"}')
    assert one == SubscribeForm(subscribe="log", since=7, life="x")
    several = parsed('{"subscribe": ["log", "servers"], "state": true}')
    assert isinstance(several, SubscribeForm)
    assert listed(several.subscribe) == ("log", "servers")


@pytest.mark.parametrize(
    "frame",
    ["", "  ", "{", "{}", b"log", '{"subscribe": 1}', '{"subscribe": ["a", 1]}', "x" * 1_301,
     '{"subscribe": "a", "since": 1.5}', '{"subscribe": "a", "state": "yes"}', '{"subscribe": ""}'],
)  # fmt: skip
def test_anything_else_is_malformed(frame: str | bytes) -> None:
    with pytest.raises(MalformedMessage):
        parsed(frame)
