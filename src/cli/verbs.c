#include "cli.h"
#include <string.h>

#define LATER(name, instead)
#define VERB(name) extern const verb verb_##name;
#include "verbs.def"
#undef VERB

const verb *const verb_table[] = {
#define VERB(name) &verb_##name,
#include "verbs.def"
#undef VERB
    NULL,
};

const verb *verb_find(const char *name) {
    for (const verb *const *v = verb_table; *v; v++)
        if (!strcmp((*v)->about.name, name)) return *v;
    return NULL;
}

const method *about_find(const char *name) {
    const verb *v = verb_find(name);
    return v ? &v->about : method_find(name);
}

/* The first verb, then the methods, then the others. */
const method *about_at(size_t i) {
    size_t methods = 0;
    while (method_table[methods]) methods++;
    if (i == 0) return &verb_table[0]->about;
    if (i <= methods) return method_table[i - 1];
    for (size_t k = 1; verb_table[k]; k++)
        if (k == i - methods) return &verb_table[k]->about;
    return NULL;
}
