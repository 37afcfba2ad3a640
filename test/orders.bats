#!/usr/bin/env bats
# orders: what the orders service promises to its callers, asked behind its own web server.
load helpers

setup_file() { start_app orders; }
teardown_file() {
  "$CONTROL" status | grep '^orders *up' || show_logs
  stop_app_as_it_is
}
teardown() { show_logs_of_failure; }

# orders PATH [CURL OPTION...]: a call to the service itself.
orders() { get_from orders "$@"; }
orders_head() { URL=http://orders request HEAD "$1" --unix-socket "$RUN_DIR/orders.sock"; }

# ORDER[n] is the order with id n, byte for byte as promised.
readonly ORDER=(
  'none'
  '{"id":1,"user_id":1,"user_name":"Ana Clara Gomes","product":"Cappuccino Grande","category":"Bebida Quente","quantity":2,"price":12.50,"status":"delivered","order_date":"2024-11-28 08:30","served_by":"Gunther"}'
  '{"id":2,"user_id":2,"user_name":"Gabriel Albuquerque","product":"Espresso Duplo","category":"Bebida Quente","quantity":1,"price":8.00,"status":"delivered","order_date":"2024-11-28 09:15","served_by":"Gunther"}'
  '{"id":3,"user_id":3,"user_name":"Paulo Rosado","product":"Latte com Caramelo","category":"Bebida Quente","quantity":1,"price":14.00,"status":"ready","order_date":"2024-11-29 10:00","served_by":"Gunther"}'
  '{"id":4,"user_id":1,"user_name":"Ana Clara Gomes","product":"Cheesecake de Frutas Vermelhas","category":"Sobremesa","quantity":1,"price":18.00,"status":"delivered","order_date":"2024-11-29 14:30","served_by":"Gunther"}'
  '{"id":5,"user_id":4,"user_name":"Gustavo Mourato","product":"Mocha com Chantilly","category":"Bebida Quente","quantity":1,"price":15.50,"status":"preparing","order_date":"2024-11-29 16:00","served_by":"Gunther"}'
  '{"id":6,"user_id":5,"user_name":"Vinícius de Andrade","product":"Americano","category":"Bebida Quente","quantity":1,"price":9.00,"status":"delivered","order_date":"2024-11-30 07:45","served_by":"Gunther"}'
  '{"id":7,"user_id":6,"user_name":"Luan Kato","product":"Macchiato","category":"Bebida Quente","quantity":1,"price":11.00,"status":"ready","order_date":"2024-11-30 08:20","served_by":"Gunther"}'
  '{"id":8,"user_id":2,"user_name":"Gabriel Albuquerque","product":"Croissant de Chocolate","category":"Doce","quantity":1,"price":8.50,"status":"delivered","order_date":"2024-11-30 09:00","served_by":"Gunther"}'
  '{"id":9,"user_id":3,"user_name":"Paulo Rosado","product":"Frappuccino de Morango","category":"Bebida Gelada","quantity":1,"price":16.00,"status":"delivered","order_date":"2024-11-30 11:10","served_by":"Gunther"}'
  '{"id":10,"user_id":1,"user_name":"Ana Clara Gomes","product":"Brownie com Sorvete","category":"Sobremesa","quantity":1,"price":20.00,"status":"ready","order_date":"2024-11-30 13:30","served_by":"Gunther"}'
)

# list 'MEMBERS,' ID...: a reply with these orders.
list() {
  local members=$1 total=$(($# - 1)) orders="" id
  shift
  for id in "$@"; do orders+=${orders:+,}${ORDER[id]}; done
  echo "{\"service\":\"orders-service\",$members\"total\":$total,\"orders\":[$orders]}"
}

@test "all orders come in the order of their ids, byte for byte as promised" {
  orders /orders
  expect 200 "$(list '' {1..10})"
  [ "$(header Content-Type)" = application/json ]
}

@test "an order is found by id" {
  local id
  for id in {1..10}; do
    orders "/orders/$id"
    expect 200 "{\"service\":\"orders-service\",\"order\":${ORDER[id]}}"
  done
}

@test "an id that no order has, however long, is 404" {
  for id in 0 11 999 9223372036854775807 9223372036854775808 18446744073709551617 99999999999999999999999; do
    orders "/orders/$id"
    expect 404 '{"error":"Order not found"}'
  done
}

@test "orders are found by user; a user that nobody knows has none" {
  orders /orders/user/1
  expect 200 "$(list '"user_id":1,' 1 4 10)"
  orders /orders/user/4
  expect 200 "$(list '"user_id":4,' 5)"
  for id in 0 99 9223372036854775807 9223372036854775808 123456789012345678901234567890; do
    orders "/orders/user/$id"
    expect 200 "$(list "\"user_id\":$id,")"
  done
}

@test "orders are found by status; it comes back as given, letter case is ignored" {
  for status in ready READY Ready; do
    orders "/orders/status/$status"
    expect 200 "$(list "\"status\":\"$status\"," 3 7 10)"
  done
  orders /orders/status/preparing
  expect 200 "$(list '"status":"preparing",' 5)"
  orders /orders/status/delivered
  expect 200 "$(list '"status":"delivered",' 1 2 4 6 8 9)"
  for status in cancelled eaten rea; do
    orders "/orders/status/$status"
    expect 200 "$(list "\"status\":\"$status\",")"
  done
  orders /orders/status/%22%20%C3%A9
  expect 200 "$(list '"status":"\" é",')"
}

@test "orders are found by category; a dash is a space, letter case is ignored, words come capitalised" {
  for category in bebida-quente Bebida-Quente BEBIDA-QUENTE bebida%20quente Bebida%20Quente; do
    orders "/orders/category/$category"
    expect 200 "$(list '"category":"Bebida Quente",' 1 2 3 5 6 7)"
  done
  orders /orders/category/bebida-gelada
  expect 200 "$(list '"category":"Bebida Gelada",' 9)"
  orders /orders/category/doce
  expect 200 "$(list '"category":"Doce",' 8)"
  orders /orders/category/SOBREMESA
  expect 200 "$(list '"category":"Sobremesa",' 4 10)"
  orders /orders/category/%C3%A1gua-sem-g%C3%81S
  expect 200 "$(list '"category":"Água Sem Gás",')"
}

@test "health tells how many orders there are" {
  orders /health
  expect 200 '{"status":"healthy","service":"orders-service","port":5002,"total_orders":10}'
}

@test "the summary has the figures of the dashboard" {
  orders /orders/summary
  expect 200 '{"service":"orders-service","total_orders":10,"total_revenue":145.00,"average_order_value":14.50,"by_status":{"delivered":6,"ready":3,"preparing":1},"by_category":{"Bebida Quente":6,"Sobremesa":2,"Doce":1,"Bebida Gelada":1},"most_active_user":{"name":"Ana Clara Gomes","total_orders":3}}'
}

@test "an unknown path is 404, as JSON" {
  for path in / /order /orders/ /orders/abc /orders/1.0 /orders/user /orders/user/ana /orders/status /orders/category /users; do
    orders "$path"
    expect 404 '{"error":"Not found"}'
  done
}

@test "a known path with a wrong method is 405 with Allow, as JSON" {
  for path in /orders/user/1 /orders/status/ready /orders/category/doce /orders/summary /health; do
    orders "$path" -X PUT
    expect 405
    [ "$(header Allow)" = "GET, HEAD" ]
    [ -n "$(field .error)" ]
  done
  orders /orders -X PUT
  expect 405
  [ "$(header Allow)" = "GET, HEAD, POST" ]
  orders /orders/1 -X PUT
  expect 405
  [ "$(header Allow)" = "GET, HEAD, PATCH, DELETE" ]
}

@test "HEAD is answered like GET" {
  orders_head /orders
  expect 200
  [ "$(header Content-Length)" = "$(list '' {1..10} | tr -d '\n' | wc -c)" ]
}

@test "many callers at once all get the same" {
  local i
  for i in {1..20}; do
    curl -s --unix-socket "$RUN_DIR/orders.sock" "http://orders/orders?[1-10]" 3>&- >"$BATS_TEST_TMPDIR/$i" &
  done
  wait
  for i in {1..20}; do
    [ "$(jq -sr 'map(.total) | add' "$BATS_TEST_TMPDIR/$i")" = 100 ]
  done
}

@test "without its file the service answers 503, the figures too, and goes on when it is back" {
  mv "$RUN_DIR/orders.db" "$RUN_DIR/away.db"
  for path in /orders /orders/1 /orders/summary /health; do
    orders "$path"
    expect 503
    [ "$(field .error)" = "Database unavailable" ]
  done
  mv "$RUN_DIR/away.db" "$RUN_DIR/orders.db"
  orders /orders/summary
  expect 200
  [ "$(field .total_orders)" = 10 ]
}
