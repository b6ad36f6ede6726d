#!/bin/sh
# From a float network to one that fits a memory: grids, the journal, refusals, a run on the host.
# Usage: fit_test.sh TESSERA
set -eu
tessera=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
    echo "$1" >&2
    exit 1
}

# refuse PATTERN ARGUMENTS...: bad usage, exit 2, a message with PATTERN, and no folder.
refuse() {
    pattern=$1
    shift
    status=0
    "$tessera" fit "$@" -o refused >log 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "fit $*: exit $status"
    grep -q -- "$pattern" log || fail "fit $*: looked for '$pattern' in: $(cat log)"
    [ ! -e refused ] || fail "fit $*: left a folder"
}

"$tessera" generate glyphs --count 1200 --test-count 240 --resolution 16 -o data
"$tessera" generate float-ds --resolution 16 -o net.onnx
data="--data data/train.json --eval data/test.json"
if ! "$tessera" train net.onnx $data --epochs 4 --rate 8e-3 --batch 16 -o trained.onnx >log 2>&1; then
    grep -q 'has no oneDNN' log || fail "train: $(cat log)"
    echo "built without oneDNN: the rest is skipped"
    exit 77
fi

refuse 'are needed' trained.onnx $data
refuse 'are needed' --ram 8K $data
refuse 'not what this option takes' trained.onnx --ram 8K,x $data
refuse 'not what this option takes' trained.onnx --ram M1 $data
refuse 'not what this option takes' trained.onnx --ram M8..M17 $data
refuse 'not what this option takes' trained.onnx --ram 8K --bits 1 $data
"$tessera" quantize trained.onnx --calib data/train.json --limit 16 --stage fp -o fp.tsg >log
sed 's/"conv" clip at 0 from \(.*\) low 0 high inf/"conv" hard_swish at 0 from \1/' fp.tsg >table.tsg
refuse 'has no form with quanta that are powers of two' table.tsg --ram 8K $data
refuse 'not what this option takes' trained.onnx --ram 8K --bits 4..17 $data
refuse 'not what this option takes' trained.onnx --ram 8K --criterion luck $data
refuse 'needs a --target' trained.onnx --ram 8K --memory target $data

"$tessera" generate glyphs --count 40 --test-count 20 --resolution 12 -o small >/dev/null
refuse 'a sample is 12 x 12' trained.onnx --ram 8K --data small/train.json --eval data/test.json
refuse 'a sample is 12 x 12' trained.onnx --ram 8K --data data/train.json --eval small/test.json

train="--epochs 2 --quant-epochs 2 --rate 2e-3 --batch 16"
"$tessera" fit trained.onnx --ram 6000,100 --bits 4,8 $data $train -o grid >log || fail "fit: $(cat log)"
grep -q '^ *100  .*none fits$' log || fail "100 bytes hold nothing: $(cat log)"
grep -q '^6000 bytes: ' log || fail "no answer for 6000 bytes: $(cat log)"
[ "$(grep -c ',verified,' grid/results.csv)" -eq 2 ] || fail "two points fit: $(cat grid/results.csv)"
grep -q '<svg' grid/map.svg || fail "no map"
grep '^6000 bytes: ' log | grep -q '; tessera run grid/ram6000-bits[48].onnx$' || fail "no command: $(cat log)"
grep '^100 bytes: ' log | grep -q "last filters.*node '.*' alone .*would do" || fail "no reason: $(cat log)"
bytes=$(sed -n 's/^6000 .* equation 1: \([0-9]*\) bytes.*/\1/p' log)
[ "$bytes" -le 6000 ] || fail "needs $bytes of 6000 bytes"
"$tessera" run grid/ram6000-bits8.onnx --target host | grep -q 'layers verified' || fail "the integers do not verify"

# Again: nothing is computed and the same comes out. Another training does not mix with it.
cp grid/results.json once.json
cp grid/journal once.journal
"$tessera" fit trained.onnx --ram 6000,100 --bits 4,8 $data $train -o grid >/dev/null
cmp grid/results.json once.json && cmp grid/journal once.journal || fail "a repetition changed results"
if "$tessera" fit trained.onnx --ram 6000 $data $train --seed 2 -o grid >log 2>&1; then
    fail "another seed was mixed in"
fi
grep -q 'belongs to other work' log || fail "$(cat log)"

# Budgets by widths: what is not pruned at the smaller one is not computed again for the larger.
"$tessera" fit trained.onnx --ram M4,M8 --bits 4,8 --limit 64 --eval-limit 40 --epochs 1 --quant-epochs 1 $data -o widths >log ||
    fail "fit: $(cat log)"
[ "$(grep -c ',verified,' widths/results.csv)" -eq 4 ] || fail "four points: $(cat widths/results.csv)"
[ "$(grep -c verified widths/journal)" -eq 3 ] || fail "three are computed: $(cat widths/journal)"

# One budget that cannot be met: exit 3, and what would do.
status=0
"$tessera" fit trained.onnx --ram 100 $data $train -o none >log 2>&1 || status=$?
[ "$status" -eq 3 ] || fail "100 bytes: exit $status"
grep -q 'bytes would do' log || fail "$(cat log)"

# What a chip needs, whose weights lie in flash, is another figure.
"$tessera" fit trained.onnx --ram 12K --target cortex-m4 $data $train -o chip >log || fail "fit: $(cat log)"
grep -q 'cortex-m4: [0-9]* bytes, weights apart' log || fail "$(cat log)"

# Every width is an integer network whose emitted code computes what was trained.
"$tessera" fit trained.onnx --ram 16K --bits 2..16 --limit 64 --eval-limit 40 --epochs 1 --quant-epochs 1 $data -o wide >log ||
    fail "fit: $(cat log)"
[ "$(grep -c ',verified,' wide/results.csv)" -eq 15 ] || fail "2 to 16 bits: $(cat wide/results.csv)"
for bits in 2 3 5 8 9 12 16; do
    "$tessera" run wide/ram16384-bits$bits.onnx --target host | grep -q 'layers verified' || fail "$bits bits do not verify"
done

# The scales of batch norms say what filters are worth; a network without batch norms has none.
once="--ram 6000 --bits 8 --limit 160 --eval-limit 40 --epochs 1 --quant-epochs 1"
"$tessera" fit trained.onnx --criterion bn $once $data -o scales >log || fail "fit: $(cat log)"
grep '^6000 bytes: ' log | grep -q 'filters .*/' || fail "no filter was taken: $(cat log)"
"$tessera" fit trained.onnx --criterion l1 $once $data -o weights >other || fail "fit: $(cat other)"
[ "$(sed -n 's/.*filters \(.*\); top-1.*/\1/p' log)" != "$(sed -n 's/.*filters \(.*\); top-1.*/\1/p' other)" ] ||
    ! cmp -s scales/ram6000-bits8.onnx weights/ram6000-bits8.onnx || fail "bn and l1 choose the same filters"
"$tessera" run scales/ram6000-bits8.onnx --target host | grep -q 'layers verified' || fail "what bn left does not verify"
"$tessera" quantize trained.onnx --calib data/test.json --stage fp -o folded.tsg >/dev/null
status=0
"$tessera" fit folded.tsg --criterion bn $once $data -o folded >log 2>&1 || status=$?
[ "$status" -eq 2 ] && grep -q "'bn' needs a batch norm behind each layer" log || fail "bn without norms: exit $status, $(cat log)"

# A grid that is killed again and again loses nothing that was done and does nothing twice.
grid="trained.onnx --ram 5000,6000,7000 --bits 5,8 --limit 160 --eval-limit 60 $data --epochs 1 --quant-epochs 1 -j 2"
"$tessera" fit $grid -o whole >/dev/null
kills=0
while [ ! -e killed/results.csv ] && [ $kills -lt 60 ]; do
    cp killed/journal before 2>/dev/null || : >before
    timeout -s KILL "$((kills / 4)).$((4 + kills % 4))" "$tessera" fit $grid -o killed >/dev/null 2>&1 || :
    cmp -s -n "$(wc -c <before)" before killed/journal || fail "an interrupted grid lost a point"
    kills=$((kills + 1))
done
[ $kills -gt 1 ] || echo "this machine is too fast: the grid was not interrupted"
cmp -s whole/results.csv killed/results.csv || fail "an interrupted grid has other results"
[ "$(cut -d'"' -f4 killed/journal | sort | uniq -d | wc -l)" -eq 0 ] || fail "a point is there twice"
for network in whole/*.onnx; do
    cmp -s "$network" "killed/${network##*/}" || fail "an interrupted grid has another ${network##*/}"
done

if command -v mpirun >/dev/null && ldd "$tessera" | grep -q libmpi; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 ASAN_OPTIONS=detect_leaks=0 # its own
    mpirun --oversubscribe -np 2 "$tessera" fit $grid -o mpi >log 2>&1 || fail "an MPI job: $(cat log)"
    cmp -s whole/results.csv mpi/results.csv || fail "an MPI job has other results"
    for network in whole/*.onnx; do
        cmp -s "$network" "mpi/${network##*/}" || fail "an MPI job has another ${network##*/}"
    done
else
    echo "no MPI here: grids over machines were not tried"
    status=0
    OMPI_COMM_WORLD_SIZE=2 "$tessera" fit $grid -o mpi >log 2>&1 || status=$?
    [ "$status" -eq 4 ] && grep -q 'built without MPI' log || fail "under mpirun, without MPI: $(cat log)"
fi
