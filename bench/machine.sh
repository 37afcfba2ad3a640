# shellcheck shell=bash
# machine: on what, with what and of which commit something was measured, as JSON.
#
#   source bench/place.sh; source bench/machine.sh; machine

first_of() { "$@" 2>/dev/null | head -n 1; }

machine() {
  jq -n --arg cpu "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" \
    --argjson cores "$(nproc)" \
    --argjson memory_mb "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" \
    --arg kernel "$(uname -sr)" --arg arch "$(uname -m)" \
    --arg system "$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release)" \
    --arg lighttpd "$(first_of lighttpd -v | grep -o '[0-9][0-9.]*' | head -n 1)" \
    --arg libcurl "$(first_of curl -V | grep -o 'libcurl/[0-9.]*' | cut -d / -f 2)" \
    --arg gcc "$(first_of gcc -dumpfullversion)" \
    --arg wrk "$(first_of wrk -v | awk '{ print $2 }')" \
    --arg load "$(cut -d ' ' -f 1 /proc/loadavg)" '$ARGS.named'
}

commit() { git -C "$ROOT" rev-parse --short=12 HEAD 2>/dev/null || echo unknown; }

# Does anything differ from that commit?
is_changed() { [[ $(git -C "$ROOT" status --porcelain 2>/dev/null) ]] && echo true || echo false; }
