/* How a function that returns int ends. */
#ifndef ENDED_H
#define ENDED_H

enum Ended { WELL = 0, NO_ROOM = 1, ROW_AMISS = 2 };

#endif
