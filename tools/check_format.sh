#!/bin/sh
# Every C file is as clang-format writes it. Exit 77 (skipped) where clang-format is missing.
# Usage: check_format.sh SOURCE_ROOT
set -eu
cd "$1"
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }
find . -path './build*' -prune -o \( -name '*.c' -o -name '*.h' \) -print0 | xargs -0 -r clang-format --dry-run --Werror
