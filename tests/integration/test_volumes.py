"""Data that starts work on the real daemons: files, watcher, ledger, consumers, commands."""

import json
from pathlib import Path

from tests.support.faults import shotline_command
from tests.support.volumes import GROUP, VOLUME, DataStack, names


def test_a_closed_file_is_announced_leased_and_done(tmp_path: Path) -> None:
    with DataStack(tmp_path) as stack:
        stack.write("run1/a.dat", b"12345")
        stack.write("run1/a.txt")
        with stack.consumer() as consumer:
            (lease,) = consumer.take(wait=20)
            assert Path(lease.file).read_bytes() == b"12345"
            assert (lease.path, lease.size_b, lease.attempt) == ("run1/a.dat", 5, 1)
            assert stack.volume().counts.leased == 1
            assert consumer.take(wait=0) == []
            assert list(consumer.done(lease).values()) == ["ok"]
        assert stack.volume().counts.done == 1


def test_the_command_line_does_all_that_a_consumer_needs(tmp_path: Path) -> None:
    with DataStack(tmp_path) as stack:
        for name in ("a", "b"):
            stack.write(f"{name}.dat")
        stack.wait_volume(lambda volume: volume.counts.ready == 2)
        words = ("--json", "records", "lease", GROUP, "--consumer", "me", "-n", "5")
        code, said = shotline_command(stack, *words)
        assert code == 0, said
        leases = json.loads(said)["result"]["leases"]
        tokens = {lease["path"]: lease["token"] for lease in leases}
        assert set(tokens) == {"a.dat", "b.dat"}
        end = ("--consumer", "me")
        code, said = shotline_command(stack, "records", "complete", *end, tokens["a.dat"])
        assert (code, "1 completed" in said) == (0, True), said
        code, said = shotline_command(stack, "records", "complete", *end, tokens["a.dat"])
        assert (code, "duplicate" in said) == (0, True), said
        more = ("--never", "--reason", "no beam")
        assert shotline_command(stack, "records", "return", *end, *more, tokens["b.dat"])[0] == 0
        code, said = shotline_command(stack, "records", "list", VOLUME, "--state", "dead")
        assert "no beam" in said
        code, said = shotline_command(stack, "records", "file", VOLUME, "b.dat")
        assert "announced by rule files" in said
        assert "leased to me" in said
        assert shotline_command(stack, "records", "redrive", "--group", GROUP)[0] == 0
        with stack.consumer() as consumer:
            assert names(consumer.take()) == ["b.dat"]
        code, said = shotline_command(stack, "records", "status")
        assert VOLUME in said
