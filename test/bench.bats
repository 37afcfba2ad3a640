#!/usr/bin/env bats
# bench: the parts of the bench that need no quiet machine: figures and pictures of what was measured, what
# it does with wrong answers, and that it leaves nothing behind.
load helpers

setup() { export RESULTS=$BATS_TEST_TMPDIR/results; }

# slice NAME CLIENTS ROUND RATE P50 [MEMBERS]: as a slice is saved.
slice() {
  printf '{"group":"clients","name":"%s","clients":%d,"round":%d,"requests":100,"rate":%s,"p50":%d,"p90":%d,"p99":%d%s}\n' \
    "$1" "$2" "$3" "$4" "$5" "$5" "$((2 * $5))" "${6:-}"
}

# What a run would have saved: three rounds, the second on a busy machine.
write_result() {
  mkdir -p -- "$RESULTS"
  {
    slice relay 64 1 950 950 && slice gateway 64 1 900 1000 && slice mod_proxy 64 1 1000 900 && slice direct 64 1 2000 500
    slice gateway 64 2 90 9000 && slice mod_proxy 64 2 100 8000 && slice direct 64 2 210 5000
    slice gateway 64 3 1000 900 && slice mod_proxy 64 3 1000 900 && slice direct 64 3 2000 500
    slice user-orders 1 1 900 600 && slice call-user 1 1 2000 300 && slice call-orders 1 1 1900 400
    slice user-orders 1 2 900 500 && slice call-user 1 2 2000 450 && slice call-orders 1 2 1900 400
  } >"$BATS_TEST_TMPDIR/slices"
  jq -n --slurpfile slices "$BATS_TEST_TMPDIR/slices" '{ format: 1, taken: "2026-01-02T03:04:05Z", commit: "0123456789ab",
    changed: false, took_s: 1, machine: { cpu: "A <fast> & cheap one", cores: 2, system: "Debian", load: "0.1" },
    settings: { rounds: 3, seconds: 1, held: 1000, requests_before_memory: 5 }, slices: $slices,
    memory: [ ["idle", 2000], ["before passed", 2000], ["passed", 66000], ["before composed", 2000], ["composed", 72000] ]
      | map({ when: .[0], process: "fcgi-gateway", anon_kb: .[1], rss_kb: 9000, threads: 3 }),
    starts: [ { what: "exec", ms: 7 }, { what: "make", ms: 310 } ] }' >"$BATS_TEST_TMPDIR/measured"
  "$ROOT/bench/figures.sh" "$BATS_TEST_TMPDIR/measured" >"$RESULTS/bench.json"
}

result() { jq -c "$1" "$RESULTS/bench.json"; }

@test "a ratio is taken within a round, and told as the median of the rounds with the least and the most" {
  write_result
  [ "$(result '.comparisons.rate[] | select(.of == "gateway" and .to == "mod_proxy") | [.clients, .median, .low, .high]')" = '[64,0.9,0.9,1]' ]
  [ "$(result '.figures[] | select(.name == "gateway") | [.rate.median, .rate.low, .rate.high, .p50_ms.median, .p99_ms.high]')" = '[900,90,1000,1,18]' ]
  [ "$(result '.comparisons.rate[] | select(.of == "relay" and .to == "mod_proxy") | [.median, .high]')" = '[0.95,0.95]' ]
  [ "$(result '.comparisons.p50_more_ms[] | select(.of == "gateway" and .to == "mod_proxy") | [.median, .high]')" = '[0.1,1]' ]
}

@test "a composed reply is held against the slower of its calls in each round" {
  write_result
  [ "$(result '.comparisons.p50_more_ms[] | select(.to == "slower-call") | [.of, .median, .low, .high]')" = '["user-orders",0.125,0.05,0.2]' ]
}

@test "a target is met, not met, or not measured" {
  write_result
  target() { result ".targets[] | select(.name | startswith(\"$1\")) | [.got, .met]"; }
  [ "$(target "pass through, throughput by mod_proxy's, 64")" = '[0.9,false]' ]
  [ "$(target "pass through, throughput by mod_proxy's, 256")" = '[null,null]' ]
  [ "$(target "gateway idle")" = '[2000,true]' ]
  [ "$(target "private memory more for each request under way, passed")" = '[64,true]' ]
  [ "$(target "private memory more for each request under way, composed")" = '[70,false]' ]
  [ "$(target "gateway, exec to first answer")" = '[7,true]' ]
  [ "$(target "make start")" = '[310,false]' ]
}

@test "the terminal gets tables of it, and the documents a picture that is well-formed and has both colours" {
  write_result
  "$ROOT/bench/report.sh" show "$RESULTS/bench.json" | grep -q 'NOT MET *0.9 x *at least 0.95'
  "$ROOT/bench/report.sh" write "$BATS_TEST_TMPDIR/written"
  grep -q '^| a responder that only says hello' "$BATS_TEST_TMPDIR/written/docs/performance.md"
  python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$BATS_TEST_TMPDIR/written/docs/performance.svg"
  grep -q 'prefers-color-scheme: dark' "$BATS_TEST_TMPDIR/written/docs/performance.svg"
  grep -q 'A &lt;fast&gt; &amp; cheap one' "$BATS_TEST_TMPDIR/written/docs/performance.svg"
}

@test "README and performance.md say what is in bench/results" {
  RESULTS=$ROOT/bench/results run -0 "$ROOT/bench/report.sh" check
}

## Measuring, with a wrk that says what the test wants

# What `bash -uc` does: it has the bench's functions and a `place`, and does what COMMANDS say.
program() {
  echo "cd '$ROOT'; for part in place rounds contestants machine; do source bench/\$part.sh; done
    TMPDIR='$BATS_TEST_TMPDIR' PATH='$BATS_TEST_TMPDIR/bin':\$PATH; export TMPDIR PATH
    place_make; echo \"\$place\" >'$BATS_TEST_TMPDIR/place'; $1"
}

bench() { bash -uc "$(program "$1")" 3>&-; }

# wrk_says REQUESTS BYTES BAD BROKEN
wrk_says() {
  mkdir -p -- "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\necho MEASURED %d 100000 %d %d %d 300 400 900 1000\n' "$@" >"$BATS_TEST_TMPDIR/bin/wrk"
  chmod +x "$BATS_TEST_TMPDIR/bin/wrk"
}

# shellcheck disable=SC2016 # the inner shell's
readonly ONE_SLICE='own odd "$BUILD/test/fixtures/misbehave" "unix:$place/odd/odd.sock"
  until_so 10 test -S "$place/odd/odd.sock"
  curl() { command curl --unix-socket "$place/odd/odd.sock" "$@"; }
  echo "{\"ok\": true}" >"$place/expected"
  contestant odd "http://odd$path" "$place/expected" 7
  round group 1 0.1 4 odd@7
  cat "$place/slices"'

of_bench() { LC_ALL=C grep -lzs "^RUN_DIR=$(cat "$BATS_TEST_TMPDIR/place")" /proc/[0-9]*/environ; }

left_nothing() {
  [ -z "$(of_bench)" ]
  [ ! -e "$(cat "$BATS_TEST_TMPDIR/place")" ]
}

@test "a slice of right answers is kept, with what wrk measured" {
  wrk_says 100 9000 0 0
  run -0 bench "path=/ok; reply_bytes=; $ONE_SLICE"
  jq -e '[.group, .name, .size, .clients, .round, .requests, .rate, .p50, .p99]
    == ["group", "odd", 7, 4, 1, 100, 1000, 300, 900]' <<<"$output"
  left_nothing
}

@test "who answers wrongly is told, and ends the bench" {
  wrk_says 100 9000 0 0
  run -1 bench "path=/json?value=1; $ONE_SLICE"
  [[ $output == *"odd@7 answered http://odd/json?value=1 wrongly"*'"ok": true'* ]]
  run -1 bench "path=/status/503; $ONE_SLICE"
  [[ $output == *"odd@7 answered http://odd/status/503 with 503"* ]]
  left_nothing
}

@test "so is who answers some of wrk's requests wrongly, breaks connections, or sends other bytes" {
  wrk_says 100 9000 3 0
  run -1 bench "path=/ok; $ONE_SLICE"
  [[ $output == *"odd@7 answered 3 of 100 requests wrongly, to 4 clients"* ]]
  wrk_says 100 9000 0 2
  run -1 bench "path=/ok; $ONE_SLICE"
  [[ $output == *"odd@7 broke 2 connections, to 4 clients"* ]]
  wrk_says 100 900 0 0
  run -1 bench "path=/ok; $ONE_SLICE"
  [[ $output == *"odd@7 sent 900 bytes in 100 replies"* ]]
  wrk_says 0 0 0 0
  run -1 bench "path=/ok; $ONE_SLICE"
  [[ $output == *"odd@7 answered nothing to 4 clients"* ]]
  left_nothing
}

# shellcheck disable=SC2016
readonly WHOLE='application; expect_replies
  gateway shipped fcgi-gateway/gateway.json "${to_services[@]}"
  order_alone() { jq ".defaults += { coalesce: false }" fcgi-gateway/gateway.json >"$place/alone.json"; }
  order_alone'

@test "the replies that are expected are those of the gateway, whatever the number of orders" {
  run -0 bench "$WHOLE
    order_contestants 2000
    contestant user-orders \"http://127.0.0.1:\${ports[shipped]}/users/1/orders\" \"\$place/user-orders.body\"
    contestant dashboard \"http://127.0.0.1:\${ports[shipped]}/dashboard\" \"\$place/dashboard.body\"
    call_contestants 3
    for each in user-orders dashboard calls@3 orders-dashboard@2000 orders-of-user@2000; do check_reply \$each && echo \$each; done
    jq -c .overview.total_orders \$place/dashboard-2000.body"
  [ "${#lines[@]}" = 6 ]
  [ "${lines[5]}" = 2000 ]
  left_nothing
}

@test "whoever stops the bench finds nothing left of it" {
  local shell status=0
  bash -uc "$(program "$WHOLE
    touch '$BATS_TEST_TMPDIR/ready'
    while :; do sleep 0.02; done")" >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
  shell=$!
  wait_until test -e "$BATS_TEST_TMPDIR/ready" || { cat "$BATS_TEST_TMPDIR/said" && return 1; }
  [ "$(of_bench | wc -l)" -ge 6 ]
  kill -TERM "$shell"
  wait "$shell" || status=$?
  [ "$status" = 130 ]
  left_nothing
}
