#define _GNU_SOURCE
#include "test.h"
#include "small_model.h"
#include "model/edit_data.h"
#include "model/site_names.h"

/* Runs of edits: at most eight, parsed against the small model. */
typedef struct { sonde_edit *e[8]; size_t n; } parsed_list;

static parsed_list parsed(const sonde_model *m, const char *const *texts) {
    parsed_list l = { .n = 0 };
    sonde_error err = { 0 };
    for (; texts && texts[l.n]; l.n++)
        if (sonde_edit_parse(&l.e[l.n], m, texts[l.n], NULL, &err) != SONDE_OK) FAIL_("%s", err.message);
    return l;
}

static void freed(parsed_list *l) {
    for (size_t i = 0; i < l->n; i++) sonde_edit_free(l->e[i]);
}

/* The slots of a run as "0 1 4r1 5-attn 6-mlp", or the error. */
static const char *run_of(const char *const *texts) {
    static char line[1200];
    sonde_model m = small_model();
    parsed_list l = parsed(&m, texts);
    arena *a = arena_new();
    slots s;
    sonde_error err = { 0 };
    line[0] = '\0';
    if (plan_slots(a, &m.config, (const sonde_edit *const *)l.e, l.n, &s, &err) != SONDE_OK) {
        CHECK_EQ(err.status, SONDE_USAGE);
        snprintf(line, sizeof line, "%s", err.message);
    } else {
        for (int i = 0; i < s.n; i++) {
            char turn[16] = "";
            if (s.at[i].turn) snprintf(turn, sizeof turn, "r%d", s.at[i].turn);
            snprintf(line + strlen(line), 64, "%s%d%s%s%s", i ? " " : "", s.at[i].block, turn,
                     s.at[i].no_attn ? "-attn" : "", s.at[i].no_mlp ? "-mlp" : "");
        }
    }
    arena_free(a);
    freed(&l);
    small_model_free(&m);
    return line;
}

#define RUN(...) run_of((const char *const[]){ __VA_ARGS__, NULL })

/* What a pattern selects: names, or how many and the first and last; or the error. */
static const char *selected_in(const char *pattern, const char *const *plans, bool every_turn) {
    static char line[1200];
    sonde_model m = small_model();
    parsed_list l = parsed(&m, plans);
    arena *a = arena_new();
    slots s;
    place_list found = { 0 };
    sonde_error err = { 0 };
    line[0] = '\0';
    CHECK_EQ(plan_slots(a, &m.config, (const sonde_edit *const *)l.e, l.n, &s, &err), SONDE_OK);
    const sonde_status status = places_select(a, (place_scope){ &m.config, &s, every_turn }, pattern, &found, &err);
    const place *at = found.at;
    const size_t n = found.n;
    if (status != SONDE_OK) {
        CHECK_EQ(err.status, SONDE_USAGE);
        CHECK(!strchr(err.message, '\n'));
        snprintf(line, sizeof line, "%s", err.message);
    } else if (n > 4) {
        snprintf(line, sizeof line, "%zu: %s .. %s", n, place_name(a, &s, at[0]), place_name(a, &s, at[n - 1]));
    } else {
        for (size_t i = 0; i < n; i++)
            snprintf(line + strlen(line), 128, "%s%s", i ? " " : "", place_name(a, &s, at[i]));
    }
    arena_free(a);
    freed(&l);
    small_model_free(&m);
    return line;
}

static const char *selected(const char *pattern) { return selected_in(pattern, NULL, false); }

typedef struct { const char *pattern, *want; } row;

static void check_rows(const row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *got = selected(rows[i].pattern);
        if (strcmp(got, rows[i].want) != 0) FAIL_("%s: \"%s\", expected \"%s\"", rows[i].pattern, got, rows[i].want);
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof rows / sizeof *rows)

static void every_site_has_its_name_axes_and_place(void) {
    arena *a = arena_new();
    sonde_model m = small_model();
    slots s;
    place *at;
    CHECK_EQ(plan_slots(a, &m.config, NULL, 0, &s, NULL), SONDE_OK);
    const size_t n = places_all(a, &m.config, &s, &at);
    CHECK_EQ((long long)n, 2 + 12 * 24 + 5);
    CHECK_STR(place_name(a, &s, at[0]), "hook_embed");
    CHECK_STR(place_name(a, &s, at[1]), "hook_pos_embed");
    CHECK_STR(place_name(a, &s, at[2]), "blocks.0.hook_resid_pre");
    CHECK_STR(place_name(a, &s, at[25]), "blocks.0.hook_resid_post");
    CHECK_STR(place_name(a, &s, at[26]), "blocks.1.hook_resid_pre");
    CHECK_STR(place_name(a, &s, at[n - 1]), "unembed.hook_out");
    for (size_t i = 1; i < n; i++)
        CHECK(at[i - 1].slot < at[i].slot || (at[i - 1].slot == at[i].slot && at[i - 1].site < at[i].site));
    arena_free(a);
    small_model_free(&m);
}

static int dims_of(const sonde_model *m, site_id site, int64_t d[4]) {
    arena      *a = arena_new();
    const slots run = plain_slots(a, &m->config);
    const int   at = site_rows[site].where == AT_BACK ? BACK : 0;
    const int   rank = place_dims(&m->config, &run, (place){ at, site }, (run_length){ { 7, 0 } }, d);
    arena_free(a);
    return rank;
}

static void dims_are_the_axes_lengths(void) {
    sonde_model m = small_model();
    int64_t d[4];
    CHECK_EQ(dims_of(&m, SITE_PATTERN, d), 3);
    CHECK(d[0] == 4 && d[1] == 7 && d[2] == 7);
    CHECK_EQ(dims_of(&m, SITE_K, d), 3);
    CHECK(d[0] == 7 && d[1] == 2 && d[2] == 4);
    CHECK_EQ(dims_of(&m, SITE_LN1_SCALE, d), 2);
    CHECK(d[0] == 7 && d[1] == 1);
    CHECK_EQ(dims_of(&m, SITE_UNEMBED_OUT, d), 2);
    CHECK(d[0] == 7 && d[1] == 12);
    CHECK_EQ(dims_of(&m, SITE_MLP_POST, d), 2);
    CHECK(d[1] == 32);
    small_model_free(&m);
}

static void an_architecture_has_the_sites_of_its_parts(void) {
    static const weight_row no_positions[] = { { .id = W_LNF }, { .id = W_NONE } };
    const arch only_attention = { .block = { .part = { { PART_SELF } } }, .weights = no_positions };
    const arch_config c = arch_defaults(&only_attention, STACK_MAIN);
    CHECK(!site_exists(&c, SITE_POS_EMBED) && !site_exists(&c, SITE_RESID_MID) && !site_exists(&c, SITE_MLP_OUT));
    CHECK(!site_exists(&c, SITE_LN1_OUT) && !site_exists(&c, SITE_LN2_OUT) && !site_exists(&c, SITE_MLP_IN));
    CHECK(site_exists(&c, SITE_Z) && site_exists(&c, SITE_ATTN_OUT) && site_exists(&c, SITE_LNF_OUT));
    CHECK(site_exists(&c, SITE_RESID_POST) && site_exists(&c, SITE_EMBED));
}

static void names_without_wildcards(void) {
    static const row rows[] = {
        { "blocks.3.attn.hook_z", "blocks.3.attn.hook_z" },
        { "hook_embed", "hook_embed" },
        { "ln_final.hook_out", "ln_final.hook_out" },
        { "hook_resid_pre", "12: blocks.0.hook_resid_pre .. blocks.11.hook_resid_pre" },
        { "attn.hook_z", "12: blocks.0.attn.hook_z .. blocks.11.attn.hook_z" },
        { "hook_z", "12: blocks.0.attn.hook_z .. blocks.11.attn.hook_z" },
        { "ln1.hook_scale", "12: blocks.0.ln1.hook_scale .. blocks.11.ln1.hook_scale" },
        { "3.attn.hook_z", "blocks.3.attn.hook_z" },
        { "hook_result", "12: blocks.0.attn.hook_result .. blocks.11.attn.hook_result" },
        { "hook_embed,hook_embed", "hook_embed" },
        { "unembed.hook_in,hook_embed", "hook_embed unembed.hook_in" },
        { "hook_out",
          "site \"hook_out\": two kinds of site end so, ln1.hook_out and ln2.hook_out; expected one of them" },
        { "hook_scale",
          "site \"hook_scale\": two kinds of site end so, ln1.hook_scale and ln2.hook_scale; expected one of them" },
    };
    CHECK_ROWS(rows);
}

static void wildcards_stay_inside_their_part(void) {
    static const row rows[] = {
        { "**", "235: hook_embed .. unembed.hook_out" },
        { "*", "hook_embed hook_pos_embed" },
        { "*.*", "5: ln_final.hook_scale .. unembed.hook_out" },
        { "**.hook_embed", "hook_embed" },
        { "**.hook_z", "12: blocks.0.attn.hook_z .. blocks.11.attn.hook_z" },
        { "blocks.**.hook_z", "12: blocks.0.attn.hook_z .. blocks.11.attn.hook_z" },
        { "blocks.*.hook_z", "site \"blocks.*.hook_z\": no such site; the nearest are blocks.0.attn.hook_z, "
                             "blocks.1.attn.hook_z, blocks.2.attn.hook_z" },
        { "blocks.4.attn.*", "6: blocks.4.attn.hook_q .. blocks.4.attn.hook_z" },
        { "blocks.1*.attn.hook_z", "blocks.1.attn.hook_z blocks.10.attn.hook_z blocks.11.attn.hook_z" },
        { "blocks.*1.attn.hook_z", "blocks.1.attn.hook_z blocks.11.attn.hook_z" },
        { "blocks.2.hook_*_pre", "blocks.2.hook_resid_pre" },
        { "**.**.hook_z.**", "12: blocks.0.attn.hook_z .. blocks.11.attn.hook_z" },
        { "blocks.2.**.hook_out", "blocks.2.ln1.hook_out blocks.2.ln2.hook_out" },
        { "**.hook_out", "26: blocks.0.ln1.hook_out .. unembed.hook_out" },
    };
    CHECK_ROWS(rows);
}

static void a_star_in_the_last_part_selects_nothing_on_request(void) {
    static const row rows[] = {
        { "blocks.4.hook_*_input",
          "site \"blocks.4.hook_*_input\": no such site; the nearest are blocks.4.hook_q_input, "
                                   "blocks.4.hook_k_input, blocks.4.hook_v_input" },
        { "**.hook_result", "12: blocks.0.attn.hook_result .. blocks.11.attn.hook_result" },
        { "blocks.*.attn.hook_result", "12: blocks.0.attn.hook_result .. blocks.11.attn.hook_result" },
        { "blocks.4.hook_{q,k}_input", "blocks.4.hook_q_input blocks.4.hook_k_input" },
        { "blocks.0.attn.**", "6: blocks.0.attn.hook_q .. blocks.0.attn.hook_z" },
        { "blocks.0.hook_mlp_*", "blocks.0.hook_mlp_out" },
    };
    CHECK_ROWS(rows);
}

static void layers_are_numbers_ranges_and_counted_from_the_end(void) {
    static const row rows[] = {
        { "blocks.3-5.attn.hook_z", "blocks.3.attn.hook_z blocks.4.attn.hook_z blocks.5.attn.hook_z" },
        { "blocks.-1.attn.hook_z", "blocks.11.attn.hook_z" },
        { "blocks.-12.attn.hook_z", "blocks.0.attn.hook_z" },
        { "blocks.-2--1.attn.hook_z", "blocks.10.attn.hook_z blocks.11.attn.hook_z" },
        { "blocks.10--1.attn.hook_z", "blocks.10.attn.hook_z blocks.11.attn.hook_z" },
        { "blocks.3-4.**.hook_z", "blocks.3.attn.hook_z blocks.4.attn.hook_z" },
        { "blocks.{3,5}.attn.hook_z", "blocks.3.attn.hook_z blocks.5.attn.hook_z" },
        { "blocks.{-1,1-2}.attn.hook_{z,k}", "6: blocks.1.attn.hook_k .. blocks.11.attn.hook_z" },
        { "blocks.12.attn.hook_z",
          "site \"blocks.12.attn.hook_z\": no such site; the nearest are blocks.1.attn.hook_z, "
                                   "blocks.2.attn.hook_z, blocks.10.attn.hook_z" },
    };
    CHECK_ROWS(rows);
    static const char *const bad[] = { "blocks.-13.attn.hook_z", "blocks.5-3.attn.hook_z", "blocks.3-12.attn.hook_z",
                                       "blocks..attn.hook_z", "blocks.-.attn.hook_z", "blocks.3-.attn.hook_z",
                                       "blocks.-0.attn.hook_z", "blocks.3r.attn.hook_z", "blocks.3r-1.attn.hook_z",
                                       "blocks.+3.attn.hook_z", "blocks.99999999999999999999.attn.hook_z" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!strstr(selected(bad[i]), "no such site")) FAIL_("%s: %s", bad[i], selected(bad[i]));
}

static void alternatives_and_commas(void) {
    static const row rows[] = {
        { "hook_{embed,pos_embed}", "hook_embed hook_pos_embed" },
        { "blocks.1.{attn.hook_z,hook_mlp_out}", "blocks.1.attn.hook_z blocks.1.hook_mlp_out" },
        { "blocks.1.attn.hook_{q,rot_q}", "site \"blocks.1.attn.hook_rot_q\": no such site; the nearest are "
                                          "blocks.1.attn.hook_q, blocks.0.attn.hook_q, blocks.1.attn.hook_k" },
        { "blocks.1.hook_q{,_input}", "site \"blocks.1.hook_q\": no such site; the nearest are blocks.1.attn.hook_q, "
                                      "blocks.0.attn.hook_q, blocks.1.hook_q_input" },
        { "blocks.1.{ln1,ln2}.hook_{out,scale}",
          "blocks.1.ln1.hook_scale blocks.1.ln1.hook_out blocks.1.ln2.hook_scale "
                                                 "blocks.1.ln2.hook_out" },
        { "", "site: found an empty name, expected one such as hook_resid_pre" },
        { "hook_embed,", "site: found an empty name, expected one such as hook_resid_pre" },
        { "hook_{embed", "sites \"hook_{embed\": found { without }" },
        { "hook_embed}", "sites \"hook_embed}\": found } without {" },
        { "hook_{{embed}}", "sites \"hook_{{embed}}\": found { inside {}, expected plain alternatives" },
    };
    CHECK_ROWS(rows);
}

static void patterns_are_bounded(void) {
    char big[6000] = "";
    for (int i = 0; i < 11; i++) strcat(big, "{a,b}");
    CHECK(strstr(selected(big), "no such site") != NULL);            /* the first of them already fails */
    strcpy(big, "blocks.0.hook_resid_pre");
    for (int i = 0; i < 300; i++) strcat(big, "{,,,,}");
    CHECK_STR(selected(big), "sites: found a name of 1823 characters, expected at most 1024");
    strcpy(big, "hook_embed");
    for (int i = 0; i < 11; i++) strcat(big, "{,}");
    CHECK_STR(selected(big), "sites: more than 1024 names with all alternatives written out, expected fewer");
    memset(big, '*', 5000);
    big[5000] = '\0';
    CHECK_STR(selected(big), "sites: found a pattern of 5000 characters, expected at most 4096");
    for (int i = 0; i < 1000; i += 2) memcpy(big + i, ".*", 2);
    big[1000] = '\0';
    CHECK(strstr(selected(big), "no such site") != NULL);
}

static void transformer_lens_names(void) {
    static const row rows[] = {
        { "resid_pre5", "blocks.5.hook_resid_pre" },
        { "k6", "blocks.6.attn.hook_k" },
        { "k6a", "blocks.6.attn.hook_k" },
        { "k6attn", "blocks.6.attn.hook_k" },
        { "pre5", "blocks.5.mlp.hook_pre" },
        { "pre5m", "blocks.5.mlp.hook_pre" },
        { "mlp_pre2", "blocks.2.mlp.hook_pre" },
        { "mlp_post2", "blocks.2.mlp.hook_post" },
        { "post2mlp", "blocks.2.mlp.hook_post" },
        { "key1", "blocks.1.attn.hook_k" },
        { "query1", "blocks.1.attn.hook_q" },
        { "value1", "blocks.1.attn.hook_v" },
        { "attn3", "blocks.3.attn.hook_pattern" },
        { "attn_logits3", "blocks.3.attn.hook_attn_scores" },
        { "attn_scores3", "blocks.3.attn.hook_attn_scores" },
        { "result3", "blocks.3.attn.hook_result" },
        { "z11", "blocks.11.attn.hook_z" },
        { "pattern", "12: blocks.0.attn.hook_pattern .. blocks.11.attn.hook_pattern" },
        { "mlp_out", "12: blocks.0.hook_mlp_out .. blocks.11.hook_mlp_out" },
        { "embed", "hook_embed" },
        { "pos_embed", "hook_pos_embed" },
        { "scale4ln1", "blocks.4.ln1.hook_scale" },
        { "normalized7ln2", "blocks.7.ln2.hook_normalized" },
        { "scale", "ln_final.hook_scale" },
        { "normalized", "ln_final.hook_normalized" },
        { "{k,q}6", "blocks.6.attn.hook_q blocks.6.attn.hook_k" },
        { "logits", "unembed.hook_out" },
    };
    CHECK_ROWS(rows);
    static const char *const bad[] = { "k12", "k6m", "resid_pre5x", "xresid_pre5", "embed3", "pattern5m", "scale4",
        "k-6",
                                       "rot_q3", "patter", "logits3", "k6.x", "scale4ln3" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!strstr(selected(bad[i]), "no such site; the nearest are ")) FAIL_("%s: %s", bad[i], selected(bad[i]));
}

static void llama_cpp_names(void) {
    static const row rows[] = {
        { "l_out-3", "blocks.3.hook_resid_post" },
        { "l_out-1", "blocks.1.hook_resid_post" },
        { "l_out-*", "12: blocks.0.hook_resid_post .. blocks.11.hook_resid_post" },
        { "ffn_inp-3", "blocks.3.hook_resid_mid" },
        { "kqv_out-3", "blocks.3.hook_attn_out" },
        { "ffn_out-3", "blocks.3.hook_mlp_out" },
        { "attn_norm-3", "blocks.3.ln1.hook_out" },
        { "ffn_norm-3", "blocks.3.ln2.hook_out" },
        { "norm-3", "blocks.3.ln1.hook_normalized" },
        { "Qcur-3", "blocks.3.attn.hook_q" },
        { "Kcur-3", "blocks.3.attn.hook_k" },
        { "Vcur-3", "blocks.3.attn.hook_v" },
        { "kq-3", "blocks.3.attn.hook_attn_scores" },
        { "kq_soft_max-3", "blocks.3.attn.hook_pattern" },
        { "kqv-11", "blocks.11.attn.hook_z" },
        { "inp_embd", "hook_embed" },
        { "result_norm", "ln_final.hook_out" },
        { "result_output", "unembed.hook_out" },
        { "l_out", "12: blocks.0.hook_resid_post .. blocks.11.hook_resid_post" },
        { "{l_out,ffn_out}-{0,2}", "blocks.0.hook_mlp_out blocks.0.hook_resid_post blocks.2.hook_mlp_out "
                                   "blocks.2.hook_resid_post" },
    };
    CHECK_ROWS(rows);
    static const char *const bad[] = { "l_out-12", "l_out3", "l_out-", "l_out-3-4", "l_out-1*", "l_out**", "my_l_out-3", "l_out-3x",
        "inp_embd-0",
                                       "result_output-1", "kqv_ou-3", "qcur-3" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!strstr(selected(bad[i]), "no such site; the nearest are ")) FAIL_("%s: %s", bad[i], selected(bad[i]));
}

static void a_mistyped_name_gets_the_three_nearest(void) {
    static const row rows[] = {
        { "hook_zz", "site \"hook_zz\": no such site; the nearest are hook_z, hook_q, hook_k" },
        { "patern", "site \"patern\": no such site; the nearest are pattern, attn, query" },
        { "blocks.3.attn.hook_patern", "site \"blocks.3.attn.hook_patern\": no such site; the nearest are "
                                       "blocks.3.attn.hook_pattern, blocks.0.attn.hook_pattern, "
                                       "blocks.1.attn.hook_pattern" },
        { "evil\033[31m", "site \"evil\\x1b[31m\": no such site; the nearest are value, v, z" },
    };
    for (size_t i = 0; i < 3; i++) CHECK_STR(selected(rows[i].pattern), rows[i].want);
    CHECK(strstr(selected(rows[3].pattern), "evil\\x1b[31m") && !strchr(selected(rows[3].pattern), '\033'));
}

static void skipped_sites_do_not_exist(void) {
    static const char *const plan[] = { "skip:blocks.4.attn", "skip:blocks.6", NULL };
    CHECK_STR(selected_in("**", plan, false), "206: hook_embed .. unembed.hook_out");
    CHECK_STR(selected_in("blocks.4.**", plan, false), "9: blocks.4.hook_resid_pre .. blocks.4.hook_resid_post");
    CHECK_STR(selected_in("hook_z", plan, false), "10: blocks.0.attn.hook_z .. blocks.11.attn.hook_z");
    CHECK_STR(selected_in("blocks.3-5.attn.hook_z", plan, false), "blocks.3.attn.hook_z blocks.5.attn.hook_z");
    CHECK_STR(selected_in("blocks.4.attn.hook_z", plan, false),
              "site \"blocks.4.attn.hook_z\": this plan skips that part of block 4");
    CHECK_STR(selected_in("kqv-4", plan, false), "site \"kqv-4\": this plan skips that part of block 4");
    CHECK_STR(selected_in("blocks.6.hook_resid_pre", plan, true),
              "site \"blocks.6.hook_resid_pre\": block 6 does not run under this plan");
    CHECK_STR(selected_in("blocks.5r1.hook_resid_pre", plan, true),
              "site \"blocks.5r1.hook_resid_pre\": block 5 runs 1 time, counted from r0");
    static const char *const all[] = { "skip:blocks.0-11.mlp", NULL };
    CHECK_STR(selected_in("hook_mlp_out", all, false),
              "site \"hook_mlp_out\": no block of this run has hook_mlp_out, its plan leaves that out");
}

static void a_number_means_one_execution_for_taps_and_all_for_edits(void) {
    static const char *const plan[] = { "repeat:blocks.4-5=2", NULL };
    CHECK_STR(selected_in("blocks.4.attn.hook_z", plan, false), "blocks.4.attn.hook_z");
    CHECK_STR(selected_in("blocks.4.attn.hook_z", plan, true), "blocks.4.attn.hook_z blocks.4r1.attn.hook_z");
    CHECK_STR(selected_in("blocks.4r1.attn.hook_z", plan, true), "blocks.4r1.attn.hook_z");
    CHECK_STR(selected_in("blocks.4r1.attn.hook_z", plan, false), "blocks.4r1.attn.hook_z");
    CHECK_STR(selected_in("blocks.4r0.attn.hook_z", plan, true), "blocks.4.attn.hook_z");
    CHECK_STR(selected_in("blocks.4-5r1.attn.hook_z", plan, true), "blocks.4r1.attn.hook_z blocks.5r1.attn.hook_z");
    CHECK_STR(selected_in("blocks.*r1.attn.hook_z", plan, true), "blocks.4r1.attn.hook_z blocks.5r1.attn.hook_z");
    CHECK_STR(selected_in("kqv-4", plan, true), "blocks.4.attn.hook_z blocks.4r1.attn.hook_z");
    CHECK_STR(selected_in("blocks.4-5.attn.hook_z", plan, true),
              "blocks.4.attn.hook_z blocks.5.attn.hook_z blocks.4r1.attn.hook_z blocks.5r1.attn.hook_z");
    CHECK_STR(selected_in("hook_z", plan, false), "14: blocks.0.attn.hook_z .. blocks.11.attn.hook_z");
    CHECK_STR(selected_in("blocks.4r2.attn.hook_z", plan, true),
              "site \"blocks.4r2.attn.hook_z\": block 4 runs 2 times, counted from r0");
}

static void plans_change_the_list_in_their_order(void) {
    CHECK_STR(run_of(NULL), "0 1 2 3 4 5 6 7 8 9 10 11");
    CHECK_STR(RUN("skip:blocks.4"), "0 1 2 3 5 6 7 8 9 10 11");
    CHECK_STR(RUN("skip:blocks.1-9", "skip:blocks.-1"), "0 10");
    CHECK_STR(RUN("skip:blocks.0-11"), "");
    CHECK_STR(RUN("order:0-5", "skip:blocks.4.attn", "skip:blocks.-8--7.mlp"), "0 1 2 3 4-attn-mlp 5-mlp");
    CHECK_STR(RUN("swap:blocks.4,blocks.5"), "0 1 2 3 5 4 6 7 8 9 10 11");
    CHECK_STR(RUN("order:0-3", "swap:blocks.3,blocks.0"), "3 1 2 0");
    CHECK_STR(RUN("repeat:blocks.4-6=2"), "0 1 2 3 4 5 6 4r1 5r1 6r1 7 8 9 10 11");
    CHECK_STR(RUN("repeat:blocks.11=3"), "0 1 2 3 4 5 6 7 8 9 10 11 11r1 11r2");
    CHECK_STR(RUN("order:0-2", "repeat:blocks.1=1"), "0 1 2");
    CHECK_STR(RUN("order:0,2,1,3-11"), "0 2 1 3 4 5 6 7 8 9 10 11");
    CHECK_STR(RUN("order:2,0"), "2 0");
    CHECK_STR(RUN("order:0,0,-1,0"), "0 0r1 11 0r2");
    CHECK_STR(RUN("order:0-3", "repeat:blocks.1-2=2", "skip:blocks.1"), "0 2 2r1 3");
    CHECK_STR(RUN("order:0-3", "repeat:blocks.1-2=2", "swap:blocks.1,blocks.2"), "0 2 1 2r1 1r1 3");
    CHECK_STR(RUN("order:0-3", "swap:blocks.1,blocks.2", "repeat:blocks.1-2=2"), "0 2 1 2r1 1r1 3");
    CHECK_STR(RUN("order:0-3", "repeat:blocks.1-2=2", "repeat:blocks.1-2=2"), "0 1 2 1r1 2r1 1r2 2r2 1r3 2r3 3");
    CHECK_STR(RUN("skip:blocks.1.attn", "order:0-2", "repeat:blocks.1=2"), "0 1-attn 1r1-attn 2");
    CHECK_STR(RUN("zero:hook_z", "order:1", "add:hook_z=1"), "1");
}

static void plans_name_blocks_that_run(void) {
    CHECK_STR(RUN("skip:blocks.4", "skip:blocks.3-4"),
              "skip: block 4 does not run any more, expected one that the plans before leave in");
    CHECK_STR(RUN("skip:blocks.4", "swap:blocks.3,blocks.4"),
              "swap: block 4 does not run any more, expected one that the plans before leave in");
    CHECK_STR(RUN("skip:blocks.4", "order:0-11"),
              "order: block 4 does not run any more, expected one that the plans before leave in");
    CHECK_STR(RUN("skip:blocks.4", "repeat:blocks.4=2"),
              "repeat: block 4 does not run any more, expected one that the plans before leave in");
    CHECK_STR(RUN("order:0,4,1,5", "repeat:blocks.4-5=2"),
              "repeat: blocks 4 to 5 do not run one behind the other any more, expected a range that does");
    CHECK_STR(RUN("repeat:blocks.0-11=300", "repeat:blocks.0-11=2"), "repeat: the run would have 7200 blocks, at "
    "most 4096");
}

typedef struct { char text[4000]; int n; int stop_at; } heard;

static sonde_status hear(const sonde_site *s, void *user, sonde_error *err) {
    heard *h = user;
    if (h->stop_at && ++h->n == h->stop_at) return sonde_fail(err, SONDE_CANCELLED, "enough");
    if (!h->stop_at) snprintf(h->text + strlen(h->text), 128, "%s|%s|%d|%d|%d|%d ", s->name, s->axes,
        s->on_request, s->block, s->rank,
             (int)s->dim[s->rank - 1]);
    return SONDE_OK;
}

static void public_lists(void) {
    sonde_model m = small_model();
    parsed_list l = parsed(&m, (const char *const[]){ "order:1,0", "zero:hook_z", NULL });
    heard h = { .n = 0 };
    sonde_error err = { 0 };
    CHECK_EQ(sonde_sites(&m, &(sonde_site_query){ "hook_result,unembed.hook_out,hook_embed",
                                                     (const sonde_edit *const *)l.e, l.n, 5, 0 },
        hear, &h,
                         &err), SONDE_OK);
    CHECK_STR(h.text, "hook_embed|t d|0|-1|2|16 blocks.1.attn.hook_result|t h d|1|1|3|16 "
                      "blocks.0.attn.hook_result|t h d|1|0|3|16 unembed.hook_out|t v|0|-1|2|12 ");
    h = (heard){ .stop_at = 3 };
    CHECK_EQ(sonde_sites(&m, &(sonde_site_query){ .pattern = "**", .n = 5 }, hear, &h, &err), SONDE_CANCELLED);
    CHECK_EQ(h.n, 3);
    h = (heard){ .stop_at = 1000 };
    CHECK_EQ(sonde_sites(&m, &(sonde_site_query){ .pattern = "**", .n = 5 }, hear, &h, &err), SONDE_OK);
    CHECK_EQ(h.n, 235);
    CHECK_EQ(sonde_sites(&m, &(sonde_site_query){ .n = 5 }, hear, &h, &err), SONDE_OK);
    CHECK_EQ(h.n, 235 + 295);
    CHECK_EQ(sonde_sites(&m, &(sonde_site_query){ .pattern = "hook_zz", .n = 5 }, hear, &h, &err), SONDE_USAGE);
    freed(&l);
    small_model_free(&m);
}

#define TESTS(X) \
    X(every_site_has_its_name_axes_and_place) \
    X(dims_are_the_axes_lengths) \
    X(an_architecture_has_the_sites_of_its_parts) \
    X(names_without_wildcards) \
    X(wildcards_stay_inside_their_part) \
    X(a_star_in_the_last_part_selects_nothing_on_request) \
    X(layers_are_numbers_ranges_and_counted_from_the_end) \
    X(alternatives_and_commas) \
    X(patterns_are_bounded) \
    X(transformer_lens_names) \
    X(llama_cpp_names) \
    X(a_mistyped_name_gets_the_three_nearest) \
    X(skipped_sites_do_not_exist) \
    X(a_number_means_one_execution_for_taps_and_all_for_edits) \
    X(plans_change_the_list_in_their_order) \
    X(plans_name_blocks_that_run) \
    X(public_lists)
TEST_MAIN(TESTS)
