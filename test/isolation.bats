#!/usr/bin/env bats
# isolation: what happens to one service stays with its callers, and a crash costs what was under way
# in that process and nothing else.
load helpers

setup_file() { start_app; }
teardown_file() { stop_app; }
teardown() {
  show_logs_of_failure
  local name
  for name in users orders gateway; do
    kill -CONT "$(responder_pid "$name")" 2>/dev/null || true
  done
}

# burst CLIENTS PATTERN: so many clients at once, each with a connection of its own, ask for every
# path of the pattern (curl's [1-9] and {a,b}). Writes "STATUS SECONDS" of every reply to `burst`.
burst() {
  local results=$BATS_TEST_TMPDIR/replies
  rm -rf -- "$results" && mkdir -- "$results"
  seq "$1" | xargs -P "$1" -I '{}' sh -c \
    'curl -s --max-time 60 -o /dev/null -w "%{http_code} %{time_total}\n" "$1" >"$2/$3"; :' \
    - "$URL$2" "$results" '{}'
  cat "$results"/* >"$BATS_TEST_TMPDIR/burst"
}

# all_200 COUNT: the last burst had so many replies, all with status 200.
all_200() {
  local found
  found=$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/burst" | sort | uniq -c | tr -s ' ')
  [[ $found == " $1 200" ]] || { echo "expected $1 200, got$found" && return 1; }
}

# The slowest reply of the last burst, in milliseconds.
slowest_ms() { awk '$2 > most { most = $2 } END { printf "%d", most * 1000 }' "$BATS_TEST_TMPDIR/burst"; }

answers_200() { get "$1" && [[ $code == 200 ]]; }

@test "20,000 requests of 64 clients have no error" {
  burst 64 '/{orders,users,users/1/orders,dashboard}?n=[1-79]'
  all_200 20224
}

@test "killing the users service again and again costs no caller of /orders anything" {
  local kills=0 load
  while ((kills < 3)); do # a fast machine is through before there were enough of them
    burst 8 '/{orders,orders/1,orders/status/ready}?n=[1-400]' 3>&- &
    load=$!
    while kill -0 "$load" 2>/dev/null; do
      kill_responder users 2>/dev/null && kills=$((kills + 1))
      wait_until answers_200 /users/1
    done
    wait "$load"
    all_200 9600
  done
}

@test "a killed service is used again within 3 s" {
  local name start
  for name in users orders; do
    kill_responder "$name"
    start=${EPOCHREALTIME/./}
    wait_until answers_200 "/$name/1"
    ((${EPOCHREALTIME/./} - start < 3000000))
  done
}

@test "a service that hangs holds up its own callers only" {
  local hanging
  wait_until no_breaker_is_open # those before this one have killed services
  kill -STOP "$(responder_pid users)"
  (cd "$BATS_TEST_TMPDIR" && seq 100 | xargs -P 100 -I '{}' curl -s --max-time 20 -o /dev/null "$URL/users?n={}") 3>&- &
  hanging=$!
  wait_until hundred_wait
  burst 8 '/orders/[1-10]?n=[1-40]'
  kill -0 "$hanging" # or it was no test
  kill -CONT "$(responder_pid users)"
  wait "$hanging" || true
  all_200 3200
  (($(slowest_ms) < 2000)) || { echo "the slowest took $(slowest_ms) ms" && return 1; }
  get /users/1
  expect 200
}

# It takes calls to close one.
no_breaker_is_open() {
  get /users/1 && get /orders/1
  get /health && expect 200 && [[ $body != *'"breaker"'* ]]
}

# The kernel lists the gateway's own end of each connection of its web server.
hundred_wait() { (($(grep -c -F -- "$RUN_DIR/gateway.fcgi" /proc/net/unix) > 100)); }

@test "the callers of a service that hangs are told after its timeout, and all at the same time" {
  local start=${EPOCHREALTIME/./}
  kill -STOP "$(responder_pid orders)"
  burst 50 '/{users/1/orders,orders}'
  kill -CONT "$(responder_pid orders)"
  [[ $(cut -d' ' -f1 "$BATS_TEST_TMPDIR/burst" | sort | uniq -c | tr -s ' ') == " 100 503" ]]
  ((${EPOCHREALTIME/./} - start < 14000000))
  wait_until answers_200 /orders/1
}

@test "a killed gateway is back within 3 s" {
  local start
  kill_responder gateway
  start=${EPOCHREALTIME/./}
  wait_until answers_200 /users/1/orders
  ((${EPOCHREALTIME/./} - start < 3000000))
}

@test "a gateway that is stopped answers first what is under way" {
  local users reply stop
  users=$(responder_pid users)
  kill -STOP "$users"
  curl -s --max-time 20 -o "$BATS_TEST_TMPDIR/last" -w '%{http_code}' -H 'X-Request-ID: the-last' \
    "$URL/users/1" >"$BATS_TEST_TMPDIR/code" 3>&- &
  reply=$!
  wait_until is_under_way
  stop_service gateway 3>&- &
  stop=$!
  wait_until is_refused
  kill -CONT "$users"
  wait "$reply"
  wait "$stop"
  start_service gateway
  [[ $(<"$BATS_TEST_TMPDIR/code") == 200 && $(jq -r .user.id "$BATS_TEST_TMPDIR/last") == 1 ]]
}

# The users' web server has the gateway's request and its halted program has not taken it.
is_under_way() { (($(ss_queue "$RUN_DIR/users.fcgi-0") >= 1)); }

# Connections that wait to be accepted on a unix socket's path.
ss_queue() { awk -v path="$1" '$8 == path && $6 == "02" { n++ } END { print n + 0 }' /proc/net/unix; }

is_refused() { ! curl -s --max-time 1 -o /dev/null "$URL/"; }
