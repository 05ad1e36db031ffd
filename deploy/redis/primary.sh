#!/bin/sh
# Print who is the primary: its address and its port, as the Sentinels say. Where none answers, what this host's
# Sentinel has written down. With "replication" instead print what this host's Redis reads when it starts: whom it
# replicates, or nothing. A Redis that has been away must not come back as a second primary.
#
#     primary.sh SETTINGS [replication]
#
# SETTINGS is a shell's file: SITE; SENTINELS, as "address:port address:port"; SENTINEL_USER; REDISCLI_AUTH, the
# password; WRITTEN, the file of this host's Sentinel; OWN, the address of this host.
set -eu

. "$1"
export REDISCLI_AUTH

# The entries of SENTINEL MASTER come as a line of a name and a line of a value.
ask() {
    timeout 2 redis-cli --no-auth-warning --user "$SENTINEL_USER" -h "${1%:*}" -p "${1##*:}" SENTINEL MASTER "$SITE" |
        awk 'NR % 2 { name = $0; next }
             { value[name] = $0 }
             END { if (value["ip"]) print value["config-epoch"], value["ip"], value["port"] }'
}

# A Sentinel that was away may know an older primary: each failover has a higher epoch.
newest=$(for sentinel in $SENTINELS; do ask "$sentinel" 2>/dev/null || true; done | sort -n | tail -n 1)
primary=${newest#* }
if [ -z "$primary" ]; then
    primary=$(awk '$1 == "sentinel" && $2 == "monitor" { print $4, $5 }' "$WRITTEN")
fi

case "${2:-}" in
    replication) [ "${primary% *}" = "$OWN" ] || echo "replicaof $primary" ;;
    *) echo "$primary" ;;
esac
