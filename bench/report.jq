# report: a result as tables for a terminal; `jq -L bench -r -f`.
include "words";

def row($name): . as $all | client_counts[] as $clients | $all | figure("clients"; $name; $clients) | select(.)
  | "  \(titles[$name] | wide(34)) \($clients | right(4))  \(.rate.median | fixed(0) | right(8))  \(.p50_ms.median | fixed(2) | right(8))  \(.p99_ms.median | fixed(2) | right(8))";

def comparison($digits): "  \("\(.of) : \(.to)" | wide(34)) \(.clients | right(4)) \((.size // "") | right(9))  \(spread($digits))";

"On \(machine_line); load \(.machine.load) at the end",
"", "  \("" | wide(30)) clients     per s    p50 ms    p99 ms",
row(titles | keys_unsorted[]),
"  Composed replies are told without the sharing of identical requests under way, but where it says \"as shipped\".",
"", "Throughput by each other's, in the same round: median (least to most)", (.comparisons.rate[] | comparison(2)),
"", "p50, milliseconds more", (.comparisons.p50_more_ms[] | comparison(3)),
"", "p99 by each other's", (.comparisons.p99[] | comparison(2)),
"", "As work grows, throughput by that at the size behind the colon", (.comparisons.growth[] | select(.to != .size) | comparison(2)),
"", "What one more call in a composed reply costs, by the same call made directly: of p50, and of the time at full load",
  (.comparisons.slopes[] | "  \(.clients) clients: \(.p50_ratio | spread(2)), \(.work_ratio | spread(2))"),
"", "Memory, KB: private, resident, threads",
  (.memory[] | "  \(.when | wide(16)) \(.process | wide(14)) \(.anon_kb | right(8)) \(.rss_kb | right(8)) \(.threads | right(6))"),
"", "Starts: exec to first answer \(.figures_of_starts.exec | spread(1)) ms, make start to healthy \(.figures_of_starts.make | spread(0)) ms",
"", "Targets",
  (.targets[] | "  \(if .met == null then "not measured" elif .met then "met" else "NOT MET" end | wide(13)) \(.got // "–" | tostring | right(8)) \(.unit | wide(2)) \("\(.is) \(.wanted)" | right(14))  \(.name)")
