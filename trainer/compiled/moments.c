/* Sums over the rows of a feature matrix that ask no model, and rows drawn by their sizes.

   What the arguments mean is said in passes.py, which checks them, and their kinds in library.py, which nothing compares
   with these. A function that returns int returns one of Ended. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "lanes.h"

#define REAL double
#define VECTOR f64x4
#define LANES 4
#define FUSED fused4
#define ALL all4
#define NAME(name) name##_double
#include "products.h"

/* Write the third power of the length of each row of a block; `next` is fetched meanwhile, unless it is 0. */
INLINE void put_sizes(const float *columns, int64_t p, int64_t first, int64_t n, uintptr_t next, double *found) {
    for (int64_t low = 0; low < ROWS && first + low < n; low += 8) {
        f32x8 squares = all8(0.0f);
        for (int64_t j = 0; j < p; j++) {
            f32x8 x = *(const f32x8 *)(columns + j * ROWS + low);
            if (next && j % 2) __builtin_prefetch((const void *)next);
            next += next ? 8 * sizeof(float) : 0;
            squares = fused8(x, x, squares);
        }
        for (int64_t k = 0; k < 8 && first + low + k < n; k++) {
            const double length = squares[k];
            found[first + low + k] = length * sqrt(length);
        }
    }
}

int weighted_sums(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, const double *weights,
                  const double *origin, double *found, double *of_rows) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    const int64_t wide = padded(p);
    const size_t of_sums = sizeof(f64x4) * (size_t)(wide + 1);
    f64x4 *sums = room(of_sums + sizeof(double) * (size_t)((wide + 1) * ROWS) + sizeof(float) * (size_t)(wide * ROWS + SPARE * wide));
    if (!sums) return NO_ROOM;
    double *wider = (double *)sums + of_sums / sizeof(double), *weight = wider + wide * ROWS;
    float *columns = (float *)(weight + ROWS), *spare = columns + wide * ROWS;
    for (int64_t first = 0; first < n; first += ROWS) {
        read_block(&rows, first, spare, columns);
        widen(columns, p, origin, wider);
        /* See log_odds, whose place the sums take here. */
        for (int64_t at = 0; at < p * ROWS; at += 16) __builtin_prefetch((const void *)(after(&rows, first) + (uintptr_t)at * sizeof(float)));
        for (int64_t k = 0; k < ROWS; k++) weight[k] = first + k < n ? weights[first + k] : 0.0;
        add_products_double(wider, wide, weight, sums, 1);
        put_sizes(columns, p, first, n, 0, of_rows);
    }
    for (int64_t j = 0; j <= p; j++) found[j] = sum4(sums[j]);
    free(sums);
    return rows.amiss ? ROW_AMISS : WELL;
}

int sizes(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, double *found) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    const int64_t wide = padded(p);
    float *columns = room(sizeof(float) * (size_t)(wide * ROWS + SPARE * wide));
    if (!columns) return NO_ROOM;
    float *spare = columns + wide * ROWS;
    for (int64_t first = 0; first < n; first += ROWS) {
        read_block(&rows, first, spare, columns);
        put_sizes(columns, p, first, n, after(&rows, first), found);
    }
    free(columns);
    return rows.amiss ? ROW_AMISS : WELL;
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
        read_block(&rows, first, spare, columns);
        widen(columns, p, origin, ones + ROWS);
        for (int64_t k = 0; k < ROWS; k++) ones[k] = k < count ? 1.0 : 0.0;
        /* What is beyond the last row is not 0 less its origin. */
        for (int64_t j = 0; j < p; j++)
            for (int64_t k = count; k < ROWS; k++) ones[(j + 1) * ROWS + k] = 0.0;
        for (int64_t i = 0; i < tall; i += HIGH) {
            for (int64_t at = i * p * ROWS / tall / 16 * 16; at < (i + HIGH) * p * ROWS / tall; at += 16)
                __builtin_prefetch((const void *)(next + (uintptr_t)at * sizeof(float)));
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
