"""All workloads, in the order in which they are measured."""

from typing import Final

from bench.harness import ActionWorkload, Measurement
from bench.workloads.abort import Abort
from bench.workloads.browsers import Browsers
from bench.workloads.chain import Chain
from bench.workloads.fan import Fan
from bench.workloads.growth import Growth
from bench.workloads.idle import Idle
from bench.workloads.independent import Independent
from bench.workloads.lines import Lines
from bench.workloads.page import PageInBrowser
from bench.workloads.queue import Queue
from bench.workloads.records import Records
from bench.workloads.single import Single
from bench.workloads.startup import Startup
from bench.workloads.tables import Tables

ACTION_WORKLOADS: Final[tuple[ActionWorkload, ...]] = (
    Single(),
    Independent(),
    Chain(),
    Fan(),
    Lines(),
)
WORKLOADS: Final[tuple[Measurement, ...]] = (
    *ACTION_WORKLOADS,
    Browsers(),
    Idle(),
    Tables(),
    Growth(),
    Startup(),
    Abort(),
    Queue(),
    Records(),
    PageInBrowser(),
)
