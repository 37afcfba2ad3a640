#!/usr/bin/env bats
# sent: what the calls of composed routes carry, and what of their replies is believed. The service
# tells what it got.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": { "odd": { "servers": ["${ODD}"], "timeout": "20s", "title": "Odd service" } },
  "routes": {
    "GET /health": { "reply": { "status": "healthy" } },
    "GET,POST,PUT,PATCH,DELETE /plain": {
      "calls": {
        "GET":    "odd GET /echo",
        "POST":   "odd POST /echo",
        "PUT":    "odd PUT /echo",
        "PATCH":  "odd PATCH /echo",
        "DELETE": "odd DELETE /echo"
      },
      "jq": "map_values(.headers)"
    },
    "GET /named": {
      "calls": {
        "a": {
          "call": "odd POST /echo",
          "headers": {
            "content-type": "application/merge-patch+json", "x-forwarded-FOR": "{query.for}",
            "X-Forwarded-Host": "shop.example", "Traceparent": "mine"
          },
          "body": { "a": 1 }
        }
      },
      "reply": "{a.headers}"
    },
    "GET /rest/{rest*}": {
      "calls": {
        "a": {
          "call": "odd POST /echo/{rest}?of={rest}", "headers": { "X-Rest": "{rest}" }, "body": { "rest": "{rest}" }
        }
      },
      "reply": { "rest": "{rest}", "text": "of {rest}", "a": "{a}" }
    },
    "GET /passed/{rest*}": {
      "pass": "odd /echo/{rest}?of={rest}", "request": { "headers": { "X-Rest": "{rest}" }, "query": { "more": "{rest}" } }
    },
    "GET /moved/{rest*}": { "redirect": "/rest/{rest}?of={rest}" },
    "GET /status/{status}": "odd",
    "GET /composed/{status}": { "calls": { "a": "odd GET /status/{status}" }, "reply": "{a}" },
    "GET /perhaps/{status}": { "calls": { "a": { "call": "odd GET /status/{status}", "else": "no" } }, "reply": "{a}" },
    "GET /body": { "calls": { "a": { "call": "odd POST /echo", "body": { "a": "{query.a}" } } }, "reply": "{a}" }
  }
}
JSON
  start_app gateway
}
teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# sent FIELD [OF]: its values, joined, in the body's list of fields.
sent() { jq -r --arg name "$1" "${2:-.} | map(select(.[0] | ascii_downcase == (\$name | ascii_downcase)) | .[1]) | join(\"|\")" "$BATS_TEST_TMPDIR/body"; }

@test "a call without a body says that it has none, where its method usually has one" {
  get /plain
  expect 200
  [[ $(sent Content-Length .POST) == 0 && $(sent Content-Length .PUT) == 0 && $(sent Content-Length .PATCH) == 0 ]]
  [[ $(sent Content-Length .GET) == '' && $(sent Content-Length .DELETE) == '' ]]
  [[ $(sent Content-Type .POST) == '' && $(sent Transfer-Encoding .POST) == '' ]]
}

@test "every call of a composed route says whose request it is for" {
  get /plain -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-Proto: gopher' -H 'X-Forwarded-Host: evil' \
    -H 'Host: api.example' -H 'traceparent: 00-1-2-01' -H 'tracestate: a=1' -H 'X-Request-ID: r-1' -H 'Cookie: a=1'
  expect 200
  local method
  for method in .GET .POST .DELETE; do
    [[ $(sent X-Forwarded-For "$method") == '192.0.2.1, 127.0.0.1' ]]
    [[ $(sent X-Forwarded-Proto "$method") == http && $(sent X-Forwarded-Host "$method") == api.example ]]
    [[ $(sent traceparent "$method") == 00-1-2-01 && $(sent tracestate "$method") == a=1 ]]
    [[ $(sent X-Request-ID "$method") == "$(header x-request-id)" && $(sent Cookie "$method") == '' ]]
  done
  get /plain -H 'tracestate: a=1'
  [[ $(sent traceparent .GET) == '' && $(sent tracestate .GET) == '' ]]
}

@test "a field that the file names only the file says, whatever its letter case" {
  get '/named?for=192.0.2.9' -H 'traceparent: 00-1-2-01' -H 'X-Forwarded-For: 192.0.2.1'
  expect 200
  [[ $(sent Content-Type) == application/merge-patch+json && $(sent X-Forwarded-For) == 192.0.2.9 ]]
  [[ $(sent X-Forwarded-Host) == shop.example && $(sent traceparent) == mine && $(sent X-Forwarded-Proto) == http ]]
  get /named
  [[ $(sent X-Forwarded-For) == '' ]]
}

@test "a body of which nothing is there is an empty object" {
  get /body
  expect 200
  [[ $(field .body) == '{}' && $(field .length) == 2 && $(sent Content-Type .headers) == application/json ]]
}

@test "the rest of a path is raw in a path, encoded once in a query and a text elsewhere" {
  get '/rest/a%20b/c%2Fd%26?x=1'
  expect 200
  [[ $(field .rest) == 'a b/c/d&' && $(field .text) == 'of a b/c/d&' ]]
  [[ $(field .a.target) == '/echo/a%20b/c%2Fd%26?of=a%20b%2Fc%2Fd%26' ]]
  [[ $(field .a.body) == '{"rest":"a b/c/d&"}' && $(sent X-Rest .a.headers) == 'a b/c/d&' ]]
  get '/passed/a%20b/c%2Fd%26'
  expect 200
  [[ $(field .target) == '/echo/a%20b/c%2Fd%26?of=a%20b%2Fc%2Fd%26&more=a%20b%2Fc%2Fd%26' ]]
  [[ $(sent X-Rest .headers) == 'a b/c/d&' ]]
  get '/moved/a%20b/c%26'
  [[ $(header location) == '/rest/a%20b/c%26?of=a%20b%2Fc%26' ]]
}

@test "a status that HTTP does not have is no reply" {
  local status path
  for status in 600 700 999; do
    for path in status composed; do
      get "/$path/$status"
      expect 502 '{"error":"Odd service error","message":"The reply'\''s status is none of HTTP'\''s"}'
    done
    get "/perhaps/$status"
    expect 200 '"no"'
  done
  get /status/599
  expect 599
}
