"""What a request is about, so that who may give it can be said for many at a time. Pure."""

from enum import StrEnum


class Scope(StrEnum):
    """What a command, or another request, is about."""

    READ = "read"  # shots, actions, output, servers, logs: nothing is changed
    METRICS = "metrics"  # what Prometheus collects
    PROPOSE = "propose"  # pulse plans, which somebody else is to approve
    COMMAND = "command"  # pulses, tables, runs and actions
    RECORDS = "records"  # data records and the volumes that they are in
    SERVERS = "servers"  # action servers and mdsip urls
    ADMINISTER = "administer"  # the dispatcher's end, sessions of others
