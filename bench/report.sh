#!/bin/bash
# report: what a result says, as tables.
#
#   bench/report.sh RESULT.json
set -eu
here=$(dirname -- "${BASH_SOURCE[0]}")
jq -r -f "$here/report.jq" -- "$1"
