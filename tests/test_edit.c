#define _GNU_SOURCE
#include "edit_cases.h"
#include <stdlib.h>

static void examples_of_the_contract(void) {
    static const row rows[] = {
        { "zero:blocks.8.attn.hook_z[5,3]", NULL },
        { "set:blocks.3.attn.hook_pattern[2,-1,0]=1", NULL },
        { "scale:blocks.4.mlp.hook_post[:,7]=3", NULL },
        { "add:blocks.6.hook_resid_post[-1]=2*(B[-1]-C[-1])", NULL },
        { "noise:hook_embed[1:4]=0.3", NULL },
        { "mean:blocks.8.attn.hook_z[:,3]", NULL },
        { "patch:blocks.6.hook_resid_pre[5]=B[4]", NULL },
        { "freeze:blocks.7-11.attn.hook_pattern", NULL },
        { "skip:blocks.4", NULL },
        { "skip:blocks.4.attn", NULL },
        { "skip:blocks.4.mlp", NULL },
        { "swap:blocks.4,blocks.5", NULL },
        { "repeat:blocks.4-6=2", NULL },
        { "order:0,2,1,3-11", NULL },
    };
    CHECK_GOOD(rows);
}

static void sites_are_kept_as_written(void) {
    static const row rows[] = {
        { "zero:hook_z", NULL },
        { "zero:hook_z,hook_mlp_out", NULL },
        { "zero:blocks.{1,3}.attn.hook_{q,k}[:,0]", NULL },
        { "zero:**", NULL },
        { "scale:blocks.0r1.hook_resid_pre[2]=0.5", NULL },
        { "zero:blocks.-1.hook_mlp_out", NULL },
        { "zero:k6", NULL },
        { "zero:l_out-3", NULL },
        { "zero:logits[-1,{3,4}]", NULL },
        { "zero:hook_result[:,1]", NULL },
    };
    CHECK_GOOD(rows);
    static const row bad[] = {
        { "zero:hook_zz", "site \"hook_zz\": no such site; the nearest are hook_z, hook_q, hook_k" },
        { "zero:", "site: found an empty name, expected one such as hook_resid_pre" },
        { "zero:hook_out",
          "site \"hook_out\": two kinds of site end so, ln1.hook_out and ln2.hook_out; expected one of them" },
        { "zero:blocks.12.hook_mlp_out", "site \"blocks.12.hook_mlp_out\": no such site; the nearest are "
                                         "blocks.1.hook_mlp_out, blocks.2.hook_mlp_out, blocks.10.hook_mlp_out" },
    };
    CHECK_BAD(bad);
}

static void operations_are_known_by_name(void) {
    static const row bad[] = {
        { "", "expected OP:SITE, such as zero:hook_mlp_out, found the end" },
        { "zero", "expected OP:SITE, such as zero:hook_mlp_out, found \"zero\"" },
        { "zerro:hook_z", "no such operation, zerro; the nearest is zero" },
        { ":hook_z", "expected OP:SITE, such as zero:hook_mlp_out, found \":hook_z\"" },
        { " zero:hook_z", "expected OP:SITE, such as zero:hook_mlp_out, found \" zero:hook_z\"" },
        { "Zero:hook_z", "no such operation, Zero; the nearest is zero" },
    };
    CHECK_BAD(bad);
}

/* NOLINTNEXTLINE(readability-function-size): a table of texts */
static void indices(void) {
    static const row good[] = {
        { "zero:hook_z[0,1,2]", NULL },
        { "zero:hook_z[:,:,:]", NULL },
        { "zero:hook_z[:,-4]", NULL },
        { "zero:hook_z[:,{-4,3}]", NULL },
        { "zero:hook_z[-4:-1,0:4,{0,-1,2}]", NULL },
        { "zero:hook_z[ 1 , {2, 3} , : ]", "zero:hook_z[1,{2,3},:]" },
        { "zero:hook_z[\"ab\"]", NULL },
        { "zero:hook_z[#5]", NULL },
        { "zero:hook_pattern[0,\" ab\",\"<|endoftext|>\"]", NULL },
        { "zero:hook_z[\"\\x61b\"]", "zero:hook_z[\"ab\"]" },
        { "zero:hook_z[\"\\u0061\\u0062\"]", "zero:hook_z[\"ab\"]" },
        { "zero:hook_z[\"\\\"\",1]", NULL },
        { "zero:hook_z[\"]\",1]", NULL },
        { "zero:hook_z[\",\",1]", NULL },
        { "zero:hook_z[\"\\n\",1]", NULL },
        { "zero:hook_z[-3:2]", NULL },
        { "zero:hook_z[007]", "zero:hook_z[7]" },
        { "zero:hook_z[1000]", NULL },
        { "zero:ln1.hook_scale[:,0]", NULL },
    };
    CHECK_GOOD(good);
    static const row bad[] = {
        { "zero:hook_z[]", "expected an index: N, N:M, :, {N,M}, a text in double quotes or #ID, found \"]\"" },
        { "zero:hook_z[1", "expected , or ] in an index, found the end" },
        { "zero:hook_z[1]x", "expected =VALUE, @WHEN or the end behind the index, found \"x\"" },
        { "zero:hook_z[1:]", "expected both ends of a range (N:M), found \"]\"" },
        { "zero:hook_z[:3]", "expected both ends of a range (N:M), or : alone, found \"3]\"" },
        { "zero:hook_z[1:2:3]", "expected , or ] in an index, found \":3]\"" },
        { "zero:hook_z[3:3]", "the range 3:3 is empty, expected its first number below its second" },
        { "zero:hook_z[-1:-2]", "the range -1:-2 is empty, expected its first number below its second" },
        { "zero:hook_z[{}]", "expected an integer, found \"}]\"" },
        { "zero:hook_z[{1]", "expected , or } in a list, found \"]\"" },
        { "zero:hook_z[{1,1}]", "{1} stands twice in a list, expected once" },
        { "zero:hook_z[1.5]", "expected , or ] in an index, found \".5]\"" },
        { "zero:hook_z[1234567890123456]", "expected an integer of at most 15 digits, found \"1234567890123456]\"" },
        { "zero:hook_z[0,1,2,3]", "an index of 4 parts for attn.hook_z, which has the 3 axes t h e" },
        { "zero:hook_z[0,1,2,3,4]", "an index of more than 4 parts, no site has so many axes" },
        { "zero:hook_mlp_out[0,1,2]", "an index of 3 parts for hook_mlp_out, which has the 2 axes t d" },
        { "zero:hook_z[:,4]", "index 4 of axis h of attn.hook_z: expected -4 to 3" },
        { "zero:hook_k[:,2]", "index 2 of axis g of attn.hook_k: expected -2 to 1" },
        { "zero:hook_z[:,-5]", "index -5 of axis h of attn.hook_z: expected -4 to 3" },
        { "zero:hook_z[:,{0,4}]", "index 4 of axis h of attn.hook_z: expected -4 to 3" },
        { "zero:hook_z[:,0:5]", "range 0:5 of axis h of attn.hook_z: expected one inside 0:4" },
        { "zero:hook_z[:,-2:1]", "range -2:1 of axis h of attn.hook_z: expected one inside 0:4" },
        { "zero:hook_resid_pre[:,16]", "index 16 of axis d of hook_resid_pre: expected -16 to 15" },
        { "zero:mlp.hook_post[:,32]", "index 32 of axis f of mlp.hook_post: expected -32 to 31" },
        { "zero:unembed.hook_out[:,12]", "index 12 of axis v of unembed.hook_out: expected -12 to 11" },
        { "zero:ln1.hook_scale[:,1]", "index 1 of axis 1 of ln1.hook_scale: expected -1 to 0" },
        { "zero:hook_pattern[4]", "index 4 of axis h of attn.hook_pattern: expected -4 to 3" },
        { "zero:hook_z[:,\"a\"]",
          "\"a\" on axis h of attn.hook_z: a token names positions, expected a number, a range or a list" },
        { "zero:hook_pattern[#1]",
          "#1 on axis h of attn.hook_pattern: a token names positions, expected a number, a range or a list" },
        { "zero:hook_z[\"abc\"]", "\"abc\" is 2 tokens: \"ab\" \"c\", expected exactly one" },
        { "zero:hook_z[\"\"]", "\"\" is 0 tokens, expected exactly one" },
        { "zero:hook_z[\"ab]", "expected a closing double quote, found the end" },
        { "zero:hook_z[\"\\q\"]", "expected one of \" \\ / b f n r t uNNNN xNN behind \\, found \"q\"]\"" },
        { "zero:hook_z[\"\\x6\"]", "expected two hex digits behind \\x, found \"6\"]\"" },
        { "zero:hook_z[\"\\u123\"]", "expected four hex digits behind \\u, found \"123\"]\"" },
        { "zero:hook_z[\"\\ud800x\"]", "expected both halves of a surrogate pair behind \\u, found \"d800x\"]\"" },
        { "zero:hook_z[\"a\nb\"]", "expected \\n, \\t or \\xNN for a control character, found \"\\x0ab\"]\"" },
        { "zero:hook_z[#12]", "#12 is no token, expected #0 to #11" },
        { "zero:hook_z[#-1]", "#-1 is no token, expected #0 to #11" },
        { "zero:hook_z[#]", "expected an integer, found \"]\"" },
        { "zero:**[:,:,0]", "an index of 3 parts for hook_embed, which has the 2 axes t d" },
    };
    CHECK_BAD(bad);
}

static void numbers(void) {
    static const row good[] = {
        { "set:hook_z=1", NULL },
        { "set:hook_z=-0.5", NULL },
        { "set:hook_z=+2", "set:hook_z=2" },
        { "set:hook_z=1e-3", "set:hook_z=0.001" },
        { "set:hook_z=.25", "set:hook_z=0.25" },
        { "set:hook_z=5.", "set:hook_z=5" },
        { "set:hook_z=1E30", "set:hook_z=1e+30" },
        { "set:hook_z=0.1", NULL },
        { "set:hook_z=0.30000000000000004", NULL },
        { "set:hook_z=-0", NULL },
        { "set:hook_z=10", NULL },
        { "set:hook_z=1e6", "set:hook_z=1000000" },
        { "set:hook_z=-1200.25", NULL },
        { "noise:hook_z=0", NULL },
    };
    CHECK_GOOD(good);
    static const row bad[] = {
        { "set:hook_z=nan", "the number nan, expected a finite one" },
        { "set:hook_z=-inf", "the number -inf, expected a finite one" },
        { "set:hook_z=Infinity", "the number Infinity, expected a finite one" },
        { "set:hook_z=1e999", "expected a finite number, found \"1e999\"" },
        { "set:hook_z=1e39", "the number 1e+39, expected one that float32 holds" },
        { "set:hook_z=", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found the end" },
        { "set:hook_z=0x10", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found \"0x10\"" },
        { "set:hook_z=1,5", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found \"1,5\"" },
        { "set:hook_z=1 ", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found \"1 \"" },
        { "set:hook_z==1", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found \"=1\"" },
        { "noise:hook_z=-1", "noise of sd -1, expected a number that is not negative" },
    };
    CHECK_BAD(bad);
}

static void runs(void) {
    static const row good[] = {
        { "patch:hook_z=B", NULL },
        { "patch:hook_z[1]=B", NULL },
        { "patch:hook_resid_pre[{0,4}]=B[{1,-1}]", NULL },
        { "patch:hook_resid_pre[2:5]=B[0:3]", NULL },
        { "patch:hook_resid_pre[2:5]=B[0]", NULL },
        { "patch:hook_resid_pre[2:5]=B[\"a\"]", NULL },
        { "set:hook_resid_pre[5]=avg(B[5],C[4])", NULL },
        { "add:hook_z=B", NULL },
        { "add:hook_resid_pre[0]=2*B[1]", NULL },
        { "add:hook_resid_pre[0]=2*avg(B[1],C[1])", NULL },
        { "add:hook_z=1*(B-C)", NULL },
        { "add:hook_z=2*( B - avg( B , C ) )", "add:hook_z=2*(B-avg(B,C))" },
        { "add:hook_z=avg", NULL },
        { "add:hook_z=run_2", NULL },
    };
    CHECK_GOOD(good);
    static const row bad[] = {
        { "add:hook_z=-0.5*B[:,1:3]",
          "the run's values are [t, 2, 4], attn.hook_z there is [t, 4, 4] and expected values "
                                      "that numpy would broadcast to that" },
        { "patch:hook_resid_pre[2:5]=B[0:2]",
          "the run's values are [2, 16], hook_resid_pre there is [3, 16] and expected "
                                              "values that numpy would broadcast to that" },
        { "patch:hook_z[1,2]=B[1]",
          "the run's values are [4, 4], attn.hook_z there is [4] and expected values that numpy "
                                    "would broadcast to that" },
        { "patch:hook_z=B[:,4]", "index 4 of axis h of attn.hook_z: expected -4 to 3" },
        { "patch:hook_z=B[0,0,0,0]", "an index of 4 parts for attn.hook_z, which has the 3 axes t h e" },
        { "patch:hook_z=avg(B,C", "expected ) in avg(RUN,RUN), found the end" },
        { "patch:hook_z=avg(B)", "expected , in avg(RUN,RUN), found \")\"" },
        { "add:hook_z=B-C", "expected the end or @WHEN behind a run, found \"-C\"" },
        { "add:hook_z=(B-C)",
          "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found \"(B-C)\"" },
        { "add:hook_z=2*(B+C)", "expected - in NUMBER*(RUN-RUN), found \"+C)\"" },
        { "add:hook_z=2*(B-C", "expected ) in NUMBER*(RUN-RUN), found the end" },
        { "add:hook_z=2*", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found the end" },
        { "add:hook_z=2*3*B", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found \"3*B\"" },
        { "add:hook_z=B*2", "expected the end or @WHEN behind a run, found \"*2\"" },
        { "add:hook_z=2B", "expected a number, a run or a vector (FILE.npy, FILE.safetensors#NAME), found \"2B\"" },
    };
    CHECK_BAD(bad);
}

static void each_operation_takes_its_values(void) {
    static const row bad[] = {
        { "zero:hook_z=1", "zero takes no value" },
        { "freeze:hook_z=B", "freeze takes no value" },
        { "mean:hook_z=B", "mean takes no value" },
        { "set:hook_z", "set takes a number, a vector, a run" },
        { "set:hook_z=2*B", "set takes a number, a vector, a run" },
        { "scale:hook_z=B", "scale takes a number, a vector" },
        { "scale:hook_z", "scale takes a number, a vector" },
        { "add:hook_z", "add takes a number, a vector, a run, NUMBER*VECTOR, NUMBER*RUN or NUMBER*(RUN-RUN)" },
        { "patch:hook_z", "patch takes a run" },
        { "patch:hook_z=1", "patch takes a run" },
        { "patch:hook_z=1*B", "patch takes a run" },
        { "noise:hook_z", "noise takes a number" },
        { "noise:hook_z=B", "noise takes a number" },
        { "project:hook_z=1", "project takes a vector" },
        { "project:hook_z", "project takes a vector" },
        { "mean:hook_pattern", "mean of attn.hook_pattern, expected a site without an s axis: its axes are h t s" },
        { "mean:hook_attn_scores[0]",
          "mean of attn.hook_attn_scores, expected a site without an s axis: its axes are h t s" },
        { "mean:blocks.0.**", "mean of attn.hook_attn_scores, expected a site without an s axis: its axes are h t s" },
    };
    CHECK_BAD(bad);
}

static void when_it_holds(void) {
    static const row good[] = {
        { "zero:hook_z@prompt", NULL },
        { "zero:hook_z[1]@generated", NULL },
        { "add:hook_z=1@all", NULL },
        { "patch:hook_z=B@generated", NULL },
        { "add:hook_z=2*(B-C)@prompt", NULL },
    };
    CHECK_GOOD(good);
    static const row bad[] = {
        { "zero:hook_z@", "expected prompt, generated or all behind @, found the end" },
        { "zero:hook_z@never", "expected prompt, generated or all behind @, found \"never\"" },
        { "zero:hook_z@prompt@all", "expected the end, found \"@all\"" },
        { "zero:hook_z@prompt=1", "expected the end, found \"=1\"" },
        { "zero:hook_z@promptx", "expected prompt, generated or all behind @, found \"promptx\"" },
    };
    CHECK_BAD(bad);
}

static void plans(void) {
    static const row good[] = {
        { "skip:blocks.3-5", NULL },
        { "skip:blocks.-1.mlp", "skip:blocks.11.mlp" },
        { "skip:blocks.-3--1", "skip:blocks.9-11" },
        { "skip:blocks.4-4", "skip:blocks.4" },
        { "swap:blocks.0,blocks.-1", "swap:blocks.0,blocks.11" },
        { "repeat:blocks.4=3", NULL },
        { "repeat:blocks.-2--1=1", "repeat:blocks.10-11=1" },
        { "order:2,0", NULL },
        { "order:0,1,2,3,3,4", "order:0-3,3,4" },
        { "order:-1,0-1", "order:11,0,1" },
    };
    CHECK_GOOD(good);
    static const row bad[] = {
        { "skip:blocks.12", "blocks.12: expected blocks.N or blocks.N-M, with blocks 0 to 11" },
        { "skip:blocks.4r1", "blocks.4r1: expected blocks.N or blocks.N-M, with blocks 0 to 11" },
        { "skip:blocks.5-4", "blocks.5-4: expected blocks.N or blocks.N-M, with blocks 0 to 11" },
        { "skip:block.4", "expected blocks.N, found \"block.4\"" },
        { "skip:4", "expected blocks.N, found \"4\"" },
        { "skip:blocks.4.ln1", "expected attn or mlp, found \"ln1\"" },
        { "skip:blocks.4.attn.hook_z", "expected the end, found \".hook_z\"" },
        { "skip:blocks.4@prompt", "expected the end, found \"@prompt\"" },
        { "skip:blocks.4=1", "expected the end, found \"=1\"" },
        { "swap:blocks.4", "expected ,blocks.M behind the first block, found the end" },
        { "swap:blocks.4,5", "expected blocks.N, found \"5\"" },
        { "swap:blocks.4,blocks.4", "expected two different blocks, as in swap:blocks.4,blocks.5" },
        { "swap:blocks.4-5,blocks.6", "expected two different blocks, as in swap:blocks.4,blocks.5" },
        { "repeat:blocks.4", "expected =TIMES behind the blocks, found the end" },
        { "repeat:blocks.4=0", "expected 1 to 1000 times, found \"0\"" },
        { "repeat:blocks.4=-1", "expected 1 to 1000 times, found \"-1\"" },
        { "repeat:blocks.4=2.5", "expected the end, found \".5\"" },
        { "repeat:blocks.4=x", "expected an integer, found \"x\"" },
        { "order:", "found \"\" in the order, expected N or N-M with blocks 0 to 11" },
        { "order:0,,1", "found \"\" in the order, expected N or N-M with blocks 0 to 11" },
        { "order:0,12", "found \"12\" in the order, expected N or N-M with blocks 0 to 11" },
        { "order:0 1", "found \"0 1\" in the order, expected N or N-M with blocks 0 to 11" },
        { "order:0r1", "found \"0r1\" in the order, expected N or N-M with blocks 0 to 11" },
    };
    CHECK_BAD(bad);
}

static const char *runs_of(const char *text) {
    static char line[200];
    sonde_model m = small_model();
    sonde_edit *e = edit_of(&m, text, NULL);
    line[0] = '\0';
    for (size_t i = 0; sonde_edit_run(e, i); i++)
        snprintf(line + strlen(line), 64, "%s%s", i ? " " : "", sonde_edit_run(e, i));
    sonde_edit_free(e);
    small_model_free(&m);
    return line;
}

static void runs_that_an_edit_reads(void) {
    CHECK_STR(runs_of("zero:hook_z"), "");
    CHECK_STR(runs_of("freeze:hook_z"), "A");
    CHECK_STR(runs_of("mean:hook_z"), "A");
    CHECK_STR(runs_of("patch:hook_z=B"), "B");
    CHECK_STR(runs_of("add:hook_z=2*(avg(B,C)-avg(C,D))"), "B C D");
    CHECK_STR(runs_of("add:hook_z=2*(A-A)"), "A");
    CHECK_STR(runs_of("skip:blocks.3"), "");
}

static void text_is_cut_as_snprintf_cuts_it(void) {
    sonde_model m = small_model();
    sonde_edit *e = edit_of(&m, "zero:hook_z[1,{2,3}]@prompt", NULL);
    char text[40];
    for (size_t n = 0; n < sizeof text; n++) {
        memset(text, '#', sizeof text);
        CHECK_EQ((long long)sonde_edit_format(e, n ? text : NULL, n), 27);
        if (n == 0) continue;
        const size_t kept = n - 1 < 27 ? n - 1 : 27;
        CHECK(strlen(text) == kept && strncmp(text, "zero:hook_z[1,{2,3}]@prompt", kept) == 0);
        if (n < sizeof text) CHECK(text[n] == '#');
    }
    CHECK(!sonde_edit_is_plan(e));
    sonde_edit_free(e);
    sonde_edit_free(NULL);
    e = edit_of(&m, "order:1,0", NULL);
    CHECK(sonde_edit_is_plan(e));
    sonde_edit_free(e);
    small_model_free(&m);
}

static void parts_are_parsed_to_what_they_mean(void) {
    sonde_model m = small_model();
    sonde_edit *e = edit_of(&m, "add:hook_pattern[{3,1},-5:-1,\" ab\"]=-2*(B[0,1]-avg(C,D[1]))@generated", NULL);
    CHECK_EQ(e->op, EDIT_ADD);
    CHECK_STR(e->site, "hook_pattern");
    CHECK_EQ(e->index.n, 3);
    const index_part *p = e->index.part;
    CHECK(p[0].kind == INDEX_LIST && p[0].n == 2 && p[0].list[0] == 3 && p[0].list[1] == 1);
    CHECK(p[1].kind == INDEX_RANGE && p[1].lo == -5 && p[1].hi == -1);
    CHECK(p[2].kind == INDEX_TOKEN && p[2].token == 7);
    CHECK(e->value.kind == VALUE_RUN && e->value.factor && e->value.minus);
    CHECK_NEAR(e->value.number, -2, 0);
    CHECK_STR(e->value.run.name[0], "B");
    CHECK(e->value.run.name[1] == NULL && e->value.run.index[0].n == 2 && e->value.run.index[0].part[1].lo == 1);
    CHECK_STR(e->value.other.name[0], "C");
    CHECK_STR(e->value.other.name[1], "D");
    CHECK(e->value.other.index[0].n == 0 && e->value.other.index[1].part[0].kind == INDEX_ONE);
    CHECK(e->when == WHEN_GENERATED && e->when_written);
    sonde_edit_free(e);
    e = edit_of(&m, "patch:hook_z=B", NULL);
    CHECK(e->when == WHEN_ALL && !e->when_written && !e->value.factor && !e->value.minus);
    CHECK_NEAR(e->value.number, 1, 0);
    sonde_edit_free(e);
    small_model_free(&m);
}

static void long_texts_end(void) {
    const size_t n = 1 << 20;
    char *text = malloc(n + 64);
    CHECK(text != NULL);
    strcpy(text, "zero:unembed.hook_out[:,{");
    size_t used = strlen(text);
    for (int i = 0; used < n - 8; i++) used += (size_t)sprintf(text + used, "%s%d", i ? "," : "", i);
    strcpy(text + used, "}]");
    CHECK_STR(said(text), "index 12 of axis v of unembed.hook_out: expected -12 to 11");
    memset(text, '{', n);
    memcpy(text, "zero:", 5);
    text[n - 1] = '\0';
    CHECK(strstr(said(text), "expected at most 4096") != NULL);
    memset(text, '"', n + 10);
    memcpy(text, "zero:z[", 7);
    text[n + 10] = '\0';
    CHECK_STR(said(text), "1048586 characters, expected at most 1048576");
    free(text);
}

static void without_a_tokenizer_texts_are_not_supported(void) {
    sonde_model m = small_model();
    sonde_edit *e;
    sonde_error err = { 0 };
    small_model_free(&m);
    m.tokenizer = NULL;
    CHECK_EQ(sonde_edit_parse(&e, &m, "zero:hook_z[\"a\"]", NULL, &err), SONDE_FORMAT);
    CHECK_EQ(sonde_edit_parse(&e, &m, "zero:hook_z[#1]", NULL, &err), SONDE_OK);
    sonde_edit_free(e);
    CHECK_EQ(sonde_edit_parse(&e, &m, "zero:hook_zz", NULL, NULL), SONDE_USAGE);
}

#define TESTS(X) \
    X(examples_of_the_contract) \
    X(sites_are_kept_as_written) \
    X(operations_are_known_by_name) \
    X(indices) \
    X(numbers) \
    X(runs) \
    X(each_operation_takes_its_values) \
    X(when_it_holds) \
    X(plans) \
    X(runs_that_an_edit_reads) \
    X(text_is_cut_as_snprintf_cuts_it) \
    X(parts_are_parsed_to_what_they_mean) \
    X(long_texts_end) \
    X(without_a_tokenizer_texts_are_not_supported)
TEST_MAIN(TESTS)
