#!/bin/sh
# quantize_test.sh TESSERA: from a float network to integers in each format, with options and refusals.
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

"$tessera" generate glyphs --count 64 --test-count 16 --resolution 24 -o "$work/data" >/dev/null || exit 1
"$tessera" generate float-ds --resolution 24 -o "$work/float.onnx" >/dev/null || exit 1
float=$work/float.onnx data=$work/data/test.json

quantize() { "$tessera" quantize "$float" --calib "$data" "$@"; }
expect 0 'id: 16 samples, top-1' quantize --eval "$data" -o "$work/int.onnx"
expect 0 '"input_scale"' cat "$work/int.json"
expect 0 'integer, 16 samples' "$tessera" eval "$work/int.onnx" --data "$data"
expect 0 'layers verified' "$tessera" run "$work/int.onnx" --target host
expect 0 'id, input step' quantize --format qdq -o "$work/qdq.onnx"
expect 0 '16 samples, top-1' "$tessera" eval "$work/qdq.onnx" --data "$data"
expect 0 'fq, input step' quantize --stage fq -o "$work/fq.onnx"
expect 0 'id: 16 samples, top-1' quantize --asymmetric --eval "$data" -o "$work/zero.tsg"
expect 0 'layers verified' "$tessera" run "$work/zero.tsg" --target host
expect 2 'no weights with a zero point' quantize --asymmetric -o "$work/zero.onnx"
expect 0 'fp, input step' quantize --stage fp -o "$work/fp.tsg"
expect 0 'float, 16 samples' "$tessera" eval "$work/fp.tsg" --data "$data"
expect 0 'id: 16 samples, top-1' "$tessera" quantize "$work/fp.tsg" --calib "$data" --eval "$data"
expect 0 'float, 16 samples' "$tessera" eval "$work/fq.onnx" --data "$data"
expect 0 'id, input step' quantize --batch-norm keep --weights per-layer --weight-ranges best --ranges 99.9 -o "$work/kept.tsg"
expect 0 'lost if one layer alone' quantize --eval "$data" --report

expect 2 "no layer has that name" quantize --layer nowhere=w4a8 -o "$work/none.tsg"
expect 2 "is not what this option takes" quantize --bits 9
expect 2 "is not what this option takes" quantize --format npz
expect 2 "kappas have 7 to 24 bits" quantize --kappa-bits 30
expect 2 "round down have no such form" quantize --floor-pools --format qdq -o "$work/none.onnx"
expect 2 "ends neither in .onnx nor in .tsg" quantize -o "$work/none.bin"
printf '{"mine": 1}' >"$work/other.json"
expect 2 "describes something else" quantize -o "$work/other.onnx"
for file in none.tsg none.onnx none.bin other.onnx; do
    [ ! -e "$work/$file" ] || { echo "FAILED: $file exists"; failures=1; }
done

# Widths by the chip's cycles: a table, and a network that takes as many as it says, no more than before.
awk 'function numbers(count,   i) { for (i = 0; i < count; i++) printf " %g", ((i * 37 + 11) % 41 - 20) / 30; printf "\n" }
    BEGIN {
        print "float 1 \"small\""
        print "tensor %0 \"input\" 1x8x8x4 layout channels_last codes f32"
        print "tensor %1 \"a.weights\" 8x1x1x4 data"; numbers(32)
        print "tensor %2 \"a.bias\" 8 data"; numbers(8)
        print "node \"a\" conv at 0 from %0 %1 %2 to %3 \"a.sum\" kernel 1 1 stride 1 1 dilation 1 1 pads 0 0 0 0 groups 1"
        print "node \"a\" clip at 0 from %3 to %4 \"a\" low 0 high inf"
        print "tensor %5 \"b.weights\" 8x3x3x8 data"; numbers(576)
        print "tensor %6 \"b.bias\" 8 data"; numbers(8)
        print "node \"b\" conv at 1 from %4 %5 %6 to %7 \"b.sum\" kernel 3 3 stride 1 1 dilation 1 1 pads 1 1 1 1 groups 1"
        print "node \"b\" clip at 1 from %7 to %8 \"b\" low 0 high inf"
        print "input %0\noutput %8\nend"
        for (i = 0; i < 256; i++) printf "%c", 33 + (i * i) % 90 >"'"$work/values.bin"'"
    }' >"$work/small.tsg"
printf '{"x": "values.bin", "shape": [8, 8, 4], "type": "u8", "scale": 0.01}' >"$work/values.json"
small() { "$tessera" quantize "$work/small.tsg" --calib "$work/values.json" "$@"; }
expect 0 'gap8: [0-9]* cycles -> [0-9]*, measured in [0-9]* runs' small --bits w4a4 --mixed -o "$work/mixed.tsg"
total=$(printf '%s\n' "$output" | sed -n 's/^gap8: \([0-9]*\) cycles -> \([0-9]*\),.*/\1 \2/p')
expect 0 '^b *w4a4 .* w[48]a8 ' printf '%s\n' "$output"
[ "${total#* }" -lt "${total% *}" ] || { echo "FAILED: --mixed gains nothing: $total"; failures=1; }
expect 0 "^cycles *${total#* } " "$tessera" run "$work/mixed.tsg" --target gap8
expect 2 'no cycles; a simulated chip has' small --mixed --target host -o "$work/none.tsg"

[ $failures -eq 0 ]
