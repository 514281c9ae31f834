/* Sums over rows of a matrix times what they have in common with one direction.

   What the arguments mean is said in projection.py, which checks them. */
#include <stdint.h>
#include <stdlib.h>

#include "ordered.h"

typedef float f32x4 __attribute__((vector_size(16)));
typedef f32x4 f32x4_anywhere __attribute__((aligned(4)));

int project(const float *values, int64_t p, int64_t first, int64_t rows, const double *origin, const double *along,
            double *found, double *squares) {
    const int64_t wide = (p + 3) / 4;
    f64x4 *const numbers = aligned_alloc(32, sizeof *numbers * (size_t)(5 * wide + 1));
    if (!numbers) return 1; /* no room */
    f64x4 *const origins = numbers, *const weights = origins + wide, *const row = weights + wide;
    f64x4 *const sums = row + wide, *const sizes = sums + wide;
    for (int64_t g = 0; g < wide; g++) {
        origins[g] = four(origin + 4 * g, p - 4 * g, 0.0);
        weights[g] = four(along + 1 + 4 * g, p - 4 * g, 0.0);
        sums[g] = sizes[g] = all4(0.0);
    }
    double ones = 0.0;
    for (int64_t k = first; k < first + rows; k++) {
        const float *const from = values + k * p;
        f64x4 shares = all4(0.0);
        for (int64_t g = 0; g < wide; g++) {
            f64x4 part;
            if (4 * g + 4 <= p) part = __builtin_convertvector(*(const f32x4_anywhere *)(from + 4 * g), f64x4);
            else for (int64_t j = 0; j < 4; j++) part[j] = 4 * g + j < p ? from[4 * g + j] : 0.0;
            row[g] = part - origins[g];
            shares = fused4(row[g], weights[g], shares);
        }
        const double share = along[0] + sum4(shares);
        ones += share;
        for (int64_t g = 0; g < wide; g++) {
            sums[g] = fused4(row[g], all4(share), sums[g]);
            sizes[g] = fused4(row[g], row[g], sizes[g]);
        }
    }
    found[0] = ones;
    squares[0] = (double)rows;
    for (int64_t g = 0; g < wide; g++) {
        put(found + 1 + 4 * g, p - 4 * g, sums[g]);
        put(squares + 1 + 4 * g, p - 4 * g, sizes[g]);
    }
    free(numbers);
    return 0;
}
