#!/usr/bin/env bats
# users: what the users service promises to its callers, asked behind its own web server.
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
load helpers

setup_file() { start_app users; }
teardown_file() {
  "$CONTROL" status | grep '^users *up' || show_logs
  stop_app_as_it_is
}
teardown() { show_logs_of_failure; }

# users PATH [CURL OPTION...]: a call to the service itself.
users() { get_from users "$@"; }
users_head() { URL=http://users request HEAD "$1" --unix-socket "$RUN_DIR/users.sock"; }

readonly ANA='{"id":1,"name":"Ana Clara Gomes","email":"ana.gomes@centralperk.com","cpf":"123.456.789-01","member_since":"2023-06-10","favorite_drink":"Cappuccino","loyalty_points":150,"active":true}'
readonly GABRIEL='{"id":2,"name":"Gabriel Albuquerque","email":"gabriel.albuquerque@centralperk.com","cpf":"234.567.890-12","member_since":"2023-03-22","favorite_drink":"Espresso","loyalty_points":220,"active":true}'
readonly PAULO='{"id":3,"name":"Paulo Rosado","email":"paulo.rosado@centralperk.com","cpf":"345.678.901-23","member_since":"2023-09-05","favorite_drink":"Latte","loyalty_points":95,"active":true}'
readonly GUSTAVO='{"id":4,"name":"Gustavo Mourato","email":"gustavo.mourato@centralperk.com","cpf":"456.789.012-34","member_since":"2023-05-18","favorite_drink":"Mocha","loyalty_points":180,"active":true}'
readonly VINICIUS='{"id":5,"name":"Vinícius de Andrade","email":"vinicius.andrade@centralperk.com","cpf":"567.890.123-45","member_since":"2024-01-30","favorite_drink":"Americano","loyalty_points":65,"active":false}'
readonly LUAN='{"id":6,"name":"Luan Kato","email":"luan.kato@centralperk.com","cpf":"678.901.234-56","member_since":"2022-11-11","favorite_drink":"Macchiato","loyalty_points":310,"active":true}'

list() {
  local IFS=,
  echo "{\"service\":\"users-service\",$1\"total\":$(($# - 1)),\"users\":[${*:2}]}"
}

@test "all users come in the order of their ids, byte for byte as promised" {
  users /users
  expect 200 "$(list '' "$ANA" "$GABRIEL" "$PAULO" "$GUSTAVO" "$VINICIUS" "$LUAN")"
  [ "$(header Content-Type)" = application/json ]
}

@test "users are filtered by whether they are active, in any letter case" {
  for value in true TRUE True %74rue; do
    users "/users?active=$value"
    expect 200 "$(list '' "$ANA" "$GABRIEL" "$PAULO" "$GUSTAVO" "$LUAN")"
  done
  for value in false FALSE 'False&other=1'; do
    users "/users?active=$value"
    expect 200 "$(list '' "$VINICIUS")"
  done
}

@test "another value of active is a 400 that names it" {
  for query in active=maybe active= active active=1 'active=true%20' 'x=1&active=yes'; do
    users "/users?$query"
    expect 400 '{"error":"Invalid query parameter","message":"active must be true or false"}'
  done
  users '/users?active=%ff'
  expect 400 '{"error":"Invalid query parameter","message":"active is not percent-encoded properly"}'
}

@test "a user is found by id" {
  users /users/1
  expect 200 "{\"service\":\"users-service\",\"user\":$ANA}"
  users /users/5
  expect 200 "{\"service\":\"users-service\",\"user\":$VINICIUS}"
  users /users/0006
  expect 200 "{\"service\":\"users-service\",\"user\":$LUAN}"
}

@test "an id that nobody has, however long, is 404" {
  for id in 0 7 999 9223372036854775807 9223372036854775808 18446744073709551617 99999999999999999999999; do
    users "/users/$id"
    expect 404 '{"error":"User not found"}'
  done
}

@test "users are found by drink without regard to letter case" {
  for drink in Cappuccino cappuccino CAPPUCCINO cAPPUCCINo; do
    users "/users/drink/$drink"
    expect 200 "$(list "\"drink\":\"$drink\"," "$ANA")"
  done
}

@test "the drink comes back as it was given, decoded" {
  users /users/drink/caf%C3%A9%20%22%5C%2Fduplo
  expect 200 "$(list '"drink":"café \"\\/duplo",')"
  users "/users/drink/'%20OR%201=1--"
  expect 200 "$(list "\"drink\":\"' OR 1=1--\",")"
}

@test "health tells how many users there are" {
  users /health
  expect 200 '{"status":"healthy","service":"users-service","port":5001,"total_users":6}'
}

@test "the summary has the number of users" {
  users /users/summary
  expect 200 '{"service":"users-service","total_users":6}'
}

@test "an unknown path is 404, as JSON" {
  for path in / /user /users/ /users/abc /users/-1 /users/1/orders /users/drink /users/drink/a/b /orders; do
    users "$path"
    expect 404 '{"error":"Not found"}'
  done
}

@test "a known path with a wrong method is 405 with Allow, as JSON" {
  for path in /users/drink/mocha /users/summary /health; do
    users "$path" -X DELETE
    expect 405
    [ "$(header Allow)" = "GET, HEAD" ]
    [ -n "$(field .error)" ]
  done
  users /users -X DELETE
  expect 405
  [ "$(header Allow)" = "GET, HEAD, POST" ]
  users /users/1 -X POST -d ''
  expect 405
  [ "$(header Allow)" = "GET, HEAD, PUT, PATCH, DELETE" ]
}

@test "HEAD is answered like GET" {
  users_head /users/1
  expect 200
  [ "$(header Content-Length)" = "$(printf '%s' "{\"service\":\"users-service\",\"user\":$ANA}" | wc -c)" ]
  users_head /users/7
  expect 404
}

@test "nobody else can read the database" {
  [ "$(stat -c %a "$RUN_DIR/users.db")" = 600 ]
}

@test "without its file the service answers 503, and goes on when it is back" {
  mv "$RUN_DIR/users.db" "$RUN_DIR/away.db"
  users /users
  expect 503 '{"error":"Database unavailable","message":"The database cannot be opened"}'
  users /health
  expect 503
  grep -q 'users.db: unable to open database file (No such file or directory)' "$RUN_DIR/users.log"
  mv "$RUN_DIR/away.db" "$RUN_DIR/users.db"
  users /users/1
  expect 200 "{\"service\":\"users-service\",\"user\":$ANA}"
}

@test "with a broken file in its place the service answers 503, and goes on when it is mended" {
  mv "$RUN_DIR/users.db" "$RUN_DIR/away.db"
  head -c 8192 /dev/zero | tr '\0' x >"$RUN_DIR/users.db"
  users /users
  expect 503
  [ "$(field .error)" = "Database unavailable" ]
  grep -q 'file is not a database' "$RUN_DIR/users.log"
  mv "$RUN_DIR/away.db" "$RUN_DIR/users.db"
  users /health
  expect 200
}

@test "a file that is replaced by its copy while it runs is used on" {
  cp "$RUN_DIR/users.db" "$RUN_DIR/copy.db"
  mv "$RUN_DIR/copy.db" "$RUN_DIR/users.db"
  users /health
  expect 200
}

@test "a killed service is there again with the next request, and so is its data" {
  kill_responder users
  wait_until healthy
  users /users/6
  expect 200 "{\"service\":\"users-service\",\"user\":$LUAN}"
}
healthy() { users /health && expect 200; }

## How it starts: the program itself, as a CGI program, with a database of its own.

as_cgi() {
  env -u RUN_DIR REQUEST_METHOD=GET REQUEST_URI=/health "$@" "$BUILD/fcgi-users"
}

# The version that a SQLite file says it has stands at its byte 60.
set_version() { printf '\0\0\0%b' "\\x$2" | dd of="$1" bs=1 seek=60 conv=notrunc status=none; }

@test "DATABASE_PATH says where the file is; else it is in RUN_DIR" {
  as_cgi DATABASE_PATH="$BATS_TEST_TMPDIR/mine.db" | grep -q '"total_users":6'
  [ -s "$BATS_TEST_TMPDIR/mine.db" ]
  as_cgi DATABASE_PATH= RUN_DIR="$BATS_TEST_TMPDIR" | grep -q '"total_users":6'
  [ -s "$BATS_TEST_TMPDIR/users.db" ]
}

@test "programs that start at once on a new file all find it whole" {
  local database=$BATS_TEST_TMPDIR/mine.db i
  for i in {1..10}; do as_cgi DATABASE_PATH="$database" >"$BATS_TEST_TMPDIR/$i" 3>&- & done
  wait
  for i in {1..10}; do grep '"total_users":6' "$BATS_TEST_TMPDIR/$i"; done
}

@test "a newer file is refused by name, with both versions" {
  local database=$BATS_TEST_TMPDIR/mine.db
  as_cgi DATABASE_PATH="$database"
  set_version "$database" 63
  run -1 --separate-stderr as_cgi DATABASE_PATH="$database"
  [ -z "$output" ]
  [ "${#stderr_lines[@]}" = 1 ]
  [[ $stderr == *"$database: its schema has version 99, this program knows up to "*": run the newer program"* ]]
}

@test "what keeps it from starting is said in one line" {
  as_cgi DATABASE_PATH="$BATS_TEST_TMPDIR/mine.db"
  run -1 --separate-stderr as_cgi DATABASE_PATH="$BATS_TEST_TMPDIR/none/mine.db"
  [[ ${#stderr_lines[@]} == 1 && $stderr == *"cannot be created in folder $BATS_TEST_TMPDIR/none (No such file or directory)"* ]]
  run -1 --separate-stderr as_cgi DATABASE_PATH="$BATS_TEST_TMPDIR"
  [[ ${#stderr_lines[@]} == 1 && $stderr == *"unable to open database file"* ]]
  run -1 --separate-stderr env DATABASE_PATH="$BATS_TEST_TMPDIR/mine.db" "$BUILD/fcgi-orders"
  [[ ${#stderr_lines[@]} == 1 && $stderr == *"mine.db: this is another program's database"* ]]
}

@test "a query string that the web server hands over as arguments is no option" {
  run -0 --separate-stderr env GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI='/health?--help' \
    DATABASE_PATH="$BATS_TEST_TMPDIR/mine.db" "$BUILD/fcgi-users" --help
  [[ $output == *'"total_users":6'* ]]
}
