/* documents.h - work over the documents of --text: done once, kept, and added up in their order.
 *
 * A method says what it computes of one document as a list of numbers, and how such lists add up. Lists that an earlier
 * run left in the results file are read instead of computed, so an interrupted run goes on where it stopped, and every sum
 * is the same to the last bit however the work was cut. */
#ifndef SONDE_DOCUMENTS_H
#define SONDE_DOCUMENTS_H
#include "method.h"

typedef struct { double *at; size_t n, room; } numbers;
void numbers_add(numbers *x, double v);
void numbers_zeros(numbers *x, size_t n);               /* n zeros behind the last one */

typedef struct {
    const char  *cell;                                  /* name of the work; part of what the results file knows it by */
    /* The numbers of document i into `out`, which comes empty; they depend on its tokens and the parameters alone. */
    sonde_status (*compute)(size_t i, numbers *out, void *user, sonde_error *err);
    sonde_status (*add)(size_t i, const double *x, size_t n, void *user, sonde_error *err);    /* called in order of i */
    void        *user;
} document_work;

/* All documents, in order, with progress. CANCELLED: those before it have been added. */
sonde_status documents_run(const sonde_context *cx, const document_work *w, sonde_error *err);
/* A text is known by its tokens: wherever it stands, in whatever file, its numbers are the same. */
typedef struct { char text[64]; } document_name;
document_name document_named(sonde_prompt p);
sonde_prompt document_tokens(const sonde_context *cx, size_t i);
/* The same context where a prompt, if there are no documents, is the only one. */
sonde_context documents_or_prompts(const sonde_context *cx);
uint64_t     document_hash(sonde_prompt p);             /* of its ids: for draws that belong to a document */

/* A mean over things that come by documents, each document with a sum and how many there were. Its standard error treats
 * documents as what was drawn, since what one document holds hangs together: sqrt(D / (D - 1) sum (s - mean n)^2) / sum n
 * (Cochran, Sampling Techniques, 1977, the ratio estimator). A document
 * that has nothing to count is none. NaN where it is not defined: below two documents. */
typedef struct { double s, n, ss, sn, nn; int64_t documents; } ratio;
void   ratio_add(ratio *r, double sum, double n);
double ratio_mean(const ratio *r);
double ratio_se(const ratio *r);

/* Mean and standard error into two cells, null where they are not defined. */
void   ratio_put(sonde_table *t, const ratio *r);
/* Table `curves` (figure, depth, mean, se, low, high): what is drawn over depth, with a band of one standard error; a
 * picture of lines, one panel a figure. */
sonde_table *curves_table(sonde_result *out, const char *title);
void         curves_put(sonde_table *t, const char *figure, double depth, const ratio *r);
#endif
