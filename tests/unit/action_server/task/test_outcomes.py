"""What a Python task's end means: nothing that has not run, and no false check, is a success."""

import asyncio
import concurrent.futures
import functools
import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgpack
import numpy as np
import pytest

from shotline.action_server.task import outcomes
from shotline.action_server.task.outcomes import Result
from shotline.common.codec import sendable
from shotline.common.ranges import WHOLE_MAX

OK = Result(ok=True)
HERE = Path(__file__)


async def measures(value: object = None) -> object:
    await asyncio.sleep(0)
    return value


async def breaks() -> None:
    await asyncio.sleep(0)
    raise ValueError("stuck")


def yields() -> Iterator[int]:
    yield 1


async def yields_later() -> AsyncIterator[int]:
    yield 1


class Device:
    async def __call__(self) -> str:
        return await self.fire()

    async def fire(self) -> str:
        return "fired"


class Awaited:
    def __await__(self) -> Iterator[None]:
        yield None


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


# Not run, yet success


@pytest.mark.parametrize(
    ("task", "result"),
    [
        (measures, OK),
        (functools.partial(measures, value=False), Result(ok=False, text="returned False")),
        (
            functools.partial(measures, value=65554),
            Result(False, 65554, "returned the even status"),
        ),
        (Device(), Result(ok=True, text="fired")),
        (Device().fire, Result(ok=True, text="fired")),
        (lambda: measures("done"), Result(ok=True, text="done")),
    ],
)
def test_a_coroutine_is_run_to_its_end(task: Callable[[], object], result: Result) -> None:
    found = outcomes.of_value(task())
    assert found[:2] == result[:2]
    assert found.text.startswith(result.text)


def test_what_a_coroutine_raises_is_the_task_s() -> None:
    with pytest.raises(ValueError, match="stuck"):
        outcomes.of_value(breaks())


@pytest.mark.parametrize(
    "task",
    [
        yields,
        yields_later,
        functools.partial(yields),
        Awaited,
        lambda: map(operator.neg, [1]),
        lambda: filter(None, [1]),
        lambda: (one for one in [1]),
        concurrent.futures.Future,
        functools.partial(measures, value=Awaited()),
    ],
)
def test_what_has_not_run_is_a_failure(task: Callable[[], object]) -> None:
    result = outcomes.of_value(task())
    assert not result.ok
    assert "not run to its end" in result.text


def test_a_coroutine_that_a_coroutine_returns_has_not_run() -> None:
    async def forgets_to_await() -> Awaitable[object]:
        return measures()

    result = outcomes.of_value(forgets_to_await())
    assert not result.ok
    assert "coroutine" in result.text


# False checks


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (np.True_, OK),
        (np.False_, Result(ok=False, text="returned False")),
        (np.array(False), Result(ok=False, text="returned False")),
        (np.int32(65545), Result(True, 65545)),
        (np.int32(2), Result(False, 2, "returned the even status 2")),
        (np.int64(0), Result(False, 0, "returned the even status 0")),
        (np.uint64(2**64 - 1), Result(True, WHOLE_MAX, "returned a number of 64 bits")),
        (
            np.array([False]),
            Result(ok=False, text="returned array([False]), which counts as false"),
        ),
        (0.0, Result(ok=False, text="returned 0.0, which counts as false")),
        (np.float64(0), Result(ok=False, text="returned np.float64(0.0), which counts as false")),
        ([], Result(ok=False, text="returned [], which counts as false")),
        ((False, "stuck"), Result(ok=False, text="stuck")),
        ((np.False_, "stuck", 3), Result(ok=False, text="stuck, 3")),
        ((True, "free"), Result(ok=True, text="free")),
        ((False,), Result(ok=False, text="returned (False,)")),
        (ValueError("stuck"), Result(ok=False, text="returned the exception ValueError: stuck")),
        (ValueError, Result(ok=False, text="returned the exception ValueError")),
        (NotImplemented, Result(ok=False, text="returned NotImplemented, which counts as false")),
        (3.5, Result(ok=True, text="returned 3.5, taken as success")),
        ({"gas": 1}, Result(ok=True, text="returned {'gas': 1}, taken as success")),
        (np.array([1, 2]), Result(ok=True, text="returned array([1, 2]), taken as success")),
        ("", OK),
        ("8 pulses", Result(ok=True, text="8 pulses")),
    ],
)
def test_what_a_value_counts_as(value: object, result: Result) -> None:
    found = outcomes.of_value(value)
    assert found[:2] == result[:2]
    assert found.text.startswith(result.text)
    assert bool(found.text) == bool(result.text)


# What cannot be sent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("µA", "µA"),
        ("bad \udc80 end", "bad \\udc80 end"),
        ("\ud83d", "\\ud83d"),
    ],
)
def test_half_characters_are_written_out(text: str, shown: str) -> None:
    assert sendable(text) == shown
    sendable(text).encode()


@pytest.mark.parametrize("value", [2**64 + 1, -(2**64) - 1, 2**70, WHOLE_MAX + 2, WHOLE_MAX])
def test_a_number_beyond_what_everybody_holds_is_clamped_and_said_so(value: int) -> None:
    found = outcomes.of_value(value)
    assert found.ok == bool(value & 1)
    assert found.code is not None
    assert abs(found.code) <= WHOLE_MAX
    assert ("bits" in found.text) == (abs(value) > WHOLE_MAX)
    msgpack.packb(found)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (None, Result(ok=True, code=0)),
        (0, Result(ok=True, code=0)),
        (False, Result(ok=True, code=0)),
        (np.int32(3), Result(False, 3, "exit code 3")),
        (2**70, Result(False, WHOLE_MAX, "exit code a number of 71 bits")),
        ("no gas", Result(False, 1, "no gas")),
        (Unspeakable(), Result(False, 1, "<Unspeakable whose text cannot be made")),
    ],
)
def test_leaving_is_as_for_a_program(code: object, result: Result) -> None:
    found = outcomes.of_exit(code)
    assert found[:2] == result[:2]
    assert found.text.startswith(result.text)


def test_what_cannot_be_shown_is_named_by_its_kind(capfd: pytest.CaptureFixture[str]) -> None:
    assert outcomes.of_value(Unspeakable()).ok
    assert "Unspeakable" in outcomes.of_value(Unspeakable()).text
    try:
        raise UnspeakableError
    except UnspeakableError as error:
        result = outcomes.of_error(error, HERE)
    assert not result.ok
    assert "UnspeakableError" in result.text
    assert "UnspeakableError" in capfd.readouterr().err
