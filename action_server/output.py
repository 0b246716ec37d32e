"""An attempt's output: from bytes of its pipes to numbered lines, kept until they are stored.

Lines are cut and counted here, batched for the wire and remembered until the dispatcher has
journalled them (DESIGN I2, I8). Reading the pipes is `workers`' business. Pure.

What a repeat sends is the very batch that was sent before. Whole lines that came together stay
together: nothing is done per line, unless one is too long, marks progress, or is cut.
"""

import codecs
from collections import deque
from typing import Final, Literal

from msgspec import structs

from shotline.common.actions import AttemptId
from shotline.common.messages import TAIL_BYTES_MAX, Output, Tail
from shotline.common.settings.sections.action_server import ActionServerSection

STDOUT: Final = 1
STDERR: Final = 2
NOTE: Final = 0
# What a piece costs in memory beside its bytes: a tuple, a bytes object, a reference.
PIECE_OVERHEAD_BYTES: Final = 120
_BATCH_BYTES: Final = 256 * 1024  # of one Output message
_BATCH_PIECES: Final = 2048
PROGRESS_MARK: Final = b"::progress "
PROGRESS_TEXT_MAX: Final = 512
_UTF8: Final = codecs.getincrementaldecoder("utf-8")
_CHARACTER_REST_MAX: Final = 3  # bytes of a UTF-8 character beside its first, or without its last

Piece = tuple[float, int, bytes]
ProgressReport = tuple[float, str]


def parse_progress(line: bytes) -> ProgressReport | None:
    """Return the report of a line `::progress FRACTION [TEXT]`, None for any other line.

    FRACTION is a number from 0 to 1.
    """
    if not line.startswith(PROGRESS_MARK):
        return None
    return parse_report(line[len(PROGRESS_MARK) :])


def parse_report(report: bytes) -> ProgressReport | None:
    """Return the fraction and text of `FRACTION [TEXT]`, None when it is something else."""
    fraction_text, _, text = report.strip().partition(b" ")
    try:
        fraction = float(fraction_text)
    except ValueError:
        return None
    if not 0.0 <= fraction <= 1.0:
        return None
    return fraction, text.strip().decode(errors="backslashreplace")[:PROGRESS_TEXT_MAX]


class OutputLog:
    """The output of one attempt. `feed` it, `take` what is to be sent, tell it what is `stored`.

    A line `::progress FRACTION [TEXT]` on standard output is a report of progress and not kept. A
    carriage return begins the line anew, as on a terminal: what stood there is not kept.
    """

    def __init__(self, attempt: AttemptId, section: ActionServerSection) -> None:
        self._attempt = attempt
        self._section = section
        self._rests: dict[int, bytes] = {STDOUT: b"", STDERR: b""}  # began, but not ended lines
        self._told_rests: dict[int, bytes] = {}  # those that `tails` has returned
        self._gathered: list[Piece] = []
        self._gathered_bytes = 0
        self._unstored: deque[tuple[Output, int, int]] = deque()  # message, end line, memory
        self._sent_lines = 0
        self._task_lines = 0  # let through, without our notes
        self._task_bytes = 0
        self._cut_lines = 0
        self._cut_bytes = 0
        self._is_cut = False
        self._has_split = False
        self.lines = 0  # so far, notes included
        self.held_bytes = 0  # gathered or not yet stored, as memory counts it

    @property
    def has_gathered(self) -> bool:
        """Whether there are lines that `take` would return."""
        return bool(self._gathered)

    @property
    def is_batch_ready(self) -> bool:
        """Whether enough is gathered to be sent without waiting for more."""
        return self._gathered_bytes >= _BATCH_BYTES or len(self._gathered) >= _BATCH_PIECES

    @property
    def is_over_window(self) -> bool:
        """Whether so much waits to be stored that the pipes must not be read (I8)."""
        return self.held_bytes >= self._section.output_window_bytes

    @property
    def is_under_half_window(self) -> bool:
        """Whether there is room again after `is_over_window`."""
        return self.held_bytes * 2 < self._section.output_window_bytes

    def feed(self, wall: float, stream: int, data: bytes) -> ProgressReport | None:
        """Take bytes that were read from a stream. Return the last report of progress in them."""
        data = self._rests[stream] + data
        if b"\r" in data:
            data = _as_shown(data)
        if len(data) > self._section.output_line_bytes_max:
            data = self._split_long(wall, data)
        whole, newline, rest = data.rpartition(b"\n")
        self._rests[stream] = rest
        return self._take_lines(wall, stream, whole) if newline else None

    @property
    def has_tail(self) -> bool:
        """Whether `tails` would return anything."""
        return any(map(self._is_news, self._rests))

    def tails(self, wall: float) -> list[Tail]:
        """Return the lines that have not ended yet, as far as they have changed."""
        found = []
        for stream in filter(self._is_news, self._rests):
            self._told_rests[stream] = rest = self._rests[stream]
            line = rest.removesuffix(b"\r")
            end = len(line) - _begun_character(line)
            begin = max(0, end - TAIL_BYTES_MAX + _CHARACTER_REST_MAX)
            begin -= _begun_character(line[:begin])
            text = line[begin:end]
            kind: Literal[1, 2] = 1 if stream == STDOUT else 2
            found.append(Tail(attempt=self._attempt, at=wall, stream=kind, text=text))
        return found

    def tell_tails_again(self) -> None:
        """Let `tails` return all of them: who was told is another one now."""
        self._told_rests.clear()

    def _is_news(self, stream: int) -> bool:
        rest = self._rests[stream]
        return (
            rest != b""
            and rest != self._told_rests.get(stream)
            and not self._is_cut
            and not (stream == STDOUT and rest.startswith(PROGRESS_MARK))
        )

    def note(self, wall: float, text: str) -> None:
        """Add lines of ours, which no limit cuts."""
        self._gather(wall, NOTE, text.encode(errors="backslashreplace"))

    def close(self, wall: float) -> ProgressReport | None:
        """End the last lines, which had no line end, and say how much was cut."""
        last = None
        for stream, rest in self._rests.items():
            if rest:
                last = self._take_lines(wall, stream, rest) or last
        self._rests = {STDOUT: b"", STDERR: b""}
        if self._is_cut:
            self.note(
                wall, f"[{self._cut_lines} lines, {self._cut_bytes} bytes of output were cut]"
            )
        return last

    def take(self) -> list[Output]:
        """Return what is gathered as messages; each is kept until it is stored."""
        messages = []
        batch: list[Piece] = []
        size = 0
        for piece in self._gathered:
            batch.append(piece)
            size += len(piece[2])
            if size >= _BATCH_BYTES or len(batch) >= _BATCH_PIECES:
                messages.append(self._message(batch, size))
                batch, size = [], 0
        if batch:
            messages.append(self._message(batch, size))
        self._gathered, self._gathered_bytes = [], 0
        return messages

    @property
    def held_from(self) -> int:
        """The first line that is not known to be stored."""
        return self._unstored[0][0].first if self._unstored else self._sent_lines

    def unstored(self) -> list[Output]:
        """Return again what was taken and is not known to be stored."""
        held_from = self.held_from
        return [structs.replace(one, held_from=held_from) for one, _, _ in self._unstored]

    def stored(self, through: int) -> None:
        """Forget the batches that end before line `through`."""
        while self._unstored and self._unstored[0][1] <= through:
            self.held_bytes -= self._unstored.popleft()[2]

    def _message(self, batch: list[Piece], size: int) -> Output:
        message = Output(
            attempt=self._attempt,
            first=self._sent_lines,
            pieces=tuple(batch),
            held_from=self.held_from,
        )
        self._sent_lines += sum(piece[2].count(b"\n") + 1 for piece in batch)
        memory = size + PIECE_OVERHEAD_BYTES * len(batch)
        self._unstored.append((message, self._sent_lines, memory))
        return message

    def _gather(self, wall: float, stream: int, lines: bytes) -> None:
        self._gathered.append((wall, stream, lines))
        self._gathered_bytes += len(lines)
        self.lines += lines.count(b"\n") + 1
        self.held_bytes += len(lines) + PIECE_OVERHEAD_BYTES

    def _take_lines(self, wall: float, stream: int, lines: bytes) -> ProgressReport | None:
        """Take whole lines, joined by line feeds."""
        lines = lines.removesuffix(b"\r")
        self._told_rests.pop(stream, None)  # whoever was told it knows that the line has ended
        progress = None
        if stream == STDOUT and PROGRESS_MARK in lines:
            kept, progress = _without_progress(lines)
            if kept is None:
                return progress
            lines = kept
        line_ends = lines.count(b"\n")
        count, size = line_ends + 1, len(lines) - line_ends
        section = self._section
        if (
            self._is_cut
            or self._task_lines + count > section.output_lines_max
            or self._task_bytes + size > section.output_bytes_max
        ):
            self._cut(wall, stream, lines)
        else:
            self._task_lines += count
            self._task_bytes += size
            self._gather(wall, stream, lines)
        return progress

    def _cut(self, wall: float, stream: int, joined: bytes) -> None:
        """Let through what still fits, note where the cut is, count the rest."""
        lines = joined.split(b"\n")
        section = self._section
        if not self._is_cut:
            fitting = self._fitting(lines)
            if fitting:
                self._gather(wall, stream, b"\n".join(lines[:fitting]))
            lines = lines[fitting:]
            self._is_cut = True
            self.note(
                wall,
                f"[output is cut here, at {self._task_lines} lines and {self._task_bytes} bytes; "
                f"the limits are {section.output_lines_max} and {section.output_bytes_max}]",
            )
        self._cut_lines += len(lines)
        self._cut_bytes += sum(map(len, lines))

    def _fitting(self, lines: list[bytes]) -> int:
        """Count how many of the lines are still within the limits."""
        for index, line in enumerate(lines):
            if (
                self._task_lines >= self._section.output_lines_max
                or self._task_bytes + len(line) > self._section.output_bytes_max
            ):
                return index
            self._task_lines += 1
            self._task_bytes += len(line)
        return len(lines)

    def _split_long(self, wall: float, data: bytes) -> bytes:
        """Return the bytes with line feeds put into lines that are too long."""
        longest = self._section.output_line_bytes_max
        parts = []
        at = 0
        while len(data) - at > longest:
            # As far as the last line end within reach, no line can be too long.
            end = data.rfind(b"\n", at, at + longest + 1)
            if end >= 0:
                parts.append(data[at : end + 1])
                at = end + 1
                continue
            end = at + longest
            end -= _begun_character(data[at:end])
            parts.append(data[at:end] + b"\n")
            at = end
            if not self._has_split:
                self._has_split = True
                self.note(wall, f"[lines longer than {longest} bytes are split]")
        parts.append(data[at:])
        return b"".join(parts)


def _as_shown(data: bytes) -> bytes:
    """Return bytes without what a carriage return has overwritten, line by line.

    The last line has not ended: a carriage return at its end may belong to its line feed.
    """
    data = data.replace(b"\r\n", b"\n")
    if b"\r" not in data:
        return data
    *lines, rest = data.split(b"\n")
    shown = [_last_written(line) for line in lines]
    shown.append(_last_written(rest) + (b"\r" if rest.endswith(b"\r") else b""))
    return b"\n".join(shown)


def _last_written(line: bytes) -> bytes:
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _begun_character(data: bytes) -> int:
    """Return how many bytes at the end are a UTF-8 character's, and not yet all of it."""
    decoder = _UTF8("ignore")
    decoder.decode(data[-_CHARACTER_REST_MAX:])
    return len(decoder.getstate()[0])


def _without_progress(joined: bytes) -> tuple[bytes | None, ProgressReport | None]:
    """Return the lines that are not reports of progress (None: all are), and the last report."""
    kept = []
    last = None
    for line in joined.split(b"\n"):
        report = parse_progress(line)
        if report is None:
            kept.append(line)
        else:
            last = report
    return b"\n".join(kept) if kept else None, last
