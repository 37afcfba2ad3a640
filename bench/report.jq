# report: a result as tables, for a terminal; `jq -r -f`.

def wide($n): tostring | . + (" " * ([$n - length, 0] | max));
def right($n): tostring | (" " * ([$n - length, 0] | max)) + .;
def fixed($digits): if . == null then "-" else
  (. * pow(10; $digits) | round) as $n | if $digits == 0 then $n | tostring
  else (($n | fabs) / pow(10; $digits) | floor) as $whole
    | (if $n < 0 then "-" else "" end) + ($whole | tostring) + "."
      + ((($n | fabs) - $whole * pow(10; $digits)) | tostring | ("0" * ($digits - length)) + .) end end;
def spread($digits): "\(.median | fixed($digits)) (\(.low | fixed($digits))..\(.high | fixed($digits)))";

def titles: {
  "direct": "the users service itself", "mod_proxy": "mod_proxy to it", "gateway": "the gateway to it, passed through",
  "hello": "a responder that only says hello (floor)",
  "user-orders": "/users/1/orders, two calls", "dashboard": "/dashboard, two calls",
  "user-orders-shared": "/users/1/orders as shipped (*)", "dashboard-shared": "/dashboard as shipped (*)" };

def rows: .figures as $figures | (titles | keys_unsorted)[] as $name
  | [$figures[] | select(.group == "clients" and .name == $name)] | select(length > 0)
  | sort_by(.clients)[] | "  \(titles[$name] | wide(42)) \(.clients | right(4))  \(.rate.median | fixed(0) | right(7))  \(.p50_ms.median | fixed(2) | right(8))  \(.p99_ms.median | fixed(2) | right(8))";

def compared($key; $digits): .comparisons[$key][]
  | "  \("\(.of) : \(.to)" | wide(40)) \(.clients | right(4)) \((.size // "") | right(9))  \(spread($digits))";

"On \(.machine.cores) cores (\(.machine.cpu)), \(.machine.system), lighttpd \(.machine.lighttpd), libcurl \(.machine.libcurl), load \(.machine.load) at the end.",
"", "  \("GET /users and what is composed" | wide(38))  clients  per s    p50 ms    p99 ms", rows,
"  (*) identical requests under way share one reply; all other figures of composed replies are without that.",
"", "Throughput, by each other's in the same round: median (least..most)", compared("rate"; 2),
"", "p50, milliseconds more", compared("p50_more_ms"; 3),
"", "p99, by each other's", compared("p99"; 2),
"", "As work grows, throughput by that of the least", (.comparisons.growth[] | select(.to != "\(.of) at \(.size)")
  | "  \(.of | wide(40)) \(.clients | right(4)) \(.size | right(9))  \(spread(2))"),
"", "One more call in a composed reply (ms; p50, and time at full load), and the same call made directly",
  (.comparisons.slopes[] | "  \(.clients | right(4)) clients  \(.one_more_p50_ms.median | fixed(3)), \(.one_more_work_ms.median | fixed(3))   directly \(.direct_p50_ms.median | fixed(3)), \(.direct_work_ms.median | fixed(3))"),
"", "Memory: private, resident (KB), threads",
  (.memory[] | "  \(.when | wide(16)) \(.process | wide(14)) \(.anon_kb | right(8)) \(.rss_kb | right(8)) \(.threads | right(6))"),
"", "Starts: exec to first answer \(.figures_of_starts.exec | spread(1)) ms, make start to healthy \(.figures_of_starts.make | spread(0)) ms",
"", "Targets",
  (.targets[] | "  \(if .met == null then "not measured" elif .met then "met" else "NOT MET" end | wide(13)) \(.got // "-" | tostring | right(8)) \(.unit | wide(2)) \("\(.is) \(.wanted)" | right(14))  \(.name)")
