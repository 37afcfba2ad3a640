#!/usr/bin/env bats
# explain: `--explain 'GET /path'` says what a request would meet, and `--routes` lists all routes.
load helpers

setup() {
  FILE=$BATS_TEST_TMPDIR/gateway.json
  GATEWAY=$BUILD/fcgi-gateway
  PERK=$ROOT/fcgi-gateway/gateway.json
  unset USERS_SERVICE_URL ORDERS_SERVICE_URL
}

# says EXPECTED COMMAND [ARGUMENT...]: the command's output, but for its status, is just this.
says() {
  local expected=$1
  shift
  run --separate-stderr "$@"
  diff <(printf '%s' "$expected") <(printf '%s' "$output") && [[ ! $stderr ]]
}

# The line of a route in a file.
line_of() { grep -nF "\"$1\":" "$2" | cut -d: -f1; }

@test "a composed route: its calls in waves, what their failures mean, its reply" {
  says "GET /users/1/orders

Route     GET /users/{id:int}/orders
          $PERK:$(line_of 'GET /users/{id:int}/orders' "$PERK")
          id is 1
Guards    a request body of more than 1MiB is answered 413
          users: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
          orders: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
Deadline  30s for all calls together
Calls     first, at the same time
            user    users GET /users/{id}                    within 5s
            orders  orders GET /orders/user/{id}?limit=1000  within 5s
Failures  of user, orders: the first in this order counts
            4xx           goes to the client as it is
            5xx           counts as unreachable
            3xx, no JSON  counts as broken
            unreachable   503
            timeout       503
            broken        502
            refused       503
          with the body of 'failure': error, message, partial_data
Reply     200: service, user, orders_summary" "$GATEWAY" --explain 'GET /users/1/orders' "$PERK"
  [ "$status" = 0 ]
}

@test "a call that needs another comes in a later wave and says what it waits for" {
  says "POST /orders

Route     POST /orders
          $PERK:$(line_of 'POST /orders' "$PERK")
Guards    a request body of more than 1MiB is answered 413
          a request body that is not JSON is answered 400 or 415
          users: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
          orders: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
Deadline  30s for all calls together
Calls     first
            user  users GET /users/{body.user_id}  within 5s  when {body.user_id:int}
          then
            order  orders POST /orders  within 5s  after user
Failures  of user, order: the first in this order counts
            4xx           goes to the client as it is
            5xx           goes to the client as it is if it is JSON, else counts as unreachable
            3xx, no JSON  counts as broken
            unreachable   503
            timeout       503
            broken        502
            refused       503
          with a body of the gateway's own: error, message
Reply     {order.\$status}: {order}
          header fields: Location, ETag" "$GATEWAY" --explain 'POST /orders' "$PERK"
}

@test "a route that passes through, a built-in one and a static one" {
  says "PATCH /users/7?dry=1

Route     PATCH /users/{id:int}
          $PERK:$(line_of 'PATCH /users/{id:int}' "$PERK")
          id is 7
Guards    a request body of more than 1MiB is answered 413
          users: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
Pass      to users, unix:run/users.sock
          path and query as they came
          5s without a sign of the service is a timeout
Failures  of the service
            unreachable  503
            timeout      503
            broken       502
            refused      503
          with a body of the gateway's own: error, message
Reply     the service's, streamed" "$GATEWAY" --explain 'PATCH /users/7?dry=1' "$PERK"
  says "HEAD /health

Route     GET /health
          $PERK:$(line_of 'GET /health' "$PERK")
Guards    a request body of more than 1MiB is answered 413
Calls     users GET /health, within 2s
          orders GET /health, within 2s
Failures  a service that does not answer 2xx makes the reply a 503
Reply     200: the state of the gateway and of every upstream" "$GATEWAY" --explain 'HEAD /health' "$PERK"
  says "GET /

Route     GET /
          $PERK:$(line_of 'GET /' "$PERK")
Guards    a request body of more than 1MiB is answered 413
Reply     200: service, version, description, barista, available_endpoints" "$GATEWAY" --explain 'GET /' "$PERK"
}

@test "a route that uses all of the language" {
  local file=$ROOT/test/good/everything.json
  says "GET /users/5/orders?limit=3

Route     GET /users/{id:int}/orders
          $file:$(line_of 'GET /users/{id:int}/orders' "$file")
          id is 5
Guards    a request body of more than 1MiB is answered 413
          pages of https://shop.example may read the reply
          a preflight is answered 204
          users: 2 servers by a hash, 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
          orders: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
Deadline  3s for all calls together
Calls     first, at the same time
            user    users GET /users/{id}                             within 3s
            orders  orders GET /orders/user/{id}?limit={query.limit}  within 1s
          then
            waiters  users POST /lookup  within 3s  after orders; each {orders.orders}, 4 at the same time; when {each.waiter_id}
Failures  of user, waiters: the first in this order counts
            4xx           goes to the client as it is
            5xx           counts as unreachable
            3xx, no JSON  counts as broken
            unreachable   503
            timeout       504
            broken        502
            refused       503
          with the body of 'failure': error, user
          of jq: an error, no value or several count as broken, too long as timeout
          of orders: its 'else' takes the place of its reply: orders
Reply     200: user, orders, waiters
          through jq: . + {total: (.orders | length)}
          header fields: X-Content-Type-Options
Kept      replies to GET for 5s where the service says nothing else, stale for 30s more" "$GATEWAY" --explain 'GET /users/5/orders?limit=3' "$file"
  says "PUT /api/v1/orders/7/items

Route     GET,PUT /api/v1/orders/{rest*}
          $file:$(line_of 'GET,PUT /api/v1/orders/{rest*}' "$file")
          rest is 7/items
Guards    a request body of more than 10MiB is answered 413
          pages of https://shop.example, https://*.shop.example may read the reply, with credentials
          a preflight is answered 204
          orders: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
Pass      to orders, http://127.0.0.1:5002
          as orders /{rest}, with the client's query
          request header fields: X-Gateway, X-Version
          request header fields taken away: Cookie
          query parameters: source
          query parameters taken away: debug
          30s without a sign of the service is a timeout
Failures  of the service
            unreachable  503
            timeout      503
            broken       502
            refused      503
          with the body of 'errors': error
Reply     the service's, streamed
          header fields: X-Content-Type-Options, X-Served-By
          header fields taken away: Server
Kept      replies to GET for 1s where the service says nothing else, stale for 10s more" "$GATEWAY" --explain 'PUT /api/v1/orders/7/items' "$file"
}

@test "a jq program can fail where no call can, and its route has a deadline" {
  printf '%s' '{
  "upstreams": { "users": { "servers": ["unix:u"], "breaker": null, "max_concurrent": null, "retry": null } },
  "errors": { "timeout": 503 },
  "routes": {
    "GET /sum": { "jq": "1 + 2", "timeout": "2s" },
    "GET /all": {
      "calls": { "a": { "call": "users GET /a", "else": {} } },
      "jq": ".a | length", "failure": { "sorry": "{error.title}" }
    }
  }
}' >"$FILE"
  says "GET /sum

Route     GET /sum
          $FILE:5
Guards    a request body of more than 1MiB is answered 413
Deadline  2s for the jq program
Failures  of jq: an error, no value or several count as broken, too long as timeout
            timeout  503
            broken   502
          with a body of the gateway's own: error, message
Reply     200: {}
          through jq: 1 + 2" "$GATEWAY" --explain 'GET /sum' "$FILE"
  says "GET /all

Route     GET /all
          $FILE:6
Guards    a request body of more than 1MiB is answered 413
Deadline  30s for all calls together
Calls     first
            a  users GET /a  within 5s
Failures  of jq: an error, no value or several count as broken, too long as timeout
            timeout  503
            broken   502
          with the body of 'failure': sorry
          of a: its 'else' takes the place of its reply: {}
Reply     200: all calls' replies
          through jq: .a | length" "$GATEWAY" --explain 'GET /all' "$FILE"
  run -0 "$GATEWAY" --routes "$FILE"
  [[ ${lines[1]} =~ ^GET\ +/sum\ +static\ +2s\ +5$ ]]
}

@test "a program of several lines is shown in lines, and a line end in another text as one" {
  printf '%s' '{ "routes": {
    "GET /sum": { "jq": "# the sum, and no more\n.a + .b\n\n  | {\"sum\": .}\n", "failure": { "a": 1 } },
    "GET /text": { "reply": "first\nsecond\tthird" },
    "GET /array": { "reply": [
      1,
      2
    ] }
  } }' >"$FILE"
  run -0 "$GATEWAY" --explain 'GET /sum' "$FILE"
  [[ $output == *'
          through jq:
            # the sum, and no more
            .a + .b
              | {"sum": .}' ]]
  run -0 "$GATEWAY" --explain 'GET /text' "$FILE"
  [[ $output == *'Reply     200: first\nsecond\tthird' ]]
  run -0 "$GATEWAY" --explain 'GET /array' "$FILE"
  [[ $output == *'Reply     200: [      1,      2    ]' ]]
}

@test "a query that the file changes does not go on as it came" {
  printf '%s' '{
  "upstreams": { "u": { "servers": ["unix:u"] } },
  "routes": {
    "GET /a": { "pass": "u", "request": { "query": { "key": "x", "debug": null } } },
    "GET /b": "u"
  }
}' >"$FILE"
  run -0 "$GATEWAY" --explain 'GET /a' "$FILE"
  [[ $output == *'
          path as it came, and the query but for what is said here
          query parameters: key
          query parameters taken away: debug
'* ]]
  run -0 "$GATEWAY" --explain 'GET /b' "$FILE"
  [[ $output == *'
          path and query as they came
'* ]]
  sed -i 's/"upstreams"/"defaults": { "request": { "query": { "debug": null } } }, &/' "$FILE"
  run -0 "$GATEWAY" --explain 'GET /b' "$FILE"
  [[ $output == *'
          path as it came, and the query but for what is said here
          query parameters taken away: debug
'* ]]
}

@test "only what can be kept is said to be kept" {
  local routes='"GET /a":"u","POST /b":"u","GET,POST /c":"u","GET /d":{"reply":"{body.x}"}'
  printf '{"upstreams":{"u":{"servers":["unix:u"]}},"defaults":{"cache":"5s"},"routes":{%s}}' "$routes" >"$FILE"
  for request in 'GET /a' 'HEAD /a' 'POST /c'; do
    run -0 "$GATEWAY" --explain "$request" "$FILE"
    [[ $output == *$'\nKept      replies to GET for 5s'* ]]
  done
  for request in 'POST /b' 'GET /d'; do
    run -0 "$GATEWAY" --explain "$request" "$FILE"
    [[ $output != *Kept* ]]
  done
  printf '{"upstreams":{"u":{"servers":["unix:u"]}},"defaults":{"cache":"5s"},"limits":{"cache":"0B"},"routes":{%s}}' "$routes" >"$FILE"
  run -0 "$GATEWAY" --explain 'GET /a' "$FILE"
  [[ $output != *Kept* ]]
}

@test "the description of the routes is explained" {
  says "GET /openapi.json

Route     GET /openapi.json
          $PERK:$(line_of 'GET /openapi.json' "$PERK")
Guards    a request body of more than 1MiB is answered 413
Reply     200: the description of all routes, OpenAPI 3.1" "$GATEWAY" --explain 'GET /openapi.json' "$PERK"
}

@test "what no route answers is explained too, with status 1" {
  says "DELETE /users

Route     none for this method: 405, Allow: GET, HEAD, POST
          the path has GET /users
          the path has POST /users" "$GATEWAY" --explain 'DELETE /users' "$PERK"
  [ "$status" = 1 ]
  says "GET /users/1/ordrs

Route     none has this path: 404
          near it is GET /users/{id:int}/orders" "$GATEWAY" --explain 'GET /users/1/ordrs' "$PERK"
  [ "$status" = 1 ]
  says "GET /nothing

Route     none has this path: 404" "$GATEWAY" --explain 'GET /nothing' "$PERK"
  says "GET /../x

Route     none: 400, the path is not a valid one" "$GATEWAY" --explain 'GET /../x' "$PERK"
  [ "$status" = 1 ]
}

@test "what lighttpd refuses by itself is explained as what it is: a request that no route sees" {
  local path refused=(/a/b//c //a /a// /a/%0a /a/x%1Fy /a/%7f '/a/b?c=%00')
  local taken=('/a/%2F%2f' '/a/b?c=//' /a/%20 /a/%C2%80 '/a/b?%') codes=
  printf '{"routes":{"GET /a/{rest*}":{"reply":1}}}' >"$FILE"
  choose_place
  GATEWAY_CONFIG=$FILE start_app gateway
  for path in "${refused[@]}" "${taken[@]}"; do
    get "$path"
    codes+="$code "
  done
  stop_app_as_it_is
  [ "$codes" = "400 400 400 400 400 400 400 200 200 200 200 200 " ]
  for path in "${refused[@]}"; do
    says "GET $path

Route     none: 400, lighttpd refuses '//' in a path, and control characters" "$GATEWAY" --explain "GET $path" "$FILE"
    [ "$status" = 1 ]
  done
  for path in "${taken[@]}"; do
    run -0 "$GATEWAY" --explain "GET $path" "$FILE"
  done
}

@test "what is no request is told so, with status 2" {
  for request in '' GET '/users' 'GET users' 'GET  /users'; do
    run -2 --separate-stderr "$GATEWAY" --explain "$request" "$PERK"
    [[ $stderr == "a request is a method, a space and a path, such as 'GET /users/1'" && ! $output ]]
  done
  run -2 --separate-stderr "$GATEWAY" --explain ' /users' "$PERK"
  [[ $stderr == "a request is a method, a space and a path, such as 'GET /users/1'" && ! $output ]]
  for request in 'FOO /users' 'get /users'; do
    run -2 --separate-stderr "$GATEWAY" --explain "$request" "$PERK"
    [[ $stderr == "'${request%% *}' is no method (known are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS)" && ! $output ]]
  done
  for request in 'GET /users/1 HTTP/1.1' 'GET /users?a=b c'; do
    run -2 --separate-stderr "$GATEWAY" --explain "$request" "$PERK"
    [[ $stderr == "a path has no space: write %20 for one, and nothing behind the path, such as 'GET /users/1'" && ! $output ]]
  done
  run -2 "$GATEWAY" --explain
  [[ $output == usage:* ]]
}

@test "what a request must have, what a route takes back of what holds for all, and what deadlines leave of a call's time" {
  printf '%s' '{
  "upstreams": { "users": { "servers": ["unix:u"] } },
  "errors": { "body": { "oh": "{error.title}" } },
  "defaults": { "headers": { "X-Frame-Options": "DENY" } },
  "routes": {
    "GET /pass": { "pass": "users /{query.x}?y={query.y}", "errors": { "body": null } },
    "GET /old": { "redirect": "/new/{header.X-Tenant}" },
    "GET /old2": { "redirect": "/new?a={query.a}" },
    "GET /both": { "timeout": "2s", "reply": "{a}",
      "calls": { "a": "users GET /{query.id:int}", "b": { "call": "users GET /b", "timeout": "1s", "else": 1 } } },
    "GET /openapi.json": "builtin:openapi",
    "GET /health": "builtin:health"
  }
}' >"$FILE"
  says "GET /pass

Route     GET /pass
          $FILE:6
Guards    a request body of more than 1MiB is answered 413
          a request that lacks {query.x} is answered 400
          users: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
Pass      to users, unix:u
          as users /{query.x}?y={query.y}, with the client's query
          5s without a sign of the service is a timeout
Failures  of the service
            unreachable  502
            timeout      504
            broken       502
            refused      503
          with a body of the gateway's own: error, message
Reply     the service's, streamed
          header fields: X-Frame-Options" "$GATEWAY" --explain 'GET /pass' "$FILE"
  run -0 "$GATEWAY" --explain 'GET /old' "$FILE"
  [[ $output == *"a request that lacks {header.X-Tenant} is answered 400"* ]]
  run -0 "$GATEWAY" --explain 'GET /old2' "$FILE"
  [[ $output != *"that lacks"* ]]
  run -0 "$GATEWAY" --explain 'GET /both' "$FILE"
  [[ $output == *"a request that lacks {query.id:int} is answered 400"* ]]
  [[ $output == *"a  users GET /{query.id:int}  within 2s"*"b  users GET /b               within 1s"* ]]
  run -0 "$GATEWAY" --explain 'GET /openapi.json' "$FILE"
  [[ $output == *"OpenAPI 3.1
          header fields: X-Frame-Options" ]]
  run -0 "$GATEWAY" --explain 'GET /health' "$FILE"
  [[ $output == *"every upstream
          header fields: X-Frame-Options" ]]
}

@test "what is changed on the way to the service and back, and where a redirect leads" {
  printf '%s' '{
  "upstreams": { "users": { "servers": ["unix:u"] } },
  "defaults": { "timeout": "3s", "headers": { "X-Frame-Options": "DENY", "Server": null } },
  "routes": {
    "GET /a/{rest*}": {
      "pass": "users /b/{rest}?x=1",
      "limits": { "body": "1KiB" },
      "request": { "headers": { "X-A": "1", "Cookie": null }, "query": { "key": "v" } }
    },
    "GET /old/{id}": { "redirect": "/new/{id}", "status": 308, "headers": { "Server": "x" } }
  }
}' >"$FILE"
  says "GET /a/x/y

Route     GET /a/{rest*}
          $FILE:5
          rest is x/y
Guards    a request body of more than 1KiB is answered 413
          users: 512 calls at the same time, 256 wait, 3 attempts, left alone for 1s when 50% of 20 calls or more fail within 10s
Pass      to users, unix:u
          as users /b/{rest}?x=1, with the client's query
          request header fields: X-A
          request header fields taken away: Cookie
          query parameters: key
          3s without a sign of the service is a timeout
Failures  of the service
            unreachable  502
            timeout      504
            broken       502
            refused      503
          with a body of the gateway's own: error, message
Reply     the service's, streamed
          header fields: X-Frame-Options
          header fields taken away: Server" "$GATEWAY" --explain 'GET /a/x/y' "$FILE"
  says "GET /old/7

Route     GET /old/{id}
          $FILE:10
          id is 7
Guards    a request body of more than 1MiB is answered 413
Reply     308: to /new/{id}, with the client's query
          header fields: X-Frame-Options, Server" "$GATEWAY" --explain 'GET /old/7' "$FILE"
}

@test "--routes lists methods, path, kind, calls, timeout and line" {
  printf '%s' '{
  "upstreams": {
    "users": { "servers": ["unix:u"], "timeout": "1500ms" },
    "orders": { "servers": ["unix:o"] }
  },
  "routes": {
    "GET,POST /users": "users",
    "GET /café/{name}": { "pass": "orders", "timeout": "2min" },

    "GET /both/{id:int}": {
      "calls": { "user": "users GET /{id}", "all": "orders GET /{id}" },
      "reply": "{user}"
    },
    "GET /health": "builtin:health",
    "GET /": { "reply": 1 },
    "GET /old": { "redirect": "/" },
    "GET /api": "builtin:openapi"
  }
}' >"$FILE"
  says 'METHODS   PATH            KIND      CALLS                  TIMEOUT  LINE
GET,POST  /users          pass      users                  1500ms   7
GET       /café/{name}    pass      orders                 2min     8
GET       /both/{id:int}  compose   user=users all=orders  30s      10
GET       /health         health    users orders                    14
GET       /               static                                    15
GET       /old            redirect                                  16
GET       /api            openapi                                   17' "$GATEWAY" --routes "$FILE"
}

@test "a file with mistakes is not explained: they are told" {
  printf '{"routes":{"GET /":"nobody"}}' >"$FILE"
  for how in --routes --check '--explain GET\ /'; do
    eval "run -1 --separate-stderr \"\$GATEWAY\" $how \"\$FILE\""
    [[ $stderr == "$FILE:1:20: there is no upstream 'nobody' (the file has no 'upstreams')" && ! $output ]]
  done
}
