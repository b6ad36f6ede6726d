#!/bin/sh
# Runs every fuzz target for a while: fuzz/run.sh BUILD SECONDS, where BUILD was set up with
#     CC=clang meson setup BUILD -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
# The corpora grow in BUILD/corpus; a finding stops the run and leaves its input in BUILD.
set -eu
build=$1
seconds=$2
cd "$build"
fuzz/make_corpus corpus
for target in fuzz/*_fuzz; do
    name=$(basename "$target" _fuzz)
    "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -max_len=65536 -print_final_stats=1 \
        "corpus/$name" 2>"fuzz/$name.log" || { tail -40 "fuzz/$name.log"; exit 1; }
    echo "$name: $(sed -n 's/stat::number_of_executed_units: *//p' "fuzz/$name.log") runs, no finding"
done
