/* Vectors of 32 bytes on any processor: a compiler splits them where registers are shorter, and the digits stay.

   Where products and sums are fused by the processor they are fused here, and nowhere else: the compiler is told not
   to, so that all compilers give the same digits for one kind of processor. */
#ifndef LANES_H
#define LANES_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <math.h>
#endif

#define INLINE static inline __attribute__((always_inline))

/* Ask for the cache line at an address that is soon read, for the second cache: the first holds what is at hand. */
INLINE void fetch(uintptr_t address) { __builtin_prefetch((const void *)address, 0, 2); }

typedef float f32x8 __attribute__((vector_size(32)));
typedef int32_t i32x8 __attribute__((vector_size(32)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x4 __attribute__((vector_size(32)));
typedef int64_t i64x4 __attribute__((vector_size(32)));
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef uint64_t u64x4 __attribute__((vector_size(32)));
typedef f32x8 f32x8_anywhere __attribute__((aligned(4)));
typedef f32x4 f32x4_anywhere __attribute__((aligned(4)));
typedef f64x4 f64x4_anywhere __attribute__((aligned(8)));

#if defined(__AVX2__) && defined(__FMA__)
INLINE double fused1(double a, double b, double c) { return __builtin_fma(a, b, c); }
INLINE f32x8 fused8(f32x8 a, f32x8 b, f32x8 c) { return (f32x8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE f64x4 fused4(f64x4 a, f64x4 b, f64x4 c) { return (f64x4)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
/* One instruction, where gcc 12 makes six of it. */
INLINE f64x4 wider4(f32x4 x) { return (f64x4)_mm256_cvtps_pd((__m128)x); }
#elif defined(__aarch64__)
#include <arm_neon.h>
INLINE double fused1(double a, double b, double c) { return __builtin_fma(a, b, c); }
INLINE f32x8 fused8(f32x8 a, f32x8 b, f32x8 c) {
    union { f32x8 all; float32x4_t half[2]; } x = {a}, y = {b}, z = {c};
    z.half[0] = vfmaq_f32(z.half[0], x.half[0], y.half[0]);
    z.half[1] = vfmaq_f32(z.half[1], x.half[1], y.half[1]);
    return z.all;
}
INLINE f64x4 fused4(f64x4 a, f64x4 b, f64x4 c) {
    union { f64x4 all; float64x2_t half[2]; } x = {a}, y = {b}, z = {c};
    z.half[0] = vfmaq_f64(z.half[0], x.half[0], y.half[0]);
    z.half[1] = vfmaq_f64(z.half[1], x.half[1], y.half[1]);
    return z.all;
}
INLINE f64x4 wider4(f32x4 x) { return __builtin_convertvector(x, f64x4); }
#else
INLINE double fused1(double a, double b, double c) { return a * b + c; }
INLINE f32x8 fused8(f32x8 a, f32x8 b, f32x8 c) { return a * b + c; }
INLINE f64x4 fused4(f64x4 a, f64x4 b, f64x4 c) { return a * b + c; }
INLINE f64x4 wider4(f32x4 x) { return __builtin_convertvector(x, f64x4); }
#endif

/* Have a vector in a register: gcc reads it from memory once for each use, and reads are what there are too many of. */
#if defined(__AVX2__)
#define HELD(x) __asm__("" : "+x"(x))
#else
#define HELD(x)
#endif

INLINE f32x8 all8(float x) { return (f32x8){x, x, x, x, x, x, x, x}; }
INLINE f64x4 all4(double x) { return (f64x4){x, x, x, x}; }

INLINE f64x4 sqrt4(f64x4 x) {
#if defined(__AVX__)
    return (f64x4)_mm256_sqrt_pd((__m256d)x);
#elif defined(__x86_64__)
    union { f64x4 all; __m128d half[2]; } found = {x};
    found.half[0] = _mm_sqrt_pd(found.half[0]);
    found.half[1] = _mm_sqrt_pd(found.half[1]);
    return found.all;
#else
    for (int k = 0; k < 4; k++) x[k] = sqrt(x[k]);
    return x;
#endif
}

INLINE f32x8 where8(i32x8 mask, f32x8 yes, f32x8 no) { return (f32x8)((mask & (i32x8)yes) | (~mask & (i32x8)no)); }
INLINE f64x4 where4(i64x4 mask, f64x4 yes, f64x4 no) { return (f64x4)((mask & (i64x4)yes) | (~mask & (i64x4)no)); }

INLINE double sum8(f32x8 v) {
    return (((double)v[0] + v[4]) + ((double)v[1] + v[5])) + (((double)v[2] + v[6]) + ((double)v[3] + v[7]));
}
INLINE double sum4(f64x4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }

/* exp(x) = 2**k * exp(r) with |r| <= log(2)/2, k found by adding a number whose last digit counts ones. Its two parts
   of log(2) are such that k times the first is exact. Arguments are held where the result is neither 0 nor infinite;
   what is not a number stays so. A library's exp is not the same digits everywhere. */

/* Within 2e-7 of exp, by Chebyshev's polynomial of (exp(r) - 1 - r) / r**2. */
INLINE f32x8 exp8(f32x8 x) {
    const f32x8 most = all8(87.0f), magic = all8(12582912.0f);
    x = where8(x > most, most, where8(x < -most, -most, x));
    f32x8 shifted = fused8(x, all8(1.44269504f), magic);
    f32x8 k = shifted - magic;
    f32x8 r = fused8(k, all8(-0.693359375f), x);
    r = fused8(k, all8(2.12194440e-4f), r);
    f32x8 v = all8(0.00139262134653f);
    v = fused8(v, r, all8(0.00836320297157f));
    v = fused8(v, r, all8(0.0416665544377f));
    v = fused8(v, r, all8(0.16666576846f));
    v = fused8(v, r, all8(0.5f));
    v = fused8(v, r * r, r) + all8(1.0f);
    return where8(x == x, (f32x8)((u32x8)v + ((u32x8)shifted << 23)), x);
}

/* Within 4e-16 of exp, by Taylor's series. */
INLINE f64x4 exp4(f64x4 x) {
    const f64x4 most = all4(708.0), magic = all4(6755399441055744.0);
    x = where4(x > most, most, where4(x < -most, -most, x));
    f64x4 shifted = fused4(x, all4(1.4426950408889634), magic);
    f64x4 k = shifted - magic;
    f64x4 r = fused4(k, all4(-6.93147180369123816490e-01), x);
    r = fused4(k, all4(-1.90821492927058770002e-10), r);
    f64x4 v = all4(1.0 / 6227020800.0);
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
    return where4(x == x, (f64x4)((u64x4)v + ((u64x4)shifted << 52)), x);
}

/* Within 4e-16 of the logarithm of a normal positive number x = 2**k * m, m from sqrt(1/2) to sqrt(2), by the series of
   log(m) = 2 * artanh(s), s = (m - 1) / (m + 1). What is not a number stays so. */
INLINE f64x4 log4(f64x4 x) {
    /* The bits of sqrt(1/2): less these, what is above the digits of m is k. */
    const u64x4 least = {0x3fe6a09e667f3bcd, 0x3fe6a09e667f3bcd, 0x3fe6a09e667f3bcd, 0x3fe6a09e667f3bcd};
    const u64x4 bits = (u64x4)x, above = (bits - least) & ~(u64x4){0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff, 0xfffffffffffff};
    const f64x4 m = (f64x4)(bits - above);
    const f64x4 k = __builtin_convertvector((i64x4)above >> 52, f64x4);
    const f64x4 s = (m - all4(1.0)) / (m + all4(1.0)), square = s * s;
    f64x4 v = all4(2.0 / 23.0);
    v = fused4(v, square, all4(2.0 / 21.0));
    v = fused4(v, square, all4(2.0 / 19.0));
    v = fused4(v, square, all4(2.0 / 17.0));
    v = fused4(v, square, all4(2.0 / 15.0));
    v = fused4(v, square, all4(2.0 / 13.0));
    v = fused4(v, square, all4(2.0 / 11.0));
    v = fused4(v, square, all4(2.0 / 9.0));
    v = fused4(v, square, all4(2.0 / 7.0));
    v = fused4(v, square, all4(2.0 / 5.0));
    v = fused4(v, square, all4(2.0 / 3.0));
    v = fused4(v * square, s, all4(2.0) * s);
    return where4(x == x, fused4(k, all4(6.93147180369123816490e-01), fused4(k, all4(1.90821492927058770002e-10), v)), x);
}

#endif
