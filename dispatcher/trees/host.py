"""Keeps the tree workers: one process for each experiment, so that a slow one delays no other.

How such a process is started, given jobs and ended is `job_process`'s business, what it does
`worker`'s.
"""

import math
from collections.abc import Callable, Mapping

from shotline.common.base import to_json
from shotline.common.nodes import Source, untold
from shotline.common.process.service import Service
from shotline.dispatcher.job_process import JobProcess, Trade
from shotline.dispatcher.trees.jobs import (
    LookAtSourcesJob,
    TreeDone,
    TreeJob,
    decode_answer,
)


class TreeHost:
    """All tree workers. `on_done` is told of each job's end; `service` watches the pipes."""

    def __init__(
        self,
        service: Service,
        sources: Mapping[str, Source],
        timeout_s: float,
        on_done: Callable[[TreeDone], None],
    ) -> None:
        self._service = service
        self._sources = sources
        self._timeout_s = timeout_s
        self._on_done = on_done
        self._workers: dict[str, JobProcess[TreeJob, TreeDone]] = {}

    def configure(self, sources: Mapping[str, Source], timeout_s: float) -> None:
        """Take other settings; a worker keeps the source with which it was started."""
        self._sources, self._timeout_s = sources, timeout_s
        for worker in self._workers.values():
            worker.timeout_s = timeout_s

    def do(self, job: TreeJob) -> None:
        """Queue a job at its experiment's worker."""
        tree = job.key.tree
        if tree not in self._sources:
            self._on_done(TreeDone(job=job.job, error=f"experiment {tree} is not configured"))
            return
        if why := untold(self._sources[tree]):
            self._on_done(TreeDone(job=job.job, error=f"the tree {tree}: {why}"))
            return
        wait_s = job.wait_s if isinstance(job, LookAtSourcesJob) else math.inf
        self._worker(tree).do(job, wait_s)

    def warm(self, tree: str) -> None:
        """Start an experiment's worker before the first job, which waits no second for it then."""
        if tree not in self._sources or tree in self._workers or untold(self._sources[tree]):
            return
        self._worker(tree).warm()

    def wake_at(self) -> float | None:
        """Return when the next job runs out of time."""
        due = [at for one in self._workers.values() if (at := one.wake_at()) is not None]
        return min(due) if due else None

    def tick(self) -> None:
        """End workers whose job has run out of time."""
        for worker in self._workers.values():
            worker.tick()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.close()

    def _worker(self, tree: str) -> JobProcess[TreeJob, TreeDone]:
        """Return the worker of a tree. One keeps its source, also when it is started again."""
        found = self._workers.get(tree)
        if found is None:
            source = to_json(self._sources[tree]).decode()
            trade: Trade[TreeJob, TreeDone] = Trade(
                decode_answer,
                lambda job, why: TreeDone(job=job.job, error=f"the tree {tree}: {why}"),
            )
            found = self._workers[tree] = JobProcess(
                self._service,
                f"the tree worker of {tree}",
                trade,
                ("shotline.dispatcher.trees.worker", tree, source),
                self._on_done,
                timeout_s=self._timeout_s,
                timeout_words="dispatcher.tree_timeout_s",
            )
        return found
