/* The core's timing rules written a second time, as the recurrence of docs/simulator.md, and held against the
 * simulator's trace on random programs: hazards, jumps through registers, taken branches, hardware loops,
 * accesses that cross words, divisions. Divisions in the shadow of a branch are left out, since the
 * recurrence is. */
#include "harness.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "isa/isa.h"
#include "sim/assemble.h"

enum { PROGRAMS = 150, ITEMS = 30, MAX_STEPS = 20000, CODE = 0x100, DATA = 0x8000 };

typedef struct step {
    uint64_t cycle;
    uint32_t pc, rs1, rs2; /* values of the operands */
    ts_insn insn;
} step;

typedef struct writer {
    ts_arena *arena;
    ts_sim *sim;
    ts_random random;
    uint32_t pc;
} writer;

static uint32_t draw(writer *w, uint32_t count) {
    return (uint32_t)ts_random_range(&w->random, 0, count - 1);
}

#define PLACE(w, ...) ((w)->pc = place((w)->sim, (w)->pc, ts_arena_printf((w)->arena, __VA_ARGS__)))

/* Any of the registers that programs compute with. */
static const char *reg(writer *w) {
    static const char *const names[] = {"s0", "s1", "s2", "s3", "t0", "t1", "t2", "a2", "a3", "a4"};
    return names[draw(w, sizeof names / sizeof names[0])];
}

static void plain(writer *w) {
    static const char *const three[] = {"add",   "mul",         "mulh", "div",   "remu",
                                        "p.mac", "pv.sdotsp.b", "xor",  "p.max", "sub"};
    static const char *const loads[] = {"lw", "lh", "lbu"}, *const stores[] = {"sw", "sh", "sb"};
    uint32_t kind = draw(w, 10);
    if (kind < 5) {
        PLACE(w, "%s %s, %s, %s", three[draw(w, 10)], reg(w), reg(w), reg(w));
    } else if (kind == 5) {
        PLACE(w, "%s %s, %u(a0)", loads[draw(w, 3)], reg(w), draw(w, 12));
    } else if (kind == 6) {
        PLACE(w, "%s %s, %u(a1)", stores[draw(w, 3)], reg(w), draw(w, 12));
    } else if (kind == 7) {
        PLACE(w, "p.lw %s, %d(a0!)", reg(w), (int)draw(w, 9) - 4);
    } else if (kind == 8) {
        PLACE(w, "p.sw %s, %d(a1!)", reg(w), (int)draw(w, 9) - 4);
    } else {
        PLACE(w, draw(w, 2) != 0 ? "lw zero, 0(a0)" : "addi zero, zero, 0");
    }
}

/* A jump over `skipped` plain instructions, which are placed where they are passed over or not. */
static void jump(writer *w, uint32_t skipped) {
    static const char *const conditions[] = {"beq", "bne", "blt", "bgeu"};
    uint32_t target = w->pc + 4u * (skipped + 2u);
    if (draw(w, 3) == 0) {
        PLACE(w, "jal %s, 0x%x", draw(w, 2) != 0 ? "zero" : "t0", target);
    } else {
        PLACE(w, "%s %s, %s, 0x%x", conditions[draw(w, 4)], reg(w), reg(w), target);
    }
    PLACE(w, "xor %s, %s, %s", reg(w), reg(w), reg(w));
    for (uint32_t i = 0; i < skipped; i++) {
        plain(w);
    }
    PLACE(w, "xor %s, %s, %s", reg(w), reg(w), reg(w));
}

/* A jump through a register that was computed or loaded up to two instructions before. */
static void jump_register(writer *w) {
    uint32_t between = draw(w, 3), loaded = draw(w, 2), target = w->pc + 4u * (4u + loaded + between + 1u);
    PLACE(w, "lui a6, 0x%x", target >> 12);
    PLACE(w, "addi a6, a6, %u", target & 0xfffu);
    PLACE(w, "sw a6, 0(a7)");
    if (loaded != 0) {
        PLACE(w, "lw a6, 0(a7)");
    }
    for (uint32_t i = 0; i < between; i++) {
        plain(w);
    }
    PLACE(w, "jalr %s, 0(a6)", draw(w, 2) != 0 ? "zero" : "t0");
    plain(w);
}

static void hardware_loop(writer *w) {
    uint32_t body = 2u + draw(w, 5);
    PLACE(w, "addi t3, zero, %u", 1u + draw(w, 4));
    PLACE(w, "lp.setup %u, t3, 0x%x", draw(w, 2), w->pc + 4u * body);
    for (uint32_t i = 0; i < body; i++) {
        plain(w);
    }
}

static void write_program(writer *w) {
    static const char *const names[] = {"s0", "s1", "s2", "s3", "t0", "t1", "t2", "a2", "a3", "a4"};
    w->pc = place_all(w->sim, CODE,
                      "lui a0, 0x8; addi a0, a0, 256; addi a1, a0, 512; addi a7, a1, 512; lui t6, 0x40000");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        PLACE(w, "lui %s, 0x%x", names[i], draw(w, 1u << (draw(w, 20) + 1u)));
        PLACE(w, "addi %s, %s, %d", names[i], names[i], (int)draw(w, 4096) - 2048);
    }
    for (int i = 0; i < ITEMS; i++) {
        uint32_t kind = draw(w, 10);
        if (kind < 6) {
            plain(w);
        } else if (kind < 8) {
            jump(w, draw(w, 3));
        } else if (kind == 8) {
            jump_register(w);
        } else {
            hardware_loop(w);
        }
    }
    PLACE(w, "sw zero, 12(t6)");
}

/* The value that the trace shows for a register, 0 where it shows none. */
static uint32_t shown(const char *line, uint8_t number) {
    char name[16];
    snprintf(name, sizeof name, " %s:", ts_isa_register(number));
    const char *at = strstr(line, name);
    return at == NULL ? 0u : (uint32_t)strtoul(at + strlen(name), NULL, 16);
}

static uint32_t read_trace(ts_arena *arena, ts_sim *sim, const char *path, step *steps) {
    ts_diags diags = {.arena = arena};
    ts_bytes text;
    assert_int_equal(ts_file_read(arena, path, 64u << 20, &text, &diags), TS_OK);
    uint32_t count = 0;
    for (const char *line = (const char *)text.data; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");
        char *copy = ts_arena_copy(arena, line, length);
        step *s = &steps[count++];
        uint32_t word;
        assert_int_equal(sscanf(copy, "%" SCNu64 " %*s %" SCNx32, &s->cycle, &s->pc), 2);
        assert_true(ts_sim_read(sim, s->pc, &word, 4));
        assert_true(ts_isa_decode(word, TS_ISA_RI5CY_2019_11, &s->insn));
        s->rs1 = shown(copy, s->insn.rs1);
        s->rs2 = shown(copy, s->insn.rs2);
        assert_true(count < MAX_STEPS);
    }
    return count;
}

static uint32_t occupancy(const step *s) {
    uint32_t flags = ts_isa_flags(&s->insn), bytes = TS_F_SIZE_BYTES(flags);
    ts_isa_class class = ts_isa_class_of(&s->insn);
    if (class == TS_CLASS_MULH) {
        return 5;
    }
    if (class == TS_CLASS_DIV) {
        bool negative = (flags & TS_F_SIGNED) != 0 && (s->rs2 >> 31) != 0;
        uint32_t value = negative ? ~s->rs2 : s->rs2;
        return (negative ? 2u : 3u) + (value == 0 ? 32u : (uint32_t)__builtin_clz(value));
    }
    uint32_t address = s->rs1 + ((flags & TS_F_WRITES_BASE) != 0 ? 0u : (uint32_t)s->insn.imm);
    return bytes != 0 && (address & 3u) + bytes > 4u ? 2u : 1u;
}

static int alu_destination(const step *s) {
    uint32_t flags = ts_isa_flags(&s->insn);
    if ((flags & TS_F_WRITES_BASE) != 0) {
        return s->insn.rs1;
    }
    return (flags & TS_F_WRITES_RD) != 0 && (flags & TS_F_LOAD) == 0 ? s->insn.rd : -1;
}

static bool stalls_behind(const step *load, const step *s) {
    uint32_t flags = ts_isa_flags(&s->insn), rd = load->insn.rd;
    bool reads = ((flags & TS_F_READS_RS1) != 0 && s->insn.rs1 == rd) ||
                 ((flags & TS_F_READS_RS2) != 0 && s->insn.rs2 == rd) ||
                 ((flags & TS_F_READS_RD) != 0 && s->insn.rd == rd);
    return (reads && rd != 0) || alu_destination(s) == (int)rd;
}

/* Cycle from which a jalr may use its base. */
static uint64_t base_ready(const step *steps, const uint64_t *t, uint32_t i) {
    uint32_t base = steps[i].insn.rs1;
    for (uint32_t back = 1; back <= 3 && back <= i; back++) {
        const step *w = &steps[i - back];
        if (alu_destination(w) == (int)base) {
            return t[i - back] + occupancy(w) + 1u;
        }
        if ((ts_isa_flags(&w->insn) & TS_F_LOAD) != 0 && w->insn.rd == base) {
            return t[i - back] + occupancy(w) + 2u;
        }
    }
    return 0;
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* T(i) of every step; compared with the trace, which shows a jalr before it waits for its base. */
static void compare(const step *steps, uint32_t count, uint64_t seed) {
    static uint64_t t[MAX_STEPS], entered[MAX_STEPS], ready[MAX_STEPS];
    t[0] = entered[0] = steps[0].cycle;
    ready[0] = 0;
    for (uint32_t i = 1; i < count; i++) {
        const step *p = &steps[i - 1], *s = &steps[i];
        ts_isa_class class = ts_isa_class_of(&p->insn);
        uint64_t hazard = (ts_isa_flags(&p->insn) & TS_F_LOAD) != 0 && stalls_behind(p, s), fetch = 0;
        if (class == TS_CLASS_JUMP) {
            fetch = entered[i - 1] + 2u;
        } else if (class == TS_CLASS_JALR) {
            fetch = larger(entered[i - 1], ready[i - 1]) + 2u;
        } else if (class == TS_CLASS_BRANCH && s->pc != p->pc + 4u) {
            fetch = t[i - 1] + 3u;
        }
        t[i] = larger(t[i - 1] + occupancy(p) + hazard, fetch);
        entered[i] = larger(t[i - 1] + 1u, fetch);
        bool through_register = ts_isa_class_of(&s->insn) == TS_CLASS_JALR;
        if (t[i] != s->cycle) {
            fail_msg("program %" PRIu64 ", step %u at 0x%x: cycle %" PRIu64 ", the rules say %" PRIu64, seed,
                     i, s->pc, s->cycle - steps[0].cycle, t[i] - t[0]);
        }
        ready[i] = through_register ? base_ready(steps, t, i) : 0;
        t[i] = larger(t[i], ready[i]);
    }
}

static void rules_written_twice_agree(void **state) {
    (void)state;
    static step steps[MAX_STEPS];
    uint64_t total = 0;
    for (uint64_t seed = 0; seed < PROGRAMS; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        char path[] = "timing_test_XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        fclose(fdopen(fd, "w"));
        ts_sim_options options = {.machine = "ri5cy-suite", .max_cycles = 1000000, .trace_path = path};
        writer w = {.arena = arena, .random = ts_random_seed(seed)};
        assert_int_equal(ts_sim_new(arena, NULL, &options, &w.sim, &diags), TS_OK);
        write_program(&w);
        assert_int_equal(ts_sim_start(w.sim, CODE, &diags), TS_OK);
        if (ts_sim_run(w.sim, &diags) != TS_OK) {
            fail_msg("program %" PRIu64 ": %s", seed, diags.list.data[0].text);
        }
        ts_sim_free(w.sim);
        uint32_t count = read_trace(arena, w.sim, path, steps);
        remove(path);
        compare(steps, count, seed);
        total += count;
        ts_arena_free(arena);
    }
    printf("%d programs, %" PRIu64 " instructions\n", PROGRAMS, total);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules_written_twice_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
