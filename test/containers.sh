#!/bin/bash
# containers: the contract's calls against the containers that `docker compose up --wait` has started.
#
#   test/containers.sh [URL]     http://localhost:8000
#
# Not part of `make test`, which needs no container engine; `make containers` runs it.
set -u
url=${1:-http://localhost:8000}
passed=0 failed=0

check() { # check NAME COMMAND...
  local output
  if output=$("${@:2}" 2>&1); then
    ((++passed))
    echo "  ok      $1"
  else
    ((++failed))
    echo "  FAILED  $1"
    head -c 1000 <<<"$output" | sed 's/^/          /'
  fi
}

# answers STATUS PATH TEXT...: with this status, and every text in its body.
answers() {
  local reply text
  reply=$(curl -sS --noproxy '*' --max-time 10 -w '\n%{http_code}' "$url$2") || return
  echo "$reply"
  [[ ${reply##*$'\n'} == "$1" ]] || return
  for text in "${@:3}"; do
    [[ $reply == *"$text"* ]] || { echo "not in it: $text" && return 1; }
  done
}

is_refused() {
  local status=0
  curl -sS --noproxy '*' --max-time 5 "http://localhost:$1/" || status=$?
  ((status == 7)) # curl: could not connect
}

check "the gateway describes itself" answers 200 / '"service":"Central Perk API Gateway ☕"'
check "users pass through" answers 200 /users '"service":"users-service","total":6'
check "one user" answers 200 /users/1 '"name":"Ana Clara Gomes"'
check "an unknown user" answers 404 /users/99 '{"error":"User not found"}'
check "users by drink" answers 200 /users/drink/latte '"name":"Paulo Rosado"'
check "orders pass through" answers 200 /orders '"service":"orders-service","total":10'
check "one order" answers 200 /orders/1 '"product":"Cappuccino Grande"'
check "orders of a user" answers 200 /orders/user/1 '"total":3'
check "orders by status" answers 200 /orders/status/ready '"total":3'
check "orders by category" answers 200 /orders/category/bebida-quente '"category":"Bebida Quente","total":6'
check "both services joined" answers 200 /users/1/orders \
  '"service":"api-gateway (orchestration)"' '"name":"Ana Clara Gomes"' '"total_orders":3'
check "the dashboard" answers 200 /dashboard '"total_revenue":145.0' '"average_order_value":14.5'
check "all are healthy" answers 200 /health '"overall_status":"healthy"'
check "the API describes itself" answers 200 /openapi.json '"openapi":"3.1.0"'
check "the page that shows it" answers 200 /docs/ '<!doctype html>'
check "its script" answers 200 /docs/docs.js '"use strict"'
check "an unknown path" answers 404 /nowhere '{"error":'
check "users-service is not published" is_refused 5001
check "orders-service is not published" is_refused 5002

echo "$passed passed, $failed failed"
((failed == 0))
