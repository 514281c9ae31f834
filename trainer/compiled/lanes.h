/* Vectors of 32 bytes on any processor: a compiler splits them where registers are shorter, and the digits stay.

   Where products and sums are fused by the processor they are fused here, and nowhere else: the compiler is told not
   to, so that all compilers give the same digits for one kind of processor. */
#ifndef LANES_H
#define LANES_H

#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

typedef float f8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef double d4 __attribute__((vector_size(32)));
typedef int64_t l4 __attribute__((vector_size(32)));
typedef f8 f8_anywhere __attribute__((aligned(4)));

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
INLINE f8 fused8(f8 a, f8 b, f8 c) { return (f8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE d4 fused4(d4 a, d4 b, d4 c) { return (d4)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
#elif defined(__aarch64__)
#include <arm_neon.h>
INLINE f8 fused8(f8 a, f8 b, f8 c) {
    union { f8 all; float32x4_t half[2]; } x = {a}, y = {b}, z = {c};
    z.half[0] = vfmaq_f32(z.half[0], x.half[0], y.half[0]);
    z.half[1] = vfmaq_f32(z.half[1], x.half[1], y.half[1]);
    return z.all;
}
INLINE d4 fused4(d4 a, d4 b, d4 c) {
    union { d4 all; float64x2_t half[2]; } x = {a}, y = {b}, z = {c};
    z.half[0] = vfmaq_f64(z.half[0], x.half[0], y.half[0]);
    z.half[1] = vfmaq_f64(z.half[1], x.half[1], y.half[1]);
    return z.all;
}
#else
INLINE f8 fused8(f8 a, f8 b, f8 c) { return a * b + c; }
INLINE d4 fused4(d4 a, d4 b, d4 c) { return a * b + c; }
#endif

INLINE f8 all8(float x) { return (f8){x, x, x, x, x, x, x, x}; }
INLINE d4 all4(double x) { return (d4){x, x, x, x}; }

INLINE f8 where8(i8 mask, f8 yes, f8 no) { return (f8)((mask & (i8)yes) | (~mask & (i8)no)); }
INLINE d4 where4(l4 mask, d4 yes, d4 no) { return (d4)((mask & (l4)yes) | (~mask & (l4)no)); }

INLINE double sum8(f8 v) {
    return (((double)v[0] + v[4]) + ((double)v[1] + v[5])) + (((double)v[2] + v[6]) + ((double)v[3] + v[7]));
}
INLINE double sum4(d4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }

/* exp(x) = 2**k * exp(r) with |r| <= log(2)/2, k found by adding a number whose last digit counts ones. Its two parts
   of log(2) are such that k times the first is exact. Arguments are held where the result is neither 0 nor infinite. */

/* Within 2e-7 of exp, by Chebyshev's polynomial of (exp(r) - 1 - r) / r**2. */
INLINE f8 exp8(f8 x) {
    const f8 most = all8(87.0f), magic = all8(12582912.0f);
    x = where8(x > most, most, where8(x < -most, -most, x));
    f8 shifted = fused8(x, all8(1.44269504f), magic);
    f8 k = shifted - magic;
    f8 r = fused8(k, all8(-0.693359375f), x);
    r = fused8(k, all8(2.12194440e-4f), r);
    f8 v = all8(0.00139262134653f);
    v = fused8(v, r, all8(0.00836320297157f));
    v = fused8(v, r, all8(0.0416665544377f));
    v = fused8(v, r, all8(0.16666576846f));
    v = fused8(v, r, all8(0.5f));
    v = fused8(v, r * r, r) + all8(1.0f);
    return (f8)((i8)v + ((i8)shifted << 23));
}

/* Within 4e-16 of exp, by Taylor's series. */
INLINE d4 exp4(d4 x) {
    const d4 most = all4(708.0), magic = all4(6755399441055744.0);
    x = where4(x > most, most, where4(x < -most, -most, x));
    d4 shifted = fused4(x, all4(1.4426950408889634), magic);
    d4 k = shifted - magic;
    d4 r = fused4(k, all4(-6.93147180369123816490e-01), x);
    r = fused4(k, all4(-1.90821492927058770002e-10), r);
    d4 v = all4(1.0 / 6227020800.0);
    v = fused4(v, r, all4(1.0 / 479001600.0));
    v = fused4(v, r, all4(1.0 / 39916800.0));
    v = fused4(v, r, all4(1.0 / 3628800.0));
    v = fused4(v, r, all4(1.0 / 362880.0));
    v = fused4(v, r, all4(1.0 / 40320.0));
    v = fused4(v, r, all4(1.0 / 5040.0));
    v = fused4(v, r, all4(1.0 / 720.0));
    v = fused4(v, r, all4(1.0 / 120.0));
    v = fused4(v, r, all4(1.0 / 24.0));
    v = fused4(v, r, all4(1.0 / 6.0));
    v = fused4(v, r, all4(0.5));
    v = fused4(v, r * r, r) + all4(1.0);
    return (d4)((l4)v + ((l4)shifted << 52));
}

#endif
