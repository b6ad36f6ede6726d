#!/bin/sh
# run.sh [TESSERA [FOLDER]]: builds a program of ours against the library and runs it on a generated network. The
# library is that of the build folder which TESSERA lies in, or else the installed one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tessera=$(command -v "${1:-tessera}")
case $tessera in /*) ;; *) tessera=$PWD/$tessera ;; esac
work=${2:-$(mktemp -d)}
mkdir -p "$work" && cd "$work"

built=$(dirname "$tessera")/src/api
if [ -e "$built/libtessera.so" ]; then
    flags="-I$here/../../include -L$built -Wl,-rpath,$built -ltessera"
else
    flags=$(pkg-config --cflags --libs tessera)
fi
"$tessera" generate conv --in 16x16x8 --out 16 -o net.tsg >/dev/null
# shellcheck disable=SC2086 # a list of words is wanted
cc -std=c99 -Wall -Wextra -o program "$here/main.c" $flags
./program net.tsg
