#!/bin/bash
# routes.sh: what a thousand routes cost per request, against ten: matching alone, then end to end.
#
#   bench/routes.sh       (make bench-routes builds what it needs)
#
# End to end means two gateways side by side, each behind a lighttpd of its own as it is shipped,
# asked in turns for all of their routes; the replies are static, so nothing hides what matching costs.
# A ratio is told as the median of the rounds with the middle half of them. Two are promised, to be at
# most 1.05, and status 1 says that one is not: matching alone for the same requests, and the gateway's
# processor time end to end. Both count what the program itself uses. The others, such as how long a
# request takes, also say what else the machine has to do: they are told, and judge nothing. Takes some 50 s.
set -u
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit

readonly ROUNDS=20 SECONDS_EACH=1 CLIENTS=16 ALLOWED=1.05 CONTROL=lighttpd/control
BUILD=$(realpath -m -- "${BUILD:-build}")
export BUILD

echo "Matching alone, processor time per request and its ratio (middle half of the rounds):"
"$BUILD/bench/routes" || failed=1

command -v wrk >/dev/null || { echo "No wrk here (apt-get install wrk): not measured end to end" && exit "${failed:-0}"; }

place=$(mktemp -d)
declare -A port
# shellcheck disable=SC2317 # the trap calls it
stop_all() {
  for count in 10 1000; do
    RUN_DIR=$place/$count "$CONTROL" stop >/dev/null
  done
  rm -rf -- "$place"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

start() {
  local count=$1
  "$BUILD/bench/routes" "$count" >"$place/$count.json"
  for _ in {1..10}; do
    port[$count]=$((20000 + RANDOM % 10000))
    RUN_DIR=$place/$count PORT=${port[$count]} GATEWAY_CONFIG=$place/$count.json \
      "$CONTROL" start gateway >"$place/said" 2>&1 && return
  done
  cat "$place/said"
  exit 1
}

cat >"$place/ask.lua" <<'LUA'
local requests, at = {}, 0
function init(arguments)
  for line in io.lines(arguments[1]) do
    local method, path = line:match('^(%S+) (%S+)$')
    -- An empty body gives Content-Length: 0, without which a POST is answered 411.
    requests[#requests + 1] = wrk.format(method, path, nil, method ~= 'GET' and '' or nil)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary)
  local errors = summary.errors
  print(string.format('RESULT %d %d', summary.requests,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
LUA

# Clock ticks of processor time that a copy's gateway has used.
ticks_of() {
  local file
  file=$(LC_ALL=C grep -lzxFs -- "RUN_DIR=$place/$1" /proc/[0-9]*/environ |
    while read -r file; do [[ $(<"${file%environ}comm") == fcgi-gateway ]] && echo "$file"; done)
  awk '{ print $14 + $15 }' "${file%environ}stat"
}

# "REQUESTS-PER-SECOND PROCESSOR-MICROSECONDS-PER-REQUEST" of a round.
round() {
  local count=$1 before requests errors
  before=$(ticks_of "$count")
  read -r _ requests errors < <(wrk -t 1 -c "$CLIENTS" -d "$SECONDS_EACH" -s "$place/ask.lua" \
    "http://127.0.0.1:${port[$count]}" -- "$place/$count.paths" | grep '^RESULT')
  ((errors == 0 && requests > 0)) || { echo "$errors of ${requests:-no} requests failed" >&2 && exit 1; }
  awk -v r="$requests" -v s="$SECONDS_EACH" -v ticks="$(($(ticks_of "$count") - before))" \
    -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%f %f\n", r / s, ticks / hz * 1e6 / r }'
}

for count in 10 1000; do
  start "$count"
  "$BUILD/bench/routes" --requests "$count" >"$place/$count.paths"
done
round 10 >/dev/null && round 1000 >/dev/null || exit 1 # warm
for ((i = 0; i < ROUNDS; i++)); do
  few=$(round 10) && many=$(round 1000) || exit 1
  echo "$few $many"
done >"$place/rounds" || exit 1

# ratios NAME FIELD FIELD REMARK: of these fields of the rounds, one by the other.
ratios() {
  awk "{ print \$$2 / \$$3 }" "$place/rounds" | sort -n | awk -v name="$1" -v remark="$4" -v allowed="$ALLOWED" '
    { value[NR] = $1 }
    END {
      median = (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2
      printf "  %-52s   %.3f  (%.3f-%.3f)   %s\n", name, median, value[int(NR / 4) + 1], value[NR - int(NR / 4)], remark
      exit median > allowed
    }'
}
echo "End to end, 1,000 routes against 10, requests for all of them ($ROUNDS rounds of $SECONDS_EACH s each):"
ratios "the gateway's processor time per request" 4 2 'promised: at most 5 % more' || failed=1
ratios "time per request at $CLIENTS clients" 1 3 'told only' || :
awk '{ rate += $1; cpu += $2 } END { printf "  (here: %.0f requests/s, %.0f µs of the gateway for each)\n", rate / NR, cpu / NR }' "$place/rounds"
[[ ! ${failed:-} ]] || echo "A promise is not kept: see the lines that have one."
exit "${failed:-0}"
