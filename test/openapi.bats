#!/usr/bin/env bats
# openapi: `builtin:openapi` describes just the routes that there are, in a form that holds against
# the published schemas: OpenAPI's own as Debian has it (3.0; but for the version and the schemas of
# bodies all that we write is the same in 3.1), and JSON Schema 2020-12 for the schemas of bodies.
load helpers

OPENAPI_SCHEMA=/usr/share/openapi-specification/schemas/v3.0/schema.json

setup_file() {
  choose_place
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'END'
{
  "name": "freight",
  "description": "Quotes, \"whole\" and ü",
  "version": "2.1",
  "upstreams": { "quotes": { "servers": ["unix:/nonexistent/quotes.sock"], "title": "Quotes service" } },
  "errors": { "unreachable": 503, "timeout": 504, "broken": 503 },
  "routes": {
    "GET,POST /api/v1/quotes": { "pass": "quotes", "summary": "The quotes", "description": "All\nof them" },
    "GET /api/v1/quotes/{id:int}": { "pass": "quotes", "schema": { "type": "object", "required": ["id"] } },
    "DELETE /api/v1/quotes/{number:int}": "quotes",
    "GET,HEAD,PUT,PATCH,OPTIONS /api/v1/files/{name}/{rest*}": "quotes",
    "POST /api/v1/orders/{id}": {
      "calls": {
        "a": {
          "call": "quotes POST /a?page={query.page:int}&x={query.x}&id={id}",
          "headers": { "X-Trace": "{header.X-Trace}", "X-Type": "{header.content-type}" },
          "body": { "count": "{body.count:int}", "to": "{body.to.city}", "again": "{query.x}" }
        }
      },
      "status": 201,
      "reply": {
        "fixed": "a \"b\"", "n": 12.50, "list": [1], "text": "<{a.x}>", "any": "{a}", "page": "{query.page:int}",
        "q": "{query.x}", "inner": { "...": "{a}", "status": "{a.$status}", "nothing": null, "each": ["{a}"] }
      },
      "failure": { "sorry": "{error.title}", "status": "{error.status}" }
    },
    "GET /forward": { "calls": { "a": "quotes GET /a" }, "status": "{a.$status}", "reply": "{a}" },
    "GET /old/{rest*}": { "redirect": "/api/{rest}", "status": 308, "summary": "It moved" },
    "GET /sum": { "calls": { "a": "quotes GET /a" }, "reply": { "n": "{a.n}" }, "jq": ".n" },
    "GET /fixed": { "reply": { "ok": true } },
    "GET /fixed-2": { "reply": { "ok": true } },
    "GET /fixed/2": { "reply": { "ok": true } },
    "GET /health": "builtin:health",
    "GET /openapi.json": "builtin:openapi"
  }
}
END
  start_app gateway
}
teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# The document of the running gateway, or of a configuration that is given as text.
document() {
  if (($#)); then
    printf '%s' "$1" >"$BATS_TEST_TMPDIR/gateway.json"
    GATEWAY_CONFIG=$BATS_TEST_TMPDIR/gateway.json REQUEST_METHOD=GET REQUEST_URI=/openapi.json \
      "$BUILD/fcgi-gateway" 2>/dev/null | sed '1,/^\r$/d' >"$BATS_TEST_TMPDIR/body"
  else
    get /openapi.json
    expect 200
  fi
}

# A part of the document: in_document FILTER EXPECTED
in_document() {
  local found
  found=$(jq -c "$1" "$BATS_TEST_TMPDIR/body")
  [[ $found == "$2" ]] || { printf 'expected: %s\n     got: %s\n' "$2" "$found" && return 1; }
}

# "GET /users/{}" for every operation of the document.
operations() {
  jq -r '.paths | to_entries[] | .key as $path | .value | keys[] | ascii_upcase + " " + $path' \
    "$BATS_TEST_TMPDIR/body" | sed 's/{[^}]*}/{}/g' | sort
}

# The same for every method of every route of a file.
routes() {
  jq -r '.routes | keys[] | split(" ") as [$methods, $path] | $methods | split(",")[] | . + " " + $path' "$1" |
    sed 's/{[^}]*}/{}/g' | sort
}

# What schemas of bodies may say differs between 3.0 and 3.1: they are held against their own.
is_valid() {
  jq '.openapi = "3.0.3" | walk(if type == "object" and has("schema") then .schema = {} else . end)
      | .components.schemas |= map_values({})' "$BATS_TEST_TMPDIR/body" >"$BATS_TEST_TMPDIR/structure" &&
    jq '[.. | objects | select(has("schema")).schema] + [.components.schemas[]]' \
      "$BATS_TEST_TMPDIR/body" >"$BATS_TEST_TMPDIR/schemas" &&
    /usr/bin/python3 -c 'import json, jsonschema, sys
openapi, document, schemas = [json.load(open(name)) for name in sys.argv[1:]]
jsonschema.validate(document, openapi)
for schema in schemas: jsonschema.Draft202012Validator.check_schema(schema)' \
      "$OPENAPI_SCHEMA" "$BATS_TEST_TMPDIR/structure" "$BATS_TEST_TMPDIR/schemas" &&
    is_consistent
}

# What no schema can say.
is_consistent() {
  in_document '[.. | objects | .operationId? // empty] | length - (unique | length)' 0 &&
    in_document '[.paths | keys[] | gsub("{[^}]*}"; "{}")] | length - (unique | length)' 0 &&
    in_document '[.paths | to_entries[] | ([.key | scan("{([^}]*)}")[0]] | sort) as $names | .value[]
      | select(([.parameters[] | select(.in == "path").name] | sort) != $names)]' '[]' &&
    in_document '[.. | objects | .["$ref"]? // empty] - ["#/components/schemas/" + (.components.schemas | keys[])]' '[]'
}

@test "the document is valid" {
  document
  in_document .openapi '"3.1.0"'
  is_valid
}

@test "a document that is not valid is found out" {
  local valid=$BATS_TEST_TMPDIR/valid change
  document
  cp "$BATS_TEST_TMPDIR/body" "$valid"
  for change in 'del(.info.version)' '.paths["/fixed"].get.responses = {}' '.paths["/fixed"].get.nonsense = 1' \
    '.paths["/fixed"].get.responses["200"].content["application/json"].schema.type = "text"' \
    '.paths["/fixed"].get.operationId = "getHealth"' '.paths["/forward"].get.parameters = [{"in":"query"}]' \
    '.paths["/{a}"] = {} | .paths["/{b}"] = {}' 'del(.components.schemas.Error)'; do
    jq "$change" "$valid" >"$BATS_TEST_TMPDIR/body"
    ! is_valid >/dev/null 2>&1 || { echo "taken for valid: $change" && return 1; }
  done
}

@test "its operations are the routes, all of them and no other" {
  document
  [ "$(operations)" = "$(routes "$GATEWAY_CONFIG")" ]
}

@test "a route has the words that the file gives it" {
  document
  in_document '.info' '{"title":"freight","version":"2.1","description":"Quotes, \"whole\" and ü"}'
  in_document '.paths["/api/v1/quotes"].post | [.summary, .description]' '["The quotes","All\nof them"]'
  in_document '.paths["/health"].get.summary' '"State of the gateway and of its services"'
}

@test "operations are grouped by the first segment that says something" {
  document
  in_document '[.tags[].name]' '["quotes","files","orders","forward","old","sum","fixed","fixed-2","gateway"]'
  in_document '[.paths[][] | .tags[]] | unique' '["files","fixed","fixed-2","forward","gateway","old","orders","quotes","sum"]'
}

@test "operations have names of their own" {
  document
  in_document '.paths["/api/v1/quotes/{id}"].get.operationId' '"getApiV1QuotesById"'
  in_document '[.paths["/fixed-2", "/fixed/2"].get.operationId]' '["getFixed2","getFixed22"]'
}

@test "path parameters have their types, and one path has one name for them" {
  document
  in_document '.paths["/api/v1/quotes/{id}"] | [.get, .delete | .parameters[]] | unique' \
    '[{"name":"id","in":"path","required":true,"schema":{"type":"integer","minimum":0}}]'
  in_document '.paths["/api/v1/files/{name}/{rest}"].put.parameters | [map(.name), map(.schema.type)]' \
    '[["name","rest"],["string","string"]]'
  in_document '.paths["/api/v1/files/{name}/{rest}"].put.parameters | map(has("description"))' '[false,true]'
}

@test "routes that OpenAPI cannot tell apart stay two" {
  document '{"routes": {"GET /a/{id:int}": {"reply": 1}, "GET /a/{id}": {"reply": 2}, "PUT /a/{x}": {"reply": 3},
    "GET /a/{id2*}": {"reply": 4}, "GET /openapi.json": "builtin:openapi"}}'
  in_document '.paths | map_values(keys)' \
    '{"/a/{id}":["get","put"],"/a/{id2}":["get"],"/a/{id22}":["get"],"/openapi.json":["get"]}'
}

@test "two parameters of one path never have one name" {
  document '{"routes": {"GET /a/{id2}/{id:int}": {"reply": 1}, "GET /a/{id2}/{id}": {"reply": 2},
    "GET /openapi.json": "builtin:openapi"}}'
  in_document '.paths | keys' '["/a/{id2}/{id3}","/a/{id2}/{id}","/openapi.json"]'
  in_document '[.paths["/a/{id2}/{id3}"].get.parameters[].name]' '["id2","id3"]'
}

@test "an operation has the same name whatever else there is" {
  document '{"routes": {"GET /é": {"reply": 1}, "GET /-": {"reply": 2}, "GET /": {"reply": 3}, "GET /a/é-b": {"reply": 4},
    "GET /openapi.json": "builtin:openapi"}}'
  is_valid
  in_document '[.paths[].get.operationId]' '["getC3A9","get2D","getRoot","getAC3A9B","getOpenapiJson"]'
}

@test "a field is one parameter, whatever its letter case" {
  document '{"routes": {"GET /": {"reply": ["{header.X-A}", "{header.x-a:int}", "{query.a}", "{query.A}"]},
    "GET /openapi.json": "builtin:openapi"}}'
  in_document '.paths["/"].get.parameters | map([.in, .name, .schema.type])' \
    '[["header","X-A","integer"],["query","a","string"],["query","A","string"]]'
}

@test "a body that is taken as a whole, or by its elements, is no object of members" {
  document '{"upstreams": {"u": {"servers": ["unix:u"]}},
    "routes": {
      "POST /whole": {"calls": {"a": {"call": "u POST /", "body": "{body}"}}, "reply": "{a}"},
      "POST /first": {"reply": "{body.0.name}"},
      "POST /both": {"reply": ["{body}", "{body.name}"]},
      "GET /openapi.json": "builtin:openapi"}}'
  in_document '.paths | map_values(.post.requestBody.content["application/json"].schema // empty)' \
    '{"/whole":{},"/first":{"type":"array"},"/both":{"type":"object","properties":{"name":{}}}}'
}

@test "what defaults take out of requests is told with the routes that they hold for" {
  document '{"upstreams": {"u": {"servers": ["unix:u"]}},
    "defaults": {"headers": {"X-Echo": "{query.trace}"}, "request": {"headers": {"X-T": "{header.x-tenant}"}, "query": {"a": "{query.x}"}}},
    "routes": {
      "GET /pass": {"pass": "u /?q={query.x}"},
      "GET /static": {"reply": 1},
      "GET /openapi.json": "builtin:openapi"}}'
  in_document '.paths["/pass", "/static"].get.parameters | map(.name)' $'["x","trace","x-tenant"]\n["trace"]'
  in_document '.paths["/static"].get.responses | keys' '["200"]'
}

@test "a reference of a schema that leads nowhere in the document is warned of" {
  printf '%s' '{"routes": {
    "GET /a": {"reply": 1, "schema": {"$ref": "#/components/schemas/Error"}},
    "GET /b": {"reply": 1, "schema": {"items": {
      "$ref": "#/$defs/x"}, "$defs": {"x": {}}}},
    "GET /c": {"reply": 1, "schema": {"properties": {"$ref": {
      "$ref": "#/components/schemas/Eror"}}}},
    "GET /d": {"reply": 1, "schema": {"$ref": "https://schemas.example/x.json#/y"}},
    "GET /e": {"reply": 1, "schema": {"$ref": "#/paths/~1a/get/responses/200"}},
    "GET /f": {"reply": 1, "schema": {"$id": "https://schemas.example/f", "$ref": "#/$defs/x", "$defs": {"x": {}}}},
    "GET /openapi.json": "builtin:openapi"}}' >"$BATS_TEST_TMPDIR/x.json"
  run -0 --separate-stderr "$BUILD/fcgi-gateway" --check "$BATS_TEST_TMPDIR/x.json"
  [[ $stderr == "$BATS_TEST_TMPDIR/x.json:4:15: warning: '#/\$defs/x' leads nowhere: references are to the whole description, not to this schema
$BATS_TEST_TMPDIR/x.json:6:15: warning: '#/components/schemas/Eror' leads nowhere: references are to the whole description, not to this schema" ]]
}

@test "what references take out of the request is a parameter or a part of the body, once" {
  document
  in_document '.paths["/api/v1/orders/{id}"].post.parameters[1:]' \
    '[{"name":"page","in":"query","schema":{"type":"integer"}},{"name":"x","in":"query","schema":{"type":"string"}},{"name":"X-Trace","in":"header","schema":{"type":"string"}}]'
  in_document '.paths["/api/v1/orders/{id}"].post.requestBody' \
    '{"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"count":{"type":"integer"},"to":{}}}}}}'
}

@test "a route that passes bodies on has a body, but not for GET" {
  document
  in_document '.paths["/api/v1/quotes"] | map_values(has("requestBody"))' '{"get":false,"post":true}'
}

@test "what a route takes out of the body is told for every method that may have one" {
  document '{"upstreams": {"a": {"servers": ["unix:/a"]}}, "routes": {"GET /openapi.json": "builtin:openapi",
    "POST,DELETE,OPTIONS /x": {"reply": "{body.x}"}, "POST,DELETE /y": {"reply": 1}, "POST,DELETE /z": "a"}}'
  is_valid
  in_document '.paths | map_values(map_values(has("requestBody"))) | [.["/x"], .["/y"], .["/z"]]' \
    '[{"post":true,"delete":true,"options":true},{"post":false,"delete":false},{"post":true,"delete":false}]'
  in_document '.paths["/x"] | map_values(.responses | keys)' \
    '{"post":["200","400","413","415"],"delete":["200","400","413","415"],"options":["200","400","413","415"]}'
}

@test "replies have the statuses that can happen" {
  document
  in_document '.paths["/api/v1/quotes"].post.responses | keys' '["2XX","413","4XX","503","504"]'
  in_document '.paths["/api/v1/orders/{id}"].post.responses | keys' '["201","400","413","415","4XX","503","504"]'
  in_document '.paths["/forward"].get.responses | keys' '["2XX","4XX","503","504"]'
  in_document '.paths["/fixed"].get.responses | keys' '["200"]'
  in_document '.paths["/old/{rest}"].get.responses | map_values(has("headers"))' '{"308":true}'
  in_document '.paths["/health"].get.responses | keys' '["200","503"]'
  in_document '.paths["/fixed"].get.responses["503"].description' null
  in_document '.paths["/forward"].get.responses["503"].description' \
    '"A service cannot be reached, or answered what cannot be used"'
}

@test "a reply has the schema of the file, or the one that its template tells" {
  document
  in_document '.paths["/api/v1/quotes/{id}"].get.responses["200"].content["application/json"].schema' \
    '{"type":"object","required":["id"]}'
  in_document '.paths["/api/v1/orders/{id}"].post.responses["201"].content["application/json"].schema.properties
      | map_values(tojson) | to_entries | map(.key + " " + .value) | .[]' \
    "$(jq -Rc . <<'END'
fixed {"type":"string","const":"a \"b\""}
n {"type":"number","const":12.5}
list {"type":"array","const":[1]}
text {"type":"string"}
any {}
page {"type":"integer"}
q {"type":"string"}
inner {"type":"object","properties":{"status":{"type":"integer"},"nothing":{"type":"null","const":null},"each":{"type":"array"}}}
END
    )"
  in_document '.paths["/sum"].get.responses["200"].content["application/json"].schema' '{}'
  in_document '.paths["/api/v1/orders/{id}"].post.responses["503"].content["application/json"].schema' \
    '{"type":"object","properties":{"sorry":{"type":"string"},"status":{"type":"integer"}}}'
}

@test "errors have the shape of the file, and that of problem details" {
  document
  in_document '.paths["/forward"].get.responses["503"].content | map_values(.schema["$ref"])' \
    '{"application/json":"#/components/schemas/Error","application/problem+json":"#/components/schemas/Problem"}'
  in_document '.components.schemas.Error.properties | keys' '["error","message"]'
  document '{"upstreams": {"a": {"servers": ["unix:/a"]}},
    "errors": {"body": {"success": false, "why": "{error.message}"}},
    "routes": {"GET /a": "a", "GET /b": {"pass": "a", "errors": {"timeout": 599, "body": {"oh": "no"}}},
      "GET /c": {"pass": "a", "errors": {"body": null}}, "GET /openapi.json": "builtin:openapi"}}'
  is_valid
  in_document .components.schemas.Error \
    '{"type":"object","properties":{"success":{"type":"boolean","const":false},"why":{"type":"string"}}}'
  in_document '[.paths[].get.responses["502"] // empty | .content["application/json"].schema | .["$ref"] // (.properties | keys)]' \
    '["#/components/schemas/Error",["oh"],["error","message"]]'
  in_document '.paths["/b"].get.responses | keys' '["200","4XX","502","599"]'
}

@test "nothing is told of what is behind the gateway" {
  document
  [[ $body != */nonexistent* && $body != *'"a"'* && $body != *'/a?'* ]]
}

@test "it is sent once to who keeps it, and is there for HEAD" {
  document
  local tag
  tag=$(header etag)
  [[ $tag =~ ^\"[0-9a-f]{16}\"$ ]]
  [ "$(header content-type)" = application/json ]
  get /openapi.json -H "If-None-Match: $tag"
  expect 304 ''
  [ "$(header etag)" = "$tag" ]
  get /openapi.json -H 'If-None-Match: "other"'
  expect 200
  request HEAD /openapi.json
  expect 200
  [ "$(header etag)" = "$tag" ]
}

@test "the shipped file's document is valid too, and every operation of it has a summary" {
  document "$(cat "$ROOT/fcgi-gateway/gateway.json")"
  is_valid
  [ "$(operations)" = "$(routes "$ROOT/fcgi-gateway/gateway.json")" ]
  in_document '[.paths[][] | select(.summary == null)]' '[]'
}

# check JSON MISTAKE: the file has this one.
check() {
  printf '%s' "$1" >"$BATS_TEST_TMPDIR/gateway.json"
  run -1 "$BUILD/fcgi-gateway" --check "$BATS_TEST_TMPDIR/gateway.json"
  [[ $output == "$BATS_TEST_TMPDIR/gateway.json:$2" ]] || { echo "$output" && return 1; }
}

@test "mistakes in what describes a route are told" {
  check '{"routes":{"GET /":{"reply":1,"schema":"User"}}}' "1:40: a schema is an object (JSON Schema), not string"
  check '{"routes":{"GET /":{"reply":1,"summary":7}}}' "1:41: expected string, not number"
  check '{"version":2,"routes":{}}' "1:12: expected string, not number"
  check '{"routes":{"GET /":{"reply":1,"schema":{"a":1,"a":2}}}}' "1:47: 'a' stands here twice (first in line 1)"
  check '{"routes":{"GET /":"builtin:openapy"}}' "1:20: there is no 'builtin:openapy' (did you mean 'builtin:openapi'?)"
}
