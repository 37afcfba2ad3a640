#!/usr/bin/env bats
# defaults: what the file says for all routes holds for each of them, until it says otherwise itself.
load helpers

setup_file() {
  choose_place
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  start_misbehave
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": { "odd": { "servers": ["unix:${RUN_DIR}/misbehave.sock"], "timeout": "20s", "title": "Odd service" } },
  "routes": {
    "GET /plain":  { "pass": "odd /echo" },
    "GET /echo":   "odd",
    "GET /keyed":  { "pass": "odd /echo?key=mine" },
    "GET /own": {
      "pass": "odd /echo",
      "headers": { "x-frame-options": "SAMEORIGIN", "Vary": null, "X-Own": "1" },
      "request": { "headers": { "X-GATEWAY": "own", "X-Word": null, "X-Own": "1" }, "query": { "key": null, "own": "1" } }
    },
    "GET /fields": "odd",
    "GET /headers/{any*}": "odd",
    "GET /composed": {
      "calls": { "a": "odd GET /echo" }, "reply": "{a}", "headers": { "X-Frame-Options": null, "X-A": "{a.method}" }
    },
    "GET /static": { "reply": 1 },
    "GET /moved":  { "redirect": "/static" },
    "GET /health": "builtin:health",
    "GET /silent": "odd",
    "GET /slow":   { "pass": "odd", "timeout": "10s" },
    "GET /late":   { "calls": { "a": "odd GET /silent" }, "reply": "{a}" }
  },
  "defaults": {
    "timeout": "300ms",
    "headers": { "X-Frame-Options": "DENY", "X-Asked": "{query.asked}", "Vary": "Accept", "Server": null },
    "request": {
      "headers": { "X-Gateway": "test", "X-Word": "{header.X-Word}!", "Cookie": null },
      "query": { "key": "k" }
    }
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# The fields of that name that the service received, one a line: got X-Keep
got() {
  jq -r --arg name "$1" '.headers[] | select((.[0]|ascii_downcase) == ($name|ascii_downcase)) | .[1]' \
    "$BATS_TEST_TMPDIR/body"
}

@test "reply fields are on routes of every kind" {
  local path
  for path in /plain /echo /static /moved /health /headers/201; do
    get "$path?asked=yes&Server=odd"
    [[ $code == [23]* && $(header x-frame-options) == DENY && $(header x-asked) == yes && ! $(header server) ]] ||
      { echo "$path: $code $headers" && return 1; }
  done
}

@test "a route's own field counts, whatever its letter case, and null takes one away" {
  get /own
  expect 200
  [[ $(grep -i '^x-frame-options:' <<<"$headers") == "x-frame-options: SAMEORIGIN" ]]
  [[ ! $(header vary) && $(header x-own) == 1 && ! $(header x-asked) ]]
  get /composed
  expect 200
  [[ ! $(header x-frame-options) && $(header x-a) == GET && $(header vary) == Accept ]]
}

@test "what changes in requests holds for those that are passed through" {
  get /plain -H 'Cookie: a=b' -H 'X-Word: word'
  [[ $(got X-Gateway) == test && $(got X-Word) == 'word!' && ! $(got Cookie) && $(field .target) == '/echo?key=k' ]]
  get '/echo?a=1&key=theirs'
  [[ $(got X-Gateway) == test && ! $(got X-Word) && $(field .target) == '/echo?a=1&key=k' ]]
  get '/own?key=theirs&own=2' -H 'X-Word: word'
  [[ $(got X-Gateway) == own && ! $(got X-Word) && $(got X-Own) == 1 && $(field .target) == '/echo?own=1' ]]
  get /composed
  [[ ! $(got X-Gateway) && $(field .target) == /echo ]]
}

@test "the timeout holds for services and for composed routes, until a route says another" {
  get /silent
  expect 504 '{"error":"Odd service timeout","message":"Service did not respond in 300 milliseconds"}'
  get /late
  expect 504
  get '/slow?ms=500'
  expect 200 '{"ok":true}'
}

@test "a parameter that a route's path names is the route's own" {
  get '/keyed?key=theirs&a=1'
  expect 200
  [[ $(field .target) == '/echo?key=mine&a=1' ]]
}
