"""A shot's file, written and sent by a supervisor: all of it, a table, or a report.

with Supervisor() as shotline:
    export_shot(shotline, "TEST", 42, Path("TEST-42.shot.gz"))
    import_shot(elsewhere, Path("TEST-42.shot.gz"))
"""

import hashlib
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from shotline.client.errors import WrongArguments
from shotline.client.exports.shot_report import csv_of, html_of
from shotline.client.methods import Commands
from shotline.client.verbs import past_verbs, shot_verbs
from shotline.common.errors import LocalError
from shotline.common.files.own import log_opener
from shotline.common.files.replacing import replaced
from shotline.common.past.commands import PIECE_BYTES_MAX
from shotline.common.past.shotfile import SUFFIX, BadShotFile, ShotFileWriter, read_lines
from shotline.common.past.views import ImportShotResult

_READ_BYTES: Final = 1 << 16

Kind = Literal["shot", "csv", "html"]


class CannotWrite(LocalError):
    """The file cannot be written."""


class Exported(NamedTuple):
    """What was written."""

    file: str  # - for standard output
    size: int  # bytes
    open: bool  # the shot was still running
    words: str


def export_shot(supervisor: Commands, tree: str, shot: int, file: Path) -> Exported:
    """Write a shot's whole story into a file, which appears when all of it is there.

    Raise a SupervisorError, or CannotWrite.
    """
    return export_to(supervisor, tree, shot, "shot", file)


def export_to(supervisor: Commands, tree: str, shot: int, kind: str, file: Path | None) -> Exported:
    """Write a shot as its own file, as a table (csv) or as a report (html); `-`: standard output.

    Without a file it becomes TREE-SHOT in the current folder. Raise as `export_shot`.
    """
    suffix = SUFFIX if kind == "shot" else f".{kind}"
    target = Path(f"{tree}-{shot}{suffix}") if file is None else file
    told = _Told()
    size = 0

    def write(pieces: Iterator[bytes], out: Callable[[bytes], object]) -> None:
        nonlocal size
        for piece in pieces:
            out(piece)
            size += len(piece)

    pieces = _pieces(supervisor, tree, shot, kind, told)
    if str(target) == "-":
        write(pieces, sys.stdout.buffer.write)
        sys.stdout.buffer.flush()
    else:
        try:
            with replaced(target, log_opener) as opened:
                write(pieces, opened.write)
        except OSError as error:
            raise CannotWrite(f"{target} cannot be written: {error.strerror}") from error
    words = f"{tree}/{shot}: {size} bytes in {target}"
    if told.is_open:
        words += "; the shot is still open: the file has it as it stands now"
    return Exported(str(target), size, told.is_open, words)


class _Told:
    is_open = False


def _pieces(supervisor: Commands, tree: str, shot: int, kind: str, told: _Told) -> Iterator[bytes]:
    if kind == "shot":
        yield from shot_pieces(_texts(supervisor, tree, shot, told))
        return
    result = supervisor.ask(shot_verbs.actions(tree, shot))
    told.is_open = any(run.state != "ended" for one in result.shots for run in one.runs)
    lines = csv_of(result) if kind == "csv" else html_of(result)
    for line in lines:
        yield line.encode()


def _texts(supervisor: Commands, tree: str, shot: int, told: _Told) -> Iterator[str]:
    place: str | None = ""
    while place is not None:
        page = supervisor.ask(past_verbs.export(tree, shot, place=place))
        told.is_open = told.is_open or page.open
        yield page.text
        place = page.next


def shot_pieces(texts: Iterator[str]) -> Iterator[bytes]:
    """Yield the bytes of a shot's file, of the text of its lines as it comes."""
    packed: list[bytes] = []
    writer = ShotFileWriter(packed.append)
    for text in texts:
        writer.text(text)
        if packed:
            yield b"".join(packed)
            packed.clear()
    writer.finish()
    yield b"".join(packed)


def import_shot(supervisor: Commands, file: Path) -> ImportShotResult:
    """Send a shot's file, and have it kept; one that is not whole is refused before it is sent.

    Raise WrongArguments for a file that holds no whole shot, or a SupervisorError.
    """
    digest, size = hashlib.sha256(), 0
    try:
        for _ in read_lines(_read(file)):
            pass
        for piece in _read(file):
            digest.update(piece)
            size += len(piece)
        upload, offset = secrets.token_hex(16), 0
        for piece in _read(file, PIECE_BYTES_MAX):
            supervisor.ask(past_verbs.import_piece(upload, offset, piece))
            offset += len(piece)
    except BadShotFile as error:
        raise WrongArguments(f"{file}: {error}") from error
    except OSError as error:
        raise WrongArguments(f"{file} cannot be read: {error.strerror}") from error
    return supervisor.ask(past_verbs.import_shot(upload, size, digest.hexdigest()))


def _read(file: Path, bytes_max: int = _READ_BYTES) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(bytes_max):
            yield piece
