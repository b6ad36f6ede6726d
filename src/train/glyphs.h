/* The project's own pictures: digits and shapes drawn by a seed, with distortion and noise.
 *
 * Each picture is strokes in a unit square, turned, sheared, scaled, bent and moved at random, drawn with a
 * random width and contrast over a sloping ground, with stray strokes and noise. The same seed gives the same
 * bytes on every host with IEEE 754 doubles and the same libm. */
#ifndef TS_TRAIN_GLYPHS_H
#define TS_TRAIN_GLYPHS_H

#include "base/file.h"

/* Ten digits, then circle, square, triangle, plus, star, arrow. */
enum { TS_GLYPH_CLASSES = 16 };

const char *ts_glyph_name(uint32_t label);

/* Draws picture `number` of a set: `side` x `side` bytes. Returns its label; labels come in turn. */
uint32_t ts_glyph_draw(uint64_t seed, uint32_t number, uint32_t side, uint8_t *pixels);

/* Writes a training and a test set of so many pictures as idx files with descriptions: train.json, test.json,
 * {train,test}-images-idx3-ubyte, {train,test}-labels-idx1-ubyte in `folder`, which is made. */
ts_status ts_glyphs_write(const char *folder, uint64_t seed, uint32_t side, uint32_t train, uint32_t test,
                          ts_diags *diags);

#endif
