/* Sums of products of spectra, one part of two series after the other.

   What the arguments mean is said in spectra.py, which checks them. */
#include <stdint.h>

#include "ordered.h"

/* The products of two complex numbers with two others, the first conjugated. */
INLINE f64x4 conjugated_times(f64x4 a, f64x4 b) {
    const f64x4 real = {a[0], a[0], a[2], a[2]}, imaginary = {a[1], a[1], a[3], a[3]};
    const f64x4 turned = {b[1], -b[0], b[3], -b[2]};
    return fused4(real, b, imaginary * turned);
}

void add_spectra(const double *p, const double *r, const double *next_p, const double *next_r, int64_t n,
                 double *of_p, double *of_r, double *p_after_r) {
    const f64x4 later = {1.0, 1.0, -1.0, -1.0};
    for (int64_t k = 0; k < 2 * n; k += 4) {
        const int64_t left = 2 * n - k;
        const f64x4 one = four(p + k, left, 0.0), other = four(r + k, left, 0.0);
        const f64x4 both = fused4(later, four(next_p + k, left, 0.0), one);
        const f64x4 others = fused4(later, four(next_r + k, left, 0.0), other);
        put(of_p + k, left, four(of_p + k, left, 0.0) + conjugated_times(one, both));
        put(of_r + k, left, four(of_r + k, left, 0.0) + conjugated_times(other, others));
        put(p_after_r + k, left, four(p_after_r + k, left, 0.0) + conjugated_times(other, both));
    }
}
