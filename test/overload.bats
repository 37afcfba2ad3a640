#!/usr/bin/env bats
# overload: what is more than the gateway may do at the same time is refused at once, as a JSON error
# that says when to try again; it goes on accepting, and nothing stays behind.
load helpers

readonly CONCURRENT=4

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  write_config "$CONCURRENT"
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() {
  release
  show_logs_of_failure
}

# write_config CONCURRENT
write_config() {
  cat >"$GATEWAY_CONFIG" <<END
{
  "upstreams": { "odd": { "servers": ["\${ODD}"], "title": "Odd service", "timeout": "20s" } },
  "limits": { "concurrent": $1 },
  "errors": { "body": { "oops": "{error.title}", "why": "{error.message}", "cause": "{error.cause}" } },
  "routes": {
    "GET,POST /own": { "pass": "odd /ok", "errors": { "body": { "own": "{error.status}" } },
      "cors": { "origins": ["https://shop.example"] } },
    "GET,POST,PUT /{any*}": "odd"
  }
}
END
}

# As many calls as there may be, all of them held. Each is the second of its connection: see gone.bats.
occupy() {
  local held=$BATS_TEST_NUMBER-$RANDOM
  held_by=()
  for ((i = 0; i < CONCURRENT; i++)); do
    curl -s -o /dev/null "$URL/ok" --next -s -o /dev/null --max-time 20 "$URL/hold/$held-$i" 3>&- &
    held_by+=("$!")
    wait_until is_held "$held-$i"
  done
}
is_held() { get_from misbehave "/held/$1" && [ "$(field .held)" = true ]; }

# Lets them go; the next requests are served.
release() {
  [[ ! ${held_by[*]:-} ]] || kill -KILL "${held_by[@]}" || true
  held_by=()
  wait_until answers_200 /ok
}
answers_200() { get "$1" && [[ $code == 200 ]]; }

threads() { sed -n 's/^Threads:[[:space:]]*//p' "/proc/$(responder_pid gateway)/status"; }
descriptors() { find "/proc/$(responder_pid gateway)/fd" -mindepth 1 | wc -l; }

@test "what is too much is refused in the file's shape, with Retry-After and a request id" {
  occupy
  get /ok -H 'X-Request-ID: too-much'
  expect 503 '{"oops":"Service Unavailable","why":"Too many requests are under way, try again","cause":"refused"}'
  [ "$(header retry-after)" = 1 ]
  [ "$(header content-type)" = application/json ]
  [ "$(header x-request-id)" = too-much ]
  wait_until grep -qE ' too-much GET /ok 503 1[0-9]{2}\.' "$RUN_DIR/gateway.log"
}

@test "a refusal is the route's own error, and told to pages and to clients that want problem details" {
  occupy
  get /own -H 'Origin: https://shop.example'
  expect 503 '{"own":503}'
  [ "$(header access-control-allow-origin)" = https://shop.example ]
  get /own -H 'Accept: application/problem+json'
  [ "$(header content-type)" = application/problem+json ]
  [ "$(field '"\(.status) \(.cause)"')" = '503 refused' ]
  [ "$(header retry-after)" = 1 ]
}

@test "a request that comes while others are about to end waits for its turn" {
  "$BUILD/test/fixtures/load" 12 once "$URL/slow?ms=20" >"$BATS_TEST_TMPDIR/body"
  [ "$(field '.statuses | tostring')" = '{"200":12}' ]
}

@test "one that has ended makes room for the next" {
  occupy
  get /ok
  expect 503
  kill -KILL "${held_by[0]}"
  wait_until answers_200 /ok
}

@test "hundreds that are too much are all refused, and nothing of the gateway grows" {
  local before working
  occupy
  get /ok
  before=$(descriptors) working=$(threads)
  "$BUILD/test/fixtures/load" 300 once "$URL/ok" >"$BATS_TEST_TMPDIR/body"
  cat "$BATS_TEST_TMPDIR/body"
  [ "$(field '.statuses | tostring')" = '{"503":300}' ]
  (($(threads) == working))
  wait_until has_descriptors "$((before + 1))"
}
has_descriptors() { (($(descriptors) <= $1)); }

@test "a body that is refused is not waited for" {
  occupy
  head -c 500000 /dev/zero >"$BATS_TEST_TMPDIR/small"
  request POST /sink --data-binary "@$BATS_TEST_TMPDIR/small"
  expect 503
  exec {slow}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'PUT /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n12345' >&"$slow"
  read -r -t 5 line <&"$slow"
  [[ $line == 'HTTP/1.1 503'* ]]
  get /ok
  expect 503
  exec {slow}>&-
}

@test "a connection that says nothing does not keep others from being refused" {
  occupy
  spawn mute "$BUILD/test/fixtures/mute" "$RUN_DIR/gateway.fcgi" 20
  wait_until grep -q connected "$RUN_DIR/mute.log"
  get /ok --max-time 10
  expect 503
  kill "$(tail -n 1 "$RUN_DIR/spawned")"
}

@test "the log says once when an overload begins, and when it is over" {
  local before
  wait_until is_over || wait_until is_over # it is looked at every 5 s, and found over at the second look
  before=$(said 'overloaded: 4 requests are under way, more are refused')
  occupy
  for _ in 1 2 3; do
    get /ok
    expect 503
  done
  release
  wait_until is_over || wait_until is_over
  (($(said 'overloaded: 4 requests are under way, more are refused') == before + 1))
}
said() { grep -cE " fcgi-gateway $1\$" "$RUN_DIR/gateway.log"; }
is_over() { (($(said 'overloaded: .*') == $(said 'the overload is over: [0-9]+ requests were refused'))); }

@test "a connection that finds no descriptor waits for one" {
  local gateway soft client
  gateway=$(responder_pid gateway)
  soft=$(prlimit --pid "$gateway" --nofile --output SOFT --noheadings)
  prlimit --pid "$gateway" --nofile=3:
  curl -s --max-time 20 -o /dev/null -w '%{http_code}' "$URL/ok" >"$BATS_TEST_TMPDIR/code" 3>&- &
  client=$!
  wait_until grep -q 'cannot accept: Too many open files' "$RUN_DIR/gateway.log"
  prlimit --pid "$gateway" --nofile="${soft// /}:"
  wait "$client"
  [ "$(<"$BATS_TEST_TMPDIR/code")" = 200 ]
  wait_until has_places # after such trouble it tries no new thread for a second
}
has_places() {
  "$BUILD/test/fixtures/load" "$CONCURRENT" once "$URL/slow?ms=300" >"$BATS_TEST_TMPDIR/body"
  [ "$(field '.statuses | tostring')" = "{\"200\":$CONCURRENT}" ]
}

@test "a gateway that is stopped while it is overloaded answers everyone first" {
  occupy
  "$BUILD/test/fixtures/load" 40 once "$URL/ok" >"$BATS_TEST_TMPDIR/body" 3>&- &
  kill -TERM "$(responder_pid gateway)"
  wait "$!"
  cat "$BATS_TEST_TMPDIR/body"
  [ "$(field '.statuses | keys - ["200","503"] | length')" = 0 ]
}

@test "a reload does not change how many there may be, and says so" {
  write_config 5
  run -0 "$CONTROL" reload
  [ "${lines[0]}" = 'limits.concurrent changes with a restart, not with a reload' ]
  write_config "$CONCURRENT"
  "$CONTROL" reload
}

@test "there are as many places as there are descriptors for, and the log says so" {
  write_config 9000
  run -0 "$CONTROL" stop gateway
  (ulimit -n 1200 && "$CONTROL" start gateway 3>&-)
  grep -qE '^fcgi-gateway: warning: 1200 descriptors are enough for 142 requests at the same time and not for 9000 ' \
    "$RUN_DIR/gateway.log"
  "$BUILD/test/fixtures/load" 250 once "$URL/slow?ms=1000" >"$BATS_TEST_TMPDIR/body"
  cat "$BATS_TEST_TMPDIR/body"
  [ "$(field '.statuses | keys | tostring')" = '["200","503"]' ]
}
