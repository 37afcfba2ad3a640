#!/bin/bash
# shellcheck disable=SC2154 # what the sourced files give
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
source bench/place.sh
source bench/rounds.sh
source bench/contestants.sh

readonly ROUNDS=20 SLICE_SECONDS=0.95 CLIENTS=16 ALLOWED=1.05

echo "Matching alone, processor time per request and its ratio (middle half of the rounds):"
"$BUILD/bench/routes" || failed=1

command -v wrk >/dev/null || { echo "No wrk here (apt-get install wrk): not measured end to end" && exit "${failed:-0}"; }

# Clock ticks of processor time that a gateway has used.
ticks_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# "REQUESTS-PER-SECOND PROCESSOR-MICROSECONDS-PER-REQUEST" of the gateway with so many routes.
measured() {
  local key=routes@$1 pid before requests us bad broken
  pid=$(pid_of "routes-$1" fcgi-gateway)
  before=$(ticks_of "$pid")
  read -r requests us _ bad broken _ < <(ask "$SLICE_SECONDS" "$CLIENTS" slice.lua "${url[$key]}" -- "${paths[$key]}")
  check_count "$key" "$CLIENTS" "$requests" "$bad" "$broken"
  awk -v r="$requests" -v us="$us" -v ticks="$(($(ticks_of "$pid") - before))" \
    -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%f %f\n", r / us * 1e6, ticks / hz * 1e6 / r }'
}

place_make
route_contestants 10 1000
measured 10 >/dev/null && measured 1000 >/dev/null || exit 1 # warm
for ((i = 0; i < ROUNDS; i++)); do
  few=$(measured 10) && many=$(measured 1000) || exit 1
  echo "$few $many"
done >"$place/measured" || exit 1

# ratios NAME FIELD FIELD REMARK: of these fields of the rounds, one by the other.
ratios() {
  awk "{ print \$$2 / \$$3 }" "$place/measured" | sort -n | awk -v name="$1" -v remark="$4" -v allowed="$ALLOWED" '
    { value[NR] = $1 }
    END {
      median = (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2
      printf "  %-52s   %.3f  (%.3f-%.3f)   %s\n", name, median, value[int(NR / 4) + 1], value[NR - int(NR / 4)], remark
      exit median > allowed
    }'
}
echo "End to end, 1,000 routes against 10, requests for all of them ($ROUNDS rounds of 1 s each):"
ratios "the gateway's processor time per request" 4 2 'promised: at most 5 % more' || failed=1
ratios "time per request at $CLIENTS clients" 1 3 'told only' || :
awk '{ rate += $1; cpu += $2 } END { printf "  (here: %.0f requests/s, %.0f µs of the gateway for each)\n", rate / NR, cpu / NR }' "$place/measured"
[[ ! ${failed:-} ]] || echo "A promise is not kept: see the lines that have one."
exit "${failed:-0}"
