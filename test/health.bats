#!/usr/bin/env bats
# health: asking after the health of all is cheap for who is asked: one question at a time, a short
# answer, and in its time.
load helpers

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  configure /told/health 10s
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() {
  show_logs_of_failure
  tell ''
}

# configure PATH TIMEOUT: that is asked, and waited for.
configure() {
  cat >"$GATEWAY_CONFIG" <<JSON
{
  "upstreams": {
    "odd": { "servers": ["\${ODD}"], "health": { "path": "$1", "timeout": "$2" } },
    "well": { "servers": ["\${ODD}"], "health": { "path": "/ok" } }
  },
  "defaults": { "cache": "1h" },
  "routes": { "GET /health": "builtin:health", "GET /odd": "odd", "GET /well": "well" }
}
JSON
}

reload() { run -0 "$CONTROL" reload gateway; }

tell() { get_from misbehave "/tell/health?$1"; }
asked() { get_from misbehave /asked/health && field .requests; }
# Each who waits for another one's answer has an eventfd, and nothing else in the gateway has.
has_followers() {
  [ "$(find "/proc/$(responder_pid gateway)/fd" -lname 'anon_inode:\[eventfd\]' 2>/dev/null | wc -l)" = "$1" ]
}

@test "who asks while somebody asks already gets the same answer, and no service is asked twice" {
  local i clients=() before
  before=$(asked)
  tell hold
  for i in {1..8}; do
    curl -s --max-time 20 -H "Host: h$i" -H "Authorization: a$i" -H "Accept: a/$i" -o "$BATS_TEST_TMPDIR/$i" \
      "$URL/health?$i" 3>&- &
    clients+=($!)
  done
  wait_until has_followers 7
  tell status=500
  wait "${clients[@]}"
  [ "$(jq -c '[.odd.http_code, .well.status]' "$BATS_TEST_TMPDIR"/[1-8] | sort | uniq -c | tr -s ' ')" = ' 8 [500,"healthy"]' ]
  [ "$(asked)" = $((before + 1)) ]
}

@test "what has been answered is asked for again, whatever the defaults say of caching" {
  local before
  before=$(asked)
  tell ''
  get /health
  expect 200
  get /health
  expect 200
  [ "$(asked)" = $((before + 2)) ]
}

@test "an answer that is too long is none" {
  configure '/list?count=20000' 10s
  reload
  get /health
  expect 200
  [ "$(field '.odd.data|length')" = 20000 ]
  configure '/list?count=200000' 10s
  reload
  get /health
  [ "$code" = 503 ]
  [ "$(field .odd.status)" = unhealthy ]
  [ "$(field .well.status)" = healthy ]
}

@test "an answer that comes too slowly is none, and ends in its time" {
  configure '/dribble?ms=200' 1s
  reload
  get /health -H 'X-Request-ID: dribbled'
  expect 503
  [ "$(field .odd.status)" = unreachable ]
  wait_until grep -qE ' dribbled GET /health 503 [1-4][0-9]{3}\.' "$RUN_DIR/gateway.log"
}
