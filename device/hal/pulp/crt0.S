/* First instructions of the fabric controller and of the cluster's cores. */
    .option norvc

    .macro trap_vectors
    .rept 32
    j trap
    .endr
    .endm

    .section .vectors, "ax"
    .balign 256
    trap_vectors

    .globl _start
_start:
    la sp, pulp_fc_stack_top
    la a0, pulp_bss_begin
    la a1, pulp_bss_end
1:  bgeu a0, a1, 2f
    sw zero, 0(a0)
    addi a0, a0, 4
    j 1b
2:  call pulp_fc_main
3:  wfi
    j 3b

trap:
    csrr a0, mcause
    csrr a1, mepc
    call pulp_trap

    /* The trap vectors of a core lie where its boot address has its low 8 bits cleared. */
    .balign 256
    trap_vectors
    .globl pulp_cluster_entry
pulp_cluster_entry:
    csrr a0, 0xF14
    andi a0, a0, 31
    la sp, pulp_stack0_top
    beqz a0, 4f
    la sp, pulp_stack0_bottom
    la a1, pulp_stack_bytes
    addi a0, a0, -1
    mul a0, a0, a1
    sub sp, sp, a0
4:  call pulp_cluster_main
5:  wfi
    j 5b
