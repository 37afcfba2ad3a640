#!/usr/bin/env bats
# users-changes: creating, changing and deleting users, asked of the service behind its web server.
# shellcheck disable=SC2154 # bats sets stderr
load helpers

setup_file() { start_app users; }
teardown_file() {
  "$CONTROL" status | grep '^users *up' || show_logs
  stop_app_as_it_is
}
teardown() { show_logs_of_failure; }

users() { get_from users "$@"; }

# change METHOD PATH BODY [CURL OPTION...]; `type=... change` sends it as another type.
change() {
  URL=http://users request "$1" "$2" --unix-socket "$RUN_DIR/users.sock" \
    -H "Content-Type:${type- application/json}" --data-binary "$3" "${@:4}"
}
delete() { URL=http://users request DELETE "$1" --unix-socket "$RUN_DIR/users.sock" "${@:2}"; }

# joey N [MEMBERS]: a user that nobody else is; N has 2 digits. More members may follow.
joey() { echo "{\"name\":\"Joey $1\",\"email\":\"joey$1@centralperk.com\",\"cpf\":\"000.000.0$1-00\",\"favorite_drink\":\"Latte\"${2:+,$2}}"; }

# Creates joey N; `id` is his.
create_joey() {
  change POST /users "$(joey "$@")"
  expect 201
  id=$(field .user.id)
}

# all_users: what the service has, to compare.
all_users() { curl -s --unix-socket "$RUN_DIR/users.sock" 'http://users/users?limit=1000'; }

invalid() { expect 422 "{\"error\":\"Validation failed\",\"fields\":{$1}}"; }

@test "a user is created, with what the service fills in" {
  local before after
  before=$(date -u +%F)
  change POST /users "$(joey 01)"
  expect 201
  after=$(date -u +%F)
  id=$(field .user.id)
  [[ $(field .user.member_since) == "$before" || $(field .user.member_since) == "$after" ]]
  expect 201 "{\"service\":\"users-service\",\"user\":{\"id\":$id,\"name\":\"Joey 01\",\"email\":\"joey01@centralperk.com\",\"cpf\":\"000.000.001-00\",\"member_since\":\"$(field .user.member_since)\",\"favorite_drink\":\"Latte\",\"loyalty_points\":0,\"active\":true}}"
  [ "$(header Content-Type)" = application/json ]
  [ "$(header Location)" = "/users/$id" ]
  [ "$(header ETag)" = "\"$id-1\"" ]
  local created=$body
  users "/users/$id"
  expect 200 "$created"
  [ "$(header ETag)" = "\"$id-1\"" ]
}

@test "a user is created with everything given" {
  create_joey 02 '"member_since":"2020-02-29","loyalty_points":7,"active":false'
  [ "$(field '[.user.member_since, .user.loyalty_points, .user.active] | @csv')" = '"2020-02-29",7,false' ]
}

@test "names in any script and with any escape are kept as they are meant" {
  change POST /users '{"name":"J\u00f6y \"\\\/ \ud83d\ude00 ☕","email":"joy03@x.org","cpf":"000.000.003-00","favorite_drink":"<b>\u2028&amp;"}'
  expect 201
  [ "$(field .user.name)" = 'Jöy "\/ 😀 ☕' ]
  [ "$(field '.user.favorite_drink | length')" = 9 ]
}

@test "all that is wrong with a body is told at once, in the order of the columns" {
  before=$(all_users)
  change POST /users '{}'
  invalid '"name":"is required","email":"is required","cpf":"is required","favorite_drink":"is required"'
  change POST /users '{"nick":1,"active":"yes","id":9,"name":7,"email":"no","cpf":"12345678901","favorite_drink":"","loyalty_points":-1,"member_since":"2023-02-29","a":[{}]}'
  invalid '"id":"is given by the service","name":"must be a text","email":"must have from 3 to 254 characters","cpf":"must have the form ddd.ddd.ddd-dd","member_since":"must be a date such as 2024-11-28","favorite_drink":"must not be empty","loyalty_points":"must be from 0 to 1000000000","active":"must be true or false","nick":"is not known","a":"is not known"'
  [ "$(all_users)" = "$before" ]
}

@test "an email has one @ with something on both sides" {
  local email
  for email in ana.x.org @x.org ana@ 'a@b@c' '@@@'; do
    change POST /users "$(joey 04 | sed "s/joey04@centralperk.com/$email/")"
    expect 422
    [[ "$(field .fields.email)" == *@* && "$(field '.fields | length')" = 1 ]]
  done
  change POST /users "$(joey 04 | sed 's/joey04@/jo ey@/')"
  invalid '"email":"must not contain blanks"'
  change POST /users "$(joey 04 | sed 's/joey04@/jöey@/')"
  invalid '"email":"must be of ASCII characters"'
}

@test "a member that stands twice is a mistake" {
  change POST /users "$(joey 05 '"name":"Chandler"')"
  invalid '"name":"stands twice in the body"'
  change POST /users "$(joey 05 '"\u006eame":"Chandler"')"
  invalid '"name":"stands twice in the body"'
}

@test "a body that is no object is a 422, one that is no JSON a 400 with line and column" {
  change POST /users '[1]'
  expect 422 '{"error":"Validation failed","message":"The body must be an object; it is: array"}'
  change POST /users $'{\n  "name": oops}'
  expect 400
  [ "$(field .error)" = "Invalid JSON" ]
  [[ $(field .message) == "line 2, column 11: "* ]]
  change POST /users ''
  expect 400
  [[ $(field .message) == "line 1, column 1: "* ]]
}

@test "another type of content is a 415" {
  type=text/plain change POST /users "$(joey 06)"
  expect 415 '{"error":"Unsupported media type","message":"Content-Type must be application/json"}'
  type='' change POST /users "$(joey 06)"
  expect 415
  type=application/jsonx change PATCH /users/1 '{}'
  expect 415
  [[ $(header Accept-Patch) == "application/merge-patch+json"* ]]
  type='Application/JSON; charset=utf-8' change POST /users "$(joey 06)"
  expect 201
}

@test "an email or a cpf that somebody has is a 409 that names it" {
  create_joey 07
  change POST /users "$(joey 08 | sed 's/joey08@/JOEY07@/')"
  expect 409 '{"error":"Email already in use","fields":{"email":"is already in use"}}'
  change POST /users "$(joey 08 | sed 's/008/007/')"
  expect 409 '{"error":"CPF already in use","fields":{"cpf":"is already in use"}}'
  change POST /users "$(joey 07)"
  expect 409 '{"error":"Email already in use","fields":{"email":"is already in use","cpf":"is already in use"}}'
  create_joey 08
  change PATCH "/users/$id" '{"email":"joey07@CENTRALPERK.com"}'
  expect 409 '{"error":"Email already in use","fields":{"email":"is already in use"}}'
  change PUT "/users/$id" "$(joey 08 | sed 's/008/007/')"
  expect 409 '{"error":"CPF already in use","fields":{"cpf":"is already in use"}}'
  change PATCH "/users/$id" '{"email":"JOEY08@centralperk.com"}'
  expect 200
}

@test "PUT replaces all of a user: what is not said falls back" {
  create_joey 09 '"loyalty_points":99,"active":false,"member_since":"2020-01-01"'
  change PUT "/users/$id" "$(joey 09 "\"id\":$id" | sed 's/Latte/Mocha/')"
  expect 200
  [ "$(field '[.user.id, .user.favorite_drink, .user.loyalty_points, .user.active] | @csv')" = "$id,\"Mocha\",0,true" ]
  [ "$(header ETag)" = "\"$id-2\"" ]
  local replaced=$body
  users "/users/$id"
  expect 200 "$replaced"
  change PUT "/users/$id" "$(joey 09 '"id":1')"
  invalid '"id":"must be the one in the path"'
  change PUT "/users/$id" '{"name":"Joey"}'
  invalid '"email":"is required","cpf":"is required","favorite_drink":"is required"'
  change PUT /users/999 "$(joey 10)"
  expect 404 '{"error":"User not found"}'
}

@test "PATCH is a merge patch: what is not said stays, null falls back" {
  create_joey 11 '"loyalty_points":99,"active":false'
  type=application/merge-patch+json change PATCH "/users/$id" '{"favorite_drink":"Mocha"}'
  expect 200
  [ "$(field '[.user.name, .user.favorite_drink, .user.loyalty_points, .user.active] | @csv')" = '"Joey 11","Mocha",99,false' ]
  [ "$(header ETag)" = "\"$id-2\"" ]
  change PATCH "/users/$id" '{"loyalty_points":null,"active":null}'
  expect 200
  [ "$(field '[.user.loyalty_points, .user.active] | @csv')" = '0,true' ]
  change PATCH "/users/$id" '{"name":null,"email":"x"}'
  invalid '"name":"cannot be removed","email":"must have from 3 to 254 characters"'
  change PATCH "/users/$id" "{\"id\":$((id + 1))}"
  invalid '"id":"must be the one in the path"'
  change PATCH /users/999 '{"name":"Nobody"}'
  expect 404 '{"error":"User not found"}'
}

@test "a change that changes nothing leaves the version as it is" {
  create_joey 12
  change PATCH "/users/$id" '{}'
  expect 200
  [ "$(header ETag)" = "\"$id-1\"" ]
  change PATCH "/users/$id" '{"name":"Joey 12"}'
  expect 200
  [ "$(header ETag)" = "\"$id-1\"" ]
}

@test "a deleted user is gone, and his id is nobody's again" {
  create_joey 13
  delete "/users/$id"
  expect 204 ''
  [ -z "$(header Content-Type)" ]
  delete "/users/$id"
  expect 404 '{"error":"User not found"}'
  users "/users/$id"
  expect 404
  local gone=$id
  create_joey 13
  ((id > gone))
}

@test "an id that is too long for any user is 404 for changes too" {
  for method in PUT PATCH; do
    change "$method" /users/99999999999999999999 "$(joey 14)"
    expect 404 '{"error":"User not found"}'
  done
  delete /users/99999999999999999999
  expect 404
}

@test "If-Match lets a change pass only if nobody was faster" {
  create_joey 15
  change PATCH "/users/$id" '{"name":"Joe"}' -H "If-Match: \"$id-9\""
  expect 412
  [ "$(header ETag)" = "\"$id-1\"" ]
  change PATCH "/users/$id" '{"name":"Joe"}' -H "If-Match: W/\"$id-1\""
  expect 412
  change PATCH "/users/$id" '{"name":"Joe"}' -H "If-Match: \"x\", \"$id-1\""
  expect 200
  change PUT "/users/$id" "$(joey 15)" -H "If-Match: \"$id-1\""
  expect 412
  change PUT "/users/$id" "$(joey 15)" -H 'If-None-Match: *'
  expect 412
  delete "/users/$id" -H "If-Match: \"$id-1\""
  expect 412
  delete "/users/999" -H 'If-Match: *'
  expect 404
  delete "/users/$id" -H 'If-Match: *'
  expect 204
}

@test "If-None-Match saves the body of what is known already" {
  create_joey 16
  users "/users/$id" -H "If-None-Match: \"$id-1\""
  expect 304 ''
  [ "$(header ETag)" = "\"$id-1\"" ]
  users "/users/$id" -H "If-None-Match: W/\"a,b\", W/\"$id-1\""
  expect 304
  users "/users/$id" -H 'If-None-Match: *'
  expect 304
  URL=http://users request HEAD "/users/$id" --unix-socket "$RUN_DIR/users.sock" -H "If-None-Match: \"$id-1\""
  expect 304
  change PATCH "/users/$id" '{"name":"Joe"}'
  users "/users/$id" -H "If-None-Match: \"$id-1\""
  expect 200
  [ "$(header ETag)" = "\"$id-2\"" ]
}

@test "of many who change the same version only one does" {
  create_joey 17
  local i
  for i in {1..10}; do
    curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$RUN_DIR/users.sock" -X PATCH \
      -H 'Content-Type: application/json' -H "If-Match: \"$id-1\"" \
      -d "{\"loyalty_points\":$i}" "http://users/users/$id" >"$BATS_TEST_TMPDIR/code$i" 3>&- &
  done
  wait
  [ "$(cat "$BATS_TEST_TMPDIR"/code* | sort | uniq -c | tr -s ' ')" = " 1 200
 9 412" ]
}

@test "an Idempotency-Key gives the first reply again" {
  change POST /users "$(joey 18)" -H 'Idempotency-Key: a-1'
  expect 201
  local first=$body location etag
  location=$(header Location) etag=$(header ETag)
  change POST /users "$(joey 18)" -H 'Idempotency-Key: a-1'
  expect 201 "$first"
  [ "$(header Location)" = "$location" ]
  [ "$(header ETag)" = "$etag" ]
  [ "$(header Content-Type)" = application/json ]
  delete "$location"
  change POST /users "$(joey 18)" -H 'Idempotency-Key: a-1'
  expect 201 "$first"
  users "$location"
  expect 404
}

@test "a key with another body is a 422, and its own one goes on" {
  change POST /users "$(joey 19)" -H 'Idempotency-Key: b-1'
  expect 201
  before=$(all_users)
  change POST /users "$(joey 20)" -H 'Idempotency-Key: b-1'
  expect 422
  [ "$(field .error)" = "Idempotency-Key already in use" ]
  change POST /users "{}" -H 'Idempotency-Key: b-1'
  expect 422
  [ "$(field .error)" = "Idempotency-Key already in use" ]
  [ "$(all_users)" = "$before" ]
  change POST /users "$(joey 19)" -H 'Idempotency-Key: b-1'
  expect 201
}

@test "a request that failed may be mended and sent under the same key" {
  change POST /users '{}' -H 'Idempotency-Key: c-1'
  expect 422
  change POST /users "$(joey 21)" -H 'Idempotency-Key: c-1'
  expect 201
}

@test "a key must be 1 to 255 visible ASCII characters" {
  local key
  for key in "$(printf 'k%.0s' {1..256})" 'a b' 'é'; do
    change POST /users "$(joey 22)" -H "Idempotency-Key: $key"
    expect 400
    [ "$(field .error)" = "Invalid Idempotency-Key" ]
  done
  change POST /users "$(joey 22)" -H "Idempotency-Key: $(printf 'k%.0s' {1..255})"
  expect 201
}

@test "of requests with the same key at the same time one is carried out, and all hear the same" {
  local i pid
  pid=$(responder_pid users)
  lock_database # so that all of them come before any of them is carried out
  for i in {1..12}; do
    curl -s -D "$BATS_TEST_TMPDIR/head$i" --unix-socket "$RUN_DIR/users.sock" \
      -H 'Content-Type: application/json' -H 'Idempotency-Key: at-once' -d "$(joey 23)" \
      -o "$BATS_TEST_TMPDIR/body$i" http://users/users 3>&- 8>&- &
  done
  wait_until has_threads "$pid" 13
  unlock_database
  wait
  [ "$(cat "$BATS_TEST_TMPDIR"/head* | grep -c '201 Created')" = 12 ]
  [ "$(sha1sum "$BATS_TEST_TMPDIR"/body* | cut -d' ' -f1 | sort -u | wc -l)" = 1 ]
  [ "$(all_users | jq '[.users[] | select(.name == "Joey 23")] | length')" = 1 ]
}

# A responder with N threads is at N - 1 requests at least.
has_threads() { (($(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l) >= $2)); }

## Hostile bodies: an answer, and nothing changed.

# hostile STATUS MESSAGE_PATTERN: sends $BATS_TEST_TMPDIR/hostile.
hostile() {
  change POST /users "@$BATS_TEST_TMPDIR/hostile"
  expect "$1"
  [[ $body == *"$2"* ]]
}

@test "a body over 1 MiB is a 413, with a length or without one" {
  before=$(all_users)
  { printf '{"name":"' && head -c 10000000 /dev/zero | tr '\0' x && printf '"}'; } >"$BATS_TEST_TMPDIR/hostile"
  hostile 413 error
  change POST /users "@$BATS_TEST_TMPDIR/hostile" -H 'Transfer-Encoding: chunked'
  expect 413
  { printf '{"name":"' && head -c 1000000 /dev/zero | tr '\0' x && printf '"}'; } >"$BATS_TEST_TMPDIR/hostile"
  hostile 422 'must have from 1 to 200 characters'
  [ "$(all_users)" = "$before" ]
}

@test "brackets, 100,000 of them, are a 400" {
  head -c 100000 /dev/zero | tr '\0' '[' >"$BATS_TEST_TMPDIR/hostile"
  hostile 400 'Invalid JSON'
  { printf '{"name":' && head -c 100000 /dev/zero | tr '\0' '[' && head -c 100000 /dev/zero | tr '\0' ']' && printf '}'; } >"$BATS_TEST_TMPDIR/hostile"
  hostile 400 'Invalid JSON'
}

@test "what is no UTF-8 is a 400, NUL and half characters are a 422" {
  joey 24 | sed 's/Joey/Jo\xff/' >"$BATS_TEST_TMPDIR/hostile"
  hostile 400 'Invalid JSON'
  joey 24 | sed 's/Joey/Jo\x00y/' >"$BATS_TEST_TMPDIR/hostile"
  hostile 400 'Invalid JSON'
  joey 24 | sed 's/Joey/Jo\\u0000y/' >"$BATS_TEST_TMPDIR/hostile"
  hostile 422 '"name":"must not contain NUL (\\u0000)"'
  joey 24 | sed 's/Joey/Jo\\ud800y/' >"$BATS_TEST_TMPDIR/hostile"
  hostile 422 '"name":"must not contain half of a surrogate pair"'
  joey 24 '"\u0000":1,"a\u0000b":1' >"$BATS_TEST_TMPDIR/hostile"
  hostile 422 '"fields":{"\u0000":"is not known","a\u0000b":"is not known"}'
}

@test "numbers of any size are accepted or refused by their value" {
  local number
  for number in 1e999999999 99999999999999999999999 9223372036854775808 1000000001 -1 1.5 1e-7 '"1"' '[1]' '{}'; do
    joey 24 "\"loyalty_points\":$number" >"$BATS_TEST_TMPDIR/hostile"
    hostile 422 '"fields":{"loyalty_points":"must be '
  done
  head -c 500000 /dev/zero | tr '\0' 9 >"$BATS_TEST_TMPDIR/digits"
  joey 24 "\"loyalty_points\":$(cat "$BATS_TEST_TMPDIR/digits")" >"$BATS_TEST_TMPDIR/hostile"
  hostile 422 '"loyalty_points":"must be from 0'
  create_joey 24 '"loyalty_points":100e-1'
  [ "$(field .user.loyalty_points)" = 10 ]
}

@test "many members that nobody knows get a short answer" {
  { printf '{"a":1' && seq -f ',"m%.0f":1' 50000 && printf '}'; } >"$BATS_TEST_TMPDIR/hostile"
  hostile 422 '"m1":"is not known"'
  ((${#body} < 4000))
}

## When the database cannot be written to

# Another program that is about to write.
lock_database() {
  mkfifo "$BATS_TEST_TMPDIR/sql"
  spawn locker sqlite3 "$RUN_DIR/users.db" ".read $BATS_TEST_TMPDIR/sql"
  exec 8>"$BATS_TEST_TMPDIR/sql"
  echo 'BEGIN IMMEDIATE; SELECT 1;' >&8
  wait_until grep -q 1 "$RUN_DIR/locker.log"
}
unlock_database() {
  echo 'ROLLBACK;' >&8
  exec 8>&-
}

@test "another program that writes for long makes changes wait, then 503 with Retry-After; reads go on" {
  lock_database
  change POST /users "$(joey 25)"
  expect 503 '{"error":"Database unavailable","message":"Others were writing for too long"}'
  [ "$(header Retry-After)" = 1 ]
  users /users/1
  expect 200
  unlock_database
  create_joey 25
}

@test "a disk that is full is a 507, reads go on, and so do changes once there is room" {
  local pid i
  pid=$(responder_pid users)
  prlimit --pid "$pid" --fsize="$(stat -c %s "$RUN_DIR/users.db-wal"):"
  for i in {1..50}; do # what fits into the journal's last round still goes
    change POST /users "$(joey 26 | sed "s/026-00/026-$(printf %02d "$i")/; s/joey26/joey26$i/")"
    [ "$code" = 201 ] || break
  done
  prlimit --pid "$pid" --fsize=unlimited:
  expect 507 '{"error":"Database unavailable","message":"There is no space left"}'
  users /users/1
  expect 200
  create_joey 27
}
