#!/usr/bin/env bats
# routes: what a route says of its requests and replies: where they go, under which path, with which
# header fields and parameters, how long and how large. Behind the gateway stands misbehave.c.
load helpers

setup_file() {
  choose_place
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  start_misbehave
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": { "odd": { "servers": ["unix:${RUN_DIR}/misbehave.sock"], "timeout": "20s", "title": "Odd service" } },
  "routes": {
    "GET /silent": { "pass": "odd", "timeout": "200ms" }
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

## Limits of a route

@test "a route's timeout counts instead of the service's" {
  get /silent
  expect 504 '{"error":"Odd service timeout","message":"Service did not respond in 200 milliseconds"}'
}
