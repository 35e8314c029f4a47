#!/usr/bin/env bash
# Builds the wheel with maturin, installs it, and runs the program that it brings, each in a scratch environment.
# Cargo's target folder is the usual one, so after `cargo build --release -p autogan-cli` only the binary is built anew.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    printf 'check_wheel: %s\n' "$*" >&2
    exit 1
}

python3 -m venv "$scratch/build"
"$scratch/build/bin/pip" install --quiet --disable-pip-version-check 'maturin>=1.9,<2'
cd "$root"
# Whether the binary fits older systems (manylinux) is a question for a release, not for this check.
"$scratch/build/bin/maturin" build --release --compatibility linux --out "$scratch/wheels"

python3 -m venv "$scratch/use"
"$scratch/use/bin/pip" install --quiet --disable-pip-version-check --no-index "$scratch"/wheels/autogan-*.whl
autogan=$scratch/use/bin/autogan

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
[[ $("$autogan" --version) == "autogan $version" ]] || fail "expected autogan $version, found $("$autogan" --version)"
[[ $("$autogan" arch count) == *'all: 373248'* ]] || fail 'autogan arch count does not count all architectures'
"$autogan" search --help >/dev/null
if readelf --version >/dev/null 2>&1; then
    ! readelf --sections --wide "$autogan" | grep -Eq '\.(debug_info|symtab)' || fail 'the binary is not stripped'
fi
printf 'check_wheel: fine, %s bytes\n' "$(stat -c %s "$autogan")"
