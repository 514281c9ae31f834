/* The scales of a block of bars: volatilities and a share of volume, of all but one of which logarithms are taken.

   What the arguments mean is said in features.py, which checks them. */
#include <stdlib.h>

#include "block.h"
#include "tile.h"

enum { LOGARITHMS = 8, FOUND = LOGARITHMS + 1 };

typedef struct {
    Remembered log_close, returns, ranges, high, low, close, volume;
    Column r5, r15, r30, r60, ranged, mean, v5, v60, reach, atr, deviation;
    Column found[FOUND];
} Tile;

typedef struct { double r5, r15, r30, r60, ranged, mean, v5, v60, atr; } Sums;

/* Average true range: the plain mean of 14, then Wilder's. Here, too, each value waits for the one before it. */
INLINE double wilder(double before, double reach, int64_t bar) {
    const double kept = 13.0 / 14.0;
    if (bar > 14) return fused1(before, kept, reach * (1.0 - kept));
    if (bar < 1) return 0.0;
    return bar < 14 ? before + reach : (before + reach) / 14.0;
}

INLINE void add_up(Tile *t, Sums *s, int64_t bar, int64_t n) {
    Sums sums = *s;
    for (int64_t k = 0; k < n; k++) {
        t->r5.now[k] = moved(&sums.r5, t->returns.now + k, 5);
        t->r15.now[k] = moved(&sums.r15, t->returns.now + k, 15);
        t->r30.now[k] = moved(&sums.r30, t->returns.now + k, 30);
        t->r60.now[k] = moved(&sums.r60, t->returns.now + k, 60);
        t->ranged.now[k] = moved(&sums.ranged, t->ranges.now + k, 20);
        t->mean.now[k] = moved(&sums.mean, t->log_close.now + k, 20);
        t->v5.now[k] = moved(&sums.v5, t->volume.now + k, 5);
        t->v60.now[k] = moved(&sums.v60, t->volume.now + k, 60);
        t->atr.now[k] = sums.atr = wilder(sums.atr, t->reach.now[k], bar + k);
    }
    *s = sums;
}

INLINE f64x4 root_mean(const double *sum, double window) { return sqrt4(at_least(load(sum) / all4(window), 0.0)); }

INLINE f64x4 ratio(f64x4 scale, f64x4 volatility) { return within(scale / at_least(volatility, STILL), 0.05, 20.0); }

int scales(const double *log_close, const double *log_range, const double *deviation, const double *high,
           const double *low, const double *close, const double *volume, int64_t n, int64_t skipped, double parkinson, double root_of_day, double *found) {
    Tile *t = room(sizeof *t);
    if (!t) return NO_ROOM;
    Sums sums = {0};
    for (int64_t bar = 0; bar < n; bar += TILE) {
        const int64_t count = n - bar < TILE ? n - bar : TILE;
        begin_with(t->log_close.now, log_close + bar, count);
        begin_with(t->ranges.now, log_range + bar, count);
        begin_with(t->deviation.now, deviation + bar, count);
        begin_with(t->high.now, high + bar, count);
        begin_with(t->low.now, low + bar, count);
        begin_with(t->close.now, close + bar, count);
        begin_with(t->volume.now, volume + bar, count);
        for (int k = 0; k < TILE; k += 4) {
            const f64x4 x = load(t->log_close.now + k), range = load(t->ranges.now + k);
            const f64x4 step = x - load(t->log_close.now + k - 1), before = load(t->close.now + k - 1);
            const f64x4 most = load(t->high.now + k), least = load(t->low.now + k);
            store(t->ranges.now + k, range * range);
            store(t->returns.now + k, step * step);
            store(t->reach.now + k, larger(size4(before - least), larger(size4(before - most), most - least)));
        }
        add_up(t, &sums, bar, count);
        for (int k = 0; k < TILE; k += 4) {
            const f64x4 volatility = root_mean(t->r60.now + k, 60.0), mean = load(t->mean.now + k) / all4(20.0);
            const f64x4 twice = load(t->deviation.now + k) * all4(2.0);
            const f64x4 usual = at_least(load(t->v60.now + k) / all4(60.0), 0.0);
            const f64x4 recent = at_least(load(t->v5.now + k) / all4(5.0), 0.0);
            const f64x4 each[FOUND] = {
                ratio(root_mean(t->r5.now + k, 5.0), volatility),
                ratio(root_mean(t->r15.now + k, 15.0), volatility),
                ratio(root_mean(t->r30.now + k, 30.0), volatility),
                at_least(volatility, STILL) * all4(root_of_day),
                ratio(root_mean(t->ranged.now + k, 20.0) / all4(parkinson), volatility),
                ratio(load(t->atr.now + k) / load(t->close.now + k), volatility),
                ratio(((mean + twice) - (mean - twice)) / all4(4.0), volatility),
                quotient(recent, usual, all4(0.0)) + all4(0.01),
                volatility,
            };
            for (int j = 0; j < FOUND; j++) store(t->found[j].now + k, each[j]);
        }
        const int64_t from = skipped > bar ? skipped - bar : 0;
        for (int j = 0; j < FOUND && from < count; j++)
            memcpy(found + j * (n - skipped) + bar + from - skipped, t->found[j].now + from, (size_t)(count - from) * sizeof(double));
        Remembered *const all[] = {&t->log_close, &t->returns, &t->ranges, &t->high, &t->low, &t->close, &t->volume};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) remember(all[j]);
    }
    free(t);
    return WELL;
}
