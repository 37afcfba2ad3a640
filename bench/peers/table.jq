# table: what was measured, for people; `jq -rf` over what figures.jq made.
def spaces($count): if $count > 0 then " " * $count else "" end;
def left($width): tostring | . + spaces($width - length);
def right($width): tostring | spaces($width - length) + .;
def digits($count): . * pow(10; $count) | round / pow(10; $count) | tostring | split(".")
  | .[0] + "." + ((.[1] // "") + "0" * $count)[:$count];

def line: (.name | left(16)) + (.rate.median | round | right(9)) + (.p50_ms.median | digits(2) | right(10))
  + (.p99_ms.median | digits(2) | right(10))
  + if .ratio then "   " + (.ratio.median | digits(2)) + " (" + (.ratio.low | digits(2)) + "-" + (.ratio.high | digits(2)) + ")"
    else "" end;

def table($route; $clients): . as $all
  | [ .figures[] | select(.route == $route and .clients == $clients) | . as $one
      | .ratio = [ $all.ratios[] | select(.route == $route and .clients == $clients and .of == "gateway" and .to == $one.name) ][0] ]
  | sort_by(-.rate.median)[] | "  " + line;

{ users: "GET /users, passed through", "user-orders": "GET /users/1/orders, composed of two calls",
  dashboard: "GET /dashboard, composed of two calls" } as $titles
| (("users", "user-orders", "dashboard") as $route
  | ([ .figures[].clients ] | unique[]) as $clients
  | "", "\($titles[$route]), clients: \($clients)",
    "                  requests/s    p50 ms    p99 ms   the gateway's throughput by it",
    table($route; $clients)),
  "",
  (.left_out[] | "left out: \(.name): \(.reason)"),
  (.targets[] | select(.got) | (if .met then "met      " else "NOT met  " end)
    + .name + ": " + (.got | digits(2)) + ", \(.is) \(.wanted)")
