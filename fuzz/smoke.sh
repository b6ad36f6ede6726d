#!/bin/sh
# A short run of every fuzz target (run.sh), built by clang with libFuzzer in a folder of its own:
# smoke.sh SOURCE FOLDER. TESSERA_FUZZ_SECONDS says how long each runs (10); the
# inputs are the same each time, so that a commit passes or does not.
set -eu
source=$1
folder=$2
mkdir -p "$folder"
printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return n > 9 && d == 0; }\n' >"$folder/probe.c"
clang -fsanitize=fuzzer,address,undefined "$folder/probe.c" -o "$folder/probe" 2>/dev/null || {
    echo "skipped: no clang with libFuzzer (clang and libclang-rt-dev)"
    exit 77
}
[ -f "$folder/build.ninja" ] || CC=clang meson setup "$folder" "$source" -Dfuzz=true -Db_sanitize=address,undefined \
    -Db_lundef=false -Dwerror=false >"$folder/setup.log" || { cat "$folder/setup.log"; exit 1; }
targets=$(cd "$source" && ls fuzz/*_fuzz.c | sed 's/\.c$//')
# shellcheck disable=SC2086 # a list of words is wanted
ninja -C "$folder" -j2 fuzz/make_corpus $targets >"$folder/ninja.log" || { tail -40 "$folder/ninja.log"; exit 1; }
rm -rf "$folder/corpus"
TESSERA_FUZZ_SEED=1 sh "$source/fuzz/run.sh" "$folder" "${TESSERA_FUZZ_SECONDS:-10}"
