# shellcheck shell=bash disable=SC2154
# memory: what each process holds, idle, with a thousand requests under way, and after a million; and
# how long starts take.
#
#   source bench/place.sh; source bench/rounds.sh
#   memory_of WHEN NAME PROCESS...       a line in $place/memory for each process of that place
#   under_way COUNT                      starts a gateway of its own for it
#   work_on COUNT                        asks the gateway `shipped`, until it had so many in all
#   rested_memory                        of that, later
#   starts COUNT                         lines in $place/starts

# VmHWM and the like are in the kernel's own words: RssAnon is what no other process shares.
memory_of() {
  local when=$1 name=$2 process pid
  shift 2
  for process in "$@"; do
    pid=$(pid_of "$name" "$process" | head -n 1)
    [[ $pid ]] || fail "$process does not run in $name"
    jq -Rnc --arg when "$when" --arg process "$process" --arg name "$name" '
      [inputs | capture("^(?<key>RssAnon|VmRSS|Threads):\\s*(?<value>[0-9]+)") | { (.key): (.value | tonumber) }] | add
      | { when: $when, at: $name, process: $process, anon_kb: .RssAnon, rss_kb: .VmRSS, threads: .Threads }' \
      "/proc/$pid/status" >>"$place/memory"
  done
}

readonly GATEWAY_PROCESSES=(lighttpd fcgi-keeper fcgi-gateway) REST_SECONDS=20 WORK_UNTIL_S=265

idle_memory() {
  memory_of idle shipped "${GATEWAY_PROCESSES[@]}"
  memory_of idle users fcgi-users
  memory_of idle orders fcgi-orders
}

# A service that lets nobody go before one more has come than there are calls: that one is the bench, when
# it has looked. Requests are passed through, and composed of two calls.
under_way() {
  local count=$1
  jq -n --argjson count "$count" --arg held "unix:$place/held/held.sock" '{
    upstreams: { held: { servers: [$held], timeout: "60s", max_concurrent: ($count * 2) } },
    limits: { concurrent: ($count + 24) },
    defaults: { coalesce: false },
    routes: { "GET /{rest*}": "held",
      "GET /composed": { calls: ({ a: "held GET /barrier?n=\($count * 2 + 1)&ms=30000" } | .b = .a), reply: "{a}{b}" } } }' >"$place/held.json"
  held passed "$count" "$count" "barrier?n=$((count + 1))&ms=30000"
  held composed "$count" "$((count * 2))" composed
}

# held KIND REQUESTS CALLS PATH
held() {
  local kind=$1 count=$2 service load at=http://127.0.0.1
  own held "$BUILD/test/fixtures/misbehave" "unix:$place/held/held.sock"
  service=$started_pid
  until_so "$START_SECONDS" test -S "$place/held/held.sock" || fail "the service that waits did not start"
  gateway "held-$kind" "$place/held.json"
  at+=:${ports[held-$kind]}
  curl -sf --noproxy '*' -o /dev/null "$at/ok" || fail "the service that waits does not answer"
  memory_of "before $kind" "held-$kind" "${GATEWAY_PROCESSES[@]}"
  "$BUILD/test/fixtures/load" "$count" once "$at/$4" >"$place/load" &
  load=$!
  until_so "$START_SECONDS" are_waiting "$3" || fail "not $count requests were under way"
  memory_of "$kind" "held-$kind" "${GATEWAY_PROCESSES[@]}"
  of_held "barrier?n=$(($3 + 1))" >/dev/null
  wait "$load"
  [[ $(jq -c .statuses "$place/load") == "{\"200\":$count}" ]] ||
    fail "of $count requests at once came back: $(cat -- "$place/load")"
  gateway_end "held-$kind"
  ended "$service"
  rm -f -- "$place/held/held.sock"
}

of_held() { curl -sf --noproxy '*' --unix-socket "$place/held/held.sock" "http://held/$1"; }
are_waiting() { [[ $(of_held waiting) == "{\"waiting\":$1}" ]]; }

# So many that it had in all, with those that it was measured by; fewer where the time is up before, so that
# all of the bench takes less than five minutes. How many there were is told with the figures.
work_on() {
  local had more
  had=$({ jq -r '"\(.name) \(.requests)"' "$place/slices" && cat -- "$place/warmed"; } |
    awk '$1 == "gateway" || $1 ~ /-shared$/ { had += $2 } END { print had + 0 }')
  while ((had < $1 && SECONDS < WORK_UNTIL_S)); do
    progress "memory: $had of $1 requests"
    read -r more _ < <(ask 2.95 64 slice.lua "http://127.0.0.1:${ports[shipped]}/")
    ((more > 0)) || fail "the gateway answered nothing to 64 clients"
    ((had += more))
    forget_logs
  done
  printf '%s\n' "$had" >"$place/requests_before_memory"
}

# When it has given back the threads that it has no work for.
rested_memory() {
  local pid
  pid=$(pid_of shipped fcgi-gateway)
  until_so "$REST_SECONDS" is_rested "$pid" || echo "bench: the gateway still has $(threads_of "$pid") threads" >&2
  memory_of worked shipped "${GATEWAY_PROCESSES[@]}"
  memory_of worked users fcgi-users
  memory_of worked orders fcgi-orders
}

threads_of() { sed -n 's/^Threads:[[:space:]]*//p' "/proc/$1/status"; }
is_rested() { (($(threads_of "$1") <= 4)); }

# `make start` where all is built: until /health says that all is well.
starts() {
  local number begin
  env GATEWAY_CONFIG="$ROOT/fcgi-gateway/gateway.json" "$BUILD/bench/start" "$1" / "$place/start.fcgi" \
    "$BUILD/fcgi-gateway" 2>"$place/start.log" | sed 's/.*/{"what":"exec","ms":&}/' >>"$place/starts"
  [[ ${PIPESTATUS[0]} == 0 ]] || fail "the gateway did not start: $(cat -- "$place/start.log")"
  for ((number = 0; number < ($1 + 1) / 2; number++)); do
    port made
    begin=${EPOCHREALTIME/[^0-9]/}
    made start || fail "make start: $(cat -- "$place/said")"
    echo "{\"what\":\"make\",\"ms\":$((${EPOCHREALTIME/[^0-9]/} - begin))}" | jq -c '.ms /= 1000' >>"$place/starts"
    curl -sf --noproxy '*' "http://127.0.0.1:${ports[made]}/health" | jq -e '.overall_status == "healthy"' >/dev/null ||
      fail "not healthy after make start"
    made stop || fail "make stop: $(cat -- "$place/said")"
  done
}

# With the name for the folder of the programs that they were built with: another would build them anew.
made() {
  make -C "$ROOT" -s --no-print-directory "$1" BUILD="$(realpath -m --relative-base="$ROOT" -- "$BUILD")" RUN_DIR="$place/made" PORT="${ports[made]}" >"$place/said" 2>&1
}
