#!/bin/sh
# explore_test.sh TESSERA: sweeps from the command line: results, refusals, interruption, MPI.
set -u
tessera=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect STATUS PATTERN COMMAND...: runs it; PATTERN is a basic regular expression for its output.
expect() {
    status=$1 pattern=$2
    shift 2
    output=$("$@" 2>&1)
    got=$?
    if [ "$got" -ne "$status" ] || ! printf '%s\n' "$output" | grep -q -- "$pattern"; then
        fail "$*: status $got, expected $status; looked for: $pattern"
        printf '%s\n' "$output"
    fi
}

# refuse PATTERN JSON: a description that is refused before anything is computed.
refuse() {
    printf '%s\n' "$2" >bad.json
    expect 2 "$1" "$tessera" explore bad.json
    [ ! -e bad.results ] || fail "a refused description left a folder"
}

refuse 'line 2' '{'
refuse 'one of the settings' '{"axes": {"l1": [1000]}}'
refuse 'one of the settings' '{"generate": "conv", "model": "net.tsg"}'
refuse "key 'colour' is not known" '{"generate": "conv", "colour": 1}'
refuse "axis 'colour' is no setting" '{"generate": "conv", "axes": {"colour": [1]}}'
refuse "must be a kind" '{"generate": "colour"}'
refuse "'l1' must be a size" '{"generate": "conv", "axes": {"l1": [0]}}'
refuse "has a value twice" '{"generate": "conv", "axes": {"l1": ["64K", 65536]}}'
refuse "is a fixed setting too" '{"generate": "conv", "l1": 9000, "axes": {"l1": ["64K"]}}'
refuse "for generated networks" '{"model": "net.tsg", "width": 2}'
refuse "net.tsg" '{"model": "net.tsg"}'
refuse "whole number up to 16" '{"generate": "conv", "axes": {"cores": [17]}}'
refuse "no such place" '{"generate": "conv", "axes": {"target.memories.l9.base": [0]}}'
refuse "key 'colour': is not known" '{"generate": "conv", "axes": {"target.dma.colour": [0]}}'
refuse "it must lie in" '{"generate": "conv", "axes": {"target.dma.start_cycles": [8, -1]}}'
refuse "point 'target.dma.start_cycles=-1'" '{"generate": "conv", "axes": {"target.dma.start_cycles": [8, -1]}}'
refuse "of 'plot' is not understood" '{"generate": "conv", "plot": {"x": "l1"}}'
expect 2 'SWEEP.json is needed' "$tessera" explore
expect 2 'not a number of jobs' "$tessera" explore bad.json --jobs 0

cat >small.json <<'JSON'
{"name": "a <small> sweep", "generate": "conv", "plot": {"x": "l1", "y": "cycles"},
 "axes": {"l1": ["200", "4K", "128K"], "target.dma.start_cycles": [11, 500], "cores": [8]}}
JSON
expect 0 'l1=4096 target.dma.start_cycles=500' "$tessera" explore small.json --list
expect 0 'verified' "$tessera" explore small.json
[ "$(wc -l <small.results/journal)" -eq 7 ] || fail "the journal has not one line a point"
[ "$(grep -c ',verified,true' small.results/results.csv)" -eq 4 ] || fail "four points fit"
[ "$(grep -c ',no-fit,' small.results/results.csv)" -eq 2 ] || fail "two points do not fit"
[ "$(grep -c '<circle' small.results/plot.svg)" -eq 4 ] || fail "four points are drawn"
grep -q 'a &lt;small&gt; sweep' small.results/plot.svg || fail "the title is not escaped"
[ ! -e small.results/scratch ] || fail "temporary files stayed"
# The DMA of each point is its own: 500 cycles to begin a transfer are dear.
cycles() { grep "^4096,$1,8," small.results/results.csv | cut -d, -f "$(head -1 small.results/results.csv | tr ',' '\n' | grep -n '^cycles$' | cut -d: -f1)"; }
[ "$(cycles 500)" -gt "$(cycles 11)" ] || fail "a slower DMA is not slower: $(cycles 500), $(cycles 11)"

# Again: nothing is computed, the same comes out. Other points: only those. Other settings: another journal.
cp small.results/results.csv once.csv
cp small.results/journal once.journal
expect 0 'verified' "$tessera" explore small.json
cmp -s once.csv small.results/results.csv && cmp -s once.journal small.results/journal || fail "a repetition changed results"
sed 's/"128K"\]/"128K", "6K"]/' small.json >more.json
expect 0 'verified' "$tessera" explore more.json -o small.results
[ "$(wc -l <small.results/journal)" -eq 9 ] || fail "two more points are two more lines"
sed 's/"name"/"seed": 2, "name"/' small.json >other.json
expect 2 'belongs to other work' "$tessera" explore other.json -o small.results

# A point that asks for what is not served is the user's mistake, as it is in other commands; the others are
# computed.
printf '{"generate": "conv", "axes": {"resolution": [8, 100000]}}\n' >unserved.json
expect 2 "point 'resolution=100000': .* out of range" "$tessera" explore unserved.json
[ "$(grep -c ',verified,true' unserved.results/results.csv)" -eq 1 ] || fail "the point that is served was not computed"

# Killed again and again: at the end every point is there once, and the results are those of a quiet run.
kills=0
while [ ! -e killed.results/results.csv ] && [ $kills -lt 60 ]; do
    timeout -s KILL $((1 + kills / 3)) "$tessera" explore small.json -o killed.results >/dev/null 2>&1
    kills=$((kills + 1))
done
[ $kills -gt 1 ] || fail "nothing was interrupted"
cmp -s once.csv killed.results/results.csv || fail "an interrupted sweep has other results"
[ "$(cut -d'"' -f4 killed.results/journal | sort | uniq -d | wc -l)" -eq 0 ] || fail "a point is there twice"
[ ! -e killed.results/scratch ] || fail "temporary files of an interrupted sweep stayed"

if command -v mpirun >/dev/null && ldd "$tessera" | grep -q libmpi; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 ASAN_OPTIONS=detect_leaks=0 # its own
    expect 0 'verified' mpirun --oversubscribe -np 2 "$tessera" explore small.json -o mpi.results
    cmp -s once.csv mpi.results/results.csv || fail "an MPI job has other results"
    printf '{"generate": "conv", "colour": 1}\n' >bad.json
    expect 2 "key 'colour' is not known" mpirun --oversubscribe -np 2 "$tessera" explore bad.json
else
    echo "no MPI here: sweeps over machines were not tried"
    expect 4 'built without MPI' env OMPI_COMM_WORLD_SIZE=2 "$tessera" explore small.json -o mpi.results
fi

[ $failures -eq 0 ] || exit 1
