#!/usr/bin/env bats
# redirect: a route that sends the client elsewhere sends it where the file says, and nowhere else.
load helpers

setup_file() {
  choose_place
  export NEW_HOST=https://new.example GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "routes": {
    "GET,POST /old/{id}":       { "redirect": "/new/{id}" },
    "GET,POST /moved/301":      { "redirect": "/new", "status": 301 },
    "GET,POST /moved/303":      { "redirect": "/new", "status": 303 },
    "GET,POST /moved/307":      { "redirect": "/new", "status": 307 },
    "GET,POST /moved/308":      { "redirect": "/new", "status": 308 },
    "GET /host/{rest*}":        { "redirect": "${NEW_HOST}/{rest}", "headers": { "Cache-Control": "no-store" } },
    "GET /port/{rest*}":        { "redirect": "http://[::1]:8080/a/{rest}" },
    "GET /bare":                { "redirect": "https://new.example" },
    "GET /middle/{rest*}":      { "redirect": "/{rest}/new.example" },
    "GET /any/{rest*}":         { "redirect": "/{rest}" },
    "GET /{rest*}":             { "redirect": "/{rest}", "status": 307 },
    "GET /own-query":           { "redirect": "/new?from=old" },
    "GET /part/{name}":         { "redirect": "/new#part-{name}" },
    "GET /host-part":           { "redirect": "${NEW_HOST}#top" },
    "GET /own-query-part":      { "redirect": "/new?from=old#top?/x" },
    "GET /chosen-part":         { "redirect": "/new#{query.part}", "headers": { "X-A": "1" } },
    "GET /asked":               { "redirect": "/users/{query.id}?lang={query.lang}" }
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# redirects_to PATH LOCATION [STATUS]
redirects_to() {
  get "$1"
  expect "${3:-302}" ""
  [[ $(header location) == "$2" ]] || { echo "$1 is sent to $(header location), not to $2" && return 1; }
}

@test "a redirect is 302 with its place, or the status that the file says" {
  local status
  redirects_to /old/7 /new/7
  for status in 301 303 307 308; do
    redirects_to "/moved/$status" /new "$status"
    request POST "/moved/$status" -d x
    expect "$status"
  done
  request HEAD /old/7
  expect 302
  [[ $(header location) == /new/7 ]]
}

@test "it may lead to another host, with header fields of its own" {
  redirects_to /host/a/b%20c https://new.example/a/b%20c
  [[ $(header cache-control) == no-store ]]
  redirects_to /host https://new.example
  redirects_to /host/ https://new.example/
  redirects_to /port/a 'http://[::1]:8080/a/a'
  redirects_to /bare https://new.example
}

@test "the client's query goes along where the place has none of its own" {
  redirects_to '/old/7?a=%2F&b' '/new/7?a=%2F&b'
  redirects_to '/host/a?u=http://x//y' 'https://new.example/a?u=http://x//y'
  redirects_to '/bare?x' 'https://new.example?x'
  redirects_to '/own-query?a=1' '/new?from=old'
}

@test "a fragment stays last, behind the client's query" {
  redirects_to /part/7 /new#part-7
  redirects_to '/part/a%23b?x=1&y' '/new?x=1&y#part-a%23b'
  redirects_to /host-part 'https://new.example#top'
  redirects_to '/host-part?x' 'https://new.example?x#top'
  redirects_to '/own-query-part?a=1' '/new?from=old#top?/x'
  redirects_to '/chosen-part?part=%23%3Cx%3E' '/new?part=%23%3Cx%3E#%23%3Cx%3E'
  get /chosen-part
  expect 400 '{"error":"Bad request","message":"query.part is missing"}'
}

@test "a value is percent-encoded; one that may be missing leaves its parameter out, else it is 400" {
  redirects_to '/asked?id=a/b&lang=x%26y' '/users/a%2Fb?lang=x%26y'
  redirects_to '/asked?id=7' /users/7
  get '/asked?lang=pt'
  expect 400 '{"error":"Bad request","message":"query.id is missing"}'
}

@test "an empty rest leaves no two slashes" {
  redirects_to /middle/a/b /a/b/new.example
  redirects_to /middle /new.example
  redirects_to /middle/ /new.example
}

@test "what may not stand in a URI is percent-encoded" {
  redirects_to '/any/café"<>[]{}|^`\x' '/caf%c3%a9%22%3C%3E%5B%5D%7B%7D%7C%5E%60%5Cx'
  redirects_to '/any/a?b=<é>%zz%41' '/a?b=%3C%C3%A9%3E%25zz%41'
}

@test "no request can choose another host" {
  local path place
  for path in /any//evil.example /any/%2Fevil.example '/any/\evil.example' '/any/%5Cevil.example' \
    //evil.example /%2Fevil.example '/\evil.example' '/\/evil.example' '/%5c/evil.example' \
    /old//evil.example '/old/%2F%2Fevil.example' '/any/%09/evil.example' '/any/@evil.example' \
    /any/https://evil.example /host/@evil.example /host/.evil.example /host//evil.example; do
    get "$path"
    place=$(header location)
    case $code in
      400 | 404) [[ ! $place ]] ;;
      *) [[ $place == https://new.example/* || $place =~ ^/[^/\\] ]] ;;
    esac || { echo "$path: $code $place" && return 1; }
  done
}

# As plain CGI, without a web server that refuses some of them first.
@test "nor can it where nothing stands in front of the gateway" {
  local path place
  for path in //evil.example /any//evil.example '/any/\\evil.example' '/\\evil.example' /any///evil.example; do
    place=$(GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=$path "$BUILD/fcgi-gateway" 2>/dev/null |
      sed -n 's/^Location: *//p' | tr -d '\r')
    [[ ! $place || $place =~ ^/[^/\\] ]] || { echo "$path: $place" && return 1; }
  done
}
