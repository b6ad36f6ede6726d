/* Makes WAV files as recorders write them: a head, a chunk "fmt ", one that readers pass over, and "data". */
#ifndef TS_TESTS_WAV_MAKER_H
#define TS_TESTS_WAV_MAKER_H

#include "zip_maker.h"

enum { WAV_PCM = 1, WAV_ADPCM = 2, WAV_FLOAT = 3, WAV_ALAW = 6, WAV_MULAW = 7 };

/* `data`: frames of interleaved channels, little endian. Source: Microsoft's "Multimedia Programming
 * Interface and Data Specifications 1.0", 1991, chapter 3. */
static inline ts_bytes wav_make(ts_arena *arena, uint32_t coding, uint32_t bits, uint32_t channels,
                                uint32_t rate, const void *data, size_t bytes) {
    ts_text out = {.arena = arena};
    uint32_t frame = channels * bits / 8;
    ts_text_add_bytes(&out, "RIFF", 4);
    zip_number(&out, 4 + 24 + 12 + 8 + bytes + bytes % 2, 4);
    ts_text_add_bytes(&out, "WAVEfmt ", 8);
    zip_number(&out, 16, 4);
    zip_number(&out, coding, 2);
    zip_number(&out, channels, 2);
    zip_number(&out, rate, 4);
    zip_number(&out, rate * frame, 4);
    zip_number(&out, frame, 2);
    zip_number(&out, bits, 2);
    ts_text_add_bytes(&out, "LIST\4\0\0\0INFO", 12);
    ts_text_add_bytes(&out, "data", 4);
    zip_number(&out, bytes, 4);
    ts_text_add_bytes(&out, data, bytes);
    ts_text_add_bytes(&out, "", bytes % 2);
    return (ts_bytes){(const uint8_t *)out.data, out.size};
}

#endif
