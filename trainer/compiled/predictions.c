/* What is made of predictions, all at once: their order, and what they lose.

   What the arguments mean is said in predictions.py, which checks them. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"

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

int ascending(const double *values, int64_t n, int64_t *order) {
    enum { DIGITS = 6, BITS = 11, PLACES = 1 << BITS };
    typedef struct {
        uint64_t key;
        int64_t place;
    } Pair;
    int64_t(*counts)[PLACES] = calloc(DIGITS, sizeof *counts);
    Pair *pairs = counts ? malloc(sizeof(Pair) * (size_t)(2 * n + 1)) : NULL;
    if (!pairs) {
        free(counts);
        return 1; /* no room */
    }
    Pair *other = pairs + n;
    for (int64_t k = 0; k < n; k++) {
        /* A zero has one sign. */
        const double value = values[k] + 0.0;
        uint64_t key;
        memcpy(&key, &value, sizeof key);
        /* Bits that are in the numbers' order: all of a negative one are turned, of others the sign. */
        key ^= key >> 63 ? UINT64_MAX : UINT64_C(1) << 63;
        pairs[k] = (Pair){key, k};
        for (int digit = 0; digit < DIGITS; digit++) counts[digit][key >> digit * BITS & (PLACES - 1)]++;
    }
    for (int digit = 0; digit < DIGITS; digit++) {
        int64_t before = 0;
        int shared = 0;
        for (int64_t place = 0; place < PLACES; place++) {
            const int64_t here = counts[digit][place];
            shared |= here == n;
            counts[digit][place] = before;
            before += here;
        }
        if (shared) continue;
        for (int64_t k = 0; k < n; k++) other[counts[digit][pairs[k].key >> digit * BITS & (PLACES - 1)]++] = pairs[k];
        Pair *swapped = pairs;
        pairs = other;
        other = swapped;
    }
    for (int64_t k = 0; k < n; k++) order[k] = pairs[k].place;
    free(pairs < other ? pairs : other);
    free(counts);
    return 0;
}
