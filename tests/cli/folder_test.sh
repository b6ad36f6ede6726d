#!/bin/sh
# folder_test.sh TESSERA: what is in the output folder survives whatever happens: two runs at once, a full disk, a
# folder that cannot be written, memory that runs out, a run that is killed.
set -u
tessera=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# check WHAT COMMAND...: the command must succeed.
check() {
    what=$1
    shift
    if ! "$@"; then
        echo "FAILED: $what"
        failures=$((failures + 1))
    fi
}

# refused PATTERN COMMAND...: status 4 and a message.
refused() {
    pattern=$1
    shift
    output=$("$@" 2>&1)
    got=$?
    if [ "$got" -ne 4 ] || ! printf '%s\n' "$output" | grep -q -- "$pattern"; then
        printf 'FAILED: %s\n  status %s, expected 4; looked for: %s\n%s\n' "$*" "$got" "$pattern" "$output"
        failures=$((failures + 1))
    fi
}

small=$work/small.tsg large=$work/large.onnx out=$work/out
"$tessera" generate conv --in 8x8x4 --out 8 -o "$small" >/dev/null || exit 1
"$tessera" generate mobilenet-v1 --width 0.25 --resolution 96 -o "$large" >/dev/null || exit 1
"$tessera" compile "$small" --target gap8 -o "$out" >/dev/null || exit 1
"$tessera" compile "$large" --target gap8 -o "$work/other" >/dev/null || exit 1
cp -r "$out" "$work/before"
unchanged() { diff -r "$out" "$work/before" >/dev/null; }
alone() { [ "$(ls -A "$work")" = "$(printf 'before\nlarge.onnx\nother\nout\nsmall.tsg')" ]; }

# A full disk: no file may grow beyond 64 KiB, so that weights.bin does not get in. The shell's signal is ignored.
refused 'cannot write' sh -c "trap '' XFSZ; ulimit -f 128; exec \"\$0\" compile \"\$1\" --target gap8 -o \"\$2\"" "$tessera" "$large" "$out"
check 'a full disk leaves the folder as it was' unchanged
check 'a full disk leaves nothing beside it' alone

# The same for single files: what was there before is still there.
for file in old.tflite old.onnx old.tsg; do
    "$tessera" generate conv --in 8x8x4 --out 8 -o "$work/$file" >/dev/null || exit 1
    cp "$work/$file" "$work/copy"
    refused 'cannot write' sh -c "trap '' XFSZ; ulimit -f 128; exec \"\$0\" generate mobilenet-v1 --width 0.25 -o \"\$1\"" "$tessera" "$work/$file"
    check "a full disk leaves $file as it was" cmp -s "$work/$file" "$work/copy"
    rm -f "$work/$file" "$work/copy"
done
"$tessera" report "$work/other" -o "$work/page.html" || exit 1
cp "$work/page.html" "$work/copy"
refused 'cannot write' sh -c "trap '' XFSZ; ulimit -f 8; exec \"\$0\" report \"\$1\" -o \"\$2\"" "$tessera" "$work/other" "$work/page.html"
check 'a full disk leaves the page as it was' cmp -s "$work/page.html" "$work/copy"
rm -f "$work/page.html" "$work/copy"
check 'a full disk leaves nothing beside the files' alone

# Where nobody may write, root included.
refused 'cannot' "$tessera" compile "$small" --target gap8 -o /proc/tessera-out
refused 'cannot' "$tessera" generate conv -o /proc/tessera-out.tflite
refused 'cannot' "$tessera" compile "$large" --target gap8 -o "$small/out"
check 'a file in place of a folder is left' test -f "$small"
if [ "$(id -u)" -ne 0 ]; then
    chmod 555 "$work"
    refused 'cannot' "$tessera" compile "$large" --target gap8 -o "$out"
    chmod 755 "$work"
    check 'a read-only folder is left' unchanged
fi

# Killed at some moment: the folder is the former one or the new one.
for delay in 0.01 0.05 0.1 0.2 0.4; do
    "$tessera" compile "$large" --target gap8 -o "$out" >/dev/null 2>&1 &
    child=$!
    sleep "$delay"
    kill -9 "$child" 2>/dev/null
    wait "$child" 2>/dev/null
    if ! unchanged; then
        check "killed after $delay s: neither the former folder nor the new one" diff -r "$out" "$work/other"
    fi
done
rm -rf "$out".* "$work"/.out*

# Ended by a signal that asks for it, in the middle: the former folder or the new one, and nothing beside it. The
# signal is sent as soon as something stands beside the folder.
# ended SIGNAL PATTERN COMMAND...: exit status is in $got.
ended() {
    signal=$1 pattern=$2
    shift 2
    "$@" >/dev/null 2>&1 &
    child=$!
    while kill -0 "$child" 2>/dev/null; do
        set -- $pattern
        [ -e "$1" ] && break
    done
    kill -"$signal" "$child" 2>/dev/null
    wait "$child" 2>/dev/null
    got=$?
}
caught=0
for signal in TERM HUP INT TERM HUP INT; do
    # A shell's children in the background ignore SIGINT: env gives it back.
    ended $signal "$out.??????" env --default-signal=INT "$tessera" compile "$large" --target gap8 -o "$out"
    [ "$got" -gt 128 ] && caught=$((caught + 1))
    check "ended by $signal: something is left beside the folder: $(ls -A "$work" | tr '\n' ' ')" alone
    if ! unchanged; then
        check "ended by $signal: neither the former folder nor the new one" diff -r "$out" "$work/other"
    fi
done
check 'a signal came in the middle' test "$caught" -gt 0
mkdir "$work/scratch"
ended TERM "$work/scratch/tessera.*" env TMPDIR="$work/scratch" "$tessera" run "$small" --target host
check 'a run ended by TERM says so' test "$got" -eq 143
sleep 0.2
check "a run ended by TERM leaves $(ls "$work/scratch")" test -z "$(ls -d "$work"/scratch/tessera.* 2>/dev/null)"
rm -rf "$work/scratch"

# What SIGKILL leaves does not stand in the way.
ended KILL "$out.??????" "$tessera" compile "$large" --target gap8 -o "$out"
check 'the next run is not hindered' "$tessera" compile "$large" --target gap8 -o "$out" >/dev/null
check 'the next run wrote all' diff -r "$out" "$work/other"
rm -rf "$out".??????
rm -rf "$out" && cp -r "$work/before" "$out"

# Two at once: one of the two folders, whole, and each ends well or says why not.
for round in 1 2 3; do
    "$tessera" compile "$large" --target gap8 -o "$out" >/dev/null 2>"$work/a" &
    "$tessera" compile "$small" --target gap8 -o "$out" >/dev/null 2>"$work/b"
    first=$?
    wait $!
    second=$?
    check "two at once: statuses $first and $second" test "$first$second" -eq 0 -o "$first$second" -eq 4 -o "$first$second" -eq 40
    rm -f "$work/a" "$work/b"
    if ! unchanged; then
        check 'two at once: a mixture' diff -r "$out" "$work/other"
    fi
done
check 'two at once leave nothing beside it' alone

[ "$failures" -eq 0 ]
