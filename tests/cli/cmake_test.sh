#!/bin/sh
# The CMakeLists.txt of emitted folders build what their Makefiles build: the same RAM and, but for what
# alignment makes of another order of files, the same code; and what runs here computes the same.
# Usage: cmake_test.sh TESSERA TARGETS, the folder of the built-in targets
set -eu
tessera=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
targets=$(cd "$2" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
    echo "$1" >&2
    exit 1
}

if ! command -v cmake >/dev/null; then
    echo "no cmake: skipped"
    exit 77
fi

# build TARGET COMPILER: the folder TARGET by make, TARGET/cmake by CMake.
build() {
    "$tessera" compile net.onnx --target "$1" -o "$1" >/dev/null
    make -C "$1" >log 2>&1 || fail "$1, make: $(tail -5 log)"
    cmake -S "$1" -B "$1/cmake" "-DCMAKE_C_COMPILER=$2" >log 2>&1 || fail "$1, cmake: $(tail -5 log)"
    cmake --build "$1/cmake" >log 2>&1 || fail "$1, cmake --build: $(tail -5 log)"
}

# sections FILE: bytes of code and constants, and of RAM.
sections() { size "$1" | awk 'NR == 2 { print $1, $2 + $3 }'; }

compare() {
    sections "$1/app.elf" >made
    sections "$1/cmake/app.elf" >cmaked
    awk 'NR == 1 { text = $1; ram = $2 }
         NR == 2 { d = $1 - text; exit !($2 == ram && d * 50 < text && -d * 50 < text) }' made cmaked ||
        fail "$1: code and RAM $(cat made) by make, $(cat cmaked) by CMake"
}

"$tessera" generate ds-cnn --width 0.25 -o net.onnx >/dev/null
for pair in cortex-m4:arm-none-eabi-gcc stm32h743:arm-none-eabi-gcc riscv32:riscv64-unknown-elf-gcc \
    gap8:riscv64-unknown-elf-gcc; do
    if command -v "${pair#*:}" >/dev/null; then
        build "${pair%:*}" "${pair#*:}"
        compare "${pair%:*}"
    else
        echo "no ${pair#*:}: ${pair%:*} is left out"
    fi
done

build generic cc
[ -s generic/cmake/libnetwork.a ] || fail "generic: no library"
head -c 490 net.onnx >run-0-0.input
generic/app && mv run-0.output made
generic/cmake/app && cmp run-0.output made || fail "generic: other results"

# Without the chip's DMA the core copies; a driver that there is not is refused.
if command -v arm-none-eabi-gcc >/dev/null; then
    make -C stm32h743 clean >/dev/null && make -C stm32h743 DMA=copy >log 2>&1 || fail "DMA=copy: $(tail -5 log)"
    if arm-none-eabi-nm stm32h743/app.elf | grep -q mdma; then fail "DMA=copy has the driver all the same"; fi
    arm-none-eabi-nm stm32h743/cmake/app.elf | grep -q mdma_start || fail "the driver is not in the program"
fi
sed 's/"driver": "stm32h7"/"driver": "abacus"/' "$targets/stm32h743.json" >abacus.json
if "$tessera" compile net.onnx --target abacus.json -o abacus >log 2>&1; then fail "abacus is no driver"; fi
grep -q 'no driver device/hal/abacus' log || fail "abacus: $(cat log)"
