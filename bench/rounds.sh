# shellcheck shell=bash disable=SC2154
# rounds: contestants in turns, slice by slice, so that a noisy machine hurts all alike.
#
#   source bench/place.sh; source bench/rounds.sh
#   contestant NAME URL EXPECTED [SIZE [PATHS]]
#       who is asked. EXPECTED is a file with the body of every reply; where it is not the same bytes,
#       the same JSON will do. SIZE is a number where the same thing is measured growing. With PATHS, a
#       file of "METHOD /path" lines, these are asked for in turns; their replies must all be EXPECTED.
#   rounds GROUP COUNT SECONDS "CLIENTS..." NAME[@SIZE]...
#       COUNT rounds. In each, for each number of clients, each of them gets a slice of SECONDS. Every
#       slice is a line of JSON in $place/slices.
#   round GROUP NUMBER SECONDS CLIENTS NAME[@SIZE]...
#       one round with so many clients.
#
# Nothing counts that was not right. Before and after a slice the reply is compared whole; in front of
# it, as a warm-up, every reply of wrk's is; in it, no reply may have another status than 200, no
# connection may break, and the bytes must be those of so many replies (a tenth more is for a header
# field that some replies have, such as Cache-Status). Who answers wrongly ends it all, with a message.

declare -gA url=() expected=() paths=() # by NAME or NAME@SIZE
readonly WARM_SECONDS=${WARM_SECONDS:-0.15}

contestant() {
  local key=$1${4:+@$4}
  url[$key]=$2 expected[$key]=$3 paths[$key]=${5:-}
}

# One wrk, for a time that may be a fraction of a second: it stops at SIGINT, at the next tenth of a second.
# Prints "REQUESTS MICROSECONDS BYTES BAD BROKEN P50 P90 P99 LONGEST". On a machine so busy that there was
# no reply in that time it gets three seconds; zeros where there still is none.
ask() {
  local seconds
  for seconds in "$1" 2.95; do
    timeout --foreground -s INT "$seconds" wrk -t "$(wrk_threads "$2")" -c "$2" -d "$((${seconds%.*} + 1))s" \
      --timeout 10s -s "$ROOT/bench/$3" "${@:4}" >"$place/wrk" 2>&1
    sed -n 's/^MEASURED //p' "$place/wrk" | grep '^[1-9]' && return
  done
  echo 0 0 0 0 0 0 0 0 0
}

# A quarter of the cores: the rest is for what is measured.
wrk_threads() {
  local most=$((($(nproc) + 3) / 4))
  echo $((most < $1 ? most : $1))
}

same_json() { jq -en --slurpfile a "$1" --slurpfile b "$2" '$a == $b' >/dev/null 2>&1; }

# Asks once; what came is in $place/got, and its size with all header fields in `reply_bytes`.
check_reply() {
  local key=$1 where=${url[$1]} said code head body
  [[ ! ${paths[$key]} ]] || where+=$(head -n 1 -- "${paths[$key]}" | cut -d ' ' -f 2)
  said=$(curl -sg --noproxy '*' --max-time 20 -o "$place/got" -w '%{http_code} %{size_header} %{size_download}' "$where") ||
    fail "$key does not answer at $where"
  read -r code head body <<<"$said"
  reply_bytes=$((head + body))
  [[ $code == 200 ]] || fail "$key answered $where with $code: $(head -c 300 -- "$place/got")"
  cmp -s -- "$place/got" "${expected[$key]}" || same_json "$place/got" "${expected[$key]}" || fail \
    "$key answered $where wrongly:" "$(head -c 300 -- "$place/got")" "expected was:" "$(head -c 300 -- "${expected[$key]}")"
}

# Every reply of this time is compared with the bytes that curl got, which were right.
warm() {
  local key=$1 clients=$2 said bad broken requests
  if [[ ${paths[$key]} ]]; then
    said=$(ask "$WARM_SECONDS" "$clients" slice.lua "${url[$key]}" -- "${paths[$key]}")
  else
    said=$(ask "$WARM_SECONDS" "$clients" check.lua "${url[$key]}" -- "$place/got")
  fi
  read -r requests _ _ bad broken _ <<<"$said"
  check_count "$key" "$clients" "$requests" "$bad" "$broken"
  printf '%s %d\n' "$key" "$requests" >>"$place/warmed"
}

check_count() {
  local key=$1 to="to $2 clients" requests=$3 bad=$4 broken=$5
  ((requests > 0)) || fail "$key answered nothing $to"
  ((bad == 0)) || fail "$key answered $bad of $requests requests wrongly, $to" "$(sed -n 's/^WRONG //p' "$place/wrk")" \
    "$(tail -q -n 20000 "$place"/*/*.log | grep -E '^[^ ]+ fcgi-[a-z]+ [0-9a-f]{32} [A-Z]+ [^ ]+ [^2]' | tail -n 5)"
  ((broken == 0)) || fail "$key broke $broken connections, $to"
}

# slice GROUP ROUND SECONDS CLIENTS KEY
slice() {
  local key=$5 clients=$4 requests us bytes bad broken p50 p90 p99 longest size=
  check_reply "$key"
  warm "$key" "$clients"
  read -r requests us bytes bad broken p50 p90 p99 longest < <(
    ask "$3" "$clients" slice.lua "${url[$key]}" -- ${paths[$key]:+"${paths[$key]}"})
  check_count "$key" "$clients" "$requests" "$bad" "$broken"
  ((bytes >= requests * reply_bytes && bytes * 10 <= (requests * 11 + clients * 10) * reply_bytes)) || [[ ${paths[$key]} ]] ||
    fail "$key sent $bytes bytes in $requests replies of $reply_bytes, to $clients clients"
  check_reply "$key"
  [[ $key != *@* ]] || size="\"size\":${key#*@},"
  printf '{"group":"%s","name":"%s",%s"clients":%d,"round":%d,"requests":%d,"rate":%d.%02d,"p50":%d,"p90":%d,"p99":%d,"longest":%d,"bytes":%d}\n' \
    "$1" "${key%@*}" "$size" "$clients" "$2" "$requests" $((requests * 1000000 / us)) $((requests * 100000000 / us % 100)) \
    "$p50" "$p90" "$p99" "$longest" "$bytes" >>"$place/slices"
}

# round GROUP NUMBER SECONDS CLIENTS NAME[@SIZE]...: a slice for each; another one begins in each round, so
# that nobody always comes behind the same other.
round() {
  local keys=("${@:5}") at
  for ((at = 0; at < ${#keys[@]}; at++)); do
    slice "$1" "$2" "$3" "$4" "${keys[(at + $2 - 1) % ${#keys[@]}]}"
  done
}

rounds() {
  local number clients
  for ((number = 1; number <= $2; number++)); do
    progress "$1, round $number of $2"
    for clients in $4; do
      round "$1" "$number" "$3" "$clients" "${@:5}"
    done
    forget_logs
  done
}

# On one line where a person looks at it, else not at all.
progress() {
  [[ ! -t 2 ]] || printf '\r\033[K  %s' "$1" >&2
}
