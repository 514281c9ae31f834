/* What is made of predictions, all at once: probabilities, log odds, their order, and what they lose.

   What the arguments mean is said in predictions.py, which checks them. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "ordered.h"

/* So many rows share four logarithms: products of 16 factors are within float64. */
enum { ROWS = 64 };

double summed_losses(const double *p, const double *y, int64_t n, double least) {
    double sum = 0.0;
    for (int64_t first = 0; first < n; first += ROWS) {
        double given[ROWS] __attribute__((aligned(32)));
        const int64_t count = n - first < ROWS ? n - first : ROWS;
        for (int64_t k = 0; k < ROWS; k++) given[k] = 1.0;
        for (int64_t k = 0; k < count; k++) {
            const double rise = p[first + k], label = y[first + k];
            /* 1 - y - p is -p of a rise and 1 - p of a fall, to the last digit. */
            const double some = fabs(1.0 - label - rise);
            const double either = (rise < least ? least : rise > 1.0 - least ? 1.0 - least : rise);
            const double one = some < least ? least : some > 1.0 - least ? 1.0 - least : some;
            given[k] = label == 0.5 ? sqrt(either * (1.0 - either)) : one;
        }
        f64x4 product = all4(1.0);
        for (int low = 0; low < ROWS; low += 4) product *= *(const f64x4 *)(given + low);
        sum -= sum4(log4(product));
    }
    return sum;
}

void probabilities(const double *log_odds, int64_t n, double *found) {
    for (int64_t k = 0; k < n; k += 4)
        put(found + k, n - k, all4(1.0) / (all4(1.0) + exp4(-four(log_odds + k, n - k, 0.0))));
}

void log_odds(const double *p, int64_t n, double least, double *found) {
    const f64x4 low = all4(least), high = all4(1.0 - least);
    for (int64_t k = 0; k < n; k += 4) {
        f64x4 inside = four(p + k, n - k, 0.5);
        inside = where4(inside < low, low, where4(inside > high, high, inside));
        put(found + k, n - k, log4(inside / (all4(1.0) - inside)));
    }
}

void slope_derivatives(const double *added, const double *y, int64_t n, double intercept, double slope,
                       double *gradient, double *curvature) {
    f64x4 gradients = all4(0.0), curvatures = all4(0.0);
    for (int64_t k = 0; k < n; k += 4) {
        const f64x4 part = four(added + k, n - k, 0.0);
        const f64x4 rise = all4(1.0) / (all4(1.0) + exp4(-(all4(intercept) + all4(slope) * part)));
        gradients += (rise - four(y + k, n - k, 0.0)) * part;
        curvatures += (rise - rise * rise) * (part * part);
    }
    *gradient += sum4(gradients);
    *curvature += sum4(curvatures);
}

enum { BITS = 8, PLACES = 1 << BITS };

/* Turn counts into where each digit's numbers begin; return whether all n share one digit. */
static int shared(int64_t *counts, int64_t n) {
    int64_t before = 0;
    int one = 0;
    for (int place = 0; place < PLACES; place++) {
        const int64_t here = counts[place];
        one |= here == n;
        counts[place] = before;
        before += here;
    }
    return one;
}

/* Write to `places` where numbers stand that are in ascending order. */
static int by_all_digits(const double *values, int64_t n, uint32_t *places) {
    enum { DIGITS = 8 };
    typedef struct {
        uint64_t key;
        uint32_t place;
    } Pair;
    int64_t(*counts)[PLACES] = calloc(DIGITS, sizeof *counts);
    Pair *pairs = counts ? malloc(sizeof(Pair) * (size_t)(2 * n + 1)) : NULL;
    if (!pairs) {
        free(counts);
        return 1; /* no room */
    }
    Pair *other = pairs + n;
    for (int64_t k = 0; k < n; k++) {
        const uint64_t key = bits_in_order(values[k]);
        pairs[k] = (Pair){key, (uint32_t)k};
        for (int digit = 0; digit < DIGITS; digit++) counts[digit][key >> digit * BITS & (PLACES - 1)]++;
    }
    for (int digit = 0; digit < DIGITS; digit++) {
        if (shared(counts[digit], n)) continue;
        for (int64_t k = 0; k < n; k++) other[counts[digit][pairs[k].key >> digit * BITS & (PLACES - 1)]++] = pairs[k];
        Pair *swapped = pairs;
        pairs = other;
        other = swapped;
    }
    for (int64_t k = 0; k < n; k++) places[k] = pairs[k].place;
    free(pairs < other ? pairs : other);
    free(counts);
    return 0;
}

/* The same, with two buffers of n to work in. The first 32 bits that numbers differ in put nearly all in order, in half
   the passes and half the room; those that share these bits are put in order one by one, unless they are too many. */
static int in_order(const double *values, int64_t n, uint64_t *heads, uint64_t *other, uint32_t *places) {
    enum { DIGITS = 4, PLACE_BITS = 32 };
    uint64_t least = UINT64_MAX, most = 0;
    for (int64_t k = 0; k < n; k++) {
        const uint64_t key = bits_in_order(values[k]);
        least = key < least ? key : least;
        most = key > most ? key : most;
    }
    int left_out = 0;
    while (n && (most - least) >> left_out > UINT32_MAX) left_out++;
    int64_t counts[DIGITS][PLACES] = {{0}};
    for (int64_t k = 0; k < n; k++) {
        const uint64_t head = (bits_in_order(values[k]) - least) >> left_out;
        heads[k] = head << PLACE_BITS | (uint64_t)k;
        for (int digit = 0; digit < DIGITS; digit++) counts[digit][head >> digit * BITS & (PLACES - 1)]++;
    }
    for (int digit = 0; digit < DIGITS; digit++) {
        if (shared(counts[digit], n)) continue;
        const int low = PLACE_BITS + digit * BITS;
        for (int64_t k = 0; k < n; k++) other[counts[digit][heads[k] >> low & (PLACES - 1)]++] = heads[k];
        uint64_t *swapped = heads;
        heads = other;
        other = swapped;
    }
    int64_t moves = 0;
    for (int64_t k = 1; left_out && k < n && moves <= n; k++) {
        const uint64_t one = heads[k], head = one >> PLACE_BITS;
        if (heads[k - 1] >> PLACE_BITS != head) continue;
        const uint64_t key = bits_in_order(values[one & UINT32_MAX]);
        int64_t to = k;
        for (; to > 0 && heads[to - 1] >> PLACE_BITS == head && moves <= n; to--, moves++) {
            if (bits_in_order(values[heads[to - 1] & UINT32_MAX]) <= key) break;
            heads[to] = heads[to - 1];
        }
        heads[to] = one;
    }
    if (moves > n) return by_all_digits(values, n, places);
    for (int64_t k = 0; k < n; k++) places[k] = (uint32_t)heads[k];
    return 0;
}

/* Until they are written, two of the results are what there is to work in: a million rows would need as much again. */
int ranked(const double *values, const double *y, int64_t n, void *ascending, void *outcomes, double *ranks) {
    uint32_t *places = malloc(sizeof *places * (size_t)(n + 1));
    if (!places || in_order(values, n, ascending, outcomes, places)) {
        free(places);
        return 1; /* no room */
    }
    double *const said = ascending, *const came = outcomes;
    for (int64_t k = 0; k < n; k++) {
        said[k] = values[places[k]];
        if (y) came[k] = y[places[k]];
    }
    for (int64_t first = 0, stop; first < n; first = stop) {
        for (stop = first + 1; stop < n && said[stop] == said[first];) stop++;
        for (int64_t k = first; k < stop; k++) ranks[places[k]] = 0.5 * (double)(first + 1 + stop);
    }
    free(places);
    return 0;
}

void raised(const double *p, const double *y, int64_t n, const double *falls, int64_t count, double *found) {
    double all = 0.0, below = 0.0, sum = 0.0;
    for (int64_t k = 0; k < n; k++) all += y[k];
    int64_t at = 0;
    for (int64_t k = 0; k < count;) {
        const double value = falls[k];
        for (; at < n && p[at] < value; at++) below += y[at];
        double same = 0.0;
        for (int64_t equal = at; equal < n && p[equal] == value; equal++) same += y[equal];
        const double above = all - below - 0.5 * same;
        /* What is no number stands last, is equal to nothing, and makes a sum that is none. */
        for (; k < count && (falls[k] == value || value != value); k++) sum += value == value ? above : NAN;
    }
    *found = sum;
}

void tallies(const double *p, const double *y, int64_t n, double *found) {
    const f64x4 half = all4(0.5), one = all4(1.0), none = all4(0.0);
    f64x4 squares = none, directed = none, right = none;
    for (int64_t k = 0; k < n; k += 4) {
        const f64x4 said = four(p + k, n - k, 0.5), truth = four(y + k, n - k, 0.5);
        squares += (said - truth) * (said - truth);
        const f64x4 counts = where4(truth == half, none, one);
        directed += counts;
        right += where4((said > half) == (truth > half), counts, none);
    }
    found[0] = sum4(squares);
    found[1] = sum4(directed);
    found[2] = sum4(right);
}
