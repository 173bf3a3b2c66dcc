#include "normal.h"

sonde_status normal_run(const normal_step *k, const stretch *s, arena *into, split_work *w, stretch *out,
                        sonde_error *err) {
    (void)w, (void)err;
    *out = *s;
    switch (k->kind) {
    case NORMAL_FORM:          *out = unicode_normal(s, k->form, into);   break;
    case NORMAL_SENTENCEPIECE: *out = normal_sentencepiece(k, s, into);   break;
    default:                                                              break;
    }
    return SONDE_OK;
}
