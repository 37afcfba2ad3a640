#!/usr/bin/env bats
# lists: filters, pages and their links, of both services behind their web servers.
load helpers

setup_file() { start_app users orders; }
teardown_file() {
  "$CONTROL" status | grep -c '^\(users\|orders\) *up' | grep -q 2 || show_logs
  stop_app_as_it_is
}
teardown() { show_logs_of_failure; }

users() { get_from users "$@"; }
orders() { get_from orders "$@"; }

# ids LIST: those of the last reply, "1 2 3".
ids() { field "[.$1[].id] | map(tostring) | join(\" \")"; }

bad_query() { expect 400 "{\"error\":\"Invalid query parameter\",\"message\":\"$1\"}"; }

@test "a page has limit rows behind after, in the order of ids; total is of all" {
  users '/users?limit=2'
  expect 200
  [ "$(ids users) of $(field .total)" = '1 2 of 6' ]
  users '/users?limit=2&after=2'
  [ "$(ids users) of $(field .total)" = '3 4 of 6' ]
  users '/users?after=4'
  [ "$(ids users) of $(field .total)" = '5 6 of 6' ]
  users '/users?after=9223372036854775807'
  expect 200 '{"service":"users-service","total":6,"users":[]}'
}

@test "next is linked as long as there is more, with the other parameters as they were" {
  users '/users?active=true&limit=2'
  [ "$(header Link)" = '</users?active=true&limit=2&after=2>; rel="next"' ]
  users '/users?limit=4&after=2&x=%20%3E'
  expect 200
  [ -z "$(header Link)" ]
  users '/users?limit=3&after=2&x=%20%3E'
  [ "$(header Link)" = '</users?limit=3&x=%20%3E&after=5>; rel="next"' ]
  users '/users?limit=6'
  [ -z "$(header Link)" ]
}

@test "who follows the links has seen every row once" {
  local path='/orders?limit=3' seen='' pages=0
  while [[ $path ]]; do
    orders "$path"
    expect 200
    [ "$(field .total)" = 10 ]
    seen+="$(ids orders) "
    path=$(header Link | sed 's/^<\(.*\)>; rel="next"$/\1/')
    ((++pages))
  done
  [ "$seen" = '1 2 3 4 5 6 7 8 9 10 ' ]
  [ "$pages" = 4 ]
}

@test "the lists of a user, status, category or drink have pages as well" {
  orders '/orders/status/READY?limit=2'
  expect 200
  [ "$(field .status) $(ids orders) of $(field .total)" = 'READY 3 7 of 3' ]
  [ "$(header Link)" = '</orders/status/READY?limit=2&after=7>; rel="next"' ]
  orders '/orders/user/1?limit=1&after=1'
  [ "$(ids orders) of $(field .total)" = '4 of 3' ]
  orders '/orders/category/bebida-quente?limit=2&after=3'
  [ "$(ids orders) of $(field .total)" = '5 6 of 6' ]
  users '/users/drink/latte?limit=1'
  [ "$(ids users) of $(field .total)" = '3 of 1' ]
  [ -z "$(header Link)" ]
}

@test "filters are combined" {
  orders '/orders?user_id=1&status=ready&category=sobremesa'
  [ "$(ids orders) of $(field .total)" = '10 of 1' ]
  orders '/orders?user_id=1&status=ready&category=doce'
  expect 200 '{"service":"orders-service","total":0,"orders":[]}'
  orders '/orders?status=Delivered&category=BEBIDA-quente&limit=2'
  [ "$(ids orders) of $(field .total)" = '1 2 of 3' ]
  orders '/orders?category=Bebida+Quente&user_id=2'
  [ "$(ids orders) of $(field .total)" = '2 of 1' ]
  orders '/orders?status=ready'
  [ "$(ids orders) of $(field .total)" = '3 7 10 of 3' ]
  orders '/orders?user_id=1'
  [ "$(ids orders) of $(field .total)" = '1 4 10 of 3' ]
  orders '/orders/user/1?status=delivered'
  [ "$(ids orders) of $(field .total)" = '1 4 of 2' ]
  users '/users?active=true&drink=LATTE'
  [ "$(ids users) of $(field .total)" = '3 of 1' ]
  users '/users?active=false&drink=latte'
  [ "$(ids users) of $(field .total)" = ' of 0' ]
}

@test "a value that nothing can have gives an empty list" {
  for query in status=eaten category=none user_id=0 user_id=99 'status=%22%27--' ; do
    orders "/orders?$query"
    expect 200 '{"service":"orders-service","total":0,"orders":[]}'
  done
}

@test "a parameter that makes no sense is a 400 that names it" {
  for limit in 0 1001 -1 x '' 1.5 99999999999999999999 %ff; do
    users "/users?limit=$limit"
    bad_query 'limit must be a whole number from 1 to 1000'
    orders "/orders/status/ready?limit=$limit"
    bad_query 'limit must be a whole number from 1 to 1000'
  done
  for after in -1 x '' 9223372036854775808; do
    orders "/orders?after=$after"
    bad_query 'after must be the id behind which the list begins'
  done
  for user in x -1 '' 1.0 9223372036854775808; do
    orders "/orders?user_id=$user"
    bad_query 'user_id must be a whole number'
  done
  orders '/orders?status=%ff'
  bad_query 'status is not percent-encoded properly'
  orders '/orders?what=%ff&is=this'
  expect 200
}

@test "HEAD has the link too" {
  URL=http://orders request HEAD '/orders?limit=9' --unix-socket "$RUN_DIR/orders.sock"
  expect 200
  [ "$(header Link)" = '</orders?limit=9&after=9>; rel="next"' ]
}

@test "without a limit a page has 100 rows, and 1000 at most" {
  local i
  for ((i = 1; i <= 1100; i++)); do
    echo "INSERT INTO orders (user_id, user_name, product, category, quantity, price, status, order_date, served_by)
      VALUES (7, 'Joey', 'Pizza', 'Doce', 1, 100, 'ready', '2024-11-28 08:30', 'Gunther');"
  done >"$BATS_TEST_TMPDIR/sql"
  { echo 'BEGIN;' && cat "$BATS_TEST_TMPDIR/sql" && echo 'COMMIT;'; } | sqlite3 "$RUN_DIR/orders.db"
  orders '/orders?user_id=7'
  [ "$(field '.orders | length') of $(field .total)" = '100 of 1100' ]
  [ "$(header Link)" = '</orders?user_id=7&after=110>; rel="next"' ]
  orders '/orders/user/7?limit=1000'
  [ "$(field '.orders | length') of $(field .total)" = '1000 of 1100' ]
  orders /orders
  [ "$(field '.orders | length') of $(field .total)" = '100 of 1110' ]
}
