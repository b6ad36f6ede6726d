#!/bin/sh
# Runs all tests and closes with one line: N passed, N failed, N skipped. Tests of the suite "slow", which compute
# whole networks, run in the plain build; all others in the one with sanitizers, and the suite "both" in either.
# Of the build with sanitizers, what those tests need is built; the plain one has been.
# Usage: check.sh SANITIZED_BUILD PLAIN_BUILD
set -u
passed=0 failed=0 skipped=0 status=0

count() {
    sed -n "s/^$2: *\([0-9][0-9]*\) *$/\1/p" "$1" | tail -1
}

run() {
    build=$1
    shift
    log=$build/meson-logs/testlog.txt
    rm -f "$log"
    # The tests' limits are those of an idle machine.
    meson test -C "$build" --print-errorlogs --num-processes 2 --timeout-multiplier 3 "$@" || status=1
    [ -f "$log" ] || { status=1; return; }
    passed=$((passed + $(count "$log" Ok)))
    failed=$((failed + $(count "$log" Fail) + $(count "$log" Timeout)))
    skipped=$((skipped + $(count "$log" Skipped)))
    if [ "$(count "$log" Skipped)" -gt 0 ]; then
        echo "Skipped (what each needs is absent; its output is in $log):"
        grep -E ' SKIP ' "$log" | sed 's/^ *[0-9]*\/[0-9]* /  /' | sort -u
    fi
}

run "$1" --no-suite slow
run "$2" --suite slow --suite both
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
