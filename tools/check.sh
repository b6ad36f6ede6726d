#!/bin/sh
# Runs all tests of a build folder and closes with one line: N passed, N failed, N skipped.
# Usage: check.sh BUILD_DIR [MESON_TEST_ARGUMENTS]
set -u
build=$1
shift
log=$build/meson-logs/testlog.txt
status=0
meson test -C "$build" --print-errorlogs --num-processes 2 "$@" || status=$?

count() {
    sed -n "s/^$1: *\([0-9][0-9]*\) *$/\1/p" "$log" | tail -1
}
passed=$(count Ok)
failed=$(count Fail)
timeouts=$(count Timeout)
skipped=$(count Skipped)
if [ "${skipped:-0}" -gt 0 ]; then
    echo "Skipped (what each needs is absent; its output is in $log):"
    grep -E ' SKIP ' "$log" | sed 's/^ *[0-9]*\/[0-9]* /  /' | sort -u
fi
echo "$((${passed:-0})) passed, $((${failed:-0} + ${timeouts:-0})) failed, $((${skipped:-0})) skipped"
exit $status
