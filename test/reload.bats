#!/usr/bin/env bats
# reload: a changed configuration comes into use as a whole, without a lost request; one with mistakes
# changes nothing and is named. Behind the gateway stands test/fixtures/misbehave.c.
load helpers

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  write_config first
  # What ASan holds back from being used again would look like a leak.
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=1 start_app gateway
}

teardown_file() { stop_app_as_it_is; }
setup() {
  write_config first
  "$CONTROL" reload
}
teardown() { show_logs_of_failure; }

# A file whose route /edition answers $1; $2 and more are further members, each with a comma behind.
write_config() {
  local edition=$1
  shift
  cat >"$GATEWAY_CONFIG.new" <<END
{
  "upstreams": { "odd": { "servers": ["\${ODD}"], "title": "Odd service" } },
  "errors": { "unreachable": 502 },
  $*
  "routes": {
    "GET /edition": { "reply": { "edition": "$edition" } },
    "GET /of/{any}": { "calls": { "a": "odd GET /slow?ms=500" }, "reply": { "edition": "$edition" } },
    "GET /when/{any}": { "calls": { "a": "odd GET /barrier/when?n=2" }, "reply": { "edition": "$edition" } },
    "GET,POST /{any*}": "odd"
  }
}
END
  mv -- "$GATEWAY_CONFIG.new" "$GATEWAY_CONFIG"
}

edition() { curl -s "$URL/edition" | jq -r .edition; }
status_lines() { "$CONTROL" status gateway; }
rss() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$(responder_pid gateway)/status"; }
logged() { grep -E -- "$1" "$RUN_DIR/gateway.log"; }

@test "a changed file comes into use by a reload, not before" {
  write_config second
  [ "$(edition)" = first ]
  run -0 "$CONTROL" reload
  [ "$output" = "done, 4 routes" ]
  [ "$(edition)" = second ]
}

@test "the process stays the same, and so do its connections to services" {
  local pid before
  pid=$(responder_pid gateway)
  for _ in {1..3}; do get /count; done
  before=$(field .connections)
  "$CONTROL" reload
  get /count
  [ "$(field .connections)" = "$before" ]
  [ "$(responder_pid gateway)" = "$pid" ]
}

@test "a request under way ends with the configuration that it began with" {
  curl -s "$URL/when/first" >"$BATS_TEST_TMPDIR/old" 3>&- &
  wait_until waits_at_barrier
  for edition in second third fourth; do
    write_config "$edition"
    "$CONTROL" reload
  done
  get /when/second
  expect 200 '{"edition":"fourth"}'
  wait $!
  [ "$(cat "$BATS_TEST_TMPDIR/old")" = '{"edition":"first"}' ]
}
waits_at_barrier() { get_from misbehave /waiting && [ "$(field .waiting)" = 1 ]; }

@test "limits change with a reload" {
  request POST /sink -d 12345
  expect 200 '{"bytes":5}'
  write_config second '"limits": { "body": "4B" },'
  "$CONTROL" reload
  request POST /sink -d 12345
  expect 413 '{"error":"Content Too Large","message":"The request body is longer than allowed"}'
  request POST /sink -d 1234
  expect 200 '{"bytes":4}'
}

@test "a file with mistakes changes nothing and is named with every one of them" {
  write_config second '"limit": 1, "errors": 2,'
  run -1 "$CONTROL" reload
  [ "${lines[0]}" = "$GATEWAY_CONFIG:4:3: unknown key 'limit' (did you mean 'limits'?)" ]
  [ "${lines[-1]}" = "refused, what was loaded before stays in use" ]
  [ "$(edition)" = first ]
  logged "Z fcgi-gateway reload: $GATEWAY_CONFIG:4:3: unknown key 'limit'"
  logged 'Z fcgi-gateway reload: refused, what was loaded before stays in use$'
}

@test "a pipe that nobody writes to, or nobody to its end, is refused soon and holds up nothing" {
  local writer
  rm "$GATEWAY_CONFIG"
  mkfifo "$GATEWAY_CONFIG"
  run -1 "$CONTROL" reload
  [ "${lines[0]}" = "$GATEWAY_CONFIG: cannot be read: it is no regular file, and nothing came from it in a second" ]
  [ "${lines[-1]}" = "refused, what was loaded before stays in use" ]
  exec {writer}<>"$GATEWAY_CONFIG"
  run -1 "$CONTROL" reload
  [ "${lines[0]}" = "$GATEWAY_CONFIG: cannot be read: it is no regular file, and nothing came from it in a second" ]
  printf '{' >&"$writer"
  run -1 "$CONTROL" reload
  [ "${lines[0]}" = "$GATEWAY_CONFIG: cannot be read: it is no regular file, and did not end within a second" ]
  exec {writer}>&-
  [ "$(edition)" = first ]
}

@test "the mistakes are those that --check finds" {
  write_config second '"limit": 1, "errors": 2, "defaults": 3, "cors": [],'
  run -1 "$BUILD/fcgi-gateway" --check "$GATEWAY_CONFIG"
  local expected=$output
  run -1 "$CONTROL" reload
  [ "$output" = "$expected"$'\n'"refused, what was loaded before stays in use" ]
}

@test "status shows a refused reload until a good one" {
  run -0 gateway_status
  [ "${#lines[@]}" = 1 ]
  write_config second '"limit": 1,'
  run -1 "$CONTROL" reload
  run -1 "$CONTROL" reload
  run -0 gateway_status
  [ "${#lines[@]}" = 3 ]
  [[ ${lines[1]} == '  reload refused since 20'*'Z, what was loaded before stays in use:' ]]
  [[ ${lines[2]} == "  $GATEWAY_CONFIG:4:3: unknown key 'limit'"* ]]
  write_config second
  "$CONTROL" reload
  run -0 gateway_status
  [ "${#lines[@]}" = 1 ]
}
gateway_status() { "$CONTROL" status | sed -n '/^gateway/,/^users/p' | sed '$d'; }

@test "a file that is gone, empty or cut off is refused" {
  rm -- "$GATEWAY_CONFIG"
  run -1 "$CONTROL" reload
  [ "${lines[0]}" = "$GATEWAY_CONFIG: cannot be read: No such file or directory" ]
  : >"$GATEWAY_CONFIG"
  run -1 "$CONTROL" reload
  write_config second
  truncate -s -9 "$GATEWAY_CONFIG"
  run -1 "$CONTROL" reload
  [ "$(edition)" = first ]
}

@test "a gateway that starts anew after a crash goes on with what it had, whatever the file says" {
  local pid
  pid=$(responder_pid gateway)
  write_config second '"limit": 1,'
  run -1 "$CONTROL" reload
  crash
  [ "$(edition)" = first ]
  run -0 gateway_status
  [[ ${lines[1]} == '  reload refused since '* ]]
  write_config third # not reloaded yet
  crash
  [ "$(edition)" = first ]
  "$CONTROL" reload
  [ "$(edition)" = third ]
  [ "$(responder_pid gateway)" = "$pid" ]
}
# A request waits for its service, and its thread crashes; then the program starts anew.
crash() {
  local before
  before=$(logged ' started$' | wc -l)
  curl -s "$URL/silent" -o /dev/null -w '%{http_code}' >"$BATS_TEST_TMPDIR/crashed" 3>&- &
  wait_until "$BUILD/test/fixtures/wound" "$(responder_pid gateway)"
  wait $!
  [ "$(cat "$BATS_TEST_TMPDIR/crashed")" = 500 ]
  wait_until has_started_again "$before"
}
has_started_again() { (($(logged ' started$' | wc -l) > $1)); }

@test "a gateway that was killed or ended goes on with what it had, whatever the file says" {
  write_config second '"limit": 1,'
  run -1 "$CONTROL" reload
  end_by KILL
  [ "$(edition)" = first ]
  run -0 gateway_status
  [[ ${lines[1]} == '  reload refused since '* ]]
  write_config third # not reloaded yet
  end_by TERM
  [ "$(edition)" = first ]
  "$CONTROL" reload
  [ "$(edition)" = third ]
  run -0 gateway_status
  [ "${#lines[@]}" = 1 ]
}
# By the keeper's rule: one that ends right after its start is not started again by it.
end_by() {
  local pid
  pid=$(responder_pid gateway)
  wait_until has_lived "$pid"
  kill -"$1" "$pid"
  wait_until is_gone "$pid"
  wait_until is_up
}
# For a second, by the kernel's clock (proc(5): field 22, in hundredths). The program's name has no blank.
has_lived() { awk 'NR == FNR { began = $22; next } { exit !($1 - began / 100 > 1) }' "/proc/$1/stat" /proc/uptime; }
is_up() { [[ $(responder_pid gateway) && $(edition) == [a-z]* ]]; }

@test "what lighttpd is told to do with its logs is no reload" {
  write_config second
  kill -HUP "$(processes_of "$RUN_DIR" | sed -n 's/ lighttpd$//p')"
  for _ in {1..20}; do get /ok && expect 200; done
  [ "$(edition)" = first ]
}

@test "without a gateway there is nothing to reload" {
  RUN_DIR=$BATS_TEST_TMPDIR run -1 "$CONTROL" reload
  [ "$output" = "the gateway does not run in $BATS_TEST_TMPDIR" ]
}

# A file that takes some memory: 1,000 routes more, which differ from edition to edition.
write_large_config() {
  write_config "$1"
  sed -i "/\"routes\"/r /dev/stdin" "$GATEWAY_CONFIG" < <(
    seq -f "\"GET /$1/%.0f/{id}\": { \"calls\": { \"a\": \"odd GET /ok?{id}\" }, \"reply\": [\"{id}\", \"{a.ok}\"] }," 1000)
}

# Reloads once more, with the other of two large files, and waits until it is done.
reload_large() {
  count=$((count + 1))
  cp -- "$BATS_TEST_TMPDIR/large-$((count % 2))" "$GATEWAY_CONFIG.new"
  mv -- "$GATEWAY_CONFIG.new" "$GATEWAY_CONFIG"
  kill -HUP "$(responder_pid gateway)"
  wait_until has_reloaded "$((before + count))"
}
has_reloaded() { (($(logged 'reload: done, 1004 routes$' | wc -l) == $1)); }

# load_with NAME PATHS: the statuses of all replies go to the file load-NAME, until `stop` is there.
load_with() {
  until [[ -e $BATS_TEST_TMPDIR/stop ]]; do
    curl -sZ --parallel-max 8 -o /dev/null -w '%{http_code}\n' "$URL/$2"
  done >"$BATS_TEST_TMPDIR/load-$1" 2>/dev/null 3>&-
}

@test "100 reloads under load: no failed request, and memory stays flat" {
  local count=0 before warm end edition
  for edition in 0 1; do
    write_large_config "$edition"
    cp -- "$GATEWAY_CONFIG" "$BATS_TEST_TMPDIR/large-$edition"
  done
  before=$(logged 'reload: done, 1004 routes$' | wc -l)
  load_with slow 'of/x?[1-40]' &
  load_with fast '{edition,ok}?[1-500]' &
  until ((count == 30)); do reload_large; done
  warm=$(rss)
  until ((count == 100)); do reload_large; done
  end=$(rss)
  touch "$BATS_TEST_TMPDIR/stop"
  wait
  echo "memory after 30 reloads $warm KiB, after 100 $end KiB"
  sort "$BATS_TEST_TMPDIR"/load-* | uniq -c
  [ "$(cat "$BATS_TEST_TMPDIR"/load-* | sort -u)" = 200 ]
  # Usually 0; threads that come and go, and a sanitizer, take some. 70 kept editions would be 200 MB.
  ((end - warm < 32768))
}
