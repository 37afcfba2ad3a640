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

# same_lines COMMAND [ARGUMENT...], which is called with each file behind: it has to fail with status 1,
# say the file's lines on stderr and nothing else. All are compared at once, because it is quick.
same_lines() {
  local file said=$BATS_TEST_TMPDIR/said expected=$BATS_TEST_TMPDIR/expected
  for file in "$BROKEN"/*.json; do
    "$@" "$file" 2>&1 || echo "$file: status $?"
  done >"$said"
  for file in "$BROKEN"/*.json; do
    while IFS= read -r line; do
      echo "$file:$line"
    done <"${file%.json}.txt"
    echo "$file: status 1"
  done >"$expected"
  diff "$expected" "$said"
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

@test "a start, here as plain CGI, says the same of every broken file and serves nothing" {
  as_cgi() { GATEWAY_CONFIG=$1 GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/ "$GATEWAY"; }
  same_lines as_cgi
}

# Writes the shipped file to FILE with one place changed, which the number chooses.
break_at_random() {
  local text at signs=('' '"' '{' '}' ',' ':' '7' 'x' '[' $'\n')
  text=$(<"$ROOT/fcgi-gateway/gateway.json")
  RANDOM=$1
  at=$(((RANDOM * 32768 + RANDOM) % ${#text}))
  printf '%s' "${text::at}${signs[RANDOM % ${#signs[@]}]}${text:at+1+RANDOM%3}" >"$2"
}

@test "of files that are broken at random --check and a start say the same" {
  local file=$BATS_TEST_TMPDIR/gateway.json checked started number good=0 bad=0
  for number in {1..80}; do
    break_at_random "$number" "$file"
    checked=0 started=0
    "$GATEWAY" --check "$file" >/dev/null 2>"$BATS_TEST_TMPDIR/checked" || checked=$?
    GATEWAY_CONFIG=$file GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/no-such-path \
      "$GATEWAY" >"$BATS_TEST_TMPDIR/reply" 2>"$BATS_TEST_TMPDIR/started" || started=$?
    if ((checked == 0)); then
      good=$((good + 1)) && grep -q '^Status: 404' "$BATS_TEST_TMPDIR/reply"
    else
      bad=$((bad + 1)) && ((checked == 1 && started == 1)) && [[ ! -s $BATS_TEST_TMPDIR/reply ]] &&
        [[ -s $BATS_TEST_TMPDIR/checked ]] && diff "$BATS_TEST_TMPDIR/checked" "$BATS_TEST_TMPDIR/started"
    fi || { echo "number $number: $checked $started" && return 1; }
  done
  ((good > 5 && bad > 40))
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
