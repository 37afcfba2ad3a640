#!/usr/bin/env bats
# graph: calls that depend on each other, their timeouts and the route's deadline, and what stands in
# for a call that fails. The services are Central Perk's own, and one that misbehaves.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GONE=unix:$BATS_FILE_TMPDIR/gone.sock
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "users":  { "servers": ["${USERS_SERVICE_URL:-unix:run/users.sock}"], "title": "Users service" },
    "orders": { "servers": ["${ORDERS_SERVICE_URL:-unix:run/orders.sock}"], "title": "Orders service" },
    "odd":    { "servers": ["${ODD}"], "timeout": "20s", "title": "Odd service" },
    "gone":   { "servers": ["${GONE}"], "title": "Gone service" }
  },
  "routes": {
    "GET /health": { "reply": { "status": "healthy" } },
    "GET /count": "odd",

    "GET /page": {
      "calls": { "users": "users GET /users?limit={query.limit}&after={query.after:int}" },
      "reply": "{users}"
    },
    "GET /target": {
      "calls": { "a": "odd GET /echo?a={query.a}&fixed=1&b={query.b}-{query.c}" },
      "reply": "{a.target}"
    },

    "POST /purchases": {
      "calls": {
        "user":    "users GET /users/{body.user_id}",
        "stock":   { "call": "odd POST /echo/stock", "body": { "product": "{body.product}", "for": "{user.user.id}" } },
        "payment": {
          "call": "odd POST /echo/payments?reservation={stock.method}",
          "headers": { "Idempotency-Key": "{header.Idempotency-Key}" },
          "body": { "amount": "{body.price}", "payer": "{user.user.email}" }
        },
        "order": {
          "call": "orders POST /orders",
          "headers": { "X-Payment": "{payment.target}" },
          "body": { "...": "{body}", "user_name": "{user.user.name}" }
        },
        "mail": { "call": "odd POST /{query.mail}/mails", "body": { "to": "{user.user.email}", "order": "{order.order.id}" }, "else": null }
      },
      "status": "{order.$status}",
      "headers": { "Location": "{order.$headers.Location}" },
      "reply": {
        "order": "{order.order}", "paid": "{payment.target}", "paid_with": "{payment.body}",
        "reserved": "{stock.body}", "mail": "{mail.body}"
      }
    },

    "GET /orders/{id:int}/whole": {
      "calls": {
        "order":    "orders GET /orders/{id}",
        "customer": "users GET /users/{order.order.user_id}?meet={order.order.id}",
        "delivery": "odd GET /barrier/{order.order.id}?n=2",
        "invoice":  "odd GET /barrier/invoices?of={order.order.id}&n=2"
      },
      "reply": {
        "order": "{order.order}", "customer": "{customer.user.name}",
        "delivery": "{delivery.ok}", "invoice": "{invoice.ok}"
      }
    },

    "GET /else/{behaviour}": {
      "calls": {
        "a": { "call": "odd GET /{behaviour}", "timeout": "100ms", "else": { "instead": true, "of": "{behaviour}", "missing": "{query.none}" } },
        "b": "odd GET /json?value={a.instead}"
      },
      "reply": { "a": "{a}", "status": "{a.$status}", "b": "{b}" },
      "failure": { "never": true }
    },
    "GET /else-status/{status}": {
      "calls": { "a": { "call": "odd GET /status/{status}", "else": "{query.else}" } },
      "reply": { "a": "{a}", "b": 1 }
    },
    "GET /else-lack": {
      "calls": {
        "a": "odd GET /ok",
        "b": { "call": "odd GET /echo/{a.none}", "else": [1.50] },
        "c": { "call": "odd GET /echo/{query.none}", "else": "c" },
        "d": { "call": "odd GET /ok", "when": "{query.none}", "else": { "a": "{a.ok}" } },
        "e": { "call": "gone GET /ok", "else": "{query.none}" }
      },
      "reply": { "b": "{b.0}", "c": "{c}", "d": "{d}", "e": "{e}", "all": ["{b}", "{e}"] }
    },

    "GET /own-timeout": {
      "calls": { "a": { "call": "odd GET /silent", "timeout": "150ms" } }, "reply": "{a}"
    },
    "GET /longer-timeout": {
      "calls": { "a": { "call": "odd GET /silent", "timeout": "5s" } }, "reply": "{a}", "timeout": "200ms"
    },
    "GET /deadline": {
      "calls": { "a": "odd GET /json?value=1", "b": "odd GET /silent?{a}", "c": "odd GET /silent" },
      "timeout": "300ms",
      "reply": "{a}",
      "failure": { "title": "{error.title}", "message": "{error.message}", "status": "{error.status}", "a": "{a}" }
    },
    "GET /deadline/chain": {
      "calls": {
        "a": { "call": "odd GET /silent", "else": 1 },
        "b": { "call": "odd POST /echo?{a}", "else": 2 },
        "c": { "call": "odd GET /echo?{b}" }
      },
      "timeout": "200ms",
      "reply": "{c}"
    },
    "GET /deadline/dribble": {
      "calls": { "a": "odd GET /dribble?ms=100" }, "timeout": "300ms", "reply": "{a}"
    },
    "POST /deadline/body": {
      "calls": { "a": "odd GET /json?value={body.v}" }, "timeout": "200ms", "reply": { "a": "{a}" }
    },
    "GET /deadline/else": {
      "calls": { "a": { "call": "odd GET /silent", "else": "late" } }, "timeout": "100ms", "reply": { "a": "{a}" }
    },

    "GET /two-fail": {
      "calls": {
        "a": { "call": "odd GET /json?value=1&ms={query.a}&status=404" },
        "b": { "call": "odd GET /json?value=2&ms={query.b}&status=409" },
        "c": { "call": "odd GET /silent", "timeout": "60ms" }
      },
      "reply": { "a": "{a}", "b": "{b}" }
    }
  }
}
JSON
  start_app
}
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

# made CALLS COMMAND...: runs it; the misbehaving service has got so many requests from it.
made() {
  local before expected=$1
  shift
  before=$(requests)
  "$@"
  [[ $(($(requests) - before - 1)) == "$expected" ]] || { echo "$(($(requests) - before - 2)) calls for $*" && return 1; }
}
requests() { curl -sg "$URL/count" | jq .requests; }

# within MS COMMAND...: it takes no longer.
within() {
  local start=${EPOCHREALTIME/./} most=$1
  shift
  "$@"
  local took=$(((${EPOCHREALTIME/./} - start) / 1000))
  ((took <= most)) || { echo "$took ms for $*" && return 1; }
}

post() { request POST "$1" -H 'Content-Type: application/json' --data-binary "$2" "${@:3}"; }

## Values in the query

@test "a query parameter that the client left out is left out of the call" {
  get '/page?limit=2'
  expect 200
  [[ $(field '[.users[].id] | tostring') == '[1,2]' ]]
  get '/page?limit=2&after=4'
  [[ $(field '[.users[].id] | tostring') == '[5,6]' ]]
  get '/page?after=x&limit=1'
  [[ $(field '[.users[].id] | tostring') == '[1]' ]]
  get /target
  expect 200 '"/echo?fixed=1"'
  get '/target?b=1'
  expect 200 '"/echo?fixed=1"'
  get '/target?a=&b=1&c=2'
  expect 200 '"/echo?a=&fixed=1&b=1-2"'
}

## Whole routes

@test "a purchase of several calls that depend on each other" {
  made 3 post '/purchases?mail=echo' '{"user_id":2,"product":"Espresso","category":"Bebida Quente","quantity":1,"price":8.50}' -H 'Idempotency-Key: k-1'
  expect 201
  [[ $(field .order.user_name) == 'Gabriel Albuquerque' && $(field .order.product) == Espresso ]]
  [[ $(header location) == "/orders/$(field .order.id)" ]]
  [[ $(field .reserved) == '{"product":"Espresso","for":2}' ]]
  [[ $(field .paid) == '/echo/payments?reservation=POST' ]]
  [[ $(field .paid_with) == '{"amount":8.50,"payer":"gabriel.albuquerque@centralperk.com"}' ]]
  [[ $(field .mail) == "{\"to\":\"gabriel.albuquerque@centralperk.com\",\"order\":$(field .order.id)}" ]]
}

@test "a purchase stops where it fails, with the service's own words" {
  made 0 post '/purchases?mail=echo' '{"user_id":99,"product":"Espresso","price":8.50}'
  expect 404 '{"error":"User not found"}'
  made 0 post '/purchases?mail=echo' '{"product":"Espresso","price":8.50}'
  expect 400 '{"error":"Bad request","message":"body.user_id is missing"}'
  made 2 post '/purchases?mail=echo' '{"user_id":1,"product":"","category":"Doce","quantity":1,"price":8.50}'
  expect 422
  [[ $(field .error) == "Validation failed" ]]
}

@test "what does not matter may fail: the purchase is made without a mail" {
  post '/purchases?mail=empty' '{"user_id":2,"product":"Espresso","category":"Bebida Quente","quantity":1,"price":8.50}'
  expect 201
  [[ $(field .order.product) == Espresso && $(field 'has("mail")') == false ]]
}

@test "a record is read, then three services are joined at once" {
  get /orders/3/whole
  expect 200
  [[ $(field .order.user_name) == "$(field .customer)" ]]
  [[ $(field .delivery) == true && $(field .invoice) == true ]]
  made 0 get /orders/999/whole
  expect 404 '{"error":"Order not found"}'
}

## else

@test "a call that fails in whatever way has its else as reply, and what waits for it goes on" {
  local behaviour
  for behaviour in silent empty reset garbage cut not-json redirect nothing stalled; do
    get "/else/$behaviour"
    expect 200 "{\"a\":{\"instead\":true,\"of\":\"$behaviour\"},\"b\":true}"
  done
}

@test "a call that goes well needs no else" {
  get '/else-status/200?else=1'
  expect 200 '{"a":{"status":200},"b":1}'
}

@test "a 4xx or 5xx gives way to an else too" {
  local status
  for status in 400 404 409 500 503; do
    get "/else-status/$status?else=e"
    expect 200 '{"a":"e","b":1}'
  done
}

@test "an else stands in where a value is missing, or the call is not wanted; it may itself be missing" {
  made 1 get /else-lack
  expect 200 '{"b":1.50,"c":"c","d":{"a":true},"all":[[1.50],null]}'
  get '/else-lack?none=1'
  expect 200
  [[ $(field .c.target) == /echo/1 && $(field .d.ok) == true && $(field .e) == 1 ]]
}

## Timeouts and the deadline

@test "a call has a timeout of its own, and says so" {
  within 1000 get /own-timeout
  expect 504 '{"error":"Odd service timeout","message":"Service did not respond in 150 milliseconds"}'
}

@test "no call outlives the route's deadline, and the message says that it was the deadline" {
  within 1500 get /longer-timeout
  expect 504 '{"error":"Odd service timeout","message":"The route'\''s deadline of 200 milliseconds has passed"}'
  within 1500 get /deadline/dribble
  expect 504 '{"error":"Odd service timeout","message":"The route'\''s deadline of 300 milliseconds has passed"}'
}

@test "at the deadline all is over at once, and what is known is told" {
  within 1500 get /deadline
  expect 504 '{"title":"Odd service timeout","message":"The route'\''s deadline of 300 milliseconds has passed","status":504,"a":1}'
}

@test "a call that was not started when the deadline has passed is not made" {
  within 1500 made 1 get /deadline/chain
  expect 504 '{"error":"Odd service timeout","message":"The route'\''s deadline of 200 milliseconds has passed"}'
}

@test "the time that a client takes to send its body is not the calls'" {
  local connection answer
  exec {connection}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'POST /deadline/body HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n{"v":1}' >&"$connection"
  get /deadline/dribble # takes longer than that route's deadline
  head -c 999993 /dev/zero | tr '\0' ' ' >&"$connection"
  answer=$(timeout 5 cat <&"$connection")
  exec {connection}>&-
  [[ $answer == "HTTP/1.1 200 "*'{"a":1}' ]] || { echo "$answer" && return 1; }
}

@test "an else stands in at the deadline too" {
  within 1500 get /deadline/else
  expect 200 '{"a":"late"}'
}

@test "of several failures the first of the file is told, whichever came first" {
  local times
  for times in 'a=0&b=0' 'a=150&b=0' 'a=0&b=150'; do
    get "/two-fail?$times"
    expect 404 1
  done
}
