#!/usr/bin/env bats
# chaos: whatever a service does, its callers are told within their deadline, and the callers of another
# one notice nothing. Both are test/fixtures/misbehave.c; test/fixtures/load.c asks the calm one all the
# time.
load helpers

readonly DEADLINE_MS=1000 # of every route to the sick service, in `write_config`
readonly LATE_MS=500      # for a machine that is busy with something else

setup_file() {
  choose_place
  start_one calm
  start_one sick
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  write_config >"$GATEWAY_CONFIG"
  start_app gateway
}

teardown_file() {
  kill_spawned
  rm -f -- "$RUN_DIR/calm.sock" "$RUN_DIR/sick.sock"
  stop_app_as_it_is
}
teardown() {
  show_logs_of_failure
  [[ ! ${watching:-} ]] || kill "$watching" 2>/dev/null || true
  kill -CONT "$(pid_of sick)" 2>/dev/null || true
}

# start_one NAME: a service at unix:$RUN_DIR/NAME.sock.
start_one() {
  spawn "$1" "$BUILD/test/fixtures/misbehave" "unix:$RUN_DIR/$1.sock"
  tail -n 1 -- "$RUN_DIR/spawned" >"$RUN_DIR/$1.pid"
  wait_until get_from "$1" /ok
}
pid_of() { cat -- "$RUN_DIR/$1.pid"; }

# What the sick service can do to its callers. Each route has an upstream of its own, so that what the
# gateway learns from one is not held against another.
readonly SICKNESSES='slow silent reset empty cut cut-chunked stalled long two-lengths listed-lengths garbage switching redirect dribble huge ok'

write_config() {
  local name
  echo '{ "upstreams": { "calm": { "servers": ["unix:'"$RUN_DIR"'/calm.sock"] }'
  for name in $SICKNESSES; do
    printf ', "%s": { "servers": ["unix:'"$RUN_DIR"'/sick.sock"], "timeout": "'"$DEADLINE_MS"'ms" }\n' \
      "pass-$name" "made-$name"
  done
  echo ', "shipped": { "servers": ["unix:'"$RUN_DIR"'/sick.sock"] }' # nothing is set: what every upstream has
  echo ', "asked": { "servers": ["unix:'"$RUN_DIR"'/sick.sock"], "breaker": null }'
  echo ', "hanging": { "servers": ["unix:'"$RUN_DIR"'/sick.sock"], "timeout": "5s" }'
  echo '}, "routes": { "GET /calm/{rest*}": { "pass": "calm /{rest}" }, "GET /hanging": { "pass": "hanging /silent" }'
  echo ', "GET /shipped": { "pass": "shipped /ok" }, "GET /asked": { "pass": "asked /reset" }'
  for name in $SICKNESSES; do
    printf ', "GET /pass/%s": { "pass": "pass-%s /%s" }\n' "$name" "$name" "$name"
    printf ', "GET /made/%s": { "timeout": "%dms", "calls": { "a": "made-%s GET /%s?ms={query.ms}&bytes={query.bytes}" }, "reply": "{a}" }\n' \
      "$name" "$DEADLINE_MS" "$name" "$name"
  done
  echo '} }'
}

## The calm service's callers

watch_calm() {
  "$BUILD/test/fixtures/load" 4 60 "$URL/calm/ok" 10 >"$BATS_TEST_TMPDIR/calm" 3>&- &
  watching=$!
}

# They all got 200, and soon.
calm_is_well() {
  kill -TERM "$watching"
  wait "$watching"
  watching=
  echo "calm: $(cat "$BATS_TEST_TMPDIR/calm")"
  jq -e '(.statuses | keys) == ["200"] and .p99_ms < 500' "$BATS_TEST_TMPDIR/calm" >/dev/null
}

## The sick one's

# ask PATH: sets `code` (of a whole reply; "cut" where it broke off) and `took` in milliseconds.
ask() {
  local seconds status
  read -r code seconds status < <(curl -sg --max-time 20 -o /dev/null -w '%{http_code} %{time_total} %{exitcode}\n' "$URL$1")
  took=$(awk -v s="$seconds" 'BEGIN { printf "%d", s * 1000 }')
  ((!status)) || code="cut"
}

calls_of_sick() { get_from sick /count && field .requests; }

# sickness PASSED MADE PATH: both kinds of routes give these codes, in time; and so they do to ten clients
# at once, to whom the gateway may also say that it does not ask any more (503). No call is made twice.
sickness() {
  local kind before after want
  watch_calm
  before=$(calls_of_sick)
  for kind in pass made; do
    [[ $kind == pass ]] && want=$1 || want=$2
    ask "/$kind/$3"
    echo "$kind $3: $code after $took ms"
    [[ $code == "$want" ]]
    ((took < DEADLINE_MS + LATE_MS))
    "$BUILD/test/fixtures/load" 10 once "$URL/$kind/$3" >"$BATS_TEST_TMPDIR/ten"
    cat "$BATS_TEST_TMPDIR/ten"
    jq -e --arg want "${want/cut/0}" --argjson most $((DEADLINE_MS + LATE_MS)) \
      '(.statuses | keys - [$want, "503"]) == [] and .longest_ms < $most' "$BATS_TEST_TMPDIR/ten" >/dev/null
  done
  after=$(calls_of_sick)
  echo "calls: $((after - before - 1)) for 22 requests"
  ((after - before - 1 <= 22 + 22 / 5 + 2)) # retries are at most a fifth, and the two that a new budget has
  calm_is_well
}

@test "it is slow" { sickness 504 504 'slow?ms=3000'; }
@test "it is silent" { sickness 504 504 silent; }
@test "it resets the connection" { sickness 502 502 reset; }
@test "it closes the connection" { sickness 502 502 empty; }
@test "it cuts a body that has a length" { sickness cut 502 cut; }
@test "it cuts a body that has none" { sickness cut 502 cut-chunked; }
@test "it announces more than it sends, and stays" { sickness cut 504 stalled; }
@test "it sends more than it announces" { sickness 200 502 long; }
@test "it announces two lengths" { sickness 502 502 two-lengths; }
@test "it announces a list of lengths" { sickness 502 502 listed-lengths; }
@test "it sends garbage" { sickness 502 502 garbage; }
@test "it changes the protocol" { sickness 502 502 switching; }
@test "it redirects to itself" { sickness 302 502 redirect; }
@test "it dribbles its header fields" { sickness 504 504 'dribble?ms=100'; }

## The gateway

memory() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$(responder_pid gateway)/status"; }
threads() { sed -n 's/^Threads:[[:space:]]*//p' "/proc/$(responder_pid gateway)/status"; }
# Sanitizers keep what is freed, and have a shadow of all memory.
is_plain() { ! grep -qE '__(asan|tsan)_init' "$BUILD/fcgi-gateway"; }

@test "it sends 200 MB: passed through they cost no memory, in a composed reply they are too long" {
  local before now most=0 download
  watch_calm
  ask '/made/huge?bytes=200000000'
  echo "made: $code after $took ms"
  [[ $code == 502 || $code == 504 ]] # too long, or too long in coming
  before=$(memory)
  curl -s --max-time 60 -o /dev/null -w '%{http_code} %{size_download}\n' "$URL/pass/huge?bytes=200000000" \
    >"$BATS_TEST_TMPDIR/size" 3>&- &
  download=$!
  while kill -0 "$download" 2>/dev/null; do
    now=$(memory)
    ((now <= most)) || most=$now
  done
  wait "$download"
  echo "memory before $before KiB, at most $most KiB, after $(memory) KiB"
  [ "$(<"$BATS_TEST_TMPDIR/size")" = '200 200000000' ]
  ((most - before < 8192)) || run ! is_plain
  calm_is_well
}

# recovers_at PATH: how long until it answers 200 again; at most 3 s.
recovers_at() {
  local start=${EPOCHREALTIME/[^0-9]/} took
  wait_until answers_200 "$1"
  took=$(((${EPOCHREALTIME/[^0-9]/} - start) / 1000))
  echo "it is used again after $took ms"
  ((took < 3000))
}
answers_200() { get "$1" && [[ $code == 200 ]]; }

# Ten clients, twice: every reply is an error in time, with one of these statuses.
fails_with() {
  local statuses=$1
  for _ in 1 2; do
    "$BUILD/test/fixtures/load" 10 once "$URL/pass/ok" >"$BATS_TEST_TMPDIR/ten"
    cat "$BATS_TEST_TMPDIR/ten"
    jq -e --argjson known "$statuses" --argjson most $((DEADLINE_MS + LATE_MS)) \
      '(.statuses | keys - $known) == [] and .longest_ms < $most' "$BATS_TEST_TMPDIR/ten" >/dev/null
  done
}

@test "it is killed, and started again" {
  watch_calm
  answers_200 /pass/ok
  kill -KILL "$(pid_of sick)"
  wait_until is_gone "$(pid_of sick)"
  fails_with '["502","503"]'
  start_one sick
  recovers_at /pass/ok
  calm_is_well
}

@test "it freezes, and goes on" {
  watch_calm
  answers_200 /pass/ok
  kill -STOP "$(pid_of sick)"
  fails_with '["504","503"]'
  kill -CONT "$(pid_of sick)"
  recovers_at /pass/ok
  calm_is_well
}

@test "its socket is deleted, and made again" {
  watch_calm
  rm -- "$RUN_DIR/sick.sock"
  "$BUILD/test/fixtures/load" 10 once "$URL/pass/ok" >"$BATS_TEST_TMPDIR/ten"
  cat "$BATS_TEST_TMPDIR/ten" # connections that are kept serve on; a new one cannot be made
  jq -e '(.statuses | keys - ["200", "502", "503"]) == []' "$BATS_TEST_TMPDIR/ten" >/dev/null
  kill -KILL "$(pid_of sick)"
  fails_with '["502","503"]'
  start_one sick
  recovers_at /pass/ok
  calm_is_well
}

# How many calls of a load there were, and how many had this status.
requests_of() { jq '.statuses | add' "$BATS_TEST_TMPDIR/$1"; }
replies_of() { jq --arg status "$2" '.statuses[$status] // 0' "$BATS_TEST_TMPDIR/$1"; }

# Calls that came while it was frozen are still read when it goes on. Twice the same: that was all.
has_read_all() {
  local before
  before=$(calls_of_sick)
  (($(calls_of_sick) == before + 1)) && (($(connections_to "$RUN_DIR/sick.sock") < 40))
}

is_as_before() { (($(threads) <= $1 && $(memory) <= $2)); }

says_breaker_is() { grep -q "upstream shipped: the breaker is $1\$" "$RUN_DIR/gateway.log"; }

@test "with the shipped settings a frozen service is left alone after its first timeouts, and used again within 3 s" {
  local callers before calls threads memory
  wait_until is_settled
  watch_calm
  answers_200 /shipped
  threads=$(threads) memory=$(memory)
  before=$(calls_of_sick)
  kill -STOP "$(pid_of sick)"
  "$BUILD/test/fixtures/load" 9 60 "$URL/shipped" 50 >"$BATS_TEST_TMPDIR/callers" 3>&- &
  callers=$!
  wait_until says_breaker_is open || wait_until says_breaker_is open # calls have 5 s
  get /shipped
  [[ $code != 503 ]] || [[ $(header Retry-After) == [1-9]* ]]
  "$BUILD/test/fixtures/load" 4 5 "$URL/shipped" 50 >"$BATS_TEST_TMPDIR/others"
  kill -TERM "$callers"
  kill -CONT "$(pid_of sick)"
  recovers_at /shipped
  wait "$callers"
  wait_until has_read_all
  calls=$(($(calls_of_sick) - before))
  echo "callers: $(cat "$BATS_TEST_TMPDIR/callers"), others: $(cat "$BATS_TEST_TMPDIR/others"), calls: $calls"
  ((calls * 3 < $(requests_of callers) + $(requests_of others)))
  (($(replies_of others 503) * 2 > $(requests_of others)))    # others are those that try
  jq -e '.p50_ms < 500' "$BATS_TEST_TMPDIR/others" >/dev/null # at once
  calm_is_well
  wait_until is_as_before $((threads + 4)) $((memory + 8192)) ||
    wait_until is_as_before $((threads + 4)) $((memory + 8192)) || run ! is_plain # it is looked at every 5 s
}

@test "an outage without a breaker is multiplied by a fifth at most" {
  local before calls requests
  watch_calm
  before=$(calls_of_sick)
  "$BUILD/test/fixtures/load" 8 3 "$URL/asked" >"$BATS_TEST_TMPDIR/callers"
  calls=$(($(calls_of_sick) - before - 1)) requests=$(requests_of callers)
  echo "callers: $(cat "$BATS_TEST_TMPDIR/callers"), calls: $calls for $requests requests"
  (($(replies_of callers 502) == requests && calls >= requests))
  ((calls <= requests + requests / 5 + 20)) # and a few that a good time has saved
  calm_is_well
}

# More than one of its lines is there since the test began: it is under load.
log_lines() { wc -l <"$RUN_DIR/gateway.log"; }
has_logged() { (($(log_lines) > $1)); }

@test "the gateway is killed under load: what was under way is lost, no more, and not for long" {
  local clients=50 load lost before
  before=$(log_lines)
  "$BUILD/test/fixtures/load" "$clients" 3 "$URL/calm/slow?ms=20" >"$BATS_TEST_TMPDIR/load" 3>&- &
  load=$!
  wait_until has_logged $((before + 500))
  kill_responder gateway
  wait "$load"
  echo "killed under load: $(cat "$BATS_TEST_TMPDIR/load")"
  lost=$(jq '[.statuses | to_entries[] | select(.key != "200") | .value] | add // 0' "$BATS_TEST_TMPDIR/load")
  echo "$lost requests of $clients clients are lost, all within $(jq .trouble_ms "$BATS_TEST_TMPDIR/load") ms"
  ((lost <= clients))
  jq -e '.trouble_ms < 1000' "$BATS_TEST_TMPDIR/load" >/dev/null
}

keeper() { processes_of "$RUN_DIR" | sed -n 's/ fcgi-keeper$//p'; }
has_both() { [[ $(keeper) && $(responder_pid gateway) ]] && answers_200 /calm/ok; }

@test "its keeper is killed, alone or with it: lighttpd starts both again" {
  local killed pid
  for killed in keeper both both; do
    wait_until has_both
    killed="$(keeper) $([[ $killed == keeper ]] || responder_pid gateway)"
    # shellcheck disable=SC2086 # one or two
    kill -KILL $killed
    for pid in $killed; do wait_until is_gone "$pid"; done
    wait_until has_both
  done
}

@test "a gateway that was told to end is there again, and no request is lost" {
  local load gateway before
  before=$(log_lines)
  "$BUILD/test/fixtures/load" 8 2 "$URL/calm/slow?ms=5" >"$BATS_TEST_TMPDIR/load" 3>&- &
  load=$!
  wait_until has_logged $((before + 100))
  gateway=$(responder_pid gateway)
  kill -TERM "$gateway"
  wait_until is_gone "$gateway"
  wait "$load"
  cat "$BATS_TEST_TMPDIR/load"
  jq -e '(.statuses | keys) == ["200"]' "$BATS_TEST_TMPDIR/load" >/dev/null
  [[ $(responder_pid gateway) != "$gateway" ]]
}

# p99_of PATH: of 8 clients, in ms, for a second.
p99_of() { "$BUILD/test/fixtures/load" 8 1 "$URL$1" 2 | jq 'if (.statuses | keys) == ["200"] then .p99_ms else 99999 end'; }

# Connections of the gateway's web server to it, and of it to the sick service, as the kernel lists them.
connections_to() { grep -c -F -- "$1" /proc/net/unix; }
is_settled() { (($(connections_to "$RUN_DIR/gateway.fcgi") < 20 && $(connections_to "$RUN_DIR/sick.sock") < 40)); }

hundreds_wait() { (($(connections_to "$RUN_DIR/gateway.fcgi") > 400)); }

# least NUMBER... What else a machine does makes a p99 only longer, and the two of a round differently.
least() { printf '%s\n' "$@" | sort -g | head -n 1; }

@test "500 clients of a service that hangs leave another one's p99 within 2x" {
  local hanging quiet=() loud=()
  wait_until is_settled
  p99_of /calm/ok >/dev/null # threads and connections are there
  for _ in 1 2 3 4 5; do # by turns: the machine may be busy with something else, at any time
    quiet+=("$(p99_of /calm/ok)")
    kill -STOP "$(pid_of sick)"
    "$BUILD/test/fixtures/load" 500 30 "$URL/hanging" 1000 >/dev/null 3>&- &
    hanging=$!
    wait_until hundreds_wait
    loud+=("$(p99_of /calm/ok)")
    kill -KILL "$hanging"
    wait "$hanging" || true
    kill -CONT "$(pid_of sick)"
    wait_until is_settled # or what is left of this round would count as the next one's quiet
  done
  echo "p99 without ${quiet[*]} ms, with 500 that hang ${loud[*]} ms"
  awk -v quiet="$(least "${quiet[@]}")" -v loud="$(least "${loud[@]}")" \
    'BEGIN { printf "least %.2f ms and %.2f ms: %.2f times\n", quiet, loud, loud / quiet; exit loud > 2 * quiet }'
}
