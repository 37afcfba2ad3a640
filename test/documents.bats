#!/usr/bin/env bats
# documents: every example of docs/configuration.md is one that works. Its JSON blocks show members;
# test/examples.bash says what is put around them.
load helpers
load examples

DOCUMENT=$ROOT/docs/configuration.md

# One file with all routes that the document shows.
write_all_routes() {
  local block
  {
    printf '{"upstreams":'
    jq .upstreams "$ROOT/fcgi-gateway/gateway.json"
    printf ',"routes":{"GET /health":"builtin:health"'
    for block in "$BATS_FILE_TMPDIR"/blocks/*.json; do
      [[ $(place_of "$block") != routes ]] || printf ',\n%s' "$(<"$block")"
    done
    printf '}}'
  } >"$BATS_FILE_TMPDIR/all-routes.json"
}

setup_file() {
  mkdir "$BATS_FILE_TMPDIR/blocks"
  json_blocks "$DOCUMENT" "$BATS_FILE_TMPDIR/blocks"
  write_all_routes
  GATEWAY_CONFIG=$BATS_FILE_TMPDIR/all-routes.json start_app
}
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

@test "every piece of configuration in the document is one without mistakes" {
  local block count=0
  for block in "$BATS_FILE_TMPDIR"/blocks/*.json; do
    whole_file "$block" >"$BATS_TEST_TMPDIR/whole.json"
    run -0 "$BUILD/fcgi-gateway" --check "$BATS_TEST_TMPDIR/whole.json" || { cat "$block" && echo "$output" && return 1; }
    count=$((count + 1))
  done
  ((count >= 10))
}

@test "every key stands in one of these pieces, at every place where it may stand" {
  local block
  for block in "$BATS_FILE_TMPDIR"/blocks/*.json; do
    whole_file "$block" >"$BATS_TEST_TMPDIR/${block##*/}"
  done
  /usr/bin/python3 "$ROOT/test/fixtures/schema.py" shown "$ROOT/docs/gateway.schema.json" "$BATS_TEST_TMPDIR"/*.json
}

@test "every call that the document shows gets what the document says" {
  run_examples "$DOCUMENT"
  ((example_count >= 10))
}

@test "the document has every key that the program knows, and no other" {
  local known documented
  known=$(jq -r '[.. | .properties? | objects | to_entries[] | select(.value != false) | .key] | unique[]' "$ROOT/docs/gateway.schema.json" | sort)
  documented=$(sed -n 's/^| `\([$a-z_]*\)` |.*/\1/p' "$DOCUMENT" | sort -u)
  diff <(echo "$known") <(echo "$documented")
}
