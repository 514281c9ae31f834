/* Some rows of a matrix, laid out column by column, so that what is done to one is done to eight. */
#ifndef BLOCK_H
#define BLOCK_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ended.h"
#include "lanes.h"

/* So many rows in float32, their log odds and the sums of five models find room in the first cache. */
enum { ROWS = 64 };

/* How many models share a reading of a block: so many have their sums in registers. */
enum { MODELS = 5 };

typedef struct {
    const float *values; /* (stored, columns), row by row */
    int64_t stored, columns;
    const int64_t *row; /* (count): which are meant; NULL for `begin` and those after it */
    int64_t begin, count;
    int amiss; /* whether a row was asked for that is not in the matrix; it counts as 0 */
} Rows;

INLINE int64_t padded(int64_t columns) { return (columns + 7) / 8 * 8; }

#define MIX __builtin_shufflevector

/* Write eight rows' columns from `at` on as columns, `apart` from each other: four columns of two rows that are four
   apart lie in one vector, so that pairs of rows are mixed, and pairs of these, within its halves. */
INLINE void transpose(const float *const from[8], int64_t at, float *to, int64_t apart) {
    for (int64_t four = 0; four < 8; four += 4) {
        f32x8 a[4], b[4];
        for (int k = 0; k < 4; k++) {
            const f32x4 here = *(const f32x4_anywhere *)(from[k] + at + four), later = *(const f32x4_anywhere *)(from[k + 4] + at + four);
            a[k] = MIX(here, later, 0, 1, 2, 3, 4, 5, 6, 7);
        }
        for (int k = 0; k < 4; k += 2) {
            b[k] = MIX(a[k], a[k + 1], 0, 8, 1, 9, 4, 12, 5, 13);
            b[k + 1] = MIX(a[k], a[k + 1], 2, 10, 3, 11, 6, 14, 7, 15);
        }
        for (int k = 0; k < 2; k++) {
            float *column = to + (four + 2 * k) * apart;
            *(f32x8_anywhere *)column = MIX(b[k], b[k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            *(f32x8_anywhere *)(column + apart) = MIX(b[k], b[k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
}

/* Return room for so many bytes that begins at a cache line and holds zeros, or NULL. */
static inline void *room(size_t bytes) {
    const size_t lines = bytes / 64 + 1;
    void *found = aligned_alloc(64, 64 * lines);
    if (found) memset(found, 0, 64 * lines);
    return found;
}

/* How many rows of zeros `read_block` asks for: one for each row that it reads at once, and one that stays 0. */
enum { SPARE = 9, ZERO_ROW = 8 };

/* Find eight of the rows, from `first` on; those beyond the last one are 0.

   A row is read to a multiple of eight columns. What that finds of the next row stands in columns that nobody asks for;
   the last rows of the matrix are copied to `spare`, (SPARE, padded), before. */
INLINE void find_rows(Rows *rows, int64_t first, float *spare, const float *from[8]) {
    const int64_t p = rows->columns, wide = padded(p);
    for (int64_t k = 0; k < 8; k++) {
        const int64_t each = first + k;
        from[k] = spare + ZERO_ROW * wide;
        if (each >= rows->count) continue;
        const int64_t at = rows->row ? rows->row[each] : rows->begin + each;
        if (at < 0 || at >= rows->stored) {
            rows->amiss = 1;
            continue;
        }
        from[k] = rows->values + at * p;
        if (at * p + wide > rows->stored * p) {
            memcpy(spare + k * wide, from[k], (size_t)p * sizeof(float));
            from[k] = spare + k * wide;
        }
    }
}

/* Return the address where the block after that of `first` begins in the matrix, or another if there is none. */
INLINE uintptr_t after(const Rows *rows, int64_t first) {
    const int64_t next = first + ROWS < rows->count ? first + ROWS : first;
    const int64_t at = rows->row ? rows->row[next] : rows->begin + next;
    return (uintptr_t)rows->values + (uintptr_t)at * (uintptr_t)rows->columns * sizeof(float);
}

/* Return the address of the second half of the block that `after` finds. */
INLINE uintptr_t second_half(const Rows *rows, int64_t first) {
    return after(rows, first) + (uintptr_t)(ROWS / 2 * rows->columns) * sizeof(float);
}

/* Write rows `first` to `first + ROWS` of `rows` to `columns`, (padded, ROWS).

   Half a block from `next` on is asked for meanwhile, and the rest of it between the products: all of it there would be
   more at a time than the memory takes. Where the products take long enough for that, `next` is 0. */
INLINE void read_block(Rows *rows, int64_t first, float *spare, float *columns, uintptr_t next) {
    enum { LINE = 64, HALF = 8 * 8 * sizeof(float) / 2 };
    for (int64_t low = 0; low < ROWS; low += 8) {
        const float *from[8];
        find_rows(rows, first + low, spare, from);
        for (int64_t at = 0; at < padded(rows->columns); at += 8) {
            if (next) {
                for (uintptr_t k = 0; k < HALF; k += LINE) fetch(next + k);
                next += HALF;
            }
            transpose(from, at, columns + at * ROWS + low, ROWS);
        }
    }
}

/* Write the columns in float64, less their origins. */
INLINE void widen(const float *columns, int64_t p, const double *origin, double *wider) {
    for (int64_t j = 0; j < p; j++)
        for (int k = 0; k < ROWS; k++) wider[j * ROWS + k] = (double)columns[j * ROWS + k] - (origin ? origin[j] : 0.0);
}

/* Do something with `N` models, 1 to MODELS, where the compiler knows how many: with 2 models left,
   WITH_MODELS(2, f(x, N)) is f(x, 2), whose loops over models are unrolled and keep their sums in registers. */
#define WITH_MODELS(count, ...)                        \
    switch (count) {                                   \
    case 1: { enum { N = 1 }; __VA_ARGS__; break; }    \
    case 2: { enum { N = 2 }; __VA_ARGS__; break; }    \
    case 3: { enum { N = 3 }; __VA_ARGS__; break; }    \
    case 4: { enum { N = 4 }; __VA_ARGS__; break; }    \
    default: { enum { N = MODELS }; __VA_ARGS__; }     \
    }

#endif
