"""The process that looks at the past for the dispatcher, so that its loop never waits for that.

It reads jobs as JSON lines from one descriptor and answers each with one line on another; the
first line says where everything is. It writes nothing to Redis, and files into one folder alone.
The other side is `host`.
"""

import os
import sys

import msgspec
from msgspec import structs

from shotline import __version__
from shotline.common.base import to_json, to_line
from shotline.common.codec import sendable
from shotline.common.past.commands import ImportPiece, ImportShot
from shotline.common.past.shotfile import BadShotFile
from shotline.common.past.views import ImportPieceResult, ImportShotResult
from shotline.common.records import ShotKey
from shotline.common.settings.configuration import Config
from shotline.dispatcher.past.folder import Folder, Incoming
from shotline.dispatcher.past.folding import Nowhere
from shotline.dispatcher.past.jobs import (
    AnyPastJob,
    KeepJob,
    KeptJob,
    PastDone,
    PastJob,
    decode_job,
)
from shotline.dispatcher.past.keeping import Keeping
from shotline.dispatcher.past.reader import Reader
from shotline.dispatcher.past.redis_store import RedisStore
from shotline.dispatcher.past.store import Both, Unreadable


class PastWorker:
    """Answers jobs. Of the configuration, the sections of `host.SECTIONS` count."""

    def __init__(self, config: Config) -> None:
        self._redis = RedisStore(config.redis)
        self._folder = Folder(config.kept.folder)
        self.reader = Reader(Both(self._redis, self._folder), __version__, config)
        views = self.reader.folds.views
        self._keeping = Keeping(
            self._redis, self._folder, self.reader.exporting, config.kept.bytes_max
        )
        self._incoming = Incoming(config.kept.folder, config.kept.bytes_max, views)
        self._incoming.clear()

    def answer(self, job: AnyPastJob) -> PastDone:
        """Answer a job; whatever is wrong is said in words."""
        try:
            match job:
                case KeptJob():
                    return PastDone(job=job.job, kept=self._kept())
                case KeepJob():
                    self._keeping.keep(job.key, job.wall)
                    return PastDone(job=job.job)
                case PastJob(asked=ImportPiece() as piece):
                    received = self._incoming.piece(piece.upload, piece.offset, piece.data)
                    return _done(job.job, ImportPieceResult(received=received))
                case PastJob(asked=ImportShot() as asked):
                    return self._import(job, asked)
                case PastJob():
                    return self.reader.answer(job)
        except (BadShotFile, Unreadable, Nowhere) as error:
            return PastDone(job=job.job, error=str(error))
        except OSError as error:
            return PastDone(job=job.job, error=f"{error.filename}: {error.strerror}")
        raise AssertionError

    def _kept(self) -> tuple[ShotKey, ...]:
        return tuple(one.key for one in self._folder.shots())

    def _import(self, job: PastJob, asked: ImportShot) -> PastDone:
        try:
            head, end, shot = self._incoming.check(asked.upload, asked.size, asked.sha256)
            key = head.key
            exporting = self.reader.exporting
            known = self._redis.version(key) or self._folder.version(key)
            if known and exporting.content(key) != end.content:
                raise BadShotFile(f"{key} is here already, and is not the same: look at both first")
            if not known:
                self._incoming.take(asked.upload, shot, job.by, job.wall, self._folder.file_of(key))
        finally:
            self._incoming.drop(asked.upload)
        result = ImportShotResult(tree=key.tree, shot=key.shot, is_new=not known)
        words = "is here already; nothing has changed" if known else "was imported"
        return structs.replace(_done(job.job, result, f"{key} {words}"), kept=self._kept())


def _done(job: int, result: ImportPieceResult | ImportShotResult, message: str = "") -> PastDone:
    return PastDone(job=job, result=msgspec.Raw(to_json(result)), message=message)


def main(jobs: int, answers: int) -> None:
    """Serve until the dispatcher closes the pipe."""
    with os.fdopen(jobs, "rb") as lines, os.fdopen(answers, "wb") as out:
        worker = PastWorker(Config.model_validate_json(lines.readline()))
        for line in lines:
            job = decode_job(line)
            try:
                answer = worker.answer(job)
            except Exception as error:  # noqa: BLE001  say so, and go on with the next
                text = sendable(f"it cannot be answered: {type(error).__name__}: {error}")
                answer = PastDone(job=job.job, error=text)
            out.write(to_line(answer))
            out.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
