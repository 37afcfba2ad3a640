# figures: from slices to medians, ratios, and what was promised; `jq -f` over what was measured.
#
# A ratio is taken between slices of the same route, round and number of clients, and then told as the
# median of the rounds with the least and the most of them. Slices of the group "warm" do not count.
def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def rounded($digits): . * pow(10; $digits) | round / pow(10; $digits);
def told($digits): { median: (median | rounded($digits)), low: (min | rounded($digits)), high: (max | rounded($digits)) };

def figures: group_by([.route, .clients, .name]) | map({ route: .[0].route, clients: .[0].clients, name: .[0].name,
  rate: (map(.rate) | told(1)), p50_ms: (map(.p50 / 1000) | told(3)), p99_ms: (map(.p99 / 1000) | told(3)) });

# The throughput of the gateway by each other's: of the one that shares no replies ("gateway"), and as it
# is shipped ("gateway-shared"), where that composes.
def ours: . == "gateway" or . == "gateway-shared";
def ratios: . as $all | [ $all[] | select(.name | ours | not) | . as $other | $all[]
    | select((.name | ours) and .route == $other.route and .clients == $other.clients and .round == $other.round)
    | { route, clients, of: .name, to: $other.name, ratio: (.rate / $other.rate) } ]
  | group_by([.route, .clients, .of, .to])
  | map({ route: .[0].route, clients: .[0].clients, of: .[0].of, to: .[0].to } + (map(.ratio) | told(3)));

def targets: . as $ratios | [ { "nginx-lua": 1.2, fastify: 2, flask: 10 } | to_entries[] as $target
  | ("user-orders", "dashboard") as $route
  | ({ gateway: "without sharing", "gateway-shared": "as shipped" } | to_entries[]) as $ours
  | ([ $ratios[] | select(.route == $route and .of == $ours.key and .to == $target.key and .clients == 64) ][0].median) as $got
  | { name: "\($route), throughput by \($target.key)\u0027s, 64 clients, \($ours.value)", wanted: $target.value, is: "at least",
      unit: "x", got: $got, met: (if $got == null then null else $got >= $target.value end) } ];

.slices |= map(select(.group != "warm") | (.name | split(".")) as [$route, $name]
  | { route: $route, name: $name } + del(.group, .name))
| .figures = (.slices | figures)
| .ratios = (.slices | ratios)
| .targets = (.ratios | targets)
