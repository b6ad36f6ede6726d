#!/bin/sh
# A short run of one fuzz target (run.sh), built by clang with libFuzzer in a folder that all targets share:
# smoke.sh SOURCE FOLDER TARGET. TESSERA_FUZZ_SECONDS says how long it runs (10); the inputs are the same each
# time, so that a commit passes or does not.
set -eu
source=$1
folder=$2
target=$3
mkdir -p "$folder"

# Several of these run beside one another: one builds, the others wait.
exec 9>"$folder/lock"
flock 9
printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return n > 9 && d == 0; }\n' >"$folder/probe.c"
[ -x "$folder/probe" ] || clang -fsanitize=fuzzer,address,undefined "$folder/probe.c" -o "$folder/probe" 2>/dev/null || {
    echo "skipped: no clang with libFuzzer (clang and libclang-rt-dev)"
    exit 77
}
# Lines for the stacks of a finding are all that is wanted of debugging information.
[ -f "$folder/build.ninja" ] || CC=clang meson setup "$folder" "$source" -Dfuzz=true -Db_sanitize=address,undefined \
    -Db_lundef=false -Dwerror=false -Ddebug=false -Dc_args=-gline-tables-only >"$folder/setup.log" 9>&- || {
    cat "$folder/setup.log"
    exit 1
}
ninja -C "$folder" -j2 fuzz/make_corpus "fuzz/${target}_fuzz" >"$folder/ninja.log" 9>&- || {
    tail -40 "$folder/ninja.log"
    exit 1
}
exec 9>&-

rm -rf "$folder/corpus-$target"
TESSERA_FUZZ_SEED=1 TESSERA_FUZZ_CORPUS=corpus-$target \
    sh "$source/fuzz/run.sh" "$folder" "${TESSERA_FUZZ_SECONDS:-10}" -1 "$target"
