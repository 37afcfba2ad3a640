#!/usr/bin/env bats
# servers: an upstream with several servers: who gets the calls, and what becomes of them when one of the
# servers is sick, leaves or comes. Each server is a test/fixtures/misbehave of its own that counts.
load helpers
load moody

setup_file() {
  choose_place
  local name
  for name in a b c; do
    start_server "$name"
  done
  export A=unix:$RUN_DIR/a.sock B=unix:$RUN_DIR/b.sock C=unix:$RUN_DIR/c.sock
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  configure
  start_app gateway
}

teardown_file() { stop_servers_and_app; }
teardown() { show_logs_of_failure; }

# configure [MEMBERS [HEALTH]]: with these members of the upstream "three" in place of its servers, and
# this "health" of "checked".
configure() {
  local three=${1:-'"servers": ["${A}", "${B}", "${C}"]'}
  local health=${2:-'"path": "/ok", "interval": "50ms", "timeout": "200ms", "fall": 2, "rise": 2'}
  cat >"$GATEWAY_CONFIG" <<JSON
{
  "upstreams": {
    "three": { $three, "timeout": "4s" },
    "turns": { "timeout": "1s", "servers": ["\${A}", { "url": "\${B}", "weight": 3 }], "balance": "round_robin" },
    "checked": {
      "servers": ["\${B}", "\${C}"], "outlier": null,
      "health": { $health }
    },
    "keyed": { "servers": ["\${A}", "\${B}", "\${C}"], "balance": "hash {header.X-User}" }
  },
  "routes": {
    "GET,POST /moody": "three",
    "GET /composed": { "calls": { "it": "three GET /moody" }, "reply": "{it}" },
    "GET /in-turn": { "pass": "turns /moody" },
    "GET /keyed": { "pass": "keyed /moody" },
    "GET /keyed/composed": { "calls": { "it": "keyed GET /moody" }, "reply": "{it}" },
    "GET /checked": { "pass": "checked /moody" },
    "GET /health": "builtin:health"
  }
}
JSON
}

reload() { run -0 "$CONTROL" reload gateway; }

# is_used NAME [PATH]: do calls come to this server now?
is_used() { gets 3 "${2:-/moody}" && (($(calls_of "$1") > 0)); }

good_mood() { for name in a b c; do mood "$name"; done; }

# One that was slow once, as any may be on a busy machine, gets few calls for a while.
is_spread() {
  [ "$(gets 30 /moody)" = 30 ] && (($(calls_of a) >= 10 && $(calls_of b) >= 10 && $(calls_of c) >= 10))
}

@test "calls are spread over all servers" {
  good_mood
  wait_until is_spread
}

@test "in turn, servers get calls as their weights say" {
  good_mood
  [ "$(gets 40 /in-turn)" = 40 ]
  [ "$(calls_of a)" = 10 ]
  [ "$(calls_of b)" = 30 ]
}

@test "the same key goes to the same server, other keys to others" {
  local user
  for user in {1..6}; do
    good_mood
    [ "$(gets 4 /keyed -H "X-User: $user")" = 4 ]
    get /keyed/composed -H "X-User: $user"
    expect 200
    for name in a b c; do
      case $(calls_of "$name") in
      5 | 0) ;;
      *) echo "user $user: $name had $(calls_of "$name")" && return 1 ;;
      esac
    done
  done
  good_mood
  for user in {1..60}; do # the keys that a server has depend on its address, which is new in each run
    get /keyed -H "X-User: $user"
  done
  for name in a b c; do
    (($(calls_of "$name") >= 1)) || { echo "$name had none" && return 1; }
  done
}

@test "a request without a key goes anywhere" {
  good_mood
  [ "$(gets 30 /keyed)" = 30 ]
  (($(calls_of a) > 0 && $(calls_of b) > 0 && $(calls_of c) > 0))
}

@test "no caller sees that one of three servers answers 503 to all" {
  good_mood
  mood b 'status=503'
  [ "$(gets 40 /moody)" = 40 ]
  [ "$(gets 40 /composed)" = 40 ]
  (($(calls_of b) < 20)) || { echo "b was asked $(calls_of b) times" && return 1; }
  [ "$(gets 40 /in-turn)" = 40 ]
  (($(calls_of b) < 30)) || { echo "b was asked $(calls_of b) times" && return 1; }
  wait_until grep -q 'upstream turns: server .*/b.sock is ejected' "$RUN_DIR/gateway.log"
  good_mood
  wait_until is_used b /in-turn
  wait_until is_used b
}

@test "a server that is killed is not seen, POST included, and gets calls when it is back" {
  good_mood
  kill_server c
  [ "$(gets 30 /moody)" = 30 ]
  for _ in {1..20}; do
    request POST /moody -d x
    expect 200
  done
  start_server c
  wait_until is_used c
}

@test "a server that is frozen costs some callers half of their time, and then nobody" {
  good_mood
  kill -STOP "$(pid_of a)"
  local slow
  [ "$(gets 32 /in-turn -H 'X-Request-ID: frozen')" = 32 ]
  kill -CONT "$(pid_of a)"
  slow=$(grep -cE ' frozen GET /in-turn 200 .* turns=5[0-9]{2}\.[0-9]ms\(2 tries\)' "$RUN_DIR/gateway.log")
  ((slow >= 1 && slow <= 7)) || { echo "$slow calls were slow" && return 1; }
}

@test "a server that drains gets no new calls, one that is added gets its share" {
  good_mood
  configure '"servers": ["${A}", { "url": "${B}", "drain": true }]'
  reload
  [ "$(gets 30 /moody)" = 30 ]
  [ "$(calls_of b)" = 0 ]
  [ "$(calls_of c)" = 0 ]
  configure
  reload
  wait_until is_used b
  wait_until is_used c
}

@test "where all servers drain the upstream is refused at once" {
  configure '"servers": [{ "url": "${A}", "drain": true }]'
  reload
  get /moody
  expect 503 '{"error":"three unavailable","message":"No server of the service takes calls now"}'
  [ "$(header Retry-After)" = 1 ]
  configure
  reload
}

@test "/health shows each server of an upstream that has several" {
  good_mood
  get /health
  expect 200
  [ "$(field '.three.status')" = healthy ]
  [ "$(field '.three.servers|length')" = 3 ]
  [ "$(field '.three.servers[1].address')" = "$B" ]
  [ "$(field '[.three.servers[].reachable]|all')" = true ]
  kill -STOP "$(pid_of b)"
  get /health
  kill -CONT "$(pid_of b)"
  expect 200
  [ "$(field '[.three.servers[].reachable]|tojson')" = '[true,false,true]' ]
  [ "$(field '.three.status')" = healthy ]
}

# is_known STATE: so the gateway finds server c by its checks.
is_known() { get /health && [[ $(field '.checked.servers[1].state') == @($1) ]]; }

@test "checks find a server that is frozen before any caller does, and when it is back" {
  good_mood
  get /checked
  wait_until is_known up
  kill -STOP "$(pid_of c)"
  wait_until is_known down
  [ "$(gets 20 /checked -H 'X-Request-ID: checked')" = 20 ]
  kill -CONT "$(pid_of c)"
  wait_until is_known 'ramp|up'
  run ! grep -q ' checked GET .*tries' "$RUN_DIR/gateway.log"
  wait_until grep -q 'upstream checked: server .*/c.sock is down' "$RUN_DIR/gateway.log"
  wait_until grep -q 'upstream checked: server .*/c.sock is ramp' "$RUN_DIR/gateway.log"
}

@test "checks follow a reload" {
  configure '"servers": ["${A}"], "health": { "path": "/ok", "interval": "20ms" }'
  reload
  get_from a /count
  local before
  before=$(field .requests)
  is_asked() { get_from a /count && (($(field .requests) - before > 20)); }
  wait_until is_asked
  get /health
  [ "$(field '.three.servers|length')" = 1 ]
  configure
  reload
}

@test "a server that checks took out is not left out when there are no checks any more" {
  good_mood
  wait_until is_known up
  kill -STOP "$(pid_of c)"
  wait_until is_known down
  configure '' '"path": "/ok", "timeout": "200ms"'
  reload
  kill -CONT "$(pid_of c)"
  wait_until is_known up
  wait_until is_used c /checked
  configure
  reload
}

@test "a service is told how much time is left, whatever its client said" {
  good_mood
  get /moody -H 'X-Request-Timeout-Ms: 999999'
  (($(field .left) > 2000 && $(field .left) <= 4000)) || { echo "$body" && return 1; }
  get /composed
  (($(field .left) > 2000 && $(field .left) <= 4000))
}

@test "what is known of servers outlives a hundred reloads" {
  good_mood
  configure '"servers": ["${A}", "${B}"], "balance": "round_robin", "outlier": { "failures": 3, "for": "60s", "for_max": "60s" }'
  reload
  mood b 'status=503'
  [ "$(gets 30 /moody)" = 30 ]
  local before
  before=$(calls_of b)
  for _ in {1..100}; do
    kill -HUP "$(responder_pid gateway)"
  done
  reload
  [ "$(gets 20 /moody)" = 20 ]
  [ "$(calls_of b)" = "$before" ]
  configure
  reload
}
