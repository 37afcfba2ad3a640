#!/usr/bin/env bats
# example: the service of docs/services.md, as a CGI program with a database of its own.

setup() {
  BUILD=$(cd -- "$BATS_TEST_DIRNAME/.." && realpath -m -- "${BUILD:-build}")
  MENU=$BUILD/examples/menu/menu
  export DATABASE_PATH=$BATS_TEST_TMPDIR/menu.db
}

# ask METHOD PATH [BODY [NAME=VALUE...]]: sets code, head and body.
ask() {
  local reply
  reply=$(printf %s "${3-}" | env REQUEST_METHOD="$1" REQUEST_URI="$2" CONTENT_TYPE=application/json \
    CONTENT_LENGTH="$(printf %s "${3-}" | wc -c)" "${@:4}" "$MENU" 2>"$BATS_TEST_TMPDIR/log" | tr -d '\r')
  cat "$BATS_TEST_TMPDIR/log"
  head=${reply%%$'\n\n'*} body=${reply#*$'\n\n'}
  [[ $body != "$reply" ]] || body=
  code=$(sed -n 's/^Status: \([0-9]*\).*/\1/p' <<<"$head")
}

expect() {
  [[ $code == "$1" && ($# -lt 2 || $body == "$2") ]] || { printf 'got %s with %s\n' "$code" "$body" && return 1; }
}

readonly TEA='{"name":"Tea","kind":"drink","price":4.5,"since":"2024-11-28"}'
readonly TEA_ITEM='{"id":1,"name":"Tea","kind":"drink","price":4.50,"available":true,"since":"2024-11-28"}'

@test "it is less than 100 lines" {
  (($(wc -l <"$BATS_TEST_DIRNAME/../examples/menu/menu.c") < 100))
}

@test "an item is created, found, listed" {
  ask POST /items "$TEA"
  expect 201 "{\"service\":\"menu-service\",\"item\":$TEA_ITEM}"
  [[ $head == *$'\nLocation: /items/1\n'* && $head == *$'\nETag: "1-1"\n'* ]]
  ask GET /items/1
  expect 200 "{\"service\":\"menu-service\",\"item\":$TEA_ITEM}"
  ask POST /items '{"name":"Cake","kind":"food","price":8}'
  expect 201
  ask GET '/items?kind=drink&available=true'
  expect 200 "{\"service\":\"menu-service\",\"total\":1,\"items\":[$TEA_ITEM]}"
  ask GET '/items?limit=1'
  [[ $head == *$'\nLink: </items?limit=1&after=1>; rel="next"'* ]]
  ask GET /health
  expect 200 '{"status":"healthy","service":"menu-service","port":5003,"total_items":2}'
}

@test "its columns say what is wrong" {
  ask POST /items '{"kind":"soup","price":0,"size":1}'
  expect 422 '{"error":"Validation failed","fields":{"name":"is required","kind":"must be drink or food","price":"must be from 0.01 to 1000.00","size":"is not known"}}'
  ask POST /items "$TEA"
  ask POST /items "${TEA/Tea/TEA}"
  expect 409 '{"error":"Name already in use","fields":{"name":"is already in use"}}'
  ask PATCH /items/1 '{"since":"2024-11-29"}'
  expect 422 '{"error":"Validation failed","fields":{"since":"cannot be changed"}}'
}

@test "its own rule holds for every change" {
  ask POST /items "$TEA"
  ask PATCH /items/1 '{"price":9.01}'
  expect 409 '{"error":"Invalid price change","message":"it would more than double"}'
  ask PUT /items/1 "${TEA/4.5/9.01}"
  expect 409
  ask PATCH /items/1 '{"price":9}'
  expect 200 "{\"service\":\"menu-service\",\"item\":${TEA_ITEM/4.50/9.00}}"
}

@test "it has versions and keys to repeat requests without a line of its own" {
  ask POST /items "$TEA" HTTP_IDEMPOTENCY_KEY=k1
  ask POST /items "$TEA" HTTP_IDEMPOTENCY_KEY=k1
  expect 201 "{\"service\":\"menu-service\",\"item\":$TEA_ITEM}"
  ask GET /items/1 '' 'HTTP_IF_NONE_MATCH="1-1"'
  expect 304 ''
  ask DELETE /items/1 '' 'HTTP_IF_MATCH="1-2"'
  expect 412
  ask DELETE /items/1 '' 'HTTP_IF_MATCH="1-1"'
  expect 204 ''
  ask GET /items/1
  expect 404 '{"error":"Item not found"}'
}
