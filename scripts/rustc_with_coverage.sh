#!/bin/sh
# rustc with the flags in AUTOGAN_COVERAGE_FLAGS, for all but build scripts and macros, which run on the host.
# `cargo xtask fuzz --own` names it to cargo as the wrapper of the workspace's own crates.
rustc=$1
shift
case " $* " in
*" --crate-name build_script_build "* | *" --crate-type proc-macro "*) exec "$rustc" "$@" ;;
esac
# shellcheck disable=SC2086
exec "$rustc" "$@" $AUTOGAN_COVERAGE_FLAGS
