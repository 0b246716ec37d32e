"""Shotline for suites that compare it with other systems: W1 to W5 by their names.

with Shotline(Sizes(chain=100), "redis://127.0.0.1:6379", folder) as shotline:
    shotline.prepare(Workload.W3)
    shotline.run(Workload.W3)
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.daemons import Form, usual_form
from bench.harness import ActionStack
from bench.suite import ACTION_WORKLOADS
from bench.workloads import Sizes, Workload


class Shotline:
    """The daemons, up and warm, in the form that `shotline up` has unless another is named."""

    def __init__(
        self, sizes: Sizes, redis_url: str, folder: Path, form: Form | None = None
    ) -> None:
        self._stack = ActionStack(
            ACTION_WORKLOADS, sizes, folder, form or usual_form(), redis_url=redis_url
        )
        self._ready: dict[Workload, Callable[[], object]] = {}
        self._processes = self._stack.site.processes  # by what each does

    def prepare(self, workload: Workload) -> None:
        """Make a new shot, and its table."""
        (found,) = (one for one in ACTION_WORKLOADS if one.name == workload)
        self._ready[workload] = self._stack.ready(found)

    def run(self, workload: Workload) -> None:
        """Have the actions of the last shot done (W1: one); return when the last reply is here."""
        self._ready[workload]()

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)
