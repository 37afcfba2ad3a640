# tables: a result as tables of documents, the one that $block names; `jq -L bench -r --arg block ... -f`.
include "words";

def line: "| " + join(" | ") + " |";
def table($head): ($head | line), ($head | map("---") | line), (.[] | line);

def taken: "\(.taken[:10]), commit \(.commit)\(if .changed then " with changes" else "" end): \(machine_line), gcc \(.machine.gcc), \(.machine.kernel). \(.settings.rounds) rounds with slices of \(.settings.seconds) s; the whole took \(.took_s) s. Load at its end: \(.machine.load).";

def by_clients(cell): . as $all | client_counts as $counts
  | [titles | keys_unsorted[] | . as $name | [titles[$name]] + [$counts[] as $clients | $all | figure("clients"; $name; $clients) | cell]]
  | table([""] + ($counts | map("\(.) client\(if . > 1 then "s" else "" end)")));

def ratios: . as $all | client_counts as $counts
  | [["gateway", "mod_proxy"], ["relay", "mod_proxy"], ["gateway", "relay"], ["gateway", "direct"], ["mod_proxy", "direct"],
     ["gateway", "hello"], ["user-orders", "gateway"],
     ["dashboard", "gateway"], ["user-orders-shared", "user-orders"], ["dashboard-shared", "dashboard"]]
  | map(. as [$of, $to] | ["\(titles[$of]) : \(titles[$to])"] + [$counts[] as $clients | $all | compared("rate"; $of; $to; $clients) | spread(2)])
  | table(["throughput by each other's"] + ($counts | map("\(.)")));

def latency: . as $all | client_counts as $counts
  | ([["gateway", "mod_proxy"], ["relay", "mod_proxy"], ["gateway", "direct"], ["mod_proxy", "direct"]]
    | map(. as [$of, $to] | ["p50, \(titles[$of]) over \(titles[$to])"] + [$counts[] as $clients | $all | compared("p50_more_ms"; $of; $to; $clients) | spread(2)]))
  + ([["gateway", "direct"], ["mod_proxy", "direct"]]
    | map(. as [$of, $to] | ["p99, \(titles[$of]) over \(titles[$to])"] + [$counts[] as $clients | $all | compared("p99_more_ms"; $of; $to; $clients) | spread(2)]))
  + ([["user-orders", "/users/1/orders"], ["dashboard", "/dashboard"]]
    | map(. as [$of, $title] | ["p50, \($title) over the slower of its calls"] + [$counts[] as $clients | $all | compared("p50_more_ms"; $of; "slower-call"; $clients) | spread(2)]))
  | table(["milliseconds more"] + ($counts | map("\(.)")));

def growth: . as $all
  | ([["orders-dashboard", "orders in the table, /dashboard"], ["orders-of-user", "orders in the table, /users/1/orders"], ["routes", "routes in the file"]]
    | map(. as [$name, $title] | $all.figures[] | select(.name == $name)
      | . as $one | [$title, "\(.size)", (.rate.median | fixed(0)), (.p50_ms.median | fixed(2)),
          ([$all.comparisons.growth[] | select(.of == $name and .size == $one.size)][0] | spread(2))]))
  | table(["of what", "so many", "requests/s", "p50 ms", "throughput by that of 10"]);

def calls: . as $all | [.figures[] | select(.name == "calls" and .clients == 1) | .size] | unique
  | map(. as $size | [$size, (1, 16) as $clients | $all.figures[] | select(.name == "calls" and .size == $size and .clients == $clients)]
    | ["\(.[0])", (.[1].p50_ms.median | fixed(2)), (.[2].rate.median | fixed(0)), (.[2].p50_ms.median | fixed(2))])
  | table(["calls in one reply", "p50 ms, 1 client", "requests/s, 16 clients", "p50 ms, 16 clients"]);

def slopes: .comparisons.slopes | map(["\(.clients)", (.one_more_p50_ms | spread(3)), (.direct_p50_ms | spread(3)), (.p50_ratio | spread(2)), (.work_ratio | spread(2))])
  | table(["clients", "p50 of one more call, ms", "p50 of the call made directly, ms", "the one by the other", "the same of the time at full load"]);

def bodies: . as $all | [.figures[] | select(.name == "body-gateway")]
  | map(.size as $size | [($size | bytes)]
    + [("body-direct", "body-proxy", "body-gateway") as $name | $all.figures[] | select(.name == $name and .size == $size)
       | "\(.rate.median * $size / 1e6 | fixed(if $size < 10000 then 1 else 0 end)) (\(.p50_ms.median | fixed(2)))"]
    + [[$all.comparisons.rate[] | select(.of == "body-gateway" and .size == $size)][0] | spread(2)])
  | table(["body", "directly, MB/s (p50 ms)", "mod_proxy", "the gateway", "the gateway by mod_proxy"]);

def moment: { idle: "idle", passed: "passing through", composed: "composing, two calls each", worked: "idle again" };
def memory: . as $all
  | [.memory[] | select(moment[.when]) | [(.process),
      (if .when == "worked" then "after \($all.settings.requests_before_memory) requests" elif .when == "idle" then "idle" else "\($all.settings.held) under way, \(moment[.when])" end),
      "\(.anon_kb)", "\(.rss_kb)", "\(.threads)"]]
  | table(["process", "when", "private KB", "resident KB", "threads"]);

def starts: .figures_of_starts
  | [["from exec to the gateway's first answer", (.exec | spread(1))], ["make start to healthy, once built", (.make | spread(0))]]
  | table(["", "ms"]);

def targets: [.targets[] | [.name, "\(.is) \(.wanted) \(.unit)", "\(.got // "–") \(.unit)", (if .met == null then "not measured" elif .met then "met" else "**not met**" end)]]
  | table(["promised", "wanted", "measured", ""]);

# The short one of the README.
def summary: . as $all
  | [["GET /users by the gateway, throughput by mod_proxy's"] + [(16, 64, 256) as $clients | $all | compared("rate"; "gateway"; "mod_proxy"; $clients).median | fixed(2)],
     ["the same, p99 by mod_proxy's"] + [(16, 64, 256) as $clients | $all | compared("p99"; "gateway"; "mod_proxy"; $clients).median | fixed(2)],
     ["/users/1/orders, two calls, throughput by that of GET /users"] + [(16, 64, 256) as $clients | $all | compared("rate"; "user-orders"; "gateway"; $clients).median | fixed(2)]]
  | table(["clients", "16", "64", "256"]);

def peer_titles: { "nginx": "nginx", "haproxy": "HAProxy", "nginx-lua": "nginx + lua", "fastify": "Fastify", "express": "Express", "flask": "Flask" };
def peers: . as $all | [.ratios[].clients] | unique | max as $most
  | def ratio($of; $to; $route): [$all.ratios[] | select(.of == $of and .to == $to and .route == $route and .clients == $most)][0] | spread(2);
  [peer_titles | keys_unsorted[] | . as $name | [peer_titles[$name], ratio("gateway"; $name; "users")]
    + [("user-orders", "dashboard") as $route | ("gateway", "gateway-shared") as $of | ratio($of; $name; $route)]]
  | table(["the gateway's throughput by that of, \($most) clients", "GET /users", "GET /users/1/orders", "as shipped", "GET /dashboard", "as shipped"]);

if $block == "taken" then taken
elif $block == "throughput" then by_clients(.rate.median | fixed(0))
elif $block == "p50" then by_clients(.p50_ms.median | fixed(2))
elif $block == "p99" then by_clients(.p99_ms.median | fixed(2))
elif $block == "ratios" then ratios
elif $block == "latency" then latency
elif $block == "growth" then growth
elif $block == "calls" then calls
elif $block == "slopes" then slopes
elif $block == "bodies" then bodies
elif $block == "memory" then memory
elif $block == "starts" then starts
elif $block == "targets" then targets
elif $block == "summary" then summary
elif $block == "peers" or $block == "peer-targets" then (if $block == "peers" then peers else targets end)
else error("no block \($block)") end
