#!/bin/bash
# run: what the gateway costs, in ratios taken in one run on this machine.
#
#   bench/run.sh [RESULT.json]      (make bench builds what it needs)
#
# Starts all that it measures from a clean state, lets the contestants take turns, holds every reply
# against what it must be, and saves every slice with the figures made of them. QUICK=1 is a look that
# takes less than a minute: fewer rounds, fewer clients, less growth. docs/performance.md says what the
# figures mean. The status is 0 also where a target is not met: that is told, not judged.
set -u
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit
source bench/place.sh
source bench/rounds.sh
source bench/contestants.sh
source bench/memory.sh
source bench/machine.sh

form=full
[[ ! ${QUICK:-} ]] || form=quick
result=${1:-$BUILD/bench/$form.json}

# What is measured, and how often; see `make bench` in docs/performance.md.
settings() {
  rounds=5 seconds=0.35 clients=(1 16 64 256)
  orders=(10 1000 1000000) routes=(1 10 1000) calls=(1 4 8 16)
  bodies=(1000 100000 1000000 10000000) growth_rounds=3 growth_seconds=0.35
  held=1000 worked=1000000 start_count=11
  [[ $form == quick ]] || return 0
  rounds=2 seconds=0.15 clients=(1 64)
  orders=(10 100000) routes=(10 1000) calls=(1 16)
  bodies=(1000 1000000) growth_rounds=1 growth_seconds=0.25
  held=1000 worked=0 start_count=5
}

# sized NAME SIZE...: the names under which a thing that grows is declared.
sized() {
  local name=$1
  shift
  printf '%s\n' "${@/#/$name@}"
}

# One client also makes the calls themselves that a composed reply waits for. What most is promised about
# is measured twice as often.
by_clients() {
  local number each
  local those=(direct mod_proxy gateway relay hello user-orders dashboard)
  local crowd=(user-orders-shared dashboard-shared) # one client shares with nobody
  local alone=(call-user call-orders call-users-summary call-orders-summary)
  for ((number = 1; number <= rounds; number++)); do
    for each in "${clients[@]}"; do
      progress "round $number of $rounds, $each clients"
      if ((each > 1)); then
        round clients "$number" "$seconds" "$each" "${those[@]}" "${crowd[@]}"
        round clients $((rounds + number)) "$seconds" "$each" mod_proxy gateway
      else
        round clients "$number" "$seconds" "$each" "${those[@]}" "${alone[@]}"
      fi
    done
    forget_logs
  done
}

growth() {
  order_contestants "${orders[@]}"
  # shellcheck disable=SC2046 # a word for each
  rounds orders "$growth_rounds" "$growth_seconds" 16 $(sized orders-dashboard "${orders[@]}") $(sized orders-of-user "${orders[@]}")
  route_contestants "${routes[@]}"
  # shellcheck disable=SC2046
  rounds routes $((growth_rounds * 2 + 1)) "$growth_seconds" 16 $(sized routes "${routes[@]}") # little is looked for
  call_contestants "${calls[@]}"
  # shellcheck disable=SC2046
  rounds calls "$growth_rounds" "$growth_seconds" '1 16' call-user $(sized calls "${calls[@]}")
  body_contestants "${bodies[@]}"
  # shellcheck disable=SC2046
  rounds bodies "$growth_rounds" "$growth_seconds" 4 $(sized body-direct "${bodies[@]}") \
    $(sized body-proxy "${bodies[@]}") $(sized body-gateway "${bodies[@]}")
}

measure() {
  contestants
  idle_memory
  by_clients
  growth
  progress memory
  under_way "$held"
  work_on "$worked"
  progress starts
  starts "$start_count"
  rested_memory
  progress ''
}

save() {
  mkdir -p -- "$(dirname -- "$result")"
  jq -n --arg form "$form" --arg taken "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg commit "$(commit)" \
    --argjson changed "$(is_changed)" --argjson machine "$(machine)" --argjson took_s "$SECONDS" \
    --argjson settings "$(jq -n --argjson rounds "$rounds" --argjson seconds "$seconds" --argjson growth_rounds "$growth_rounds" \
      --argjson growth_seconds "$growth_seconds" --argjson held "$held" \
      --argjson requests_before_memory "$(cat -- "$place/requests_before_memory")" '$ARGS.named')" \
    --slurpfile memory "$place/memory" --slurpfile starts "$place/starts" --slurpfile slices "$place/slices" '
    { format: 1 } + $ARGS.named' >"$result.part" || fail "the result cannot be saved"
  bench/figures.sh "$result.part" >"$result" || fail "the figures cannot be made of $result.part"
  rm -- "$result.part"
}

for tool in wrk jq sqlite3 lighttpd curl; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; \`.ci/packages bench\` installs it"
done
settings
place_make
measure
save
bench/report.sh show "$result"
echo
echo "All of it is in $result; it took $SECONDS s."
