# shellcheck shell=bash disable=SC2154
# contestants: what is held against what: the gateway, lighttpd's own ways to the same services, the floor.
#
#   source bench/place.sh; source bench/rounds.sh
#   application       users and orders, with a TCP port each beside their sockets
#   expect_replies    what they and the gateway must answer, made from the services' replies by jq
#   contestants       starts those who pass through and compose, and declares them
#   body_contestants, call_contestants, order_contestants, route_contestants    the same for what grows

# wrk speaks no unix sockets: the same web servers listen on TCP as well.
application() {
  service users users
  service orders orders
  to_services=("USERS_SERVICE_URL=unix:$place/users/users.sock" "ORDERS_SERVICE_URL=unix:$place/orders/orders.sock")
}

# service NAME PLACE: a service as it is shipped, with a port `ports[NAME@PLACE]` beside its socket.
service() {
  local name=$1 file=$place/$2-$1.plan
  port "$1@$2"
  {
    cat -- "$ROOT/lighttpd/$name.conf"
    echo "\$SERVER[\"socket\"] == \"127.0.0.1:${ports[$1@$2]}\" { }"
  } >"$file"
  export "${name^^}_BIND=$place/$2/$name.sock"
  web "$2" "$file"
  until_so "$START_SECONDS" curl -sf --noproxy '*' "http://127.0.0.1:${ports[$1@$2]}/health" ||
    fail "the $name service does not answer: $(tail -n 5 -- "$place/$2/$2.log")"
}

service_url() { echo "http://127.0.0.1:${ports[$1@$1]}"; }

expect_replies() {
  local users orders
  users=$(service_url users) orders=$(service_url orders)
  fetch users "$users/users"
  fetch user "$users/users/1"
  fetch orders "$orders/orders/user/1?limit=1000"
  fetch users-summary "$users/users/summary"
  fetch orders-summary "$orders/orders/summary"
  jq -cn --slurpfile u "$place/user.body" --slurpfile o "$place/orders.body" '{
    service: "api-gateway (orchestration)", user: $u[0].user,
    orders_summary: { total_orders: $o[0].total, orders: $o[0].orders } }' >"$place/user-orders.body"
  expect_dashboard "$place/orders-summary.body" >"$place/dashboard.body"
  jq -e '.user.id == 1 and (.orders_summary.orders | length) == 3' "$place/user-orders.body" >/dev/null &&
    jq -e '.total == 6' "$place/users.body" >/dev/null && return
  fail "the services have not the data that they start with"
}

fetch() { curl -sf --noproxy '*' -o "$place/$1.body" "$2" || fail "$2 does not answer"; }

expect_dashboard() {
  jq -cn --slurpfile u "$place/users-summary.body" --slurpfile o "$1" '$u[0] as $u | $o[0] as $o | {
    service: "api-gateway (dashboard orchestration)",
    overview: { total_users: $u.total_users, total_orders: $o.total_orders, total_revenue: $o.total_revenue,
      average_order_value: $o.average_order_value },
    orders_analysis: { by_status: $o.by_status, by_category: $o.by_category },
    most_active_user: $o.most_active_user }'
}

# The gateway as shipped, the same without sharing replies, mod_proxy, and the floors.
contestants() {
  application
  expect_replies
  jq '.defaults += { coalesce: false }' "$ROOT/fcgi-gateway/gateway.json" >"$place/alone.json"
  gateway shipped "$ROOT/fcgi-gateway/gateway.json" "${to_services[@]}"
  gateway alone "$place/alone.json" "${to_services[@]}"
  others

  local shipped=http://127.0.0.1:${ports[shipped]} alone=http://127.0.0.1:${ports[alone]}
  contestant direct "$(service_url users)/users" "$place/users.body"
  contestant mod_proxy "http://127.0.0.1:${ports[proxy]}/users" "$place/users.body"
  contestant gateway "$shipped/users" "$place/users.body"
  contestant hello "http://127.0.0.1:${ports[hello]}/" "$place/users.body"
  contestant relay "http://127.0.0.1:${ports[relay]}/" "$place/users.body"
  contestant user-orders "$alone/users/1/orders" "$place/user-orders.body"
  contestant dashboard "$alone/dashboard" "$place/dashboard.body"
  contestant user-orders-shared "$shipped/users/1/orders" "$place/user-orders.body"
  contestant dashboard-shared "$shipped/dashboard" "$place/dashboard.body"
  contestant call-user "$(service_url users)/users/1" "$place/user.body"
  contestant call-orders "$(service_url orders)/orders/user/1?limit=1000" "$place/orders.body"
  contestant call-users-summary "$(service_url users)/users/summary" "$place/users-summary.body"
  contestant call-orders-summary "$(service_url orders)/orders/summary" "$place/orders-summary.body"
}

# One lighttpd with the gateway's settings: mod_proxy to the internal endpoints on one port each, and
# the responders that do nothing but answer, and nothing but ask for their answer.
others() {
  local name
  for name in hello relay; do
    ln -s -- "$BUILD/bench/$name" "$place/$name" # lighttpd splits a bin-path at spaces
  done
  for name in proxy hello relay bytes-proxy; do
    port "$name"
  done
  {
    cat <<END
include "$ROOT/lighttpd/common.conf"
server.modules := ( "mod_proxy", "mod_fastcgi" )
server.port = ${ports[proxy]}
server.bind = "127.0.0.1"
server.max-keep-alive-idle = 15
proxy.server = ( "" => (( "host" => "$place/users/users.sock" )) )
\$SERVER["socket"] == "127.0.0.1:${ports[bytes-proxy]}" {
  proxy.server = ( "" => (( "host" => "$place/bytes/bytes.sock" )) )
}
\$SERVER["socket"] == "127.0.0.1:${ports[hello]}" {
  proxy.server = ()
  fastcgi.server = ( "/" => (( "bin-path" => "$place/hello", "socket" => "$place/others/hello.fcgi",
    "max-procs" => 1, "check-local" => "disable", "listen-backlog" => 4096,
    "bin-environment" => ( "HELLO_FILE" => "$place/users.body" ) )) )
}
\$SERVER["socket"] == "127.0.0.1:${ports[relay]}" {
  proxy.server = ()
  fastcgi.server = ( "/" => (( "bin-path" => "$place/relay", "socket" => "$place/others/relay.fcgi",
    "max-procs" => 1, "check-local" => "disable", "listen-backlog" => 4096,
    "bin-environment" => ( "RELAY_PATH" => "/users", "RELAY_SOCKET" => "$place/users/users.sock" ) )) )
}
END
  } >"$place/others.plan"
  web others "$place/others.plan"
}

## What grows

# Bodies of 1 KB to 10 MB: files of a lighttpd, by the gateway and by mod_proxy.
body_contestants() {
  local size
  port bytes
  mkdir -- "$place/files"
  cat >"$place/bytes.plan" <<END
include "common.conf"
server.modules := ( "mod_staticfile" )
server.document-root := "$place/files"
server.bind = "$place/bytes/bytes.sock"
server.max-keep-alive-idle = 60
\$SERVER["socket"] == "127.0.0.1:${ports[bytes]}" { }
END
  web bytes "$place/bytes.plan"
  jq -n --arg bytes "unix:$place/bytes/bytes.sock" '{ upstreams: { bytes: { servers: [$bytes] } },
    routes: { "GET /{rest*}": "bytes" } }' >"$place/bodies.json"
  gateway bodies "$place/bodies.json"
  for size in "$@"; do
    head -c "$size" /dev/zero | tr '\0' x >"$place/files/$size"
    contestant body-direct "http://127.0.0.1:${ports[bytes]}/$size" "$place/files/$size" "$size"
    contestant body-proxy "http://127.0.0.1:${ports[bytes-proxy]}/$size" "$place/files/$size" "$size"
    contestant body-gateway "http://127.0.0.1:${ports[bodies]}/$size" "$place/files/$size" "$size"
  done
}

# One reply composed of so many calls of the users service.
call_contestants() {
  local size
  jq '.defaults += { coalesce: false } | .routes += ([$ARGS.positional[] | tonumber as $n |
      { key: "GET /calls/\($n)", value: {
        calls: ([range($n) | { key: "c\(.)", value: "users GET /users/1" }] | from_entries),
        reply: ([range($n) | { key: "c\(.)", value: "{c\(.).user}" }] | from_entries) } }] | from_entries)' \
    "$ROOT/fcgi-gateway/gateway.json" --args "$@" >"$place/calls.json"
  gateway calls "$place/calls.json" "${to_services[@]}"
  for size in "$@"; do
    jq -c --argjson n "$size" '[range($n) as $i | { key: "c\($i)", value: .user }] | from_entries' \
      "$place/user.body" >"$place/calls-$size.body"
    contestant calls "http://127.0.0.1:${ports[calls]}/calls/$size" "$place/calls-$size.body" "$size"
  done
}

# The same application with so many orders. Those that are added are of other users than the one who
# is asked about: her reply stays what it was.
order_contestants() {
  local size where
  for size in "$@"; do
    seed_orders "$size"
    service orders "orders-$size"
    gateway "with-$size" "$place/alone.json" "USERS_SERVICE_URL=unix:$place/users/users.sock" \
      "ORDERS_SERVICE_URL=unix:$place/orders-$size/orders.sock"
    where=http://127.0.0.1:${ports[with-$size]}
    fetch "summary-$size" "http://127.0.0.1:${ports[orders@orders-$size]}/orders/summary"
    jq -e --argjson size "$size" '.total_orders == $size' "$place/summary-$size.body" >/dev/null ||
      fail "there are not $size orders: $(cat "$place/summary-$size.body")"
    expect_dashboard "$place/summary-$size.body" >"$place/dashboard-$size.body"
    contestant orders-dashboard "$where/dashboard" "$place/dashboard-$size.body" "$size"
    contestant orders-of-user "$where/users/1/orders" "$place/user-orders.body" "$size"
  done
}

# The service makes its database; the orders are added while its triggers and indexes are away.
seed_orders() {
  local size=$1 folder=$place/orders-$1
  (umask 077 && mkdir -p -- "$folder")
  env RUN_DIR="$folder" DATABASE_PATH="$folder/orders.db" REQUEST_METHOD=GET REQUEST_URI=/health \
    "$BUILD/fcgi-orders" >/dev/null 2>"$folder/seed.log" || fail "no database: $(cat -- "$folder/seed.log")"
  ((size > 10)) || return 0
  {
    echo "PRAGMA synchronous = off; PRAGMA journal_mode = off; BEGIN;"
    things "$folder" | sed "s/^\([^ ]*\) \([^ ]*\)$/DROP \1 \2;/"
    cat <<END
WITH RECURSIVE n(i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM n WHERE i < $size)
INSERT INTO orders (id, user_id, user_name, product, category, quantity, price, status, order_date, served_by)
SELECT i, 100 + i % max($size / 20, 1), 'Somebody', 'Espresso Duplo',
  CASE i % 4 WHEN 0 THEN 'Bebida Quente' WHEN 1 THEN 'Bebida Gelada' WHEN 2 THEN 'Doce' ELSE 'Sobremesa' END,
  1 + i % 3, 800 + i % 1000, CASE i % 10 WHEN 0 THEN 'preparing' WHEN 1 THEN 'ready' ELSE 'delivered' END,
  '2024-12-01 10:00', 'Gunther' FROM n;
DELETE FROM order_totals; DELETE FROM order_user_totals;
INSERT INTO order_totals SELECT status, category, count(*), sum(price * quantity) FROM orders GROUP BY 1, 2;
INSERT INTO order_user_totals SELECT user_id, count(*), min(id) FROM orders GROUP BY 1;
END
    sqlite3 "$folder/orders.db" "SELECT sql || ';' FROM sqlite_schema
      WHERE tbl_name = 'orders' AND type IN ('index', 'trigger') AND sql NOT NULL"
    echo "COMMIT;"
  } >"$folder/seed.sql"
  sqlite3 "$folder/orders.db" <"$folder/seed.sql" >/dev/null || fail "the orders cannot be added"
  rm -- "$folder/seed.sql"
}

things() {
  sqlite3 -separator ' ' "$1/orders.db" "SELECT type, name FROM sqlite_schema
    WHERE tbl_name = 'orders' AND type IN ('index', 'trigger') AND sql NOT NULL"
}

# Tables of so many routes with static replies, asked for all of them (bench/routes.c).
route_contestants() {
  local size
  echo '{"ok":true}' >"$place/ok.body"
  for size in "$@"; do
    "$BUILD/bench/routes" "$size" >"$place/routes-$size.json"
    "$BUILD/bench/routes" --requests "$size" >"$place/routes-$size.paths"
    ((size >= 10)) || echo "GET /api/v1/users-0" >"$place/routes-$size.paths"
    gateway "routes-$size" "$place/routes-$size.json"
    contestant routes "http://127.0.0.1:${ports[routes-$size]}" "$place/ok.body" "$size" "$place/routes-$size.paths"
  done
}
