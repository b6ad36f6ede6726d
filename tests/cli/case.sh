#!/bin/sh
# Runs the commands of a case file in a folder of their own and compares what they print with the file.
# A case: lines "$ COMMAND" ('tessera' is the program under test), below each its output and, where it is not
# 0, its exit status as "[N]". Usage: case.sh TESSERA CASE [--accept] (writes what is printed into the case).
set -u
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
case_file=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
mkdir work && cd work || exit 1

tessera() {
    "$program" "$@"
}

while IFS= read -r line; do
    case $line in
        '$ '*)
            printf '%s\n' "$line"
            (eval "${line#\$ }") </dev/null >../output 2>&1
            status=$?
            cat ../output
            [ $status -eq 0 ] || echo "[$status]"
            ;;
        '#'*)
            printf '%s\n' "$line"
            ;;
    esac
done <"$case_file" >../actual

if [ "${3:-}" = --accept ]; then
    cp ../actual "$case_file"
fi
diff -u "$case_file" ../actual
