"""Tree workers' host: what no other process can be told is refused, and nobody dies of it."""

import os
import shutil
from pathlib import Path

import psutil
from msgspec import structs
from tests.support.adapters import EXPERIMENT_FILE

from shotline.common.nodes import FileSource
from shotline.common.process.service import Service
from shotline.common.records import ShotKey
from shotline.dispatcher.trees.host import TreeHost
from shotline.dispatcher.trees.jobs import (
    CreatePulseJob,
    CurrentShotJob,
    LookAtSourcesJob,
    RaiseEventJob,
    ReadNodeJob,
    ReadTableJob,
    TreeDone,
)


def test_a_file_whose_name_is_not_utf_8_is_refused_in_words() -> None:
    done: list[TreeDone] = []
    source = structs.replace(FileSource(file="x.yaml"), file="/caf\udce9/x.yaml")
    host = TreeHost(Service("test"), {"T": source}, 1.0, done.append)
    host.do(CreatePulseJob(job=1, key=ShotKey("T", 1), replace=False))
    [answer] = done
    assert "/caf\\udce9/x.yaml is not UTF-8" in answer.error
    assert host.wake_at() is None
    host.close()


def test_a_look_that_nobody_waits_for_any_more_delays_no_other_job(tmp_path: Path) -> None:
    service = Service("test")
    done: list[TreeDone] = []

    def take(answer: TreeDone) -> None:
        done.append(answer)
        if answer.job == 3:
            service.stop(0)

    source = FileSource(file=str(tmp_path / "none.yaml"))
    host = TreeHost(service, {"T": source}, 60.0, take)
    model = ShotKey("T", -1)
    try:
        host.do(ReadTableJob(job=1, key=model))
        host.do(LookAtSourcesJob(job=2, key=model, known=("a",), wait_s=0.0))
        host.do(CurrentShotJob(job=3, key=model, set_to=None, increment=False))
        service.run()
    finally:
        host.close()
    assert [answer.job for answer in done] == [1, 3]


def test_a_worker_that_was_warmed_does_the_first_job(tmp_path: Path) -> None:
    service = Service("test")
    done: list[TreeDone] = []

    def take(answer: TreeDone) -> None:
        done.append(answer)
        service.stop(0)

    host = TreeHost(service, {"T": FileSource(file=str(tmp_path / "no"))}, 60.0, take)
    try:
        host.warm("T")
        host.warm("T")
        host.warm("UNKNOWN")
        assert host.wake_at() is None
        host.do(CurrentShotJob(job=1, key=ShotKey("T", 0), set_to=None, increment=False))
        service.run()
    finally:
        host.close()
    assert [answer.error for answer in done] == ["its site keeps no current shot number"]


def test_how_sources_stand_is_told_with_tables_nodes_and_alone(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "experiment: T\nphases: {P: 1}\nactions:\n"
        "  - {path: A, server_class: C, phase: P, when: 1, task: {sleep: 0}}\n"
    )
    service = Service("test")
    done: list[TreeDone] = []

    def take(answer: TreeDone) -> None:
        done.append(answer)
        if answer.job == 4:
            service.stop(0)

    host = TreeHost(service, {"T": FileSource(file=str(file))}, 60.0, take)
    pulse = ShotKey("T", 1)
    try:
        host.do(CreatePulseJob(job=1, key=pulse, replace=False))
        host.do(ReadTableJob(job=2, key=pulse))
        host.do(ReadNodeJob(job=3, key=pulse, path="A", known=("old",)))
        host.do(LookAtSourcesJob(job=4, key=pulse, known=("old",), wait_s=60.0))
        service.run()
    finally:
        host.close()
    table, node, look = done[1:]
    assert [answer.error for answer in done] == [""] * 4
    assert table.sources == node.sources == look.sources
    assert [mark.model for mark in look.sources] == [False, True]
    assert [one.path for one in node.nodes] == ["\\T::TOP:A"]


def test_a_worker_that_died_while_it_was_idle_costs_no_job(tmp_path: Path) -> None:
    """The next job comes before the dispatcher has seen that the process is gone."""
    file = shutil.copy(EXPERIMENT_FILE, tmp_path)
    service, key = Service("test"), ShotKey("TEST", 1)
    done: list[TreeDone] = []

    def on_done(one: TreeDone) -> None:
        done.append(one)
        if len(done) > 1:
            service.stop()
            return
        for worker in psutil.Process().children():
            worker.kill()
            os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
        host.do(RaiseEventJob(job=2, key=key, event="DONE"))

    host = TreeHost(service, {"TEST": FileSource(file=str(file))}, 20.0, on_done)
    service.on_due(host.wake_at, host.tick)
    host.do(CreatePulseJob(job=1, key=key, replace=False))
    service.run()
    host.close()
    assert [(one.job, one.error) for one in done] == [(1, ""), (2, "")]
