"""When real files count as complete, and what becomes of their records when the files change."""

import json
import os
import shutil
from pathlib import Path
from urllib.request import Request, urlopen

import h5py
import pytest
from tests.support.faults import action, experiment, shotline_command
from tests.support.ports import free_ports
from tests.support.stack import HUB, eventually
from tests.support.volumes import GROUP, VOLUME, DataStack, names

from shotline.common.views import ActionView


def rule(pattern: str, **more: object) -> dict[str, object]:
    """Return a rule whose records are offered to the group."""
    return {"volume": VOLUME, "pattern": pattern, "then": {"consumers": [GROUP]}, **more}


def test_files_count_when_they_are_closed_renamed_or_linked_and_anew_when_they_are_written_anew(
    tmp_path: Path,
) -> None:
    rules = {
        "files": rule("*.dat", complete={"stable_s": 3600.0}),
        "links": rule("*.link", complete={"stable_s": 0.3}),
    }
    with DataStack(tmp_path, {"rules": rules}) as stack:
        stack.wait_volume(lambda volume: volume.scanned_at is not None)
        slow = (stack.raw / "slow.dat").open("wb")
        slow.write(b"first")
        slow.flush()
        stack.rename_in("renamed.dat")
        stack.wait_volume(lambda volume: volume.counts.announced == 1)
        for _ in range(6):
            slow.write(b"more")
            slow.flush()
            os.fsync(slow.fileno())
        stack.wait_volume(lambda volume: volume.waiting == 1)
        with stack.consumer() as consumer:
            (lease,) = consumer.take(10)
            assert lease.path == "renamed.dat"
            slow.close()
            hidden = stack.write("whole.tmp", b"linked")
            (stack.raw / "linked.link").hardlink_to(hidden)
            hidden.unlink()
            found = {one.path: one for one in consumer.take(10, wait=20)}
            while len(found) < 2:
                found |= {one.path: one for one in consumer.take(10, wait=20)}
            assert found["slow.dat"].size_b == len(b"first") + 6 * len(b"more")
            assert found["linked.link"].size_b == 6
            consumer.done(*found.values(), lease)

            # Copied over: what nobody has is removed, and offered as it is now.
            stack.write("copied.dat", b"old")
            first = stack.wait_volume(lambda volume: volume.counts.ready == 1)
            assert first.counts.announced == 4
            source = stack.write("source.bin", b"newer")
            shutil.copyfile(source, stack.raw / "copied.dat")
            again = stack.wait_volume(lambda volume: volume.counts.announced == 5)
            assert (again.counts.removed, again.counts.ready) == (1, 1)

            # Gone while somebody has it: it may be completed, and is never offered again.
            (lease,) = consumer.take(10, wait=20)
            assert lease.size_b == 5
            Path(lease.file).unlink()
            stack.wait_volume(lambda volume: volume.counts.orphaned == 1)
            assert list(consumer.done(lease).values()) == ["ok"]
            counts = stack.volume().counts
            assert (counts.done, counts.removed, counts.orphaned) == (4, 1, 0)


RULES = {
    "marked": rule("*.marked", complete={"when": "marker"}),
    "hdf5": rule(
        "*.h5",
        ids={
            "by": "hdf5",
            "groups": r"TriggerRecord(?P<number>\d+)\.(?P<sequence>\d+)",
            "expression": r"run(?P<run>\d+)\.h5",
        },
        record_type="TriggerRecord",
        checksum="adler32",
    ),
    "pulses": rule("*.tree", complete={"stable_s": 0.3}, ids={"by": "mdsplus"}),
}


@pytest.mark.parametrize("polling", [False, True])
def test_markers_hdf5_and_mdsplus_files(tmp_path: Path, polling: bool) -> None:  # noqa: FBT001
    folder = {"polling": polling, "poll_s": 0.3}
    sections = {"folders": {VOLUME: folder}, "rules": RULES}
    with DataStack(tmp_path, sections) as stack, stack.consumer(verify="checksum") as consumer:
        stack.write("a.marked")
        for suffix in ("tree", "characteristics"):
            stack.write(f"test_42.{suffix}", b"12")
        with h5py.File(tmp_path / "run7.h5", "w") as file:
            for name in ("TriggerRecord00001.0000", "TriggerRecord00002.0001", "Other"):
                file.create_group(name)
        shutil.move(tmp_path / "run7.h5", stack.raw / "run7.h5")
        stack.write("broken.h5", b"no HDF5")
        stack.write("run8.h5", b"no HDF5 either")
        leases = consumer.take(10, wait=20)
        while len(leases) < 2:
            leases += consumer.take(10, wait=20)
        parts = {(lease.part.number, lease.part.sequence) for lease in leases}
        assert parts == {(1, 0), (2, 1)}
        assert {(lease.run, lease.record_type) for lease in leases} == {(7, "TriggerRecord")}
        kept_out = stack.wait_volume(lambda volume: bool(volume.quarantine)).quarantine
        assert [one.path for one in kept_out] == ["run8.h5"], "the other one is of no rule"
        assert "no HDF5 file" in kept_out[0].reason
        assert stack.volume().counts.announced == 2
        stack.write("a.marked.done")
        stack.write("test_42.datafile", b"345")
        more: list[str] = []
        while len(more) < 2:
            found = consumer.take(10, wait=20)
            more += names(found)
            for lease in found:
                if lease.path == "test_42.tree":
                    assert (lease.size_b, lease.fields) == (7, {"tree": "test", "shot": "42"})
                    assert lease.companions == ("test_42.characteristics", "test_42.datafile")
        assert sorted(more) == ["a.marked", "test_42.tree"]


def test_what_was_there_before_waits_for_a_scan_and_a_new_group_has_a_replay(
    tmp_path: Path,
) -> None:
    sections = {
        "folders": {VOLUME: {"existing": "ignore"}},
        "consumers": {"later": {}},
    }
    stack = DataStack(tmp_path, sections)
    stack.write("old.dat")
    with stack, stack.consumer() as consumer:
        stack.wait_volume(lambda volume: volume.known == 1)
        stack.write("new.dat")
        assert names(consumer.take(wait=20)) == ["new.dat"]
        assert stack.volume().counts.announced == 1
        with stack.supervisor() as shotline:
            shotline.records_scan(VOLUME)
            assert names(consumer.take(wait=20)) == ["old.dat"]
            consumer.done(*consumer.leases.values())
            shotline.records_replay(VOLUME, "later", pattern="o*")
        stack.wait_volume(lambda volume: volume.counts.announced == 3)
        stack.wait_volume(lambda volume: not volume.orders)
        with stack.supervisor() as shotline:
            (left,) = shotline.records_list(group="later").records
            assert left.path == "old.dat"
            assert shotline.records_lease(GROUP, "one").leases == ()


def test_a_file_that_has_changed_since_is_not_given_to_anybody(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    central = ["hub"] if HUB else ["broker", "dispatcher"]
    settings = {
        "up": {"daemons": [*central, "watcher", "monitor"]},
        "monitor": {"port": port, "role": "operator"},
    }
    volumes = {"consumers": {GROUP: {"max_attempts": 9}}}
    with DataStack(tmp_path, volumes, settings=settings) as stack:
        stack.write("a.dat", b"12345")
        stack.wait_volume(lambda volume: volume.counts.ready == 1)
        stack.watcher.kill()
        stack.write("a.dat", b"123456")
        with stack.consumer() as consumer:
            assert consumer.take() == []
        lease = ("records", "lease", GROUP, "--consumer", "me", "--wait", "20")
        code, said = shotline_command(stack, *lease)
        assert (code, "was announced with 5" in said, "0 records" in said) == (0, True, True), said
        request = Request(
            f"http://127.0.0.1:{port}/api/records/lease?wait=20",
            json.dumps({"group": GROUP, "consumer": "curl"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert told["result"].get("leases", []) == []
        assert "was announced with 5" in told["message"]
        with stack.supervisor() as shotline:
            (left,) = shotline.records_list().records
            assert left.state == "ready"
            assert "was announced with 5" in left.reason
            told = shotline.records_file(VOLUME, "a.dat")
        assert any("was announced with 5" in event.text for event in told.story)


def test_an_arriving_record_has_an_action_dispatched_or_a_plan_added_once(tmp_path: Path) -> None:
    of_shot = {"experiment": "TEST", "shot": "{shot}"}
    plan = {"plan": "look", "parameters": {"file": "{path}"}}

    def of_files(pattern: str, **then: object) -> dict[str, object]:
        return {
            "volume": VOLUME,
            "pattern": pattern,
            "complete": {"stable_s": 0.3},
            "ids": {"expression": r"(?P<shot>\d+)\..*"},
            "then": {**of_shot, **then},
        }

    rules = {
        "acts": of_files("*.act", create=True, action="A_LOOK"),
        "plans": of_files("*.plan", **plan),
    }
    kind = {"phases": [{"phase": "STORE"}], "parameters": {"file": {"type": "text"}}}
    stack = DataStack(
        tmp_path,
        {"rules": rules},
        servers=("A:1",),
        experiments={"TEST": experiment(tmp_path, action("A_LOOK", "A", 1, phase="STORE"))},
        settings={"queue": {"kinds": {"look": kind}}},
    )
    with stack:
        stack.write("7.act")
        stack.write("9.plan")
        stack.wait_volume(lambda volume: volume.counts.done == 2)
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        stack.wait_volume(lambda volume: volume.watched and volume.counts.done == 2)
        (look,) = stack_actions(stack, "TEST/7")
        assert (look.last.state, look.last.attempt) == ("DONE", 1)
        with stack.supervisor() as shotline:
            (entry,) = shotline.queue_list().entries
            assert (entry.user, entry.plan.shot) == ("rule plans", 9)
            assert entry.plan.parameters == {"file": "9.plan"}
            shotline.queue_start(wait=True)
            assert shotline.queue_list().entries == ()
        (look,) = stack_actions(stack, "TEST/9")
        assert (look.last.state, look.last.status) == ("DONE", "Success")


def stack_actions(stack: DataStack, shot: str) -> tuple[ActionView, ...]:
    with stack.supervisor() as shotline:
        return shotline.actions(shot).actions


def test_a_pulse_file_has_a_phase_run_once_and_its_action_knows_of_it(tmp_path: Path) -> None:
    task = {"shell": ["sh", "-c", 'echo "$SHOTLINE_VARIABLES" >> record']}
    known = {**action("A_LOOK", "A", 1, phase="STORE"), "task": task}
    rules = {
        "pulses": {
            "volume": VOLUME,
            "pattern": "*.tree",
            "complete": {"stable_s": 0.3},
            "ids": {"by": "mdsplus"},
            "then": {"experiment": "{tree}", "shot": "{shot}", "create": True, "phase": "STORE"},
        }
    }
    file = experiment(tmp_path, known)
    stack = DataStack(tmp_path, {"rules": rules}, servers=("A:1",), experiments={"TEST": file})
    with stack:
        for suffix in ("tree", "characteristics", "datafile"):
            stack.write(f"test_7.{suffix}")
        stack.wait_volume(lambda volume: volume.counts.done == 1)
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        stack.wait_volume(lambda volume: volume.watched and volume.counts.done == 1)
        lines = (tmp_path / "var" / "pulses" / "TEST" / "7" / "record").read_text().splitlines()
        (told,) = [json.loads(line)["record"] for line in lines]
        assert told["file"] == str(stack.raw / "test_7.tree")
        assert told["fields"] == {"tree": "test", "shot": "7"}
        # A shot whose tree nobody knows: the record is dead, with the reason.
        for suffix in ("tree", "characteristics", "datafile"):
            stack.write(f"other_8.{suffix}")
        stack.wait_volume(lambda volume: volume.counts.ready + volume.counts.leased > 0)
        with stack.supervisor() as shotline:
            eventually(
                lambda: any("OTHER" in one.reason for one in shotline.records_list().records)
            )
