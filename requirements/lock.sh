#!/usr/bin/env bash
# Writes every lock beside this file from pyproject.toml; `make lock` calls it with the path of uv.
# One resolution for all: the whole of `dev` first, and it constrains the others, so that a package has one version everywhere.
# `make lock UPGRADE=1` moves to the newest versions that pyproject.toml admits; without it only what must change changes.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1

compile() { # NAME FLAGS…
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command "make lock" ${UPGRADE:+--upgrade} --output-file "requirements/$1.lock" "${@:2}"
}

compile dev pyproject.toml --extra dev
for extra in edge api simulator models demo docs; do
  compile "$extra" pyproject.toml --extra "$extra" --constraint requirements/dev.lock
done
for group in node build uv; do
  compile "$group" --group "$group" --constraint requirements/dev.lock
done
if grep -nE '://|^ *--(extra-)?index|^ *--find-links' requirements/*.lock; then
  echo "The locks name where packages come from; that belongs to the machine that installs them." >&2
  exit 1
fi
