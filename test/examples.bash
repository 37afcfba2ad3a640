# shellcheck shell=bash
# shellcheck disable=SC2016,SC2154 # backquotes are Markdown's; `output` is bats's
# examples: what documents show: commands with what they print, and pieces of configuration.

# Runs the commands of a document's console blocks ("$ command" and what it prints) against this
# file's copy of the application, and fails where one prints something else. Sets `example_count`.
run_examples() {
  local line command='' expected=''
  example_count=0
  while IFS= read -r line; do
    if [[ $line == '$ '* ]]; then
      run_example || return
      command=${line#'$ '} expected=''
      command=${command//build\/fcgi-gateway/$BUILD/fcgi-gateway}
    else
      expected+=${expected:+$'\n'}$line
    fi
  done < <(sed -n '/^```console$/,/^```$/p' "$1" | grep -v '^```' | sed "s|http://localhost:8000|$URL|g")
  run_example
}

run_example() {
  [[ $command ]] || return 0
  run bash -c "cd '$ROOT' && BUILD='$BUILD' && $command" 3>&-
  example_count=$((example_count + 1))
  [[ $output == "$expected" ]] || {
    printf '$ %s\nexpected: %s\n     got: %s\n' "$command" "$expected" "$output"
    return 1
  }
}

# Writes every JSON block of a document to a file DIRECTORY/NUMBER.json, as it stands there.
json_blocks() {
  awk -v directory="$2" '
    /^```json$/ { file = sprintf("%s/%02d.json", directory, ++count); next }
    /^```$/     { file = "" }
    file        { print >file }' "$1"
}

# Where the members that a JSON block shows belong in a file: "file" (it is a whole one), "routes",
# "top" or "upstreams".
place_of() {
  local first
  read -r first <"$1"
  case $first in
  '{'*) echo file ;;
  '"GET'* | '"POST'* | '"PUT'* | '"PATCH'* | '"DELETE'*) echo routes ;;
  '"name"'* | '"errors"'* | '"limits"'* | '"defaults"'* | '"upstreams"'* | '"routes"'*) echo top ;;
  *) echo upstreams ;;
  esac
}

# Prints the whole file that a JSON block is a part of.
whole_file() {
  local services='"users":{"servers":["unix:run/users.sock"]},"orders":{"servers":["unix:run/orders.sock"]}'
  local routes='"GET /all-users":"users","GET /all-orders":"orders"'
  case $(place_of "$1") in
  file) cat "$1" ;;
  routes) printf '{"upstreams":{%s},"routes":{%s,\n%s}}' "$services" "$routes" "$(<"$1")" ;;
  top) printf '{"upstreams":{%s},"routes":{%s},\n%s}' "$services" "$routes" "$(<"$1")" ;;
  upstreams) printf '{"routes":{"GET /x":"%s"},"upstreams":{\n%s}}' "$(grep -oPm1 '^"\K\w+' "$1")" "$(<"$1")" ;;
  esac
}
