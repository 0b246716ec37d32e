"""A shot as a file: all of it, a table, or a report that prints. What they hold is the client's."""

import base64
import hashlib
from typing import Final

from shotline.client.exports.shot_report import STYLE, csv_of, html_of
from shotline.common.past.commands import Export
from shotline.common.past.shotfile import SUFFIX, ShotFileWriter
from shotline.monitor.http.api import Handler
from shotline.monitor.http.requests import BadInput, query_of
from shotline.monitor.models import FieldProblem

FORMS: Final = {
    "shot": ("application/gzip", SUFFIX),
    "csv": ("text/csv; charset=utf-8", ".csv"),
    "report": ("text/html; charset=utf-8", ".html"),
}
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(f"\n{STYLE}".encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
"""A report has no scripts, and one style: its own."""


class ShotFileHandler(Handler):
    """A shot in one of the forms."""

    async def get(self, *named: str) -> None:
        """Write it, piece by piece; `named`: tree and shot of a report that is looked at."""
        given: dict[str, str] = dict(zip(("tree", "shot"), named, strict=False)) or self.query()
        form = "report" if named else given.pop("form", "shot")
        if form not in FORMS:
            words = f"must be one of {', '.join(FORMS)}"
            raise BadInput((FieldProblem(field="form", message=words),))
        command = query_of(Export, given)
        assert isinstance(command, Export)
        if form == "shot":
            await self._whole(command)
            return
        supervisor = self.services.follower.supervisor
        result = await self.waited(supervisor.actions(command.tree, command.shot))
        self._begin(command, form, is_shown=bool(named))
        for line in csv_of(result) if form == "csv" else html_of(result):
            self.write(line)

    async def _whole(self, command: Export) -> None:
        supervisor = self.services.follower.supervisor
        packed: list[bytes] = []
        writer = ShotFileWriter(packed.append)
        place: str | None = command.place
        begun = False
        while place is not None:
            page = await self.waited(supervisor.export(command.tree, command.shot, place=place))
            if not begun:
                begun = True
                self._begin(command, "shot", is_shown=False)
            writer.text(page.text)
            place = page.next
            if packed:
                self.write(b"".join(packed))
                packed.clear()
                await self.flush()
        writer.finish()
        self.write(b"".join(packed))

    def _begin(self, command: Export, form: str, *, is_shown: bool) -> None:
        kind, suffix = FORMS[form]
        self.set_header("Content-Type", kind)
        if form == "report":
            self.set_header("Content-Security-Policy", POLICY)
        if not is_shown:
            name = f"{command.tree}-{command.shot}{suffix}"
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
