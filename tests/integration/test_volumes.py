"""Data that starts work on the real daemons: files, watcher, ledger, consumers, commands."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support.faults import shotline_command
from tests.support.ports import free_ports
from tests.support.stack import HUB
from tests.support.volumes import GROUP, VOLUME, DataStack, names

from shotline.client.consumer import AsyncConsumer


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


def test_a_consumer_in_an_asyncio_program(tmp_path: Path) -> None:
    async def work(stack: DataStack) -> None:
        async with AsyncConsumer(GROUP, broker=stack.config.broker.clients) as consumer:
            (lease,) = await consumer.take(wait=20)
            assert list((await consumer.give_back(lease)).values()) == ["ok"]
            assert await consumer.done() == {}, "nothing is asked about nothing"
            async for again in consumer:
                assert (again.path, again.attempt) == ("a.dat", 2)
                assert list((await consumer.done(again)).values()) == ["ok"]
                break

    with DataStack(tmp_path) as stack:
        stack.write("a.dat")
        asyncio.run(work(stack))
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


def test_programs_in_any_language_lease_by_http(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    daemons = ["hub" if HUB else "broker", *([] if HUB else ["dispatcher"]), "watcher", "monitor"]
    settings = {"up": {"daemons": daemons}, "monitor": {"port": port, "role": "operator"}}
    with DataStack(tmp_path, settings=settings) as stack:

        def ask(path: str, **fields: object) -> dict[str, Any]:
            request = Request(
                f"http://127.0.0.1:{port}/api/records/{path}",
                json.dumps(fields).encode() if fields else None,
                {"Content-Type": "application/json"},
            )
            with urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)["result"]
            return found

        began = threading.Timer(1.0, lambda: stack.write("a.dat"))
        began.start()
        (lease,) = ask("lease?wait=30", group=GROUP, consumer="curl")["leases"]
        began.join()
        assert lease["path"] == "a.dat"
        (answer,) = ask("complete", consumer="curl", tokens=[lease["token"]])["answers"]
        assert answer["fate"] == "ok"
        # Of files on another machine nobody here can compare checksums.
        file = {"path": "b.dat", "generation": "1", "size_b": 1, "modified_at": 0.0}
        announced = {"files": [{**file, "rule": "files"}], "memory": "test", "number": 1}
        ask("announce", volume=VOLUME, host="data1", folder="/raw", **announced)
        of = {"group": GROUP, "consumer": "curl", "verify": "checksum"}
        told = ask("lease", **of)
        assert (told["leases"], told["code"]) == ([], "elsewhere")
        assert told["why"] == "ready records have their files on data1, where they can be verified"
        words = ("records", "lease", GROUP, "--consumer", "me", "--verify", "checksum")
        code, said = shotline_command(stack, *words)
        assert (code, "files on data1" in said) == (0, True), said
        (lease,) = ask("lease", group=GROUP, consumer="curl")["leases"]
        assert (lease["path"], lease["attempt"]) == ("b.dat", 1), "nobody has used an attempt up"
        assert ask("status")["volumes"][0]["counts"]["done"] == 1
