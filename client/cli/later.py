"""What a command of `shotline` needs only when it is carried out, imported then.

    from shotline.client.cli import later

    send(later.shot_verbs.status(), later.render.show_status)

The modules of the commands are all imported to list them, to help and to complete a word; messages,
sockets, tables and the configuration are needed for none of these (a test holds them out).
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shotline.client import consumer as consumer
    from shotline.client import errors as errors
    from shotline.client.cli import fleet_file as fleet_file
    from shotline.client.cli.views import alarms_view as alarms_view
    from shotline.client.cli.views import audit_view as audit_view
    from shotline.client.cli.views import fleet_view as fleet_view
    from shotline.client.cli.views import follow as follow
    from shotline.client.cli.views import past_view as past_view
    from shotline.client.cli.views import queue_view as queue_view
    from shotline.client.cli.views import records_view as records_view
    from shotline.client.cli.views import render as render
    from shotline.client.cli.views import tree_view as tree_view
    from shotline.client.doctor import bundle as bundle
    from shotline.client.doctor import keys as keys
    from shotline.client.doctor import machine as machine
    from shotline.client.doctor import page as page
    from shotline.client.doctor import providers as providers
    from shotline.client.doctor import site as site
    from shotline.client.doctor import store as store
    from shotline.client.exports import queue_export as queue_export
    from shotline.client.exports import shot_files as shot_files
    from shotline.client.local import daemons as daemons
    from shotline.client.local import demo as demo
    from shotline.client.local import link as link
    from shotline.client.local import rehearsing as rehearsing
    from shotline.client.local import requests as requests
    from shotline.client.local import up as up
    from shotline.client.verbs import alarm_verbs as alarm_verbs
    from shotline.client.verbs import fleet_verbs as fleet_verbs
    from shotline.client.verbs import past_verbs as past_verbs
    from shotline.client.verbs import queue_verbs as queue_verbs
    from shotline.client.verbs import records_verbs as records_verbs
    from shotline.client.verbs import shot_verbs as shot_verbs
    from shotline.common import accounts as accounts
    from shotline.common import base as base
    from shotline.common import messages as messages
    from shotline.common import scopes as scopes
    from shotline.common import views as views
    from shotline.common.files import secret_file as secret_file
    from shotline.common.keys import folder as folder
    from shotline.common.keys import peers as peers
    from shotline.common.settings import config as config
    from shotline.common.settings import yamlfile as yamlfile
    from shotline.trees import experiment_file as experiment_file

_FOLDERS: Final = {
    "errors": "client",
    "past_verbs": "client.verbs",
    "past_view": "client.cli.views",
    "queue_export": "client.exports",
    "alarms_view": "client.cli.views",
    "shot_files": "client.exports",
    "audit_view": "client.cli.views",
    "fleet_file": "client.cli",
    "fleet_view": "client.cli.views",
    "follow": "client.cli.views",
    "queue_view": "client.cli.views",
    "records_view": "client.cli.views",
    "render": "client.cli.views",
    "tree_view": "client.cli.views",
    "bundle": "client.doctor",
    "keys": "client.doctor",
    "machine": "client.doctor",
    "page": "client.doctor",
    "providers": "client.doctor",
    "site": "client.doctor",
    "store": "client.doctor",
    "daemons": "client.local",
    "demo": "client.local",
    "link": "client.local",
    "rehearsing": "client.local",
    "requests": "client.local",
    "up": "client.local",
    "accounts": "common",
    "base": "common",
    "folder": "common.keys",
    "peers": "common.keys",
    "config": "common.settings",
    "yamlfile": "common.settings",
    "experiment_file": "trees",
    "scopes": "common",
    "secret_file": "common.files",
    "consumer": "client",
    "alarm_verbs": "client.verbs",
    "fleet_verbs": "client.verbs",
    "queue_verbs": "client.verbs",
    "records_verbs": "client.verbs",
    "shot_verbs": "client.verbs",
    "messages": "common",
    "views": "common",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _FOLDERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"shotline.{_FOLDERS[name]}.{name}")
