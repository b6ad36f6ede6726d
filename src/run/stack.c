#include "run/stack.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "isa/isa.h"

enum { RA = 1, SP = 2, REGISTERS = 32 };

typedef enum visit { UNSEEN, OPEN, DONE } visit;

typedef struct function {
    const char *name;
    uint32_t begin, end;
    uint32_t frame_bytes;
    TS_VEC(uint32_t) calls; /* indices of functions */
    bool calls_register;    /* a call whose target is not in the code */
    bool variable;          /* a frame of variable size */
    bool taken;             /* its address is taken */
    bool is_layer, is_caller;
    visit visit;
    uint32_t depth_bytes;
} function;

typedef struct program {
    ts_arena *arena;
    const ts_elf *elf;
    function *list; /* by address */
    uint32_t count;
    ts_diags *diags;
} program;

static int by_address(const void *a, const void *b) {
    const function *first = (const function *)a, *second = (const function *)b;
    return (first->begin > second->begin) - (first->begin < second->begin);
}

static bool is_named(const char *name, const char *const *names, uint32_t count) {
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        found = found || strcmp(name, names[i]) == 0;
    }
    return found;
}

/* Functions of one address are one. */
static void list_functions(program *p) {
    p->list = TS_NEW_ARRAY(p->arena, function, p->elf->located_count + 1);
    for (uint32_t i = 0; i < p->elf->located_count; i++) {
        const ts_elf_symbol *s = &p->elf->symbols[i];
        if (s->function && s->bytes > 0) {
            p->list[p->count++] =
                (function){.name = s->name, .begin = s->address, .end = s->address + s->bytes};
        }
    }
    qsort(p->list, p->count, sizeof *p->list, by_address);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        if (kept == 0 || p->list[kept - 1].begin != p->list[i].begin) {
            p->list[kept++] = p->list[i];
        }
    }
    p->count = kept;
}

static function *function_at(const program *p, uint32_t address) {
    const function key = {.begin = address};
    return (function *)bsearch(&key, p->list, p->count, sizeof *p->list, by_address);
}

static void take_address(const program *p, uint32_t address) {
    function *f = function_at(p, address);
    if (f != NULL) {
        f->taken = true;
    }
}

/* Addresses in tables. */
static void scan_data(const program *p) {
    for (uint32_t i = 0; i < p->elf->section_count; i++) {
        const ts_elf_section *s = &p->elf->sections[i];
        for (uint32_t at = 0; at + 4 <= s->bytes; at += 4) {
            uint32_t word = (uint32_t)s->data[at] | (uint32_t)s->data[at + 1] << 8 |
                            (uint32_t)s->data[at + 2] << 16 | (uint32_t)s->data[at + 3] << 24;
            take_address(p, word);
        }
    }
}

/* What registers are known to hold: addresses are made by two instructions that follow each other. */
typedef struct registers {
    uint32_t value[REGISTERS];
    bool known[REGISTERS];
} registers;

static void call(program *p, function *f, uint32_t target) {
    const function *callee = function_at(p, target);
    if (callee != NULL) {
        TS_PUSH(p->arena, &f->calls, (uint32_t)(callee - p->list));
    }
}

/* Calls, and jumps out of the function: both leave its frame below. */
static void follow_jump(program *p, function *f, const registers *r, const ts_insn *insn, uint32_t pc) {
    uint32_t target = 0;
    if (insn->op == TS_OP_jal && ts_isa_target(insn, pc, &target)) {
        if (insn->rd != 0 || target < f->begin || target >= f->end) {
            call(p, f, target);
        }
        return;
    }
    bool returns = insn->rd == 0 && insn->rs1 == RA;
    if (insn->op != TS_OP_jalr || returns) {
        return;
    }
    if (r->known[insn->rs1]) {
        call(p, f, r->value[insn->rs1] + (uint32_t)insn->imm);
    } else {
        f->calls_register = true;
    }
}

static void follow(program *p, function *f, registers *r, const ts_insn *insn, uint32_t pc) {
    follow_jump(p, f, r, insn, pc);
    bool adds = insn->op == TS_OP_addi && insn->rs1 != 0;
    if (adds && insn->rd == SP && insn->rs1 == SP) {
        f->frame_bytes += insn->imm < 0 ? (uint32_t)-insn->imm : 0;
    }
    f->variable |= insn->op == TS_OP_sub && insn->rd == SP;
    bool known = insn->op == TS_OP_auipc || insn->op == TS_OP_lui || (adds && r->known[insn->rs1]);
    if (known) {
        r->value[insn->rd] = (uint32_t)insn->imm + (insn->op == TS_OP_auipc ? pc
                                                    : adds                  ? r->value[insn->rs1]
                                                                            : 0);
    }
    if (adds && known) {
        take_address(p, r->value[insn->rd]);
    }
    if ((ts_isa_flags(insn) & TS_F_WRITES_RD) != 0) {
        r->known[insn->rd] = known && insn->rd != 0;
    }
}

static const ts_elf_section *section_of(const ts_elf *elf, uint32_t address) {
    for (uint32_t i = 0; i < elf->section_count; i++) {
        const ts_elf_section *s = &elf->sections[i];
        if (s->executable && address >= s->address && address - s->address < s->bytes) {
            return s;
        }
    }
    return NULL;
}

static void scan_function(program *p, function *f) {
    const ts_elf_section *s = section_of(p->elf, f->begin);
    registers r = {0};
    for (uint32_t pc = f->begin; s != NULL && pc < f->end && pc - s->address + 2 <= s->bytes;) {
        const uint8_t *at = s->data + (pc - s->address);
        uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8;
        if (ts_isa_size(word) == 4 && pc - s->address + 4 <= s->bytes) {
            word |= (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        }
        ts_insn insn;
        if (ts_isa_decode(word, TS_ISA_RI5CY_2019_11, &insn)) {
            follow(p, f, &r, &insn, pc);
        }
        pc += insn.size;
    }
}

static bool depth_of(program *p, function *f);

static bool deepen(program *p, function *callee, uint32_t *most) {
    bool known = depth_of(p, callee);
    *most = known && callee->depth_bytes > *most ? callee->depth_bytes : *most;
    return known;
}

/* Fills f->depth_bytes; false, with a diagnostic, where it is not bounded. */
static bool depth_of(program *p, function *f) {
    if (f->visit == DONE) {
        return true;
    }
    if (f->visit == OPEN || f->variable) {
        (void)ts_error(p->diags, TS_DIAG_SIM, NULL, NULL, "the stack of '%s' has no bound: %s", f->name,
                       f->variable ? "its frame has no fixed size" : "it may call itself");
        return false;
    }
    f->visit = OPEN;
    uint32_t most = 0;
    bool known = true;
    for (uint32_t i = 0; i < f->calls.count && known; i++) {
        known = deepen(p, &p->list[f->calls.data[i]], &most);
    }
    for (uint32_t i = 0; f->calls_register && i < p->count && known; i++) {
        function *callee = &p->list[i];
        if (callee->taken && callee->is_layer == f->is_caller) {
            known = deepen(p, callee, &most);
        }
    }
    f->depth_bytes = f->frame_bytes + most;
    f->visit = DONE;
    return known;
}

uint32_t ts__stack_need(ts_arena *arena, const ts_elf *elf, const char *root, const char *const *callers,
                        uint32_t caller_count, const char *const *layers, uint32_t layer_count,
                        ts_diags *diags) {
    program p = {.arena = arena, .elf = elf, .diags = diags};
    list_functions(&p);
    scan_data(&p);
    function *first = NULL;
    for (uint32_t i = 0; i < p.count; i++) {
        function *f = &p.list[i];
        f->is_layer = is_named(f->name, layers, layer_count);
        f->is_caller = is_named(f->name, callers, caller_count);
        first = strcmp(f->name, root) == 0 ? f : first;
        scan_function(&p, f);
    }
    if (first == NULL) {
        (void)ts_error(diags, TS_DIAG_SIM, NULL, NULL, "the program has no function '%s'", root);
        return 0;
    }
    return depth_of(&p, first) ? first->depth_bytes : 0;
}
