/* Shipped models: SONDE_MODELS, then beside the executable, in the source tree it was built in, and in the share folder
 * it was installed with. The Hugging Face cache: as huggingface_hub finds it. */
#define _GNU_SOURCE
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *env(const char *name) {
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static const char *executable_folder(arena *into) {
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    path[n] = 0;
    *strrchr(path, '/') = 0;
    return arena_printf(into, "%s", path);
}

static const char *hub(arena *into) {
    if (env("HF_HUB_CACHE")) return env("HF_HUB_CACHE");
    if (env("HF_HOME")) return arena_printf(into, "%s/hub", env("HF_HOME"));
    if (env("XDG_CACHE_HOME")) return arena_printf(into, "%s/huggingface/hub", env("XDG_CACHE_HOME"));
    return env("HOME") ? arena_printf(into, "%s/.cache/huggingface/hub", env("HOME")) : NULL;
}

sonde_model_search search_folders(arena *into) {
    const char *own = env("SONDE_MODELS"), *here = executable_folder(into);
    const char *list = own ? own : "";
    if (here)
        list = arena_printf(into, "%s%s%s/models:%s/../../models:%s/../share/sonde/models", list, own ? ":" : "", here,
                            here, here);
    return (sonde_model_search){ .shipped = list, .hub = hub(into) };
}
