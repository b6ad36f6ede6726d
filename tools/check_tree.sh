#!/bin/sh
# The tree holds sources only: no binary or generated file, no note to self, no path of somebody's machine.
# Usage: check_tree.sh SOURCE_ROOT
set -eu
cd "$1"
command -v git >/dev/null && git rev-parse --git-dir >/dev/null 2>&1 || { echo "not a git checkout"; exit 77; }
failed=0
# The marks are put together here so that this file does not match itself.
marks="TO""DO|FIX""ME|XX""X|HA""CK"

report() {
    [ -z "$2" ] && return 0
    echo "$1:"
    echo "$2"
    failed=1
}

report "binary or generated files" \
    "$(git ls-files | grep -E '\.(o|a|so|elf|bin|onnx|tflite|npy|npz|pyc|gcda|gcno)$' || true)"
report "left for later" "$(git grep -nIE "\\b($marks)\\b" -- '*.c' '*.h' '*.S' '*.md' '*.build' '*.sh' || true)"
report "paths of a machine" \
    "$(git grep -nIE '(^|[^A-Za-z0-9._-])/(work|home|root|tmp)/[A-Za-z]' -- '*.c' '*.h' '*.S' '*.md' '*.json' '*.build' Makefile || true)"
report "files over 1500 lines" \
    "$(git ls-files '*.c' '*.h' | xargs -r wc -l | awk '$2 != "total" && $1 > 1500 { print $2, $1 }')"
exit $failed
