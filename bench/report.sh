#!/bin/bash
# report: what a result says: for a terminal, and in the documents.
#
#   bench/report.sh show RESULT      as tables
#   bench/report.sh keep             takes what `make bench` and `make bench-peers` saved last (in full, not
#                                    with QUICK=1) into bench/results, and writes the documents
#   bench/report.sh write            writes them from bench/results: the picture, and in README.md and
#                                    docs/performance.md what stands between <!-- bench NAME --> and <!-- end -->
#   bench/report.sh check            status 1, with the difference, where they say something else
set -eu -o pipefail

here=$(dirname -- "${BASH_SOURCE[0]}")
root=$(realpath -- "$here/..")
BUILD=$(cd -- "$root" && realpath -m -- "${BUILD:-build}")
results=${RESULTS:-$root/bench/results}
documents=(README.md docs/performance.md)

show() { jq -L "$here" -r -f "$here/report.jq" -- "$1"; }

keep() {
  local name
  mkdir -p -- "$results"
  for name in full:bench peers-full:peers; do
    [[ ! -e $BUILD/bench/${name%:*}.json ]] || cp -- "$BUILD/bench/${name%:*}.json" "$results/${name#*:}.json"
  done
  write "$root"
}

# A block "peers" or "peer-..." is about what peers.sh measured.
block() {
  local file=$results/bench.json
  [[ $1 != peer* ]] || file=$results/peers.json
  [[ -e $file ]] || { echo "*Not measured yet.*" && return; }
  jq -L "$here" -r --arg block "$1" -f "$here/tables.jq" -- "$file"
}

document() {
  local line
  while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line =~ ^'<!-- bench '([a-z0-9-]+)' -->'$ ]] || continue
    echo
    block "${BASH_REMATCH[1]}"
    echo
    while IFS= read -r line && [[ $line != '<!-- end -->' ]]; do :; done
    printf '%s\n' "$line"
  done
}

picture() {
  local peers=null
  [[ ! -e $results/peers.json ]] || peers=$(jq -c '{ ratios }' -- "$results/peers.json")
  jq -L "$here" -rn --argjson bench "$(jq -c 'del(.slices)' -- "$results/bench.json")" --argjson peers "$peers" -f "$here/picture.jq"
}

# To a folder, under the same names.
write() {
  local name
  mkdir -p -- "$1/docs"
  for name in "${documents[@]}"; do
    document <"$root/$name" >"$1/$name.new"
    mv -- "$1/$name.new" "$1/$name"
  done
  [[ ! -e $results/bench.json ]] || picture >"$1/docs/performance.svg"
}

check() {
  local place status=0 name
  place=$(mktemp -d)
  write "$place"
  for name in "${documents[@]}" docs/performance.svg; do
    [[ ! -e $place/$name ]] || diff -u -- "$root/$name" "$place/$name" || status=1
  done
  rm -rf -- "$place"
  return "$status"
}

case ${1:-} in
show) show "$2" ;;
keep | check) "$1" ;;
write) write "${2:-$root}" ;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
