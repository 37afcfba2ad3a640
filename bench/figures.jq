# figures: from slices to medians, ratios, and what was promised; `jq -f` over what was measured.
#
# A ratio or difference is taken between slices of the same round, number of clients and size, and then
# told as the median of the rounds with the least and the most of them. Nothing here knows a machine.

def median: sort | if length == 0 then null
  elif length % 2 == 1 then .[length / 2 | floor]
  else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def rounded($digits): if . == null then null else . * pow(10; $digits) | round / pow(10; $digits) end;
def told($digits): { median: (median | rounded($digits)), low: (min | rounded($digits)), high: (max | rounded($digits)) };

def kind: { group, name, clients } + if has("size") then { size } else {} end;
def by_kind: group_by([.group, .name, .size, .clients]);

def figures: by_kind | map((.[0] | kind) + {
  rounds: length,
  rate: (map(.rate) | told(1)),
  p50_ms: (map(.p50 / 1000) | told(3)),
  p99_ms: (map(.p99 / 1000) | told(3)) });

# Pairs of slices that belong to each other: [slice of $of, slice of $to].
def pairs($group; $of; $to): map(select(.group == $group)) as $all
  | [ $all[] | select(.name == $of) as $one | $all[]
      | select(.name == $to and .round == $one.round and .clients == $one.clients and (.size == $one.size or .size == null))
      | [$one, .] ];

def held_against($group; $of; $to; value): pairs($group; $of; $to)
  | group_by([.[0].clients, .[0].size])
  | map({ group: $group, of: $of, to: $to, clients: .[0][0].clients }
      + (if .[0][0] | has("size") then { size: .[0][0].size } else {} end)
      + (map(value) | { median: (median | rounded(3)), low: (min | rounded(3)), high: (max | rounded(3)) }));

def rate: .[0].rate / .[1].rate;
def p50_more: (.[0].p50 - .[1].p50) / 1000;
def p99_ratio: .[0].p99 / .[1].p99;
def p99_more: (.[0].p99 - .[1].p99) / 1000;

# For each round the slower of two calls, under one name.
def slower($one; $two; $name): map(select(.clients == 1 and .group == "clients" and (.name == $one or .name == $two)))
  | group_by([.round, .clients]) | map(max_by(.p50) + { name: $name });

# The same contestant, at each size against $base, in the same round.
def against_size($group; $name; $base; value): map(select(.group == $group and .name == $name)) as $all
  | [ $all[] | . as $one | $all[] | select(.size == $base and .round == $one.round and .clients == $one.clients) | [$one, .] ]
  | group_by([.[0].clients, .[0].size])
  | map({ group: $group, of: $name, to: $base, clients: .[0][0].clients, size: .[0][0].size } + (map(value) | told(3)));

# Of a line through points [x, y]: least squares.
def slope: (map(.[0]) | add / length) as $x | (map(.[1]) | add / length) as $y
  | (map((.[0] - $x) * (.[1] - $y)) | add) / (map(pow(.[0] - $x; 2)) | add);

# In each round what one more call costs, by p50 with 1 client and by throughput with 16, and a direct call.
def slopes: map(select(.group == "calls")) | group_by([.clients, .round])
  | map({ clients: .[0].clients,
      more_p50: (map(select(.name == "calls") | [.size, .p50 / 1000]) | slope),
      call_p50: (map(select(.name == "call-user") | .p50 / 1000) | add),
      more_ms: (map(select(.name == "calls") | [.size, 1000 / .rate]) | slope),
      call_ms: (map(select(.name == "call-user") | 1000 / .rate) | add) })
  | group_by(.clients)
  | map({ clients: .[0].clients,
      one_more_p50_ms: (map(.more_p50) | told(4)), direct_p50_ms: (map(.call_p50) | told(4)),
      one_more_work_ms: (map(.more_ms) | told(4)), direct_work_ms: (map(.call_ms) | told(4)),
      p50_ratio: (map(.more_p50 / .call_p50) | told(3)), work_ratio: (map(.more_ms / .call_ms) | told(3)) });

def comparisons: . as $slices
  | (slower("call-user"; "call-orders"; "slower-call") + map(select(.name == "user-orders"))) as $user
  | (slower("call-users-summary"; "call-orders-summary"; "slower-call") + map(select(.name == "dashboard"))) as $dashboard
  | {
    rate: (([["gateway", "mod_proxy"], ["gateway", "direct"], ["mod_proxy", "direct"], ["gateway", "hello"], ["hello", "direct"],
        ["relay", "mod_proxy"], ["gateway", "relay"],
        ["user-orders", "hello"], ["dashboard", "hello"], ["user-orders", "gateway"], ["dashboard", "gateway"],
        ["user-orders-shared", "user-orders"], ["dashboard-shared", "dashboard"]]
      | map(. as [$of, $to] | $slices | held_against("clients"; $of; $to; rate))
      | add) + ($slices | held_against("bodies"; "body-gateway"; "body-proxy"; rate))),
    p50_more_ms: (([["gateway", "mod_proxy"], ["gateway", "relay"], ["relay", "mod_proxy"], ["gateway", "direct"], ["mod_proxy", "direct"]]
      | map(. as [$of, $to] | $slices | held_against("clients"; $of; $to; p50_more)) | add)
      + ($user | held_against("clients"; "user-orders"; "slower-call"; p50_more))
      + ($dashboard | held_against("clients"; "dashboard"; "slower-call"; p50_more))),
    p99: ([["gateway", "mod_proxy"], ["relay", "mod_proxy"]]
      | map(. as [$of, $to] | $slices | held_against("clients"; $of; $to; p99_ratio)) | add),
    p99_more_ms: ([["gateway", "direct"], ["mod_proxy", "direct"]]
      | map(. as [$of, $to] | $slices | held_against("clients"; $of; $to; p99_more)) | add),
    growth: ([["orders", "orders-dashboard", 10], ["orders", "orders-of-user", 10], ["routes", "routes", 10], ["calls", "calls", 1]]
      | map(. as [$group, $name, $base] | $slices | against_size($group; $name; $base; rate)) | add),
    slopes: ($slices | slopes) };

# Private memory that came with so many requests under way, for each of them.
def memory_more($held): . as $all
  | def anon($when; $process): [$all[] | select(.when == $when and .process == $process)][0].anon_kb;
  ["passed", "composed"] | map({ key: ., value: (. as $kind | ["lighttpd", "fcgi-gateway"]
      | map({ key: ., value: (anon($kind; .) as $more | anon("before \($kind)"; .) as $less
        | if $more and $less then ($more - $less) / $held | rounded(1) else null end) }) | from_entries) })
  | from_entries;

# What was promised, and what came of it. `$at_most`: else at least.
def target($name; $wanted; $is_most; $unit; $got): { name: $name, wanted: $wanted, is: (if $is_most then "at most" else "at least" end),
  unit: $unit, got: $got, met: (if $got == null then null elif $is_most then $got <= $wanted else $got >= $wanted end) };

def targets: . as $all
  | def compared($what; $of; $to; $clients): $all.comparisons[$what]
      | map(select(.of == $of and .to == $to and .clients == $clients)) | .[0].median;
  def grown($of; $clients): $all.comparisons.growth | map(select(.of == $of and .clients == $clients)) | max_by(.size).median;
  def anon($when; $process): $all.memory | map(select(.when == $when and .process == $process)) | .[0].anon_kb;
  [ (16, 64, 256 | target("pass through, throughput by mod_proxy's, \(.) clients"; 0.95; false; "x"; compared("rate"; "gateway"; "mod_proxy"; .))),
    target("pass through, p50 more than mod_proxy's, 1 client"; 0.10; true; "ms"; compared("p50_more_ms"; "gateway"; "mod_proxy"; 1)),
    target("pass through, p99 by mod_proxy's, 64 clients"; 1; true; "x"; compared("p99"; "gateway"; "mod_proxy"; 64)),
    target("a user's orders, p50 over the slower call, 1 client"; 0.15; true; "ms"; compared("p50_more_ms"; "user-orders"; "slower-call"; 1)),
    target("dashboard, p50 over the slower call, 1 client"; 0.15; true; "ms"; compared("p50_more_ms"; "dashboard"; "slower-call"; 1)),
    target("gateway idle, private memory"; 4096; true; "KB"; anon("idle"; "fcgi-gateway")),
    ("passed", "composed" | target("private memory more for each request under way, \(.)"; 64; true; "KB";
      $all.memory_more[.]["fcgi-gateway"])),
    target("gateway, exec to first answer"; 50; true; "ms"; $all.figures_of_starts.exec.median),
    target("make start to healthy, once built"; 300; true; "ms"; $all.figures_of_starts.make.median),
    target("one more call, p50, by a direct call's, 1 client"; 1; true; "x";
      $all.comparisons.slopes | map(select(.clients == 1)) | .[0].p50_ratio.median),
    ($all.comparisons.growth | map(select(.of == "orders-dashboard")) | max_by(.size) | .size // 0) as $most
      | target("dashboard of \($most) orders, throughput by that of 10"; 0.95; false; "x"; grown("orders-dashboard"; 16)),
    target("1,000 routes, time by that of 10"; 1.05; true; "x"; (grown("routes"; 16) | if . then 1 / . | rounded(3) else null end)) ];

.figures = (.slices | figures)
| .comparisons = (.slices | comparisons)
| .memory_more = (.settings.held as $held | .memory | memory_more($held))
| .figures_of_starts = (.starts | group_by(.what) | map({ key: .[0].what, value: (map(.ms) | told(1)) }) | from_entries)
| .targets = targets
