"""What servers are set to, on the real daemons: it holds, and it outlives whoever is killed."""

from pathlib import Path

from tests.support.faults import action, shotline_command, stack_of
from tests.support.stack import Stack, eventually

from shotline.common.fleet.views import FlagKind
from shotline.common.views import ServerView

THREE = tuple(action(f"A_{n}", "A", 1, gate=f"gate{n}") for n in range(1, 4))


def view_of(stack: Stack, name: str = "A:1") -> ServerView:
    """Return a server as `fleet list` shows it."""
    with stack.supervisor() as shotline:
        return next(one for one in shotline.fleet().servers if one.server == name)


def started(stack: Stack) -> int:
    """Return how many actions have been started."""
    return len(stack.gates.started())


def test_slots_and_a_drain_hold_and_outlive_the_dispatcher(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1*2",), *THREE) as stack:
        code, said = shotline_command(stack, "fleet", "slots", "1", "A", "--reason", "one pump")
        assert code == 0, said
        assert "uses 1 of its 2 slots" in said
        view = view_of(stack)
        assert view.usable == 1
        assert [(one.kind, one.reason) for one in view.flags] == [
            (FlagKind.LIMITED, "1 of 2 slots: one pump")
        ]
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        eventually(lambda: view_of(stack).usable == 1)
        code, said = shotline_command(stack, "fleet", "drain", "A:1", "--reason", "new pump")
        assert code == 0, said
        assert "takes nothing more, and is empty; until it is resumed" in said
        view = view_of(stack)
        assert view.usable == 0
        assert FlagKind.DRAINING in {one.kind for one in view.flags}
