#!/usr/bin/env bats
# check: `fcgi-gateway --check FILE` finds every mistake of a configuration at its place, in one pass,
# before the first request; and a start says the same. What each kind of value accepts is held in
# test/unit; here is what a person sees.
load helpers

setup() {
  FILE=$BATS_TEST_TMPDIR/gateway.json
  GATEWAY=$BUILD/fcgi-gateway
}

# check JSON MISTAKE...: the file has just these mistakes ("LINE:COLUMN: text"), in this order.
check() {
  printf '%s' "$1" >"$FILE"
  shift
  run "$GATEWAY" --check "$FILE"
  [[ $status == 1 ]] || { echo "status $status with: $output" && return 1; }
  local expected
  printf -v expected "$FILE:%s\n" "$@"
  [[ $output == "${expected%$'\n'}" ]] || { printf 'expected:\n%sgot:\n%s\n' "$expected" "$output" && return 1; }
}

@test "the shipped file has no mistake" {
  run -0 --separate-stderr "$GATEWAY" --check "$ROOT/fcgi-gateway/gateway.json"
  [[ $output == "$ROOT/fcgi-gateway/gateway.json: ok, 22 routes" && ! $stderr ]]
}

@test "the file is the argument, or GATEWAY_CONFIG, or the shipped one" {
  printf '{"routes":{}}' >"$FILE"
  GATEWAY_CONFIG=$FILE run -0 "$GATEWAY" --check
  [[ $output == "$FILE: ok, 0 routes" ]]
  GATEWAY_CONFIG=/nonexistent run -0 "$GATEWAY" --check "$FILE"
  [[ $output == "$FILE: ok, 0 routes" ]]
  cd "$ROOT"
  run -0 env -u GATEWAY_CONFIG "$(realpath "$GATEWAY")" --check
  [[ $output == "fcgi-gateway/gateway.json: ok, 22 routes" ]]
}

@test "a file that cannot be read is named, with the reason" {
  run -1 "$GATEWAY" --check "$BATS_TEST_TMPDIR/none.json"
  [[ $output == "$BATS_TEST_TMPDIR/none.json: cannot be read: No such file or directory" ]]
  run -1 "$GATEWAY" --check "$BATS_TEST_TMPDIR"
  [[ $output == "$BATS_TEST_TMPDIR: cannot be read: Is a directory" ]]
  { printf '{"routes":{}'; head -c 16777216 /dev/zero | tr '\0' ' ' && echo '}'; } >"$FILE"
  run -1 "$GATEWAY" --check "$FILE"
  [[ $output == "$FILE: cannot be read: it is longer than 16 MiB" ]]
  truncate -s 16777216 "$FILE"
  run -1 "$GATEWAY" --check "$FILE"
  [[ $output == "$FILE:1:16777217: the text ends"* ]]
}

@test "a file may be a pipe that somebody writes to" {
  local json='{"routes":{}}' pipe=$BATS_TEST_TMPDIR/pipe
  run -0 "$GATEWAY" --check /dev/stdin < <(printf '%s' "$json")
  [[ $output == "/dev/stdin: ok, 0 routes" ]]
  run -0 "$GATEWAY" --check /dev/stdin <<<"$json"
  run -0 "$GATEWAY" --check <(printf '%s' "$json")
  [[ $output == /dev/fd/*": ok, 0 routes" ]]
  run -1 "$GATEWAY" --check <(printf '%s' "${json/routes/rotes}")
  [[ ${lines[1]} == /dev/fd/*":1:2: unknown key 'rotes' (did you mean 'routes'?)" ]]
  mkfifo "$pipe"
  printf '%s' "$json" >"$pipe" 3>&- &
  run -0 timeout 10 "$GATEWAY" --check "$pipe"
  [[ $output == "$pipe: ok, 0 routes" ]]
  { printf '{"routes":' && "$GATEWAY" --check "$BATS_TEST_TMPDIR/none" || printf '{}}'; } >"$pipe" 2>/dev/null 3>&- &
  run -0 timeout 10 "$GATEWAY" --check "$pipe"
}

@test "what gives nothing is told, and never waited for for long" {
  local pipe=$BATS_TEST_TMPDIR/pipe
  mkfifo "$pipe"
  run -1 timeout 10 "$GATEWAY" --check "$pipe"
  [[ $output == "$pipe: cannot be read: it is no regular file, and nothing came from it in a second" ]]
  run -1 "$GATEWAY" --check /dev/null
  [[ $output == "/dev/null: cannot be read: it is no regular file, and there is nothing in it" ]]
  run -1 "$GATEWAY" --check <(true)
  [[ $output == *": cannot be read: it is no regular file, and there is nothing in it" ]]
  run -1 "$GATEWAY" --check /dev/zero
  [[ $output == "/dev/zero: cannot be read: it is longer than 16 MiB" ]]
}

@test "an unknown option is status 2 and shows what there is" {
  run -2 "$GATEWAY" --chek "$FILE"
  [[ $output == usage:*--check* ]]
  run -2 "$GATEWAY" --check "$FILE" "$FILE"
  run -0 --separate-stderr "$GATEWAY" --help
  [[ $output == usage:*--check* && ! $stderr ]]
}

@test "what is not JSON is told with line and column" {
  check '' '1:1: the text ends where a value is expected'
  check $'{\n  "routes": {\n    "GET /ü": "ä",  x\n  }\n}' "3:21: expected a name in double quotes"
  check $'{\n  "routes": {\n    "GET /": "x",\n  }\n}' "3:17: ',' with nothing behind it"
  check '{"routes":{}} x' '1:15: something follows the value'
  check '[]' '1:1: expected object, not array'
}

@test "all mistakes are found in one pass, each at its place" {
  check '{
  "upsteams": {},
  "upstreams": {
    "users":  { "servers": ["unix:users.sock"], "timeout": 5, "titel": "Users" },
    "orders": { "servers": ["ftp://x"], "health": { "path": "health" } },
    "none":   { "title": "None" }
  },
  "errors": { "unreachable": 200 },
  "limits": { "body": "1MB" },
  "routes": {
    "GET /users":        "user",
    "GET /users/{id}":   "users",
    "GET /users/{name}": "users",
    "FETCH /users": "users",
    "GET /n": 5
  }
}' \
    "2:3: unknown key 'upsteams' (did you mean 'upstreams'?)" \
    '4:60: a duration has a unit: "5s" or "5ms"' \
    "4:63: unknown key 'titel' (did you mean 'title'?)" \
    "5:29: 'ftp://x' is no server (write \"http://host:port\" or \"unix:path\")" \
    "5:61: a path starts with '/'" \
    "6:15: 'servers' is missing here" \
    '8:30: 200 is no whole number from 400 to 599' \
    "9:23: '1MB' is no size (write \"512B\", \"64KiB\", \"10MiB\", \"1GiB\")" \
    "11:26: there is no upstream 'user' (did you mean 'users'?)" \
    "13:5: this matches the same requests as 'GET /users/{id}' in line 12" \
    '14:5: unknown method (known are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS; several are written GET,POST without a space)' \
    "15:15: a route is the name of an upstream, \"builtin:health\", or an object with 'pass', 'redirect' or 'reply'"
}

@test "very many mistakes in one line, as a program writes it, are told in little time" {
  { printf '{"routes":{"GET /é":1' && seq -f ',"GET /%.0f":1' 40000 && printf '}}'; } | tr -d '\n' >"$FILE"
  run -1 timeout 10 "$GATEWAY" --check "$FILE"
  [ "${#lines[@]}" = 40001 ]
  [[ ${lines[0]} == "$FILE:1:21: "* && ${lines[1]} == "$FILE:1:32: "* ]]
  [[ ${lines[-1]} == "$FILE:1:$(($(wc -m <"$FILE") - 2)): "* ]]
}

@test "very many names that stand twice, and routes that match the same, are told in little time" {
  { echo '{"routes":{' && seq -f '"GET /%.0f":1,' 100000 && seq -f '"GET /%.0f":1,' 99999 && printf '"GET /100000":1}}'; } >"$FILE"
  run -1 timeout 10 "$GATEWAY" --check "$FILE"
  ((${#lines[@]} == 200000))
  [[ ${lines[-1]} == "$FILE:200001:1: 'GET /100000' stands here twice (first in line 100001)" ]]
  { echo '{"routes":{' && seq -f '"GET /%.0f":{"reply":1},' 40000 && seq -f '"GET  /%.0f":{"reply":1},' 39999 && printf '"GET,HEAD /40000":{"reply":1}}}'; } >"$FILE"
  run -1 timeout 10 "$GATEWAY" --check "$FILE"
  [[ ${lines[-1]} == "$FILE:80001:1: this matches the same requests as 'GET /40000' in line 40001" ]]
}

@test "references that cannot be met and calls that wait for themselves are found" {
  check '{
  "upstreams": { "u": { "servers": ["unix:u.sock"] } },
  "routes": {
    "GET /a": {
      "calls": { "a": "u GET /{b.id}", "b": "u GET /{a.id}", "c": "u GET /{c.id}", "d": "u GET /{a.id}" },
      "reply": "{nobody.x}"
    },
    "GET /b/{id}": {
      "calls": { "user": "u GET /users/{idd}", "id": "nowhere GET /", "post": "u HEAD /", "none": "u" },
      "reply": { "x": "{usr.name}", "y": ["{user"], "z": "{error.title}" },
      "failure": { "x": "{error.titel}" }
    }
  }
}' \
    "5:23: call 'a' waits for its own reply, directly or through other calls" \
    "5:45: call 'b' waits for its own reply, directly or through other calls" \
    "5:67: call 'c' waits for its own reply, directly or through other calls" \
    "5:89: call 'd' waits for its own reply, directly or through other calls" \
    "6:16: {nobody.x}: 'nobody' is no call and no path parameter of this route (did you mean 'body'?)" \
    "9:26: {idd}: 'idd' is no call and no path parameter of this route (did you mean 'id'?)" \
    "9:48: 'id' is a path parameter of this route already" \
    "9:54: there is no upstream 'nowhere' (known here: u)" \
    "9:79: a call's method is GET, POST, PUT, PATCH or DELETE, not 'HEAD'" \
    '9:99: a call is "upstream GET /path"' \
    "10:23: {usr.name}: 'usr' is no call and no path parameter of this route (did you mean 'user'?)" \
    "10:43: '{' without '}' (write {{ for a brace)" \
    "10:58: {error.title}: {error...} can only stand in 'failure' and 'errors.body'" \
    "11:25: {error.titel}: an error has no 'titel' (did you mean 'title'?)"
}

@test "an unknown key that is like no other is told what is known there" {
  check '{"upstreams":{"u":{"servers":["unix:u"],"title":"U","colour":1}},"routes":{}}' \
    "1:53: unknown key 'colour' (known here: servers, timeout, title, health, balance, outlier, breaker, retry, max_concurrent, queue)"
  check '{"limits":{"body":"1KiB","size":1},"routes":{}}' "1:26: unknown key 'size' (known here: body, concurrent, cache)"
}

@test "a name that stands twice is found wherever it is" {
  check '{
  "upstreams": { "u": { "servers": ["unix:u"] }, "u": {} },
  "routes": {
    "GET /": { "reply": { "a": [{ "x": 1, "y": { "é": 1, "\u00e9": 2 } }],
      "a": 2 } },
    "GET /": "nobody"
  }
}' \
    "2:50: 'u' stands here twice (first in line 2)" \
    "4:58: 'é' stands here twice (first in line 4)" \
    "5:7: 'a' stands here twice (first in line 4)" \
    "6:5: 'GET /' stands here twice (first in line 4)"
}

@test "what a message repeats from the file stays in its line" {
  check '{"limits":{"a\nb\u001b[31m":1},"routes":{}}' \
    '1:12: unknown key '"'a\u000ab\u001b[31m'"' (known here: body, concurrent, cache)'
}

@test "an upstream that no route uses is a warning: the file is used, and a start says it too" {
  printf '{"upstreams":{\n"u":{"servers":["unix:u"]},\n"v":{"servers":["unix:v"]},"w":{"servers":["unix:w"]}},
"routes":{"GET /":"u","GET /h":{"calls":{"w":"w GET /"},"reply":1},"GET /x":{"reply":2}}}' >"$FILE"
  run -0 --separate-stderr "$GATEWAY" --check "$FILE"
  [[ $stderr == "$FILE:3:1: warning: no route uses the upstream 'v'" && $output == "$FILE: ok, 3 routes" ]]
  choose_place
  GATEWAY_CONFIG=$FILE start_app gateway
  get /x
  stop_app_as_it_is
  [[ $body == 2 ]]
  grep -qxF -- "$FILE:3:1: warning: no route uses the upstream 'v'" "$RUN_DIR/gateway.log"
}

@test "a body that no GET has is a warning at its place" {
  local said='warning: {body...} in a route for GET alone: a GET with a body lighttpd answers 400, one without the gateway 415'
  printf '%s' '{"upstreams":{"u":{"servers":["unix:u"]}},"routes":{
"GET /a":{"calls":{"u":"u GET /"},"reply":{
  "x":["{u}",
  "{body.x} and {u.y}", "{body.y}"]}},
"GET /b":{"calls":{"u":"u GET /",
  "v":"u GET /{body.x}"},"reply":1},
"HEAD,GET /c":{"reply":1,"headers":{"X-A":"a{body.x}"}},
"GET,DELETE /d":{"reply":"{body.x}"},
"POST /e":{"reply":"{body}"},
"GET /f":{"reply":"{{body}"}}}' >"$FILE"
  run -0 --separate-stderr "$GATEWAY" --check "$FILE"
  [[ $stderr == "$FILE:4:3: $said
$FILE:6:7: $said
$FILE:7:43: ${said/for GET/for HEAD,GET}" && $output == "$FILE: ok, 6 routes" ]] || { echo "$stderr" && return 1; }
}

@test "keeping or sharing what the route's own headers say is for one client is a warning" {
  printf '%s' '{"upstreams":{"u":{"servers":["unix:u"]}},"defaults":{"cache":"1s"},"routes":{
"GET /a":{"pass":"u","headers":{"Cache-Control":"max-age=1, Private"},
"cache":"1s"},"GET /b":{"pass":"u","headers":{"set-cookie":"a={header.A}"},
"coalesce":true},"GET /c":{"pass":"u","headers":{"Cache-Control":"no-store"},"coalesce":false},
"GET /d":{"pass":"u","headers":{"Cache-Control":"{header.A}"},"cache":"1s"},
"GET /e":{"pass":"u","headers":{"Cache-Control":"max-age=1"},"cache":"1s"}}}' >"$FILE"
  run -0 --separate-stderr "$GATEWAY" --check "$FILE"
  [[ $stderr == "$FILE:3:1: warning: 'cache' does nothing here: 'headers' say 'Cache-Control: max-age=1, Private', so each reply is for one client
$FILE:4:1: warning: 'coalesce' does nothing here: 'headers' say 'set-cookie', so each reply is for one client" ]]
  run -0 --separate-stderr "$GATEWAY" --explain 'GET /c' "$FILE"
  [[ ${lines[-1]} == 'Kept      nothing, nor shared by requests at the same time: Cache-Control: no-store' ]]
  run -0 --separate-stderr "$GATEWAY" --explain 'GET /d' "$FILE"
  [[ ${lines[-1]} == 'Kept      replies to GET for 1s '* ]]
}

@test "the environment is read when the file is" {
  printf '%s' '{"upstreams":{"u":{"servers":["${THE_SERVER}"]}},"routes":{"GET /":"u"}}' >"$FILE"
  THE_SERVER=http://host:80 run -0 "$GATEWAY" --check "$FILE"
  THE_SERVER=host run -1 "$GATEWAY" --check "$FILE"
  [[ $output == "$FILE:1:31: 'host' is no server"* ]]
  run -1 env -u THE_SERVER "$GATEWAY" --check "$FILE"
  [[ $output == "$FILE:1:31: the environment has no variable 'THE_SERVER' (give a default: \${THE_SERVER:-value})" ]]
}

@test "a start says the same as --check, and starts nothing" {
  printf '{\n"routes": {\n"GET /": "nobody"\n}}' >"$FILE"
  run -1 "$GATEWAY" --check "$FILE"
  local said=$output
  [[ $said == "$FILE:3:10: there is no upstream 'nobody' (the file has no 'upstreams')" ]]
  run -1 "$GATEWAY" "$FILE"
  [[ $output == "$said" ]]
  GATEWAY_CONFIG=$FILE run -1 "$GATEWAY"
  [[ $output == "$said" ]]
  choose_place
  GATEWAY_CONFIG=$FILE run -1 "$CONTROL" start
  release_ports
  [[ $output == *"$said"* && ! $(processes_of "$RUN_DIR") ]]
}

@test "as a CGI program it takes no arguments: they are the client's" {
  printf '{"routes":{"GET /secret":{"reply":"${SECRET:-x}"}}}' >"$FILE"
  SECRET=hunter2 GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/secret run --separate-stderr \
    "$GATEWAY" "$FILE"
  [[ $output == *"Status: 404"* && $output != *hunter2* ]]
  GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/ run --separate-stderr "$GATEWAY" --help
  [[ $output == *"Status: 200"* ]]
}
