#!/bin/sh
# Holds the order of the rooms: a room includes only itself and what stands before it; isa and sim
# include only base and target (and sim isa); device includes nothing from src.
# Usage: check_layers.sh SOURCE_ROOT
set -eu
cd "$1"
order="base target ir model num quant train prune plan emit isa sim run report api cli"
failed=0

complain() {
    echo "$1"
    failed=1
}

allowed_for() {
    case "$1" in
    isa) echo "base target isa" ;;
    sim) echo "base target isa sim" ;;
    *)
        for room in $order; do
            echo "$room"
            [ "$room" = "$1" ] && break
        done
        ;;
    esac
}

for folder in src/*/; do
    room=$(basename "$folder")
    case " $order " in *" $room "*) ;; *) complain "src/$room is not a room of the design" ;; esac
    allowed=$(allowed_for "$room" | tr '\n' ' ')
    # A quoted include with a folder names a room; the kernel lists of device/ are data that plan and emit read.
    for include in $(grep -hoE '^#include "[a-z]+/[^"]+"' "$folder"*.[ch] 2>/dev/null | sed 's/.*"\(.*\)"/\1/' | sort -u); do
        from=${include%%/*}
        case " $allowed kernels " in
        *" $from "*) ;;
        *) complain "src/$room includes \"$include\": $room may include only: $allowed" ;;
        esac
    done
done

bad=$(grep -rnE '#include "(\.\./)*(src|base|target|ir|model|num|plan|emit|isa|sim|run|report|api|cli)/' device --include='*.[chS]' || true)
[ -z "$bad" ] || complain "device/ includes from src/: $bad"
exit $failed
