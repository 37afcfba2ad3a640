# picture: a result as bars, an SVG that can be read on light and dark pages; `jq -L bench -rn -f`.
#
# $bench is a result of bench/run.sh, $peers one of bench/peers.sh or null. A bar is a throughput by
# another's, the line at its end goes from the least to the most of the rounds.
include "words";

def escaped: gsub("&"; "&amp;") | gsub("<"; "&lt;") | gsub(">"; "&gt;");
def one: { median: 1, low: 1, high: 1 };
def turned: { median: (1 / .median), low: (1 / .high), high: (1 / .low) };

# Groups of bars: a title, and for each its name, ratio, and whether it is ours.
def passed: { title: "GET /users passed through, throughput by mod_proxy's, 64 clients",
  bars: [ { name: "the service itself", ratio: ($bench | compared("rate"; "mod_proxy"; "direct"; 64) | if . then turned else null end) },
    { name: "lighttpd mod_proxy", ratio: one },
    { name: "a bare relay", ratio: ($bench | compared("rate"; "relay"; "mod_proxy"; 64)) },
    { name: "the gateway", ours: true, ratio: ($bench | compared("rate"; "gateway"; "mod_proxy"; 64)) } ] };

def against($title; $route): { title: $title, bars: ([ { name: "the gateway", ours: true, ratio: one } ]
  + [ { nginx: "nginx", haproxy: "HAProxy", "nginx-lua": "nginx + lua", fastify: "Fastify", express: "Express", flask: "Flask" } | to_entries[]
      | . as $peer | { name: .value, ratio: ([$peers.ratios[] | select(.route == $route and .of == "gateway" and .to == $peer.key and .clients == 64)][0] | if . then turned else null end) } ]) };

def groups: [ passed ] + (if $peers then [
    against("GET /users passed through, throughput by the gateway's, 64 clients"; "users"),
    against("GET /users/1/orders composed of two calls, by the gateway's, 64 clients"; "user-orders") ] else [] end)
  | map(.bars |= map(select(.ratio)));

def left: 150; def bar_width: 430; def step: 24;
def at($most): . / $most * bar_width | . * 10 | round / 10;

def bar($most; $y): "<text x=\"\(left - 10)\" y=\"\($y + 13)\" text-anchor=\"end\">\(.name | escaped)</text>",
  "<rect class=\"\(if .ours then "ours" else "other" end)\" x=\"\(left)\" y=\"\($y)\" width=\"\(.ratio.median | at($most))\" height=\"17\" rx=\"2\"/>",
  (if .ratio.low < .ratio.high then
    "<line x1=\"\(left + (.ratio.low | at($most)))\" x2=\"\(left + (.ratio.high | at($most)))\" y1=\"\($y + 8.5)\" y2=\"\($y + 8.5)\"/>" else empty end),
  "<text class=\"value\" x=\"\(left + ([.ratio.median, .ratio.high] | max | at($most)) + 8)\" y=\"\($y + 13)\">\(.ratio.median | fixed(2))</text>";

def group($y): (.bars | map(.ratio.high, .ratio.median) | max) as $most
  | "<text class=\"title\" x=\"20\" y=\"\($y + 14)\">\(.title | escaped)</text>", (.bars | to_entries[] | .key as $n | .value | bar($most; $y + 28 + $n * step));

groups as $groups
| (reduce $groups[] as $group ([20]; . + [.[-1] + 28 + ($group.bars | length) * step + 22])) as $tops
| "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"660\" height=\"\($tops[-1] + 18)\" viewBox=\"0 0 660 \($tops[-1] + 18)\" role=\"img\">",
  "<title>Throughput of the gateway beside others</title>",
  "<style>",
  "svg { font: 13px system-ui, sans-serif } text { fill: #1f2328 } .title { font-weight: 600 } .note { font-size: 11px }",
  ".page { fill: #ffffff; stroke: #d0d7de } .ours { fill: #2563eb } .other { fill: #a8b1bd } line { stroke: #1f2328; stroke-width: 1.5 }",
  "@media (prefers-color-scheme: dark) {",
  "text { fill: #e6edf3 } .page { fill: #0d1117; stroke: #30363d } .ours { fill: #58a6ff } .other { fill: #5b6672 } line { stroke: #e6edf3 }",
  "}",
  "</style>",
  "<rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"659\" height=\"\($tops[-1] + 17)\" rx=\"6\"/>",
  ($groups | to_entries[] | .key as $n | .value | group($tops[$n])),
  "<text class=\"note\" x=\"20\" y=\"\($tops[-1] + 4)\">\($bench.taken[:10]), \($bench.machine.cpu | escaped), \($bench.machine.cores) cores; lines: least to most of \($bench.settings.rounds) rounds</text>",
  "</svg>"
