"""What a commit writes to Redis: the one script, and the commands that it carries out. Pure.

The script's first writing command is the XADD to the list of commits under the commit's own id.
Redis refuses an id that is not above the last one, so a repeated or a stale commit, and every
commit of a superseded dispatcher, changes nothing (DESIGN §5, Journal).
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Final

from shotline.common.base import to_json
from shotline.common.channels import QUEUE
from shotline.common.queue.records import PlanEnded
from shotline.common.records import (
    Audited,
    NodeRead,
    PulseCreated,
    RunAborting,
    RunEnded,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ServerSeen,
    ShotKey,
    StoredOutput,
    TableBuilt,
    Transition,
)
from shotline.dispatcher.journal import layout
from shotline.dispatcher.journal.commit import EncodedCommit, EncodedHosted, EncodedRecords
from shotline.dispatcher.journal.hosted import HOSTED
from shotline.dispatcher.journal.layout import NO_COMMIT, CommitId, Keys

Argument = bytes | str | int | float
Command = tuple[Argument, ...]

COMMITS_KEPT: Final = 100_000
"""Commits in the list of them, about; older ones are trimmed, but never a shot's journal."""

HISTORY_KEPT: Final = 10_000
"""Entries with ended plans, about."""

ARGUMENTS_MAX: Final = 4000
"""Arguments of one command inside the script: Lua's stack takes less than 8,000."""

# What is wrong after the first write cannot be taken back, so that it is looked before whether
# Redis still has what it had: its last commit, and the keys that this one is about. A key for
# people that has another type is set aside. Written again, a commit adds nothing that a journal or
# an output has already, should only the list of commits have been lost. Mostly the newest commit is
# the confirmed one; the last id itself would take as long as all the rest. Arguments: what Redis
# has confirmed to have (0-0: it is written again), number of keys, each with its type and 1 where
# it was there before; then fence, id, commits kept, number of the fence entry's fields and values,
# these, and then each command's length and words.
COMMIT_SCRIPT: Final = b"""
local confirmed, keys = ARGV[1], tonumber(ARGV[2])
local at = 3 + 3 * keys
local fence, id, kept, fields = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
at = at + 3
local function last_id()
  if redis.call('EXISTS', fence) == 0 then return '0-0' end
  local about = redis.call('XINFO', 'STREAM', fence)
  for n = 1, #about, 2 do
    if about[n] == 'last-generated-id' then return about[n + 1] end
  end
end
local function parts(of)
  local term, number = string.match(of, '^(%d+)-(%d+)$')
  return tonumber(term), tonumber(number)
end
local function first_line(piece) return tonumber(string.match(piece, '^%d+')) or -1 end
local function is_there(verb, key, value)
  if confirmed ~= '0-0' then return false end
  if verb == 'RPUSH' then
    local last = redis.pcall('LINDEX', key, -1)
    return type(last) == 'string' and first_line(last) >= first_line(value)
  end
  if verb ~= 'XADD' then return false end
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if not newest then return false end
  local term, number = parts(newest[1])
  local own, count = parts(value)
  return term > own or (term == own and number >= count)
end
local kind = redis.call('TYPE', fence).ok
if confirmed ~= '0-0' and (kind == 'stream' or kind == 'none') then
  local newest = redis.call('XREVRANGE', fence, '+', '-', 'COUNT', 1)[1]
  if not newest or newest[1] ~= confirmed then
    local last = last_id()
    local term, number = parts(last)
    local least, count = parts(confirmed)
    if term < least or (term == least and number < count) then return {'lost', last} end
  end
end
for n = 3, 3 * keys, 3 do
  if ARGV[n + 1] == 'stream' then
    kind = redis.call('TYPE', ARGV[n]).ok
    if kind ~= 'stream' and kind ~= 'none' then
      return redis.error_reply('WRONGTYPE the key ' .. ARGV[n] .. ' is a ' .. kind)
    end
  end
end
local added = redis.pcall('XADD', fence, 'MAXLEN', '~', kept, id, unpack(ARGV, at + 1, at + fields))
if added.err then
  if not string.find(added.err, 'equal or smaller') then return added end
  return {'present', last_id()}
end
local gone = {}
for n = 3, 3 * keys, 3 do
  kind = redis.call('TYPE', ARGV[n]).ok
  if kind ~= ARGV[n + 1] and kind ~= 'none' then
    redis.call('RENAME', ARGV[n], ARGV[n] .. ':set-aside')
  end
  if kind ~= ARGV[n + 1] and (kind ~= 'none' or ARGV[n + 2] == '1') then
    gone[#gone + 1] = ARGV[n]
  end
end
at = at + fields + 1
local trouble = ''
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  local reply = true
  if not is_there(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) then
    reply = redis.pcall(unpack(ARGV, at + 1, last))
  end
  if type(reply) == 'table' and reply.err and trouble == '' then
    trouble = ARGV[at + 1] .. ' ' .. ARGV[at + 2] .. ': ' .. reply.err
  end
  at = last + 1
end
return {'written', trouble, unpack(gone)}
"""

# Arguments: list, number of the first line wanted, of lines, and of bytes at most. Pieces are found
# by the number that each begins with. Returns the pieces that hold the wanted lines.
OUTPUT_SCRIPT: Final = b"""
local list, since, lines, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local function first_line(piece) return tonumber(string.match(piece, '^%d+')) or 0 end
local low, high = 0, redis.call('LLEN', list)
while low < high do
  local middle = math.floor((low + high) / 2)
  if first_line(redis.call('LINDEX', list, middle)) > since then
    high = middle
  else
    low = middle + 1
  end
end
local at, size, found = math.max(low - 1, 0), 0, {}
while size < bytes do
  local some = redis.call('LRANGE', list, at, at + 15)
  for _, piece in ipairs(some) do
    if first_line(piece) >= since + lines then return found end
    found[#found + 1] = piece
    size = size + #piece
  end
  if #some < 16 then return found end
  at = at + 16
end
return found
"""

# Arguments: fence, term, shot's name, its tree, its number, the shot's base, and the keys of the
# open, newest, current and stored shots.
FORGET_SCRIPT: Final = b"""
local fence, term, name, tree, shot, base = unpack(ARGV, 1, 6)
local open, newest, current, shots = unpack(ARGV, 7, 10)
local last = redis.call('XREVRANGE', fence, '+', '-', 'COUNT', 1)[1]
if last and tonumber(string.match(last[1], '^%d+')) > tonumber(term) then return 0 end
if redis.call('SISMEMBER', open, name) == 1 or redis.call('HGET', newest, tree) == shot
    or redis.call('GET', current) == name then
  return 0
end
for _, attempt in ipairs(redis.call('HKEYS', base .. 'outputs')) do
  redis.call('UNLINK', base .. 'output:' .. attempt)
end
for _, part in ipairs({'journal', 'actions', 'nodes', 'runs', 'outputs'}) do
  redis.call('UNLINK', base .. part)
end
redis.call('ZREM', shots, name)
return 1
"""

_RUN_RECORDS: Final = (RunOpened, RunEnded, RunPutOnHold, RunResumed, RunAborting)


def claim_arguments(keys: Keys, term: int, claimed_by: str) -> list[Argument]:
    """Return the script's arguments that claim a term: an entry of its own, `term-0`."""
    return ["0-0", 0, keys.commits, f"{term}-0", COMMITS_KEPT, 2, "claimed_by", claimed_by]


def forget_arguments(keys: Keys, term: int, shot: ShotKey) -> list[Argument]:
    """Return the arguments of the script that removes a shot for good."""
    base = keys.of(shot).base
    known = (keys.open, keys.newest, keys.current, keys.shots)
    return [keys.commits, term, str(shot), shot.tree, shot.shot, base, *known]


def checked_keys(keys: Keys, commit: EncodedCommit) -> dict[str, str]:
    """Return the keys that a commit is about, with the type that each is to have."""
    kinds = dict(keys.kinds)
    kinds.update((keys.hosted[name], "stream") for name in commit.hosted)
    if QUEUE in commit.hosted:
        kinds[keys.history] = "stream"
    shots = dict.fromkeys(commit.shots)
    shots.update(dict.fromkeys(ShotKey(output.tree, output.shot) for output in commit.outputs))
    for shot in shots:
        kinds.update(keys.of(shot).kinds)
    return kinds


def check_arguments(
    kinds: Mapping[str, str], confirmed: CommitId = NO_COMMIT, known: Container[str] = ()
) -> list[Argument]:
    """Return the script's first arguments: what Redis is to have still.

    `confirmed` is the last commit that it has told to have, `known` are keys that were there.
    """
    arguments: list[Argument] = [str(confirmed), len(kinds)]
    for key, kind in kinds.items():
        arguments += (key, kind, int(key in known))
    return arguments


def unchecked(arguments: Sequence[Argument]) -> list[Argument]:
    """Return a commit's arguments for writing it again, to a Redis that is to have none of it."""
    again = list(arguments)
    count = int(again[1])
    again[0] = str(NO_COMMIT)
    again[4 : 2 + 3 * count : 3] = [0] * count
    return again


def commit_arguments(
    keys: Keys, commit: EncodedCommit, words: Iterable[Command] | None = None
) -> list[Argument]:
    """Return the script's arguments for a commit behind those of `check_arguments`.

    `words`: its `commands`, where they were made already.
    """
    fields: list[Argument] = ["shots", " ".join(map(str, commit.shots))]
    if commit.system.parts:
        fields += (layout.SYSTEM, _without_audit(commit.system))
    arguments: list[Argument] = [keys.commits, commit.id, COMMITS_KEPT, len(fields), *fields]
    for command in commands(keys, commit) if words is None else words:
        arguments.append(len(command))
        arguments += command
    return arguments


def _without_audit(system: EncodedRecords) -> bytes:
    """Return the records of the whole system but for the audit's lines, which have their stream."""
    records = zip(system.records, system.parts, strict=True)
    return b"[" + b",".join(part for one, part in records if not isinstance(one, Audited)) + b"]"


def commands(keys: Keys, commit: EncodedCommit) -> Iterator[Command]:
    """Yield what follows the fence entry, as plain Redis commands."""
    for shot, encoded in commit.shots.items():
        yield ("XADD", keys.of(shot).journal, commit.id, layout.RECORDS, encoded.body)
        yield from _project(keys, shot, encoded)
    servers: dict[str, bytes] = {}
    for record, body in zip(commit.system.records, commit.system.parts, strict=True):
        if isinstance(record, ServerSeen):
            servers[record.server] = body
        elif isinstance(record, Audited):
            yield ("XADD", keys.audit, record.id, layout.LINE, body)
    yield from _hset(keys.servers, servers)
    for name, hosted in commit.hosted.items():
        yield from _hosted(keys, name, hosted, commit.id)
    for output in commit.outputs:
        yield from _output(keys, output)


def _hosted(keys: Keys, name: str, encoded: EncodedHosted, id_: bytes) -> Iterator[Command]:
    """Yield what a hosted machine's records write; a whole state begins its stream anew."""
    yield ("XADD", keys.hosted[name], id_, layout.RECORDS, encoded.body)
    for record in encoded.records:
        begins = HOSTED[name].begins(record, id_.decode())
        if begins is not None:
            yield ("XTRIM", keys.hosted[name], "MINID", begins)
    ended = [record for record in encoded.records if isinstance(record, PlanEnded)]
    if ended:
        body = b"[" + b",".join(map(to_json, ended)) + b"]"
        yield ("XADD", keys.history, id_, layout.RECORDS, body)
        yield ("XTRIM", keys.history, "MAXLEN", "~", HISTORY_KEPT)


def _project(keys: Keys, shot: ShotKey, encoded: EncodedRecords) -> Iterator[Command]:
    """Yield what the shot's records change in the hashes for people."""
    own = keys.of(shot)
    actions: dict[str, bytes] = {}
    runs: dict[str, bytes] = {}
    for record, body in zip(encoded.records, encoded.parts, strict=True):
        if isinstance(record, Transition):
            actions[record.path] = body
        elif isinstance(record, _RUN_RECORDS):
            runs[f"{record.run} {record.type}"] = body
            if isinstance(record, RunOpened):
                yield ("SADD", keys.open, str(shot))
                yield ("ZADD", keys.shots, record.time, str(shot))
            elif isinstance(record, RunEnded):
                yield ("SREM", keys.open, str(shot))
        elif isinstance(record, TableBuilt):
            if record.reset:
                actions.clear()
                yield ("DEL", own.actions)
            yield ("DEL", own.nodes)
            nodes = {node.path: to_json(node) for node in record.actions}
            yield from _hset(own.nodes, nodes)
            yield ("HSET", keys.newest, shot.tree, shot.shot)
            yield ("ZADD", keys.shots, record.time, str(shot))
        elif isinstance(record, PulseCreated):
            if record.replaced:
                actions.clear()
                yield ("DEL", own.actions)
                yield ("DEL", own.nodes)
            yield ("SET", keys.current, str(shot))
            yield ("ZADD", keys.shots, record.time, str(shot))
        elif isinstance(record, NodeRead):
            node = record.node
            yield ("HSET", own.nodes, node.path, to_json(node))
    yield from _hset(own.actions, actions)
    yield from _hset(own.runs, runs)


def _hset(key: str, values: dict[str, bytes]) -> Iterator[Command]:
    words: list[Argument] = []
    for name, value in values.items():
        words += (name, value)
    yield from _chunks(("HSET", key), tuple(words))


def _chunks(head: Command, words: tuple[Argument, ...]) -> Iterator[Command]:
    for start in range(0, len(words), ARGUMENTS_MAX):
        yield head + words[start : start + ARGUMENTS_MAX]


def _output(keys: Keys, output: StoredOutput) -> Iterator[Command]:
    shot = ShotKey(output.tree, output.shot)
    own = keys.of(shot)
    pieces, lines = layout.format_pieces(output.first, output.pieces)
    if not pieces:
        return
    yield from _chunks(("RPUSH", own.output(output.path, output.attempt)), tuple(pieces))
    yield ("HSET", own.outputs, layout.attempt_name(output.path, output.attempt), lines)
    # Output of an attempt that no journal knows is listed too, so that it can be forgotten.
    yield ("ZADD", keys.shots, "NX", layout.displayable(output.pieces[0][0]), str(shot))
