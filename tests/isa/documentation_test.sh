#!/bin/sh
# docs/xpulpv2.md is what the instruction table makes today.
# Usage: documentation_test.sh FRESH COMMITTED
set -u
cmp "$1" "$2" && exit 0
diff "$2" "$1" | head -20
echo "remake it: BUILD/gen_isa_doc docs/xpulpv2.md"
exit 1
