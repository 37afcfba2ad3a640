#!/usr/bin/env bats
# each: a call for every element of an array of another reply or of the request's body. The services
# are Central Perk's own, and one that answers what the test says and counts what it is asked.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "users":  { "servers": ["${USERS_SERVICE_URL:-unix:run/users.sock}"], "title": "Users service" },
    "orders": { "servers": ["${ORDERS_SERVICE_URL:-unix:run/orders.sock}"], "title": "Orders service" },
    "odd":    { "servers": ["${ODD}"], "timeout": "20s", "title": "Odd service" }
  },
  "errors": { "broken": 523 },
  "limits": { "body": "2MiB" },
  "routes": {
    "GET /health": { "reply": { "status": "healthy" } },
    "GET /count": "odd",

    "GET /orders-with-users": {
      "calls": {
        "orders": "orders GET /orders?limit={query.limit}",
        "joined": {
          "each": "{orders.orders}",
          "call": "users GET /users/{each.user_id}",
          "result": { "id": "{each.id}", "price": "{each.price}", "customer": { "name": "{reply.user.name}", "status": "{reply.$status}" }, "of": "{orders.total}" }
        }
      },
      "reply": { "orders": "{joined}", "first": "{joined.0.customer.name}" }
    },

    "POST /list": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /json?value={each.v}&ms={each.ms}&status={each.status}" } },
      "reply": "{all}"
    },
    "POST /list/3-at-once": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /crowd/{each}", "max": 3, "result": "{reply.crowd}" } },
      "reply": "{all}"
    },
    "POST /list/meet/{n:int}": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /barrier/{each}?n={n}", "result": "{reply.ok}" } },
      "reply": "{all}"
    },
    "POST /list/one-by-one": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /crowd/{each}", "max": 1, "result": "{reply.crowd}" } },
      "reply": "{all}"
    },

    "POST /everywhere/{id}": {
      "calls": {
        "before": "odd GET /json?value={query.before}",
        "all": {
          "each": "{body.items}",
          "call": "odd PUT /echo/{id}/{each.id}?q={each.q}&word={before.word}",
          "headers": { "X-Item": "item {each.id} of {body.name}" },
          "body": { "...": "{each}", "n": "{body.items.0.id}", "word": "{before.word}" },
          "result": { "target": "{reply.target}", "body": "{reply.body}", "headers": "{reply.headers}", "text": "{each.id}: {reply.method}", "type": "{reply.$headers.Content-Type}" }
        }
      },
      "reply": { "all": "{all}" }
    },
    "POST /else": {
      "calls": {
        "all": {
          "each": "{body.items}", "call": "odd GET /json?value={each.v}&status={each.status}",
          "else": { "no": "{each.v}", "of": "{body.name}" },
          "result": { "v": "{each.v}", "got": "{reply}" }
        }
      },
      "reply": { "all": "{all}" }
    },
    "POST /else-raw": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /status/{each}", "else": null } }, "reply": { "all": "{all}" }
    },
    "POST /when": {
      "calls": {
        "all": { "each": "{body}", "call": "odd GET /echo/{each.id}", "when": "{each.wanted}", "result": { "id": "{each.id}", "got": "{reply.target}" } },
        "raw": { "each": "{body}", "call": "odd GET /json?value={each.id}", "when": "{each.wanted}" },
        "none": { "each": "{body}", "call": "odd GET /ok", "when": "{query.wanted}" },
        "instead": { "each": "{body}", "call": "odd GET /ok", "when": "{query.wanted}", "else": [] }
      },
      "reply": { "all": "{all}", "raw": "{raw}", "none": "{none}", "instead": "{instead}" }
    },
    "POST /again": {
      "calls": {
        "a": { "each": "{body}", "call": "odd GET /json?value={each.v}" },
        "b": { "each": "{a}", "call": "odd GET /echo/{each.id}", "result": { "id": "{each.id}", "target": "{reply.target}" } },
        "c": "odd GET /echo/{b.1.id}"
      },
      "reply": { "b": "{b}", "c": "{c.target}" }
    },
    "GET /from-reply": {
      "calls": {
        "list": "odd GET /json?value={query.list}",
        "all": { "each": "{list.items}", "call": "odd GET /json?value={each.v}" }
      },
      "reply": "{all}",
      "failure": { "title": "{error.title}", "message": "{error.message}", "list": "{list}" }
    },
    "GET /from-reply/else": {
      "calls": {
        "list": "odd GET /json?value={query.list}",
        "all": { "each": "{list.items}", "call": "odd GET /json?value={each.v}", "else": "else" }
      },
      "reply": { "all": "{all}" }
    },
    "POST /large": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /list?count={each}" } }, "reply": "{all}"
    },
    "POST /joined-large": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /list?count=100000", "result": "{reply}" } }, "reply": "{all}"
    },
    "POST /sent-large": {
      "calls": { "all": { "each": "{body.items}", "call": "odd POST /echo", "body": { "n": "{each}", "text": "{body.text}" } } }, "reply": "{all}"
    },
    "POST /deadline": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /{each.0}?n={each.1}", "max": 2 } }, "timeout": "300ms", "reply": "{all}"
    },
    "POST /deadline/else": {
      "calls": { "all": { "each": "{body}", "call": "odd GET /{each.0}?n={each.1}", "max": 2, "else": "late" } }, "timeout": "300ms", "reply": "{all}"
    }
  }
}
JSON
  start_app
  responder_pid gateway >"$BATS_FILE_TMPDIR/first-pid"
}
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

post() { request POST "$1" -H 'Content-Type: application/json' --data-binary "$2" "${@:3}"; }

# made CALLS COMMAND...: runs it; the service has got so many calls through it.
made() {
  local before calls expected=$1
  shift
  before=$(requests)
  "$@"
  calls=$(($(requests) - before - 1))
  [[ $calls == "$expected" ]] || { echo "$calls calls for $*" && return 1; }
}
requests() { curl -sg "$URL/count" | jq .requests; }

# element VALUE [MS [STATUS]]: one of POST /list
element() { jq -nc --arg v "$1" --argjson ms "${2:-0}" --argjson status "${3:-200}" '{$v, $ms, $status}'; }

# elements ELEMENT...: as an array
elements() { local IFS=,; echo "[$*]"; }

## What it gives

@test "every order with its customer: joined by reference, in the order of the array" {
  get /orders-with-users
  expect 200
  [[ $(field '[.orders[].id] | tostring') == '[1,2,3,4,5,6,7,8,9,10]' ]]
  get_from orders /orders
  local names
  names=$(jq -c '[.orders[].user_name]' "$BATS_TEST_TMPDIR/body")
  get /orders-with-users
  [[ $(field '[.orders[].customer.name] | tostring') == "$names" ]]
  [[ $(field '[.orders[] | .of, .customer.status] | unique | tostring') == '[10,200]' ]]
  [[ $(field .first) == "$(jq -r '.[0]' <<<"$names")" && $body == *'"price":12.50,'* ]]
  get '/orders-with-users?limit=1'
  [[ $(field '.orders | length') == 1 ]]
}

@test "a customer of several orders is asked for once" {
  local asked before
  before=$(grep -c 'fcgi-users .* GET /users/' "$RUN_DIR/users.log")
  get /orders-with-users
  expect 200
  asked() { [[ $(($(grep -c 'fcgi-users .* GET /users/' "$RUN_DIR/users.log") - before)) == "$1" ]]; }
  wait_until asked 6 # ten orders of six users
}

@test "equal calls are made once, different ones each" {
  made 1 post /list "$(elements "$(element 1)" "$(element 1)" "$(element 1)")"
  expect 200 '[1,1,1]'
  made 3 post /list "$(elements "$(element 1)" "$(element 2)" "$(element 1 1)" "$(element 1)")"
  expect 200 '[1,2,1,1]'
  made 2 post '/everywhere/x?before={"word":1}' '{"name":"n","items":[{"id":1,"q":"q"},{"id":1,"q":"q"}]}'
  made 3 post '/everywhere/x?before={"word":1}' '{"name":"n","items":[{"id":1,"q":"q"},{"id":1,"q":"q","more":1}]}'
}

@test "replies come in the order of the array, byte for byte, whichever was faster" {
  local times
  for times in '0 0 0' '100 50 0' '0 50 100'; do
    # shellcheck disable=SC2086 # three words
    set -- $times
    post /list "$(elements "$(element '{"a" : 1.50}' "$1")" "$(element '"\u00e9"' "$2")" "$(element 1E400 "$3")")"
    expect 200 '[{"a" : 1.50},"\u00e9",1E400]'
  done
}

@test "an empty array is an empty reply, without a call" {
  made 0 post /list '[]'
  expect 200 '[]'
}

@test "the element stands in path, query, header fields, body and result" {
  post '/everywhere/a%2Fb?before={"word":"w"}' '{"name":"all","items":[{"id":7,"q":"x&y"},{"id":"é","q":2}]}'
  expect 200
  [[ $(field '.all[0].target') == '/echo/a%2Fb/7?q=x%26y&word=w' ]]
  [[ $(field '.all[1].target') == '/echo/a%2Fb/%C3%A9?q=2&word=w' ]]
  [[ $(field '.all[0].body') == '{"id":7,"q":"x&y","n":7,"word":"w"}' ]]
  [[ $(field '.all[0].headers[] | select(.[0] == "X-Item") | .[1]') == 'item 7 of all' ]]
  [[ $(field '.all[1].text') == 'é: PUT' && $(field '.all[1].type') == application/json ]]
}

@test "a call for every element of what another each gave" {
  made 7 post /again "$(elements "$(element '{"id":1}')" "$(element '{"id":2}')" "$(element '{"id":1}')" "$(element '{"id":3}')" | jq -c 'map({v})')"
  expect 200 '{"b":[{"id":1,"target":"/echo/1"},{"id":2,"target":"/echo/2"},{"id":1,"target":"/echo/1"},{"id":3,"target":"/echo/3"}],"c":"/echo/2"}'
}

## How many at once

@test "calls are made at the same time, 8 if the file does not say how many" {
  post /list/meet/8 '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]'
  expect 200 '[true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true]'
}

@test "never more than max at once" {
  post /list/3-at-once '[1,2,3,4,5,6,7,8,9,10,11,12]'
  expect 200
  (($(field max) <= 3))
  post /list/one-by-one '[1,2,3,4,5]'
  expect 200 '[1,1,1,1,1]'
  post /list/meet/1 "$(jq -nc '[range(100)]')"
  expect 200
}

## When one fails

@test "the first in the array that fails is told, whichever failed first" {
  local times
  for times in '0 0 0' '100 50 0' '0 50 100'; do
    # shellcheck disable=SC2086 # three words
    set -- $times
    post /list "$(elements "$(element 0 "$1")" "$(element '{"error":"first"}' "$2" 404)" "$(element 2 "$3" 409)")"
    expect 404 '{"error":"first"}'
    post /list "$(elements "$(element '{' "$1")" "$(element 1 "$2" 404)" "$(element 2 "$3" 503)")"
    expect 523 '{"error":"Odd service error","message":"The reply is not JSON"}'
  done
}

@test "when one has failed, those that were not started are not made" {
  local first rest
  first=$(elements "$(element 0 0 404)" | jq -c '[.[0]]')
  rest=$(jq -nc '[range(500) | {v: tostring, ms: 20, status: 200}]')
  local before after
  before=$(requests)
  post /list "$(jq -nc --argjson a "$first" --argjson b "$rest" '$a + $b')"
  expect 404 0
  after=$(requests)
  ((after - before < 100)) || { echo "$((after - before)) calls" && return 1; }
}

@test "an else stands in for one element: the others keep their replies" {
  made 2 post /else '{"name":"n","items":[{"v":"1","status":200},{"v":"2","status":404},{"v":"3"}]}'
  expect 200 '{"all":[{"v":"1","got":1},{"v":"2","got":{"no":"2","of":"n"}},{"v":"3","got":{"no":"3","of":"n"}}]}'
  post /else-raw '[200,500,204,404]'
  expect 200 '{"all":[{"status":200},null,null,null]}'
}

@test "when decides for every element; where it is about the request, for all of them" {
  made 2 post /when '[{"id":1,"wanted":true},{"id":2},{"id":3,"wanted":false}]'
  expect 200 '{"all":[{"id":1,"got":"/echo/1"},{"id":2},{"id":3}],"raw":[1,null,null],"instead":[]}'
  post '/when?wanted=1' '[{"id":1},{"id":2}]'
  [[ $(field '.none | tostring') == '[{"ok":true},{"ok":true}]' && $(field '.instead | tostring') == '[{"ok":true},{"ok":true}]' ]]
}

@test "an element that lacks a value is the client's fault, or the service's" {
  made 0 post /list '[{"v":"1","ms":0,"status":200},{"v":"1","ms":0}]'
  expect 400 '{"error":"Bad request","message":"body.1.status is missing"}'
  get '/from-reply?list={"items":[{"v":1},{}]}'
  expect 523 '{"title":"Odd service error","message":"A reply lacks what this call needs","list":{"items":[{"v":1},{}]}}'
  grep -F 'call all: list.items.1.v is missing' "$RUN_DIR/gateway.log"
}

@test "what is no array is the client's fault, or the service's, or has an else" {
  made 0 post /list '{"a":1}'
  expect 400 '{"error":"Bad request","message":"body is no array"}'
  post /else '{"name":"n"}'
  expect 200 '{"all":{"of":"n"}}'
  local list
  for list in '{"items":{}}' '{"items":null}' '{"items":"x"}'; do
    get "/from-reply?list=$list"
    expect 523
    [[ $(field .message) == "The array that this call goes over is no array" ]]
    get "/from-reply/else?list=$list"
    expect 200 '{"all":"else"}'
  done
  get '/from-reply?list={}'
  expect 523
  [[ $(field .message) == "The array that this call goes over is missing" ]]
  grep -F 'call all: list.items is no array' "$RUN_DIR/gateway.log"
  grep -F 'call all: list.items is missing' "$RUN_DIR/gateway.log"
}

## Bounds

@test "a thousand different calls are made, one more is refused before the first" {
  post /list/meet/1 "$(jq -nc '[range(1000), range(1000)]')"
  expect 200
  [[ $(field 'length') == 2000 && $(field 'all') == true ]]
  made 0 post /list/meet/1 "$(jq -nc '[range(1001)]')"
  expect 400 '{"error":"Bad request","message":"body needs more than 1000 different calls"}'
}

@test "ten thousand elements are gone over, one more is refused" {
  made 10 post /list/meet/1 "$(jq -nc '[range(10000) | . % 10]')"
  expect 200
  [[ $(field 'length') == 10000 ]]
  made 0 post /list/meet/1 "$(jq -nc '[range(10001) | 1]')"
  expect 400 '{"error":"Bad request","message":"body has more than 10000 elements"}'
}

@test "replies that are too long together are an error, and so is what is made of them" {
  post /large '[1000000,1000001]'
  expect 200
  [[ ${#body} == 4000007 ]] || { echo "${#body} bytes" && return 1; }
  post /large '[3000000,3000001,3000002]'
  expect 523 '{"error":"Odd service error","message":"The replies are too long"}'
  made 1 post /joined-large "$(jq -nc '[range(200)]')"
  expect 523 '{"error":"Odd service error","message":"The replies are too long"}'
  made 0 post /sent-large "$(jq -nc '{items: [range(500)], text: ("x" * 100000)}')"
  expect 400 '{"error":"Bad request","message":"body.items makes too much to send"}'
}

@test "at the deadline all is over, and what was not started is not made" {
  local start=${EPOCHREALTIME/./}
  made 3 post /deadline '[["ok",1],["silent",1],["silent",2],["silent",3],["silent",4]]'
  expect 504 '{"error":"Odd service timeout","message":"The route'\''s deadline of 300 milliseconds has passed"}'
  made 3 post /deadline/else '[["ok",1],["silent",1],["silent",2],["silent",3],["silent",4]]'
  expect 200 '[{"ok":true},"late","late","late","late"]'
  ((${EPOCHREALTIME/./} - start < 3000000))
}

@test "the log says how many calls were made, and how long they took together" {
  post /list "$(elements "$(element 1)" "$(element 2)")"
  wait_until grep -Eq 'POST /list 200 [0-9.]+ms all=[0-9.]+ms\(2 calls\)$' "$RUN_DIR/gateway.log"
}

@test "after all this it is still the same gateway process" {
  [[ $(responder_pid gateway) == "$(<"$BATS_FILE_TMPDIR/first-pid")" ]]
}
