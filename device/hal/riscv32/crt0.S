/* The first instructions: trap vector, stack painted, data and bss set up. */
    .section .vectors, "ax"
    .globl ts_reset
ts_reset:
    la t0, ts_trap
    csrw mtvec, t0
    la sp, ts_stack_top
    la t0, ts_stack_bottom
    li t2, 0xA5A5A5A5
1:  bgeu t0, sp, 2f
    sw t2, 0(t0)
    addi t0, t0, 4
    j 1b
2:  la t0, ts_data_image
    la t1, ts_data_begin
    la t2, ts_data_end
3:  bgeu t1, t2, 4f
    lw t3, 0(t0)
    sw t3, 0(t1)
    addi t0, t0, 4
    addi t1, t1, 4
    j 3b
4:  la t1, ts_bss_begin
    la t2, ts_bss_end
5:  bgeu t1, t2, 6f
    sw zero, 0(t1)
    addi t1, t1, 4
    j 5b
6:  j ts_start

    .balign 4
ts_trap:
    la sp, ts_stack_top
    j ts_fault
