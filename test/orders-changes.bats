#!/usr/bin/env bats
# orders-changes: creating, changing and deleting orders, asked of the service behind its web server.
load helpers

setup_file() { start_app orders; }
teardown_file() {
  "$CONTROL" status | grep '^orders *up' || show_logs
  stop_app_as_it_is
}
teardown() { show_logs_of_failure; }

orders() { get_from orders "$@"; }

# change METHOD PATH BODY [CURL OPTION...]
change() {
  URL=http://orders request "$1" "$2" --unix-socket "$RUN_DIR/orders.sock" \
    -H 'Content-Type: application/json' --data-binary "$3" "${@:4}"
}
delete() { URL=http://orders request DELETE "$1" --unix-socket "$RUN_DIR/orders.sock" "${@:2}"; }

readonly LATTE='"user_id":3,"user_name":"Paulo Rosado","product":"Latte","category":"Bebida Quente","quantity":2,"price":14'

# Creates an order with other values of LATTE's members, or more members; `id` is its.
create() {
  change POST /orders "$(jq -c ". + {${1:-}}" <<<"{$LATTE}")"
  expect 201
  id=$(field .order.id)
}
invalid() { expect 422 "{\"error\":\"Validation failed\",\"fields\":{$1}}"; }

@test "an order is created, with what the service fills in" {
  local before after
  before=$(date -u '+%F %H:%M')
  change POST /orders "{$LATTE}"
  after=$(date -u '+%F %H:%M')
  expect 201
  id=$(field .order.id)
  [[ $(field .order.order_date) == "$before" || $(field .order.order_date) == "$after" ]]
  expect 201 "{\"service\":\"orders-service\",\"order\":{\"id\":$id,\"user_id\":3,\"user_name\":\"Paulo Rosado\",\"product\":\"Latte\",\"category\":\"Bebida Quente\",\"quantity\":2,\"price\":14.00,\"status\":\"preparing\",\"order_date\":\"$(field .order.order_date)\",\"served_by\":\"Gunther\"}}"
  [ "$(header Location)" = "/orders/$id" ]
  [ "$(header ETag)" = "\"$id-1\"" ]
  local created=$body
  orders "/orders/$id"
  expect 200 "$created"
}

@test "money keeps every cent, however it is written" {
  local pair
  for pair in 0:0.00 0.1:0.10 0.2:0.20 0.29:0.29 12.5:12.50 12.50:12.50 12.500000000000000000000:12.50 \
    1250e-2:12.50 0.125e2:12.50 1E3:1000.00 99999.99:99999.99 100000:100000.00 100000.00:100000.00; do
    change POST /orders "{${LATTE/\"price\":14/\"price\":${pair%:*}}}"
    expect 201
    [[ $body == *"\"price\":${pair#*:},"* ]]
  done
  for price in -0.01 100000.01 1e400 99999999999999999999999; do
    change POST /orders "{${LATTE/\"price\":14/\"price\":$price}}"
    invalid '"price":"must be from 0.00 to 100000.00"'
  done
  for price in 0.001 12.505 1e-3 '"12.50"' null true '[]'; do
    change POST /orders "{${LATTE/\"price\":14/\"price\":$price}}"
    invalid '"price":"must be a number with at most 2 decimals"'
  done
}

@test "0.10 and 0.20 make 0.30" {
  orders /orders/summary
  local before
  before=$(field .total_revenue)
  create '"quantity":1,"price":0.1'
  create '"quantity":1,"price":0.2'
  orders /orders/summary
  [ "$(field "(.total_revenue - $before) * 100 | round")" = 30 ]
  [[ $body =~ \"total_revenue\":[0-9]+\.[0-9][0-9], ]]
}

@test "quantity, category and status are of those that there are" {
  for quantity in 0 1001 -1 1e9; do
    change POST /orders "{${LATTE/\"quantity\":2/\"quantity\":$quantity}}"
    invalid '"quantity":"must be from 1 to 1000"'
  done
  for quantity in 1.5 '"1"' null; do
    change POST /orders "{${LATTE/\"quantity\":2/\"quantity\":$quantity}}"
    invalid '"quantity":"must be a whole number"'
  done
  create '"quantity":1000'
  change POST /orders "{${LATTE/Bebida Quente/bebida-quente}}"
  invalid '"category":"must be Bebida Quente, Bebida Gelada, Doce or Sobremesa"'
  change POST /orders "{$LATTE,\"status\":\"READY\"}"
  invalid '"status":"must be preparing, ready, delivered or cancelled"'
  change POST /orders "{$LATTE,\"order_date\":\"2024-11-28\"}"
  invalid '"order_date":"must be a time such as 2024-11-28 08:30"'
}

@test "all that is wrong is told at once; without a good user_id nobody asks for the user_name" {
  change POST /orders '{"sugar":2}'
  invalid '"user_id":"is required","product":"is required","category":"is required","quantity":"is required","price":"is required","sugar":"is not known"'
  change POST /orders '{"user_id":"x","product":"Latte","category":"Doce","quantity":1,"price":1}'
  invalid '"user_id":"must be a whole number"'
  change POST /orders '{"user_id":1,"product":"Latte","category":"Doce","quantity":1,"price":1}'
  invalid '"user_name":"is required"'
}

@test "the status goes its way and no other" {
  local -A to=([preparing]="ready cancelled" [ready]="delivered cancelled" [delivered]="" [cancelled]="")
  local from next
  for from in preparing ready delivered cancelled; do
    for next in preparing ready delivered cancelled; do
      create "\"status\":\"$from\""
      change PATCH "/orders/$id" "{\"status\":\"$next\"}"
      if [[ " $from ${to[$from]} " == *" $next "* ]]; then
        expect 200
        [ "$(field .order.status)" = "$next" ]
      else
        expect 409 "{\"error\":\"Invalid status change\",\"message\":\"an order that is '$from' cannot become '$next'\"}"
        orders "/orders/$id"
        [ "$(field .order.status)" = "$from" ]
      fi
    done
  done
}

@test "what is wrong in one member keeps all others from being changed" {
  create '"status":"ready"'
  change PATCH "/orders/$id" '{"quantity":5,"status":"preparing"}'
  expect 409
  change PATCH "/orders/$id" '{"quantity":5,"price":-1}'
  expect 422
  orders "/orders/$id"
  [ "$(field .order.quantity)" = 2 ]
  [ "$(header ETag)" = "\"$id-1\"" ]
}

@test "an order stays with its user" {
  create
  change PATCH "/orders/$id" '{"user_id":1,"user_name":"Ana Clara Gomes"}'
  invalid '"user_id":"cannot be changed","user_name":"cannot be changed"'
  change PATCH "/orders/$id" '{"user_id":3,"user_name":"Paulo Rosado","quantity":3}'
  expect 200
  change PATCH "/orders/$id" '{"user_id":null}'
  invalid '"user_id":"cannot be removed"'
}

@test "null in a patch gives what an order has by itself" {
  create '"served_by":"Rachel"'
  change PATCH "/orders/$id" '{"served_by":null}'
  expect 200
  [ "$(field .order.served_by)" = Gunther ]
}

@test "a deleted order is gone, and so are its figures" {
  orders /orders/summary
  local before=$body
  create
  delete "/orders/$id" -H "If-Match: \"$id-2\""
  expect 412
  delete "/orders/$id" -H "If-Match: \"$id-1\""
  expect 204 ''
  orders "/orders/$id"
  expect 404 '{"error":"Order not found"}'
  delete "/orders/$id"
  expect 404 '{"error":"Order not found"}'
  orders /orders/summary
  expect 200 "$before"
}

@test "an Idempotency-Key gives the first reply again, also if the user got another name meanwhile" {
  change POST /orders "{$LATTE}" -H 'Idempotency-Key: a'
  expect 201
  local first=$body
  change POST /orders "{${LATTE/Paulo/Paula}}" -H 'Idempotency-Key: a'
  expect 201 "$first"
  change POST /orders "{${LATTE/14/15}}" -H 'Idempotency-Key: a'
  expect 422
}

@test "a file that can only be read gives 503 to changes, and goes on when that is mended" {
  local home=$BATS_TEST_TMPDIR/home
  mkdir "$home" && cp "$BUILD/fcgi-orders" "$home"
  chmod 777 "$home" && chmod a+x "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
  post_as_nobody | grep '^Status: 201'
  chmod 444 "$home/orders.db"
  post_as_nobody | tee "$home/reply" | grep '^Status: 503'
  grep '{"error":"Database unavailable","message":"The database is read-only"}' "$home/reply"
  chmod 600 "$home/orders.db"
  post_as_nobody | grep '^Status: 201'
}

# The service as a CGI program of somebody to whom modes of files mean something.
post_as_nobody() {
  local as=()
  ((EUID)) || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  printf '{%s}' "$LATTE" | "${as[@]}" env DATABASE_PATH="$home/orders.db" REQUEST_METHOD=POST REQUEST_URI=/orders \
    CONTENT_TYPE=application/json CONTENT_LENGTH=$((${#LATTE} + 2)) "$home/fcgi-orders"
}

@test "DATABASE_SYNCHRONOUS is full or normal" {
  local call=(env DATABASE_PATH="$BATS_TEST_TMPDIR/mine.db" REQUEST_METHOD=GET REQUEST_URI=/health)
  "${call[@]}" DATABASE_SYNCHRONOUS=normal "$BUILD/fcgi-orders" | grep '"total_orders":10'
  "${call[@]}" DATABASE_SYNCHRONOUS=FULL "$BUILD/fcgi-orders" | grep '"total_orders":10'
  run -1 "${call[@]}" DATABASE_SYNCHRONOUS=off "$BUILD/fcgi-orders"
  [[ $output == *"DATABASE_SYNCHRONOUS is off: it must be full or normal" ]]
}
