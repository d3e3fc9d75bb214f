#!/usr/bin/env bash
# The steps of the Dockerfile without a container engine: the same files, installed into a fresh
# environment, then the entry point. Run it from the repository's root, with a Python 3.11 in PATH.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/skad"
cp -r pyproject.toml setup.cfg constraints.txt README.md LICENSE skad "$work/skad/"  # the COPY lines
python3 -m venv "$work/venv"
cd "$work/skad"
"$work/venv/bin/pip" install --quiet --constraint constraints.txt ".[prepare]"       # the RUN line
rm -rf build
mkdir "$work/data"
cd "$work/data"                                                                      # WORKDIR, ENTRYPOINT
"$work/venv/bin/skad" --version
"$work/venv/bin/skad-bids" --version
"$work/venv/bin/skad" demo --size tiny --method adm --out demo
test -s demo/maps/adm/report.html
echo "The container's steps work."
