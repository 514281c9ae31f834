/* The features of a block of bars, row by row.

   What the arguments mean is said in features.py, which checks them; the columns are in the order of indicators.NAMES. */
#include <math.h>
#include <stdlib.h>

#include "block.h"
#include "tile.h"

enum { FEATURES = 40, LOGARITHMS = 8, WINDOW = 14 };

/* No feature is beyond. */
#define BOUND 10.0

/* Standard deviations of 10, 20 and 60 closes, and of 20 and 60 volumes. */
enum { OF_10, OF_20, OF_60, VOLUME_20, VOLUME_60, DEVIATIONS };

/* Which are exponential means; the last two are of some of the others. */
enum { GAIN_7, LOSS_7, GAIN_14, LOSS_14, UP, DOWN, REACH, FAST, SLOW, FIRST_MEANS, MOVED = FIRST_MEANS, SIGNAL, MEANS };

typedef struct {
    Remembered log_close, volume, signed_volume, traded, high, low, close, price;
    Remembered rising, falling, stochastic, slower;
    Column open, deviation[DEVIATIONS], logs[LOGARITHMS + 1], mean_of[MEANS], mean[MEANS];
    Column x10, x20, x40, x60, v20, v60, signed20, traded20, traded60, slowest;
    float found[FEATURES][TILE + 16] __attribute__((aligned(32)));
} Tile;

typedef struct {
    double x10, x20, x40, x60, v20, v60, signed20, traded20, traded60, stochastic, slower;
} Sums;

static const Mean BEFORE_ALL[MEANS] = {
    {0.0, 1, 13}, {0.0, 1, 13}, {0.0, 1, 27}, {0.0, 1, 27}, {0.0, 1, 27}, {0.0, 1, 27},
    /* Both begin at the bar where the slower one does. */
    {0.0, 1, 27}, {0.0, 14, 12}, {0.0, 0, 26}, {0.0, 27, 27}, {0.0, 25, 9},
};

/* What each bar, and the one before it, says by itself. */
INLINE void compare(Tile *t) {
    for (int k = 0; k < TILE; k += 4) {
        const f64x4 high = load(t->high.now + k), low = load(t->low.now + k), close = load(t->close.now + k);
        const f64x4 volume = load(t->volume.now + k), x = load(t->log_close.now + k);
        const f64x4 step = x - load(t->log_close.now + k - 1), none = all4(0.0);
        const f64x4 sign = where4(step > none, all4(1.0), where4(step < none, all4(-1.0), step));
        store(t->signed_volume.now + k, sign * volume);
        store(t->traded.now + k, where4(volume > none, all4(1.0), none));
        const f64x4 change = change4(t->close.now + k, close);
        const f64x4 gain = at_least(change, 0.0), loss = at_least(-change, 0.0);
        store(t->mean_of[GAIN_7].now + k, gain);
        store(t->mean_of[LOSS_7].now + k, loss);
        const f64x4 rise = change4(t->high.now + k, close), fall = -change4(t->low.now + k, close);
        f64x4 wider = rise - fall;
        wider = where4(size4(wider) <= all4(EQUAL) * close, none, wider);
        store(t->mean_of[UP].now + k, where4(wider > none, at_least(rise, 0.0), none * rise));
        store(t->mean_of[DOWN].now + k, where4(wider < none, at_least(fall, 0.0), none * fall));
        const f64x4 before = load(t->close.now + k - 1);
        store(t->mean_of[REACH].now + k, larger(high, before) - smaller(low, before));
        const f64x4 price = high + low + close;
        store(t->price.now + k, price);
        const f64x4 dearer = change4(t->price.now + k, price), flow = price * volume;
        store(t->rising.now + k, where4(dearer == dearer, where4(dearer > none, flow, none), dearer));
        store(t->falling.now + k, where4(dearer == dearer, where4(dearer < none, flow, none), dearer));
    }
}

/* Where each close is between the highest high and the lowest low of a window, in per cent; 0 before it is full. */
INLINE void place_closes(Tile *t, int64_t bar) {
    /* Of two, four and eight bars, and of WINDOW by two eights; no eight begins earlier than AGO. */
    enum { AGO = 16 };
    double most[AGO + TILE], least[AGO + TILE];
    for (int k = 0; k < AGO + TILE; k += 4) {
        const double *high = t->high.now + k - AGO, *low = t->low.now + k - AGO;
        store(most + k, larger(load(high), load(high - 1)));
        store(least + k, smaller(load(low), load(low - 1)));
    }
    for (int reach = 2; reach < 8; reach *= 2) {
        for (int k = AGO + TILE - 4; k >= 4; k -= 4) {
            store(most + k, larger(load(most + k), load(most + k - reach)));
            store(least + k, smaller(load(least + k), load(least + k - reach)));
        }
    }
    for (int k = 0; k < TILE; k += 4) {
        const double *above = most + AGO + k, *below = least + AGO + k;
        const f64x4 lowest = smaller(load(below), load(below + 8 - WINDOW));
        const f64x4 reach = larger(load(above), load(above + 8 - WINDOW)) - lowest;
        const f64x4 place = all4(100.0) * ((load(t->close.now + k) - lowest) / reach);
        store(t->stochastic.now + k, where4(reach == all4(0.0), all4(0.0), place));
    }
    for (int64_t k = 0; bar + k < WINDOW - 1; k++) t->stochastic.now[k] = 0.0;
}

INLINE void add_up(Tile *t, Sums *kept, int64_t bar, int64_t n) {
    /* In registers. */
    Sums s = *kept;
    for (int64_t k = 0; k < n; k++) {
        t->x10.now[k] = moved(&s.x10, t->log_close.now + k, 10);
        t->x20.now[k] = moved(&s.x20, t->log_close.now + k, 20);
        t->x40.now[k] = moved(&s.x40, t->log_close.now + k, 40);
        t->x60.now[k] = moved(&s.x60, t->log_close.now + k, 60);
        t->v20.now[k] = moved(&s.v20, t->volume.now + k, 20);
        t->v60.now[k] = moved(&s.v60, t->volume.now + k, 60);
        t->signed20.now[k] = moved(&s.signed20, t->signed_volume.now + k, 20);
        t->traded20.now[k] = moved(&s.traded20, t->traded.now + k, 20);
        t->traded60.now[k] = moved(&s.traded60, t->traded.now + k, 60);
        const double slower = moved(&s.stochastic, t->stochastic.now + k, 3) / 3.0;
        t->slower.now[k] = bar + k < WINDOW + 1 ? 0.0 : slower;
        t->slowest.now[k] = moved(&s.slower, t->slower.now + k, 3) / 3.0;
    }
    *kept = s;
}

INLINE void average(Tile *t, Mean *means, int64_t bar, int64_t n) {
    const double *of[MEANS];
    double *to[MEANS];
    for (int g = 0; g < MEANS; g++) {
        of[g] = t->mean_of[g].now;
        to[g] = t->mean[g].now;
    }
    of[GAIN_14] = of[GAIN_7];
    of[LOSS_14] = of[LOSS_7];
    of[FAST] = of[SLOW] = t->log_close.now;
    smooth(means, of, to, FIRST_MEANS, bar, n);
    for (int k = 0; k < TILE; k += 4) {
        const f64x4 up = load(to[UP] + k), down = load(to[DOWN] + k), close = load(t->close.now + k);
        store(t->mean_of[MOVED].now + k, quotient(size4(up - down), up + down, all4(EQUAL) * close));
        store(t->mean_of[SIGNAL].now + k, load(to[FAST] + k) - load(to[SLOW] + k));
    }
    smooth(means + FIRST_MEANS, of + FIRST_MEANS, to + FIRST_MEANS, MEANS - FIRST_MEANS, bar, n);
}

/* The flow of money of a window, its oldest bar first. */
INLINE f64x4 window_sum(const double *values) {
    f64x4 sum = load(values - WINDOW + 1);
    for (int k = 2 - WINDOW; k <= 0; k++) sum += load(values + k);
    return sum;
}

INLINE f64x4 in_volatilities(f64x4 distance, f64x4 volatility, double steps) {
    return quotient(distance, volatility * all4(sqrt(steps)), all4(STILL * sqrt(steps)));
}

INLINE f64x4 strength(f64x4 gain, f64x4 loss, f64x4 close) {
    return all4(2.5) * quotient(gain - loss, gain + loss, all4(EQUAL) * close);
}

/* Write four bars' features. */
INLINE void measure(Tile *t, int k) {
    static const int lags[] = {1, 2, 3, 5, 8, 13, 21, 55};
    const f64x4 none = all4(0.0), volatility = load(t->logs[LOGARITHMS].now + k);
    const double *log_close = t->log_close.now + k;
    const f64x4 x = load(log_close), close = load(t->close.now + k), high = load(t->high.now + k), low = load(t->low.now + k);
    f64x4 found[FEATURES];
    int j = 0;
    for (int g = 0; g < 8; g++) found[j++] = in_volatilities(x - load(log_close - lags[g]), volatility, lags[g]);
    for (int g = 0; g < 3; g++) found[j++] = load(t->logs[g].now + k);
    found[j++] = within(load(t->logs[3].now + k) + all4(3.5), -4.0, 4.0);
    for (int g = 4; g < 6; g++) found[j++] = load(t->logs[g].now + k);
    found[j++] = in_volatilities(x - load(t->x10.now + k) / all4(10.0), volatility, 10.0);
    found[j++] = in_volatilities(x - load(t->x20.now + k) / all4(20.0), volatility, 20.0);
    found[j++] = in_volatilities(x - load(t->x40.now + k) / all4(40.0), volatility, 40.0);
    const f64x4 x10 = load(t->x10.now + k), x20 = load(t->x20.now + k), x60 = load(t->x60.now + k);
    found[j++] = quotient(x - x10 / all4(10.0), load(t->deviation[OF_10].now + k), all4(STILL));
    found[j++] = quotient(x - x60 / all4(60.0), load(t->deviation[OF_60].now + k), all4(STILL));
    const f64x4 macd = load(t->mean_of[SIGNAL].now + k);
    found[j++] = in_volatilities(macd, volatility, 4.0);
    found[j++] = in_volatilities(macd - load(t->mean[SIGNAL].now + k), volatility, 1.0);
    const f64x4 middle = x20 / all4(20.0), twice = load(t->deviation[OF_20].now + k) * all4(2.0);
    found[j++] = quotient(all4(2.0) * (x - middle), (middle + twice) - (middle - twice), all4(4.0 * STILL));
    found[j++] = load(t->logs[6].now + k);
    found[j++] = strength(load(t->mean[GAIN_7].now + k), load(t->mean[LOSS_7].now + k), close);
    found[j++] = strength(load(t->mean[GAIN_14].now + k), load(t->mean[LOSS_14].now + k), close);
    found[j++] = (all4(100.0) * load(t->mean[MOVED].now + k) - all4(25.0)) / all4(15.0);
    const f64x4 up = load(t->mean[UP].now + k), down = load(t->mean[DOWN].now + k);
    found[j++] = all4(5.0) * quotient(up - down, load(t->mean[REACH].now + k), all4(EQUAL) * close);
    const f64x4 slower = load(t->slower.now + k);
    found[j++] = (slower - all4(50.0)) / all4(30.0);
    found[j++] = (slower - load(t->slowest.now + k)) / all4(10.0);
    const f64x4 rising = window_sum(t->rising.now + k), falling = window_sum(t->falling.now + k);
    found[j++] = all4(2.5) * quotient(rising - falling, rising + falling, none);
    const f64x4 volume = load(t->volume.now + k), v20 = load(t->v20.now + k), v60 = load(t->v60.now + k);
    const i64x4 active20 = load(t->traded20.now + k) > all4(0.5), active60 = load(t->traded60.now + k) > all4(0.5);
    const f64x4 least = all4(1e-6) * at_least(v60 / all4(60.0), 0.0);
    const f64x4 z20 = quotient(volume - v20 / all4(20.0), load(t->deviation[VOLUME_20].now + k), least);
    const f64x4 z60 = quotient(volume - v60 / all4(60.0), load(t->deviation[VOLUME_60].now + k), least);
    found[j++] = where4(active20, z20, none);
    found[j++] = where4(active60, z60, none);
    found[j++] = where4(active60, load(t->logs[7].now + k), none);
    found[j++] = where4(active20, within(quotient(load(t->signed20.now + k), v20, none), -1.0, 1.0), none);
    found[j++] = quotient(close - load(t->open.now + k), high - low, none);
    found[j++] = quotient(all4(2.0) * close - high - low, high - low, none);
    for (int g = 0; g < j; g++)
        *(f32x4 *)(t->found[g] + k) = __builtin_convertvector(within(found[g], -BOUND, BOUND), f32x4);
}

/* A number for each place of a period: which one a bar has is known from the one before it. */
typedef struct { const float *sine, *cosine; int64_t size, place, step; } Turn;

INLINE void turn(Turn *turn, float *sine, float *cosine, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        sine[k] = turn->sine[turn->place];
        cosine[k] = turn->cosine[turn->place];
        turn->place += turn->step;
        if (turn->place >= turn->size) turn->place -= turn->size;
    }
}

/* What else is known at each row: CONTEXT numbers of the value at its position, if it has one. */
enum { CONTEXT = 3 };
typedef struct { const float *values; const int64_t *position; } Known;

/* Write a tile's rows `from` to `until` (of the tile), and whether all their numbers are some and all else is known. */
INLINE void put_rows(const Tile *t, int64_t from, int64_t until, const Known *known, int64_t others, int64_t bar,
                     float *rows, uint8_t *usable) {
    const int64_t wide = FEATURES + CONTEXT * others;
    for (int64_t low = from / 8 * 8; low < until; low += 8) {
        float eight[8][FEATURES];
        i32x8 well = ~(i32x8){0};
        for (int j = 0; j < FEATURES; j++) {
            const f32x8 x = *(const f32x8 *)(t->found[j] + low);
            well &= x == x;
        }
        const int whole = low >= from && low + 8 <= until;
        float *const to = whole ? rows + (bar + low) * wide : eight[0];
        for (int j = 0; j < FEATURES; j += 8) {
            const float *columns[8];
            for (int g = 0; g < 8; g++) columns[g] = t->found[j + g];
            transpose(columns, low, to + j, whole ? wide : FEATURES);
        }
        for (int64_t k = 0; k < 8; k++) {
            if (low + k < from || low + k >= until) continue;
            const int64_t at = bar + low + k;
            float *row = rows + at * wide;
            if (!whole) memcpy(row, eight[k], sizeof eight[k]);
            usable[at] = well[k] != 0;
            for (int64_t g = 0; g < others; g++) {
                static const float none[CONTEXT] = {NAN, NAN, NAN};
                const int64_t position = known[g].position[at];
                memcpy(row + FEATURES + CONTEXT * g, position < 0 ? none : known[g].values + CONTEXT * position, sizeof none);
                if (position < 0) usable[at] = 0;
            }
        }
    }
}

int features(const double *const *bars, const double *const *deviations, const double *logs, const float *const *turns,
             const int64_t *places, const Known *known, int64_t others, int64_t n, int64_t skipped, float *rows,
             uint8_t *usable) {
    Tile *t = room(sizeof *t);
    if (!t) return NO_ROOM;
    Sums sums = {0};
    Mean means[MEANS];
    memcpy(means, BEFORE_ALL, sizeof means);
    Turn day = {turns[0], turns[1], places[0], places[1], places[2]}, week = {turns[2], turns[3], places[3], places[4], places[5]};
    for (int64_t bar = 0; bar < n; bar += TILE) {
        const int64_t count = n - bar < TILE ? n - bar : TILE, from = skipped > bar ? skipped - bar : 0;
        begin_with(t->open.now, bars[0] + bar, count);
        begin_with(t->high.now, bars[1] + bar, count);
        begin_with(t->low.now, bars[2] + bar, count);
        begin_with(t->close.now, bars[3] + bar, count);
        begin_with(t->volume.now, bars[4] + bar, count);
        begin_with(t->log_close.now, bars[5] + bar, count);
        for (int j = 0; j < DEVIATIONS; j++) begin_with(t->deviation[j].now, deviations[j] + bar, count);
        for (int j = 0; j <= LOGARITHMS && from < count; j++)
            memcpy(t->logs[j].now + from, logs + j * (n - skipped) + bar + from - skipped, (size_t)(count - from) * sizeof(double));
        compare(t);
        place_closes(t, bar);
        add_up(t, &sums, bar, count);
        average(t, means, bar, count);
        turn(&day, t->found[FEATURES - 4], t->found[FEATURES - 3], count);
        turn(&week, t->found[FEATURES - 2], t->found[FEATURES - 1], count);
        if (from < count) {
            for (int k = 0; k < TILE; k += 4) measure(t, k);
            put_rows(t, from, count, known, others, bar - skipped, rows, usable);
        }
        Remembered *const all[] = {&t->log_close, &t->volume, &t->signed_volume, &t->traded,
                                   &t->high, &t->low, &t->close, &t->price, &t->rising, &t->falling, &t->stochastic, &t->slower};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) remember(all[j]);
    }
    free(t);
    return WELL;
}

/* Write for each moment which value is the last that is known, and not known for longer than `fresh`, or -1. */
void last_known(const int64_t *moments, int64_t n, const int64_t *known, int64_t m, int64_t fresh, int64_t *found) {
    int64_t next = 0, beyond = m;
    while (n && next < beyond) {
        const int64_t middle = next + (beyond - next) / 2;
        if (known[middle] <= moments[0]) next = middle + 1;
        else beyond = middle;
    }
    for (int64_t k = 0; k < n; k++) {
        while (next < m && known[next] <= moments[k]) next++;
        found[k] = next > 0 && moments[k] - known[next - 1] <= fresh ? next - 1 : -1;
    }
}

/* Add words to eight sums, one after the other, and each of these to the sum of its values so far: `sums` are both.

   `before` words were added in earlier calls: in how many pieces they come makes no difference. */
void add_words(const uint32_t *words, int64_t n, int64_t before, uint64_t *sums) {
    uint64_t sum[8], of_sums[8];
    memcpy(sum, sums, sizeof sum);
    memcpy(of_sums, sums + 8, sizeof of_sums);
    int64_t k = 0;
    for (; k < n && (before + k) % 8; k++) of_sums[(before + k) % 8] += sum[(before + k) % 8] += words[k];
    for (; k + 8 <= n; k += 8)
        for (int g = 0; g < 8; g++) of_sums[g] += sum[g] += words[k + g];
    for (; k < n; k++) of_sums[(before + k) % 8] += sum[(before + k) % 8] += words[k];
    memcpy(sums, sum, sizeof sum);
    memcpy(sums + 8, of_sums, sizeof of_sums);
}
