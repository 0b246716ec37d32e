"""What a request asks for: the command in its body or query, or which field is wrong. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec
from msgspec import structs
from pydantic import ValidationError

from shotline.common.base import to_json
from shotline.common.codec import wrong
from shotline.common.command import Command, OnShot
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome, Reply
from shotline.monitor.messages import quoted
from shotline.monitor.models import FieldProblem

STATUS_OF: Final = {
    Outcome.OK: 200,
    Outcome.ACCEPTED: 200,
    Outcome.FAILED: 200,
    Outcome.USAGE: 422,
    Outcome.REFUSED: 409,
    Outcome.NOBODY: 503,
    Outcome.ERROR: 500,
}


class BadInput(Exception):
    """The request is wrong; `fields` says where."""

    def __init__(self, fields: tuple[FieldProblem, ...]) -> None:
        self.fields = fields
        super().__init__("; ".join(f"{one.field}: {one.message}" for one in fields))


def status_of(reply: Reply) -> int:
    """Return the HTTP status of a command's reply."""
    if reply.outcome is Outcome.REFUSED and reply.unknown:
        return 404
    if reply.outcome is Outcome.FAILED and not reply.result:
        return 409  # it was tried and could not be done, as a pulse that was not created
    return STATUS_OF[reply.outcome]


def body_of(reply: Reply) -> bytes:
    """Return the answer that a command's reply becomes; its result is passed on as it came."""
    return b'{"outcome":%s,"message":%s,"notices":%s,"dangers":%s,"result":%s}' % (
        quoted(reply.outcome.value),
        quoted(reply.message),
        json.dumps(reply.notices).encode(),
        b"[%s]" % b",".join(map(to_json, reply.dangers)),
        reply.result or b"null",
    )


def command_of(kind: type[Command], body: bytes) -> AnyCommand:
    """Return the command of a JSON object. Raise BadInput."""
    try:
        command = msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise BadInput((problem_of(error),)) from None
    return _whole(command)


def query_of(kind: type[Command], given: Mapping[str, object]) -> AnyCommand:
    """Return the command of a query's arguments. Raise BadInput."""
    try:
        command = msgspec.convert(given, kind, strict=False)
    except ValueError as error:
        raise BadInput((problem_of(error),)) from None
    return _whole(command)


def with_query(command: AnyCommand, given: dict[str, str]) -> AnyCommand:
    """Return a command with fields that its query gives. Raise BadInput."""
    fields = structs.asdict(command) | given
    return query_of(type(command), fields)


def text_of(name: str, given: Sequence[bytes]) -> str:
    """Return an argument of a query as it was given, once. Raise BadInput."""
    if len(given) != 1:
        raise BadInput((FieldProblem(field=name, message="is given more than once"),))
    try:
        return given[0].decode().strip()
    except UnicodeDecodeError:
        raise BadInput((FieldProblem(field=name, message="is no UTF-8 text"),)) from None


def _whole(command: Command) -> AnyCommand:
    if isinstance(command, OnShot) and (command.tree is None) != (command.shot is None):
        field = "tree" if command.tree is None else "shot"
        words = "give both tree and shot, or neither for the current pulse"
        raise BadInput((FieldProblem(field=field, message=words),))
    return cast("AnyCommand", command)


def problem_of(error: Exception) -> FieldProblem:
    """Return what is wrong with a command."""
    where, what = wrong(error)
    return FieldProblem(field=where or "body", message=what)


def problems_of(error: ValidationError) -> tuple[FieldProblem, ...]:
    """Return what is wrong with each field of a request."""
    return tuple(
        FieldProblem(
            field=".".join(str(step) for step in item["loc"]) or "body", message=item["msg"]
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    )
