#!/usr/bin/env bash
# Makes crates/autogan-report/assets/vendor anew from the npm package, or shows that it is what the package holds:
#   bash scripts/vendor_assets.sh           write the files
#   bash scripts/vendor_assets.sh --check   compare them, change nothing
# Needs npm and the network; building the project needs neither. For another version change `version` and `sha512`
# (`npm view uplot@VERSION dist.integrity` prints it in base64).
set -euo pipefail

package=uplot
version=1.6.32
sha512=KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==
files=(dist/uPlot.iife.min.js dist/uPlot.min.css LICENSE)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/crates/autogan-report/assets/vendor/$package
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

(cd "$scratch" && npm pack --silent "$package@$version" >/dev/null)
archive=$scratch/$package-$version.tgz
found=$(openssl dgst -sha512 -binary "$archive" | base64 -w 0)
if [[ $found != "$sha512" ]]; then
    printf 'expected %s-%s.tgz with sha512 %s, found %s\n' "$package" "$version" "$sha512" "$found" >&2
    exit 1
fi
tar -xzf "$archive" -C "$scratch"

for file in "${files[@]}"; do
    name=$(basename "$file")
    if [[ ${1-} == --check ]]; then
        cmp "$scratch/package/$file" "$target/$name"
    else
        install -D -m 644 "$scratch/package/$file" "$target/$name"
    fi
done
printf '%s %s: %s files, as published\n' "$package" "$version" "${#files[@]}"
