#!/bin/sh
# run.sh [TESSERA [FOLDER]]: makes two networks, compiles them, links both into one program and runs it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tessera=$(command -v "${1:-tessera}")
case $tessera in /*) ;; *) tessera=$PWD/$tessera ;; esac
work=${2:-$(mktemp -d)}
mkdir -p "$work" && cd "$work"

"$tessera" generate conv --in 16x16x8 --out 16 -o first.tsg >/dev/null
"$tessera" generate linear --in 4x4x32 --out 10 --raw -o second.tsg >/dev/null
sed -i 's/^graph 1 .*/graph 1 "first"/' first.tsg
sed -i 's/^graph 1 .*/graph 1 "second"/' second.tsg
for name in first second; do
    "$tessera" compile $name.tsg --target host -o $name >/dev/null
    make --silent -C $name
done

# Both folders have the kernels and the runtime that their network uses: one copy of each object is linked.
objects=$(
    { (cd first/obj && find kernels runtime -name '*.o' ! -name 'main_*' | sed 's|^|first/obj/|')
      (cd second/obj && find kernels runtime -name '*.o' ! -name 'main_*' | sed 's|^|second/obj/|'); } |
        awk -F /obj/ '!seen[$2]++'
)
cc -std=c99 -O2 -Wall -Wextra -pthread -I. -Ifirst -Ifirst/hal/host -o both "$here/main.c" \
    first/obj/network.c.o first/obj/layers/*.o second/obj/network.c.o second/obj/layers/*.o \
    $objects first/obj/hal/host/host.c.o
./both first/weights.bin second/weights.bin
