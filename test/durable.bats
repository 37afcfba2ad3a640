#!/usr/bin/env bats
# durable: what was acknowledged is there, whatever is killed and whenever; writers wait for each
# other a bounded time, readers for nobody.
load helpers

readonly WRITES=20000 CLIENTS=32 SECONDS_MAX=300 # SECONDS_MAX: with sanitizers; some 30 without
readonly KILLS_MIN=10 # one in less than half a second, most of which is the start that follows
readonly WRITERS=100 # more than a service has threads, see SERVICE_THREADS_MAX in lib/service.c
readonly KILLED=(gateway users orders)
# A writer waits up to 4 s, see DB_WAIT_MS in lib/db.c; both with room for a busy machine.
readonly READ_SECONDS_MAX=2 WRITE_SECONDS_MAX=8

setup_file() { start_app; }
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

# Kills a program or a web server at a random moment, as long as the process lives. What its web
# server does not start again is started as people do it.
kill_at_random_while() {
  local name
  RANDOM=2024 kills=0
  while ! is_gone "$1"; do
    sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
    name=${KILLED[RANDOM % ${#KILLED[@]}]}
    case $((RANDOM % 3)) in
    0) kill -KILL "$(server_pid "$name")" ;;
    1) kill -KILL "$(responder_pid "$name")" ;;
    2) kill -KILL "$(server_pid "$name")" "$(responder_pid "$name")" ;;
    esac 2>/dev/null || continue
    ((++kills))
    [[ $(server_pid "$name") ]] || "$CONTROL" start "$name" 3>&- >>"$BATS_TEST_TMPDIR/starts" 2>&1
  done
}
server_pid() {
  local pid command
  while read -r pid command; do
    [[ $command != lighttpd ]] || ! tr '\0' '\n' <"/proc/$pid/cmdline" | grep -q "/$1.conf\$" || echo "$pid"
  done < <(processes_of "$RUN_DIR") 2>/dev/null
}

# differences RECORD: what test/fixtures/durable.sql finds.
differences() {
  sqlite3 -bail :memory: ".mode tabs" \
    "CREATE TABLE said (outcome, verb, kind, marker, id, mark)" ".import '$1' said" \
    "ATTACH '$RUN_DIR/orders.db' AS o" "ATTACH '$RUN_DIR/users.db' AS u" ".mode list" \
    ".read '$ROOT/test/fixtures/durable.sql'" 2>&1
}

@test "20,000 concurrent writes while everything is killed: what was acknowledged is there, once" {
  local record=$BATS_TEST_TMPDIR/record writer status=0
  spawn writer "$BUILD/test/fixtures/writer" "$record" $WRITES $CLIENTS $SECONDS_MAX \
    "$URL" "$URL"
  writer=$(tail -n 1 "$RUN_DIR/spawned")
  kill_at_random_while "$writer"
  wait "$writer" || status=$?
  cat "$RUN_DIR/writer.log" "$BATS_TEST_TMPDIR/starts"
  echo "$kills kills"
  ((status == 0 && kills >= KILLS_MIN))
  (($(grep -c '^done' "$record") >= WRITES))
  differences "$record" >"$BATS_TEST_TMPDIR/differences" || cat "$BATS_TEST_TMPDIR/differences"
  [ ! -s "$BATS_TEST_TMPDIR/differences" ] || { head "$BATS_TEST_TMPDIR/differences" && false; }
  for name in orders users; do
    [ "$(sqlite3 "$RUN_DIR/$name.db" 'PRAGMA integrity_check')" = ok ]
  done
  get /dashboard
  expect 200
  [ "$(field .overview.total_users)" = "$(sqlite3 "$RUN_DIR/users.db" 'SELECT count(*) FROM users')" ]
  [ "$(field '.overview | [.total_orders, .total_revenue * 100 | round] | @csv')" = \
    "$(sqlite3 -csv "$RUN_DIR/orders.db" 'SELECT count(*), sum(price * quantity) FROM orders')" ]
}

# Another program begins a long change to orders.db, until `let_go`.
hold() {
  mkfifo "$BATS_TEST_TMPDIR/sql"
  sqlite3 "$RUN_DIR/orders.db" <"$BATS_TEST_TMPDIR/sql" >"$BATS_TEST_TMPDIR/held" 3>&- &
  holder=$!
  exec {held}>"$BATS_TEST_TMPDIR/sql"
  echo "BEGIN IMMEDIATE; UPDATE orders SET served_by = 'Rachel' WHERE id = 1; SELECT 'held';" >&"$held"
  wait_until grep -q held "$BATS_TEST_TMPDIR/held"
}
let_go() {
  exec {held}>&- # without COMMIT nothing was changed
  wait "$holder"
}

# URL... to the orders service: a line "STATUS RETRY-AFTER SECONDS" for each; - where there is none.
times() {
  curl -s --no-progress-meter --unix-socket "$RUN_DIR/orders.sock" -o /dev/null \
    -w '%{http_code} -%header{retry-after} %{time_total}\n' "$@" 3>&-
}
readonly ORDER='{"user_id":1,"user_name":"Ana","product":"Latte","category":"Doce","quantity":1,"price":1.5}'

# all_are STATUS RETRY_AFTER SECONDS_MAX: every line of standard input, and there is one.
all_are() {
  awk -v status="$1" -v retry="-$2" -v most="$3" \
    '$1 != status || $2 != retry || $3 > most { print; bad = 1 } END { exit bad || !NR }'
}

@test "while another program writes, reads are answered at once, with what was before" {
  hold
  for path in /orders /orders/1 /orders/summary '/orders?status=ready'; do
    run -0 times "http://a$path"
    all_are 200 "" $READ_SECONDS_MAX <<<"$output"
  done
  get_from orders /orders/1
  let_go
  expect 200
  [ "$(field .order.served_by)" = Gunther ]
}

@test "who cannot write in time is told when to try again, and nothing is changed; reads go on" {
  local summary
  get_from orders /orders/summary
  summary=$body
  hold
  times --parallel --parallel-immediate --parallel-max "$WRITERS" -H 'Content-Type: application/json' -d "$ORDER" \
    "http://a/orders?[1-$WRITERS]" >"$BATS_TEST_TMPDIR/writes" &
  local writers=$!
  while ! is_gone "$writers"; do
    times "http://a/orders/[1-5]" >>"$BATS_TEST_TMPDIR/reads"
  done
  let_go
  all_are 200 "" $READ_SECONDS_MAX <"$BATS_TEST_TMPDIR/reads"
  all_are 503 1 $WRITE_SECONDS_MAX <"$BATS_TEST_TMPDIR/writes"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/writes")" = $WRITERS ]
  get_from orders /orders/summary
  expect 200 "$summary"
  get_from orders /orders -X POST -H 'Content-Type: application/json' -d "$ORDER"
  expect 201
}
