#!/usr/bin/env bats
# changes: what a caller of the whole application can create, change and delete, through the gateway
# and its shipped configuration.
load helpers

setup_file() { start_app; }
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

# send METHOD PATH JSON [CURL OPTION...]
send() { request "$1" "$2" -H 'Content-Type: application/json' --data-binary "$3" "${@:4}"; }

bean() { printf '{"name":"%s","email":"%s@x.org","cpf":"%s","favorite_drink":"Latte"}' "$1" "$1" "$2"; }

@test "a user is created, read by Location, changed, replaced and deleted" {
  send POST /users "$(bean bean 111.111.111-11)"
  expect 201
  local place
  place=$(header location)
  [[ $place == /users/* ]]
  get "$place"
  expect 200
  [ "$(field .user.name)" = bean ]
  [ "$(field .user.loyalty_points)" = 0 ]
  send PATCH "$place" '{"loyalty_points":5}'
  expect 200
  [ "$(field .user.loyalty_points)" = 5 ]
  send PUT "$place" "$(bean mister 111.111.111-11)"
  expect 200
  [ "$(field .user.loyalty_points)" = 0 ]
  request DELETE "$place"
  expect 204 ''
  get "$place"
  expect 404 '{"error":"User not found"}'
}

@test "an order takes the user's name from the users service" {
  send POST /orders '{"user_id":2,"product":"Bagel","category":"Doce","quantity":2,"price":7.1}'
  expect 201
  [ "$(field .order.user_name)" = "Gabriel Albuquerque" ]
  grep -q '"price":7.10,' "$BATS_TEST_TMPDIR/body"
  local place
  place=$(header location)
  [ -n "$(header etag)" ]
  get "$place"
  expect 200
  [ "$(field .order.status)" = preparing ]
}

@test "an order of a user who does not exist is 404 and creates nothing" {
  get '/orders?limit=1'
  local before
  before=$(field .total)
  send POST /orders '{"user_id":999,"product":"Bagel","category":"Doce","quantity":2,"price":7.1}'
  expect 404 '{"error":"User not found"}'
  get '/orders?limit=1'
  [ "$(field .total)" = "$before" ]
}

@test "a name that the client gives is not taken" {
  send POST /orders '{"user_id":1,"user_name":"Evil","product":"Tea","category":"Doce","quantity":1,"price":1}'
  expect 201
  [ "$(field .order.user_name)" = "Ana Clara Gomes" ]
}

@test "every bad field of an order is named, whatever the user id is" {
  local id
  for id in '"x"' null 1.5 -1 '[]' true; do
    send POST /orders '{"user_id":'"$id"',"quantity":0}'
    expect 422
    [ "$(field '.fields | keys_unsorted | join(" ")')" = "user_id product category quantity price" ]
  done
  send POST /orders '{}'
  expect 422
  [ "$(field '.fields | keys_unsorted | join(" ")')" = "user_id product category quantity price" ]
  send POST /orders '{"user_id":1,"product":"Tea","category":"Doce","quantity":1,"price":1,"colour":"red"}'
  expect 422
  [ "$(field '.fields | keys_unsorted | join(" ")')" = colour ]
}

@test "what is no JSON is 400 with its place, another type 415, a long body 413" {
  local path
  for path in /users /orders; do
    send POST "$path" '{"a":'
    expect 400
    [[ $(field .message) == "line 1, column "* ]]
    request POST "$path" -H 'Content-Type: text/plain' -d '{}'
    expect 415
    head -c 2000000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/long"
    send POST "$path" "@$BATS_TEST_TMPDIR/long"
    expect 413
  done
}

@test "a connection goes on after a reply that came before the body was read" {
  local connection line
  exec {connection}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n' >&"$connection"
  printf '{}GET /users/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&"$connection"
  timeout 5 cat <&"$connection" >"$BATS_TEST_TMPDIR/both"
  exec {connection}>&-
  [ "$(grep -o 'HTTP/1.1 [0-9]*' "$BATS_TEST_TMPDIR/both" | tr '\n' ' ')" = "HTTP/1.1 415 HTTP/1.1 200 " ]
  grep -q 'Ana Clara Gomes' "$BATS_TEST_TMPDIR/both"
}

@test "a body that is too long for its reader closes the connection, and says so" {
  head -c 1100000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/long"
  send POST /orders "@$BATS_TEST_TMPDIR/long"
  expect 413
  [ "$(header connection)" = close ]
}

@test "a locked database is told with Retry-After, also where the reply is composed" {
  local holder held
  mkfifo "$BATS_TEST_TMPDIR/sql"
  sqlite3 "$RUN_DIR/orders.db" <"$BATS_TEST_TMPDIR/sql" >"$BATS_TEST_TMPDIR/held" 3>&- &
  holder=$!
  exec {held}>"$BATS_TEST_TMPDIR/sql"
  echo "BEGIN IMMEDIATE; SELECT 'held';" >&"$held"
  wait_until grep -q held "$BATS_TEST_TMPDIR/held"
  send POST /orders '{"user_id":2,"product":"Bagel","category":"Doce","quantity":2,"price":7.1}'
  exec {held}>&-
  wait "$holder"
  expect 503
  [ "$(header retry-after)" = 1 ]
  [ "$(field .message)" = "Others were writing for too long" ]
}

@test "a status goes forward only, and the reply names both" {
  send PATCH /orders/3 '{"status":"preparing"}'
  expect 409
  [[ $body == *ready* && $body == *preparing* ]]
  send PATCH /orders/3 '{"status":"delivered"}'
  expect 200
  [ "$(field .order.status)" = delivered ]
}

@test "a repeated POST with the same Idempotency-Key creates one and replies the same" {
  local first place order='{"user_id":4,"product":"Scone","category":"Doce","quantity":1,"price":3}'
  send POST /orders "$order" -H 'Idempotency-Key: scone-1'
  expect 201
  first=$body place=$(header location)
  send POST /orders "$order" -H 'Idempotency-Key: scone-1'
  expect 201 "$first"
  [ "$(header location)" = "$place" ]
  send POST /orders "${order/Scone/Muffin}" -H 'Idempotency-Key: scone-1'
  expect 422
}

@test "entity tags guard changes and save replies" {
  get /users/1
  local tag
  tag=$(header etag)
  get /users/1 -H "If-None-Match: $tag"
  expect 304 ''
  send PATCH /users/1 '{"loyalty_points":151}' -H "If-Match: $tag"
  expect 200
  send PATCH /users/1 '{"loyalty_points":152}' -H "If-Match: $tag"
  expect 412
}

@test "pages are followed by their Link through the gateway to the last one" {
  local path='/orders?limit=3' count=0 link
  while [[ $path ]]; do
    get "$path"
    expect 200
    count=$((count + $(field '.orders | length')))
    link=$(header link)
    path=$(sed -n 's/^<\(.*\)>; rel="next"$/\1/p' <<<"$link")
  done
  [ "$count" = "$(field .total)" ]
}

@test "the dashboard follows every change at once" {
  get /dashboard
  local revenue orders
  revenue=$(field .overview.total_revenue) orders=$(field .overview.total_orders)
  send POST /orders '{"user_id":6,"product":"Cake","category":"Sobremesa","quantity":3,"price":0.10}'
  expect 201
  local place
  place=$(header location)
  get /dashboard
  [ "$(field .overview.total_orders)" = $((orders + 1)) ]
  [ "$(field ".overview.total_revenue - $revenue | . * 100 | round")" = 30 ]
  request DELETE "$place"
  expect 204
  get /dashboard
  [ "$(field .overview.total_orders)" = "$orders" ]
}
