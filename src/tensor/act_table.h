/* act_table.h - what people call the activation functions, and their formulas. */
#ifndef SONDE_ACT_TABLE_H
#define SONDE_ACT_TABLE_H
#include "act.h"

typedef struct { const char *name, *formula; } act_meaning;
extern const act_meaning act_table[ACT_COUNT];
#endif
