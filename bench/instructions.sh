#!/bin/bash
# instructions.sh: how many instructions of the gateway a request costs, against the values that are kept.
#
#   bench/instructions.sh         (make bench-instructions builds what it needs)
#   bench/instructions.sh --keep  keeps what it measures: where a change is meant to cost more, or made
#                                 it cheaper. Commit bench/instructions.json with that change
#   PROFILE=1 bench/instructions.sh  says besides where they go, function by function
#
# The gateway runs under callgrind, all else as it is shipped: lighttpd in front of it, the services
# behind theirs. One client asks, one request after the other, so that neither time nor other processes
# decide what there is to do. callgrind writes its count whenever a request gets its line in the log: from
# one to the next it is all that the process does for a request, in all of its threads. What the kernel
# does is not in it, nor is the keeper (lib/keep.c).
#
# The C library and libcurl are most of it, so a value is good for one architecture and one Debian
# release. Where none is kept this measures and tells, and judges nothing. Status 1: a request costs
# more than 5 % over the kept value. What differs from run to run, whether a reply is there before it is
# waited for, is below 1 %.
set -u
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit

readonly WARM=40 REQUESTS=150 WAIT_SECONDS=30 PERCENT_ALLOWED=5 PROFILE_LINES=45
readonly KEPT=bench/instructions.json CONTROL=lighttpd/control
readonly PATHS=(/users /users/1/orders)
readonly -A KIND=([/users]="passed through" [/users/1/orders]="composed of two calls")

# The C library has its functions for text several times, for different processors. These switches make
# it take the plain ones on all of them. An architecture that has no such features does not mind.
readonly PLAIN=glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX,-BMI2,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

## A copy whose gateway is counted

build=$(realpath -m -- "${BUILD:-build}")
# Copying a text costs instructions: the lengths of paths, and all other variables, are the same everywhere.
place=$(mktemp -d -p /tmp instructions.XXXXXX) || exit
control() { env -i PATH="$PATH" RUN_DIR="$place/run" PORT="$port" BUILD="$place/bin" GATEWAY_CONFIG="$place/gateway.json" "$CONTROL" "$@"; }

# What ships, but with so much time that nothing on a busy machine, where all is fifty times slower under
# callgrind besides, is late, or opens a breaker. The breakers stay: what they cost is counted.
jq '.upstreams[] += { timeout: "60s", breaker: { failures: "100%", calls: 1000, window: "1s" } }
  | .routes[] |= if type == "object" and has("calls") then .timeout = "60s" else . end' \
  fcgi-gateway/gateway.json >"$place/gateway.json" || exit

# shellcheck disable=SC2317 # the trap calls it
stop_all() {
  local file
  [[ ! ${port:-} ]] || control stop >/dev/null
  LC_ALL=C grep -lzxFs -- "RUN_DIR=$place/run" /proc/[0-9]*/environ | while read -r file; do
    kill -KILL "${file//[!0-9]/}" 2>/dev/null
  done
  rm -rf -- "$place"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

# start OPTION...: with these of callgrind. What lighttpd starts as the gateway is a script. Nobody is asked
# after the client: that begins after 10 ms, which a request lasts only because callgrind is slow.
start() {
  local name
  rm -rf -- "${place:?}"/{bin,counts}
  mkdir -- "$place/bin" "$place/counts"
  for name in "$build"/{fcgi-users,fcgi-orders,errors,docs}; do
    ln -s -- "$name" "$place/bin/"
  done
  cat >"$place/bin/fcgi-gateway" <<WRAPPER
#!/bin/bash
[[ \${1:-} != --* ]] || exec "$build/fcgi-gateway" "\$@"
unset ASK_KERNEL_FOR_CLIENTS
export GLIBC_TUNABLES=\${GLIBC_TUNABLES:+\$GLIBC_TUNABLES:}$PLAIN
exec valgrind --tool=callgrind --callgrind-out-file="$place/counts/out.%p" \\
  --log-file="$place/counts/said.%p" $* "$build/fcgi-gateway"
WRAPPER
  chmod +x -- "$place/bin/fcgi-gateway"
  for _ in {1..10}; do
    port=$((20000 + RANDOM % 10000))
    control start >"$place/said" 2>&1 && return
  done
  cat -- "$place/said" "$place"/counts/said.* >&2
  exit 1
}

# A file for each request so far, in their order.
counts() { find "$place/counts" -name 'out.*.*' | sort -t . -k 4n; }

# ask PATH COUNT [counted]: each when the one before it is counted, or two of them would get into one another.
ask() {
  local i code before
  before=$(counts | wc -l)
  for ((i = 1; i <= $2; i++)); do
    code=$(curl -q -s --noproxy '*' -A instructions --max-time 90 -o "$place/reply" -w '%{http_code}' "http://127.0.0.1:$port$1")
    [[ $code == 200 ]] || fail "$1 was answered $code:" "$(cat -- "$place/reply")" "$(tail -n 20 -- "$place/run/gateway.log")"
    [[ ! ${3:-} ]] || await "$((before + i))"
  done
}

await() {
  local end=$((SECONDS + WAIT_SECONDS))
  until (($(counts | wc -l) >= $1)); do
    ((SECONDS < end)) || fail "callgrind did not count a request"
    sleep 0.005
  done
}

## Count

# count PATH: "INSTRUCTIONS LEAST MEDIAN" of a request. The figure is the first quartile: what can be
# different is always more (a reply that was slow in coming, on a busy machine, costs a look at its
# client besides). The first ones make connections and fill what is kept.
count() {
  local before
  ask "$1" "$WARM" counted
  before=$(counts | wc -l)
  ask "$1" "$REQUESTS" counted
  counts | tail -n +"$((before + 1))" | xargs sed -n 's/^totals: //p' | sort -n | awk -v wanted="$REQUESTS" '
    { all[NR] = $1 }
    END {
      if (NR != wanted) exit 1
      print all[int(NR / 4) + 1], all[1], all[int(NR / 2) + 1]
    }' || fail "callgrind gave no count of each of the $REQUESTS requests"
}

machine() {
  local ID='' VERSION_ID=''
  # shellcheck source=/dev/null
  . /etc/os-release
  echo "$(uname -m) $ID $VERSION_ID"
}

# judge COUNTED KEPT: says what became of the kept value; false where it is too much.
judge() {
  [[ $2 != null ]] || { echo "none is kept" && return; }
  awk -v counted="$1" -v kept="$2" -v allowed="$PERCENT_ALLOWED" 'BEGIN {
    percent = (counted / kept - 1) * 100
    said = percent > allowed ? ": TOO MUCH, at most +" allowed " %" : ""
    if (percent < -allowed) said = ": keep it (--keep)"
    printf "%+.1f %% of the kept %d%s\n", percent, kept, said
    exit (percent > allowed)
  }'
}

keep() {
  local kept
  kept=$(jq --arg machine "$1" --argjson counted "$2" '.[$machine] = $counted' "$KEPT") &&
    printf '%s\n' "$kept" >"$KEPT" && echo "Kept in $KEPT."
}

## Where they go

# profile PATH: of one request, when connections are made and what is kept is there.
profile() {
  local file mode
  start --dump-before=log_request
  ask "$1" "$WARM" counted
  file=$(counts | tail -n 1)
  for mode in no yes; do
    printf '\n%s, %s:\n\n' "$1" \
      "$([[ $mode == yes ]] && echo "with what they call" || echo "function by function")"
    callgrind_annotate --threshold=100 --inclusive="$mode" "$file" 2>/dev/null |
      grep -E '^ *[0-9,]+ \(' | sed 's|/[^ ]*/||g' | head -n "$PROFILE_LINES"
  done
  control stop >/dev/null
}

for tool in valgrind jq; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; \`.ci/packages bench\` installs it"
done
[[ -x $build/fcgi-gateway ]] || fail "$build/fcgi-gateway is not there; \`make build\` makes it"
machine=$(machine)
all={}
echo "Instructions of the gateway for one request, by callgrind ($machine):"
start --dump-before=log_request
for path in "${PATHS[@]}"; do
  counted=$(count "$path") || exit 1
  read -r counted least median <<<"$counted"
  said=$(judge "$counted" "$(jq --arg machine "$machine" --arg path "$path" '.[$machine][$path]' "$KEPT")") || failed=1
  printf '  %-16s %-22s %7d  (least %d, median %d)  %s\n' "$path" "${KIND[$path]}" "$counted" "$least" "$median" "$said"
  all=$(jq --arg path "$path" --argjson counted "$counted" '.[$path] = $counted' <<<"$all")
done
control stop >/dev/null
[[ ${1:-} != --keep ]] || keep "$machine" "$all" || exit 1
if [[ ${PROFILE:-} ]]; then
  for path in "${PATHS[@]}"; do
    profile "$path"
  done
fi
[[ ! ${failed:-} || ${1:-} == --keep ]]
