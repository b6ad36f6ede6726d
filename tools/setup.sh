#!/bin/sh
# Installs the Debian packages that the project builds, tests and demonstrates with, if any is missing.
# Says what it installs. Works as root and, through sudo, as a user. Nothing else is fetched.
# With --browser also what the report's test in a browser needs: Chromium, Node.js, and the npm package
# playwright-core, which goes into build/npm.
set -eu

packages="gcc libc6-dev make meson ninja-build pkg-config clang libclang-rt-dev clang-format git
libjansson-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev libcmocka-dev
libpng-dev libturbojpeg0-dev zlib1g-dev liblzma-dev libzip-dev libdnnl-dev
libopenmpi-dev openmpi-bin
gcc-riscv64-unknown-elf binutils-riscv64-unknown-elf
gcc-arm-none-eabi qemu-system-misc qemu-system-arm gdb-multiarch"

if [ "${1:-}" = --browser ]; then
    packages="$packages chromium"
    command -v node >/dev/null || packages="$packages nodejs"
    command -v npm >/dev/null || packages="$packages npm"
fi

installed() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'
}

command -v dpkg-query >/dev/null || {
    echo "setup: this is not a Debian system; install the counterparts of: $packages" >&2
    exit 1
}

as_root=""
install() {
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "setup: these packages are missing and sudo is not there to install them:$1" >&2
            exit 1
        }
        as_root=sudo
    fi
    echo "setup: installing through apt-get:$1"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words is wanted
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1
}

missing=""
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
[ -z "$missing" ] || install "$missing"

if [ "${1:-}" = --browser ] && [ ! -d build/npm/node_modules/playwright-core ]; then
    echo "setup: installing through npm, into build/npm: playwright-core"
    npm install --silent --no-audit --no-fund --prefix build/npm playwright-core
fi
