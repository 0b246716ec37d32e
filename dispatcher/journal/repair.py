"""Repair of a Redis whose terms cannot have come about: entries get the next terms that can.

Terms only rise, so one that is too high could never be left again: no dispatcher would start. Only
the ids of entries are changed. No dispatcher may run meanwhile. Everything here blocks.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from shotline.common.ranges import TERM_MAX
from shotline.common.settings.sections.redis import JournalSection, RedisSection
from shotline.dispatcher.journal import layout
from shotline.dispatcher.journal.commit import unpack_commit
from shotline.dispatcher.journal.dialing import Dialer
from shotline.dispatcher.journal.layout import CommitId, Keys
from shotline.dispatcher.journal.link import Connection, ask, entries, last_id, texts
from shotline.dispatcher.journal.spill import SpillFile
from shotline.dispatcher.journal.standing import Holder

_PAGE: Final = 200
_ID_MAX: Final = 2**64 - 1


def repair(redis: RedisSection, journal: JournalSection) -> list[str]:
    """Give entries with a term above TERM_MAX the terms behind the highest that is right.

    Return what was done, in words; nothing where there was nothing to do. Broken off it can be done
    again. Raise JournalError, also when a dispatcher with this spill file runs.
    """
    spill = SpillFile(journal.spill_file, journal.spill_bytes_max)
    try:
        with Dialer(redis).session("failed while it was repaired") as connection:
            done = _lower_terms(connection, Keys(redis.key_prefix), spill)
            connection.disconnect()
            return done
    finally:
        spill.close()


def _lower_terms(connection: Connection, keys: Keys, spill: SpillFile) -> list[str]:
    shots = map(layout.shot_name, texts(ask(connection, "ZRANGE", keys.shots, 0, -1)))
    streams = [keys.commits, *(keys.of(shot).journal for shot in shots)]
    wrong = [name for name in streams if last_id(connection, name).term > TERM_MAX]
    terms = sorted({term for name in streams for term in _terms(connection, name)})
    highest = max((term for term in terms if term <= TERM_MAX), default=0)
    too_high = [term for term in terms if term > TERM_MAX]
    lower = {term: highest + place for place, term in enumerate(too_high, 1)}
    said = []
    if any(unpack_commit(data).term > TERM_MAX for _, data in spill.frames()):
        said.append(f"the spill file's commits were kept in {spill.set_aside()} and are not used")
    for stream in wrong:
        count = _renumber(connection, stream, lower)
        said.append(f"{stream}: {count} entries have other ids now")
    if lower:  # no dispatcher runs
        left = Holder(last_id(connection, keys.commits).term, "", "repair").having_left
        ask(connection, "SET", keys.holder, str(left))
    said += [f"what was term {term} is term {lower[term]} now" for term in too_high]
    return said


def _terms(connection: Connection, name: str) -> Iterator[int]:
    """Yield the terms of a stream's entries, each once."""
    start = "-"
    while found := entries(ask(connection, "XRANGE", name, start, "+", "COUNT", 1)):
        term = CommitId.parse(found[0][0]).term
        yield term
        if term == _ID_MAX:
            return
        start = f"{term + 1}-0"


def _renumber(connection: Connection, name: str, lower: Mapping[int, int]) -> int:
    """Write a stream anew beside it, and put it in its place. Return how many ids are new."""
    anew = f"{name}:repaired"
    ask(connection, "DEL", anew)
    count, start = 0, "-"
    while page := entries(ask(connection, "XRANGE", name, start, "+", "COUNT", _PAGE)):
        for entry, fields in page:
            was = CommitId.parse(entry)
            now = CommitId(lower.get(was.term, was.term), was.number)
            count += now != was
            ask(connection, "XADD", anew, str(now), *fields)
        start = "(" + page[-1][0].decode()
    if ask(connection, "EXISTS", anew):
        ask(connection, "RENAME", anew, name)
    else:
        ask(connection, "DEL", name)  # only its last id was left
    return count
