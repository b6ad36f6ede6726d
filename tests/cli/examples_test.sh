#!/bin/sh
# examples_test.sh TESSERA EXAMPLES: runs every example and compares what it prints with its expected.txt.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for example in "$2"/*/; do
    name=$(basename "$example")
    sh "$example/run.sh" "$1" "$work/$name" >"$work/$name.txt"
    diff -u "$example/expected.txt" "$work/$name.txt"
done
