/* What the extreme rows of a fold would have earned, and sums over windows of rows that share bars.

   What the arguments mean is said in edges.py, which checks them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ended.h"
#include "lanes.h"
#include "ordered.h"

enum { PLACE_BITS = 11, PLACES = 1 << PLACE_BITS };

/* The key that stands at a place once keys are in ascending order; they are moved about. Those that share their first
   bits with it are kept, and looked at more closely, until it is found. */
static uint64_t standing_at(uint64_t *keys, int64_t n, int64_t place) {
    for (;;) {
        uint64_t least = UINT64_MAX, most = 0;
        for (int64_t k = 0; k < n; k++) {
            least = keys[k] < least ? keys[k] : least;
            most = keys[k] > most ? keys[k] : most;
        }
        if (least == most) return least;
        int left_out = 0;
        while ((most - least) >> left_out >= PLACES) left_out++;
        int64_t counts[PLACES] = {0}, before = 0, kept = 0;
        for (int64_t k = 0; k < n; k++) counts[(keys[k] - least) >> left_out]++;
        uint64_t head = 0;
        while (before + counts[head] <= place) before += counts[head++];
        for (int64_t k = 0; k < n; k++) {
            const uint64_t key = keys[k];
            keys[kept] = key;
            kept += (key - least) >> left_out == head;
        }
        n = kept;
        place -= before;
    }
}

int tenth(const double *p, int64_t n, int64_t rows, int highest, double *edge, int64_t *counts) {
    uint64_t *keys = malloc(sizeof *keys * (size_t)(n + 1));
    if (!keys) return NO_ROOM;
    for (int64_t k = 0; k < n; k++) keys[k] = bits_in_order(p[k]);
    const double last = of_bits_in_order(standing_at(keys, n, highest ? n - rows : rows - 1));
    free(keys);
    int64_t beyond = 0, same = 0;
    for (int64_t k = 0; k < n; k++) {
        beyond += highest ? p[k] > last : p[k] < last;
        same += p[k] == last;
    }
    *edge = last;
    counts[0] = beyond;
    counts[1] = same;
    return WELL;
}

/* What a row of the tenths counts: once beyond the edge, a share at it. */
INLINE f64x4 weight_above(f64x4 p, double edge, double share) {
    return where4(p > all4(edge), all4(1.0), where4(p == all4(edge), all4(share), all4(0.0)));
}

INLINE f64x4 weight_below(f64x4 p, double edge, double share) {
    return where4(p < all4(edge), all4(1.0), where4(p == all4(edge), all4(share), all4(0.0)));
}

void tenth_sums(const double *p, const double *moves, int64_t n, double high_edge, double high_share, double low_edge,
                double low_share, double *sums) {
    f64x4 high = all4(0.0), low = all4(0.0);
    for (int64_t k = 0; k < n; k += 4) {
        const f64x4 said = four(p + k, n - k, 0.0), gained = four(moves + k, n - k, 0.0);
        high += weight_above(said, high_edge, high_share) * gained;
        low += weight_below(said, low_edge, low_share) * gained;
    }
    sums[0] = sum4(high);
    sums[1] = sum4(low);
}

void tenth_parts(const double *p, const double *moves, int64_t n, double high_edge, double high_share, double low_edge,
                 double low_share, double high, double low, double rows, double *parts) {
    for (int64_t k = 0; k < n; k += 4) {
        const f64x4 said = four(p + k, n - k, 0.0), gained = four(moves + k, n - k, 0.0);
        const f64x4 bought = weight_above(said, high_edge, high_share) * (gained - all4(high));
        const f64x4 sold = weight_below(said, low_edge, low_share) * (gained - all4(low));
        put(parts + k, n - k, (bought - sold) / all4(2.0 * rows));
    }
}

double window_squares(const double *parts, int64_t n, int64_t window) {
    double sum = 0.0, squares = 0.0;
    for (int64_t k = 0; k < n + window - 1; k++) {
        sum += (k < n ? parts[k] : 0.0) - (k >= window ? parts[k - window] : 0.0);
        squares += sum * sum;
    }
    return squares;
}

/* The gradients are computed again where they leave the window, rather than kept. */
void overconfidence(const double *p, const double *y, const double *added, int64_t n, int64_t window, double *found) {
    f64x4 gradients = all4(0.0), curvatures = all4(0.0);
    for (int64_t k = 0; k < n; k += 4) {
        const f64x4 said = four(p + k, n - k, 0.0), part = four(added + k, n - k, 0.0);
        gradients += (said - four(y + k, n - k, 0.0)) * part;
        curvatures += said * (all4(1.0) - said) * (part * part);
    }
    found[0] = sum4(gradients);
    found[1] = sum4(curvatures);
    double sum = 0.0, squares = 0.0;
    for (int64_t k = 0; k < n + window - 1; k++) {
        const int64_t left = k - window;
        sum += (k < n ? (p[k] - y[k]) * added[k] : 0.0) - (left >= 0 ? (p[left] - y[left]) * added[left] : 0.0);
        squares += sum * sum;
    }
    found[2] = squares;
}

INLINE void in_basis_points(double *ratios, int64_t n) {
    for (int64_t k = 0; k < n; k += 4)
        put(ratios + k, n - k, all4(1e4) * log4(four(ratios + k, n - k, 1.0)));
}

int moves(const double *close, int64_t bars, const int64_t *bar, int64_t n, int64_t horizon, double *found) {
    for (int64_t k = 0; k < n; k++) {
        if (bar[k] < 0 || bar[k] >= bars - horizon) return ROW_AMISS;
        found[k] = close[bar[k] + horizon] / close[bar[k]];
    }
    in_basis_points(found, n);
    return WELL;
}

int outcomes(const double *close, int64_t bars, const int64_t *bar, int64_t rows, int64_t horizon, const int64_t *row,
             const double *p, int64_t labelled, const int64_t *tie, const double *p_of_ties, int64_t ties, double *said,
             double *moved) {
    int64_t at = 0, at_tie = 0;
    while (at < labelled || at_tie < ties) {
        const int64_t k = at + at_tie;
        const int tied = at == labelled || (at_tie < ties && tie[at_tie] < row[at]);
        const int64_t place = tied ? tie[at_tie] : row[at];
        if (place < 0 || place >= rows || bar[place] < 0 || bar[place] >= bars - horizon) return ROW_AMISS;
        said[k] = tied ? p_of_ties[at_tie] : p[at];
        moved[k] = close[bar[place] + horizon] / close[bar[place]];
        at += !tied;
        at_tie += tied;
    }
    in_basis_points(moved, labelled + ties);
    return WELL;
}
