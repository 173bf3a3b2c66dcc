/* locate.h - where a model lies that the user calls by a name.
 *
 * In this order: a path (a bare word counts only if it is a file or holds config.json), a folder NAME of a shipped
 * folder, the embedded model, the local Hugging Face cache (hub/models--ORG--NAME, refs/REV, snapshots/COMMIT; :TAG
 * behind the name picks one GGUF of several, with its splits). */
#ifndef SONDE_LOCATE_H
#define SONDE_LOCATE_H
#include "base/arena.h"
#include "sonde/model.h"

typedef struct {
    bool        embedded;
    const char *name;           /* what sonde_model_open takes */
    const char *folder;         /* where config.json is; not for the embedded one */
    const char *weights;        /* file or folder for weights_open */
    const char *tokenizer;      /* file or folder that the caller named, or NULL */
    const char *label;          /* stands for the folder in messages, fit to be shown */
} located;

/* NOT_FOUND names the nearest shipped ones and the line that would fetch it. Texts lie in the arena. */
sonde_status model_locate(located *out, const char *name, const sonde_model_search *search, arena *into,
                          sonde_error *err);
/* Names of the shipped models, sorted, each once, the embedded one among them. */
size_t       model_shipped(const sonde_model_search *search, arena *into, const char *const **out);
#endif
