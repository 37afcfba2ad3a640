#!/usr/bin/env bats
# schema: docs/gateway.schema.json, for editors, says what the program says of a file's keys.
load helpers

setup() {
  SCHEMA=$ROOT/docs/gateway.schema.json
  GATEWAY=$BUILD/fcgi-gateway
}

schema() { /usr/bin/python3 "$ROOT/test/fixtures/schema.py" "$@"; }

# One of the JSON files of the tests and of the project with routes in it, a line each.
good_files() { find "$ROOT/fcgi-gateway/gateway.json" "$ROOT/examples" "$ROOT"/test/good -name '*.json' -exec grep -l '"routes"' {} +; }

@test "the schema is a valid one and accepts every good file that the program accepts" {
  local files
  mapfile -t files < <(good_files)
  ((${#files[@]} >= 2))
  for file in "${files[@]}"; do
    run -0 "$GATEWAY" --check "$file"
  done
  schema accepts "$SCHEMA" "${files[@]}"
}

@test "the program and the schema know the same keys, at every place" {
  schema drift "$SCHEMA" "$GATEWAY" "$ROOT/test/good/everything.json"
}

@test "the schema refuses files with unknown or missing keys, wrong types and units" {
  local files
  mapfile -t files < <(cd "$ROOT/test/broken" && grep -lE "unknown key|is missing here|: expected .*, not |has a unit|is no (whole number|server|origin|duration)|does not go with|a port is a number|a call is \"|a call.s method is|a redirect goes to" -- *.txt)
  ((${#files[@]} > 40))
  cd "$ROOT/test/broken"
  schema refuses "$SCHEMA" "${files[@]/%.txt/.json}"
}

@test "what an editor adds, \$schema, is allowed and ignored" {
  printf '{"$schema":"https://example.org/x.json","routes":{}}' >"$BATS_TEST_TMPDIR/x.json"
  run -0 "$GATEWAY" --check "$BATS_TEST_TMPDIR/x.json"
  printf '{"$schema":1,"routes":{}}' >"$BATS_TEST_TMPDIR/x.json"
  run -1 "$GATEWAY" --check "$BATS_TEST_TMPDIR/x.json"
  [[ $output == *:1:12:\ expected\ string,\ not\ number ]]
}
