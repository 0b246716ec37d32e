"""Executing tasks on an mdsip server: one connection, one task at a time.

Keeping two shots from using one server at the same time is not done here.
"""

import sys
from collections.abc import Callable
from contextlib import suppress

from shotline.common.actions import AttemptId
from shotline.common.nodes import MdsplusTask, TaskOutcome
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.tdi import MdsplusFailure
from shotline.trees.tree import TreeError


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class MdsipExecutor:
    """Runs tasks on one mdsip server, one after the other, over a connection of its own.

    `say` gets the one line that an action's output has: where to find the rest.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_s: float = 10.0,
        keep_alive_s: int = 15,
        say: Callable[[str], None] = _print,
    ) -> None:
        self._say = say
        self._connection = MdsipConnection(
            url,
            connect_timeout_s=connect_timeout_s,
            answer_timeout_s=None,
            keep_alive_s=keep_alive_s,
        )
        self._open: tuple[str, int] | None = None

    def execute(self, task: MdsplusTask, attempt: AttemptId) -> TaskOutcome:
        """Run the task and wait for its end, however long that takes.

        Raise ConnectionLost when no answer came: the outcome is unknown. What goes wrong before the
        task was asked for is a failure of the action.
        """
        del task  # its text is for people; the server reads the record itself
        try:
            self._open_tree(attempt.tree, attempt.shot)
        except TreeError as error:
            self.close()
            code = error.status if isinstance(error, MdsplusFailure) else None
            return TaskOutcome(ok=False, code=code, text=f"was not started: {error}")
        self._say(
            f"[runs on the mdsip server at {self._connection.url}; its output is in that server's "
            "log]"
        )
        return self._connection.do_task(attempt.path)

    def close(self) -> None:
        """Close the connection; what runs on the server goes on."""
        self._open = None
        self._connection.close()

    def _open_tree(self, tree: str, shot: int) -> None:
        """Open the tree, anew also when it is open: its structure may be another by now."""
        before, self._open = self._open, None
        self._connection.begin()
        if before is not None:
            with suppress(MdsplusFailure):
                self._connection.close_tree(*before)
        self._connection.open_tree(tree, shot)
        self._open = (tree, shot)
