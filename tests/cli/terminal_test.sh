#!/bin/sh
# terminal_test.sh TESSERA: colours and progress on a terminal only, tables that fit it; nothing of that in files and pipes.
set -u
tessera=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
command -v script >/dev/null || {
    echo 'skipped: no script (bsdutils), which makes a terminal'
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
escape=$(printf '\033')
unset NO_COLOR
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

return=$(printf '\r')

# on_terminal COLUMNS COMMAND...: runs it on a terminal as wide; ./shown is what stays on it: of a line, what follows the
# last carriage return.
on_terminal() {
    columns=$1
    shift
    TERM=${terminal-xterm} script -qec "stty cols $columns rows 24; $*" /dev/null >raw </dev/null
    sed "s/$return*$//; s/.*$return//" raw >shown
}

# shows PATTERN, hides PATTERN: of the last command.
shows() { grep -q -- "$1" shown || fail "not shown: $1 in: $(cat -v shown)"; }
hides() { ! grep -q -- "$1" shown || fail "shown: $1 in: $(cat -v shown)"; }

# No line of a table is wider than the terminal, colours apart.
fits() {
    sed "s/$escape\[[0-9;]*[mK]//g" shown | awk -v most="$1" 'length($0) > most { print; bad = 1 } END { exit bad }' ||
        fail "wider than $1 columns"
}

"$tessera" generate resnet8 --width 0.25 --resolution 8 -o net.tsg >/dev/null || exit 1
"$tessera" generate glyphs --count 32 --test-count 8 --resolution 16 -o data >/dev/null || exit 1
"$tessera" generate float-ds --resolution 16 -o float.onnx >/dev/null || exit 1

# Heads are bold, what is verified green, what is wrong red.
on_terminal 200 "$tessera" run net.tsg --target host
shows "$escape\[1mlayer$escape\[0m"
shows "$escape\[32myes$escape\[0m"
shows "$escape\[32m[0-9]* of [0-9]* layers verified$escape\[0m"
on_terminal 80 "$tessera" inspect missing.onnx
shows "^tessera: $escape\[31merror:$escape\[0m"

# No colours where they are not wanted, or cannot be shown.
NO_COLOR=1 on_terminal 200 "$tessera" inspect net.tsg
hides "$escape"'\[[0-9]*m'
NO_COLOR=1 on_terminal 200 "$tessera" inspect net.tsg --color=always
shows "$escape\[1mname"
terminal=dumb on_terminal 200 "$tessera" quantize float.onnx --calib data/test.json --report
hides "$escape"
on_terminal 200 "$tessera" inspect net.tsg --color=never
hides "$escape"'\[[0-9]*m'

# Files and pipes hold words only, and whole tables.
"$tessera" run net.tsg --target host >shown 2>&1
hides "$escape"
hides 'too wide'
"$tessera" inspect missing.onnx >shown 2>&1
hides "$escape"
"$tessera" inspect net.tsg --color=always >shown 2>&1
shows "$escape\[1mname"
"$tessera" inspect net.tsg --color=red >shown 2>&1
[ $? -eq 2 ] || fail '--color=red is taken'
shows 'auto, always or never'

# Every table fits.
for columns in 50 80; do
    on_terminal $columns "$tessera" inspect net.tsg
    sed -i '/^largest/d' shown
    fits $columns
    shows 'too wide for this terminal'
    on_terminal $columns "$tessera" quantize float.onnx --calib data/test.json --report --limit 4
    sed -i '/^worst/,$d' shown
    fits $columns
    shows "$escape\[1mbits"
    on_terminal $columns "$tessera" eval float.onnx --data data/test.json --confusion
    sed -i '/top-1/d' shown
    fits $columns
    [ "$(grep -c 'label' shown)" -gt 1 ] || fail "16 classes side by side in $columns columns"
done
"$tessera" eval float.onnx --data data/test.json --confusion >shown
[ "$(grep -c 'label' shown)" -eq 1 ] || fail 'the table of labels is cut in a pipe'
printf '{"target": "gap8", "generate": "conv", "axes": {"l1": ["16K", "32K"], "seed": [1]}}' >sweep.json
on_terminal 50 "$tessera" explore sweep.json
fits 50
shows "$escape\[32mverified"
shows 'too wide for this terminal: .*MAC/cycle'

# A bar while something takes long, shorter than a line; it is gone afterwards.
on_terminal 60 "$tessera" eval float.onnx --data data/train.json
grep -q '\[#*\.*\] [0-9]*/32' raw || fail "no bar: $(cat -v raw)"
tr '\r' '\n' <raw | sed "s/$escape\[[0-9;]*[mK]//g" | awk 'length($0) > 60 { bad = 1 } END { exit bad }' || fail 'a bar of more than a line'
"$tessera" eval float.onnx --data data/train.json >shown 2>&1
hides '\[#'

[ "$failures" -eq 0 ]
