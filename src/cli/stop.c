#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <signal.h>
#include <stdatomic.h>

static atomic_bool asked;

static void on_signal(int number) {
    (void)number;
    atomic_store(&asked, true);
}

void stop_listen(void) {
    struct sigaction a = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

bool stop_asked(void *unused) {
    (void)unused;
    return atomic_load(&asked);
}
