#!/usr/bin/env bats
# freight: the route table of a freight company's gateway, as other gateways' documentation has them:
# prefixes that are taken away, a timeout for each route, keys for the services, old paths that have
# moved, and errors in a shape of its own. Its services are test/fixtures/misbehave.c.
load helpers

setup_file() {
  choose_place
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json CARRIERS_KEY=s3cret
  start_misbehave
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "name": "freight-gateway",
  "upstreams": {
    "quotes":    { "servers": ["unix:${RUN_DIR}/misbehave.sock"], "title": "Quote service" },
    "shipments": { "servers": ["unix:${RUN_DIR}/misbehave.sock"], "title": "Shipment service" },
    "tracking":  { "servers": ["unix:${RUN_DIR}/misbehave.sock"], "title": "Tracking service" },
    "carriers":  { "servers": ["unix:${RUN_DIR}/nobody.sock"], "title": "Carrier service" }
  },
  "errors": {
    "unreachable": 503,
    "body": { "success": false, "error": "{error.title}", "message": "{error.message}" }
  },
  "defaults": {
    "timeout": "5s",
    "headers": { "X-Content-Type-Options": "nosniff", "Server": null },
    "request": { "headers": { "X-Forwarded-Prefix": "/api/v1" } }
  },
  "routes": {
    "GET,POST /api/v1/quotes/{rest*}":                  { "pass": "quotes /echo/quotes/{rest}", "limits": { "body": "1KiB" } },
    "GET /api/v1/quotes/compare":                       { "pass": "quotes /silent", "timeout": "200ms" },
    "GET,POST,PUT,DELETE /api/v1/shipments/{rest*}":    { "pass": "shipments /echo/{rest}?tenant=freight" },
    "GET /api/v1/shipments/{id:int}/label":             { "pass": "shipments /echo/labels/{id}", "headers": { "Cache-Control": "private" } },
    "GET /api/v1/tracking/{number}":                    { "pass": "tracking /slow/{number}?ms=300" },
    "GET /api/v1/tracking/{number}/live":               { "pass": "tracking /stream?parts=3&ms=100", "timeout": "1s" },
    "GET /api/v1/carriers/{rest*}": {
      "pass": "carriers /{rest}",
      "request": { "headers": { "Authorization": "Bearer ${CARRIERS_KEY}" } }
    },
    "GET /quotes/{rest*}": { "redirect": "/api/v1/quotes/{rest}", "status": 308 },
    "GET /health":         { "reply": { "success": true } }
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# expect_target METHOD PATH TARGET: what the service got.
expect_target() {
  request "$1" "$2" "${@:4}"
  expect 200
  [[ $(field '.method + " " + .target') == "$1 $3" ]] || { echo "$2 became $(field .target)" && return 1; }
}

@test "the prefix is taken away, whatever is behind it" {
  expect_target GET /api/v1/quotes /echo/quotes
  expect_target GET '/api/v1/quotes/17/lines?from=BR%2FSP&to=PT' '/echo/quotes/17/lines?from=BR%2FSP&to=PT'
  expect_target POST /api/v1/quotes/ /echo/quotes/ -d '{"weight":12.50}'
  [[ $(field .body) == '{"weight":12.50}' ]]
  expect_target DELETE /api/v1/shipments/4 '/echo/4?tenant=freight'
  expect_target GET '/api/v1/shipments?page=2&tenant=other' '/echo?tenant=freight&page=2'
  expect_target GET /api/v1/shipments/4/label /echo/labels/4
  [[ $(header cache-control) == private && $(header x-content-type-options) == nosniff ]]
  [[ $(field '.headers[]|select(.[0]=="X-Forwarded-Prefix")|.[1]') == /api/v1 ]]
}

@test "every route has its own patience" {
  get /api/v1/quotes/compare
  expect 504 '{"success":false,"error":"Quote service timeout","message":"Service did not respond in 200 milliseconds"}'
  get /api/v1/tracking/AB-17
  expect 200 '{"ok":true}'
  get /api/v1/tracking/AB-17/live
  expect 200 $'part\npart\npart'
}

@test "every error has the company's shape" {
  get /api/v1/carriers/dhl
  expect 503 '{"success":false,"error":"Carrier service unavailable","message":"Socket not found"}'
  get /api/v1/invoices
  expect 404
  [[ $(field .success) == false && $(field '.error|type') == string ]]
  request PATCH /api/v1/quotes/1 -d x
  expect 405
  [[ $(field .success) == false && $(header allow) == "GET, HEAD, POST" ]]
  head -c 1025 /dev/zero >"$BATS_TEST_TMPDIR/sent"
  request POST /api/v1/quotes --data-binary "@$BATS_TEST_TMPDIR/sent"
  expect 413
  [[ $(field .success) == false && $(header content-type) == application/json ]]
}

@test "paths of before the version lead to those of today" {
  get '/quotes/17?from=BR%2FSP'
  expect 308 ""
  [[ $(header location) == '/api/v1/quotes/17?from=BR%2FSP' ]]
  get /quotes/17 -L
  expect 200
  [[ $(field .target) == /echo/quotes/17 ]]
}
