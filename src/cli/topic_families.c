/* Which models run, and which of their options: from the rows of the families. */
#include "page.h"

static sonde_status put_family(const sonde_family *f, void *user, sonde_error *err) {
    (void)err;
    page  *p = user;
    arena *a = arena_new();
    page_title(p, 3, f->name);
    page_text(p, arena_printf(a, "model_type %s: %s. In: %s.", f->type, f->classes, f->containers));
    page_text(p, arena_printf(a, "Block: %s.", f->block));
    if (*f->options) page_text(p, arena_printf(a, "Computed: %s.", f->options));
    if (*f->refused) page_text(p, arena_printf(a, "Refused where on: %s.", f->refused));
    arena_free(a);
    return SONDE_OK;
}

sonde_status topic_families(page *p, sonde_error *err) {
    page_title(p, 1, "Families");
    page_text(p, "A family is a description: its rows say what its config.json means, how its block is built and where its "
                 "weights lie. \"Computed\" are the fields of config.json that change numbers and are read; \"refused\" those whose other "
                 "value ends with exit 4 and the field's name, as does a field by which relatives of the family compute other "
                 "numbers. What a field means is said by transformers.");
    return sonde_families_list(put_family, p, err);
}
