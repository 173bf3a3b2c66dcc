#define _POSIX_C_SOURCE 200809L
#include "hub_parts.h"
#include "base/text.h"
#include <string.h>
#include <time.h>

enum { MOST_TRIES = 5, FIRST_WAIT = 1000, LONGEST_WAIT = 30000, LONGEST_ASKED = 120, SLICE = 100 };

bool hub_may_pass(int http_status) { return http_status == 429 || http_status >= 500; }

static sonde_status sleep_ms(const hub *h, int64_t ms, sonde_error *err) {
    for (; ms > 0; ms -= SLICE) {
        SONDE_FAIL_IF(h->o->stop && h->o->stop(h->o->user), err, SONDE_CANCELLED, "interrupted");
        const struct timespec t = { .tv_nsec = 1000000L * (long)(ms < SLICE ? ms : SLICE) };
        nanosleep(&t, NULL);
    }
    return SONDE_OK;
}

sonde_status hub_wait(hub *h, hub_retry *r, const fetch_answer *a, sonde_error *err) {
    const int most = h->o->tries > 0 ? h->o->tries : MOST_TRIES;
    const int first = h->o->wait_ms > 0 ? h->o->wait_ms : FIRST_WAIT;
    const sonde_status s = err ? err->status : SONDE_IO;
    if (++r->tries >= most) return sonde_fail_at(err, s, "tried %d times", most);
    if (a->retry_after > LONGEST_ASKED)
        return sonde_fail_at(err, s, "asks to wait for %lld s", (long long)a->retry_after);
    int64_t ms = first;
    for (int i = 1; i < r->tries && ms < LONGEST_WAIT; i++) ms *= 2;
    if (ms > LONGEST_WAIT) ms = LONGEST_WAIT;
    if (ms < 1000 * a->retry_after) ms = 1000 * a->retry_after;
    return sleep_ms(h, ms, err);
}

sonde_status hub_ask(hub *h, const fetch_request *r, arena *into, fetch_answer *a, sonde_error *err) {
    hub_retry retry = { 0 };
    sonde_error own = { 0 };
    if (!err) err = &own;
    for (;;) {
        const sonde_status s = fetch_do(h->f, r, into, a, err);
        if (s != SONDE_OK && !a->again) return s;
        if (s == SONDE_OK && !hub_may_pass(a->status)) return SONDE_OK;
        if (s == SONDE_OK) hub_refuse(h, a, false, err);
        SONDE_TRY(hub_wait(h, &retry, a, err));
    }
}

static sonde_status refuse_access(const hub *h, const fetch_answer *a, sonde_error *err) {
    const char *code = a->header[FETCH_ERROR_CODE] ? a->header[FETCH_ERROR_CODE] : "";
    const char *message = a->header[FETCH_ERROR_MESSAGE] ? a->header[FETCH_ERROR_MESSAGE] : "";
    const char *token = h->o->token ? "the token that was given" : "no token (HF_TOKEN, or \"hf auth login\")";
    const bool wrong = strstr(message, "Invalid credentials") != NULL;
    SONDE_FAIL_IF(!strcmp(code, "GatedRepo"), err, SONDE_NOT_FOUND, "%s is gated: found %s, expected one of an account that was "
                  "granted access at %s/%s", h->name.id, token, name_shown(h->base).text, h->name.id);
    SONDE_FAIL_IF(wrong, err, SONDE_NOT_FOUND, "%s: the Hub does not know %s", h->name.id, token);
    SONDE_FAIL_IF(a->status == 403, err, SONDE_NOT_FOUND, "%s: forbidden: found %s, expected one that may read it", h->name.id, token);
    return sonde_fail(err, SONDE_NOT_FOUND, "%s: the Hub has no such model, or it is private: found %s", h->name.id, token);
}

sonde_status hub_refuse(const hub *h, const fetch_answer *a, bool file, sonde_error *err) {
    const char *code = a->header[FETCH_ERROR_CODE] ? a->header[FETCH_ERROR_CODE] : "";
    SONDE_FAIL_IF(!strcmp(code, "RevisionNotFound"), err, SONDE_NOT_FOUND, "%s: the Hub has no revision %s of it", h->name.id,
                  h->name.revision);
    if (a->status == 401 || a->status == 403) return refuse_access(h, a, err);
    SONDE_FAIL_IF(a->status == 404 && file, err, SONDE_NOT_FOUND, "the Hub lists it, but does not have it");
    if (a->status == 404) return refuse_access(h, a, err);
    SONDE_FAIL_IF(a->status == 429, err, SONDE_IO, "%s: too many requests (429)", name_shown(a->url).text);
    return sonde_fail(err, SONDE_IO, "%s: the answer is %d, expected 200", name_shown(a->url).text, a->status);
}
