#!/bin/sh
# Runs every fuzz target for a while: fuzz/run.sh BUILD SECONDS [RUNS [TARGET...]], where BUILD was set up with
#     CC=clang meson setup BUILD -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=false
# With RUNS, each ends after so many runs, too. The corpora grow in BUILD/corpus; a finding stops the run and leaves
# its input in BUILD. Lost memory is looked for in the first runs, and not in each of millions, which
# would take most of the time.
set -eu
build=$1
seconds=$2
runs=${3:--1}
[ $# -le 3 ] && shift $# || shift 3
cd "$build"
fuzz/make_corpus corpus
[ $# -gt 0 ] || set -- $(ls fuzz | sed -n 's/_fuzz$//p')
for name in "$@"; do
    case $name in # what a seed needs: longer inputs take more time and find no more
    insn) length=32 ;;
    text | json) length=256 ;;
    npy | journal) length=512 ;;
    data | graph_text | picture | report | sweep) length=1100 ;;
    onnx | tflite | float) length=1536 ;;
    target) length=2048 ;;
    *) length=4608 ;;
    esac
    set_dictionary=
    [ ! -f "corpus/$name.dict" ] || set_dictionary="-dict=corpus/$name.dict"
    fuzz() {
        "fuzz/${name}_fuzz" -rss_limit_mb=2048 -timeout=20 -max_len=$length -entropic=0 -print_final_stats=1 \
            $set_dictionary "$@" "corpus/$name" >"fuzz/$name.log" 2>&1 || { tail -40 "fuzz/$name.log"; exit 1; }
    }
    fuzz -runs=2000
    fuzz -detect_leaks=0 -max_total_time="$seconds" -runs="$runs"
    echo "$name: $(sed -n 's/stat::number_of_executed_units: *//p' "fuzz/$name.log") runs, no finding"
done
