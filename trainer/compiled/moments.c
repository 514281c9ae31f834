/* Sums over the rows of a feature matrix that ask no model, and rows drawn by their sizes.

   What the arguments mean is said in passes.py, which checks them, and their kinds in library.py, which nothing compares
   with these. A function that returns int returns one of Ended. */
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "lanes.h"

/* Return the sum of each of eight vectors. */
INLINE f32x8 sums8(const f32x8 of[8]) {
    f32x8 a[4], b[2];
    for (int k = 0; k < 4; k++) {
        f32x8 x = of[2 * k], y = of[2 * k + 1];
        a[k] = MIX(x, y, 0, 8, 1, 9, 4, 12, 5, 13) + MIX(x, y, 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int k = 0; k < 2; k++) {
        f32x8 x = a[2 * k], y = a[2 * k + 1];
        b[k] = MIX(x, y, 0, 1, 8, 9, 4, 5, 12, 13) + MIX(x, y, 2, 3, 10, 11, 6, 7, 14, 15);
    }
    return MIX(b[0], b[1], 0, 1, 2, 3, 8, 9, 10, 11) + MIX(b[0], b[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

/* Add the products of eight rows with `weights` to `sums`, (padded / 4), of `count` times four columns from `at` on: so many
   chains of sums are under way side by side. */
INLINE void add_weighted(const float *const from[8], int64_t at, const double *weights, f64x4 *sums, const int count) {
    f64x4 each[4];
    for (int q = 0; q < count; q++) each[q] = sums[at / 4 + q];
    for (int k = 0; k < 8; k++)
        for (int q = 0; q < count; q++)
            each[q] = fused4(wider4(*(const f32x4_anywhere *)(from[k] + at + 4 * q)), all4(weights[k]), each[q]);
    for (int q = 0; q < count; q++) sums[at / 4 + q] = each[q];
}

/* Write the third power of the length of each of eight rows from `first` on, and add their products with `weights`, if
   any, to `sums`, (padded / 4); `next` is fetched meanwhile. `kept` has the bits of the columns that there are. */
INLINE void take_rows(Rows *rows, int64_t first, float *spare, const float *kept, const double *weights, f64x4 *sums,
                      uintptr_t next, double *found) {
    const float *from[8];
    const int64_t wide = padded(rows->columns);
    f32x8 squares[8];
    find_rows(rows, first, spare, from);
    for (int k = 0; k < 8; k++) squares[k] = all8(0.0f);
    for (int64_t at = 0; at < wide; at += 8) {
        /* What is read of the next row has no part in a length. */
        const i32x8 there = *(const i32x8 *)(kept + at);
        for (int k = 0; k < 8; k++) {
            f32x8 x = (f32x8)((i32x8)*(const f32x8_anywhere *)(from[k] + at) & there);
            squares[k] = fused8(x, x, squares[k]);
        }
        for (int k = 0; k < 4; k++) fetch(next + (uintptr_t)(8 * at + 16 * k) * sizeof(float));
    }
    if (weights) {
        int64_t at = 0;
        for (; at + 16 <= wide; at += 16) add_weighted(from, at, weights, sums, 4);
        if (at < wide) add_weighted(from, at, weights, sums, 2);
    }
    const f32x8 summed = sums8(squares);
    const f64x4 low = wider4(MIX(summed, summed, 0, 1, 2, 3)), high = wider4(MIX(summed, summed, 4, 5, 6, 7));
    const f64x4 powers[2] = {low * sqrt4(low), high * sqrt4(high)};
    const int64_t left = rows->count - first;
    memcpy(found + first, powers, sizeof(double) * (size_t)(left < 8 ? left : 8));
}

/* Go through all rows, eight at a time: the sums of `weights`, if any, and of their products with the columns, and the
   sizes of the rows. */
INLINE int taken(Rows *rows, const double *weights, double *found, double *of_rows) {
    const int64_t p = rows->columns, wide = padded(p), n = rows->count;
    f64x4 *sums = room(sizeof(double) * (size_t)wide + sizeof(float) * (size_t)((SPARE + 1) * wide));
    if (!sums) return NO_ROOM;
    float *kept = (float *)(sums + wide / 4), *spare = kept + wide;
    memset(kept, 0xff, (size_t)p * sizeof(float));
    double weight[8] __attribute__((aligned(32))) = {0};
    f64x4 low = all4(0.0), high = all4(0.0);
    for (int64_t first = 0; first < n; first += 8) {
        const int64_t here = n - first < 8 ? n - first : 8;
        if (weights) {
            memcpy(weight, weights + first, (size_t)here * sizeof(double));
            for (int64_t k = here; k < 8; k++) weight[k] = 0.0;
            low += *(f64x4 *)weight;
            high += *(f64x4 *)(weight + 4);
        }
        take_rows(rows, first, spare, kept, weights ? weight : NULL, sums, after(rows, first), of_rows);
    }
    if (weights) {
        found[0] = sum4(low + high);
        memcpy(found + 1, sums, (size_t)p * sizeof(double));
    }
    free(sums);
    return rows->amiss ? ROW_AMISS : WELL;
}

int weighted_sums(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, const double *weights,
                  double *found, double *of_rows) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    return taken(&rows, weights, found, of_rows);
}

int sizes(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, double *found) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    return taken(&rows, NULL, NULL, found);
}

int64_t draw(const double *sizes, int64_t n, double a_size, double equal, int64_t most, int64_t *positions,
             double *weights) {
    int64_t drawn = 0, passed = 0;
    double sum = 0.0;
    for (int64_t k = 0; k < n && drawn < most; k++) {
        double chance = sizes[k] * a_size + equal;
        if (chance > 1.0) chance = 1.0;
        sum += chance;
        /* Rounded down, as none is negative. */
        const int64_t now = (int64_t)(sum + 0.5);
        if (now == passed) continue;
        passed = now;
        positions[drawn] = k;
        weights[drawn++] = 1.0 / chance;
    }
    return drawn;
}

int products(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t begin, int64_t n,
             const double *origin, double *found) {
    /* A square of sums that leaves registers for what is multiplied. */
    enum { HIGH = 3, WIDTH = 3 };
    Rows rows = {values, stored, p, row, begin, n, 0};
    /* A column of ones and the others, to a multiple of HIGH; those beyond are 0. */
    const int64_t size = p + 1, wide = padded(p), tall = (size + HIGH - 1) / HIGH * HIGH;
    const size_t of_sums = sizeof(f64x4) * (size_t)(tall * tall);
    const size_t of_columns = sizeof(double) * (size_t)(tall * ROWS);
    f64x4 *sums = room(of_sums + of_columns + sizeof(float) * (size_t)(wide * ROWS + SPARE * wide));
    if (!sums) return NO_ROOM;
    double *ones = (double *)sums + of_sums / sizeof(double);
    float *columns = (float *)(ones + tall * ROWS), *spare = columns + wide * ROWS;
    for (int64_t first = 0; first < n; first += ROWS) {
        const int64_t count = n - first < ROWS ? n - first : ROWS;
        uintptr_t next = after(&rows, first);
        read_block(&rows, first, spare, columns, 0);
        widen(columns, p, origin, ones + ROWS);
        for (int64_t k = 0; k < ROWS; k++) ones[k] = k < count ? 1.0 : 0.0;
        /* What is beyond the last row is not 0 less its origin. */
        for (int64_t j = 0; j < p; j++)
            for (int64_t k = count; k < ROWS; k++) ones[(j + 1) * ROWS + k] = 0.0;
        for (int64_t i = 0; i < tall; i += HIGH) {
            for (int64_t at = i * p * ROWS / tall / 16 * 16; at < (i + HIGH) * p * ROWS / tall; at += 16)
                fetch((next + (uintptr_t)at * sizeof(float)));
            for (int64_t j = i; j < tall; j += WIDTH) {
                f64x4 tile[HIGH][WIDTH];
                for (int a = 0; a < HIGH; a++)
                    for (int b = 0; b < WIDTH; b++) tile[a][b] = sums[(i + a) * tall + j + b];
                for (int low = 0; low < ROWS; low += 4) {
                    f64x4 x[WIDTH];
                    for (int b = 0; b < WIDTH; b++) x[b] = *(const f64x4 *)(ones + (j + b) * ROWS + low);
                    for (int a = 0; a < HIGH; a++) {
                        const f64x4 each = *(const f64x4 *)(ones + (i + a) * ROWS + low);
                        for (int b = 0; b < WIDTH; b++) tile[a][b] = fused4(each, x[b], tile[a][b]);
                    }
                }
                for (int a = 0; a < HIGH; a++)
                    for (int b = 0; b < WIDTH; b++) sums[(i + a) * tall + j + b] = tile[a][b];
            }
        }
    }
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = i; j < size; j++) found[i * size + j] = found[j * size + i] = sum4(sums[i * tall + j]);
    free(sums);
    return rows.amiss ? ROW_AMISS : WELL;
}
