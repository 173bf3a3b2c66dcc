/* page.h - a page of help, for a terminal of some width or as Markdown; what it says comes from the tables. */
#ifndef SONDE_PAGE_H
#define SONDE_PAGE_H
#include "cli.h"

typedef struct { FILE *to; bool markdown; int width; int left; bool block; } page;
/* left: width of the rows' left column; block: a paragraph or the like was put, so a blank line comes before the next */

page page_of(FILE *to, bool markdown);
/* Words from column `at` on, lines after the first behind `indent` spaces; ends the line. */
void page_wrap(const page *p, const char *text, int at, int indent);
void page_title(page *p, int level, const char *text);      /* level 1: the page, 2: a part of it, 3: a part of that */
void page_text(page *p, const char *text);                  /* a paragraph */
void page_code(page *p, const char *text);                  /* a line as typed */
/* Rows of two columns, the left one as typed; page_rows before the first, page_rows_end behind the last. */
void page_rows(page *p, const char *left, const char *right, int width);
void page_row(page *p, const char *left, const char *right);
void page_rows_end(page *p);

typedef struct { const char *name, *summary; sonde_status (*write)(page *p, sonde_error *err); bool docs_only; } topic;
extern const topic topic_rows[];                            /* ends with a zeroed row */
const topic *topic_find(const char *name);

sonde_status page_method(page *p, const method *about, int level);
sonde_status topic_sites(page *p, sonde_error *err);
sonde_status topic_edits(page *p, sonde_error *err);
sonde_status topic_metrics(page *p, sonde_error *err);
sonde_status topic_prompts(page *p, sonde_error *err);
sonde_status topic_models(page *p, sonde_error *err);
sonde_status topic_files(page *p, sonde_error *err);
sonde_status topic_families(page *p, sonde_error *err);
#endif
