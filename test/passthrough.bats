#!/usr/bin/env bats
# passthrough: what is only passed through crosses the gateway unchanged in both directions, streamed,
# and a service that breaks HTTP harms nobody. Behind the gateway stands test/fixtures/misbehave.c.
load helpers

setup_file() {
  choose_place
  local fixture=$BUILD/test/fixtures/misbehave
  spawn odd "$fixture" "unix:$BATS_FILE_TMPDIR/odd.sock"
  spawn tcp "$fixture" tcp:0
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  wait_until grep -q listening "$RUN_DIR/tcp.log"
  ODD=unix:$BATS_FILE_TMPDIR/odd.sock
  TCP=http://127.0.0.1:$(sed 's/.* //' "$RUN_DIR/tcp.log")
  GONE=unix:$BATS_FILE_TMPDIR/gone.sock
  export ODD TCP GONE GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "name": "test-gateway",
  "upstreams": {
    "odd":     { "servers": ["${ODD}"], "timeout": "1s", "title": "Odd service", "breaker": null },
    "tcp":     { "servers": ["${TCP}"], "timeout": "1s", "title": "TCP service", "breaker": null },
    "single":  { "servers": ["${ODD}"], "timeout": "5s", "title": "Single service", "breaker": null,
                 "max_concurrent": 1, "queue": 1 },
    "gone":    { "servers": ["${GONE}"], "title": "Gone service" },
    "refused": { "servers": ["http://127.0.0.1:1"], "title": "Refused service" }
  },
  "limits": { "body": "10000000B" },
  "routes": {
    "GET,POST,PUT,PATCH,DELETE,OPTIONS /{any*}": "odd",
    "GET,POST /{behaviour}/tcp": "tcp",
    "GET /single/{name}":        { "pass": "single /hold/{name}", "timeout": "2s" },
    "POST /single/{name}":       { "pass": "single /hold/{name}", "timeout": "4s" },
    "GET /{behaviour}/gone":     "gone",
    "GET /{behaviour}/refused":  "refused"
  }
}
JSON
  start_app gateway
  responder_pid gateway >"$BATS_FILE_TMPDIR/first-pid"
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# The fields of that name that the service received, one a line: got X-Keep
got() {
  jq -r --arg name "$1" '.headers[] | select((.[0]|ascii_downcase) == ($name|ascii_downcase)) | .[1]' \
    "$BATS_TEST_TMPDIR/body"
}

# A figure of the gateway's or its web server's memory in KiB: memory VmHWM PID
memory() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$2/status"; }

web_server_pid() { processes_of "$RUN_DIR" | sed -n 's/ lighttpd$//p'; }

## The request line

@test "path and query reach the service byte for byte" {
  local target
  for target in /echo /echo/ '/echo?' '/echo/a%2Fb' '/echo/a%2fb' '/echo/%41%7E%2D' '/echo/caf%C3%A9' \
    '/echo/a+b' '/echo/a;b=c,d' "/echo/!\$&'()*+,;=:@-._~" '/echo/%25' '/echo/a%20b' '/echo/%3F%23' \
    '/echo?a=%2F%20+;&&=&a=2' '/echo?u=http://host//path/../x' '/echo?caf%C3%A9=%c3%a9' '/echo?a?b??' \
    '/echo/a?x=%41&y=[1]{2}|3' '/echo?%' '/echo?%zz' '/echo?a=%ff%fe'; do
    get "$target"
    expect 200
    [[ $(field .target) == "$target" ]] || { echo "$target became $(field .target)" && return 1; }
  done
}

@test "a path and query of 8 KiB reach the service whole" {
  local target
  target="/echo/$(printf 'a%.0s' {1..4000})?$(printf 'b%.0s' {1..4000})"
  get "$target"
  expect 200
  [[ $(field .target) == "$target" ]]
}

@test "every method reaches the service as it is, with its body" {
  local method
  for method in POST PUT PATCH DELETE OPTIONS; do
    request "$method" /echo -d "the body of $method"
    expect 200
    [[ $(field .method) == "$method" && $(field .body) == "the body of $method" ]]
  done
  get /echo
  [[ $(field .method) == GET && $(field .length) == 0 ]]
  [[ ! $(got Content-Length) && ! $(got Transfer-Encoding) ]]
}

@test "a POST without a body stays a POST with length 0" {
  request POST /echo -d ""
  expect 200
  [[ $(field .method) == POST && $(got Content-Length) == 0 ]]
}

## Header fields up

@test "end-to-end fields reach the service, in whatever letter case" {
  get /echo -H 'X-Keep: 1; a="b", c' -H 'authorization: Bearer x.y' -H 'Cookie: a=1; b=2' \
    -H 'Accept: text/*;q=0.5' -H 'Accept-Encoding: br' -H 'If-None-Match: "x"' -H 'Range: bytes=0-1' \
    -H 'User-Agent: tester/1.0' -H 'X-Word: Vinícius'
  expect 200
  [[ $(got X-Keep) == '1; a="b", c' && $(got Authorization) == "Bearer x.y" ]]
  [[ $(got Cookie) == "a=1; b=2" && $(got Accept) == "text/*;q=0.5" && $(got Accept-Encoding) == br ]]
  [[ $(got If-None-Match) == '"x"' && $(got Range) == "bytes=0-1" && $(got User-Agent) == tester/1.0 ]]
  [[ $(got X-Word) == "Vinícius" ]]
}

@test "fields that the client did not send are not made up" {
  get /echo -H 'Accept:' -H 'User-Agent:'
  expect 200
  local names
  names=$(field '.headers[][0]|ascii_downcase' | sort | tr '\n' ' ')
  [[ $names == "host via x-forwarded-for x-forwarded-host x-forwarded-proto x-request-id x-request-timeout-ms " ]] ||
    { echo "$names" && return 1; }
}

@test "hop-by-hop fields stop at the gateway, and those that Connection names" {
  get /echo -H 'Connection: close, X-Drop' -H 'X-Drop: 1' -H 'X-Keep: 1' -H 'Keep-Alive: 5' \
    -H 'TE: trailers' -H 'Trailer: X-T' -H 'Proxy-Connection: x' -H 'Proxy-Authorization: x' -H 'Proxy: http://evil'
  expect 200
  local name
  for name in Connection X-Drop Keep-Alive TE Trailer Proxy-Connection Proxy-Authorization Upgrade Proxy; do
    [[ ! $(got "$name") ]] || { echo "$name: $(got "$name")" && return 1; }
  done
  [[ $(got X-Keep) == 1 ]]
}

@test "a request to upgrade the protocol is served as a plain one" {
  get /echo -H 'Connection: Upgrade' -H 'Upgrade: websocket'
  expect 200
  [[ ! $(got Upgrade) && ! $(got Connection) ]]
}

@test "X-Forwarded-For, -Proto and -Host say where the request came from" {
  get /echo -H 'Host: shop.example:8000'
  [[ $(got X-Forwarded-For) == 127.0.0.1 && $(got X-Forwarded-Proto) == http ]]
  [[ $(got X-Forwarded-Host) == shop.example:8000 ]]
  get /echo -H 'X-Forwarded-For: 192.0.2.7' -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: other'
  [[ $(got X-Forwarded-For) == "192.0.2.7, 127.0.0.1" ]]
  [[ $(got X-Forwarded-Proto) == http && $(got X-Forwarded-Host) == "127.0.0.1:$PORT" ]]
}

@test "a request id is made where there is none, and the client, the service and the log see the same" {
  local id
  get /echo
  id=$(header x-request-id)
  [[ $id =~ ^[0-9A-Za-z._-]{16,64}$ && $(got X-Request-ID) == "$id" ]]
  wait_until grep -q " $id GET /echo 200 " "$RUN_DIR/gateway.log"
  get /echo
  [[ $(header x-request-id) != "$id" ]]
}

@test "a sane request id is kept, another one is replaced" {
  local id
  get /echo -H 'X-Request-ID: Order.66_a-b'
  [[ $(header x-request-id) == Order.66_a-b && $(got X-Request-ID) == Order.66_a-b ]]
  for id in 'a b' 'a"b' 'ä' "$(printf 'x%.0s' {1..65})" 'a;b' '../x'; do
    get /echo -H "X-Request-ID: $id"
    expect 200
    [[ $(header x-request-id) != "$id" && $(got X-Request-ID) == "$(header x-request-id)" ]]
  done
}

## Header fields down

@test "reply fields come through in their order, repeated ones too" {
  get '/headers?Set-Cookie=a%3D1&Set-Cookie=b%3D2&X-One=1&X-One=2&ETag=%22x%22&Content-Type=text/x;%20y'
  expect 200 "{}"
  [[ $(grep -i '^set-cookie' <<<"$headers") == "Set-Cookie: a=1"$'\n'"Set-Cookie: b=2" ]]
  [[ $(grep -i '^x-one' <<<"$headers" | tr '\n' ' ') == "X-One: 1 X-One: 2 " || $(header x-one) == "1, 2" ]]
  [[ $(header etag) == '"x"' && $(header content-type) == "text/x; y" ]]
}

@test "hop-by-hop reply fields stop at the gateway, and those that Connection names" {
  get /hop
  expect 200 "{}"
  [[ $(header x-public) == 1 ]]
  local name
  for name in X-Private Keep-Alive TE Upgrade Proxy-Connection; do
    [[ ! $(header "$name") ]] || { echo "$name came through" && return 1; }
  done
}

@test "reply fields that mean something to the web server have no power" {
  get "/headers?Status=404%20Gone&X-Sendfile=/etc/passwd&X-LIGHTTPD-send-file=/etc/passwd&X-Sendfile2=/etc/passwd%200-9"
  expect 200 "{}"
  get '/headers/201?Location=/ok'
  expect 201 "{}"
  [[ $(header location) == /ok ]]
  get '/headers?Location=/ok'
  expect 200 "{}"
}

@test "an encoded body is not decoded" {
  get '/headers?Content-Encoding=gzip&Vary=Accept-Encoding' -H 'Accept-Encoding: gzip'
  expect 200 "{}"
  [[ $(header content-encoding) == gzip && $(header vary) == Accept-Encoding ]]
}

@test "there is one Date and one Content-Length" {
  get '/headers?Date=Sun,%2006%20Nov%201994%2008:49:37%20GMT&Server=odd'
  expect 200
  [[ $(grep -ci '^date:' <<<"$headers") -eq 1 && $(grep -ci '^content-length:' <<<"$headers") -eq 1 ]]
  [[ $(header date) == "Sun, 06 Nov 1994 08:49:37 GMT" && $(header server) == odd ]]
}

@test "the request id of the reply is ours, not the service's" {
  get '/headers?X-Request-ID=forged'
  [[ $(grep -ci '^x-request-id:' <<<"$headers") -eq 1 && $(header x-request-id) != forged ]]
}

## Statuses

@test "statuses of the service come through with their bodies" {
  local status
  for status in 200 201 202 300 301 400 401 403 404 409 410 418 422 429 451 500 501 502 503 504 507 599; do
    get "/status/$status"
    expect "$status" "{\"status\":$status}"
  done
}

@test "204 and 304 have no body" {
  get /status/204
  expect 204 ""
  get /status/304
  expect 304 ""
  get /ok
  expect 200 '{"ok":true}'
}

@test "a redirect is the client's to follow" {
  get '/redirect?a=%2F'
  expect 302 "{}"
  [[ $(header location) == '/redirect?a=%2F' ]]
}

@test "HEAD reaches the service as HEAD, and its length comes back" {
  local path
  get '/headers?X-A=1'
  request HEAD '/headers?X-A=1'
  expect 200
  [[ $(header content-length) == 2 && $(header x-a) == 1 ]]
  for path in /huge /stream /trailer /status/503 /status/404; do
    request HEAD "$path"
    [[ $code == 200 || $path == "/status/$code" ]] || { echo "$path: $code" && return 1; }
  done
  [[ $(raw 'HEAD /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | tail -n 1) == $'\r' ]]
}

## Bodies

@test "a body of 10 MB goes up and comes back unchanged" {
  head -c 10000000 /dev/urandom >"$BATS_TEST_TMPDIR/sent"
  request POST /mirror --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 200
  cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/body"
  request PUT /mirror -T "$BATS_TEST_TMPDIR/sent" -H 'Expect:'
  cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/body"
}

@test "a chunked body of 10 MB goes up and comes back unchanged" {
  head -c 10000000 /dev/urandom >"$BATS_TEST_TMPDIR/sent"
  request POST /mirror --data-binary "@$BATS_TEST_TMPDIR/sent" -H 'Transfer-Encoding: chunked'
  expect 200
  cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/body"
}

@test "a body that is longer than the limit is 413" {
  head -c 10000001 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  request POST /sink --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 413
  [[ $(field '.error|type') == string ]]
  request POST /sink --data-binary "@$BATS_TEST_TMPDIR/sent" -H 'Transfer-Encoding: chunked'
  expect 413
  truncate -s 20000000 "$BATS_TEST_TMPDIR/sent"
  request POST /sink --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 413
  [[ $(field '.error|type') == string ]]
}

@test "a reply of 200 MB comes down whole and is never held in memory" {
  local before after how
  get /ok
  before=$(($(memory VmHWM "$(responder_pid gateway)") + $(memory VmHWM "$(web_server_pid)")))
  for how in 0 1; do
    run -0 curl -sg --max-time 60 -o /dev/null -w '%{size_download}' "$URL/huge?bytes=200000000&length=$how"
    [[ $output == 200000000 ]]
  done
  after=$(($(memory VmHWM "$(responder_pid gateway)") + $(memory VmHWM "$(web_server_pid)")))
  ((after - before < 8000)) || { echo "grew by $((after - before)) KiB" && return 1; }
}

@test "a client that reads slowly holds the service back instead of filling memory" {
  local before after
  before=$(($(memory VmHWM "$(responder_pid gateway)") + $(memory VmHWM "$(web_server_pid)")))
  run -28 curl -sg --max-time 2 --limit-rate 1M -o /dev/null "$URL/huge?bytes=1000000000"
  after=$(($(memory VmHWM "$(responder_pid gateway)") + $(memory VmHWM "$(web_server_pid)")))
  ((after - before < 8000)) || { echo "grew by $((after - before)) KiB" && return 1; }
}

@test "a client that goes away ends the call to the service" {
  run -28 curl -sg --max-time 1 -o /dev/null -H 'X-Request-ID: gone-away' "$URL/huge?bytes=1000000000000"
  wait_until grep -q ' gone-away GET /huge .*(given up)' "$RUN_DIR/gateway.log"
}

@test "a client that goes away in the middle of its body harms nobody" {
  head -c 5000000 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  run -28 curl -sg --max-time 1 --limit-rate 100k -o /dev/null --data-binary "@$BATS_TEST_TMPDIR/sent" "$URL/sink"
  get /ok
  expect 200 '{"ok":true}'
}

@test "a streamed reply arrives piece by piece" {
  local first='' now
  while read -r _; do
    now=${EPOCHREALTIME/./}
    first=${first:-$now}
  done < <(curl -sgN --max-time 20 "$URL/stream?parts=4&ms=250")
  ((now - first >= 500000)) || { echo "all of it came within $((now - first)) us" && return 1; }
}

@test "a server-sent event arrives while the next one is not sent yet" {
  local line events
  exec {events}< <(curl -sgN --max-time 20 "$URL/events")
  IFS= read -r -t 10 line <&"$events"
  [[ $line == "data: first" ]]
  get /barrier # the service waits for this before it sends the second
  expect 200 '{"ok":true}'
  [[ $(tr -d '\n' <&"$events") == "data: second" ]]
  exec {events}<&-
}

@test "a chunked body reaches the service whole, with its length" {
  run raw 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Late: 1\r\n\r\n'
  [[ $output == "HTTP/1.1 200 "* && $output == *'"length":5,"body":"abcde"'* ]]
  [[ $output == *'["Content-Length","5"]'* && $output != *Transfer-Encoding\"* && $output != *X-Late* ]]
}

# Says "Expect: 100-continue" and sends the body of that length when it is asked to. Sets `first`, the
# first line that came, and `last`.
expect_continue() {
  local connection line length=$2
  exec {connection}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n' \
    "$1" "$length" >&"$connection"
  IFS= read -r -t 10 first <&"$connection"
  [[ $first != *" 100 "* ]] || head -c "$length" /dev/zero >&"$connection"
  last=$(tr -d '\0' <&"$connection" | tail -n 1)
  exec {connection}>&-
}

@test "a client that waits to be asked for its body is asked, and its body reaches the service" {
  local length first last
  for length in 10 100000 5000000; do
    expect_continue /sink "$length"
    [[ $first == "HTTP/1.1 100 Continue"* && $last == "{\"bytes\":$length}" ]] || { echo "$length: $first $last" && return 1; }
  done
}

# The web server asks for the body before it knows what the gateway thinks of its length.
@test "a client that waits to be asked for too long a body hears 413" {
  local first last
  expect_continue /sink 10000001
  [[ $last == '{"error":"Content Too Large","message":"The request body is longer than allowed"}' ]]
}

## A service that breaks HTTP

@test "a reply that is cut off looks cut off to the client" {
  local target
  for target in '/cut?bytes='{0,10,100000} /cut-chunked{,,,,,} '/cut-chunked?ms=100'; do
    run curl -sg --max-time 20 -o /dev/null "$URL$target"
    [[ $status == 18 ]] || { echo "$target: curl ended with $status" && return 1; }
  done
}

@test "a reply that stops for longer than the timeout looks cut off to the client" {
  run curl -sg --max-time 20 -o /dev/null "$URL/stalled"
  [[ $status == 18 ]]
}

@test "a reply that takes longer than the timeout but never stops is whole" {
  get '/stream?parts=6&ms=300'
  expect 200
  [[ $(wc -l <<<"$body") -eq 6 ]]
}

@test "interim replies and trailers are not taken for the reply" {
  get /continue
  expect 200 '{"ok":true}'
  [[ $(grep -c '^HTTP/' <<<"$headers") -eq 1 && ! $(header link) ]]
  get /trailer
  expect 200 early
  [[ ! $(header x-late) ]]
}

@test "a second reply that nobody asked for reaches no other caller" {
  local i
  for i in {1..20}; do
    get /long
    expect 200 first
    get /ok
    expect 200 '{"ok":true}'
  done
}

@test "a service that is not there is 502 with its name and the cause" {
  get /ok/gone
  expect 502 '{"error":"Gone service unavailable","message":"Socket not found"}'
  get /ok/refused
  expect 502 '{"error":"Refused service unavailable","message":"Connection refused"}'
  [[ $(header content-type) == application/json ]]
}

@test "a service that closes or resets the connection is 502" {
  local path
  for path in /empty /reset /empty/tcp /reset/tcp; do
    get "$path"
    expect 502
    [[ $(field .error) == *" service unavailable" && $(field '.message|type') == string ]]
  done
}

@test "a service that does not speak HTTP is 502" {
  local path
  for path in /garbage /garbage/tcp /switching /two-lengths /folded /spaced /colonless /nameless; do
    get "$path"
    expect 502
    [[ $(field .error) == *" service error" && $(field '.message|type') == string ]]
  done
}

@test "a reply whose head is longer than the web server would pass on is 502, and one that is not comes through" {
  get '/headed?bytes=60000'
  expect 200
  get '/headed?bytes=70000'
  expect 502
  [ "$(field .message)" = "The head of the reply is too long" ]
}

@test "a service that does not answer in time is 504" {
  get /silent
  expect 504 '{"error":"Odd service timeout","message":"Service did not respond in 1 second"}'
  get '/dribble?ms=30'
  expect 504
  get '/dribble?ms=1'
  expect 200 ok
  get '/slow?ms=600'
  expect 200 '{"ok":true}'
}

@test "who waited for a place with a body that is there has no more time for it" {
  is_held() { get /held/first && [ "$(field .held)" = true ]; }
  curl -s --max-time 20 -o /dev/null "$URL/single/first" 3>&- &
  wait_until is_held
  request POST /single/second --data x -H 'X-Request-ID: second'
  expect 504
  wait_until grep -q ' second POST ' "$RUN_DIR/gateway.log"
  local took
  took=$(sed -nE 's/.* second POST .* 504 ([0-9]+)\.[0-9]ms .*/\1/p' "$RUN_DIR/gateway.log")
  # 4 s, of which the first one had the place for 2; not 4 more behind those
  ((took >= 3990 && took < 5500)) || { echo "$took ms" && return 1; }
}

@test "a service that says no before it has read the body is heard" {
  head -c 5000000 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  request POST /early --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 413 '{"error":"Too much"}'
  request POST /early/tcp --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 413 '{"error":"Too much"}'
}

@test "a service that says no is heard though the client holds its body back" {
  run raw 'POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\nab'
  [[ $output == "HTTP/1.1 413 "* ]]
}

@test "body and reply flow at the same time, piece by piece" {
  local connection line
  exec {connection}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'POST /relay HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\nabcd\n' >&"$connection"
  while IFS= read -r -t 5 line <&"$connection" && [[ $line != abcd ]]; do :; done
  [[ $line == abcd ]]
  printf 'fghi\n' >&"$connection"
  while IFS= read -r -t 5 line <&"$connection" && [[ $line != *fghi ]]; do :; done
  [[ $line == *fghi ]]
  exec {connection}>&-
}

@test "a service that resets while the body goes up is heard, or 502" {
  head -c 5000000 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  request POST '/early/tcp?reset=1' --data-binary "@$BATS_TEST_TMPDIR/sent"
  [[ $code == 413 || $code == 502 ]] || { echo "$code" && return 1; }
}

@test "a POST is not sent twice when the service closes the connection" {
  local before after data
  for data in x ''; do
    get /count
    before=$(field .requests)
    request POST /empty -d "$data"
    expect 502
    get /count
    after=$(field .requests)
    ((after - before == 2)) || { echo "$((after - before - 1)) POSTs of '$data'" && return 1; }
  done
}

@test "a kept connection that the service closes in the meantime costs nobody anything" {
  local method i
  for method in GET HEAD PUT DELETE POST PATCH; do
    for i in 1 2 3; do
      get /tired
      expect 200
      [[ $method == [GHD]* ]] && request "$method" /ok || request "$method" /ok -d x
      [[ $code == 200 ]] || { echo "$method: $code $body" && return 1; }
    done
  done
}

@test "connections to the service are kept" {
  local before after i
  for i in {1..20}; do get /ok; done
  get /count
  before=$(field .connections)
  for i in {1..50}; do get /ok; done
  get /count
  after=$(field .connections)
  ((after - before < 10)) || { echo "$((after - before)) connections for 50 requests" && return 1; }
}

@test "after all this it is still the same gateway process" {
  [[ $(responder_pid gateway) == "$(<"$BATS_FILE_TMPDIR/first-pid")" ]]
}
