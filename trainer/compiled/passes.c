/* Passes over the rows of a feature matrix that many models share: each row is read once and used while it is at hand.

   What the arguments mean is said in passes.py, which checks them, and their kinds in library.py, which nothing compares
   with these. A function that returns int returns one of Ended. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "block.h"
#include "lanes.h"

#define REAL float
#define VECTOR f32x8
#define LANES 8
#define FUSED fused8
#define ALL all8
#define NAME(name) name##_float
#include "products.h"
#undef REAL
#undef VECTOR
#undef LANES
#undef FUSED
#undef ALL
#undef NAME
#define REAL double
#define VECTOR f64x4
#define LANES 4
#define FUSED fused4
#define ALL all4
#define NAME(name) name##_double
#include "products.h"

/* The sources that this was compiled from, which setup.py names. */
#ifndef SOURCES
#define SOURCES ""
#endif
const char *sources(void) { return SOURCES; }

/* Whether this processor fuses products and sums, as the other library of this source needs it, and the system keeps
   the registers that it does so in. Asked of the processor itself: not all compilers' answers can be had in a library. */
int fuses(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA) || !(c & bit_OSXSAVE)) return 0;
    unsigned kept, unused;
    __asm__ volatile("xgetbv" : "=a"(kept), "=d"(unused) : "c"(0));
    if ((kept & 6) != 6) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
#else
    return 0;
#endif
}

/* How many rows are added up in float32 before the sums go on in float64. */
enum { SPAN = 1024 };

/* Twice the curved part of the log loss, tanh(h) - h, of each h in `t`, (models, ROWS), times `counted`. */
INLINE void bend(float *t, const float *counted, const int models) {
    for (int g = 0; g < models; g++) {
        float *halves = t + g * ROWS;
        float kept[ROWS] __attribute__((aligned(32)));
        i32x8 far = {0};
        for (int low = 0; low < ROWS; low += 8) {
            f32x8 h = *(f32x8 *)(halves + low);
            *(f32x8 *)(kept + low) = h;
            f32x8 square = h * h;
            far |= (i32x8)(square > all8(1.0f));
            /* (tanh(h) - h) / h**3 by powers of h**2, Chebyshev's, within 2.1e-8 of it up to |h| = 1, which is a
               probability of 0.88. It keeps the digits that tanh(h) and h share. */
            f32x8 v = all8(-0.000420695493864f);
            v = fused8(v, square, all8(0.00251045932522f));
            v = fused8(v, square, all8(-0.00821892189779f));
            v = fused8(v, square, all8(0.0216601153748f));
            v = fused8(v, square, all8(-0.0539347888509f));
            v = fused8(v, square, all8(0.133331285208f));
            v = fused8(v, square, all8(-0.33333331252f));
            *(f32x8 *)(halves + low) = v * square * h * *(const f32x8 *)(counted + low);
        }
        int32_t any = 0;
        for (int k = 0; k < 8; k++) any |= far[k];
        for (int k = 0; any && k < ROWS; k++) {
            const double h = kept[k];
            if (kept[k] * kept[k] > 1.0f) halves[k] = (float)(1.0 - 2.0 / (1.0 + exp4(all4(2.0 * h))[0]) - h) * counted[k];
        }
    }
}

int curved_sums(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, const float *counted,
                const float *halved, int64_t models, double *found) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    const int64_t wide = padded(p);
    const size_t of_sums = sizeof(f32x8) * (size_t)(models * (wide + 1));
    f32x8 *sums = room(of_sums + sizeof(float) * (size_t)(wide * ROWS + (MODELS + 1) * ROWS + SPARE * wide));
    if (!sums) return NO_ROOM;
    float *columns = (float *)sums + of_sums / sizeof(float);
    float *t = columns + wide * ROWS, *counts = t + MODELS * ROWS, *spare = counts + ROWS;
    for (int64_t start = 0, odd = 0; start < n; start += SPAN, odd ^= 1) {
        const int64_t stop = start + SPAN < n ? start + SPAN : n;
        memset(sums, 0, of_sums);
        for (int64_t first = start; first < stop; first += ROWS) {
            read_block(&rows, first, spare, columns);
            for (int64_t k = 0; k < ROWS; k++) counts[k] = first + k >= n ? 0.0f : counted ? counted[first + k] : 1.0f;
            for (int64_t g = 0; g < models; g += MODELS)
                WITH_MODELS(models - g, log_odds_float(columns, p, halved + g, models, t, after(&rows, first), N); bend(t, counts, N);
                            add_products_float(columns, wide, t, sums + g * (wide + 1), N));
        }
        for (int64_t g = 0; g < models; g++)
            for (int64_t j = 0; j <= p; j++)
                found[(odd * models + g) * (p + 1) + j] += 0.5 * sum8(sums[g * (wide + 1) + j]);
    }
    free(sums);
    return rows.amiss ? ROW_AMISS : WELL;
}

int logistic_sums_float(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, const double *y,
                        const double *origin, const double *weights, int64_t models, double *found,
                        double *curvatures) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    const int64_t wide = padded(p);
    const size_t of_sums = sizeof(f32x8) * (size_t)(models * (wide + 1) + models);
    const size_t numbers = (size_t)(wide * ROWS + (MODELS + 2) * ROWS + SPARE * wide + (p + 1) * models);
    f32x8 *sums = room(of_sums + sizeof(float) * numbers);
    if (!sums) return NO_ROOM;
    f32x8 *bends = sums + models * (wide + 1);
    float *columns = (float *)sums + of_sums / sizeof(float);
    float *t = columns + wide * ROWS, *counts = t + MODELS * ROWS, *truth = counts + ROWS, *spare = truth + ROWS;
    float *turned = spare + SPARE * wide;
    /* The sign turned, as the exponential needs it. */
    for (int64_t k = 0; k < (p + 1) * models; k++) turned[k] = (float)-weights[k];
    for (int64_t start = 0; start < n; start += SPAN) {
        const int64_t stop = start + SPAN < n ? start + SPAN : n;
        memset(sums, 0, of_sums);
        for (int64_t first = start; first < stop; first += ROWS) {
            read_block(&rows, first, spare, columns);
            for (int64_t j = 0; j < p; j++)
                for (int low = 0; low < ROWS; low += 8) *(f32x8 *)(columns + j * ROWS + low) -= all8((float)origin[j]);
            for (int64_t k = 0; k < ROWS; k++) {
                counts[k] = first + k < n ? 1.0f : 0.0f;
                truth[k] = first + k < n ? (float)y[first + k] : 0.0f;
            }
            for (int64_t g = 0; g < models; g += MODELS)
                WITH_MODELS(
                    models - g, log_odds_float(columns, p, turned + g, models, t, after(&rows, first), N);
                    for (int k = 0; k < N; k++)
                        for (int low = 0; low < ROWS; low += 8) {
                            f32x8 *each = (f32x8 *)(t + k * ROWS + low), count = *(const f32x8 *)(counts + low);
                            f32x8 rise = all8(1.0f) / (all8(1.0f) + exp8(*each));
                            bends[g + k] += (rise - rise * rise) * count;
                            *each = (rise - *(const f32x8 *)(truth + low)) * count;
                        }
                    add_products_float(columns, wide, t, sums + g * (wide + 1), N));
        }
        for (int64_t g = 0; g < models; g++) {
            curvatures[g] += sum8(bends[g]);
            for (int64_t j = 0; j <= p; j++) found[g * (p + 1) + j] += sum8(sums[g * (wide + 1) + j]);
        }
    }
    free(sums);
    return rows.amiss ? ROW_AMISS : WELL;
}

int logistic_sums_double(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, const double *y,
                         const double *origin, const double *weights, int64_t models, double *found,
                         double *curvatures) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    const int64_t wide = padded(p);
    const size_t of_sums = sizeof(f64x4) * (size_t)(models * (wide + 1) + models);
    const size_t numbers = (size_t)(wide * ROWS + (MODELS + 2) * ROWS + (p + 1) * models);
    f64x4 *sums = room(of_sums + sizeof(double) * numbers + sizeof(float) * (size_t)(wide * ROWS + SPARE * wide));
    if (!sums) return NO_ROOM;
    f64x4 *bends = sums + models * (wide + 1);
    double *wider = (double *)sums + of_sums / sizeof(double);
    double *t = wider + wide * ROWS, *counts = t + MODELS * ROWS, *truth = counts + ROWS;
    float *columns = (float *)(truth + ROWS), *spare = columns + wide * ROWS;
    double *turned = (double *)(spare + SPARE * wide);
    for (int64_t k = 0; k < (p + 1) * models; k++) turned[k] = -weights[k];
    for (int64_t first = 0; first < n; first += ROWS) {
        read_block(&rows, first, spare, columns);
        widen(columns, p, origin, wider);
        for (int64_t k = 0; k < ROWS; k++) {
            counts[k] = first + k < n ? 1.0 : 0.0;
            truth[k] = first + k < n ? y[first + k] : 0.0;
        }
        for (int64_t g = 0; g < models; g += MODELS)
            WITH_MODELS(
                models - g, log_odds_double(wider, p, turned + g, models, t, after(&rows, first), N);
                for (int k = 0; k < N; k++)
                    for (int low = 0; low < ROWS; low += 4) {
                        f64x4 *each = (f64x4 *)(t + k * ROWS + low), count = *(const f64x4 *)(counts + low);
                        f64x4 rise = all4(1.0) / (all4(1.0) + exp4(*each));
                        bends[g + k] += (rise - rise * rise) * count;
                        *each = (rise - *(const f64x4 *)(truth + low)) * count;
                    }
                add_products_double(wider, wide, t, sums + g * (wide + 1), N));
    }
    for (int64_t g = 0; g < models; g++) {
        curvatures[g] += sum4(bends[g]);
        for (int64_t j = 0; j <= p; j++) found[g * (p + 1) + j] += sum4(sums[g * (wide + 1) + j]);
    }
    free(sums);
    return rows.amiss ? ROW_AMISS : WELL;
}

/* Return what ROWS rows lose by their log odds t: log(1 + exp(sign * t)), and of sign 0 half of either mistake, which is
   log(1 + exp(|t|)) - |t| / 2. Those whose sign is not a number do not count. */
INLINE double loss(const double *t, const double *signs, double most) {
    f64x4 product = all4(1.0), halves = all4(0.0);
    for (int low = 0; low < ROWS; low += 4) {
        f64x4 odds = *(const f64x4 *)(t + low), sign = *(const f64x4 *)(signs + low);
        i64x4 known = sign == sign, neither = sign == all4(0.0);
        f64x4 distance = where4(odds < all4(0.0), -odds, odds);
        f64x4 toward = where4(neither, distance, odds * sign);
        toward = where4(toward > all4(most), all4(most), toward);
        product *= where4(known, all4(1.0) + exp4(toward), all4(1.0));
        halves += where4(neither, toward, all4(0.0));
    }
    return sum4(log4(product)) - 0.5 * sum4(halves);
}

int judged(const float *values, int64_t stored, int64_t p, int64_t begin, int64_t n, const double *weights,
           int64_t models, int64_t chosen, const double *signs, double most, double *said, double *losses) {
    Rows rows = {values, stored, p, NULL, begin, n, 0};
    const int64_t wide = padded(p);
    const size_t numbers = (size_t)(wide * ROWS + (MODELS + 1) * ROWS);
    double *wider = room(sizeof(double) * numbers + sizeof(float) * (size_t)(wide * ROWS + SPARE * wide));
    if (!wider) return NO_ROOM;
    double *t = wider + wide * ROWS, *sign = t + MODELS * ROWS;
    float *columns = (float *)(sign + ROWS), *spare = columns + wide * ROWS;
    for (int64_t first = 0; first < n; first += ROWS) {
        const int64_t count = n - first < ROWS ? n - first : ROWS;
        read_block(&rows, first, spare, columns);
        widen(columns, p, NULL, wider);
        for (int64_t k = 0; signs && k < ROWS; k++) sign[k] = k < count ? signs[first + k] : NAN;
        for (int64_t g = 0; g < models; g += MODELS) {
            const int64_t here = models - g < MODELS ? models - g : MODELS;
            WITH_MODELS(here, log_odds_double(wider, p, weights + g, models, t, after(&rows, first), N));
            if (chosen >= g && chosen < g + here)
                memcpy(said + first, t + (chosen - g) * ROWS, sizeof(double) * (size_t)count);
            for (int64_t k = 0; signs && k < here; k++) losses[g + k] += loss(t + k * ROWS, sign, most);
        }
    }
    free(wider);
    return rows.amiss ? ROW_AMISS : WELL;
}
