# The README's examples print what the README says.

load helpers
load examples

setup_file() { start_app; }
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

@test "every example of the README gives what stands under it" {
  run_examples "$ROOT/README.md"
  ((example_count >= 10))
}

@test "the route that the README shows is the one of gateway.json" {
  diff <(jq -c '.routes["GET /users/{id:int}/orders"]' "$ROOT/fcgi-gateway/gateway.json") \
    <(sed -n '\|^"GET /users/{id:int}/orders"|,/^}/p' "$ROOT/README.md" | sed '1s/.*/{/' | jq -c .)
}
