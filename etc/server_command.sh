#!/bin/sh
# Start, restart or end action servers: sh server_command.sh CLASS COMMAND [ID]
#
#   START    start CLASS:ID; without ID, CLASS:1
#   STOP     end it in order: what it runs is ended, what it finished is reported
#   RESTART  end it in order and start it again
#   KILL     end it at once; it stays down
#   STATUS   say whether it runs
#
# Without ID, all commands but START mean every server of the class that systemd knows.
# The monitor runs this script with an argument list, where the configuration names no other
# (monitor.server_command) and no `shotline up` runs these servers. Adapt it to how your site starts its servers;
# as it stands, it uses the unit shotline-action-server@CLASS:ID. The user who runs it needs the
# right to manage these units (polkit's org.freedesktop.systemd1.manage-units; see etc/polkit).
#
# Servers of other machines are named in /etc/shotline/server_hosts (or $SHOTLINE_SERVER_HOSTS), one
# a line, as `CLASS:ID HOST` or `CLASS HOST`; of several lines for one the first counts, and
# localhost is this machine. What it does not name is on this machine. The others are reached by ssh
# as the user who runs this, who must be able to log in there without being asked. There this
# script stands at /etc/shotline/server_command.sh; let that key run nothing else, by a line of
# ~/.ssh/authorized_keys there:
#
#   restrict,command="sh /etc/shotline/server_command.sh" ssh-ed25519 …
#
# Exit codes: 0 done; 64 wrong arguments; 69 there is no systemd here; 255 ssh does not reach the
# host; otherwise systemctl's own. Of several the first that is not 0.
set -euf

usage() {
    echo "server_command.sh: $1" >&2
    echo "usage: server_command.sh CLASS START|STOP|RESTART|KILL|STATUS [ID]" >&2
    exit 64
}

# A name of letters, digits, dots, dashes and underscores is no option, path or pattern, and one word
# of one line to every shell.
check_name() {
    case $2 in
    '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_.-]*) usage "not a $1: '$2'" ;;
    esac
}

# What ssh was asked for where it may run nothing but this: `sh /etc/shotline/server_command.sh …`.
if [ $# -eq 0 ] && [ -n "${SSH_ORIGINAL_COMMAND:-}" ]; then
    # shellcheck disable=SC2086  # taken apart at its blanks, and nothing else is done with it
    set -- $SSH_ORIGINAL_COMMAND
    [ $# -gt 2 ] || usage "too few arguments"
    shift 2
    is_asked_by_ssh=1
fi

[ $# -eq 2 ] || [ $# -eq 3 ] || usage "two or three arguments are needed, not $#"
check_name "server class" "$1"
[ $# -eq 2 ] || check_name "server id" "$3"
case $2 in
START | STOP | RESTART | KILL | STATUS) ;;
*) usage "unknown command '$2'" ;;
esac
class=$1
command=$2
if [ $# -eq 3 ]; then
    id=$3
elif [ "$command" = START ]; then
    id=1
else
    id=
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

here() {
    unit="shotline-action-server@$class:${id:-*}.service"
    case $command in
    START) control start -- "$unit" ;;
    STOP) control stop -- "$unit" ;;
    RESTART) control restart -- "$unit" ;;
    KILL)
        # Without the second the unit would start it again, as after a crash.
        control kill --signal=SIGKILL -- "$unit" && control stop -- "$unit"
        ;;
    STATUS) control is-active -- "$unit" ;;
    esac
}

# The hosts that are meant, each once: those of the class, or the one of the server.
hosts() {
    list=${SHOTLINE_SERVER_HOSTS:-/etc/shotline/server_hosts}
    [ -r "$list" ] || return 0
    seen=" "
    while read -r name host rest || [ -n "$name" ]; do
        case $name in
        '' | '#'*) continue ;;
        "$class" | "$class:$id") ;;
        "$class":*) [ -z "$id" ] || continue ;;
        *) continue ;;
        esac
        [ -z "$rest" ] || usage "$list: '$name $host $rest' is more than a server and its host"
        check_name "host, in $list," "$host"
        case $seen in *" $host "*) continue ;; esac
        seen="$seen$host "
        echo "$host"
        [ -z "$id" ] || return 0
    done <"$list"
}

if [ -n "${is_asked_by_ssh:-}" ]; then
    here # it was this machine that was named
    exit
fi
meant=$(hosts)
code=0
for host in ${meant:-localhost}; do
    one=0
    if [ "$host" = localhost ]; then
        (here) || one=$?
    else
        ssh -o BatchMode=yes -o ConnectTimeout=10 -- "$host" \
            sh /etc/shotline/server_command.sh "$class" "$command" ${id:+"$id"} </dev/null || one=$?
        [ $one -ne 255 ] || echo "server_command.sh: $host could not be asked by ssh" >&2
    fi
    [ $code -ne 0 ] || code=$one
done
exit $code
