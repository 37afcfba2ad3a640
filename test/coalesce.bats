#!/usr/bin/env bats
# coalesce: identical requests at the same time cost the service one call, whoever else leaves, waits
# or fails. The service behind the gateway holds its replies until the test lets them go, and counts.
load helpers

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "odd": { "servers": ["${ODD}"], "title": "Odd service", "timeout": "20s", "retry": null },
    "narrow": { "servers": ["${ODD}"], "timeout": "20s", "retry": null, "max_concurrent": 1, "queue": 1 }
  },
  "routes": {
    "GET /plain/{name}":  { "pass": "odd /told/{name}" },
    "GET /pass/{name}":   { "pass": "odd /told/{name}", "coalesce": true },
    "PUT /pass/{name}":   { "pass": "odd /told/{name}-put" },
    "GET /kept/{name}":   { "pass": "odd /told/{name}", "cache": "1h" },
    "GET /narrow/{name}": { "pass": "narrow /told/{name}" },
    "GET /hasty/{name}":  { "pass": "odd /told/{name}", "coalesce": true, "timeout": "2s" },
    "GET /patient/{name}": { "pass": "odd /told/{name}", "coalesce": true, "timeout": "5s" },
    "GET /whole/{name}":  { "calls": { "it": "odd GET /told/{name}" }, "reply": "{it}", "timeout": "5s" },
    "GET /short/{name}":  { "pass": "odd /told/{name}", "coalesce": true, "timeout": "3s" },
    "GET /own/{name}":    { "pass": "odd /told/{name}", "coalesce": true },
    "GET /odd/{name}":    { "pass": "odd /told/{name}", "coalesce": true },
    "GET /varied/{name}": { "pass": "odd /told/{name}", "coalesce": true },
    "GET /long/{name}":   { "pass": "odd /told/{name}", "coalesce": true },
    "GET /secret/{name}": { "calls": { "it": "odd GET /told/{name}" }, "reply": "{it}",
                            "headers": { "Cache-Control": "max-age=0, no-store" } },
    "GET /stream/{any}":  { "pass": "odd /stream", "coalesce": true },
    "GET /huge":          { "pass": "odd", "coalesce": true },
    "GET /broken/{any}":  { "pass": "odd /cut/{any}", "coalesce": true },
    "PUT /made/{name}":   { "pass": "odd /told/{name}-put" },
    "GET /made/{name}":   { "calls": { "it": "odd GET /told/{name}?x={query.x}" }, "reply": "{it}" },
    "GET /alone/{name}":  { "calls": { "it": "odd GET /told/{name}" }, "reply": "{it}", "coalesce": false }
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

setup() { me=c$BATS_TEST_NUMBER clients=(); }

tell() { get_from misbehave "/tell/${2:-$me}?$1"; }
asked() { get_from misbehave "/asked/$me" && field ".${1:-requests}"; }
was_asked() { [ "$(asked)" = "$1" ] || { echo "asked $(asked) times, not $1" && return 1; }; }
is_waiting() { [ "$(asked waiting)" = "$1" ]; }

# send TIMES PATH [CURL OPTION...]: that many clients at the same time, in the background. Bodies and
# statuses come to $BATS_TEST_TMPDIR/reply-N.
send() {
  local times=$1 path=$2
  shift 2
  for (( ; times > 0; times--)); do
    curl -sg --http1.1 --max-time 20 -w ' %{http_code}\n' "$@" "$URL$path" \
      >"$BATS_TEST_TMPDIR/reply-${#clients[@]}" 3>&- &
    clients+=($!)
  done
}

# The request that waits in the gateway, while it is the only one; and its crash later.
only_request() { leader=$("$BUILD/test/fixtures/wound" find "$(responder_pid gateway)"); }
wound_leader() { "$BUILD/test/fixtures/wound" "$(responder_pid gateway)" "$leader"; }

# Does N wait for a leader? Each has an eventfd, and nothing else in the gateway has.
has_followers() {
  [ "$(find "/proc/$(responder_pid gateway)/fd" -lname 'anon_inode:\[eventfd\]' 2>/dev/null | wc -l)" = "$1" ]
}

# Waits for the clients; what they got is then in `replies`: "TIMES BODY STATUS", a line for each kind.
finish() {
  wait "${clients[@]}" || true
  replies=$(cat "$BATS_TEST_TMPDIR"/reply-* | sort | uniq -c | sed 's/^ *//')
}

# Until so many milliseconds have gone by.
pass_time() {
  local start=${EPOCHREALTIME/./}
  has_passed() { ((${EPOCHREALTIME/./} - start > $1 * 1000)); }
  wait_until has_passed "$1"
}

# got REPLIES: fails, and shows what came, where that was something else.
got() {
  finish
  [ "$replies" = "$1" ] || { echo "got: $replies" && return 1; }
}

@test "identical requests at the same time make one call, composed or passed through" {
  local route
  for route in made pass kept; do
    me=$route clients=()
    tell hold
    send 10 "/$route/$me"
    wait_until has_followers 9
    was_asked 1
    tell ''
    got '10 {"n":1} 200'
    was_asked 1
  done
}

@test "what is only passed through is not coalesced, nor where the file says no" {
  local route
  for route in plain alone; do
    me=$route clients=()
    tell hold
    send 5 "/$route/$me"
    wait_until is_waiting 5
    tell ''
    finish
    was_asked 5
  done
}

@test "requests one after the other each make a call" {
  get "/made/$me"
  get "/made/$me"
  expect 200 '{"n":2}'
}

@test "other credentials, another query, another method are not the same" {
  tell hold
  send 1 "/pass/$me"
  send 1 "/pass/$me" -H 'Authorization: a'
  send 1 "/pass/$me" -H 'Authorization: b'
  send 1 "/pass/$me" -H 'Cookie: a'
  send 1 "/pass/$me?a"
  send 1 "/pass/$me" -H 'Accept: text/x'
  send 1 "/pass/$me" -H 'If-None-Match: "a"'
  send 1 "/pass/$me" -H 'Range: bytes=0-1'
  send 1 "/pass/$me" --head
  send 1 "/made/$me"
  send 1 "/made/$me" -H 'Authorization: a'
  send 1 "/made/$me?x=1"
  wait_until is_waiting 12
  has_followers 0
  send 1 "/pass/$me" -H 'Cookie: a'
  wait_until has_followers 1
  tell ''
  finish
  was_asked 12
}

@test "followers get the leader's error, and the service is not asked by each" {
  tell hold
  send 10 "/made/$me"
  wait_until has_followers 9
  tell cut=1 # after a part of the reply: libcurl itself repeats what gets no byte over a kept connection
  got '10 {"error":"Odd service error","message":"The reply broke off"} 502'
  was_asked 1
}

@test "when the leader's reply breaks off, followers get a whole error" {
  tell hold
  send 5 "/pass/$me"
  wait_until has_followers 4
  tell 'cut=1&body=abc'
  finish
  grep -qxF '4 {"error":"Odd service error","message":"The reply broke off"} 502' <<<"$replies"
  was_asked 1
}

@test "when the leader's client goes, a follower asks, and no client fails" {
  tell hold
  send 1 "/made/$me"
  wait_until is_waiting 1
  send 5 "/made/$me"
  wait_until has_followers 5
  kill -KILL "${clients[0]}"
  wait_until has_followers 4
  wait_until eval '[[ $(asked) == 2 ]]'
  tell ''
  got '5 {"n":2} 200'
  was_asked 2
}

@test "when a follower's client goes, the others do not notice" {
  tell hold
  send 1 "/pass/$me"
  wait_until is_waiting 1
  send 3 "/pass/$me"
  wait_until has_followers 3
  kill -KILL "${clients[2]}"
  wait_until has_followers 2
  tell ''
  got '3 {"n":1} 200'
  was_asked 1
}

@test "when the leader's thread crashes, a follower asks, and the crash costs one request" {
  tell hold
  send 1 "/made/$me"
  wait_until is_waiting 1
  wait_until only_request
  send 5 "/made/$me"
  wait_until has_followers 5
  wound_leader
  wait_until has_followers 4
  wait_until eval '[[ $(asked) == 2 ]]'
  send 1 "/made/$me"
  wait_until has_followers 5
  tell ''
  finish
  grep -qxF '6 {"n":2} 200' <<<"$replies"
  grep -qx '1 .* 500' <<<"$replies"
  wait_until grep -q 'starts anew after a crash' "$RUN_DIR/gateway.log"
}

@test "when the thread of a call crashes, its place at the service is free" {
  tell hold
  send 1 "/narrow/$me"
  wait_until is_waiting 1
  wait_until only_request
  send 2 "/narrow/$me" # one of them waits for its place; then the other one is told that nobody else can
  wait_until grep -q 'Too many calls' "$BATS_TEST_TMPDIR"/reply-{1,2}
  wound_leader
  wait_until eval '[[ $(asked) == 2 ]]'
  tell ''
  finish
  grep -qxF '1 {"n":2} 200' <<<"$replies"
  grep -qx '1 .* 500' <<<"$replies"
  grep -qx '1 .* 503' <<<"$replies"
}

@test "a follower waits no longer than its own deadline" {
  tell hold
  send 6 "/hasty/$me"
  finish
  tell ''
  [ "$(grep -c ' 504$' <(cat "$BATS_TEST_TMPDIR"/reply-*))" = 6 ]
  grep -q '{"error":"Odd service timeout","message":"Service did not respond in 2 seconds"} 504' <<<"$replies"
  was_asked 1 || was_asked 2 # 2 where the last one came clearly later than the first one
}

@test "a leader's timeout is not that of who came later, and so asks the service again" {
  local route
  for route in patient whole; do
    me=$route-late clients=()
    tell hold
    send 1 "/$route/$me"
    wait_until is_waiting 1
    pass_time 2500
    send 3 "/$route/$me"
    wait_until has_followers 3
    wait_until eval '[[ $(asked) == 2 ]]'
    tell ''
    finish
    grep -qxF '3 {"n":2} 200' <<<"$replies"
    grep -qx '1 .* 504' <<<"$replies"
    was_asked 2
  done
}

@test "when the leader's client goes, who has the most time left asks" {
  tell hold
  send 1 "/patient/$me"
  wait_until is_waiting 1
  send 1 "/patient/$me"
  wait_until has_followers 1
  pass_time 2500
  send 1 "/patient/$me"
  wait_until has_followers 2
  kill -KILL "${clients[0]}"
  wait_until eval '[[ $(asked) == 2 ]]'
  wait_until grep -q ' 504' "$BATS_TEST_TMPDIR/reply-1"
  tell ''
  finish
  grep -qxF '{"n":2} 200' "$BATS_TEST_TMPDIR/reply-2"
  was_asked 2
}

@test "a follower that has to ask itself has only what is left of its time" {
  local took
  tell hold
  send 1 "/short/$me"
  wait_until is_waiting 1
  send 1 "/short/$me" -H "X-Request-ID: heir-$me"
  wait_until has_followers 1
  pass_time 1500
  kill -KILL "${clients[0]}"
  finish
  was_asked 2
  tell ''
  wait_until grep -q " heir-$me GET " "$RUN_DIR/gateway.log"
  took=$(sed -n "s/.* heir-$me GET .* 504 \([0-9]*\)\.[0-9]ms .*/\1/p" "$RUN_DIR/gateway.log")
  ((took >= 3000 && took < 4300)) || { echo "took $took ms" && return 1; }
}

@test "a reply for one person is shared with nobody" {
  local reply name=$me
  for reply in 'Set-Cookie=a=1' 'Cache-Control=private' 'Cache-Control=no-store' 'Vary=*' \
    'Content-Type=text/event-stream'; do
    clients=() me=$name-${reply//[!a-z]/}
    tell hold
    send 3 "/pass/$me"
    wait_until has_followers 2
    tell "$reply"
    finish
    was_asked 3
    get "/pass/$me"
    tell ''
    get "/pass/$me" # from here on they are shared again
  done
}

@test "who comes after a reply for one person does not wait for another one's" {
  tell 'Cache-Control=private'
  get "/own/$me"
  clients=()
  tell hold
  send 5 "/own/$me"
  wait_until is_waiting 5
  tell 'Cache-Control=private'
  finish
  was_asked 6
}

@test "nor after some of them on other paths of the route, until one of it is for all" {
  local path name=$me
  for path in a b c; do
    me=$name$path
    tell 'Cache-Control=private'
    get "/odd/$me"
  done
  me=$name
  tell hold
  send 3 "/odd/$me"
  wait_until is_waiting 3
  tell ''
  finish
  clients=()
  tell hold
  send 3 "/odd/$me"
  wait_until has_followers 2
  tell ''
  finish
  was_asked 4
}

@test "nor after a reply that varies by what they may differ in" {
  tell hold
  send 1 "/varied/$me" -H 'X-Kind: a'
  wait_until is_waiting 1
  send 1 "/varied/$me" -H 'X-Kind: b'
  wait_until has_followers 1
  tell 'Vary=X-Kind'
  finish
  clients=()
  tell hold
  send 3 "/varied/$me"
  wait_until is_waiting 3
  tell 'Vary=X-Kind'
  finish
  was_asked 5
}

@test "an error for one person says nothing of the replies to come" {
  tell 'status=503&Cache-Control=no-store'
  get "/long/$me"
  expect 503
  tell hold
  send 3 "/long/$me"
  wait_until has_followers 2
  tell ''
  got '3 {"n":2} 200'
}

@test "a route whose own headers say no-store is not coalesced" {
  tell hold
  send 3 "/secret/$me"
  wait_until is_waiting 3
  tell ''
  finish
  was_asked 3
}

@test "who differs in what the reply varies by asks for itself" {
  tell hold
  send 2 "/pass/$me" -H 'X-Kind: a'
  send 1 "/pass/$me" -H 'X-Kind: b'
  wait_until has_followers 2
  tell 'Vary=X-Kind'
  finish
  was_asked 2 || was_asked 3 # 3 where the one that differs came first
}

@test "after a change nobody gets what was asked for before it" {
  tell hold
  send 1 "/made/$me"
  wait_until is_waiting 1
  request PUT "/made/$me" -d x
  expect 200
  send 1 "/made/$me"
  wait_until is_waiting 2
  tell ''
  got '1 {"n":1} 200
1 {"n":2} 200'
}

@test "a change elsewhere does not part requests that are passed through, one of their path does" {
  tell hold
  send 1 "/pass/$me"
  wait_until is_waiting 1
  request PUT "/made/$me" -d x
  expect 200
  send 1 "/pass/$me"
  wait_until has_followers 1
  request PUT "/pass/$me" -d x
  expect 200
  send 1 "/pass/$me"
  wait_until is_waiting 2
  tell ''
  got '2 {"n":1} 200
1 {"n":2} 200'
}

@test "an old reply that replaces an error says how old it is, to who may have it and no one else" {
  tell 'Cache-Control=max-age=0,stale-if-error=60,stale-while-revalidate=0'
  get "/kept/$me"
  expect 200 '{"n":1}'
  tell hold
  send 1 "/kept/$me"
  wait_until is_waiting 1
  send 1 "/kept/$me" -D -
  send 1 "/kept/$me" -H 'Cache-Control: no-cache'
  wait_until has_followers 2
  tell status=503
  finish
  was_asked 3
  grep -qxF '{"n":1} 200' "$BATS_TEST_TMPDIR/reply-0"
  grep -qxF '{"n":1} 200' "$BATS_TEST_TMPDIR/reply-1"
  grep -qx 'Age: [0-9]*.' "$BATS_TEST_TMPDIR/reply-1"
  grep -q '^Cache-Status: gateway; fwd=stale; collapsed; detail=stale-if-error' "$BATS_TEST_TMPDIR/reply-1"
  grep -qxF '{"n":3} 503' "$BATS_TEST_TMPDIR/reply-2"
}

@test "a large reply is each one's own" {
  send 4 '/huge?bytes=3000000&length=1' -o /dev/null
  got '4  200'
}

@test "nobody waits for a body that says before it that it is too long to be shared" {
  tell hold
  send 3 "/pass/$me"
  wait_until has_followers 2
  tell 'cut=200000&body=abc'
  finish
  was_asked 3 # and not each a 502 for what broke off
}

@test "the log and Cache-Status tell who got another's reply" {
  tell hold
  send 2 "/pass/$me" -D -
  wait_until has_followers 1
  tell ''
  finish
  grep -q '^1 Cache-Status: gateway; fwd=miss; collapsed' <<<"$replies"
  wait_until grep -q "GET /pass/$me 200 .* coalesced" "$RUN_DIR/gateway.log" # written after the reply
}
