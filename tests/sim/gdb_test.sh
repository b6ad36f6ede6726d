#!/bin/sh
# tessera sim --gdb, driven by Debian's debugger: breakpoint, step, registers, memory, watchpoint, exit.
# Usage: gdb_test.sh TESSERA. Exit 77 (skipped) where gdb-multiarch or the RISC-V compiler is missing.
set -u
tessera=$1
for tool in gdb-multiarch riscv64-unknown-elf-gcc; do
    command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

cat >"$dir/program.S" <<'PROGRAM'
    .globl _start
_start:
    li a0, 5
    lui a1, %hi(counter)
    addi a1, a1, %lo(counter)
again:
    addi a0, a0, -1
    .insn s 0x2b, 2, a0, 4(a1)      # p.sw a0, 4(a1!)
    addi a1, a1, -4
    bnez a0, again
done:
    lui t0, 0x40000
    li t1, 3
    sw t1, 12(t0)
1:  j 1b
    .data
counter:
    .word 1234
PROGRAM
riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32 -nostdlib -g -Wl,-Ttext=0x0 -Wl,-Tdata=0x8000 -Wl,-e,_start \
    "$dir/program.S" -o "$dir/program.elf" || exit 1

cat >"$dir/commands" <<'COMMANDS'
set pagination off
set confirm off
break again
continue
printf "a0 is %d, a1 is 0x%x\n", $a0, $a1
stepi
printf "then a0 is %d at 0x%x\n", $a0, $pc
x/1dw &counter
delete
watch *(int *)&counter
continue
continue
printf "now %d\n", *(int *)&counter
delete
set var *(int *)&counter = 77
printf "and now %d\n", *(int *)&counter
set $a0 = 1
break done
continue
printf "finally a0 is %d, counter %d\n", $a0, *(int *)&counter
info registers ra sp
set $pc = again
set $a0 = 7
stepi
printf "moved to 0x%x with a0 %d\n", $pc, $a0
continue
delete
continue
COMMANDS

# A port that nobody holds: the server says so when it is taken, and the next one is tried.
port=$((20000 + $$ % 20000))
for try in 1 2 3 4 5; do
    "$tessera" sim --machine ri5cy-suite --gdb $port "$dir/program.elf" >"$dir/server" 2>&1 &
    server=$!
    timeout 60 gdb-multiarch -nx -batch -ex 'set architecture riscv:rv32' -ex "target remote localhost:$port" \
        -x "$dir/commands" "$dir/program.elf" >"$dir/output" 2>&1
    wait $server
    status=$?
    grep -q 'cannot listen' "$dir/server" || break
    port=$((port + 1))
done

failed=0
expect() {
    grep -q -- "$1" "$dir/output" || { echo "missing in the debugger's output: $1"; failed=1; }
}
expect 'Breakpoint 1, again'
expect '^a0 is 5, a1 is 0x8000$'
expect '^then a0 is 4 at 0xa$'
expect '^0x8000:.*1234'
expect 'Old value = 1234'
expect 'New value = 4$'
expect 'Old value = 4$'
expect 'New value = 3$'
expect '^now 3$'
expect '^and now 77$'
expect '^finally a0 is 0, counter 0$'
expect '^moved to 0xa with a0 6$'
expect 'exited with code 03'
[ $status -eq 1 ] || { echo "the simulator ended with $status, not 1"; failed=1; }
if [ $failed -ne 0 ]; then
    cat "$dir/output" "$dir/server"
fi
exit $failed
