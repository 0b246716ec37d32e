"""The ledger's whole state in the journal: in parts, none of them large, and exact at any kill."""

from collections.abc import Callable, Iterable
from random import Random

import pytest
from msgspec import structs
from tests.support.dispatching import Bench

from shotline.client.testing.dispatcher import WakeUp, configured, with_keys
from shotline.client.testing.journal import MemoryJournal
from shotline.common.channels import VOLUMES
from shotline.common.settings.configuration import Config
from shotline.common.views import decode_result
from shotline.common.volumes import commands as r
from shotline.common.volumes.files import FileSeen, Part
from shotline.common.volumes.records import LedgerPart, LedgerRecord
from shotline.common.volumes.views import LeasesResult
from shotline.dispatcher import effects as d
from shotline.dispatcher.journal import EncodedCommit, HistoryLost, Written
from shotline.dispatcher.volumes import host
from shotline.volumes.fold import LedgerFold
from shotline.volumes.machine import DataLedger

PART_BYTES_MAX = 400_000
SECTION = {
    "folders": {"RAW": {"folder": "/raw"}},
    "consumers": {"filter": {"lease_s": 3.0, "max_attempts": 2, "retry_delays_s": [1.0]}},
    "rules": {"files": {"volume": "RAW", "then": {"consumers": ["filter"]}}},
    "consumer_lost_s": 5.0,
}


def config() -> Config:
    return with_keys(configured("T"), volumes=SECTION)


def whole(fold: LedgerFold) -> tuple[LedgerRecord, ...]:
    kept = fold.kept(0.0)
    told = (one for one in kept.volumes if one.host or one.orders)  # the others were only asked for
    return (*fold.parts(lambda: 0.0, 1_000_000), structs.replace(kept, volumes=tuple(told)))


class Site(Bench):
    """A dispatcher whose commits are answered one at a time, and its ledger behind each."""

    def __init__(self) -> None:
        self.stood: list[tuple[LedgerRecord, ...]] = []
        self.pending: EncodedCommit | None = None
        self.announced = 0
        super().__init__(config=config())

    @property
    def fold(self) -> LedgerFold:
        return self.machine.volumes.ledger.core.fold

    def carry_out(self, effect: d.Effect) -> Iterable[WakeUp]:
        if isinstance(effect, d.WriteCommit):
            if not self.writes:
                self.stood.append(whole(self.fold))
            self.pending = effect.commit
        yield from super().carry_out(effect)

    def write_one(self) -> None:
        """Let the commit that is in flight be written."""
        commit, self.pending = self.pending, None
        if commit is not None:
            assert self.store.write(commit)
            self.handle(Written(commit.number))

    def announce(self, count: int, parts: int = 1) -> None:
        files = tuple(
            FileSeen(
                path=f"run{number // 1000}/file{number:06d}.hdf5",
                generation="1732900000.123456:1048576",
                size_b=1_048_576,
                modified_at=1_732_900_000.0,
                rule="files",
                parts=tuple(Part(name=f"TriggerRecord{part:05d}") for part in range(parts)),
            )
            for number in range(self.announced, self.announced + count)
        )
        self.ask(
            r.RecordsAnnounce(
                volume="RAW",
                host="data1",
                folder="/raw",
                memory="m",
                number=self.announced + 1,
                files=files,
            )
        )
        self.announced += count


def ledger_of(store: MemoryJournal) -> LedgerFold:
    """Return the ledger that a dispatcher begins with that finds this journal."""
    ledger = DataLedger(config(), Bench().instant)
    ledger.load(store.loaded().hosted.get(VOLUMES, ()))  # type: ignore[arg-type]
    ledger.core.fold.check()
    return ledger.core.fold


def test_no_commit_is_large_with_twenty_thousand_records_known() -> None:
    site = Site()
    for _ in range(10):
        site.announce(200, 10)
    assert len(site.fold.items) == 20_000
    before = len(site.commits)
    site.ask(r.RecordsLease(group="filter", consumer="one"))
    (change,) = site.commits[before:]
    assert len(_body(change)) < 1000, "one change is one small commit"
    site.handle(HistoryLost("all was gone"))  # so that the whole is written anew
    sizes = [len(_body(one)) for one in site.commits[before + 1 :]]
    assert len(sizes) > 20_000 // host.PART_RECORDS
    assert max(sizes) < PART_BYTES_MAX
    first = site.store.hosted[VOLUMES][0][1]
    assert isinstance(first, LedgerPart), "the stream begins with the first part"
    assert whole(ledger_of(site.store)) == whole(site.fold)


def test_what_happens_goes_on_between_the_parts() -> None:
    site = Site()
    site.announce(1000)
    site.announce(1000)
    site.writes = False
    site.handle(HistoryLost("all was gone"))
    site.ask(r.RecordsLease(group="filter", consumer="one"), "lease")
    site.write_one()
    site.write_one()
    assert [reply.outcome for reply in site.replies_to("lease")] == ["ok"]
    kinds = {type(record) for _, record in site.store.hosted[VOLUMES]}
    assert {one.__name__ for one in kinds} >= {"LedgerPart", "RecordsLeased"}
    assert "LedgerKept" not in {one.__name__ for one in kinds}, "some parts are still to come"


@pytest.mark.parametrize("seed", range(4))
def test_killed_behind_any_commit_the_ledger_is_what_it_was(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "PART_RECORDS", 3)
    chance, site = Random(seed), Site()
    site.writes = False
    tokens: list[str] = []

    def lease() -> None:
        reply = site.ask(r.RecordsLease(group="filter", consumer="one", limit=3))
        found = decode_result(reply.result) if reply is not None and reply.result else None
        tokens.extend(one.token for one in getattr(found, "leases", ()))
        assert found is None or isinstance(found, LeasesResult)

    def some() -> tuple[str, ...]:
        held = [one for one in site.fold.items.values() if one.lease is not None]
        core = site.machine.volumes.ledger.core
        return tuple(core.token(one) for one in chance.sample(held, min(2, len(held))))

    def gone() -> None:
        path = f"run0/file{chance.randrange(site.announced + 1):06d}.hdf5"
        site.ask(r.RecordsGone(volume="RAW", paths=(path,)))

    acts: list[Callable[[], object]] = [
        lambda: site.announce(chance.randint(1, 3), chance.randint(1, 4)),
        lease,
        lease,
        lambda: site.ask(r.RecordsComplete(consumer="one", tokens=some())),
        lambda: site.ask(r.RecordsReturn(consumer="one", tokens=some(), delay_s=9.0)),
        lambda: site.ask(r.RecordsReturn(consumer="one", tokens=some(), never=True)),
        gone,
        lambda: site.ask(r.RecordsRedrive(group="filter")),
        lambda: site.ask(r.RecordsCredit(group="filter", consumer="one", credits=2)),
        lambda: site.pass_time(chance.choice((0.1, 1.0, 4.0))),
    ]
    for _ in range(80):
        chance.choice(acts)()
        for _ in range(chance.randint(0, 2)):
            site.write_one()
        if chance.random() < 0.1:
            site.machine.volumes.write_anew()
    assert [one for one in site.commits if b"ledger_kept" in _body(one)], "there were whole ones"
    store, stood = MemoryJournal(), iter(site.stood)
    store.claim()
    trimmed = 0
    for number, written in enumerate(site.commits):
        assert store.write(written.commit)
        if number < len(site.commits) - len(site.stood):
            continue  # before the story began
        assert whole(ledger_of(store)) == next(stood), f"killed behind {written.commit.number}"
        kept = store.hosted.get(VOLUMES, [])
        trimmed += bool(kept) and isinstance(kept[0][1], LedgerPart)
    assert trimmed, "some ledgers came from the parts alone"


def _body(written: d.WriteCommit) -> bytes:
    found = written.commit.hosted.get(VOLUMES)
    return found.body if found is not None else b""
