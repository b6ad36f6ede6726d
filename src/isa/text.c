#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/isa_format.h"

static const char *const register_names[32] = {
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
    "a6",   "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

static const char order_letters[] = "iorw";

const char *ts_isa_register(uint32_t number) { return register_names[number & 31u]; }

static const ts__isa_operand *operand_at(const ts__isa_format_row *format, int index) {
    int id = index < TS__ISA_OPERANDS ? format->operands[index] : 0;
    return id != 0 ? &ts__isa_operands[id - 1] : NULL;
}

bool ts_isa_target(const ts_insn *insn, uint32_t pc, uint32_t *target) {
    const ts__isa_format_row *format = &ts__isa_formats[ts_isa_rows[insn->row].format];
    for (int i = 0; operand_at(format, i) != NULL; i++) {
        if (operand_at(format, i)->style == TS__STYLE_TARGET) {
            *target = pc + (uint32_t)insn->imm;
            return true;
        }
    }
    return false;
}

/* Text under construction in the caller's room. */
typedef struct output {
    char *text;
    size_t size, capacity;
} output;

static void put_char(output *line, char c) {
    if (line->size + 1 < line->capacity) {
        line->text[line->size++] = c;
    }
}

static void put_string(output *line, const char *text) {
    while (*text != '\0') {
        put_char(line, *text++);
    }
}

static void put_operand(output *line, const ts__isa_operand *operand, int32_t value, uint32_t pc) {
    char number[16];
    switch (operand->style) {
        case TS__STYLE_REGISTER:
            put_string(line, register_names[value & 31]);
            return;
        case TS__STYLE_ORDER:
            for (int bit = 3; bit >= 0; bit--) {
                if ((value >> bit & 1) != 0) {
                    put_char(line, order_letters[3 - bit]);
                }
            }
            put_string(line, value == 0 ? "0" : "");
            return;
        case TS__STYLE_UPPER:
            snprintf(number, sizeof number, "0x%x", (unsigned)value >> 12);
            break;
        case TS__STYLE_HEX:
            snprintf(number, sizeof number, "0x%x", (unsigned)value);
            break;
        case TS__STYLE_TARGET:
            snprintf(number, sizeof number, "0x%x", (unsigned)(pc + (uint32_t)value));
            break;
        default:
            snprintf(number, sizeof number, "%d", value);
    }
    put_string(line, number);
}

size_t ts_isa_print(const ts_insn *insn, uint32_t pc, char *text, size_t capacity) {
    const ts_isa_row *row = &ts_isa_rows[insn->row];
    const ts__isa_format_row *format = &ts__isa_formats[row->format];
    output line = {.text = text, .capacity = capacity};
    put_string(&line, row->mnemonic);
    put_string(&line, format->text[0] != '\0' ? " " : "");
    int next = 0;
    for (const char *at = format->text; *at != '\0'; at++) {
        if (*at != '%') {
            put_char(&line, *at);
            continue;
        }
        const ts__isa_operand *operand = operand_at(format, next++);
        put_operand(&line, operand, ts__isa_get(insn, operand), pc);
    }
    if (capacity > 0) {
        text[line.size] = '\0';
    }
    return line.size;
}

/* The number of a register by either name, or -1; *text moves behind it. */
static int parse_register(const char **text) {
    size_t length = 0;
    while (isalnum((unsigned char)(*text)[length])) {
        length++;
    }
    for (int i = 0; i < 32; i++) {
        char plain[8];
        snprintf(plain, sizeof plain, "x%d", i);
        if ((strlen(plain) == length && strncmp(*text, plain, length) == 0) ||
            (strlen(register_names[i]) == length && strncmp(*text, register_names[i], length) == 0)) {
            *text += length;
            return i;
        }
    }
    return -1;
}

static int parse_order(const char **text) {
    int value = 0;
    const char *letter;
    if (**text == '0') {
        ++*text;
        return 0;
    }
    while (**text != '\0' && (letter = strchr(order_letters, **text)) != NULL) {
        value |= 8 >> (letter - order_letters);
        ++*text;
    }
    return value;
}

static bool parse_operand(const char **text, const ts__isa_operand *operand, uint32_t pc, int32_t *value) {
    if (operand->style == TS__STYLE_REGISTER) {
        *value = parse_register(text);
        return *value >= 0;
    }
    if (operand->style == TS__STYLE_ORDER) {
        *value = parse_order(text);
        return true;
    }
    char *end;
    if (**text != '-' && !isdigit((unsigned char)**text)) {
        return false;
    }
    long long number = strtoll(*text, &end, 0);
    if (end == *text || number < INT32_MIN || number > UINT32_MAX) {
        return false;
    }
    *text = end;
    uint32_t bits = (uint32_t)number;
    if (operand->style == TS__STYLE_UPPER) {
        bits <<= 12;
        return *value = (int32_t)bits, number >= 0 && number < 1 << 20;
    }
    *value = (int32_t)(operand->style == TS__STYLE_TARGET ? bits - pc : bits);
    return true;
}

/* Reads the operands of one row's format; the word decides the implied ones. */
static bool parse_row(const char *text, uint32_t row, uint32_t pc, ts_isa_revision revision, ts_insn *out) {
    const ts__isa_format_row *format = &ts__isa_formats[ts_isa_rows[row].format];
    ts_insn insn = {.row = (uint16_t)row};
    int next = 0;
    for (const char *at = format->text; *at != '\0'; at++) {
        if (*at == '%') {
            const ts__isa_operand *operand = operand_at(format, next++);
            int32_t value;
            if (!parse_operand(&text, operand, pc, &value)) {
                return false;
            }
            ts__isa_set(&insn, operand, value);
        } else if (*at == ' ') {
            text += strspn(text, " \t");
        } else if (*text++ != *at) {
            return false;
        }
    }
    uint32_t word;
    return text[strspn(text, " \t")] == '\0' && ts__isa_encode_written(&insn, &word) &&
           ts_isa_decode(word, revision, out) && out->row == row;
}

bool ts_isa_parse(const char *text, uint32_t pc, ts_isa_revision revision, ts_insn *out) {
    text += strspn(text, " \t");
    size_t length = strcspn(text, " \t");
    for (uint32_t row = 0; row < TS_ROW_COUNT; row++) {
        const char *mnemonic = ts_isa_rows[row].mnemonic;
        if (strlen(mnemonic) == length && strncmp(text, mnemonic, length) == 0 &&
            parse_row(text + length + strspn(text + length, " \t"), row, pc, revision, out)) {
            return true;
        }
    }
    return false;
}
