#!/bin/sh
# tessera disasm: exact output for a small program, and exit statuses for what is no program.
# Usage: disasm_test.sh TESSERA FOLDER_OF_XPULP_INSN_INC. Exit 77 (skipped) without the RISC-V compiler.
set -u
tessera=$(realpath "$1")
folder=$(realpath "$2")
command -v riscv64-unknown-elf-gcc >/dev/null || { echo "riscv64-unknown-elf-gcc is not installed"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

cat >"$dir/program.S" <<'PROGRAM'
#include "xpulp_insn.inc"
    .globl _start
_start:
    lp.setup 0, a0, last
    p.lw_pi t0, a1, 4
    p.lw_pr t1, a2, a3
last:
    pv.sdotusp.b a4, t0, t1
    jal ra, helper
    c.j _start
    .half 0
    .type helper, @function
helper:
    p.clip a4, a4, 8
    p.extractu a5, a4, 3, 2
    p.beqimm a5, -3, helper
    pv.add.sci.b a5, a5, -7
    p.bitrev a5, a5, 1, 0
    p.sb_rr a5, a1, a3
    csrr a0, mhartid
    c.jr ra
    .size helper, . - helper
PROGRAM
riscv64-unknown-elf-gcc -march=rv32imc_zicsr -mabi=ilp32 -mno-relax -nostdlib -I"$folder" -Wl,-Ttext=0x100 \
    "$dir/program.S" -o "$dir/program.elf" || exit 1
cd "$dir" || exit 1
"$tessera" disasm program.elf >output || exit 1
"$tessera" disasm --core ri5cy-2018-01 program.elf >old || exit 1

tab=$(printf '\t')
sed "s/|/$tab/g" >expected <<'EXPECTED'
program.elf: entry 0x100, decoded as ri5cy-2019-11

Section .text:

00000100 <_start>:
     100:|0065407b |lp.setup 0, a0, 0x10c <last>
     104:|0045a28b |p.lw t0, 4(a1!)
     108:|20d6730b |p.lw t1, a3(a2!)

0000010c <last>:
     10c:|a8629757 |pv.sdotusp.b a4, t0, t1
     110:|008000ef |jal ra, 0x118 <helper>
     114:|b7f5     |c.j 0x100 <_start>
     116:|0000     |.half 0x0000

00000118 <helper>:
     118:|14871733 |p.clip a4, a4, 8
     11c:|c62717b3 |p.extractu a5, a4, 3, 2
     120:|ffd7ace3 |p.beqimm a5, -3, 0x118 <helper>
     124:|03c7f7d7 |pv.add.sci.b a5, a5, -7
     128:|c207d7b3 |p.bitrev a5, a5, 1, 0
     12c:|00f5c6a3 |p.sb a5, a3(a1)
     130:|f1402573 |csrrs a0, 0xf14, zero
     134:|8082     |c.jr ra
EXPECTED
failed=0
diff expected output || failed=1
grep -q '128:.*\.half 0xd7b3' old || { echo "p.bitrev is no instruction of ri5cy-2018-01"; failed=1; }

# Refused, with a message and the status of bad input.
refuse() {
    "$tessera" disasm "$@" >/dev/null 2>message
    status=$?
    if [ $status -ne 2 ] || [ ! -s message ]; then
        echo "'disasm $*' ended with $status"
        failed=1
    fi
}
refuse
refuse missing.elf
refuse program.S
refuse --core z80 program.elf
head -c 60 program.elf >short.elf
refuse short.elf
exit $failed
