/* scratch.h - a folder of a test's own, and files in it. Removed by scratch_end, also what lies in it one folder deep. */
#ifndef SONDE_SCRATCH_H
#define SONDE_SCRATCH_H
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct { char path[256]; } scratch;
typedef struct { char text[640]; } scratch_path;

static inline scratch scratch_new(void) {
    scratch s;
    const char *tmp = getenv("TMPDIR");
    snprintf(s.path, sizeof s.path, "%s/sonde-test-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(s.path)) { perror(s.path); exit(2); }
    return s;
}

static inline scratch_path in_scratch(const scratch *s, const char *name) {
    scratch_path p;
    snprintf(p.text, sizeof p.text, "%s/%s", s->path, name);
    return p;
}

static inline void scratch_write(const scratch *s, const char *name, const void *bytes, size_t n) {
    FILE *f = fopen(in_scratch(s, name).text, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) { perror(name); exit(2); }
}

static inline size_t scratch_count(const char *folder) {
    DIR *d = opendir(folder);
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d)); ) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static inline void scratch_empty(const char *folder, int deep) {
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)); ) {
        scratch_path p;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(p.text, sizeof p.text, "%.300s/%s", folder, e->d_name);
        if (unlink(p.text) && deep) scratch_empty(p.text, 0);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static inline void scratch_end(const scratch *s) { scratch_empty(s->path, 1); }
#endif
