/* Some bars in a row, column by column, each behind the last ones of the bars before them.

   What is added up in a row is added up in TA-Lib's order: what was computed by it keeps its digits. */
#ifndef TILE_H
#define TILE_H

#include <stdint.h>
#include <string.h>

#include "lanes.h"

/* A tile's columns find room in the second cache; no window looks back further than PAST, and none begins later. */
enum { TILE = 256, PAST = 64, LONG = PAST + TILE };

/* Volatility of a bar up to which a market is still, and by which share of a price prices are equal. */
#define STILL 1e-7
#define EQUAL 1e-14

/* A column whose first PAST numbers are of the bars before the tile: 0 before the first bar of all. */
typedef struct { double past[PAST], now[TILE + 8]; } __attribute__((aligned(64))) Remembered;

typedef struct { double now[TILE + 8]; } __attribute__((aligned(64))) Column;

INLINE f64x4 load(const double *at) { return *(const f64x4_anywhere *)at; }
INLINE void store(double *at, f64x4 x) { *(f64x4_anywhere *)at = x; }

/* Not a number stays so in these. */
INLINE f64x4 at_least(f64x4 x, double least) { return where4(x < all4(least), all4(least), x); }
INLINE f64x4 within(f64x4 x, double least, double most) { return at_least(where4(x > all4(most), all4(most), x), least); }
INLINE f64x4 quotient(f64x4 numerator, f64x4 denominator, f64x4 floor) {
    return where4(denominator > floor, numerator / denominator, where4(denominator == denominator, all4(0.0), denominator));
}
INLINE f64x4 size4(f64x4 x) { return (f64x4)((i64x4)x & INT64_MAX); }
INLINE f64x4 larger(f64x4 x, f64x4 y) { return where4(x > y, x, y); }
INLINE f64x4 smaller(f64x4 x, f64x4 y) { return where4(x < y, x, y); }

/* By how much a price differs from the one before it; 0 if they are equal. */
INLINE f64x4 change4(const double *values, f64x4 price) {
    const f64x4 change = load(values) - load(values - 1);
    return where4(size4(change) <= all4(EQUAL) * price, all4(0.0), change);
}

/* Begin a tile with the `n` numbers of a block from one on. */
INLINE void begin_with(double *now, const double *numbers, int64_t n) { memcpy(now, numbers, (size_t)n * sizeof(double)); }

INLINE void remember(Remembered *column) { memcpy(column->past, column->now + TILE - PAST, sizeof column->past); }

/* A moving sum at the next bar: the oldest value goes before the newest one comes. */
INLINE double moved(double *sum, const double *values, int window) {
    return *sum = *sum - values[-window] + values[0];
}

/* An exponential mean that begins as the plain mean of `period` values, the first of which is that of bar `first`. */
typedef struct { double value; int64_t first, period; } Mean;

INLINE void begin_mean(Mean *mean, double x, int64_t bar) {
    const int64_t since = bar - mean->first;
    if (since < 0) return;
    if (since >= mean->period) mean->value = fused1(x - mean->value, 2.0 / (double)(mean->period + 1), mean->value);
    else mean->value += x;
    if (since == mean->period - 1) mean->value /= (double)mean->period;
}

/* Write the means of some columns, whose next values wait for each other: so they are computed side by side. */
INLINE void smooth(Mean *means, const double *const *values, double *const *found, const int count, int64_t bar, int64_t n) {
    double value[16], factor[16];
    int64_t k = 0;
    for (; k < n && bar + k < PAST; k++) {
        for (int g = 0; g < count; g++) {
            begin_mean(means + g, values[g][k], bar + k);
            found[g][k] = means[g].value;
        }
    }
    for (int g = 0; g < count; g++) {
        value[g] = means[g].value;
        factor[g] = 2.0 / (double)(means[g].period + 1);
    }
    for (; k < n; k++) {
        for (int g = 0; g < count; g++) {
            value[g] = fused1(values[g][k] - value[g], factor[g], value[g]);
            found[g][k] = value[g];
        }
    }
    for (int g = 0; g < count; g++) means[g].value = value[g];
}

#endif
