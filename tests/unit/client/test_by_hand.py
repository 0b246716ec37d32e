"""The library as somebody types it: how a shot is named, what `?` and a value show at a prompt."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from shotline.client.errors import Refused, WrongArguments
from shotline.client.fake import AsyncFakeShotline, FakeAction, FakeShotline
from shotline.client.methods import AsyncCommands, Commands
from shotline.client.observer import Whole
from shotline.client.supervisor import AsyncSupervisor, Supervisor
from shotline.common import commands as c
from shotline.common.base import Struct, in_short
from shotline.common.records import ShotKey
from shotline.monitor.http.requests import BadInput, command_of, query_of

ACTIONS = [FakeAction(name, "PULSE", "GAS", number) for number, name in enumerate("ABCD", 1)]


@pytest.fixture
def shotline() -> FakeShotline:
    fake = FakeShotline({"TEST": ACTIONS, "OTHER": ACTIONS})
    fake.create_pulse("test/1")
    fake.build_tables("TEST/1")
    return fake


def test_a_shot_is_one_word_or_two(shotline: FakeShotline) -> None:
    assert shotline.status().current == ("TEST", 1)
    one, two = shotline.actions("test/1"), shotline.actions("TEST", 1)
    assert one == two
    assert shotline.do_phase("PULSE", "TEST/1").ok
    assert shotline.wait("TEST/1", run_number=1).run.run == 1
    assert shotline.show("A", "TEST/1").action.name == "A"


@pytest.mark.parametrize("wrong", ["TEST/", "TEST/x", "/1", "TEST/1/2", "TEST/99999999999999"])
def test_what_is_no_shot_is_said(shotline: FakeShotline, wrong: str) -> None:
    given = len(shotline.asked)
    with pytest.raises(WrongArguments, match=r"tree|shot"):
        shotline.build_tables(wrong)
    with pytest.raises(WrongArguments, match=r"tree|shot"):
        shotline.watch(wrong)
    assert len(shotline.asked) == given


def test_a_shot_is_not_named_twice(shotline: FakeShotline) -> None:
    with pytest.raises(WrongArguments, match="given twice"):
        shotline.actions("TEST/1", 2)


ABORTS: list[tuple[tuple[Any, ...], tuple[Any, ...]]] = [
    ((), (None, None, None)),
    (("A",), ("A", None, None)),
    (("A", "TEST/1"), ("A", "TEST", 1)),
    (("A", "TEST", 1), ("A", "TEST", 1)),
    (("TEST/1",), (None, "TEST", 1)),
    (("TEST", 1), (None, "TEST", 1)),  # as programs of before have it
    (("TEST", 1, "A"), ("A", "TEST", 1)),
]


def test_an_abort_takes_its_path_by_name_behind_a_shot(shotline: FakeShotline) -> None:
    shotline.never_ends("A")
    shotline.do_phase("PULSE", wait=False)
    assert "aborting" in shotline.abort("TEST", 1, path="A").message  # type: ignore[arg-type]
    with pytest.raises(WrongArguments, match="one path"):
        shotline.abort("A", path="B")


@pytest.mark.parametrize(("given", "meant"), ABORTS)
def test_an_abort_means_what_it_was_given(
    shotline: FakeShotline, given: tuple[Any, ...], meant: tuple[Any, ...]
) -> None:
    shotline.never_ends("A")
    shotline.do_phase("PULSE", wait=False)
    shotline.abort(*given)
    command = shotline.asked[-1]
    assert isinstance(command, c.Abort)
    assert (command.path, command.tree, command.shot) == meant


def test_an_abort_alone_leaves_another_shot_and_says_so(shotline: FakeShotline) -> None:
    shotline.create_pulse("OTHER/7")
    shotline.build_tables("OTHER/7")
    shotline.never_ends("A")
    shotline.do_phase("PULSE", "TEST/1", wait=False)
    with pytest.raises(Refused, match=r"NOTHING was aborted: OTHER/7 has no open run.*TEST/1 run"):
        shotline.abort()
    assert "STILL" not in shotline.abort(all_runs=True).message
    assert shotline.abort(all_runs=True).message == "no run is open; nothing was changed"


def test_http_takes_a_shot_as_one_word() -> None:
    expected = c.Actions(tree="TEST", shot=42)
    assert command_of(c.Actions, b'{"tree": "test/42"}') == expected
    assert query_of(c.Actions, {"tree": "TEST/42"}) == expected
    for wrong in (b'{"tree": "TEST/42", "shot": 41}', b'{"tree": "TEST/"}', b'{"tree": "TEST"}'):
        with pytest.raises(BadInput):
            command_of(c.Actions, wrong)


def test_events_are_iterated_over_without_await(shotline: FakeShotline) -> None:
    async def first() -> list[object]:
        async with AsyncFakeShotline(shotline) as fake:
            found: list[object] = []
            async for update in fake.watch("TEST/1"):
                found.append(update)
                break
            async with fake.watch("TEST", 1) as stream:
                found.append(await stream.get())
            found.append(await (await fake.watch("TEST/1")).get())
            return found

    assert [type(one) for one in asyncio.run(first())] == [Whole, Whole, Whole]


@pytest.mark.parametrize("kind", [Commands, AsyncCommands])
def test_every_method_tells_its_arguments_and_result(kind: type) -> None:
    methods = {
        name: one
        for name, one in vars(kind).items()
        if callable(one) and not name.startswith("_") and name != "ask"
    }
    assert len(methods) > 80
    for method in methods.values():
        found = inspect.signature(method)
        assert next(iter(found.parameters)) == "self"
        assert found.return_annotation is not inspect.Signature.empty
        assert "Call" not in str(found.return_annotation)
        assert inspect.getdoc(method)


def test_a_method_of_an_object_is_shown_as_it_is_called() -> None:
    supervisor = Supervisor("tcp://127.0.0.1:1")
    assert list(inspect.signature(supervisor.do_phase).parameters)[:3] == ["phase", "tree", "shot"]
    assert repr(supervisor) == "<Supervisor of tcp://127.0.0.1:1>"
    assert repr(AsyncSupervisor("127.0.0.1:1")) == "<AsyncSupervisor of tcp://127.0.0.1:1>"


def test_values_are_shown_in_short_at_a_prompt(shotline: FakeShotline) -> None:
    class Printer:
        said = ""

        def text(self, text: str) -> None:
            self.said += text

    def shown(value: Struct) -> str:
        printer = Printer()
        pretty: Callable[[object, bool], None] = value._repr_pretty_  # IPython's word
        pretty(printer, False)
        return printer.said

    report = shotline.do_phase("PULSE")
    assert shown(shotline.actions()) == "ActionsResult(shots=[1 ShotView], actions=[4 ActionView])"
    assert "actions=[4 ActionView]" in shown(report)
    assert "phase='PULSE'" in shown(report)
    assert len(shown(report)) < 400
    assert in_short("x" * 1000) == repr("x" * 60 + "…")
    assert in_short((1, 2)) == "(1, 2)"
    assert in_short(list(range(700))) == "[700 int]"
    assert in_short(ShotKey("TEST", 1)) == "ShotKey(tree='TEST', shot=1)"
