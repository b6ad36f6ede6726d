#!/bin/sh
# eval_test.sh TESSERA: accuracy of an integer network by the interpreter and by its program.
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

net=$work/net.tsg
"$tessera" generate resnet8 --width 0.25 --resolution 8 -o "$net" >/dev/null || exit 1
# Six samples of 8 x 8 x 3 bytes that differ.
awk 'BEGIN { for (i = 0; i < 1152; i++) printf "%c", 33 + (i * i + i / 192) % 90 }' >"$work/x.bin"
printf 'label\n0\n1\n2\n3\n4\n5\n' >"$work/y.csv"
printf '{"x": "x.bin", "y": "y.csv", "shape": [8, 8, 3], "type": "u8"}' >"$work/set.json"

score() { "$tessera" eval "$net" --data "$work/set.json" --input-scale 1 "$@" | head -1; }
here=$(score)
expect 0 'integer, 6 samples, top-1' echo "$here"
for target in gap8 host; do
    [ "$(score --target "$target")" = "$here" ] || { echo "FAILED: $target: $(score --target "$target")"; failures=1; }
done
expect 0 'equal to the integer reference on 6 samples, [0-9]* cycles' \
    "$tessera" eval "$net" --data "$work/set.json" --input-scale 1 --target gap8 --json "$work/eval.json"
expect 0 '"verified_samples": 6' cat "$work/eval.json"
expect 2 'nowhere' "$tessera" eval "$net" --data "$work/set.json" --input-scale 1 --target nowhere
expect 2 'a model and --data are needed' "$tessera" eval "$net"

# A NumPy archive with labels in floats; what TensorFlow Lite answers of these samples is 91.1 % right.
words=${TESSERA_SHARED:-/nowhere}/models/mlperf-tiny-streaming-wakeword
if [ -f "$words/sww_int8.tflite" ]; then
    printf '{"x": "calibration_samples.npz:specs", "y": "calibration_samples.npz:labels"}' >"$work/sww.json"
    expect 0 '45 samples, top-1 91.11 %' "$tessera" eval "$words/sww_int8.tflite" --root "$words" --data "$work/sww.json"
else
    echo 'TESSERA_SHARED names no folder with the wake word: it is not evaluated'
fi

[ $failures -eq 0 ]
