"""The configuration of keys and of what is allowed without. Pure."""

from pathlib import Path

from pydantic import Field

from shotline.common.settings.sections.values import Section, Switch


class KeysSection(Section):
    """The keys by which the broker and its peers know each other."""

    folder: Path = Field(
        Path("keys"),
        description="Folder of keys, inside `data_folder`, made by `shotline keys init` or by "
        "`shotline up`. Where the broker finds its own key there, it lets nobody in without one, "
        "and each may do what its key is for; else everybody may do everything. Every program "
        "finds its own there: NAME.key, where NAME is dispatcher, monitor, watcher, legacy, "
        "qserver, filterorchestrator, provider, a server's CLASS:ID or CLASS, and for commands "
        "operator or viewer.",
    )
    file: Path | None = Field(
        None,
        description="The one key of all that read this file, beside it; null: systemd's credential "
        "shotline_key (the broker's: shotline_broker_key), else the one in `folder`.",
    )
    required: Switch = Field(
        False, description="true: no program begins without its key, and the broker lets none in."
    )
    made_by_up: Switch = Field(
        True,
        description="`shotline up` makes the keys of all that it starts, and one for the commands "
        "of its user, unless `security.insecure` is true. false: it uses those that are there.",
    )


class SecuritySection(Section):
    """Who may connect."""

    insecure: Switch = Field(
        False,
        description="true: sockets may be bound beyond this machine although anyone who reaches "
        "them may then command the experiment.",
    )
