#!/bin/bash
# figures: what was measured with medians, ratios and targets beside it; a slice for each line.
#
#   bench/figures.sh MEASURED.json
set -eu -o pipefail
here=$(dirname -- "${BASH_SOURCE[0]}")
jq -f "$here/figures.jq" -- "$1" | jq -r '
  def lines: "[\n" + (map("    " + tojson) | join(",\n")) + "\n  ]";
  "{\n" + ([to_entries[] | "  \(.key | tojson): " + (.value
    | if type == "array" then lines
      elif type == "object" and (map(type == "array") | all) and length > 0 then
        "{\n" + ([to_entries[] | "  \(.key | tojson): \(.value | lines)"] | join(",\n")) + "\n  }"
      else tojson end)] | join(",\n")) + "\n}"'
