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
#
# Nothing counts that was not right. Before and after a slice the reply is compared whole; in front of
# it, as a warm-up, every reply of wrk's is; in it, no reply may have another status than 200, no
# connection may break, and the bytes must be those of so many replies (a tenth more is for a header
# field that some replies have, such as Cache-Status). Who answers wrongly ends it all, with a message.

declare -gA url=() expected=() paths=() # by NAME or NAME@SIZE
readonly WARM_SECONDS=0.15

contestant() {
  local key=$1${4:+@$4}
  url[$key]=$2 expected[$key]=$3 paths[$key]=${5:-}
}

# One wrk, for a time that may be a fraction of a second: it stops at SIGINT, and says what it measured.
ask() {
  local seconds=$1 clients=$2 script=$3
  shift 3
  timeout --foreground -s INT "$seconds" \
    wrk -t "$(wrk_threads "$clients")" -c "$clients" -d "$(awk -v s="$seconds" 'BEGIN { print int(s) + 1 "s" }')" \
    --timeout 10s -s "$ROOT/bench/$script" "$@" 2>&1 | grep '^{' || echo '{"requests":0}'
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
  printf '%s\n' "$said" >>"$place/warm"
  read -r requests bad broken < <(jq -r '"\(.requests) \(.bad) \(.broken)"' <<<"$said")
  ((requests > 0)) || fail "$key answered nothing to $clients clients"
  ((bad == 0)) || fail "$key answered $bad of $requests requests wrongly, to $clients clients"
  ((broken == 0)) || fail "$key broke $broken connections of $clients clients"
}

# slice GROUP ROUND SECONDS CLIENTS KEY
slice() {
  local key=$5 clients=$4 said problem
  check_reply "$key"
  warm "$key" "$clients"
  said=$(ask "$3" "$clients" slice.lua "${url[$key]}" -- ${paths[$key]:+"${paths[$key]}"})
  problem=$(jq -r --argjson clients "$clients" --argjson size "$reply_bytes" --arg paths "${paths[$key]}" '
    if .requests == 0 then "answered nothing"
    elif .bad > 0 then "answered \(.bad) of \(.requests) requests with an error"
    elif .broken > 0 then "broke \(.broken) connections"
    elif $paths == "" and (.bytes < .requests * $size or .bytes > (.requests * 1.1 + $clients) * $size)
    then "sent \(.bytes) bytes in \(.requests) replies of \($size)"
    else empty end' <<<"$said")
  [[ ! $problem ]] || fail "$key $problem, to $clients clients"
  check_reply "$key"
  jq -c --arg group "$1" --argjson round "$2" --argjson clients "$clients" --arg key "$key" '
    ($key | split("@")) as $name
    | { group: $group, name: $name[0] } + (if $name[1] then { size: ($name[1] | tonumber) } else {} end)
      + { clients: $clients, round: $round, requests, rate: (.requests / .us * 1e8 | round / 100), p50, p90, p99, longest,
          bytes }' <<<"$said" >>"$place/slices"
}

rounds() {
  local group=$1 count=$2 seconds=$3 clients=$4 number each key
  shift 4
  for ((number = 1; number <= count; number++)); do
    progress "$group, round $number of $count"
    for each in $clients; do
      for key in "$@"; do
        slice "$group" "$number" "$seconds" "$each" "$key"
      done
    done
    forget_logs
  done
}

# On one line where a person looks at it, else not at all.
progress() {
  [[ ! -t 2 ]] || printf '\r\033[K  %s' "$1" >&2
}
