#!/usr/bin/env bats
# docs: the page at /docs shows the API in a browser. lighttpd serves it, all of it from here, and
# nothing else; what it shows, Central Perk's own description, is true.
load helpers

setup_file() { start_app; }
teardown_file() { stop_app; }
teardown() { show_logs_of_failure; }

# Lines "PATH TYPE" of the page and all that it refers to.
files() {
  echo '/docs/ text/html; charset=utf-8'
  grep -ohE '(href|src)="/docs/[^"]+" *(type="[^"]*")?' "$ROOT/lighttpd/docs/index.htm" |
    sed -E 's/^[a-z]+="([^"]+)".*/\1/; s/.*\.css$/& text\/css; charset=utf-8/
      s/.*\.js$/& text\/javascript; charset=utf-8/; s/.*\.svg$/& image\/svg+xml/'
}

@test "/docs leads to the page" {
  get /docs
  expect 301
  [ "$(header location)" = /docs/ ]
  get /docs/
  expect 200
  [[ $body == '<!doctype html>'* ]]
}

@test "the page and all that it refers to come with their types" {
  local path type count=0
  while read -r path type; do
    get "$path"
    expect 200
    [ "$(header content-type)" = "$type" ] || { echo "$path: $headers" && return 1; }
    [ "$(header x-content-type-options)" = nosniff ]
    ((++count))
  done < <(files)
  [ "$count" = "$(find "$ROOT/lighttpd/docs" -type f | wc -l)" ]
}

@test "a page that the browser has is not sent again" {
  get /docs/docs.js
  get /docs/docs.js -H "If-None-Match: $(header etag)"
  expect 304 ''
}

@test "the page names no other host and has no script or style of its own" {
  run ! grep -rnE '(https?:)?//[a-z0-9-]+\.[a-z]' "$ROOT/lighttpd/docs" --include='*.htm' --include='*.css' --include='*.js'
  run ! grep -rnE '@import|url\(|eval\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|new Function' "$ROOT/lighttpd/docs"
  run ! grep -nE '<style|style=|<script>|<script [^s]| on[a-z]+=|javascript:' "$ROOT/lighttpd/docs/index.htm"
}

@test "an address that is percent-encoded wrongly, such as /docs/#%, breaks nothing: one place decodes, and catches" {
  [[ $(grep -c decodeURIComponent "$ROOT/lighttpd/docs/docs.js") == 1 ]]
  grep -A4 '^function decoded' "$ROOT/lighttpd/docs/docs.js" | tr -s ' \n' ' ' | grep -qF 'try { return decodeURIComponent(text); } catch (error) { return text;'
}

@test "a schema that refers to itself is shown once: whoever goes into one looks whether it is inside of it already" {
  local name text
  for name in schemaRow example; do
    text=$(sed -n "/^function $name(/,/^}/p" "$ROOT/lighttpd/docs/docs.js")
    [[ $text == *'view.left-- <= 0'* && $text =~ (above|outside)\.includes\(schema\) ]]
  done
}

@test "a long word, such as an address in a description, makes no window scroll sideways: it is broken everywhere" {
  sed -n '/^body {/,/^}/p' "$ROOT/lighttpd/docs/docs.css" | grep -qF 'overflow-wrap: break-word;'
  grep -qE '^header > div, summary span \{ min-width: 0; \}' "$ROOT/lighttpd/docs/docs.css" # in a row nothing may be wider
}

@test "the browser is told to take nothing from elsewhere" {
  get /docs/
  local policy
  policy=$(header content-security-policy)
  [[ $policy == "default-src 'none'; script-src 'self'; "* && $policy == *"frame-ancestors 'none'"* ]]
  [[ $policy != *unsafe* && $policy != *http* && $policy != *'*'* ]]
}

@test "nothing else of the machine is served" {
  for path in /docs/fcgi-gateway /docs/../fcgi-gateway /docs/..%2ffcgi-gateway /docs/docs.js/ /docs/x /docsx \
    /docs/index.html /docs/docs.js~ /fcgi-gateway /errors/404.html; do
    get "$path"
    [[ $code == 40[04] && $(header content-type) == application/json* ]] || { echo "$path: $code $headers" && return 1; }
  done
}

@test "what the gateway answers has none of the page's header fields" {
  get /users/1
  expect 200
  [ -z "$(header content-security-policy)" ]
}

# Schemas of the file, and those that templates tell.
@test "Central Perk's replies are what the description says" {
  get /openapi.json
  expect 200
  cp "$BATS_TEST_TMPDIR/body" "$BATS_TEST_TMPDIR/openapi.json"
  local schema call
  for call in "/users/{id}" "/orders/{id}" "/users/{id}/orders" /dashboard /health /openapi.json /; do
    schema=$(jq --arg path "$call" -c '.paths[$path].get.responses["200"].content["application/json"].schema' \
      "$BATS_TEST_TMPDIR/openapi.json")
    [[ $schema == '{'*'}' ]] || { echo "no schema: $call" && return 1; }
    echo "$schema" >"$BATS_TEST_TMPDIR/schema"
    get "${call/'{id}'/1}"
    expect 200
    /usr/bin/python3 -m jsonschema -i "$BATS_TEST_TMPDIR/body" "$BATS_TEST_TMPDIR/schema"
  done
}
