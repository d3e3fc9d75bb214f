#!/usr/bin/env bash
# Install a wheel on every supported Python, outside the clone, and use it there.
#   packaging/check_wheel_everywhere.sh dist/skad-*.whl [python3.11 python3.12 python3.13]
set -euo pipefail
wheel=$(realpath "$1")
constraints=$(realpath "$(dirname "$0")/../constraints.txt")
shift
for python in "${@:-python3}"; do
    work=$(mktemp -d)
    "$python" -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --constraint "$constraints" "$wheel"
    (cd "$work" && venv/bin/skad-bids --version)
    (cd "$work" && venv/bin/skad demo --size tiny --method adm --out demo > log.txt)
    test -s "$work/demo/maps/adm/report.html"
    echo "$("$python" --version): $(basename "$wheel") works"
    rm -rf "$work"
done
