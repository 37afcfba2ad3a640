#!/usr/bin/env bats
# contract: what callers of Central Perk are promised, row by row, through the application as it is
# shipped. Exact bodies are held with `jq -c`, which keeps the order of keys but not the digits of
# numbers; compose.bats holds those.
load helpers

setup_file() { start_app; }
teardown_file() { stop_app; }
teardown() {
  show_logs_of_failure
  recover
}

# Tests stop and halt services; the next one finds all of them well again.
recover() {
  local name
  for name in users orders; do
    kill -CONT "$(responder_pid "$name")" 2>/dev/null || true
    [[ -S $RUN_DIR/$name.sock ]] || start_service "$name"
  done
}

ANA='{"id":1,"name":"Ana Clara Gomes","email":"ana.gomes@centralperk.com","cpf":"123.456.789-01","member_since":"2023-06-10","favorite_drink":"Cappuccino","loyalty_points":150,"active":true}'
ORDER_1='{"id":1,"user_id":1,"user_name":"Ana Clara Gomes","product":"Cappuccino Grande","category":"Bebida Quente","quantity":2,"price":12.5,"status":"delivered","order_date":"2024-11-28 08:30","served_by":"Gunther"}'
ORDER_4='{"id":4,"user_id":1,"user_name":"Ana Clara Gomes","product":"Cheesecake de Frutas Vermelhas","category":"Sobremesa","quantity":1,"price":18,"status":"delivered","order_date":"2024-11-29 14:30","served_by":"Gunther"}'
ORDER_10='{"id":10,"user_id":1,"user_name":"Ana Clara Gomes","product":"Brownie com Sorvete","category":"Sobremesa","quantity":1,"price":20,"status":"ready","order_date":"2024-11-30 13:30","served_by":"Gunther"}'
DOWN_USERS='{"error":"Unable to orchestrate services","message":"Users service unavailable"}'

# Every GET that the gateway has, with arguments that exist.
GETS=(/ /users "/users?active=true" /users/1 /users/drink/latte /orders /orders/1 /orders/user/1
  /orders/status/ready /orders/category/bebida-quente /users/1/orders /dashboard /health)

# json STATUS JSON [FILTER]: the last reply had that status, was JSON and, through the filter, this.
json() {
  local found
  expect "$1" || return 1
  [[ $(header content-type) == application/json* ]] || { echo "not JSON: $headers" && return 1; }
  found=$(jq -c "${3:-.}" "$BATS_TEST_TMPDIR/body")
  [[ $found == "$2" ]] || { printf 'expected: %s\n     got: %s\n' "$2" "$found" && return 1; }
}

# is_error STATUS: a JSON object with a text in `error`.
is_error() { json "$1" '"string"' '.error|type'; }

## Users

@test "GET /users lists the six users by id" {
  get /users
  json 200 '["service","total","users"]' keys_unsorted
  json 200 '["users-service",6,[1,2,3,4,5,6]]' '[.service,.total,[.users[].id]]'
  json 200 "$ANA" '.users[0]'
}

@test "GET /users?active= filters, and its letter case does not matter" {
  local value
  for value in true TRUE True; do
    get "/users?active=$value"
    json 200 '["users-service",5,[1,2,3,4,6]]' '[.service,.total,[.users[].id]]'
  done
  for value in false FALSE fAlSe; do
    get "/users?active=$value"
    json 200 '[1,["Vinícius de Andrade"]]' '[.total,[.users[].name]]'
  done
}

@test "GET /users?active= with another value is 400 and names the parameter" {
  local value
  for value in maybe 1 '' yes; do
    get "/users?active=$value"
    is_error 400
    [[ $body == *active* ]]
  done
}

@test "GET /users/{id} gives one user" {
  get /users/1
  json 200 "{\"service\":\"users-service\",\"user\":$ANA}"
  get /users/5
  json 200 '{"id":5,"name":"Vinícius de Andrade","email":"vinicius.andrade@centralperk.com","cpf":"567.890.123-45","member_since":"2024-01-30","favorite_drink":"Americano","loyalty_points":65,"active":false}' .user
}

@test "GET /users/{id} of an unknown user is 404" {
  local id
  for id in 0 7 999 99999999999999999999999; do
    get "/users/$id"
    json 404 '{"error":"User not found"}'
  done
}

@test "GET /users/drink/{drink} ignores letter case and repeats the drink as it was given" {
  get /users/drink/lAtTe
  json 200 '["users-service","lAtTe",1,["Paulo Rosado"]]' '[.service,.drink,.total,[.users[].name]]'
  json 200 '["service","drink","total","users"]' keys_unsorted
  get /users/drink/Caf%C3%A9%20com%20leite
  json 200 '{"service":"users-service","drink":"Café com leite","total":0,"users":[]}'
}

## Orders

@test "GET /orders lists the ten orders by id" {
  get /orders
  json 200 '["service","total","orders"]' keys_unsorted
  json 200 '["orders-service",10,[1,2,3,4,5,6,7,8,9,10]]' '[.service,.total,[.orders[].id]]'
  json 200 "$ORDER_1" '.orders[0]'
}

@test "GET /orders/{id} gives one order, or 404" {
  get /orders/1
  json 200 "{\"service\":\"orders-service\",\"order\":$ORDER_1}"
  get /orders/11
  json 404 '{"error":"Order not found"}'
}

@test "GET /orders/user/{user_id} gives a user's orders, none for an unknown user" {
  get /orders/user/1
  json 200 "{\"service\":\"orders-service\",\"user_id\":1,\"total\":3,\"orders\":[$ORDER_1,$ORDER_4,$ORDER_10]}"
  get /orders/user/77
  json 200 '{"service":"orders-service","user_id":77,"total":0,"orders":[]}'
}

@test "GET /orders/status/{status} ignores letter case and repeats the status as it was given" {
  get /orders/status/ReAdY
  json 200 '["orders-service","ReAdY",3,[3,7,10]]' '[.service,.status,.total,[.orders[].id]]'
  get /orders/status/cancelled
  json 200 '{"service":"orders-service","status":"cancelled","total":0,"orders":[]}'
}

@test "GET /orders/category/{category} takes dashes for spaces and capitalises the words" {
  local category
  for category in bebida-quente BEBIDA-QUENTE Bebida%20Quente; do
    get "/orders/category/$category"
    json 200 '["orders-service","Bebida Quente",6,[1,2,3,5,6,7]]' '[.service,.category,.total,[.orders[].id]]'
  done
  get /orders/category/doce
  json 200 '["service","category","total","orders"]' keys_unsorted
  json 200 '["Doce",[8]]' '[.category,[.orders[].id]]'
}

## The gateway itself

@test "GET / describes the gateway" {
  get /
  json 200 '["service","version","description","barista","available_endpoints"]' keys_unsorted
  json 200 '["Central Perk API Gateway ☕","1.0.0","Centralized gateway for Central Perk microservices","Gunther"]' '[.service,.version,.description,.barista]'
  json 200 '["users","orders","combined","health"]' '.available_endpoints|keys_unsorted'
  json 200 true '.available_endpoints.users|contains(["GET /users/<id> - Get user by ID"])'
  json 200 true '[.available_endpoints[][]|test("^(GET|POST|PUT|PATCH|DELETE) /[^ ]* - .")]|all and length == 20'
}

@test "every endpoint that GET / tells of is there" {
  get /
  local path paths
  paths=$(field '.available_endpoints[][]' | sed -n 's/^GET \([^ ]*\) .*/\1/p' |
    sed 's/<id>/1/; s/<user_id>/1/; s/<drink>/latte/; s/<status>/ready/; s/<category>/doce/')
  [[ $(wc -l <<<"$paths") -eq 13 ]]
  for path in $paths; do
    get "$path"
    expect 200
  done
}

@test "GET /users/{id}/orders joins both services" {
  get /users/1/orders
  json 200 "{\"service\":\"api-gateway (orchestration)\",\"user\":$ANA,\"orders_summary\":{\"total_orders\":3,\"orders\":[$ORDER_1,$ORDER_4,$ORDER_10]}}"
}

@test "GET /users/{id}/orders of an unknown user is 404" {
  get /users/999/orders
  json 404 '{"error":"User not found"}'
}

@test "GET /dashboard gives the figures of both services" {
  get /dashboard
  json 200 '{"service":"api-gateway (dashboard orchestration)","overview":{"total_users":6,"total_orders":10,"total_revenue":145,"average_order_value":14.5},"orders_analysis":{"by_status":{"delivered":6,"ready":3,"preparing":1},"by_category":{"Bebida Quente":6,"Sobremesa":2,"Doce":1,"Bebida Gelada":1}},"most_active_user":{"name":"Ana Clara Gomes","total_orders":3}}'
}

@test "GET /health is 200 and healthy while all is well" {
  get /health
  json 200 "{\"overall_status\":\"healthy\",\"gateway\":{\"status\":\"healthy\",\"service\":\"api-gateway\",\"port\":$PORT},\"users_service\":{\"status\":\"healthy\",\"reachable\":true,\"data\":{\"status\":\"healthy\",\"service\":\"users-service\",\"port\":5001,\"total_users\":6}},\"orders_service\":{\"status\":\"healthy\",\"reachable\":true,\"data\":{\"status\":\"healthy\",\"service\":\"orders-service\",\"port\":5002,\"total_orders\":10}}}"
}

@test "HEAD gives what GET gives, without the body" {
  local path got type
  for path in "${GETS[@]}"; do
    get "$path"
    expect 200
    got=$(wc -c <"$BATS_TEST_TMPDIR/body")
    type=$(header content-type)
    request HEAD "$path"
    expect 200
    [[ $(header content-length) == "$got" ]] || { echo "$path: $headers, GET had $got" && return 1; }
    [[ $(header content-type) == "$type" ]]
    has_no_body "$path" || { echo "$path: HEAD had a body" && return 1; }
  done
}

# curl does not look behind the header section of a reply to HEAD; so the bytes themselves.
has_no_body() {
  raw "HEAD $1 HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n" >"$BATS_TEST_TMPDIR/head"
  [[ $(head -n 1 "$BATS_TEST_TMPDIR/head") == "HTTP/1.1 "* && $(tail -n 1 "$BATS_TEST_TMPDIR/head") == $'\r' ]]
}

## What is refused

@test "an id that is not digits is 404" {
  local path
  for path in /users/abc /users/1x /users/-1 /users/1.0 /users/%31a /orders/abc /orders/1x \
    /orders/user/ana /users/x/orders /users/ /orders/; do
    get "$path"
    is_error 404 || { echo "of $path" && return 1; }
  done
}

@test "an unknown path is 404 as JSON" {
  local path
  for path in /nothing /users/1/nothing /users/1/orders/2 /USERS /health/ /dashboard/x; do
    get "$path"
    is_error 404 || { echo "of $path" && return 1; }
  done
}

@test "a known path with a wrong method is 405 with Allow, as JSON" {
  local path method allow
  for path in "${GETS[@]}"; do
    request OPTIONS "$path" -d ""
    is_error 405 || { echo "of OPTIONS $path" && return 1; }
    allow=$(header allow)
    [[ $allow == "GET, HEAD"* ]]
    for method in POST PUT PATCH DELETE; do
      [[ $allow != *$method* ]] || continue
      request "$method" "$path" -d ""
      is_error 405 || { echo "of $method $path" && return 1; }
      [[ $(header allow) == "$allow" ]]
    done
  done
  request DELETE /dashboard
  [[ $(header allow) == "GET, HEAD" ]]
  request POST /users/1 -d ""
  [[ $(header allow) == "GET, HEAD, PUT, PATCH, DELETE" ]]
}

@test "a method that nobody knows is 501 as JSON" {
  request BREW /
  is_error 501
}

@test "a POST that does not say how long it is gets 411 from the web server, as JSON" {
  request POST /users
  is_error 411
}

@test "an unknown path with a wrong method is 404" {
  request DELETE /nothing
  is_error 404
}

@test "a path that is no valid one is 400 as JSON" {
  local path
  for path in /users/drink/%zz /users/drink/%4 /users/drink/%00 /users/drink/%ff /users/../orders; do
    get "$path"
    is_error 400 || { echo "of $path" && return 1; }
  done
}

@test "nothing of it listens on TCP but the gateway, and nobody else may enter its folder" {
  local pids ports
  pids=$(processes_of "$RUN_DIR" | cut -d' ' -f1)
  [[ $(wc -l <<<"$pids") -ge 6 ]]
  ports=$(for pid in $pids; do listening_ports "$pid"; done)
  [[ $ports == "$PORT" ]] || { echo "listening: $ports" && return 1; }
  [[ $(stat -c %a "$RUN_DIR") == 700 ]]
}

# The TCP ports on which a process listens.
listening_ports() {
  local inode port
  find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n' | while read -r inode; do
    port=$(awk -v inode="$inode" '$4 == "0A" && $10 == inode { sub(/.*:/, "", $2); print $2 }' \
      /proc/net/tcp /proc/net/tcp6)
    [[ ! $port ]] || echo $((0x$port))
  done
}

## When a service fails

# Asks again until the reply has that status, for at most the 3 s within which a service that came
# back is used again.
back_within_3s() {
  local end=$((${EPOCHREALTIME/./} + 3000000))
  until get "$1" && [[ $code == 200 ]]; do
    ((${EPOCHREALTIME/./} < end)) || { echo "$1 is still $code" && return 1; }
  done
}

@test "users-service down: its calls are 503, the joined ones say so, orders go on; then it is back" {
  stop_service users
  local path
  for path in /users /users/1 /users/drink/latte "/users?active=true"; do
    get "$path"
    json 503 '["error","message"]' keys_unsorted
    json 503 '["Users service unavailable","string"]' '[.error,(.message|type)]'
  done
  get /users/1/orders
  json 503 "$DOWN_USERS"
  get /dashboard
  json 503 '{"error":"Unable to generate dashboard","message":"Users service unavailable"}'
  for path in /orders /orders/1 /orders/user/1 /orders/status/ready /orders/category/doce /; do
    get "$path"
    expect 200
  done
  get /health
  json 503 '["overall_status","gateway","users_service","orders_service"]' keys_unsorted
  json 503 '["degraded",{"status":"unreachable","reachable":false},"healthy"]' '[.overall_status,.users_service,.orders_service.status]'
  start_service users
  back_within_3s /users/1
  back_within_3s /users/1/orders
  back_within_3s /health
}

@test "orders-service down: its calls are 503, the joined one has partial data, users go on" {
  stop_service orders
  local path
  for path in /orders /orders/1 /orders/user/1 /orders/status/ready /orders/category/doce; do
    get "$path"
    json 503 '["Orders service unavailable","string"]' '[.error,(.message|type)]'
  done
  get /users/1/orders
  json 503 "{\"error\":\"Unable to orchestrate services\",\"message\":\"Orders service unavailable\",\"partial_data\":{\"user\":$ANA}}"
  get /users/999/orders
  json 404 '{"error":"User not found"}'
  get /dashboard
  json 503 '{"error":"Unable to generate dashboard","message":"Orders service unavailable"}'
  for path in /users /users/1 /users/drink/latte /; do
    get "$path"
    expect 200
  done
  get /health
  json 503 '["degraded","healthy",{"status":"unreachable","reachable":false}]' '[.overall_status,.users_service.status,.orders_service]'
}

@test "both down: the users service is the one that is named, and HEAD has the status too" {
  stop_service users
  stop_service orders
  get /users/1/orders
  json 503 "$DOWN_USERS"
  get /dashboard
  json 503 '{"error":"Unable to generate dashboard","message":"Users service unavailable"}'
  get /health
  json 503 '["degraded",false,false]' '[.overall_status,.users_service.reachable,.orders_service.reachable]'
  request HEAD /users
  expect 503
  has_no_body /users
  start_service users
  start_service orders
  back_within_3s /users/1/orders
  back_within_3s /dashboard
  back_within_3s /health
}

@test "orders-service slower than its timeout: 503 after 5 s, health 503 after 2 s" {
  local stopped start took
  stopped=$(responder_pid orders)
  kill -STOP "$stopped"
  start=${EPOCHREALTIME/./}
  get /health
  took=$((${EPOCHREALTIME/./} - start))
  get /orders/1
  kill -CONT "$stopped"
  json 503 '{"error":"Orders service timeout","message":"Service did not respond in 5 seconds"}'
  ((took >= 1900000 && took < 4500000)) || { echo "/health took $took us" && return 1; }
  back_within_3s /orders/1
}

@test "orders-service slower than its timeout: the joined replies say timeout" {
  local stopped
  stopped=$(responder_pid orders)
  kill -STOP "$stopped"
  get /users/1/orders
  kill -CONT "$stopped"
  json 503 "{\"error\":\"Unable to orchestrate services\",\"message\":\"Orders service timeout\",\"partial_data\":{\"user\":$ANA}}"
  back_within_3s /users/1/orders
}

@test "a service whose health is not 200 is unhealthy, with its status" {
  local own_run=$RUN_DIR own_port=$PORT own_url=$URL
  RUN_DIR=$BATS_FILE_TMPDIR/sick PORT=$(free_port)
  URL=http://127.0.0.1:$PORT
  spawn sick "$BUILD/test/fixtures/misbehave" "unix:$RUN_DIR/sick.sock" 500
  wait_until test -S "$RUN_DIR/sick.sock"
  USERS_SERVICE_URL=unix:$own_run/users.sock ORDERS_SERVICE_URL=unix:$RUN_DIR/sick.sock start_app gateway
  get /health
  stop_service gateway
  kill_spawned
  RUN_DIR=$own_run PORT=$own_port URL=$own_url
  json 503 '["degraded","healthy",{"status":"unhealthy","reachable":true,"http_code":500}]' '[.overall_status,.users_service.status,.orders_service]'
}
