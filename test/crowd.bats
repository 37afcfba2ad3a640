#!/usr/bin/env bats
# crowd: two thousand callers at once of a service that takes a second are all served, in bounded
# memory, and nothing of it stays. `limits.concurrent` and the upstream's `max_concurrent` are the settings that
# this needs.
load helpers

readonly CLIENTS=2000 MEMORY_MAX_KB=150000

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<END
{
  "upstreams": { "odd": { "servers": ["\${ODD}"], "timeout": "30s", "max_concurrent": $CLIENTS } },
  "limits": { "concurrent": $CLIENTS },
  "routes": {
    "GET /composed": { "calls": { "a": "odd GET /slow?ms=1000" }, "reply": "{a}" },
    "GET /{any*}": "odd"
  }
}
END
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

of_gateway() { sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p" "/proc/$(responder_pid gateway)/status"; }
descriptors() { find "/proc/$(responder_pid gateway)/fd" -mindepth 1 | wc -l; }
is_quiet() { (($(of_gateway Threads) <= 4 && $(descriptors) <= 64)); }
is_small() { (($(of_gateway VmRSS) <= 32768)); }

# Sanitizers keep what is freed, and have a shadow of all memory.
is_plain() { ! grep -qE '__(asan|tsan)_init' "$BUILD/fcgi-gateway"; }

crowd() {
  "$BUILD/test/fixtures/load" "$CLIENTS" once "$URL$1" >"$BATS_TEST_TMPDIR/body"
  echo "$1: $(cat "$BATS_TEST_TMPDIR/body") peak $(of_gateway VmHWM) KiB"
  [ "$(field '.statuses | tostring')" = "{\"200\":$CLIENTS}" ]
}

@test "2,000 callers of a service that takes a second are all served, in at most 150 MB" {
  crowd '/slow?ms=1000'
  crowd /composed
  crowd '/slow?ms=1000'
  (($(of_gateway VmHWM) <= MEMORY_MAX_KB)) || run ! is_plain
}

@test "then their threads leave, their descriptors are closed and their memory is given back" {
  wait_until is_quiet || wait_until is_quiet || wait_until is_quiet # it is looked at every 5 s
  wait_until is_small || run ! is_plain
}
