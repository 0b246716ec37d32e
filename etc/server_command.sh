#!/bin/sh
# Start, restart or end action servers of this machine: sh server_command.sh CLASS COMMAND [ID]
#
#   START    start CLASS:ID; without ID, CLASS:1
#   STOP     end it in order: what it runs is ended, what it finished is reported
#   RESTART  end it in order and start it again
#   KILL     end it at once; it stays down
#   STATUS   say whether it runs
#
# Without ID, all commands but START mean every server of the class that systemd knows here.
# The monitor runs this script with an argument list, where the configuration names no other
# (monitor.server_command) and no `shotline up` runs these servers. Adapt it to how your site starts its servers;
# as it stands, it uses the unit shotline-action-server@CLASS:ID. The user who runs it needs the
# right to manage these units (polkit's org.freedesktop.systemd1.manage-units).
#
# Exit codes: 0 done; 64 wrong arguments; 69 there is no systemd here; otherwise systemctl's own.
set -eu

usage() {
    echo "server_command.sh: $1" >&2
    echo "usage: server_command.sh CLASS START|STOP|RESTART|KILL|STATUS [ID]" >&2
    exit 64
}

# A name of letters, digits, dots, dashes and underscores is no option, path or pattern.
check_name() {
    case $2 in
    '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_.-]*) usage "not a $1: '$2'" ;;
    esac
}

[ $# -eq 2 ] || [ $# -eq 3 ] || usage "two or three arguments are needed, not $#"
check_name "server class" "$1"
[ $# -eq 2 ] || check_name "server id" "$3"

if [ $# -eq 3 ]; then
    unit="shotline-action-server@$1:$3.service"
elif [ "$2" = START ]; then
    unit="shotline-action-server@$1:1.service"
else
    unit="shotline-action-server@$1:*.service"
fi

no_systemd() {
    echo "server_command.sh: there is no systemd on $(uname -n) that could start servers: list them" >&2
    echo "in the configuration (up.servers) and run \`shotline up\`, or name a script of your own" >&2
    echo "in it (monitor.server_command)" >&2
    exit 69
}

control() {
    command -v systemctl >/dev/null || no_systemd
    code=0
    systemctl --no-ask-password "$@" || code=$?
    # Where systemd does not run there is nothing to be asked, whatever was.
    [ $code -eq 0 ] || [ -d /run/systemd/system ] || no_systemd
    return $code
}

case $2 in
START) control start -- "$unit" ;;
STOP) control stop -- "$unit" ;;
RESTART) control restart -- "$unit" ;;
KILL)
    control kill --signal=SIGKILL -- "$unit"
    # Without this the unit would start it again, as after a crash.
    control stop -- "$unit"
    ;;
STATUS) control is-active -- "$unit" ;;
*) usage "unknown command '$2'" ;;
esac
