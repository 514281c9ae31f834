/* Products of a block with models and of models' residuals with a block, in the numbers of type REAL.

   Included once for each type, with REAL, VECTOR, LANES, FUSED, ALL and NAME defined. */

/* Write the log odds of `models` models, (models, ROWS), to `t`; `weights`, (p + 1, stride), begin with offsets.

   What is read soon is at `next`: a line of it is asked for between the products of each `every`th column, which so hide the
   way from the memory. All of it at once would have them wait. */
INLINE void NAME(log_odds)(const REAL *columns, int64_t p, const REAL *weights, int64_t stride, REAL *t, uintptr_t next, const int every, const int models) {
    enum { STEP = 2 * LANES };
    for (int low = 0; low < ROWS; low += STEP) {
        VECTOR a[MODELS], b[MODELS];
        for (int g = 0; g < models; g++) a[g] = b[g] = ALL(weights[g]);
        for (int64_t j = 0; j < p; j++) {
            if (j % every == 0) {
                fetch(next);
                next += STEP * sizeof(float);
            }
            VECTOR x = *(const VECTOR *)(columns + j * ROWS + low), z = *(const VECTOR *)(columns + j * ROWS + low + LANES);
            const REAL *w = weights + (j + 1) * stride;
            for (int g = 0; g < models; g++) {
                VECTOR each = ALL(w[g]);
                a[g] = FUSED(x, each, a[g]);
                b[g] = FUSED(z, each, b[g]);
            }
        }
        for (int g = 0; g < models; g++) {
            *(VECTOR *)(t + g * ROWS + low) = a[g];
            *(VECTOR *)(t + g * ROWS + low + LANES) = b[g];
        }
    }
}

/* Add the sums of residuals, (models, ROWS), and of their products with the columns to `sums`, (models, padded + 1). */
INLINE void NAME(add_products)(const REAL *columns, int64_t wide, const REAL *residuals, VECTOR *sums, const int models) {
    for (int g = 0; g < models; g++)
        for (int low = 0; low < ROWS; low += LANES) sums[g * (wide + 1)] += *(const VECTOR *)(residuals + g * ROWS + low);
    for (int64_t j = 0; j < wide; j += 2) {
        VECTOR a[MODELS], b[MODELS];
        for (int g = 0; g < models; g++) {
            a[g] = sums[g * (wide + 1) + j + 1];
            b[g] = sums[g * (wide + 1) + j + 2];
        }
        for (int low = 0; low < ROWS; low += LANES) {
            VECTOR x = *(const VECTOR *)(columns + j * ROWS + low), z = *(const VECTOR *)(columns + (j + 1) * ROWS + low);
            for (int g = 0; g < models; g++) {
                VECTOR each = *(const VECTOR *)(residuals + g * ROWS + low);
                HELD(each);
                a[g] = FUSED(x, each, a[g]);
                b[g] = FUSED(z, each, b[g]);
            }
        }
        for (int g = 0; g < models; g++) {
            sums[g * (wide + 1) + j + 1] = a[g];
            sums[g * (wide + 1) + j + 2] = b[g];
        }
    }
}
