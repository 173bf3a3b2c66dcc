/* dry.h - what --dry-run answers: the sites that would be shown, and the cost; nothing is run. */
#ifndef SONDE_DRY_H
#define SONDE_DRY_H
#include "method.h"

/* Table `cost` (runs, rows, flops, bytes). */
void dry_cost(sonde_result *out, int64_t runs, sonde_cost cost);
/* Table `sites` (site, axes, shape): one row of it; the table is made by dry_sites. */
sonde_table *dry_sites(sonde_result *out);
void         dry_site(sonde_table *t, const sonde_site *s);
#endif
