#!/bin/bash
# shellcheck disable=SC2154 # what the sourced files give
# peers: the gateway beside what people use for the same work, in ratios taken in one run on this machine.
#
#   bench/peers.sh [RESULT.json]      (make bench-peers builds and installs what it needs)
#
# bench/peers/README.md says who they are and how they are configured. They take turns, every reply is
# held against what it must be (bench/rounds.sh), and all of it is saved. A peer that cannot be installed
# or started is left out, which is told with the reason. QUICK=1 is a look that takes less than a minute.
# The status is 0 also where a target is not met: that is told, not judged.
set -u
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit
WARM_SECONDS=0.3 # long enough for the slowest to answer something to 64 clients
source bench/place.sh
source bench/rounds.sh
source bench/contestants.sh
source bench/machine.sh

readonly COMPOSE=(nginx-lua fastify express flask) PASS_ONLY=(nginx haproxy)
peers=$BUILD/peers # a copy, so that what npm installs is no part of the sources

form=full rounds=5 seconds=0.7 warm_seconds=1.5 clients='1 64'
[[ ! ${QUICK:-} ]] || form=quick rounds=2 seconds=0.3 warm_seconds=0.5 clients=64
result=${1:-$BUILD/bench/peers-$form.json}

left_out() {
  printf 'bench: %s is left out: %s\n' "$1" "$2" >&2
  jq -nc --arg name "$1" --arg reason "$2" '$ARGS.named' >>"$place/left_out"
}

end_of() { tail -n 3 -- "$1" | tr '\n' ' '; }

# What the lock file names, once.
install_node() {
  mkdir -p -- "$peers"
  cp -R -- bench/peers/. "$peers"
  cmp -s -- "$peers/package-lock.json" "$peers/node_modules/.installed" && return
  echo "Installing Node.js, Express and Fastify; this takes a minute" >&2
  if (cd -- "$peers" && npm ci --no-progress) >"$place/npm" 2>&1; then
    cp -- "$peers/package-lock.json" "$peers/node_modules/.installed"
  else
    rm -rf -- "$peers/node_modules"
  fi
}

declare -A runs # by name: is it started?

start_peer() {
  local name=$1
  case $name in express | fastify)
    [[ -d $peers/node_modules ]] || { left_out "$name" "npm ci: $(end_of "$place/npm")" && return; } ;;
  esac
  port "$name"
  PORT=${ports[$name]} CORES=$(nproc) USERS_SOCKET=$place/users/users.sock ORDERS_SOCKET=$place/orders/orders.sock \
    own "$name" "$peers/$name/start"
  until_so "$START_SECONDS" is_peer_decided "$name" "$started_pid"
  if peer_answers "$name"; then
    runs[$name]=1
  else
    left_out "$name" "it does not answer: $(end_of "$place/$name/$name.log")"
  fi
}

peer_answers() { curl -sf --noproxy '*' --max-time 3 -o "$place/probe" "http://127.0.0.1:${ports[$1]}/users"; }
is_peer_decided() { peer_answers "$1" || is_ended "$2"; }

both_gateways() {
  jq '.defaults += { coalesce: false }' fcgi-gateway/gateway.json >"$place/alone.json"
  gateway shipped "$ROOT/fcgi-gateway/gateway.json" "${to_services[@]}"
  gateway alone "$place/alone.json" "${to_services[@]}"
}

# rounds_of ROUTE PATH CONTESTANT=PORT'S-NAME...: a contestant's name is "ROUTE.NAME", see figures.jq.
rounds_of() {
  local route=$1 path=$2 each names=()
  shift 2
  for each in "$@"; do
    [[ ${ports[${each#*=}]:-} && (${runs[${each#*=}]:-} || $each == gateway*) ]] || continue
    contestant "$route.${each%=*}" "http://127.0.0.1:${ports[${each#*=}]}$path" "$place/$route.body"
    names+=("$route.${each%=*}")
  done
  rounds warm 1 "$warm_seconds" 64 "${names[@]}" # compilers that compile while it runs have done so then
  rounds "$route" "$rounds" "$seconds" "$clients" "${names[@]}"
}

measure() {
  application
  expect_replies
  both_gateways
  install_node
  local name
  for name in "${PASS_ONLY[@]}" "${COMPOSE[@]}"; do
    start_peer "$name"
  done
  # Sharing the replies of identical requests at the same time would make a benchmark look better than
  # life: it is shown, but the gateway that is held against the others does not.
  local composing=(gateway=alone gateway-shared=shipped "${COMPOSE[@]}")
  rounds_of users /users gateway=shipped "${PASS_ONLY[@]}" "${COMPOSE[@]}"
  rounds_of user-orders /users/1/orders "${composing[@]}"
  rounds_of dashboard /dashboard "${composing[@]}"
  progress ''
}

python_version() { /usr/bin/python3 -c "from importlib.metadata import version; print(version('$1'))" 2>/dev/null; }
npm_version() { jq -r .version "$peers/node_modules/$1/package.json" 2>/dev/null; }

versions() {
  jq -n --arg nginx "$(first_of_both nginx -v | cut -d / -f 2)" \
    --arg lua_nginx_module "$(dpkg-query -W -f '${Version}' libnginx-mod-http-lua 2>/dev/null)" \
    --arg haproxy "$(first_of_both haproxy -v | awk '{ print $3 }')" \
    --arg node "$(first_of_both "$peers"/node_modules/node-linux-*/bin/node -v)" \
    --arg fastify "$(npm_version fastify)" --arg fastify_http_proxy "$(npm_version @fastify/http-proxy)" \
    --arg undici "$(npm_version undici)" --arg express "$(npm_version express)" \
    --arg http_proxy_middleware "$(npm_version http-proxy-middleware)" \
    --arg flask "$(python_version flask)" --arg requests "$(python_version requests)" \
    --arg gunicorn "$(python_version gunicorn)" '$ARGS.named'
}

first_of_both() { "$@" 2>&1 | head -n 1; }

save() {
  mkdir -p -- "$(dirname -- "$result")"
  touch -- "$place/left_out"
  jq -n --arg form "$form" --arg taken "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg commit "$(commit)" \
    --argjson changed "$(is_changed)" --argjson machine "$(machine)" --argjson took_s "$SECONDS" \
    --argjson versions "$(versions)" --argjson rounds "$rounds" --argjson seconds "$seconds" \
    --slurpfile left_out "$place/left_out" --slurpfile slices "$place/slices" '
    { format: 1 } + $ARGS.named' >"$place/measured" || fail "the result cannot be saved"
  jq -f bench/peers/figures.jq -- "$place/measured" >"$result" || fail "the figures cannot be made"
}

place_make
measure
save
jq -rf bench/peers/table.jq -- "$result"
echo
echo "All of it is in $result; it took $SECONDS s."
