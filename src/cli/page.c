#include "page.h"
#include <string.h>

enum { WIDEST = 100 };

page page_of(FILE *to, bool markdown) {
    const int width = output_style(NULL).width;
    return (page){ .to = to, .markdown = markdown, .width = width < WIDEST ? width : WIDEST };
}

static int columns(const char *text, size_t n) {
    int all = 0;
    for (size_t i = 0; i < n; i++) all += ((unsigned char)text[i] & 0xc0) != 0x80;
    return all;
}

void page_wrap(const page *p, const char *text, int at, int indent) {
    bool first = true;
    for (;;) {
        text += strspn(text, " ");
        const size_t n = strcspn(text, " ");
        if (!n) break;
        const int wide = columns(text, n);
        if (!first && at + 1 + wide > p->width) {
            fprintf(p->to, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            fputc(' ', p->to);
            at++;
        }
        fwrite(text, 1, n, p->to);
        at += wide;
        text += n;
        first = false;
    }
    fputc('\n', p->to);
}

/* A blank line between two blocks; Markdown has one behind each. */
static void begin_block(page *p) {
    if (p->block && !p->markdown) fputc('\n', p->to);
    p->block = true;
}

void page_title(page *p, int level, const char *text) {
    p->block = false;
    if (p->markdown) fprintf(p->to, "%.*s %s\n\n", level, "####", text);
    else fprintf(p->to, level == 3 ? "\n%s\n" : "%s\n\n", text);
}

void page_text(page *p, const char *text) {
    if (p->markdown) {
        fprintf(p->to, "%s\n\n", text);
        return;
    }
    begin_block(p);
    fputs("  ", p->to);
    page_wrap(p, text, 2, 2);
}

void page_code(page *p, const char *text) {
    begin_block(p);
    fprintf(p->to, p->markdown ? "```sh\n%s\n```\n\n" : "  %s\n", text);
}

void page_rows(page *p, const char *left, const char *right, int width) {
    p->left = width;
    begin_block(p);
    if (p->markdown) fprintf(p->to, "| %s | %s |\n|---|---|\n", left, right);
}

static void put_cell(const page *p, const char *text) {
    for (; *text; text++) {
        if (*text == '|') fputc('\\', p->to);
        fputc(*text == '\n' ? ' ' : *text, p->to);
    }
}

void page_row(page *p, const char *left, const char *right) {
    if (p->markdown) {
        fputs("| `", p->to);
        put_cell(p, left);
        fputs("` | ", p->to);
        put_cell(p, right);
        fputs(" |\n", p->to);
        return;
    }
    const int wide = columns(left, strlen(left)), at = 2 + p->left + 2;
    fprintf(p->to, "  %s", left);
    if (wide > p->left) fprintf(p->to, "\n%*s", at, "");
    else fprintf(p->to, "%*s", p->left - wide + 2, "");
    page_wrap(p, right, at, at);
}

void page_rows_end(page *p) {
    if (p->markdown) fputc('\n', p->to);
}
