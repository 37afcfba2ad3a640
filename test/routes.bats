#!/usr/bin/env bats
# routes: what a route says of its requests and replies: where they go, under which path, with which
# header fields and parameters, how long and how large. Behind the gateway stands misbehave.c.
load helpers

setup_file() {
  choose_place
  export TOKEN='a{b}"c' GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  start_misbehave
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": { "odd": { "servers": ["unix:${RUN_DIR}/misbehave.sock"], "timeout": "20s", "title": "Odd service" } },
  "limits": { "body": "100B" },
  "routes": {
    "GET,POST /tree/{rest*}":     { "pass": "odd /echo/{rest}" },
    "GET /root/{rest*}":          { "pass": "odd /{rest}" },
    "GET /middle/{id}/{rest*}":   { "pass": "odd /echo/{id}/x/{rest}/y" },
    "GET /fixed/{id:int}":        { "pass": "odd /echo/v2/{id}?kind=full&lang={header.Accept-Language}" },
    "GET /called/{rest*}":        { "calls": { "a": "odd GET /echo/{rest}?r={rest}" }, "reply": "{a}" },
    "GET /from-query":            { "pass": "odd /echo/{query.name}" },
    "GET,DELETE,PATCH /methods":  { "pass": "odd /echo" },
    "PUT /methods":               { "pass": "odd /status/202" },

    "GET /fields": {
      "pass": "odd /echo",
      "request": { "headers": {
        "X-Token": "${TOKEN}", "x-caller": "{query.caller}/{header.X-Word}", "X-User": "{query.user}", "X_Plan": "ours",
        "Cookie": null, "x-forwarded-for": null, "Accept": "text/csv"
      } }
    },
    "GET /parameters": {
      "pass": "odd /echo",
      "request": { "query": { "key": "${TOKEN}", "debug": null, "user": "{header.X-User}" } }
    },
    "GET /parameters/raw": { "pass": "odd", "request": { "query": { "debug": null } } },
    "GET /parameters/own": {
      "pass": "odd /echo?page=1&own%20one=x",
      "request": { "query": { "debug": null, "z": "26" } }
    },

    "GET,HEAD /reply-fields/{kind}": {
      "pass": "odd /headers?X-One=1&X-One=2&x-two=a&Server=odd&Content-Type=text/plain&Set-Cookie=a",
      "headers": {
        "X-One": "one {kind}", "X-Two": null, "server": null, "X-Missing": "{query.none}", "X-New": "${TOKEN}",
        "content-type": "text/x"
      }
    },
    "GET /reply-fields/streamed": {
      "pass": "odd /stream?parts=3&ms=0", "headers": { "Content-Type": "text/csv", "X-New": "{query.x}" }
    },
    "GET /reply-fields/failed":   { "pass": "odd /empty", "headers": { "Cache-Control": "max-age=600" } },
    "GET /reply-fields/composed": {
      "calls": { "a": "odd GET /echo" }, "reply": { "a": 1 },
      "headers": { "Content-Type": "application/hal+json", "X-Method": "{a.method}", "X-None": null }
    },
    "GET /reply-fields/static":   { "reply": [], "headers": { "X-New": "{query.x}" } },

    "POST /small":   { "pass": "odd /sink", "limits": { "body": "10B" } },
    "POST /usual":   { "pass": "odd /sink" },
    "POST /large":   { "pass": "odd /sink", "limits": { "body": "2MiB" } },
    "POST /none":    { "pass": "odd /sink", "limits": { "body": "0B" } },
    "POST /composed": {
      "calls": { "a": { "call": "odd POST /echo", "body": "{body}" } }, "reply": "{a.body}", "limits": { "body": "10B" }
    },
    "GET /count":    "odd",
    "GET /silent":   { "pass": "odd", "timeout": "200ms" }
  }
}
JSON
  start_app gateway
  responder_pid gateway >"$BATS_FILE_TMPDIR/first-pid"
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# The path and query that the service got for ours.
expect_target() {
  get "$1" "${@:3}"
  expect 200
  [[ $(field .target) == "$2" ]] || { echo "$1 became $(field .target), not $2" && return 1; }
}

# The fields of that name that the service received, one a line: got X-Keep
got() {
  jq -r --arg name "$1" '.headers[] | select((.[0]|ascii_downcase) == ($name|ascii_downcase)) | .[1]' \
    "$BATS_TEST_TMPDIR/body"
}

# How many requests the service has had; asking is one.
requests() {
  get /count
  field .requests
}

## Paths

@test "a prefix is taken away, and what is behind it stays byte for byte" {
  expect_target /tree/a/b /echo/a/b
  expect_target /tree/a%2Fb/%7E/caf%C3%A9/ /echo/a%2Fb/%7E/caf%C3%A9/
  expect_target "/tree/a;b=c,d/!\$&'()*+,;=:@-._~" "/echo/a;b=c,d/!\$&'()*+,;=:@-._~"
  expect_target /tree/café/a+b%20c /echo/caf%c3%a9/a+b%20c
  expect_target /tree/a%3Fb%23c /echo/a%3Fb%23c
}

@test "an empty rest adds no slash, and keeps the client's" {
  expect_target /tree /echo
  expect_target /tree/ /echo/
  expect_target '/tree?a=1' '/echo?a=1'
  expect_target '/tree/?a=1' '/echo/?a=1'
  expect_target /middle/7 /echo/7/x/y
  expect_target /middle/7/ /echo/7/x/y
  expect_target /middle/7/a/b /echo/7/x/a/b/y
  get /root/ok
  expect 200 '{"ok":true}'
  get /root
  expect 404 '{"error":"No such behaviour"}'
}

@test "in a call's path the rest stays as it came too, in its query it is a value" {
  expect_target /called/a%2Fb/c '/echo/a%2Fb/c?r=a%2Fb%2Fc'
  expect_target /called '/echo?r='
}

@test "no path leads out of the prefix" {
  local path
  for path in /tree/.. /tree/../x /tree/%2e%2e/x /tree/a/.%2E /tree/./x /tree//x; do
    get "$path"
    [[ $code == 400 || $code == 404 ]] || { echo "$path: $code $body" && return 1; }
  done
  expect_target /tree/..a/...%2f /echo/..a/...%2f
  expect_target /tree/..%2f..%2fx /echo/..%2f..%2fx
}

@test "the client's query follows, behind the route's own" {
  expect_target '/tree/a?b=%2F&c&&d=1+2' '/echo/a?b=%2F&c&&d=1+2'
  expect_target '/tree/a?' '/echo/a?'
  expect_target '/fixed/7?page=2' '/echo/v2/7?kind=full&lang=pt&page=2' -H 'Accept-Language: pt'
  expect_target '/fixed/7' '/echo/v2/7?kind=full'
  expect_target '/fixed/7?a&b' '/echo/v2/7?kind=full&lang=a%26b%3Dc&a&b' -H 'Accept-Language: a&b=c'
}

@test "a parameter that the route sets cannot be set by the client" {
  expect_target '/fixed/7?kind=short&page=2&k%69nd=x&kind' '/echo/v2/7?kind=full&page=2'
  expect_target '/parameters/own?own+one=y&page=2&a=1' '/echo?page=1&own%20one=x&a=1&z=26'
}

@test "a value in a path is percent-encoded; without one the request is 400" {
  expect_target '/from-query?name=a/b%3Fc' '/echo/a%2Fb%3Fc?name=a/b%3Fc'
  get /from-query
  expect 400 '{"error":"Bad request","message":"query.name is missing"}'
  get '/from-query?name=..'
  expect 400
}

@test "a route has the methods that its line lists, and another line may have others" {
  local method
  for method in GET DELETE PATCH; do
    request "$method" /methods
    expect 200
    [[ $(field .method) == "$method" ]]
  done
  request PUT /methods
  expect 202
  request HEAD /methods
  expect 200
  request POST /methods -d ""
  expect 405
  [[ $(header allow) == "GET, HEAD, PUT, PATCH, DELETE" ]]
}

## What is sent to the service

@test "header fields are set, replaced and taken away on the way to the service" {
  get '/fields?caller=me' -H 'X-Word: word' -H 'X-Token: theirs' -H 'Cookie: a=b' \
    -H 'Accept: */*' -H 'X-Keep: 1' -H 'X-Plan: theirs'
  expect 200
  [[ $(got X-Token) == 'a{b}"c' && $(got X-Caller) == me/word && $(got Accept) == text/csv && $(got X-Keep) == 1 ]]
  [[ ! $(got Cookie) && ! $(got X-Forwarded-For) ]]
  [[ $(got X_Plan) == ours && ! $(got X-Plan) ]] # the same to a service that is a CGI program
  get /fields -H 'X_Token: theirs'
  expect 200
  [[ $(got X-Token) == 'a{b}"c' && ! $(got X_Token) ]]
}

@test "a field whose reference is missing is not sent, neither the client's" {
  get /fields -H 'X-User: admin' -H 'X-Caller: admin'
  expect 200
  [[ ! $(got X-User) && ! $(got X-Caller) ]]
  get '/fields?user=ana' -H 'X-User: admin'
  [[ $(got X-User) == ana ]]
}

@test "query parameters are set, replaced and taken away on the way to the service" {
  expect_target /parameters '/echo?key=a%7Bb%7D%22c'
  expect_target '/parameters?a=%2F+&key=theirs&debug&user=admin&debug=1&b' '/echo?a=%2F+&b&key=a%7Bb%7D%22c'
  expect_target '/parameters?d%65bug=1&Debug=1' '/echo?Debug=1&key=a%7Bb%7D%22c'
  expect_target '/parameters?user=admin' '/echo?key=a%7Bb%7D%22c&user=x%26y' -H 'X-User: x&y'
  get '/parameters/raw?debug=1'
  expect 404 # the path is as it came
}

## What comes back

@test "header fields are set, replaced and taken away on the way back" {
  get /reply-fields/echoed
  expect 200 "{}"
  [[ $(grep -i '^x-one:' <<<"$headers") == "X-One: one echoed" && $(header x-new) == 'a{b}"c' ]]
  [[ $(header content-type) == text/x && $(grep -ci '^content-type:' <<<"$headers") -eq 1 ]]
  [[ ! $(header x-two) && ! $(header server) && ! $(header x-missing) && $(header set-cookie) == a ]]
  request HEAD /reply-fields/echoed
  [[ $(header x-one) == "one echoed" && ! $(header x-two) && $(header content-length) == 2 ]]
}

@test "they are on streamed, composed and static replies too" {
  get '/reply-fields/streamed?x=1'
  expect 200 $'part\npart\npart'
  [[ $(header content-type) == text/csv && $(header x-new) == 1 ]]
  get /reply-fields/composed
  expect 200 '{"a":1}'
  [[ $(grep -i '^content-type:' <<<"$headers") == "Content-Type: application/hal+json" && $(header x-method) == GET ]]
  get '/reply-fields/static?x=1'
  expect 200 '[]'
  [[ $(header x-new) == 1 ]]
}

@test "an error of the gateway's own has none of them: a cache must not keep it" {
  get /reply-fields/failed
  expect 502
  [[ ! $(header cache-control) ]]
}

## Limits of a route

@test "a body longer than the route's limit is 413 before the service hears of it" {
  local before
  before=$(requests)
  request POST /small -d 12345678901
  expect 413
  [[ $(field '.error|type') == string ]]
  request POST /small -d 12345678901 -H 'Transfer-Encoding: chunked'
  expect 413
  request POST /none -d 1
  expect 413
  request POST /composed -d '[12345678]' -H 'Content-Type: application/json'
  expect 200 '"[12345678]"'
  request POST /composed -d '[123456789]' -H 'Content-Type: application/json'
  expect 413
  [[ $(requests) == $((before + 2)) ]]
  request POST /small -d 1234567890
  expect 200 '{"bytes":10}'
  request POST /none -d ""
  expect 200 '{"bytes":0}'
}

@test "a route's limit may be above that of all others" {
  head -c 101 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  request POST /usual --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 413
  request POST /large --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 200 '{"bytes":101}'
  truncate -s 2097152 "$BATS_TEST_TMPDIR/sent"
  request POST /large --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 200 '{"bytes":2097152}'
  truncate -s 2097153 "$BATS_TEST_TMPDIR/sent"
  request POST /large --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 413
}

@test "a route's timeout counts instead of the service's" {
  get /silent
  expect 504 '{"error":"Odd service timeout","message":"Service did not respond in 200 milliseconds"}'
}

@test "after all this it is still the same gateway process" {
  [[ $(responder_pid gateway) == "$(<"$BATS_FILE_TMPDIR/first-pid")" ]]
}
