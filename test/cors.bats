#!/usr/bin/env bats
# cors: pages of other origins may read what the file lets them, and browsers get told so by the
# gateway alone.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GONE=unix:$BATS_FILE_TMPDIR/gone.sock
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "odd":  { "servers": ["${ODD}"], "timeout": "1s" },
    "gone": { "servers": ["${GONE}"] }
  },
  "limits": { "body": "100B" },
  "routes": {
    "GET,POST /sink":  { "pass": "odd", "cors": {
      "origins": ["https://a.example", "https://*.example.com:8443", "null"],
      "headers": ["Content-Type", "X-Token"], "expose": ["X-Total", "ETag"],
      "credentials": true, "max_age": "10min" } },
    "PUT /sink":       { "pass": "odd", "cors": {
      "origins": ["https://a.example", "https://*.example.com:8443", "null"],
      "headers": ["Content-Type", "X-Token"], "credentials": true } },
    "PATCH /sink":     { "pass": "odd", "cors": { "origins": ["https://b.example"] } },
    "DELETE /sink":    "odd",

    "GET /headers":    { "pass": "odd", "cors": { "origins": ["https://a.example"] } },
    "GET /call/{id}":  { "calls": { "a": "odd GET /headers/{id}?Access-Control-Allow-Origin=https://evil.example" }, "reply": "{a}",
                         "cors": { "origins": ["https://a.example"] } },
    "GET /gone":       { "pass": "gone", "cors": { "origins": ["https://a.example"] } },
    "GET /open":       { "reply": { "ok": true }, "cors": { "origins": ["*"], "headers": ["*", "Authorization"], "expose": ["*"] } },
    "GET,OPTIONS /count": { "pass": "odd", "cors": { "origins": ["https://a.example"] } },
    "GET,OPTIONS /echo":  "odd",
    "GET /closed/headers": { "calls": { "a": "odd GET /ok" }, "reply": "{a}" }
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# from ORIGIN METHOD PATH [CURL OPTION...]: a request of a page of that origin.
from() { request "${@:2}" -H "Origin: $1"; }

# preflight ORIGIN METHOD PATH: what a browser asks before it sends that request.
preflight() { from "$1" OPTIONS "$3" -H "Access-Control-Request-Method: $2" -H 'Access-Control-Request-Headers: x-token'; }

# cors LINE...: just these fields of CORS, and Vary, are in the last reply, in this order.
cors() {
  local got expected
  got=$(grep -iE '^(access-control-|vary:)' <<<"$headers") || true
  expected=$(printf '%s\n' "$@")
  [[ $got == "$expected" ]] || { printf 'expected:\n%s\ngot:\n%s\n' "$expected" "$headers" && return 1; }
}

## Preflights

@test "a preflight is answered by the gateway" {
  preflight https://a.example POST /sink
  expect 204 ''
  cors 'Vary: Origin, Access-Control-Request-Method' 'Access-Control-Allow-Origin: https://a.example' \
    'Access-Control-Allow-Credentials: true' 'Access-Control-Allow-Methods: GET, HEAD, POST, PUT' \
    'Access-Control-Allow-Headers: Content-Type, X-Token' 'Access-Control-Max-Age: 600'
  [[ ! $(header content-length) && ! $(header content-type) && $(header x-request-id) ]]
  preflight https://a.example PUT /sink
  expect 204 ''
  [[ ! $(header access-control-max-age) ]]
}

@test "no preflight reaches a service" {
  get /count
  local before after
  before=$(field .requests)
  preflight https://a.example GET /count
  expect 204
  preflight https://evil.example GET /count
  expect 204
  preflight https://a.example OPTIONS /count
  expect 204
  [[ $(header access-control-allow-methods) == "GET, HEAD, OPTIONS" ]]
  get /count
  after=$(field .requests)
  ((after == before + 1))
}

@test "an answer to a preflight names only methods for which it holds" {
  preflight https://b.example PATCH /sink
  expect 204
  cors 'Vary: Origin, Access-Control-Request-Method' 'Access-Control-Allow-Origin: https://b.example' \
    'Access-Control-Allow-Methods: PATCH'
}

@test "an origin that is not allowed gets no field but Vary" {
  local origin
  for origin in https://b.example http://a.example https://a.example:444 https://example.com:8443 \
    https://evil.com/.example.com:8443 'https://a.example, https://a.example' https://a.example.evil.com; do
    preflight "$origin" POST /sink
    expect 204 ''
    cors 'Vary: Origin, Access-Control-Request-Method'
    from "$origin" POST /sink -d x
    expect 200 '{"bytes":1}'
    cors 'Vary: Origin'
  done
}

@test "a route without CORS, or none, is not answered for" {
  preflight https://a.example DELETE /sink
  expect 405
  cors 'Vary: Accept'
  [[ $(header allow) == "GET, HEAD, POST, PUT, PATCH, DELETE" ]]
  preflight https://a.example patch /sink
  expect 405
  preflight https://a.example GET /nowhere
  expect 404
}

@test "an OPTIONS that is no preflight is the file's route's, or 405" {
  from https://a.example OPTIONS /count
  expect 200
  [[ $(field .requests) -gt 0 ]]
  cors 'Access-Control-Allow-Origin: https://a.example' 'Vary: Origin'
  request OPTIONS /count -H 'Access-Control-Request-Method: GET'
  expect 200
  from https://a.example OPTIONS /sink
  expect 405
}

@test "where the file has OPTIONS and no CORS, the service answers preflights itself" {
  preflight https://a.example GET /echo
  expect 200
  [[ $(field .method) == OPTIONS ]]
  [[ $(field '.headers[]|select(.[0]=="Access-Control-Request-Method")|.[1]') == GET ]]
  [[ $(field '.headers[]|select(.[0]=="Origin")|.[1]') == https://a.example ]]
}

## Requests

@test "a page of an allowed origin may read the reply, and the fields that are named" {
  local origin
  for origin in https://a.example https://shop.example.com:8443 https://a.b-c.example.com:8443 null; do
    from "$origin" POST /sink -d abc
    expect 200 '{"bytes":3}'
    cors "Access-Control-Allow-Origin: $origin" 'Access-Control-Allow-Credentials: true' \
      'Access-Control-Expose-Headers: X-Total, ETag' 'Vary: Origin'
  done
}

@test "null is allowed only where it is listed" {
  from null GET /headers
  expect 200
  cors 'Vary: Origin'
}

@test "caches are told that a reply depends on Origin, also where there was none" {
  get /headers
  expect 200
  cors 'Vary: Origin'
}

@test "a reply for all origins is the same for all" {
  get /open
  cors 'Access-Control-Allow-Origin: *' 'Access-Control-Expose-Headers: *'
  from https://any.example GET /open
  cors 'Access-Control-Allow-Origin: *' 'Access-Control-Expose-Headers: *'
  preflight https://any.example GET /open
  expect 204
  cors 'Vary: Origin, Access-Control-Request-Method' 'Access-Control-Allow-Origin: *' \
    'Access-Control-Allow-Methods: GET, HEAD' 'Access-Control-Allow-Headers: *, Authorization'
}

@test "what a service says of CORS is replaced where the route has CORS, and stays where it has none" {
  local fields='Access-Control-Allow-Origin=*&access-control-allow-credentials=true&Access-Control-Expose-Headers=X&Vary=Cookie&X-A=1'
  from https://a.example GET "/headers?$fields"
  expect 200 '{}'
  cors 'Access-Control-Allow-Origin: https://a.example' 'Vary: Origin' 'Vary: Cookie'
  [[ $(header x-a) == 1 ]]
  from https://b.example GET "/headers?$fields"
  cors 'Vary: Origin' 'Vary: Cookie'
  from https://a.example GET '/call/404'
  expect 404 '{}'
  cors 'Access-Control-Allow-Origin: https://a.example' 'Vary: Origin'
}

@test "a page may read errors, too" {
  from https://a.example GET /gone
  expect 502
  cors 'Access-Control-Allow-Origin: https://a.example' 'Vary: Origin' 'Vary: Accept'
  from https://a.example POST /sink -d "$(printf 'a%.0s' {1..101})"
  expect 413
  [[ $(header access-control-allow-origin) == https://a.example ]]
  from https://a.example HEAD /gone
  expect 502
  [[ $(header access-control-allow-origin) == https://a.example ]]
}

@test "credentials never go with every origin, and no origin is allowed that no browser sends" {
  cat >"$BATS_TEST_TMPDIR/bad.json" <<'JSON'
{ "routes": {
  "GET /a": { "reply": 1, "cors": { "origins": ["*"], "credentials": true } },
  "GET /b": { "reply": 1, "cors": { "origins": ["https://a.example/"], "orgins": [] } },
  "GET /c": { "reply": 1, "cors": {} }
} }
JSON
  run -1 "$BUILD/fcgi-gateway" --check "$BATS_TEST_TMPDIR/bad.json"
  [[ ${lines[0]} == *":2:35: 'credentials' does not go with the origin '*': name the origins that are trusted" ]]
  [[ ${lines[1]} == *":3:49: 'https://a.example/' is no origin: write "* ]]
  [[ ${lines[2]} == *":3:72: unknown key 'orgins' (did you mean 'origins'?)" ]]
  [[ ${lines[3]} == *":4:35: 'origins' is missing here" && ${#lines[@]} == 4 ]]
}

@test "--explain says whose pages may read the reply" {
  run -0 "$BUILD/fcgi-gateway" --explain 'GET /sink'
  [[ $output == *$'\n          pages of https://a.example, https://*.example.com:8443, null may read the reply, with credentials\n          a preflight is answered 204\n'* ]]
  run -0 "$BUILD/fcgi-gateway" --explain 'GET /open'
  [[ $output == *$'\n          pages of every origin may read the reply\n'* ]]
  run -0 "$BUILD/fcgi-gateway" --explain 'DELETE /sink'
  [[ $output != *pages* ]]
}

## Defaults

# as_cgi ORIGIN METHOD PATH [NAME=VALUE...]: the same without a web server, of a file whose defaults
# have CORS.
as_cgi() {
  cat >"$BATS_TEST_TMPDIR/defaults.json" <<'JSON'
{
  "defaults": { "cors": { "origins": ["https://a.example"], "headers": ["X-A"] }, "headers": { "Vary": "X-B" } },
  "routes": {
    "GET /inherits": { "reply": 1 },
    "PUT /inherits": { "reply": 2, "summary": "the same" },
    "GET /own":      { "reply": 1, "cors": { "origins": ["https://b.example"] } },
    "GET /none":     { "reply": 1, "cors": null }
  }
}
JSON
  run -0 --separate-stderr env "HTTP_ORIGIN=$1" "REQUEST_METHOD=$2" "REQUEST_URI=$3" \
    "GATEWAY_CONFIG=$BATS_TEST_TMPDIR/defaults.json" "${@:4}" "$BUILD/fcgi-gateway"
  headers=${output//$'\r'/}
}

@test "routes inherit the CORS of defaults, or have their own, or none" {
  as_cgi https://a.example GET /inherits
  cors 'Access-Control-Allow-Origin: https://a.example' 'Vary: Origin' 'Vary: X-B'
  as_cgi https://a.example GET /own
  cors 'Vary: Origin' 'Vary: X-B'
  as_cgi https://b.example GET /own
  cors 'Access-Control-Allow-Origin: https://b.example' 'Vary: Origin' 'Vary: X-B'
  as_cgi https://a.example GET /none
  cors 'Vary: X-B'
  as_cgi https://a.example OPTIONS /inherits HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT
  [[ ${lines[0]} == *'Status: 204 No Content'* ]]
  cors 'Vary: Origin, Access-Control-Request-Method' 'Access-Control-Allow-Origin: https://a.example' \
    'Access-Control-Allow-Methods: GET, HEAD, PUT' 'Access-Control-Allow-Headers: X-A'
  as_cgi https://a.example OPTIONS /none HTTP_ACCESS_CONTROL_REQUEST_METHOD=GET
  [[ ${lines[0]} == *'Status: 405 '* ]]
}

@test "errors of what no route answers may be read as defaults say" {
  local target
  for target in /nowhere /own/%zz; do
    as_cgi https://a.example GET "$target"
    cors 'Access-Control-Allow-Origin: https://a.example' 'Vary: Origin' 'Vary: Accept'
  done
  as_cgi https://a.example DELETE /own
  cors 'Access-Control-Allow-Origin: https://a.example' 'Vary: Origin' 'Vary: Accept'
  as_cgi https://b.example GET /nowhere
  cors 'Vary: Origin' 'Vary: Accept'
}
