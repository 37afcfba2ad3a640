# The README's examples print what the README says.

load helpers

setup_file() { start_app; }
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

# The console blocks of the README as one script per command: "$ command" lines and what follows.
# Calls go to this file's copy of the application.
examples() {
  sed -n '/^```console$/,/^```$/p' "$ROOT/README.md" | grep -v '^```' |
    sed "s|http://localhost:8000|$URL|g"
}

@test "every example of the README gives what stands under it" {
  local line command='' expected='' count=0
  check() {
    [[ $command ]] || return 0
    run bash -c "cd '$ROOT' && BUILD='$BUILD' && $command" 3>&-
    count=$((count + 1))
    [[ $output == "$expected" ]] || {
      printf '$ %s\nexpected: %s\n     got: %s\n' "$command" "$expected" "$output"
      return 1
    }
  }
  while IFS= read -r line; do
    if [[ $line == '$ '* ]]; then
      check
      command=${line#'$ '} expected=''
      command=${command//build\/fcgi-gateway/$BUILD/fcgi-gateway}
    else
      expected+=${expected:+$'\n'}$line
    fi
  done < <(examples)
  check
  [ "$count" -ge 10 ]
}

@test "the route that the README shows is the one of gateway.json" {
  diff <(jq -c '.routes["GET /users/{id:int}/orders"]' "$ROOT/fcgi-gateway/gateway.json") \
    <(sed -n '\|^"GET /users/{id:int}/orders"|,/^}/p' "$ROOT/README.md" | sed '1s/.*/{/' | jq -c .)
}
