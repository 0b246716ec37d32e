"""Writes `docs/protocol.md` from the message classes.

Who sends a message when is in its class's docstring, what a field means in the comment behind it;
so the page cannot say anything else than the code. A test holds the committed page to it.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from types import ModuleType
from typing import Annotated, get_args, get_origin

from shotline.common import dangers, messages, ranges
from shotline.common.messages import MESSAGES, PROTOCOL, Message
from shotline.common.ranges import TERM_STEP_MAX

_INTRODUCTION = f"""\
# The protocol, version {PROTOCOL}

<!-- Written by `make schema` from messages, dangers and ranges. -->

All processes speak through the broker, which binds three ZeroMQ sockets:

| socket | for | others connect with |
| --- | --- | --- |
| ROUTER `broker.clients` | clients, monitors, and the dispatcher | DEALER |
| ROUTER `broker.servers` | action servers | DEALER |
| PUB `broker.events` | observers; its address is in `welcome` | SUB |

## Frames

A frame is a *batch*: a msgpack array of messages. A message is a map of its fields and of `kind`,
a name from this page. Types are exact, unknown fields are refused, fields with a default may be
left out, their order is free. One malformed message refuses its batch; what is malformed or not
allowed changes nothing and is answered by `problem`. A frame above `broker.message_bytes_max` ends
the connection.

Results whose lists can grow are answered in pages: `next` in one is `since` of the command for the
following one. The records of one commit may come in several events; an event that is too large is
left out, which its channel's numbers show.

The broker names connections itself: who sets a routing id of its own (`ZMQ_ROUTING_ID`) is
refused. Who somebody is, is said by `register`, `claim` or `hello`, and where there are keys
proven by the key; what it may be and send is what its key is for (docs/security.md). After a new
connection it is said again. A multipart of a server or client is one batch or several. On a
dispatcher's connection an address frame stands before each batch, and each batch stands for itself:

| address frame | dispatcher → broker | broker → dispatcher |
| --- | --- | --- |
| empty | for the broker itself | from the broker itself |
| `CLASS:ID/INCARNATION` | pass on to that server | from that server |
| what the broker calls a client | pass on to that client's connection | from that client |
| `*` and a channel | publish this batch of `event` on the channel | |

On the event feed a message is two frames: the channel, and a batch of `event`.

Protocol 1 had two frames for each message, kind and body; who speaks it is refused in its own
form.

## Conversations

* **Client**: `hello`, `welcome`; `ping` and `pong` from then on. `request` is answered by `reply`,
  by the broker itself when the command has expired, its role may not give it, or no dispatcher
  answers. A client whose broker is silent, new, or has another `term` says `hello` again and
  repeats its unanswered requests with their ids.
* **Server**: `register`; once `registered`, `server_beat` and `pong`, and its results. What it sent
  before is dropped. `register_anew` asks it to register in a new epoch, after which it sends
  everything again that the dispatcher has not answered. A name in use: the old one gets `probe`; it
  answers: `registration_refused`; it is silent: it is lost, and the new one is registered.
* **Dispatcher**: `claim`; once `claim_accepted`, every server registers anew. It claims again after
  every new connection, and when a `pong` does not show its term: something for it was lost.
  A `claim` is refused unless its term is above every claimed one and not below what any server has
  reported; the same dispatcher may repeat its own. A higher claim supersedes. A server that
  comes later and reports a higher term takes the seat away: `claim_refused`. A report that is more
  than {TERM_STEP_MAX} terms above the dispatcher's cannot have come about: that server's
  registration is refused, and the dispatcher stays.
* **Proof**: what the broker could not send to a server comes back as `undeliverable`, and never
  left. Order is kept on every connection; a broken one loses what was on its way, which shows when
  its end registers, claims or says hello again.

## Messages
"""


def page() -> str:
    """Return the whole page."""
    classes, lines = _classes(messages)
    sections = [_INTRODUCTION]
    for kind, cls in MESSAGES.items():
        rows = list(_fields(classes.pop(cls.__name__), lines))
        sections.append(_section(f"`{kind}`", cls, ("field", "type", ""), rows))
    sections.append("## Parts and words\n")
    sections += _parts(messages, classes, lines)
    sections += _parts(dangers, *_classes(dangers))
    sections.append("## Numbers\n\nA number outside of its range makes its message malformed.\n")
    sections.append(
        "\n".join(map(_row, [("type", "is", "from", "to"), ("---",) * 4, *_ranges()])) + "\n"
    )
    return "\n".join(sections)


def _ranges() -> Iterator[tuple[str, str, str, str]]:
    """Yield the kinds of numbers: name, type, least and greatest value."""
    for name, kind in vars(ranges).items():
        if get_origin(kind) is Annotated:
            number, meta = get_args(kind)
            least = f"{meta.ge:.16g}" if meta.ge is not None else f"above {meta.gt:.16g}"
            yield name, number.__name__, least, f"{meta.le:.16g}"


def _classes(module: ModuleType) -> tuple[dict[str, ast.ClassDef], list[str]]:
    """Return the classes of a module by their names, and the lines of its source."""
    source = inspect.getsource(module)
    body = ast.parse(source).body
    return {one.name: one for one in body if isinstance(one, ast.ClassDef)}, source.splitlines()


def _parts(
    module: ModuleType, classes: Mapping[str, ast.ClassDef], lines: list[str]
) -> Iterator[str]:
    for name, node in classes.items():
        cls = getattr(module, name)
        if issubclass(cls, StrEnum):
            yield _section(name, cls, ("word", ""), list(_words(node, lines)))
        elif cls is not Message:
            yield _section(name, cls, ("field", "type", ""), list(_fields(node, lines)))


def _section(title: str, cls: type, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"### {title}", "", inspect.cleandoc(cls.__doc__ or "")]
    if rows:
        lines += ["", _row(head), _row(("---",) * len(head)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fields(node: ast.ClassDef, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield a class's fields: name, type with default as written, comment."""
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        annotation = ast.unparse(field.annotation)
        if field.value is not None:
            annotation += f" = {ast.unparse(field.value)}"
        yield f"`{field.target.id}`", _plain(annotation), _comment(field, lines)


def _words(node: ast.ClassDef, lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield an enumeration's words as they are on the wire, with their comments."""
    for word in node.body:
        if isinstance(word, ast.Assign):
            yield f"`{ast.literal_eval(word.value)}`", _comment(word, lines)


def _comment(node: ast.stmt, lines: list[str]) -> str:
    assert node.end_lineno is not None
    behind = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
    return behind.strip().removeprefix("#").strip()


def _plain(annotation: str) -> str:
    """Return a type without the checks on it."""
    return re.sub(r"Annotated\[(\w+), Meta\([^()]*\)\]", r"\1", annotation)


if __name__ == "__main__":
    sys.stdout.write(page())
