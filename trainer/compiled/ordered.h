/* Numbers in rows: four at a time, and by bits that are in their order. */
#ifndef ORDERED_H
#define ORDERED_H

#include <stdint.h>
#include <string.h>

#include "lanes.h"

/* Four numbers from one on: the last ones with others behind them. */
INLINE f64x4 four(const double *numbers, int64_t left, double behind) {
    if (left >= 4) return *(const f64x4_anywhere *)numbers;
    f64x4 found = all4(behind);
    for (int64_t k = 0; k < left; k++) found[k] = numbers[k];
    return found;
}

INLINE void put(double *numbers, int64_t left, f64x4 found) {
    if (left >= 4) *(f64x4_anywhere *)numbers = found;
    else for (int64_t k = 0; k < left; k++) numbers[k] = found[k];
}

/* Bits that are in the numbers' order: all of a negative one are turned, of others the sign. A zero has one sign. */
INLINE uint64_t bits_in_order(double value) {
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (bits >> 63 ? UINT64_MAX : UINT64_C(1) << 63);
}

INLINE double of_bits_in_order(uint64_t bits) {
    double value;
    bits ^= bits >> 63 ? UINT64_C(1) << 63 : UINT64_MAX;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
