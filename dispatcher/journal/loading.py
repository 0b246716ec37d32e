"""The dispatcher's start: its place asked for, its spill file written, a term claimed, shots read.

Everything here blocks; nothing of it runs while shots do.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from redis.exceptions import ResponseError

from shotline.common.base import Struct
from shotline.common.channels import QUEUE
from shotline.common.errors import JournalError
from shotline.common.queue.plans import HistoryItem
from shotline.common.queue.records import PlanEnded
from shotline.common.ranges import TERM_MAX
from shotline.common.records import (
    CommandDone,
    ServerSeen,
    ShotKey,
    ShotRecord,
    decode_record,
    decode_records,
)
from shotline.common.redis import durability
from shotline.common.settings.sections.redis import RedisSection
from shotline.dispatcher.journal import Loaded, LoadedShot, layout
from shotline.dispatcher.journal.commit import EncodedCommit, unpack_commit
from shotline.dispatcher.journal.layout import NO_COMMIT, CommitId, Keys, ShotKeys
from shotline.dispatcher.journal.link import (
    Connection,
    ask,
    ask_script,
    entries,
    items,
    last_id,
    pairs,
    text,
    texts,
)
from shotline.dispatcher.journal.projection import (
    COMMIT_SCRIPT,
    check_arguments,
    checked_keys,
    claim_arguments,
    commit_arguments,
)
from shotline.dispatcher.journal.spill import SpillFile
from shotline.dispatcher.journal.standing import Holder, Place, Succession

_PAGE = 200

NO_PROCESS: Final = (
    "Redis does not tell which process of it answers, so that it may always have been started anew "
    "since, and have lost its end: a run with a server gone is HELD; give the user +info"
)


class TermClaim(NamedTuple):
    """A claimed term, and the last commit before it."""

    term: int
    after: CommitId


def ask_for_place(
    connection: Connection,
    keys: Keys,
    succession: Succession,
    now: float,
    process: bytes,
    claimed: int,
) -> None:
    """Let the dispatcher before this one leave, unless it has ended. `claimed`: our own term.

    Raise JournalError as long as it may be at work, or redis-py's errors.
    """
    found = _found(connection, keys, process)
    check_term(found.last.term + 1)
    if not succession.must_ask(found) or found.last == CommitId(claimed, 0):
        return
    name = succession.name
    ask(connection, "SET", keys.asks, name, "NX", "EX", succession.asks_for_s)
    found = _found(connection, keys, process)
    if succession.must_ask(found) and not succession.may_claim(now, found):
        raise JournalError(succession.why(found))


def _found(connection: Connection, keys: Keys, process: bytes) -> Place:
    holder, asks = ask(connection, "GET", keys.holder), ask(connection, "GET", keys.asks)
    return Place(
        last_id(connection, keys.commits),
        Holder.parse(text(holder)) if holder is not None else None,
        text(asks).decode(errors="replace") if asks is not None else "",
        process,
    )


def take_place(connection: Connection, keys: Keys, holder: Holder, name: str) -> None:
    """Say who holds the term that was claimed; `name` asks for it no more."""
    ask(connection, "SET", keys.holder, str(holder))
    if ask(connection, "GET", keys.asks) == name.encode():
        ask(connection, "DEL", keys.asks)


def claim(connection: Connection, keys: Keys, above: int, claimed_by: str) -> TermClaim:
    """Claim a term above `above` and all that Redis knows. Raise redis-py's errors."""
    while True:
        last = last_id(connection, keys.commits)
        term = max(above, last.term) + 1
        check_term(term)
        answer = items(
            ask_script(connection, COMMIT_SCRIPT, claim_arguments(keys, term, claimed_by))
        )
        # Another dispatcher may have claimed the same term between our look and our claim.
        if answer[0] == b"written":
            return TermClaim(term, last)


def check_term(term: int) -> None:
    """Raise JournalError for a term that cannot have come about: it could never be left again."""
    if term > TERM_MAX:
        raise JournalError(
            f"Redis or the spill file holds term {term - 1}, which cannot have come about: the "
            f"highest is {TERM_MAX}; end all dispatchers, then repair it with "
            "`shotline-dispatcher --repair`"
        )


def write_spilled(connection: Connection, keys: Keys, spill: SpillFile) -> tuple[int, list[str]]:
    """Write the spill file's commits to Redis and empty it; return their highest term and warnings.

    Commits of a dispatcher that was superseded meanwhile change nothing: they are set aside.
    """
    highest, count, notes = 0, 0, []
    if rest := spill.keep_rest():
        notes.append(
            f"the spill file ended with {rest[0]} bytes that are no whole commit, as a crash "
            f"leaves them in the middle of a write: they were kept in {rest[1]} and are not used"
        )
    for _, data in spill.frames():
        commit = unpack_commit(data)
        check_term(commit.term + 1)
        highest = max(highest, commit.term)
        if not write_again(connection, keys, commit):
            aside = spill.set_aside()
            return highest, [
                *notes,
                f"the spill file held commits of term {commit.term}, which another dispatcher has "
                f"superseded: what was not in Redis yet was kept in {aside} and is not used",
            ]
        count += 1
    if count:
        spill.clear()
        notes.append(f"{count} commits of the spill file were written to Redis")
    return highest, notes


def write_again(connection: Connection, keys: Keys, commit: EncodedCommit) -> bool:
    """Write a commit unless Redis has it; return False when its term is superseded."""
    arguments = [*check_arguments(checked_keys(keys, commit)), *commit_arguments(keys, commit)]
    answer = items(ask_script(connection, COMMIT_SCRIPT, arguments))
    return answer[0] == b"written" or CommitId.parse(text(answer[1])).term <= commit.term


def highest_journal_term(connection: Connection, keys: Keys) -> int:
    """Return the highest term in the stored shots' journals, should `commits` have been removed."""
    return max((last.term for last in _last_commits(connection, keys).values()), default=0)


def _last_commits(connection: Connection, keys: Keys) -> dict[ShotKey, CommitId]:
    """Return all stored shots with the last commit about each."""
    found = {}
    for name in texts(ask(connection, "ZRANGE", keys.shots, 0, -1)):
        shot = layout.shot_name(name)
        last = ask(connection, "XREVRANGE", keys.of(shot).journal, "+", "-", "COUNT", 1)
        ids = [CommitId.parse(entry) for entry, _ in entries(last)]
        found[shot] = max(ids, default=CommitId(0, 0))  # output may be all that is stored of it
    return found


def may_lack_end(connection: Connection, keys: Keys, process: bytes) -> bool:
    """Return whether Redis may have lost what it had confirmed last, and nobody has seen to it.

    So it is where another process of it answers than the one that was vouched for: it was started
    anew from its file, or a replica has taken its place.
    """
    if last_id(connection, keys.commits) == NO_COMMIT:
        return False
    vouched = ask(connection, "GET", keys.process)
    return not process or vouched != process


def read_everything(
    connection: Connection,
    keys: Keys,
    term: int,
    commands_max: int,
    warnings: list[str],
    *,
    may_lack_end: bool,
) -> Loaded:
    """Read what the dispatcher holds in memory. Raise JournalError, or redis-py's errors."""
    opened = frozenset(map(layout.shot_name, texts(ask(connection, "SMEMBERS", keys.open))))
    newest = {
        tree.decode(): int(shot) for tree, shot in pairs(ask(connection, "HGETALL", keys.newest))
    }
    name = ask(connection, "GET", keys.current)
    current = layout.shot_name(text(name)) if name is not None else None
    # By their commits and not by the times in `shots`: the clock may have been wrong.
    last_commits = _last_commits(connection, keys)
    stored = tuple(sorted(last_commits, key=last_commits.__getitem__))
    wanted = {ShotKey(*shot) for shot in newest.items()} | opened
    if current is not None:
        wanted.add(current)
    return Loaded(
        term=term,
        shots={shot: _read_shot(connection, keys.of(shot), shot) for shot in sorted(wanted)},
        newest=newest,
        current=current,
        stored=stored,
        commands=_read_commands(connection, keys, commands_max),
        servers=_read_servers(connection, keys),
        audited=_last_audited(connection, keys),
        hosted={
            name: tuple(_read_hosted(connection, name, key)) for name, key in keys.hosted.items()
        },
        history=_read_history(connection, keys.history),
        warnings=tuple(warnings),
        may_lack_end=may_lack_end,
    )


def keys_there(connection: Connection, keys: Keys, shots: Iterable[ShotKey]) -> list[str]:
    """Return the keys that are there, of the system and of these shots. Raise redis-py's errors."""
    kinds = {**keys.kinds, **keys.hosted_kinds}
    for shot in shots:
        kinds.update(keys.of(shot).kinds)
    return [key for key, kind in kinds.items() if ask(connection, "TYPE", key) == kind.encode()]


def _last_audited(connection: Connection, keys: Keys) -> str:
    """Return the id of the audit's last line; where something else is there, no line can follow."""
    if ask(connection, "TYPE", keys.audit) != b"stream":
        return str(NO_COMMIT)
    return str(last_id(connection, keys.audit))


def _read_hosted(connection: Connection, stream: str, key: str) -> Iterator[Struct]:
    start = "-"
    while True:
        page = entries(ask(connection, "XRANGE", key, start, "+", "COUNT", _PAGE))
        yield from layout.parse_hosted(stream, key, page)
        if len(page) < _PAGE:
            return
        start = "(" + page[-1][0].decode()


def _read_history(connection: Connection, key: str) -> tuple[HistoryItem, ...]:
    """Return the ended plans that are kept, so many as the section's limit allows."""
    records = _read_hosted(connection, QUEUE, key)
    return tuple(record.item for record in records if isinstance(record, PlanEnded))


def _read_servers(connection: Connection, keys: Keys) -> tuple[ServerSeen, ...]:
    found = []
    for _, body in pairs(ask(connection, "HGETALL", keys.servers)):
        with contextlib.suppress(ValueError):  # it is for people, who may have put notes there
            record = decode_record(body)
            if isinstance(record, ServerSeen):
                found.append(record)
    return tuple(found)


def _read_shot(connection: Connection, keys: ShotKeys, shot: ShotKey) -> LoadedShot:
    records: list[ShotRecord] = []
    start = "-"
    while True:
        page = entries(ask(connection, "XRANGE", keys.journal, start, "+", "COUNT", _PAGE))
        records += layout.parse_journal(shot, page)
        if len(page) < _PAGE:
            break
        start = "(" + page[-1][0].decode()
    return LoadedShot(
        layout.readable_history(records),
        layout.parse_outputs(pairs(ask(connection, "HGETALL", keys.outputs))),
    )


def _read_commands(
    connection: Connection, keys: Keys, commands_max: int
) -> tuple[CommandDone, ...]:
    found: list[CommandDone] = []
    for body in _system_bodies(connection, keys):
        try:
            records = decode_records(body)
        except ValueError as error:
            raise JournalError(
                f"an entry of {keys.commits} is not one of this version's: {error}"
            ) from error
        found += [record for record in reversed(records) if isinstance(record, CommandDone)]
        if len(found) >= commands_max:
            break
    return tuple(reversed(found[:commands_max]))


def _system_bodies(connection: Connection, keys: Keys) -> Iterator[bytes]:
    end = "+"
    while True:
        page = entries(ask(connection, "XREVRANGE", keys.commits, end, "-", "COUNT", _PAGE))
        for entry in page:
            body = layout.field_of(entry, layout.SYSTEM)
            if body is not None:
                yield body
        if len(page) < _PAGE:
            return
        end = "(" + page[-1][0].decode()


def warnings_about(connection: Connection, redis: RedisSection) -> list[str]:
    """Return what is wrong with Redis's settings, and what that means, in words."""
    try:
        settings = {name: _setting(connection, name) for name in durability.SETTINGS}
    except ResponseError as error:
        return [durability.UNTOLD.format(error=error)]
    return durability.warnings_about(settings, redis)


def _setting(connection: Connection, name: str) -> str:
    return dict(pairs(ask(connection, "CONFIG", "GET", name)))[name.encode()].decode()
