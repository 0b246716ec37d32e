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
from shotline.common.codec import sendable
from shotline.common.nodes import TaskOutcome
from shotline.common.ranges import WHOLE_MAX

failed = functools.partial(TaskOutcome, ok=False)
succeeded = functools.partial(TaskOutcome, ok=True)
OK = TaskOutcome(ok=True)
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
        (functools.partial(measures, value=False), failed(text="returned False")),
        (
            functools.partial(measures, value=65554),
            failed(code=65554, text="returned the even status"),
        ),
        (Device(), succeeded(text="fired")),
        (Device().fire, succeeded(text="fired")),
        (lambda: measures("done"), succeeded(text="done")),
    ],
)
def test_a_coroutine_is_run_to_its_end(task: Callable[[], object], result: TaskOutcome) -> None:
    found = outcomes.of_value(task())
    assert (found.ok, found.code) == (result.ok, result.code)
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
        (np.False_, failed(text="returned False")),
        (np.array(False), failed(text="returned False")),
        (np.int32(65545), succeeded(code=65545)),
        (np.int32(2), failed(code=2, text="returned the even status 2")),
        (np.int64(0), failed(code=0, text="returned the even status 0")),
        (
            np.uint64(2**64 - 1),
            succeeded(code=WHOLE_MAX, text="returned a number of 64 bits"),
        ),
        (
            np.array([False]),
            failed(text="returned array([False]), which counts as false"),
        ),
        (0.0, failed(text="returned 0.0, which counts as false")),
        (
            np.float64(0),
            failed(text="returned np.float64(0.0), which counts as false"),
        ),
        ([], failed(text="returned [], which counts as false")),
        ((False, "stuck"), failed(text="stuck")),
        ((np.False_, "stuck", 3), failed(text="stuck, 3")),
        ((True, "free"), succeeded(text="free")),
        ((False,), failed(text="returned (False,)")),
        (
            ValueError("stuck"),
            failed(text="returned the exception ValueError: stuck"),
        ),
        (ValueError, failed(text="returned the exception ValueError")),
        (
            NotImplemented,
            failed(text="returned NotImplemented, which counts as false"),
        ),
        (3.5, succeeded(text="returned 3.5, taken as success")),
        ({"gas": 1}, succeeded(text="returned {'gas': 1}, taken as success")),
        (np.array([1, 2]), succeeded(text="returned array([1, 2]), taken as success")),
        ("", OK),
        ("8 pulses", succeeded(text="8 pulses")),
    ],
)
def test_what_a_value_counts_as(value: object, result: TaskOutcome) -> None:
    found = outcomes.of_value(value)
    assert (found.ok, found.code) == (result.ok, result.code)
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
    msgpack.packb(found.code)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (None, succeeded(code=0)),
        (0, succeeded(code=0)),
        (False, succeeded(code=0)),
        (np.int32(3), failed(code=3, text="exit code 3")),
        (2**70, failed(code=WHOLE_MAX, text="exit code a number of 71 bits")),
        ("no gas", failed(code=1, text="no gas")),
        (
            Unspeakable(),
            failed(code=1, text="<Unspeakable whose text cannot be made"),
        ),
    ],
)
def test_leaving_is_as_for_a_program(code: object, result: TaskOutcome) -> None:
    found = outcomes.of_exit(code)
    assert (found.ok, found.code) == (result.ok, result.code)
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
