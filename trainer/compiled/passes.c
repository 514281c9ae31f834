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

/* Add sums of a span to those of all, four parts of each, and begin the next one. */
INLINE void end_span(f32x8 *sums, int64_t count, f64x4 *totals) {
    for (int64_t k = 0; k < count; k++) {
        totals[k] += wider4(MIX(sums[k], sums[k], 0, 1, 2, 3)) + wider4(MIX(sums[k], sums[k], 4, 5, 6, 7));
        sums[k] = all8(0.0f);
    }
}

/* (tanh(h) - h) / h by h**2 up to 1, which is a probability of 0.88: Chebyshev's polynomial, so that its third powers are
   within 2.1e-8 of themselves. It keeps the digits that tanh(h) and h share. */
INLINE f32x8 bent8(f32x8 square) {
    f32x8 v = all8(-0.000420695493864f);
    v = fused8(v, square, all8(0.00251045932522f));
    v = fused8(v, square, all8(-0.00821892189779f));
    v = fused8(v, square, all8(0.0216601153748f));
    v = fused8(v, square, all8(-0.0539347888509f));
    v = fused8(v, square, all8(0.133331285208f));
    v = fused8(v, square, all8(-0.33333331252f));
    return v * square;
}

/* Whether one of the halved log odds of ROWS rows is where the polynomials do not reach. */
INLINE int any_far(const float *halves) {
    i32x8 far = {0};
    for (int low = 0; low < ROWS; low += 8) {
        f32x8 h = *(const f32x8 *)(halves + low);
        far |= (i32x8)(h * h > all8(1.0f));
    }
    int32_t any = 0;
    for (int k = 0; k < 8; k++) any |= far[k];
    return any;
}

/* Twice the curved part of the log loss, tanh(h) - h, of each h in `t`, (models, ROWS), times `counted`. */
INLINE void bend(float *t, const float *counted, const int models) {
    for (int g = 0; g < models; g++) {
        float *halves = t + g * ROWS;
        float kept[ROWS];
        const int far = any_far(halves);
        if (far) memcpy(kept, halves, sizeof kept);
        for (int low = 0; low < ROWS; low += 8) {
            f32x8 h = *(f32x8 *)(halves + low);
            *(f32x8 *)(halves + low) = h * bent8(h * h) * *(const f32x8 *)(counted + low);
        }
        for (int k = 0; far && k < ROWS; k++) {
            const double h = kept[k];
            if (kept[k] * kept[k] > 1.0f) halves[k] = (float)(1.0 - 2.0 / (1.0 + exp4(all4(2.0 * h))[0]) - h) * counted[k];
        }
    }
}

/* Write p(rise) less `truth` where halved log odds stand, and return the sums of p(1-p), both times `counted`: p is
   (1 + tanh(h)) / 2, and p(1-p) is (1 - tanh(h)**2) / 4. Far away that has too few digits. */
INLINE f32x8 rises(float *halves, const float *truth, const float *counted) {
    const int far = any_far(halves);
    f32x8 curved = all8(0.0f);
    for (int low = 0; low < ROWS; low += 8) {
        f32x8 *each = (f32x8 *)(halves + low), h = *each, count = *(const f32x8 *)(counted + low);
        if (far) {
            f32x8 rise = all8(1.0f) / (all8(1.0f) + exp8(all8(-2.0f) * h));
            curved += (rise - rise * rise) * count;
            *each = (rise - *(const f32x8 *)(truth + low)) * count;
        } else {
            f32x8 half = all8(0.5f) * fused8(h, bent8(h * h), h);
            curved += (all8(0.25f) - half * half) * count;
            *each = (half + (all8(0.5f) - *(const f32x8 *)(truth + low))) * count;
        }
    }
    return curved;
}

int curved_sums(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, const float *counted,
                const float *halved, int64_t models, double *found) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    const int64_t wide = padded(p);
    const int64_t count = models * (wide + 1);
    const size_t numbers = (size_t)(wide * ROWS + (MODELS + 1) * ROWS + SPARE * wide);
    f32x8 *sums = room(sizeof(f32x8) * (size_t)count + sizeof(f64x4) * (size_t)(2 * count) + sizeof(float) * numbers);
    if (!sums) return NO_ROOM;
    f64x4 *totals = (f64x4 *)(sums + count);
    float *columns = (float *)(totals + 2 * count);
    float *t = columns + wide * ROWS, *counts = t + MODELS * ROWS, *spare = counts + ROWS;
    for (int64_t k = 0; k < ROWS; k++) counts[k] = 1.0f;
    for (int64_t start = 0, odd = 0; start < n; start += SPAN, odd ^= 1) {
        const int64_t stop = start + SPAN < n ? start + SPAN : n;
        for (int64_t first = start; first < stop; first += ROWS) {
            read_block(&rows, first, spare, columns, after(&rows, first));
            if (counted) memcpy(counts, counted + first, sizeof(float) * (size_t)(n - first < ROWS ? n - first : ROWS));
            for (int64_t k = n - first; k < ROWS; k++) counts[k] = 0.0f;
            for (int64_t g = 0; g < models; g += MODELS)
                WITH_MODELS(models - g, log_odds_float(columns, p, halved + g, models, t, second_half(&rows, first), 2, N); bend(t, counts, N);
                            add_products_float(columns, wide, t, sums + g * (wide + 1), N));
        }
        end_span(sums, count, totals + odd * count);
    }
    for (int64_t g = 0; g < 2 * models; g++)
        for (int64_t j = 0; j <= p; j++) found[g * (p + 1) + j] = 0.5 * sum4(totals[g * (wide + 1) + j]);
    free(sums);
    return rows.amiss ? ROW_AMISS : WELL;
}

int logistic_sums_float(const float *values, int64_t stored, int64_t p, const int64_t *row, int64_t n, const double *y,
                        const double *origin, const double *weights, int64_t models, double *found,
                        double *curvatures) {
    Rows rows = {values, stored, p, row, 0, n, 0};
    const int64_t wide = padded(p);
    const int64_t count = models * (wide + 1) + models;
    const size_t numbers = (size_t)(wide * ROWS + (MODELS + 2) * ROWS + SPARE * wide + (p + 1) * models);
    f32x8 *sums = room((sizeof(f32x8) + sizeof(f64x4)) * (size_t)count + sizeof(float) * numbers);
    if (!sums) return NO_ROOM;
    f32x8 *bends = sums + models * (wide + 1);
    f64x4 *totals = (f64x4 *)(sums + count);
    float *columns = (float *)(totals + count);
    float *t = columns + wide * ROWS, *counts = t + MODELS * ROWS, *truth = counts + ROWS, *spare = truth + ROWS;
    float *halved = spare + SPARE * wide;
    for (int64_t k = 0; k < (p + 1) * models; k++) halved[k] = (float)(0.5 * weights[k]);
    for (int64_t k = 0; k < ROWS; k++) counts[k] = 1.0f;
    for (int64_t start = 0; start < n; start += SPAN) {
        const int64_t stop = start + SPAN < n ? start + SPAN : n;
        for (int64_t first = start; first < stop; first += ROWS) {
            read_block(&rows, first, spare, columns, after(&rows, first));
            for (int64_t j = 0; j < p; j++)
                for (int low = 0; low < ROWS; low += 8) *(f32x8 *)(columns + j * ROWS + low) -= all8((float)origin[j]);
            const int64_t here = n - first < ROWS ? n - first : ROWS;
            for (int64_t k = 0; k < here; k++) truth[k] = (float)y[first + k];
            for (int64_t k = here; k < ROWS; k++) counts[k] = truth[k] = 0.0f;
            for (int64_t g = 0; g < models; g += MODELS)
                WITH_MODELS(
                    models - g, log_odds_float(columns, p, halved + g, models, t, second_half(&rows, first), 2, N);
                    for (int k = 0; k < N; k++) bends[g + k] += rises(t + k * ROWS, truth, counts);
                    add_products_float(columns, wide, t, sums + g * (wide + 1), N));
        }
        end_span(sums, count, totals);
    }
    for (int64_t g = 0; g < models; g++) {
        curvatures[g] = sum4(totals[models * (wide + 1) + g]);
        for (int64_t j = 0; j <= p; j++) found[g * (p + 1) + j] = sum4(totals[g * (wide + 1) + j]);
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
    /* The sign turned, as the exponential needs it. */
    for (int64_t k = 0; k < (p + 1) * models; k++) turned[k] = -weights[k];
    for (int64_t k = 0; k < ROWS; k++) counts[k] = 1.0;
    for (int64_t first = 0; first < n; first += ROWS) {
        read_block(&rows, first, spare, columns, 0);
        widen(columns, p, origin, wider);
        const int64_t here = n - first < ROWS ? n - first : ROWS;
        for (int64_t k = 0; k < here; k++) truth[k] = y[first + k];
        for (int64_t k = here; k < ROWS; k++) counts[k] = truth[k] = 0.0;
        for (int64_t g = 0; g < models; g += MODELS)
            WITH_MODELS(
                models - g, log_odds_double(wider, p, turned + g, models, t, after(&rows, first), 1, N);
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
        read_block(&rows, first, spare, columns, 0);
        widen(columns, p, NULL, wider);
        for (int64_t k = 0; signs && k < ROWS; k++) sign[k] = k < count ? signs[first + k] : NAN;
        for (int64_t g = 0; g < models; g += MODELS) {
            const int64_t here = models - g < MODELS ? models - g : MODELS;
            WITH_MODELS(here, log_odds_double(wider, p, weights + g, models, t, after(&rows, first), 1, N));
            if (chosen >= g && chosen < g + here)
                memcpy(said + first, t + (chosen - g) * ROWS, sizeof(double) * (size_t)count);
            for (int64_t k = 0; signs && k < here; k++) losses[g + k] += loss(t + k * ROWS, sign, most);
        }
    }
    free(wider);
    return rows.amiss ? ROW_AMISS : WELL;
}

/* Write the log odds of one model of several, whose weights are `stride` apart, as log_odds_double has them. */
INLINE void say(const float *columns, int64_t p, const double *weights, int64_t stride, double *t) {
    enum { STEP = 32 };
    for (int low = 0; low < ROWS; low += STEP) {
        f64x4 a[STEP / 4];
        for (int k = 0; k < STEP / 4; k++) a[k] = all4(weights[0]);
        for (int64_t j = 0; j < p; j++) {
            const f64x4 each = all4(weights[(j + 1) * stride]);
            for (int k = 0; k < STEP / 4; k++) a[k] = fused4(wider4(*(const f32x4 *)(columns + j * ROWS + low + 4 * k)), each, a[k]);
        }
        for (int k = 0; k < STEP / 4; k++) *(f64x4 *)(t + low + 4 * k) = a[k];
    }
}

/* Return what ROWS rows lose by half their log odds, less log(2) for each that counts: that is log(cosh(h)) + sign * h.
   `counted` is 0 for those that do not, as is their sign. */
INLINE double loss_rounded(const float *halves, const float *signs, const float *counted, const double *exact, double most) {
    f32x8 lost = all8(0.0f);
    for (int low = 0; low < ROWS; low += 8) {
        f32x8 h = *(const f32x8 *)(halves + low), square = h * h;
        /* log(cosh(h)) / h**2 by powers of h**2, Chebyshev's, within 3e-10 of it up to |h| = 1. */
        f32x8 v = all8(-2.56173025264e-05f);
        v = fused8(v, square, all8(0.000176198624395f));
        v = fused8(v, square, all8(-0.0006794099085f));
        v = fused8(v, square, all8(0.00216129189515f));
        v = fused8(v, square, all8(-0.00673979948055f));
        v = fused8(v, square, all8(0.0222214644891f));
        v = fused8(v, square, all8(-0.0833332977609f));
        v = fused8(v, square, all8(0.499999999723f));
        lost += fused8(*(const f32x8 *)(signs + low), h, v * square * *(const f32x8 *)(counted + low));
    }
    if (!any_far(halves)) return sum8(lost);
    double t[ROWS] __attribute__((aligned(32))), known = 0.0;
    for (int k = 0; k < ROWS; k++) {
        t[k] = 2.0 * halves[k];
        known += counted[k];
    }
    return loss(t, exact, most) - 0.693147180559945309 * known;
}

int judged_rounded(const float *values, int64_t stored, int64_t p, int64_t begin, int64_t n, const double *weights,
                   int64_t models, int64_t chosen, const double *signs, double most, double *said, double *losses) {
    Rows rows = {values, stored, p, NULL, begin, n, 0};
    const int64_t wide = padded(p);
    const size_t numbers = (size_t)(wide * ROWS + (MODELS + 2) * ROWS + SPARE * wide + (p + 1) * models);
    double *t = room(sizeof(double) * 2 * ROWS + sizeof(float) * numbers);
    if (!t) return NO_ROOM;
    double *exact = t + ROWS;
    float *columns = (float *)(exact + ROWS), *halves = columns + wide * ROWS;
    float *sign = halves + MODELS * ROWS, *counted = sign + ROWS, *spare = counted + ROWS, *halved = spare + SPARE * wide;
    for (int64_t k = 0; k < (p + 1) * models; k++) halved[k] = (float)(0.5 * weights[k]);
    double known = 0.0;
    for (int64_t first = 0; first < n; first += ROWS) {
        const int64_t count = n - first < ROWS ? n - first : ROWS;
        read_block(&rows, first, spare, columns, after(&rows, first));
        memcpy(exact, signs + first, sizeof(double) * (size_t)count);
        for (int64_t k = count; k < ROWS; k++) exact[k] = NAN;
        for (int k = 0; k < ROWS; k++) {
            counted[k] = exact[k] == exact[k] ? 1.0f : 0.0f;
            sign[k] = exact[k] == exact[k] ? (float)exact[k] : 0.0f;
        }
        for (int low = 0; low < ROWS; low += 8) known += sum8(*(const f32x8 *)(counted + low));
        say(columns, p, weights + chosen, models, t);
        memcpy(said + first, t, sizeof(double) * (size_t)count);
        for (int64_t g = 0; g < models; g += MODELS)
            WITH_MODELS(models - g, log_odds_float(columns, p, halved + g, models, halves, second_half(&rows, first), 2, N);
                        for (int k = 0; k < N; k++) losses[g + k] += loss_rounded(halves + k * ROWS, sign, counted, exact, most));
    }
    for (int64_t g = 0; g < models; g++) losses[g] += 0.693147180559945309 * known;
    free(t);
    return rows.amiss ? ROW_AMISS : WELL;
}
