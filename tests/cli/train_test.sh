#!/bin/sh
# From a seed to verified integers: pictures, a network, training, fine-tuning, a run on the host; the same bytes
# every time, and from a checkpoint, also of a training that was killed. Usage: train_test.sh TESSERA
set -eu
tessera=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
    echo "$1" >&2
    exit 1
}

# killed COMMAND...: starts it with the checkpoint `killed`, kills it in the epoch after its first, and resumes it.
killed() {
    rm -f killed
    "$@" --checkpoint killed >/dev/null 2>&1 &
    process=$!
    while [ ! -e killed ] && kill -0 $process 2>/dev/null; do sleep 0.05; done
    kill -9 $process 2>/dev/null || fail "the training ended before it was killed"
    wait $process 2>/dev/null || :
    "$@" --checkpoint killed --resume >resumed
    grep -q '^epoch 1:' resumed && fail "resumed from the start"
    return 0
}

"$tessera" generate glyphs --count 1600 --test-count 320 --resolution 24 -o data
"$tessera" generate float-ds --resolution 24 -o net.onnx
if ! "$tessera" train net.onnx --data data/train.json --epochs 1 -o one.onnx >log 2>&1; then
    grep -q 'has no oneDNN' log || fail "train: $(cat log)"
    echo "built without oneDNN: the rest is skipped"
    exit 77
fi

train="--data data/train.json --eval data/test.json --epochs 6 --rate 8e-3 --batch 16 --shift 1"
"$tessera" train net.onnx $train --checkpoint state -o a.onnx >log
right=$(sed -n 's/^after: 320 samples, top-1 \([0-9]*\)\..*/\1/p' log)
[ "$right" -ge 55 ] || fail "training taught too little: $(cat log)"
"$tessera" train net.onnx $train --checkpoint state --resume -o d.onnx >/dev/null
cmp a.onnx d.onnx || fail "the checkpoint holds other weights"
killed "$tessera" train net.onnx $train -o d.onnx
cmp a.onnx d.onnx || fail "a training that was killed goes on otherwise"

brief="--data data/train.json --limit 320 --epochs 2 --rate 8e-3 --batch 16 --shift 1"
for name in b c; do
    "$tessera" train net.onnx $brief -o $name.onnx >/dev/null
done
cmp b.onnx c.onnx || fail "the same seed gave other weights"
"$tessera" train net.onnx $brief --seed 2 -o c.onnx >/dev/null
cmp -s b.onnx c.onnx && fail "another seed gave the same weights"
"$tessera" train net.onnx $brief --norm-epochs 1 -o c.onnx >/dev/null
cmp -s b.onnx c.onnx && fail "freezing batch norms changed nothing"
if "$tessera" train net.onnx $train --rate 1e-4 --checkpoint state --resume -o d.onnx >/dev/null 2>log; then
    fail "a checkpoint of another training was taken"
fi
grep -q 'is not a checkpoint of this network with these options' log || fail "$(cat log)"

"$tessera" quantize a.onnx --calib data/train.json --eval data/test.json --bits w4a4 --finetune data/train.json \
    --epochs 2 -o int.onnx --json int.json >log
tops=$(sed -n 's/^f[pq]: .*top-1 \([0-9]*\)\..*/\1/p; s/^[qi]d: .*top-1 \([0-9]*\)\..*/\1/p' log)
set -- $tops
[ $# -eq 4 ] || fail "four stages were to be judged: $(cat log)"
[ $(($2 - $4)) -le 1 ] && [ $(($4 - $2)) -le 1 ] || fail "fq and id differ: $tops"
[ $(($1 - $4)) -le 6 ] || fail "fine-tuning lost too much: $tops"
"$tessera" run int.onnx --target host | grep -q 'layers verified' || fail "the integers do not verify"

tune="--calib data/train.json --bits w4a4 --finetune data/train.json --finetune-limit 800 --epochs 4 --norm-epochs 3"
"$tessera" quantize a.onnx $tune -o x.tsg >/dev/null
killed "$tessera" quantize a.onnx $tune -o y.tsg
cmp x.tsg y.tsg || fail "fine-tuning that was killed goes on otherwise"

"$tessera" quantize a.onnx --calib data/train.json --limit 32 --finetune data/train.json --finetune-limit 320 \
    --epochs 1 --relax 60 --relax-to w6a6 --trace rounds.svg -o relaxed.tsg >log
grep -q '^round  steps  untrained' log || fail "no table of rounds: $(cat log)"
grep -q '^<svg' rounds.svg && grep -q '</svg>' rounds.svg || fail "no picture of rounds"
"$tessera" inspect relaxed.tsg >/dev/null || fail "the relaxed network is not read"

if "$tessera" quantize a.onnx --calib data/train.json --epochs 2 >/dev/null 2>log; then
    fail "options of training were taken without --finetune"
fi
if "$tessera" train a.onnx --data data/train.json --epochs 0 >/dev/null 2>log; then
    fail "no epochs were taken"
fi
