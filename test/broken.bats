#!/usr/bin/env bats
# broken: a corpus of broken files, test/broken/NAME.json. Beside each stands NAME.txt: the lines
# "LINE:COLUMN: what is wrong" that --check has to say of it, no more and no less. A start says the
# same and serves nothing, whoever starts the program.
load helpers

setup() {
  GATEWAY=$BUILD/fcgi-gateway
  BROKEN=$ROOT/test/broken
  unset BROKEN_TEST_UNSET
}

# Says which files' lines are others than they should be: same_lines COMMAND [ARGUMENT...], which is
# called with the file behind, and has to fail with status 1 and the lines on stderr.
same_lines() {
  local file status failed=0 said=$BATS_TEST_TMPDIR/said out=$BATS_TEST_TMPDIR/out
  for file in "$BROKEN"/*.json; do
    status=0
    "$@" "$file" >"$out" 2>"$said" || status=$?
    if ((status != 1)) || [[ -s $out ]] || ! diff <(sed "s|^|$file:|" "${file%.json}.txt") "$said"; then
      echo "^ ${file##*/}: status $status, $(wc -c <"$out") bytes of output"
      failed=1
    fi
  done
  return "$failed"
}

@test "every broken file has its lines, and there are enough of both" {
  diff <(cd "$BROKEN" && find . -name '*.json' | sed 's/json$/txt/' | sort) <(cd "$BROKEN" && find . -name '*.txt' | sort)
  (($(find "$BROKEN" -name '*.json' | wc -l) >= 130))
  [[ ! $(find "$BROKEN" -size 0 ! -name json-empty.json) ]]
  run ! grep -vE '^[0-9]+:[0-9]+: .' "$BROKEN"/*.txt
}

@test "--check says every mistake of every broken file, at its place, and nothing else" {
  same_lines "$GATEWAY" --check
}

@test "a start says the same of every broken file, and serves nothing: as plain CGI" {
  as_cgi() { GATEWAY_CONFIG=$1 GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/ "$GATEWAY"; }
  same_lines as_cgi
}

@test "a start says the same of every broken file: with the file as its argument" {
  same_lines "$GATEWAY"
}

@test "a start behind the web server fails with the same lines, and leaves nothing" {
  local name
  choose_place
  for name in several circle-two json-cut-off; do
    GATEWAY_CONFIG=$BROKEN/$name.json run -1 "$CONTROL" start gateway
    diff <(sed "s|^|$BROKEN/$name.json:|" "$BROKEN/$name.txt") <(grep -F "$BROKEN/$name.json:" <<<"$output")
    [[ ! $(processes_of "$RUN_DIR") ]]
  done
  release_ports
}
