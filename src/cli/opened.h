/* opened.h - what a command line opens: its model, a session, its prompts; shared by methods and verbs that run a model. */
#ifndef SONDE_OPENED_H
#define SONDE_OPENED_H
#include "cli.h"
#include "prompts.h"

typedef struct {
    sonde_model       *model;
    sonde_session     *session;
    inputs             in;
    sonde_result      *result;
    sonde_model_search search;
    sonde_cells       *cells;
} opened;

/* As much as c->about takes. Safe to close whatever it returns. */
sonde_status  opened_open(opened *o, command *c, sonde_error *err);
void          opened_close(opened *o);
sonde_context opened_context(opened *o, const command *c);
/* The method's parameters as they hold, common ones as they were given. */
void          record_params(const command *c, sonde_result *r);
#endif
