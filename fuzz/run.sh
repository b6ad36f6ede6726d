#!/bin/sh
# Runs every fuzz target for a while: fuzz/run.sh BUILD SECONDS [RUNS [TARGET...]], two of them at a time, where
# BUILD was set up with
#     CC=clang meson setup BUILD -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=false
# With RUNS, each ends after so many runs, too. The corpora grow in BUILD/corpus, or where TESSERA_FUZZ_CORPUS says; a
# finding stops the run and leaves its input in BUILD. TESSERA_FUZZ_SEED repeats a run (0: another each time). Lost
# memory is looked for in the first runs, and not in each of millions, which would take most of the time.
set -eu
build=$1
seconds=$2
runs=${3:--1}
[ $# -le 3 ] && shift $# || shift 3
cd "$build"
corpus=${TESSERA_FUZZ_CORPUS:-corpus}
fuzz/make_corpus "$corpus"

# once TARGET OPTIONS...: a finding is printed.
once() {
    target=$1
    shift
    case $target in # what a seed needs: longer inputs take more time and find no more
    insn) length=32 ;;
    text | json) length=256 ;;
    npy | journal | wav) length=512 ;;
    data | graph_text | picture | report | sweep) length=1100 ;;
    onnx | tflite | float) length=1536 ;;
    target) length=2048 ;;
    *) length=4608 ;;
    esac
    dictionary=$corpus/$target.dict
    [ ! -f "$dictionary" ] || set -- "-dict=$dictionary" "$@"
    "fuzz/${target}_fuzz" -rss_limit_mb=2048 -timeout=60 -max_len=$length -entropic=0 -seed="${TESSERA_FUZZ_SEED:-0}" \
        -print_final_stats=1 "$@" "$corpus/$target" >"fuzz/$target.log" 2>&1 || { tail -40 "fuzz/$target.log"; return 1; }
}

# one_by_one TARGET...
one_by_one() {
    for name; do
        once "$name" -runs=2000 || return 1
        once "$name" -detect_leaks=0 -max_total_time="$seconds" -runs="$runs" || return 1
        echo "$name: $(sed -n 's/stat::number_of_executed_units: *//p' "fuzz/$name.log") runs, no finding"
    done
}

[ $# -gt 0 ] || set -- $(ls fuzz | sed -n 's/_fuzz$//p')
first='' second=''
for name; do
    first="$first $name"
    swap=$first first=$second second=$swap
done
status=0
# shellcheck disable=SC2086 # lists of words are wanted
one_by_one $first &
# shellcheck disable=SC2086
one_by_one $second || status=1
wait $! || status=1
exit $status
