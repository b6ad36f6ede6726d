#include "ir/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ts__words_print_string(ts_text *out, const char *text) {
    ts_text_add(out, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\') {
            ts_text_printf(out, "\\x%02x", (unsigned)byte);
        } else {
            ts_text_add_bytes(out, c, 1);
        }
    }
    ts_text_add(out, "\"");
}

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Skips blanks and comments (# to the end of the line). */
void ts__words_skip(ts__words *p) {
    bool comment = false;
    for (; p->at < p->end && (comment || is_blank(*p->at) || *p->at == '#'); p->at++) {
        comment = *p->at != '\n' && (comment || *p->at == '#');
        p->line += *p->at == '\n';
    }
}

/* Takes the next word into p->word. */
ts_status ts__words_next(ts__words *p) {
    size_t size = 0;
    ts__words_skip(p);
    for (; p->at < p->end && !is_blank(*p->at) && *p->at != '"'; p->at++) {
        if (size == TS__WORD_MOST || *p->at < 0x20 || *p->at >= 0x7f) {
            return TS__WORDS_FAIL(p, "a word is longer than %d characters or not plain text", TS__WORD_MOST);
        }
        p->word[size++] = (char)*p->at;
    }
    p->word[size] = '\0';
    return TS_OK;
}

/* True, and the word is taken, when the next word is `word`; else nothing is taken. */
bool ts__words_accept(ts__words *p, const char *word) {
    ts__words_skip(p);
    size_t size = strlen(word);
    size_t left = (size_t)(p->end - p->at);
    if (left < size || memcmp(p->at, word, size) != 0 || (left > size && !is_blank(p->at[size]))) {
        return false;
    }
    p->at += size;
    return true;
}

ts_status ts__words_expect(ts__words *p, const char *word) {
    if (ts__words_accept(p, word)) {
        return TS_OK;
    }
    TS_TRY(ts__words_next(p));
    return p->at == p->end && p->word[0] == '\0'
               ? TS__WORDS_FAIL(p, "the text ends where '%s' is wanted", word)
               : TS__WORDS_FAIL(p, "'%s' stands where '%s' is wanted", p->word, word);
}

/* A decimal integer in [low, high], written as it would be printed. */
ts_status ts__words_integer(ts__words *p, int64_t low, int64_t high, int64_t *out) {
    TS_TRY(ts__words_next(p));
    const char *digits = p->word[0] == '-' ? p->word + 1 : p->word;
    bool leading_zero = digits[0] == '0' && (digits[1] != '\0' || digits != p->word);
    if (digits[0] < '0' || digits[0] > '9' || leading_zero || !ts_parse_i64(p->word, out)) {
        return TS__WORDS_FAIL(p, "'%s' is not an integer", p->word);
    }
    if (*out < low || *out > high) {
        return TS__WORDS_FAIL(p, "%s is not within [%lld, %lld]", p->word, (long long)low, (long long)high);
    }
    return TS_OK;
}

ts_status ts__words_integer32(ts__words *p, int32_t *out) {
    int64_t value;
    TS_TRY(ts__words_integer(p, INT32_MIN, INT32_MAX, &value));
    *out = (int32_t)value;
    return TS_OK;
}

ts_status ts__words_unsigned32(ts__words *p, uint32_t *out) {
    int64_t value;
    TS_TRY(ts__words_integer(p, 0, UINT32_MAX, &value));
    *out = (uint32_t)value;
    return TS_OK;
}

ts_status ts__words_real(ts__words *p, double *out) {
    char *end;
    TS_TRY(ts__words_next(p));
    *out = strtod(p->word, &end);
    if (p->word[0] == '\0' || *end != '\0') {
        return TS__WORDS_FAIL(p, "'%s' is not a number", p->word);
    }
    return TS_OK;
}

ts_status ts__words_tensor(ts__words *p, ts_tensor_id *out) {
    ts__words_skip(p);
    if (p->at == p->end || *p->at != '%') {
        return TS__WORDS_FAIL(p, "a tensor, %%N, is wanted");
    }
    p->at++;
    return ts__words_unsigned32(p, out);
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a string at p->at, which is moved past it; -1 where the escape is wrong. */
static int string_byte(ts__words *p) {
    uint8_t c = *p->at++;
    if (c != '\\') {
        return c < 0x20 || c == 0x7f ? -1 : c;
    }
    if (p->end - p->at < 3 || p->at[0] != 'x') {
        return -1;
    }
    int high = hex_digit(p->at[1]), low = hex_digit(p->at[2]);
    p->at += 3;
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

ts_status ts__words_string(ts__words *p, const char **out) {
    char text[TS__NAME_MOST];
    size_t size = 0;
    ts__words_skip(p);
    if (p->at == p->end || *p->at != '"') {
        return TS__WORDS_FAIL(p, "a name in quotation marks is wanted");
    }
    for (p->at++; p->at < p->end && *p->at != '"';) {
        int byte = string_byte(p);
        if (byte < 0 || size == TS__NAME_MOST) {
            return TS__WORDS_FAIL(p, "a name is longer than %d bytes or holds a wrong character",
                                  TS__NAME_MOST);
        }
        text[size++] = (char)byte;
    }
    if (p->at == p->end) {
        return TS__WORDS_FAIL(p, "a name does not end");
    }
    p->at++;
    *out = ts_arena_copy(p->arena, text, size);
    return TS_OK;
}

/* "1x8x8x16" or "scalar". */
ts_status ts__words_shape(ts__words *p, uint32_t *rank, uint32_t *dims) {
    TS_TRY(ts__words_next(p));
    const char *at = strcmp(p->word, "scalar") == 0 ? "" : p->word;
    while (*at != '\0') {
        char *end;
        errno = 0;
        unsigned long long dim = strtoull(at, &end, 10);
        bool more = *end == 'x';
        if (*at < '1' || *at > '9' || errno != 0 || dim > UINT32_MAX || *rank == TS_MAX_RANK ||
            (*end != '\0' && (!more || end[1] == '\0'))) {
            return TS__WORDS_FAIL(p, "'%s' is not a shape", p->word);
        }
        dims[(*rank)++] = (uint32_t)dim;
        at = more ? end + 1 : end;
    }
    return TS_OK;
}

/* A list of `count` items takes at least two bytes an item: longer lists than the text are not allocated. */
ts_status ts__words_room(ts__words *p, uint64_t count) {
    if (count > (uint64_t)(p->end - p->at) / 2) {
        return TS__WORDS_FAIL(p, "%llu values are wanted and the text ends before",
                              (unsigned long long)count);
    }
    return TS_OK;
}
