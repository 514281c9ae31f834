/* Where closes go over a horizon: labels, and whether claimed ones are these.

   What the arguments mean is said in labels.py, which checks them. */
#include <stdint.h>

#include "ended.h"

int labels(const int64_t *open_time, const double *close, int64_t bars, const int64_t *bar, int64_t rows, int64_t horizon,
           int64_t interval, int64_t *row, double *y, int64_t *close_time, int64_t *end, int64_t *tie, int64_t *counts) {
    int64_t moved = 0, tied = 0;
    for (int64_t k = 0; k < rows; k++) {
        const int64_t now = bar[k];
        if (now < 0 || now >= bars) return ROW_AMISS;
        if (now >= bars - horizon || open_time[now + horizon] - open_time[now] != horizon * interval) continue;
        /* Both are written, and the one that it is not is written over. */
        const int moves = close[now + horizon] != close[now];
        row[moved] = tie[tied] = k;
        y[moved] = close[now + horizon] > close[now];
        close_time[moved] = open_time[now] + interval;
        end[moved] = open_time[now + horizon] + interval;
        moved += moves;
        tied += !moves;
    }
    counts[0] = moved;
    counts[1] = tied;
    return WELL;
}

enum { ACROSS_A_GAP = 1, OTHER_LABELS = 2, OTHER_ROWS = 4 };

/* Each claim by itself first; then from the last bar back, counting how many follow without a gap, which rows must
   have a claim. */
int label_faults(const int64_t *open_time, const double *close, int64_t bars, const int64_t *bar, int64_t rows,
                 int64_t horizon, int64_t interval, const int64_t *row, const double *y, const int64_t *end,
                 int64_t labelled, const int64_t *tie, int64_t ties, int with_ties) {
    int faults = 0;
    for (int64_t k = 0; k < rows; k++)
        if (bar[k] < 0 || bar[k] >= bars) return OTHER_ROWS;
    for (int64_t k = 0; k < labelled; k++) {
        if (row[k] < 0 || row[k] >= rows || bar[row[k]] >= bars - horizon) return OTHER_ROWS;
        const int64_t now = bar[row[k]], later = now + horizon;
        if (open_time[later] - open_time[now] != horizon * interval) faults |= ACROSS_A_GAP;
        if (end[k] != open_time[later] + interval) faults |= OTHER_LABELS;
        if (y && y[k] != (close[later] > close[now] ? 1.0 : 0.0)) faults |= OTHER_LABELS;
    }
    int64_t following = 0;
    for (int64_t now = bars - 1; now >= 0; now--) {
        following = now < bars - 1 && open_time[now + 1] - open_time[now] == interval ? following + 1 : 0;
        if (!rows || bar[rows - 1] != now) continue;
        rows--;
        if (following < horizon) continue;
        const int moves = !with_ties || close[now + horizon] - close[now] != 0.0;
        int64_t *const left = moves ? &labelled : &ties;
        if (!*left || (moves ? row : tie)[--*left] != rows) return faults | OTHER_ROWS;
    }
    return rows || labelled || ties ? faults | OTHER_ROWS : faults;
}
