#!/usr/bin/env bats
# responder: what every program over lib/serve promises: threads, crashes, an orderly end, plain CGI.
# Asked of a small responder (test/fixtures) behind a real lighttpd. By its other name, crew.bats, the same
# is asked of it when many requests have one thread.
load helpers

readonly THREADS_MAX=16 # of the fixture

setup_file() {
  [[ $BATS_TEST_FILENAME != */crew.bats ]] || export CREW=1
  choose_place
  umask 077 && mkdir -p -- "$RUN_DIR"
  start_server responder "$PORT" "\"socket\" => \"$RUN_DIR/responder.fcgi\""
  # The main one, and the two that the pool keeps, or the one that goes on with all requests; not counted, as a
  # third may just be leaving.
  IDLE_THREADS=$((${CREW:+-1} + 3 + $(ldd "$BUILD/test/fixtures/responder" | grep -c libtsan || true)))
  export IDLE_THREADS
}

teardown_file() {
  local server responder
  server=$(server_pid) responder=$(responder)
  kill_spawned
  release_ports
  if ! is_gone "$server" || ! wait_until is_gone "$responder" || ! sanitizers_are_silent; then
    show_logs
    return 1
  fi
}

setup() { wait_until answers; }
teardown() { show_logs_of_failure; }

# start_server NAME HTTP_PORT WHERE: lighttpd and a responder, which talk over the socket WHERE.
start_server() {
  cat >"$RUN_DIR/$1.conf" <<END
server.modules = ( "mod_fastcgi" )
server.document-root = "/nonexistent"
server.bind = "127.0.0.1"
server.port = $2
server.max-request-size = 0
server.stream-request-body = 2
server.stream-response-body = 2
fastcgi.server = ( "/" => (( "bin-path" => "./responder", $3,
  "max-procs" => 1, "check-local" => "disable", "disable-time" => 0 )))
END
  cd -- "$BUILD/test/fixtures" || return # lighttpd splits bin-path at spaces
  spawn "$1" lighttpd -D -f "$RUN_DIR/$1.conf"
  URL=http://127.0.0.1:$2 wait_until answers
}

answers() { curl -sf --max-time 5 -o /dev/null "$URL/hello"; }
server_pid() { head -n 1 -- "$RUN_DIR/spawned"; }
responder() {
  local server
  server=$(server_pid)
  tr -d ' ' <"/proc/$server/task/$server/children"
}
count_threads() { sed -n 's/^Threads:[[:space:]]*//p' "/proc/$(responder)/status"; }
cgi() { env -i "$@" "$BUILD/test/fixtures/responder" 2>"$BATS_TEST_TMPDIR/stderr"; }
logged() { grep -E -- "$1" "$RUN_DIR/responder.log"; }

# in_background NAME CURL_ARGUMENT...: a call whose status comes to the file NAME; `wait_for` it.
in_background() {
  local name=$BATS_TEST_TMPDIR/$1
  shift
  curl -s --max-time 30 -o /dev/null -w '%{http_code}\n' "$@" >"$name" 3>&- &
  background+=("$!")
}

# all_got COUNT STATUS NAME...: waits for these calls.
all_got() {
  local expected="$1 $2" got
  shift 2
  wait "${background[@]}" || true
  got=$(cat -- "${@/#/$BATS_TEST_TMPDIR/}" | sort | uniq -c | xargs)
  [[ $got == "$expected" ]] || { echo "expected $expected, got $got" && return 1; }
}

# So many requests are being served or wait in the responder's socket. The kernel lists the responder's
# end of every connection, and the listening one.
under_way_are() { (($(grep -c -F "$RUN_DIR/responder.fcgi" /proc/net/unix) - 1 >= $1)); }

# Until the responder has started anew: the requests that it counts begin again.
is_fresh() { (($(curl -s "$URL/served") < 10)); }
serve_some() { curl -s -o /dev/null "$URL/hello?[1-20]"; }

@test "a request gets its reply, with a length and a request id" {
  get /hello
  expect 200 hello
  [ "$(header Content-Length)" = 6 ]
  [[ $(header X-Request-ID) =~ ^[0-9a-f]{32}$ ]]
}

@test "HEAD gets the fields of the GET and no body" {
  local path of_get
  for path in /hello /big /nowhere; do
    request GET "$path"
    of_get="$code $(header Content-Length) $(header Content-Type)"
    request HEAD "$path"
    [ "$code $(header Content-Length) $(header Content-Type)" = "$of_get" ]
    run raw "HEAD $path HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    [[ $output == "HTTP/1.1 $code "*$'\n\r' ]] # nothing behind the empty line
  done
}

@test "a reply that must have no body has none, whatever the handler did" {
  for status in 204 304; do
    get "/empty?status=$status"
    expect "$status" ''
    [ -z "$(header Content-Length)" ]
  done
}

@test "path, query and fields arrive as they were sent" {
  request POST '/fields?a=%2Fz&b=+?' -H 'X-Probe: here' -H 'Content-Type: text/x' -d 123
  expect 200 $'target=/fields?a=%2Fz&b=+?\npath=/fields\nquery=?a=%2Fz&b=+?\nlength=3\ntype=text/x\nprobe=here'
  get '/fields?'
  [[ $body == *$'\nquery=?\n'* ]]
  get '/fields'
  [[ $body == *$'\nquery=\n'* ]]
}

@test "bodies of any size go in and out unchanged" {
  for size in 0 1 8191 8192 65536 10000000; do
    head -c "$size" /dev/urandom >"$BATS_TEST_TMPDIR/sent"
    request POST /echo-body -H Expect: --data-binary "@$BATS_TEST_TMPDIR/sent"
    expect 200
    cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/body"
  done
}

@test "a reply reaches a client whose body nobody reads" {
  head -c 10000000 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  for path in /hello '/big?size=5000000' /nowhere /empty; do
    request POST "$path" -H Expect: --data-binary "@$BATS_TEST_TMPDIR/sent"
    [[ $code == [24]0[04] ]]
  done
}

@test "over TCP a reply reaches a client whose body nobody reads, too" {
  local tcp_port calls
  tcp_port=$(free_port)
  start_server tcp "$tcp_port" "\"host\" => \"127.0.0.1\", \"port\" => $(free_port)"
  head -c 5000000 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  calls=$(curl -s --max-time 20 -H Expect: --data-binary "@$BATS_TEST_TMPDIR/sent" -o /dev/null \
    -w '%{http_code} %{size_download}\n' "http://127.0.0.1:$tcp_port/big?size=100000&[1-50]")
  [ "$(sort -u <<<"$calls")" = "200 100000" ]
}

@test "a body that is too long gets its 413 before it is sent" {
  run raw 'POST /echo-body HTTP/1.1\r\nHost: h\r\nContent-Length: 16777217\r\nConnection: close\r\n\r\n'
  [[ ${lines[0]} == "HTTP/1.1 413 "* ]]
  [[ ${lines[-1]} == '{"error":"Content Too Large",'* ]]
}

@test "a body that is cut off is known to be, and harms nothing" {
  exec {client}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'POST /echo-body HTTP/1.1\r\nHost: h\r\nX-Request-ID: cut-off\r\nContent-Length: 9\r\n\r\n12345' >&"$client"
  exec {client}>&-
  wait_until logged ' cut-off POST /echo-body 400 '
}

@test "a client that leaves ends a reply that is being streamed" {
  run curl -s --max-time 0.2 -o /dev/null -H 'X-Request-ID: left' "$URL/stream?parts=100000000"
  [ "$status" = 28 ]
  wait_until logged ' left GET /stream 200 .* gone$'
}

@test "a streamed reply arrives in order and whole" {
  get '/stream?parts=1000'
  expect 200 "$(seq -f 'part %.0f' 1000)"
}

@test "a reply that breaks off looks broken" {
  for path in '/break?sent=5' '/break?sent=5&length' '/break?sent=200000' '/break?sent=200000&length' /crash-late; do
    for _ in {1..10}; do
      run curl -s --max-time 20 -o "$BATS_TEST_TMPDIR/part" "$URL$path"
      [ "$status" = 18 ] # a part of the file only
      [ -s "$BATS_TEST_TMPDIR/part" ]
    done
  done
}

@test "a handler's forgotten status is a 500" {
  get /no-status
  expect 500
}

@test "a sane request id is kept, any other replaced" {
  get /hello -H 'X-Request-ID: Kept.id_1-2'
  [ "$(header X-Request-ID)" = Kept.id_1-2 ]
  for id in 'two words' 'a/b' "$(printf 'x%.0s' {1..65})" 'é'; do
    get /hello -H "X-Request-ID: $id"
    [[ $(header X-Request-ID) =~ ^[0-9a-f]{32}$ ]]
  done
}

@test "a request is one line of the log, without its query" {
  get '/hello?password=secret' -H 'X-Request-ID: log-1'
  local shape='^[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z test-responder log-1 GET /hello 200 [0-9]+\.[0-9]ms$'
  wait_until logged "$shape"
  run ! logged secret
}

@test "what a handler logs stands behind the line of its request, escaped" {
  get /log -H 'X-Request-ID: log-2'
  wait_until logged ' log-2 GET /log 200 [0-9.]+ms users=1\.2ms\\x0aforged\\x1b\[1m\\xff$'
  logged ' log-2 a problem with users$'
  run ! logged '^forged'
}

@test "threads grow to the bound and not over it, serve all, and leave again" {
  local background=() most=0 now
  in_background calls -Z --parallel-immediate --parallel-max 40 "$URL/slow?ms=400&[1-40]"
  while jobs -rp | grep -q .; do
    now=$(count_threads)
    ((most = now > most ? now : most))
    sleep 0.02
  done
  all_got 40 200 calls
  ((most == (${CREW:-0} ? IDLE_THREADS : IDLE_THREADS - 2 + THREADS_MAX))) || { echo "$most threads" && return 1; }

  local end=$((SECONDS + 30))
  until (($(count_threads) == IDLE_THREADS)); do
    ((SECONDS < end))
    sleep 0.1
  done
}

# Of processor time that the responder took so far.
ticks() { awk '{ print $14 + $15 }' "/proc/$(responder)/stat"; }

@test "a responder that is out of descriptors waits for one, without spinning, and serves all" {
  local background=() pid before
  pid=$(responder) before=$(ticks)
  prlimit --pid "$pid" --nofile=$((6 + ${CREW:-0} * 3)):
  in_background calls -Z --parallel-immediate "$URL/slow?ms=300&[1-9]"
  all_got 9 200 calls
  prlimit --pid "$pid" --nofile=1024:
  logged 'test-responder cannot accept: Too many open files$'
  (($(logged 'cannot accept' | wc -l) <= 3)) # no more than one a second
  (($(ticks) - before < 30)) || { echo "$(($(ticks) - before)) ticks" && return 1; }
  [ "$(responder)" = "$pid" ]
}

@test "a crash costs its own request and not the ones beside it" {
  local background=() pid
  pid=$(responder)
  for how in crash abort raise stack-overflow; do
    serve_some
    background=()
    in_background slow-1 "$URL/slow?ms=1000"
    in_background slow-2 "$URL/slow?ms=1000"
    wait_until under_way_are 2
    get "/$how" -H "X-Request-ID: one-$how"
    expect 500 '{"error":"Internal Server Error"}'
    [ "$(header X-Request-ID)" = "one-$how" ]
    get /hello
    expect 200 hello
    all_got 2 200 slow-1 slow-2
    wait_until is_fresh
    wait_until logged "one-$how crashed by SIG(SEGV|ABRT|FPE) in GET /$how$"
    logged " one-$how GET /$how 500 "
  done
  [ "$(responder)" = "$pid" ]
}

# The wait for a quiet moment, a minute, would be one for those that wait for the lock.
@test "a crash under a lock that others come to wait for is over soon" {
  local background=()
  serve_some
  get /crash-lock
  expect 500
  in_background waiting --max-time 20 "$URL/lock"
  wait_until is_fresh
  get /lock
  expect 200 hello
  wait "${background[@]}" || true
}

@test "crashes under load lose no other request" {
  local background=()
  in_background load -Z --parallel-max 16 "$URL/hello?[1-600]"
  for _ in {1..5}; do
    get /crash
    expect 500
  done
  all_got 600 200 load
}

@test "where all threads have crashed the next request is served" {
  for _ in {1..40}; do
    get /crash
    expect 500
  done
  get /hello
  expect 200 hello
}

@test "a connection that brings no request harms nothing" {
  local pid
  pid=$(responder)
  for _ in {1..40}; do # more than there are threads
    run -52 curl -s --max-time 10 --unix-socket "$RUN_DIR/responder.fcgi-0" http://no-fastcgi/
  done
  get /hello
  expect 200 hello
  [ "$(responder)" = "$pid" ]
}

@test "a killed responder is started again" {
  kill -KILL "$(responder)"
  wait_until answers
}

@test "SIGTERM finishes what is under way and what waits, and ends with 0" {
  local background=() pid
  pid=$(responder)
  # More than there are threads.
  in_background calls -Z --parallel-immediate --parallel-max 24 "$URL/slow?ms=1000&[1-24]"
  wait_until under_way_are 24
  kill -TERM "$pid"
  all_got 24 200 calls
  wait_until logged 'child exited: 0 '
  is_gone "$pid"
}

@test "an idle responder ends at once on SIGTERM" {
  local pid before
  pid=$(responder) before=$(logged 'child exited: 0 ' | wc -l)
  kill -TERM "$pid"
  wait_until is_gone "$pid"
  wait_until answers
  (($(logged 'child exited: 0 ' | wc -l) == before + 1))
}

@test "what a terminal sends to all is left to the web server" {
  local pid
  pid=$(responder)
  kill -INT "$pid" && kill -HUP "$pid"
  get /hello
  expect 200 hello
  [ "$(responder)" = "$pid" ]
}

@test "the same program answers one request as plain CGI" {
  run cgi REQUEST_METHOD=GET REQUEST_URI=/hello HTTP_X_REQUEST_ID=cgi-1
  [ "$status" = 0 ]
  [ "$output" = $'Status: 200 OK\r\nContent-Type: text/plain\r\nX-Request-ID: cgi-1\r\nContent-Length: 6\r\n\r\nhello' ]
  grep -E 'Z test-responder cgi-1 GET /hello 200 [0-9.]+ms$' "$BATS_TEST_TMPDIR/stderr"

  run cgi REQUEST_METHOD=HEAD REQUEST_URI=/hello HTTP_X_REQUEST_ID=cgi-2
  [ "$output" = $'Status: 200 OK\r\nContent-Type: text/plain\r\nX-Request-ID: cgi-2\r\nContent-Length: 6\r\n\r' ]

  run cgi REQUEST_METHOD=POST REQUEST_URI=/echo-body CONTENT_LENGTH=5 <<<"12345678"
  [ "${lines[-1]}" = 12345 ]
}

@test "plain CGI: a crash is a 500 and the status 70" {
  for how in crash abort raise stack-overflow; do
    run cgi REQUEST_METHOD=GET "REQUEST_URI=/$how"
    [ "$status" = 70 ]
    [[ ${lines[0]} == "Status: 500 "* ]]
    [ "${lines[-1]}" = '{"error":"Internal Server Error"}' ]
  done
}

@test "plain CGI: a reply that breaks off ends with a status that is not 0" {
  run cgi REQUEST_METHOD=GET REQUEST_URI=/break
  [ "$status" = 1 ]
  local status=0
  cgi REQUEST_METHOD=GET REQUEST_URI=/big >/dev/full || status=$?
  [ "$status" = 1 ]
}

@test "a request that cannot be one is a 400 that says why" {
  local cases=(
    'REQUEST_URI=/hello' 'The request has no valid method'
    'REQUEST_METHOD=GET' 'The request target is no path'
    $'REQUEST_METHOD=GET REQUEST_URI=/a\x7fb' 'The request target has characters that must be percent-encoded'
    'REQUEST_METHOD=GET REQUEST_URI=/%4' 'The path has a broken percent-encoding'
    'REQUEST_METHOD=GET REQUEST_URI=/ CONTENT_LENGTH=-1' 'Content-Length is no number of bytes'
  )
  for ((i = 0; i < ${#cases[@]}; i += 2)); do
    # shellcheck disable=SC2086 # several variables
    run cgi GATEWAY_INTERFACE=CGI/1.1 ${cases[i]}
    [ "$status" = 0 ]
    [[ ${lines[0]} == "Status: 400 Bad Request"* ]]
    [ "${lines[-1]}" = "{\"error\":\"Bad Request\",\"message\":\"${cases[i + 1]}\"}" ]
  done
}

@test "control characters of a path cannot forge a log line" {
  run cgi REQUEST_METHOD=GET $'REQUEST_URI=/a\n2024-11-28 forged\033[1m'
  [[ ${lines[0]} == "Status: 400 "* ]]
  [ "$(wc -l <"$BATS_TEST_TMPDIR/stderr")" = 1 ]
  grep -F 'GET /a\x0a2024-11-28 forged\x1b[1m 400 ' "$BATS_TEST_TMPDIR/stderr"
}

@test "a thread that cannot have what it needs answers 503" {
  run cgi NO_THREADS=1 REQUEST_METHOD=GET REQUEST_URI=/hello
  [[ ${lines[0]} == "Status: 503 "* ]]
}

@test "started by hand it says what it is and how it is started" {
  run cgi </dev/null
  [ "$status" = 1 ]
  [ -z "$output" ]
  grep -F 'test-responder answers HTTP requests for a web server' "$BATS_TEST_TMPDIR/stderr"
}
