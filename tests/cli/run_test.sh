#!/bin/sh
# run_test.sh TESSERA: statuses and messages of compile and run.
set -u
tessera=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect STATUS PATTERN COMMAND...: runs it; PATTERN is a basic regular expression for its output.
expect() {
    status=$1 pattern=$2
    shift 2
    output=$("$@" 2>&1)
    got=$?
    if [ "$got" -ne "$status" ] || ! printf '%s\n' "$output" | grep -q -- "$pattern"; then
        printf 'FAILED: %s\n  status %s, expected %s; looked for: %s\n%s\n' "$*" "$got" "$status" "$pattern" "$output"
        failures=$((failures + 1))
    fi
}

absent() {
    if [ -e "$1" ]; then
        echo "FAILED: $1 exists"
        failures=$((failures + 1))
    fi
}

net=$work/net.tsg
"$tessera" generate conv --in 8x8x4 --out 8 -o "$net" >/dev/null || exit 1

expect 0 '1 of 1 layers verified' "$tessera" run "$net" --target host --json "$work/run.json"
expect 0 '"verified": true' cat "$work/run.json"
expect 0 '"cycles": null' cat "$work/run.json"
expect 0 '1 of 1 layers verified' "$tessera" run "$net" --target gap8 --json "$work/run.json"
expect 0 '"mac_per_cycle": [0-9]' cat "$work/run.json"
expect 0 'verified: conv' "$tessera" run "$net" --target gap8 --embed-weights

expect 0 '1 of 1 layers verified' "$tessera" run "$net" --target host --report "$work/run.html" --keep "$work/kept"
expect 0 'Fits and verified' cat "$work/run.html"
expect 0 '1 of 1 layers verified' "$tessera" run "$net" --target host --keep "$work/kept"
expect 0 '' "$tessera" report "$work/run.json" "$work/kept" -o "$work/two.html"
expect 0 'From A (run.json) to B (kept)' cat "$work/two.html"
expect 2 'RUN is expected' "$tessera" report
expect 2 '-o FILE is needed' "$tessera" report "$work/run.json"
mkdir "$work/none" && expect 2 'neither run.json nor plan.json' "$tessera" report "$work/none" -o "$work/none.html"
expect 2 'net.tsg: line 1' "$tessera" report "$net" -o "$work/none.html"
absent "$work/none.html"

sed '/"stack_bytes": \[/s/1856/512/g' "$(dirname "$0")/../../device/targets/gap8.json" >"$work/shallow.json"
expect 4 'the deepest chain of calls needs [0-9]* bytes of stack; [0-9]* are given' "$tessera" run "$net" --target "$work/shallow.json"

expect 0 'conv' "$tessera" compile "$net" -o "$work/app"
expect 0 'conv' "$tessera" compile "$net" -o "$work/app"
expect 0 '' make --silent -C "$work/app"
expect 0 '' "$tessera" report "$work/app" -o "$work/plan.html"
expect 0 'nothing has been verified' cat "$work/plan.html"
expect 0 '' test -f "$work/app/app.elf"
expect 0 'uint32_t' cat "$work/app/network.h"
expect 0 '1 of 1 layers verified' "$tessera" run "$work/app"
echo >>"$work/app/plan.json"
expect 2 'is not the plan' "$tessera" run "$work/app"
mkdir "$work/golden"
yes 0, | head -256 >"$work/golden/input.txt"
yes 999, | head -512 >"$work/golden/out_layer0.txt"
expect 1 '512 elements differ from the golden, the first at row 0, column 0, channel 0: [0-9]*, expected 999' \
    "$tessera" run "$net" --golden "$work/golden"
expect 1 'NOT EQUAL' "$tessera" run "$net" --golden "$work/golden" --target host
mkdir "$work/mine" && echo x >"$work/mine/file"
expect 2 "is not an application that tessera wrote" "$tessera" compile "$net" -o "$work/mine"
expect 0 '^x$' cat "$work/mine/file"
expect 2 "is not a folder" "$tessera" compile "$net" -o "$work/mine/file"

expect 3 'does not fit L1' "$tessera" compile "$net" -o "$work/small" --l1 50
absent "$work/small"
expect 3 'smallest' "$tessera" run "$net" --l1 50
# Budgets beyond the chip are for plans; --ram is for chips with one memory.
"$tessera" generate conv --in 128x128x32 --out 32 -o "$work/large.tsg" >/dev/null || exit 1
expect 3 'leaves [0-9]* to the network: give --l1 [0-9]* or less' "$tessera" run "$work/large.tsg" --l1 64K
expect 3 'leaves [0-9]* to the network: give --l2 [0-9]* or less' "$tessera" compile "$work/large.tsg" --l2 2M -o "$work/small"
expect 3 'leaves [0-9]* to the network: give --ram [0-9]* or less' "$tessera" compile "$work/large.tsg" -t cortex-m7 --ram 2M -o "$work/small"
absent "$work/small"
expect 0 '65536 given' "$tessera" plan "$work/large.tsg" --l1 64K
expect 2 'give --l1, --l2 and --l3' "$tessera" run "$net" --ram 64K
expect 2 'give --l1 and --l2' "$tessera" plan "$net" --target stm32h743 --ram 64K
expect 3 'does not fit RAM' "$tessera" plan "$net" --target cortex-m4 --ram 100
expect 0 'conv on host' "$tessera" plan "$net" --target host

# Where what is asked for cannot be written, nothing is computed first.
for option in "--json /nowhere/run.json" "--report $work/mine"; do
    expect 4 'cannot write' "$tessera" run "$net" --target host $option
    case $output in *verified*)
        echo "FAILED: run $option computed first"
        failures=$((failures + 1)) ;;
    esac
done
for command in "plan $net" "inspect $net --text" "operators" "--help"; do
    expect 4 'cannot write to standard output' sh -c "\"$tessera\" $command >/dev/full"
done

expect 2 'trace is of the simulator' "$tessera" run "$net" --target host --trace "$work/trace"
expect 2 'max-cycles is of the simulator' "$tessera" run "$net" --target cortex-m4 --max-cycles 9
expect 2 'host-cores is of target host' "$tessera" run "$net" --host-cores 2

expect 0 'Usage: tessera sim' "$tessera" help sim
expect 0 'Usage: tessera operators' "$tessera" operators --help
expect 2 'Too many arguments' "$tessera" version x
expect 4 "'make' is not installed" env PATH=/nowhere "$tessera" run "$net" --target host
mkdir "$work/bin" && ln -s "$(command -v make)" "$work/bin/make"
expect 4 "'riscv64-unknown-elf-gcc' is not installed" env PATH="$work/bin" "$tessera" run "$net"
expect 2 'a MODEL is expected' "$tessera" run
expect 2 '-o DIR is needed' "$tessera" compile "$net"
expect 2 'is not a size' "$tessera" run "$net" --l1 many
expect 2 'nowhere.tsg' "$tessera" run "$work/nowhere.tsg"
expect 2 'computes with integers already' "$tessera" quantize "$net" --calib "$work/none.json" -o "$work/int.onnx"
expect 2 'has 3 values\|256' "$tessera" run "$net" --target host --input "$work/mine/file"

if [ "$(id -u)" -ne 0 ]; then
    mkdir "$work/locked" && chmod 555 "$work/locked"
    expect 4 'cannot create a folder beside' "$tessera" compile "$net" -o "$work/locked/app"
fi
left=$(find "$work" -maxdepth 1 -name 'app.*' -o -maxdepth 1 -name 'mine.*' -o -maxdepth 1 -name 'small*')
[ -z "$left" ] || { echo "FAILED: left behind: $left"; failures=$((failures + 1)); }
echo "$failures failures"
[ "$failures" -eq 0 ]
