#!/usr/bin/env bats
# lighttpd: what the shipped configurations promise: they are valid, a path arrives as it was sent,
# and whatever lighttpd answers by itself is JSON.
load helpers

setup_file() {
  choose_place
  start_misbehave
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<END
{
  "upstreams": { "echo": { "servers": ["unix:$RUN_DIR/misbehave.sock"] } },
  "routes": {
    "GET,POST,PUT /echo/{rest*}": "echo",
    "POST /sink": "echo",
    "GET /slow": "echo",
    "GET /stream": { "pass": "echo", "timeout": "10s" }
  }
}
END
  start_app gateway
}
teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# The first line and the body of what answers these bytes, and its type.
answer_to() {
  local reply
  reply=$(raw "$1" | tr -d '\r')
  status_line=$(head -n 1 <<<"$reply")
  type=$(sed -n 's/^Content-Type: //p' <<<"$reply")
  body=$(sed '1,/^$/d' <<<"$reply")
}

# is_json_error STATUS MESSAGE 'BYTES'
is_json_error() {
  answer_to "$3"
  [[ $status_line == HTTP/1.?" $1 "* ]] || { echo "expected $1, got $status_line" && return 1; }
  [[ $type == application/json ]] || { echo "type of $1: $type" && return 1; }
  [[ $body == "{\"error\":\"$2\"}" ]] || { echo "body of $1: $body" && return 1; }
}

# The target that the service saw.
echoed() {
  raw "GET $1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" | sed '1,/^\r$/d' | jq -r .target
}

@test "lighttpd accepts every configuration" {
  export PORT MAX_FDS=1024 USERS_BIND=0.0.0.0 ORDERS_BIND=$RUN_DIR/orders.sock
  cd "$BUILD"
  PATH=$PATH:/usr/sbin
  for name in gateway users orders; do
    run -0 lighttpd -tt -f "$ROOT/lighttpd/$name.conf"
    [ -z "$output" ]
  done
}

@test "a query arrives byte for byte" {
  for target in '/echo/a?a=%2F&b=%41&c=%c3%a9' '/echo/a?a+b;c&&d=/..//' '/echo/a?' '/echo/a??x' '/echo/a?b=/../?c'; do
    [ "$(echoed "${target//%/%%}")" = "$target" ]
  done
}

@test "a path arrives byte for byte" {
  for target in '/echo/%2f%2F' '/echo/%41;v=1/+' '/echo/...' '/echo/.a/b.' '/echo/{}|^"<>'; do
    [ "$(echoed "${target//%/%%}")" = "$target" ]
  done
}

@test "segments that could be understood differently are refused" {
  for path in /echo/../b /echo/./b /echo/%2e%2E/b /echo//b /..; do
    is_json_error 400 "Bad Request" "GET ${path//%/%%} HTTP/1.1\r\nHost: a\r\n\r\n"
  done
}

@test "control characters are refused, also where they are encoded" {
  for path in '/echo/\x01' /echo/%%00 '/echo?a=%%0d%%0a' /echo/%%7f; do
    is_json_error 400 "Bad Request" "GET $path HTTP/1.1\r\nHost: a\r\n\r\n"
  done
  is_json_error 400 "Bad Request" 'GET /echo/ HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n'
}

@test "what is no HTTP is answered in JSON" {
  is_json_error 400 "Bad Request" 'GARBAGE\r\n\r\n'
  is_json_error 400 "Bad Request" 'GET /\r\n\r\n'
  is_json_error 400 "Bad Request" 'GET / HTTP/1.1\r\n\r\n'
  is_json_error 400 "Bad Request" 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'
  is_json_error 400 "Bad Request" 'GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n'
  is_json_error 501 "Not Implemented" 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n'
  is_json_error 505 "HTTP Version Not Supported" 'GET / HTTP/3.0\r\nHost: a\r\n\r\n'
}

@test "lengths that smugglers use are refused" {
  is_json_error 411 "Length Required" 'POST /sink HTTP/1.1\r\nHost: a\r\n\r\n'
  is_json_error 400 "Bad Request" 'POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n'
  is_json_error 400 "Bad Request" \
    'POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'
  is_json_error 400 "Bad Request" \
    'POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'
  is_json_error 501 "Not Implemented" \
    'POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n'
}

@test "what is too large is answered in JSON" {
  is_json_error 413 "Content Too Large" \
    'POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n'
  long=$(printf '%020000d' 0)
  is_json_error 431 "Request Header Fields Too Large" "GET / HTTP/1.1\r\nHost: a\r\nX: $long\r\n\r\n"
}

@test "a chunked body reaches the service with its length" {
  request POST /sink -H 'Transfer-Encoding: chunked' --data-binary "@$ROOT/Makefile"
  expect 200
  [[ $body == *"$(stat -c %s "$ROOT/Makefile")"* ]]
}

@test "replies do not name the server" {
  get /nowhere
  expect 404
  [ -z "$(header server)" ]
}

works() { get /echo/back && expect 200; }

@test "a killed gateway answers again at once" {
  old=$(responder_pid gateway)
  kill_responder gateway
  wait_until is_gone "$old"
  get /echo/back
  expect 200
  [ "$(responder_pid gateway)" != "$old" ]
}

# Requests that the service has seen, this one included.
requests_seen() { curl -s --unix-socket "$RUN_DIR/misbehave.sock" http://a/count | jq .requests; }
has_another_request() { [ "$(requests_seen)" -gt $((seen + ++asked)) ]; }

@test "a gateway killed in the middle of a request costs that request, in JSON" {
  seen=$(requests_seen) asked=0
  curl -s -o "$BATS_TEST_TMPDIR/reply" "$URL/slow?ms=10000" 3>&- &
  wait_until has_another_request
  kill_responder gateway
  wait $!
  [ "$(jq -r .error "$BATS_TEST_TMPDIR/reply")" = "Internal Server Error" ]
  wait_until works
}

# lighttpd looks every second: with a patience of 1 s, 3 s are too long.
@test "a stream of events may be silent for longer than a client may take nothing" {
  local copy=$BATS_TEST_TMPDIR/copy
  export RUN_DIR=$copy/run PORT
  PORT=$(free_port)
  mkdir "$copy"
  cp -r -- "$ROOT/lighttpd" "$copy"
  sed -i 's/^server.max-write-idle = .*/server.max-write-idle = 1/' "$copy/lighttpd/common.conf"
  "$copy/lighttpd/control" start gateway 3>&-
  run curl -sN -H 'Accept: text/event-stream' "http://127.0.0.1:$PORT/stream?parts=2&ms=3000"
  "$copy/lighttpd/control" stop gateway
  [[ $status == 0 ]] || { echo "curl ended with $status: $output" && return 1; }
}
