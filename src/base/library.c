#include "library.h"
#include <dlfcn.h>
#include <string.h>

sonde_status library_load(const char *name, const char *const *names, int n, library_fn *fn, sonde_error *err) {
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    SONDE_FAIL_IF(!library, err, SONDE_UNSUPPORTED, "this needs %s, which does not load: %s", name, dlerror());
    for (int i = 0; i < n; i++) {
        void *at = dlsym(library, names[i]);
        SONDE_FAIL_IF(!at, err, SONDE_UNSUPPORTED, "%s has no %s", name, names[i]);
        memcpy(&fn[i], &at, sizeof at);         /* C has no cast for it, POSIX says that it holds */
    }
    return SONDE_OK;
}
