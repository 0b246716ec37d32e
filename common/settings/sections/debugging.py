"""What may be rehearsed. Pure."""

from pydantic import Field

from shotline.common.settings.sections.values import Section


class DebugSection(Section):
    """What is for rehearsals and for the search for faults."""

    rehearsals: bool = Field(
        False,
        description="Whether `shotline debug hang DAEMON` and `shotline debug crash DAEMON` may "
        "let a daemon hang or end, so that a site can rehearse what happens then.",
    )
