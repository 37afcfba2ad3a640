#!/usr/bin/env bats
# jq: where a template is not enough, a jq program makes the reply, of what `reply` makes or of all
# calls' replies; what goes wrong in it is the operator's to know and not the client's.
load helpers

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json SECRET=hush
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": { "odd": { "servers": ["${ODD}"], "title": "Odd service" } },
  "errors": { "broken": 523 },
  "routes": {
    "GET /sum": {
      "calls": { "orders": "odd GET /json?value={query.a}" },
      "jq": "{total: ([.orders.list[].price] | add), names: [.orders.list[].name | ascii_upcase]}"
    },
    "GET /groups": {
      "calls": { "a": "odd GET /json?value={query.a}" },
      "reply": { "who": "{query.who}", "items": "{a.items}" },
      "jq": ".who as $who | {$who, by_kind: (.items | group_by(.kind) | map({(.[0].kind): length}) | add)}",
      "status": 203,
      "headers": { "X-Who": "{query.who}" }
    },
    "GET /both": {
      "calls": { "a": "odd GET /json?value={query.a}", "b": { "call": "odd GET /json?value={query.b}", "when": "{query.b}" } },
      "jq": "."
    },
    "GET /static": { "reply": [1, 2, 3], "jq": "map(. * ${FACTOR:-2})" },
    "GET /any": { "calls": { "a": "odd GET /json?value={query.a}" }, "reply": "{a}", "jq": ".v, (.more // empty)" },
    "GET /fail": {
      "calls": { "a": "odd GET /json?value={query.a}" },
      "jq": ".a.x | error(\"secret \\(.)\")",
      "failure": { "error": "Sorry", "status": "{error.status}", "message": "{error.message}", "a": "{a.y}" }
    },
    "GET /process": { "reply": { "path": "/" }, "jq": "[env, $ENV, env.SECRET, $ENV.SECRET, input_filename, input_line_number, stderr]" },
    "GET /halt": { "reply": 1, "jq": "halt" },
    "GET /halt_error": { "reply": "x", "jq": "halt_error" },
    "GET /input": { "reply": 1, "jq": "input" },
    "GET /endless": { "reply": 1, "jq": "until(false; .)" },
    "GET /soon": { "reply": 1, "jq": "until(false; .)", "timeout": "200ms" },
    "GET /greedy": { "reply": 1, "jq": "\"x\" * 1e6 | [range(1e9) as $i | . + \"y\"]" },
    "GET /at": { "reply": {"q":"{query.q}"}, "jq": "{at: (.q as $q | \"Central Perk\" | index($q))}" },
    "GET /date": { "reply": {"q":"{query.q}"}, "jq": ".q | tonumber | todate" },
    "GET /line": { "reply": {"q":"{query.q}"}, "jq": ".q | tonumber | . * \"-\" | length" },
    "GET /deep": { "reply": { "q": "{query.q}" }, "jq": "(.q | split(\".\")) as $path | null | setpath($path; 1) | length" },
    "GET /set": { "reply": {"q":"{query.q}"}, "jq": "(.q | tonumber) as $i | null | .[$i] = 1 | length" },
    "GET /from": { "reply": {"q":"{query.q}"}, "jq": "(.q | tonumber) as $i | [1, 2] | .[$i:]" },
    "GET /words": { "reply": {"q":"{query.q}"}, "jq": "[.q | splits(\" *\")]" },
    "GET /find": { "reply": {"q":"{query.q}"}, "jq": ".q as $q | \"Central Perk\" | test($q)" },
    "GET /odd": { "reply": {"q":"{query.q}"}, "jq": "(.q | tonumber) as $n | -9223372036854775808 % $n" },
    "POST /nest": { "reply": "{body}", "jq": "reduce .p[] as $x (null; {($x): .}) | tojson | length" },
    "GET /nest": { "reply": 1, "jq": "until(false; {a: .})" },
    "GET /stubborn": { "reply": 1, "jq": "[range(100000)] | . - . | .[0]", "timeout": "200ms" }
  }
}
JSON
  start_app gateway
  responder_pid gateway >"$BATS_FILE_TMPDIR/first-pid"
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# ask PATH [NAME=VALUE...]
ask() {
  local path=$1 options=(-G) parameter
  shift
  for parameter in "$@"; do
    options+=(--data-urlencode "$parameter")
  done
  get "$path" "${options[@]}"
}

@test "a program gets all calls' replies by name, and its value is the reply" {
  ask /sum 'a={"list":[{"name":"Ana","price":1.5},{"name":"Bob","price":2}]}'
  expect 200 '{"total":3.5,"names":["ANA","BOB"]}'
  [[ $(header content-type) == application/json ]]
  ask /both 'a={"x":[1, 2]}' 'b="text"'
  expect 200 '{"a":{"x":[1,2]},"b":"text"}'
}

@test "a call that was not made is not among them" {
  ask /both 'a=1'
  expect 200 '{"a":1}'
}

@test "with a reply, the program gets what that makes; status and headers are as without" {
  ask /groups 'a={"items":[{"kind":"hot"},{"kind":"cold"},{"kind":"hot"}]}' who=me
  expect 203 '{"who":"me","by_kind":{"cold":1,"hot":2}}'
  [[ $(header x-who) == me ]]
  get /static
  expect 200 '[2,4,6]'
}

@test "an error, no value or several are 502, and only the log says more" {
  ask /any 'a={"v":7}'
  expect 200 7
  local message='{"error":"Bad gateway","message":"No reply could be made of what the services answered"}'
  ask /any 'a={"v":1,"more":2}'
  expect 523 "$message"
  grep -F 'jq: the program gives more than one value' "$RUN_DIR/gateway.log"
  ask /any 'a=["v"]'
  expect 523 "$message"
  grep -F 'jq: Cannot index array with string "v"' "$RUN_DIR/gateway.log"
}

@test "a route's failure body is that of its program too" {
  ask /fail 'a={"x":"word","y":[1]}'
  expect 523 '{"error":"Sorry","status":523,"message":"No reply could be made of what the services answered","a":[1]}'
  grep -F 'jq: secret word' "$RUN_DIR/gateway.log"
}

@test "what a service puts into a message cannot forge a line of the log" {
  ask /fail 'a={"x":"a\n2024-11-28T08:30:00.123Z forged"}'
  expect 523
  grep -F 'jq: secret a\x0a2024-11-28T08:30:00.123Z forged' "$RUN_DIR/gateway.log"
  run ! grep -E '^2024-11-28' "$RUN_DIR/gateway.log"
}

@test "a program gets no environment, no input but its own, and cannot end the gateway" {
  get /process
  expect 200 '[{},{},null,null,null,0,{"path":"/"}]'
  run ! grep -F '{"path":"/"}' "$RUN_DIR/gateway.log"
  local path
  for path in /halt /halt_error /input; do
    get "$path"
    expect 523
  done
}

@test "a program that does not end is stopped, and others go on meanwhile" {
  local start=$SECONDS pids=() i
  for i in 1 2 3; do
    curl -s -o /dev/null -w '%{http_code}' "$URL/endless" >"$BATS_TEST_TMPDIR/$i" 3>&- &
    pids+=($!)
  done
  get /static
  expect 200 '[2,4,6]'
  wait "${pids[@]}"
  ((SECONDS - start < 15))
  [[ $(cat "$BATS_TEST_TMPDIR"/[123]) == 504504504 ]]
  grep -F "jq: the program's time is up" "$RUN_DIR/gateway.log"
}

@test "a program is stopped when the route's time is over" {
  local start=$EPOCHREALTIME
  get /soon
  expect 504 '{"error":"Gateway timeout","message":"No reply could be made in the time there is for it"}'
  ((${EPOCHREALTIME/./} - ${start/./} < 3000000))
}

@test "to wait for a free copy of a program counts as well" {
  local pids=() i
  for i in {1..40}; do
    curl -s -o /dev/null -w '%{http_code} %{time_total}\n' "$URL/soon?$i" >"$BATS_TEST_TMPDIR/$i" 3>&- &
    pids+=($!)
  done
  wait "${pids[@]}"
  [[ $(sort -u <(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR"/{1..40})) == 504 ]]
  [[ -z $(awk '$2 > 4' "$BATS_TEST_TMPDIR"/{1..40}) ]]
}

@test "a program that takes all memory is stopped, and gives it back" {
  local i
  for i in 1 2 3 4; do
    get "/greedy?$i"
    expect 523
  done
  grep -F 'jq: the program took more than 256 MiB of memory' "$RUN_DIR/gateway.log"
  local memory
  memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$(responder_pid gateway)/status")
  ((memory < 700000)) # not four times 256 MiB; sanitizers keep some
}

@test "nothing that a client sends crashes libjq, or keeps it busy for ever" {
  ask /at q=Perk
  expect 200 '{"at":8}'
  ask /at q=
  expect 200 '{"at":null}'
  ask /date q=1700000000
  expect 200 '"2023-11-14T22:13:20Z"'
  ask /date q=1700000000123456789
  expect 523
  grep -F 'jq: 1700000000123456800 seconds are no time' "$RUN_DIR/gateway.log"
  ask /line q=1e9
  expect 523
  ask /set q=1431655765
  expect 523
  ask /deep "q=$(printf '.%.0s' {1..5000})"
  expect 523
  ask /from q=nan
  expect 523
  ask /words 'q=日 本'
  expect 200 '["日","本"]'
  ask /find "q=$(printf '(%.0s' {1..2000})"
  expect 523
  ask /odd q=-1
  expect 200
}

@test "what a program nests by itself, as deep as a client wants, crashes nothing" {
  local a
  printf -v a '"a",%.0s' {1..20000}
  request POST /nest -H 'Content-Type: application/json' -d "{\"p\":[${a%,}]}"
  expect 200
  get /nest
  [[ $code == 523 || $code == 504 ]] # its memory or its time, whichever is over first
}

@test "what is nested as deep as may be does not hurt" {
  local open close
  open=$(printf '[%.0s' {1..128}) close=$(printf ']%.0s' {1..128})
  ask /both "a=$open$close"
  expect 200 "{\"a\":$open$close}"
}

@test "many at once get each their own reply" {
  seq 100 | xargs -P 16 -I N curl -sf "$URL/both?a=N" >"$BATS_TEST_TMPDIR/replies"
  [[ $(jq -s 'map(.a) | sort == [range(1; 101)]' "$BATS_TEST_TMPDIR/replies") == true ]]
}

@test "HEAD gives the length that GET has" {
  request HEAD /static
  expect 200
  [[ $(header content-length) == 7 ]]
}

@test "what is no program is a mistake at its place" {
  printf '{"routes": {\n"GET /a": {"reply": 1, "jq": ".a | | b"},\n"GET /b": {"jq": "%s"},\n"GET /c": {"jq": 1}}}' \
    '1 |\n foo(1)' >"$BATS_TEST_TMPDIR/bad.json"
  run -1 "$BUILD/fcgi-gateway" --check "$BATS_TEST_TMPDIR/bad.json"
  [[ ${lines[0]} == *"bad.json:2:30: jq: syntax error, unexpected '|' in line 1 of the program" ]]
  [[ ${lines[1]} == *"bad.json:3:18: jq: foo/1 is not defined in line 2 of the program" ]]
  [[ ${lines[2]} == *"bad.json:4:18: expected string, not number" ]]
}

@test "after all this it is still the same gateway process" {
  [[ $(responder_pid gateway) == "$(<"$BATS_FILE_TMPDIR/first-pid")" ]]
  run ! grep -F 'crash' "$RUN_DIR/gateway.log"
}

@test "one that nothing can stop costs its own request alone" {
  get /stubborn
  expect 500
  grep -F 'a jq program could not be stopped' "$RUN_DIR/gateway.log"
  get /static
  expect 200 '[2,4,6]'
}
