#!/bin/sh
# Tell of alarms: sh alarm_command.sh [ARGUMENT…] SEVERITY COUNT TEXT
#
# The dispatcher runs what alarms.alarm_command names, with the arguments that stand there, then the
# highest severity (high, medium, low), how many alarms there are, and a line of text about them.
# Each alarm can be read as a line of JSON. The environment has SHOTLINE_ALARM_SEVERITY, _COUNT,
# _TEXT, and of the most severe one _HELP and _CONTACT.
#
# As it stands it writes to the system's log. Adapt it, as
#
#   echo "$3" | mail -s "Shotline: $2 alarms" "$1"
#
# Exit codes: 0 told; anything else is an alarm of its own, with what was written.
set -eu
[ $# -ge 3 ] || { echo "usage: alarm_command.sh [ARGUMENT…] SEVERITY COUNT TEXT" >&2; exit 64; }
while [ $# -gt 3 ]; do shift; done
case $1 in
high) priority=daemon.crit ;;
medium) priority=daemon.err ;;
*) priority=daemon.warning ;;
esac
logger -t shotline-alarms -p "$priority" -- "$3"
