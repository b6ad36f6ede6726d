#!/bin/sh
# browser_test.sh TESSERA SCRIPT: the page in headless Chromium, through playwright-core.
# Exit 77 (skipped) where node, playwright-core or Chromium is missing. TESSERA_SHOTS=DIR keeps screenshots.
set -u
tessera=$1 script=$2

skip() {
    echo "skipped: $1"
    exit 77
}

command -v node >/dev/null || skip "node is not installed"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "chromium is not installed (make setup-browser)"
global=$(npm root -g 2>/dev/null || true)
NODE_PATH=${NODE_PATH:-}:$(dirname "$script")/../../build/npm/node_modules${global:+:$global}
export NODE_PATH
node -e 'require.resolve("playwright-core")' 2>/dev/null ||
    skip "the npm package playwright-core is not found (make setup-browser)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
target=gap8
command -v riscv64-unknown-elf-gcc >/dev/null || target=host
"$tessera" generate resnet8 --resolution 16 --width 0.5 -o "$work/net.tsg" >/dev/null || exit 1
"$tessera" run "$work/net.tsg" --target $target --json "$work/a.json" --report "$work/a.html" >/dev/null || exit 1
"$tessera" run "$work/net.tsg" --target $target --l1 8K --json "$work/b.json" >/dev/null || exit 1
cat >"$work/quantised.json" <<EOF
{"weight_bits": 8, "activation_bits": 8, "top1": {"fp": 0.91, "fq": 0.905, "qd": 0.9, "id": 0.9}, "layers": [
{"name": "conv0", "op": "conv", "type": "u8", "weight_bits": 8, "quantum": 0.02, "high": 5.1, "clipped": 0.001,
 "weights_db": 41, "output_db": 38, "points_lost": 0.2},
{"name": "fc", "op": "linear", "type": "s32", "weight_bits": 8, "quantum": 1e-4, "weights_db": 44, "output_db": 29}]}
EOF
"$tessera" report "$work/a.json" "$work/b.json" --quantised "$work/quantised.json" -o "$work/compared.html" || exit 1
node "$script" "$tessera" "$browser" "$work" || exit 1
