#!/usr/bin/env bats
# cache: replies are kept and used again as RFC 9111 and the route's "cache" say, never for longer,
# never for somebody else. The service behind the gateway answers what a test tells it, and counts.
load helpers

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  write_config 1
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

setup() { me=t$BATS_TEST_NUMBER; }

# write_config VERSION: the same, but for what the route /versioned says.
write_config() {
  cat >"$GATEWAY_CONFIG" <<JSON
{
  "name": "test",
  "upstreams": {
    "odd": { "servers": ["\${ODD}"], "title": "Odd service", "timeout": "20s", "retry": null },
    "frail": { "servers": ["\${ODD}"], "retry": null, "breaker": null, "outlier": null }
  },
  "limits": { "body": "1MiB", "cache": "4MiB" },
  "routes": {
    "GET,POST,DELETE /long/{name}": { "pass": "odd /told/{name}", "cache": "1h" },
    "PUT /long/{name}":  { "pass": "odd /told/{name}-put" },
    "PUT /late/{name}": { "calls": { "it": "odd PUT /told/{name}-put" }, "reply": "{it}",
                           "errors": { "broken": 408 } },
    "GET /late/{name}":  { "pass": "odd /told/{name}", "cache": "1h" },
    "GET /short/{name}": { "pass": "odd /told/{name}", "cache": "1ms" },
    "GET /stale/{name}": { "pass": "odd /told/{name}", "cache": "1ms stale 1h" },
    "GET /failing/{name}": { "pass": "frail /told/{name}", "cache": "1ms stale 1h" },
    "GET /said/{name}":  { "pass": "odd /told/{name}", "cache": { "stale": "1h" } },
    "GET /hasty/{name}": { "pass": "odd /told/{name}", "cache": { "stale": "1h" }, "timeout": "2s" },
    "GET /none/{name}":  "odd",
    "GET /huge":         { "pass": "odd", "cache": "1h" },
    "GET /many/{n}":    { "pass": "odd /huge", "cache": "1h" },
    "GET /versioned/{name}": { "pass": "odd /told/{name}", "cache": "1h", "headers": { "X-Version": "$1" } },
    "GET /cors/{name}":  { "pass": "odd /told/{name}", "cache": "1h",
                           "cors": { "origins": ["https://a.example", "https://b.example"] } },
    "GET /composed/{name}": {
      "calls": { "it": "odd GET /told/{name}?x={query.x}" },
      "reply": { "it": "{it}", "who": "{header.Authorization}" },
      "cache": "1h stale 1h"
    },
    "GET /else/{name}": {
      "calls": {
        "it":   { "call": "odd GET /told/{name}", "else": "none" },
        "none": { "call": "odd GET /told/{name}-none", "else": "none" },
        "items": { "call": "odd GET /told/{name}-each?x={each.x}", "each": "{list}", "else": [] },
        "list": "odd GET /told/{name}-list"
      },
      "reply": ["{it}", "{none}", "{items}"],
      "cache": "1h"
    }
  }
}
JSON
}

# tell REPLY [NAME]: what the service answers from now on.
tell() { get_from misbehave "/tell/${2:-$me}?$1"; }

# The same over the socket that only the owner can reach.
get_admin() {
  local URL=http://gateway
  get "$1" --unix-socket "$RUN_DIR/gateway-admin.sock"
}

# asked [WHAT]: how often it was asked.
asked() { get_from misbehave "/asked/$me" && field ".${1:-requests}"; }
was_asked() { [ "$(asked)" = "$1" ] || { echo "asked $(asked) times, not $1" && return 1; }; }

status_is() {
  [[ $(header cache-status) =~ ^test\;\ $1$ ]] || { echo "Cache-Status: $(header cache-status)" && return 1; }
}

## What is fresh

@test "a reply is kept for as long as the route says, and says so" {
  get "/long/$me"
  expect 200 '{"n":1}'
  status_is 'fwd=miss; stored'
  get "/long/$me"
  expect 200 '{"n":1}'
  status_is 'hit; ttl=3[56][0-9][0-9]'
  [[ $(header age) =~ ^[0-9]$ ]]
  was_asked 1
}

@test "a composed reply is another host's only: its services are told the host" {
  get "/composed/$me" -H 'Host: evil.example'
  expect 200
  get "/composed/$me" -H 'Host: good.example'
  [[ $(header cache-status) == *fwd=miss* ]]
  get "/composed/$me" -H 'Host: good.example'
  [[ $(header cache-status) == *hit* ]]
}

@test "another query, another path, another host is another reply" {
  get "/long/$me?a=1"
  expect 200 '{"n":1}'
  get "/long/$me?a=2"
  expect 200 '{"n":2}'
  get "/long/$me?"
  expect 200 '{"n":3}'
  get "/long/$me" -H 'Host: other.example'
  expect 200 '{"n":4}'
  get "/long/$me?a=1"
  expect 200 '{"n":1}'
}

@test "the service's own word goes before the route's" {
  tell 'Cache-Control=no-store'
  get "/long/$me"
  status_is 'fwd=miss'
  get "/long/$me"
  expect 200 '{"n":2}'
  tell 'Cache-Control=private,max-age=60'
  get "/long/$me"
  get "/long/$me"
  expect 200 '{"n":4}'
  tell 'Cache-Control=max-age=60'
  get "/long/$me"
  get "/long/$me"
  expect 200 '{"n":5}'
  status_is 'hit; ttl=(60|5[0-9])'
}

@test "without a ttl only what the service says is kept" {
  get "/said/$me"
  get "/said/$me"
  expect 200 '{"n":2}'
  tell 'Cache-Control=s-maxage=60'
  get "/said/$me"
  get "/said/$me"
  expect 200 '{"n":3}'
}

@test "a reply with Set-Cookie, of a part, or that failed is not kept" {
  local reply n=0
  for reply in 'Set-Cookie=a=1&Cache-Control=public,max-age=60' 'status=206&Content-Range=bytes%200-6/7' \
    status=500 status=201 status=302 'Vary=*'; do
    tell "$reply"
    get "/long/$me"
    get "/long/$me"
    ((n += 2))
    was_asked "$n"
  done
}

@test "404 is kept as 200 is" {
  tell status=404
  get "/long/$me"
  get "/long/$me"
  expect 404 '{"n":1}'
}

@test "what has passed is asked for again" {
  get "/short/$me"
  wait_until eval 'get "/short/$me" && expect 200 "{\"n\":2}"'
}

@test "an empty body and header fields are kept whole" {
  tell 'status=204&X-A=1&X-B=2'
  get "/long/$me"
  get "/long/$me"
  expect 204 ''
  [ "$(header x-a)$(header x-b)" = 12 ]
  was_asked 1
}

@test "a reply that is larger than fits passes, and is not kept" {
  get '/huge?bytes=2000000&length=1'
  get '/huge?bytes=2000000&length=1'
  expect 200
  [ "$(stat -c %s "$BATS_TEST_TMPDIR/body")" = 2000000 ]
  status_is 'fwd=miss; stored|fwd=miss'
  run ! status_is 'hit.*'
}

## Whose reply it is

@test "what was asked for with Authorization is kept only where the service says for all" {
  get "/long/$me" -H 'Authorization: Bearer a'
  get "/long/$me" -H 'Authorization: Bearer a'
  expect 200 '{"n":2}'
  tell 'Cache-Control=public'
  get "/long/$me" -H 'Authorization: Bearer a'
  get "/long/$me" -H 'Authorization: Bearer b'
  expect 200 '{"n":3}'
}

@test "who comes with Authorization or Cookie gets nothing that was kept for who did not" {
  get "/long/$me"
  get "/long/$me" -H 'Authorization: Bearer a'
  expect 200 '{"n":2}'
  get "/long/$me" -H 'Cookie: session=1'
  expect 200 '{"n":3}'
  get "/long/$me"
  expect 200 '{"n":1}'
}

@test "Vary tells replies apart" {
  tell 'Vary=Accept-Language,%20X-Kind'
  get "/long/$me" -H 'Accept-Language: de'
  get "/long/$me" -H 'Accept-Language: en'
  expect 200 '{"n":2}'
  get "/long/$me" -H 'Accept-Language: de' -H 'X-Kind: 1'
  expect 200 '{"n":3}'
  get "/long/$me" -H 'Accept-Language: de'
  expect 200 '{"n":1}'
  get "/long/$me" -H 'Accept-Language: en'
  expect 200 '{"n":2}'
}

@test "a field that comes under two names at once is 400, and poisons nothing" {
  local other
  tell 'Vary=Accept-Language'
  for other in Accept_Language accept_language Accept.Language; do
    get "/long/$me" -H 'Accept-Language: en' -H "$other: xx"
    expect 400
    get "/long/$me" -H "$other: xx" -H 'Accept-Language: en'
    expect 400
  done
  was_asked 0
  get "/long/$me" -H 'Accept-Language: en' -H 'Accept-Language: de'
  expect 200 '{"n":1}'
}

@test "a field that Connection keeps from the service poisons nothing" {
  tell 'Vary=Accept-Language'
  get "/long/$me" -H 'Accept-Language: en' -H 'Connection: close, accept-language'
  expect 200 '{"n":1}'
  get "/long/$me" -H 'Accept-Language: en' -H 'Connection: close'
  expect 200 '{"n":2}'
  get "/long/$me" -H 'Accept-Language: en'
  expect 200 '{"n":2}'
}

@test "a reply that varies by X-Forwarded-For is for this client" {
  tell 'Vary=X-Forwarded-For'
  get "/long/$me"
  get "/long/$me" --interface 127.0.0.2
  expect 200 '{"n":2}'
  get "/long/$me"
  expect 200 '{"n":1}'
}

@test "CORS fields are each client's own" {
  get "/cors/$me" -H 'Origin: https://a.example'
  get "/cors/$me" -H 'Origin: https://b.example'
  expect 200 '{"n":1}'
  [ "$(header access-control-allow-origin)" = https://b.example ]
  get "/cors/$me"
  [ "$(header access-control-allow-origin)" = '' ]
}

@test "a composed reply is kept under what its route refers to" {
  tell 'body=1'
  get "/composed/$me?unused=1"
  expect 200 '{"it":1}'
  tell 'body=2'
  get "/composed/$me?unused=2" -H 'Cookie: a=1'
  expect 200 '{"it":1}'
  status_is 'hit; .*'
  get "/composed/$me?x=1"
  expect 200 '{"it":2}'
  get "/composed/$me" -H 'Authorization: me'
  expect 200 '{"it":2,"who":"me"}'
  get "/composed/$me" -H 'Authorization: you'
  expect 200 '{"it":2,"who":"you"}'
  was_asked 4
}

@test "a reply in which something stands in for a service that failed is not kept" {
  tell 'body=[{%22x%22:1}]' "$me-list"
  tell status=404 "$me-none"
  tell status=503
  get "/else/$me"
  expect 200 '["none","none",[{"n":1}]]'
  status_is fwd=miss
  tell ''
  tell status=503 "$me-each"
  get "/else/$me"
  expect 200 '[{"n":2},"none",[[]]]'
  status_is fwd=miss
  tell '' "$me-each"
  get "/else/$me"
  expect 200 '[{"n":3},"none",[{"n":3}]]'
  get "/else/$me"
  expect 200 '[{"n":3},"none",[{"n":3}]]'
  status_is 'hit; .*'
}

## What the client wants

@test "a client may ask for what is not older than it wants" {
  get "/long/$me"
  get "/long/$me" -H 'Cache-Control: no-cache'
  expect 200 '{"n":2}'
  status_is 'fwd=request; fwd-status=200; stored'
  get "/long/$me" -H 'Pragma: no-cache'
  expect 200 '{"n":3}'
  get "/long/$me" -H 'Cache-Control: min-fresh=7200'
  expect 200 '{"n":4}'
  get "/long/$me" -H 'Cache-Control: max-age=60'
  expect 200 '{"n":4}'
}

@test "no-store of a client keeps its reply from being kept" {
  get "/long/$me" -H 'Cache-Control: no-store'
  status_is 'fwd=miss'
  get "/long/$me"
  expect 200 '{"n":2}'
}

@test "nor does a stale reply bring one for it that is kept" {
  tell 'Cache-Control=max-age=0,stale-while-revalidate=60'
  get "/said/$me"
  get "/said/$me" -H 'Cache-Control: no-store'
  expect 200 '{"n":2}'
  status_is 'fwd=stale; fwd-status=200'
  get "/said/$me"
  expect 200 '{"n":1}'
}

@test "only-if-cached never asks the service" {
  get "/long/$me" -H 'Cache-Control: only-if-cached'
  expect 504
  was_asked 0
  get "/long/$me"
  get "/long/$me" -H 'Cache-Control: only-if-cached'
  expect 200 '{"n":1}'
}

@test "a client that has the reply already gets 304 from the cache, from its first request on" {
  tell 'ETag="v1"&Last-Modified=Sun,%2006%20Nov%201994%2008:49:37%20GMT&Content-Type=text/x'
  get "/long/$me" -H 'If-None-Match: "v0", W/"v1"'
  expect 304 ''
  [ "$(header etag)" = '"v1"' ]
  [ "$(header content-type)" = '' ]
  get "/long/$me" -H 'If-None-Match: "v1"'
  expect 304 ''
  get "/long/$me" -H 'If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT'
  expect 304 ''
  get "/long/$me" -H 'If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT'
  expect 200 '{"n":1}'
  get "/long/$me" -H 'If-None-Match: "v2"'
  expect 200 '{"n":1}'
  was_asked 1
}

@test "HEAD is answered from a kept GET" {
  get "/long/$me"
  request HEAD "/long/$me"
  expect 200
  status_is 'hit; .*'
  [ "$(header content-length)" = 7 ]
  was_asked 1
}

@test "a request for a part goes to the service" {
  get "/long/$me"
  get "/long/$me" -H 'Range: bytes=0-1'
  expect 200 '{"n":2}'
  [ "$(header cache-status)" = '' ]
}

## What is stale

@test "a stale reply is sent at once, and made fresh after it" {
  get "/stale/$me"
  wait_until eval 'get "/stale/$me" && [[ $(header cache-status) == *ttl=-* ]]'
  wait_until eval '(( $(asked) > 1 ))'
  wait_until eval 'get "/stale/$me" && [[ $body != "{\"n\":1}" ]]'
}

@test "of many clients with a stale reply one asks the service" {
  get "/stale/$me"
  tell hold
  local i
  for i in {1..10}; do
    get "/stale/$me"
    expect 200 '{"n":1}'
  done
  wait_until eval '[[ $(asked waiting) == 1 ]]'
  was_asked 2
  tell ''
  wait_until eval 'get "/stale/$me" && expect 200 && [[ $body != "{\"n\":1}" ]]'
}

@test "a service that fails does not take a stale reply away" {
  get "/stale/$me"
  tell status=503
  local i
  for i in 1 2 3; do
    get "/stale/$me"
    expect 200 '{"n":1}'
  done
}

@test "a service that fails is not asked again by each client with a stale reply" {
  local i start=$SECONDS
  get "/failing/$me"
  tell status=503
  for i in {1..50}; do
    get "/failing/$me"
    expect 200 '{"n":1}'
  done
  (($(asked) <= 3 + SECONDS - start)) || { echo "asked $(asked) times" && return 1; }
  tell ''
  wait_until eval 'get "/failing/$me" && [[ $body != "{\"n\":1}" ]]'
}

@test "where the service wants to be asked first, an old reply stands in for an error" {
  tell 'Cache-Control=max-age=0,stale-if-error=60,stale-while-revalidate=0'
  get "/said/$me"
  tell status=503
  get "/said/$me"
  expect 200 '{"n":1}'
  status_is 'fwd=stale; fwd-status=503; detail=stale-if-error'
  tell 'status=404'
  get "/said/$me"
  expect 404
}

@test "Cache-Status tells no status of a service that did not answer" {
  tell 'Cache-Control=max-age=0,stale-if-error=60'
  get "/hasty/$me"
  tell hold
  get "/hasty/$me"
  expect 200 '{"n":1}'
  status_is 'fwd=stale; detail=stale-if-error'
  get "/hasty/$me" -H 'Cache-Control: no-cache'
  expect 504
  status_is 'fwd=stale'
  tell ''
}

@test "what the service gives no time is not sent stale, whatever the route says" {
  tell 'Cache-Control=max-age=0&ETag="a"'
  get "/stale/$me"
  get "/stale/$me"
  expect 200
  status_is 'fwd=stale; fwd-status=304; stored'
  tell status=503
  get "/stale/$me"
  expect 503
}

@test "must-revalidate is never answered by what is not fresh" {
  tell 'Cache-Control=max-age=0,must-revalidate&ETag="a"'
  get "/stale/$me"
  tell status=503
  get "/stale/$me"
  expect 503
}

@test "the service is asked whether the reply is still the same, and need not send it again" {
  tell 'Cache-Control=no-cache&ETag="a"&X-Told=1'
  get "/long/$me"
  status_is 'fwd=miss; stored'
  tell 'Cache-Control=no-cache&ETag="a"&X-Told=2'
  get "/long/$me"
  expect 200 '{"n":1}'
  status_is 'fwd=stale; fwd-status=304; stored'
  [ "$(header x-told)" = 2 ]
  [ "$(asked unmodified)" = 1 ]
  tell 'Cache-Control=max-age=60&ETag="a"&X-Told=3'
  get "/long/$me" -H 'If-None-Match: "a"'
  expect 304 ''
  get "/long/$me"
  expect 200 '{"n":1}'
  [ "$(header x-told)" = 3 ]
  status_is 'hit; .*'
  was_asked 3
}

@test "what the service does not want kept any more is gone" {
  tell 'Cache-Control=max-age=0,stale-while-revalidate=0&ETag="a"'
  get "/said/$me"
  tell 'Cache-Control=no-store&ETag="b"'
  get "/said/$me"
  expect 200 '{"n":2}'
  tell status=503
  get "/said/$me"
  expect 503
}

@test "a 304 about another reply than the one that is kept makes nothing fresh" {
  local other
  for other in 'ETag="b"' 'ETag=W/"b"' 'Last-Modified=Mon,%2007%20Nov%201994%2008:49:37%20GMT'; do
    tell 'Cache-Control=no-cache&ETag="a"&body=old'
    "$CONTROL" purge "/long/$me" >"$BATS_TEST_TMPDIR/purged"
    get "/long/$me"
    expect 200 old
    tell "unmodified=1&body=new&$other"
    get "/long/$me"
    expect 200 new
    get "/long/$me"
    expect 200 new
  done
}

@test "a 304 that names the same tag, a weak form of it, or none is about what is kept" {
  local same
  for same in 'ETag="a"' 'ETag=W/"a"' ''; do
    tell 'Cache-Control=no-cache&ETag="a"&body=old'
    get "/long/$me" -H 'Cache-Control: no-cache'
    tell "unmodified=1&body=new&$same"
    get "/long/$me"
    expect 200 old
    status_is 'fwd=stale; fwd-status=304; stored'
    "$CONTROL" purge "/long/$me" >"$BATS_TEST_TMPDIR/purged"
  done
}

## What is gone

@test "a successful change of a path makes what is kept of it go" {
  local method n=1
  for method in PUT POST DELETE; do
    get "/long/$me?a=1"
    expect 200 "{\"n\":$n}"
    request "$method" "/long/$me" -d x
    expect 200
    [[ $method == PUT ]] || ((n += 1)) # that one does not count here
    get "/long/$me?a=1"
    ((n += 1))
    expect 200 "{\"n\":$n}"
  done
}

@test "a change makes what is kept go however the path is written" {
  local kept changed
  while read -r kept changed; do
    get "/long/$me$kept"
    get "/long/$me$kept"
    status_is 'hit; .*'
    request PUT "/long/$me$changed" -d x
    expect 200
    get "/long/$me$kept"
    status_is 'fwd=miss; stored'
  done <<'PATHS'
abc %61bc
%61b%2Dc ab-c
a%2fb a%2Fb
caf%c3%a9 café
PATHS
  get "/long/$me%61bc"
  run "$CONTROL" purge "/long/$me%61%62c"
  [ "$status $output" = '0 2 replies forgotten' ]
  get "/long/$me%2c"
  request PUT "/long/$me," -d x
  get "/long/$me%2c"
  status_is 'hit; .*'
}

@test "a change that failed leaves what is kept" {
  get "/long/$me"
  tell status=409 "$me-put"
  request PUT "/long/$me" -d x
  expect 409
  get "/long/$me"
  expect 200 '{"n":1}'
}

@test "a change that nobody knows the end of makes what is kept go" {
  get "/long/$me"
  tell hold "$me-put"
  curl -s -X PUT "$URL/long/$me" -d x >"$BATS_TEST_TMPDIR/put" 3>&- &
  local client=$!
  wait_until eval '[[ $(get_from misbehave "/asked/$me-put" && field .waiting) == 1 ]]'
  kill -KILL "$client"
  wait_until eval 'get "/long/$me" && expect 200 "{\"n\":2}"'
  tell cut=1 "$me-late-put"
  get "/late/$me-late"
  request PUT "/late/$me-late" -d x
  expect 408
  get "/late/$me-late"
  expect 200 '{"n":2}'
}

@test "what was asked for before a change is not kept after it" {
  tell hold
  get "/long/$me" 3>&- &
  local first=$!
  wait_until eval '[[ $(asked waiting) == 1 ]]'
  request PUT "/long/$me" -d x
  expect 200
  tell ''
  wait "$first"
  get "/long/$me"
  expect 200 '{"n":2}'
}

@test "a path is purged from the command line, with all its queries; or all that begin so" {
  get "/long/$me?a=1"
  get "/long/$me?a=2"
  get "/long/$me-b"
  run "$CONTROL" purge "/long/$me"
  [ "$status $output" = '0 2 replies forgotten' ]
  run "$CONTROL" purge "/long/$me"
  [ "$status $output" = '0 0 replies forgotten' ]
  get "/long/$me?a=1"
  expect 200 '{"n":3}'
  run "$CONTROL" purge "/long/$me*"
  [ "$status $output" = '0 2 replies forgotten' ]
  run "$CONTROL" purge '/*'
  [[ $status == 0 && $output == *' forgotten' ]]
  get_admin /cache
  expect 200
  [ "$(field '"\(.replies) \(.bytes) \(.bytes_max)"')" = '0 0 4194304' ]
}

@test "what is no path is not purged" {
  local path
  for path in '' users '/a b' '/a?b'; do
    run "$CONTROL" purge "$path"
    [[ $status == 1 && $output == 'purge what? '* ]]
  done
}

@test "nobody else can purge, and no route is reached over that socket" {
  get "/long/$me"
  local field
  for field in GATEWAY_ADMIN Gateway-Admin; do
    request DELETE "/cache/long/$me" -H "$field: 1"
    expect 404
  done
  get "/long/$me"
  expect 200 '{"n":1}'
  get_admin "/long/$me"
  expect 404
  [ "$(stat -c '%a %u' "$RUN_DIR")" = "700 $EUID" ]
}

@test "what is kept outlives a reload, but for routes that have changed" {
  get "/long/$me"
  get "/versioned/$me"
  expect 200 '{"n":2}'
  "$CONTROL" reload
  get "/versioned/$me"
  expect 200 '{"n":2}'
  write_config 2
  "$CONTROL" reload
  get "/versioned/$me"
  expect 200 '{"n":3}'
  [ "$(header x-version)" = 2 ]
  get "/long/$me"
  expect 200 '{"n":1}'
}

@test "the cache stays within its bound" {
  local i
  for i in {1..60}; do
    get "/huge?bytes=200000&length=1&i=$i"
    expect 200
  done
  # A streamed reply is kept when its last byte has gone, so a client may be back before that.
  wait_until eval 'get "/huge?bytes=200000&length=1&i=60" && status_is "hit; .*"'
  get_admin /cache
  [ "$(field '.bytes <= .bytes_max and .evicted > 0 and .replies + .evicted >= 60')" = true ]
}

# many ROUNDS: 32 clients ask for 2,000 paths, one after the other, 20 kB each.
many() {
  local round
  for ((round = 0; round < $1; round++)); do
    curl -sZ --parallel-max 32 --max-time 300 -o /dev/null -w '%{http_code}\n' "$URL/many/[1-2000]?bytes=20000&length=1"
  done >>"$BATS_TEST_TMPDIR/statuses"
}
memory_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$(responder_pid gateway)/status"; }

@test "many clients with more than fits: all are served, and memory stays as it is" {
  local before after
  many 2 # threads and their memory come first
  before=$(memory_kb)
  many 4 3>&- &
  until ! kill -0 $! 2>/dev/null; do
    get_admin /cache
    [ "$(field '.bytes <= .bytes_max')" = true ]
    "$CONTROL" purge '/many/1*' >"$BATS_TEST_TMPDIR/purged"
  done
  wait $!
  after=$(memory_kb)
  [ "$(sort "$BATS_TEST_TMPDIR/statuses" | uniq -c | tr -s ' ')" = ' 12000 200' ]
  get_admin /cache
  [ "$(field '.bytes <= .bytes_max and .evicted > 8000')" = true ]
  ((after - before < 20000)) || { echo "$before kB before, $after kB after 160 MB more" && return 1; }
}
