"""The commands about what has been; most are answered beside the loop, notes written here. Pure."""

from typing import Final

from msgspec import structs

from shotline.common import commands as c
from shotline.common.command import OnShot
from shotline.common.messages import Outcome
from shotline.common.past.commands import AnyPastCommand, WriteNote
from shotline.common.past.views import NoteResult
from shotline.common.records import NoteWritten, ShotKey
from shotline.dispatcher.commands import meant
from shotline.dispatcher.commands.answer import Answer, Asked, Refused, Unknown
from shotline.dispatcher.commands.requests import Done, Family
from shotline.dispatcher.past.jobs import KeptJob, PastAsked, PastDone, PastJob
from shotline.dispatcher.reading.paging import Page
from shotline.dispatcher.shots import Shot

NOTES_MAX: Final = 500  # of one shot
TEXTS_MAX: Final = 2000  # ever written there, also those that others have taken the place of

OfShot = c.Actions | c.Show | c.Logs | c.Check


class PastCommands(Family):
    """Passes questions on to the worker of the past; writes notes into the journal."""

    def operate(self, asked: Asked, command: AnyPastCommand) -> Answer | None:
        """Carry out a command."""
        if isinstance(command, WriteNote):
            return self._note(asked, command)
        self._ask(asked, command)
        return None

    def of_kept(self, asked: Asked, command: OfShot) -> bool:
        """Ask about a shot that only a file may have. Return whether that is so."""
        key = _named(command)
        if key is None or key in self._core.shots or key in self._core.stored:
            return False
        self._ask(asked, command)
        return True

    def refuse_kept(self, command: OnShot | c.CreatePulse) -> None:
        """Raise Refused for what would change a shot that only a file has."""
        key = _named(command)
        if key is not None and self.is_kept(key):
            raise Refused(f"{key} is kept in a file: it is only looked at, and never run")

    def is_kept(self, key: ShotKey) -> bool:
        """Whether only a file has a shot."""
        core = self._core
        return key in core.kept and key not in core.shots and key not in core.stored

    def look_for_kept(self) -> None:
        """Have the worker say which shots files have."""
        self._core.at_once(KeptJob(job=self._core.next_job()))

    def _ask(self, asked: Asked, command: PastAsked) -> None:
        def done(done: Done) -> Answer:
            assert isinstance(done, PastDone)
            if done.error:
                raise Unknown(done.error) if done.unknown else Refused(done.error)
            outcome = Outcome.FAILED if done.failed else Outcome.OK
            page = Page(bytes(done.result), done.is_last)
            return Answer(outcome, done.message, page, done.notices)

        core = self._core
        job = self._requests.later(asked, done)
        core.at_once(
            PastJob(
                job=job, asked=command, bytes_max=core.page_bytes, wall=core.wall, by=asked.user
            )
        )

    def take(self, done: PastDone) -> None:
        """Take what the worker has answered."""
        if done.kept is not None:
            self._core.kept = set(done.kept)
        self._requests.done(done.job, done)

    # Notes

    def _note(self, asked: Asked, command: WriteNote) -> Answer | None:
        key = meant.key_of(self._core, command)
        self.refuse_kept(structs.replace(command, tree=key.tree, shot=key.shot))
        return self._requests.on_loaded(asked, key, lambda: self._write(asked, key, command))

    def _write(self, asked: Asked, key: ShotKey, command: WriteNote) -> Answer:
        shot = self._core.shots.get(key)
        if shot is None:
            raise Unknown(f"nothing is known of {key}")
        record = _note_of(shot, command, asked.user or "somebody", self._core.wall)
        self._core.put(shot, record)
        what = "removed" if record.removed else "written" if command.note is None else "changed"
        about = f" on {record.path}" if record.path else ""
        text = f"{key}: note {record.note}{about} was {what}"
        return Answer(Outcome.OK, text, NoteResult(note=record))


def _note_of(shot: Shot, command: WriteNote, by: str, wall: float) -> NoteWritten:
    """Return the record of a note. Raise Refused where it may not be written."""
    text = command.text.strip()
    if shot.note_texts >= TEXTS_MAX:
        raise Refused(f"{shot.key} has had {TEXTS_MAX} notes written; no more are taken")
    if command.note is None:
        if command.remove:
            raise Refused("say the number of the note that is to be removed")
        if not text:
            raise Refused("the note has no text")
        if len(shot.notes) >= NOTES_MAX:
            raise Refused(f"{shot.key} has {NOTES_MAX} notes already; no more are taken")
        path = "" if command.path is None else shot.table.find(command.path)
        number = max(shot.notes, default=0) + 1
        return NoteWritten(time=wall, note=number, path=path, text=text, by=by)
    old = shot.notes.get(command.note)
    if old is None or old.removed:
        raise Unknown(f"{shot.key} has no note {command.note}")
    if command.path is not None and shot.table.find(command.path) != old.path:
        raise Refused(f"note {old.note} is on {old.path or 'the shot as a whole'}")
    if command.remove == bool(text):
        raise Refused("give another text for the note, or remove it")
    return NoteWritten(
        time=wall,
        note=old.note,
        path=old.path,
        text=text,
        by=by,
        first_at=old.time if old.first_at is None else old.first_at,
        first_by=old.first_by or old.by,
        removed=command.remove,
    )


def _named(command: OnShot | c.CreatePulse) -> ShotKey | None:
    if command.tree is None or command.shot is None:
        return None
    return ShotKey(command.tree, command.shot)
