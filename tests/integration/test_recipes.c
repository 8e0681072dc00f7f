/*
 * Recipes: every line of docs/recipes.md does what the page says.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"

Suite *recipes_suite(void);

enum { PAGE_MAX = 1 << 18, BLOCKS_MAX = 64, OUTPUT_MAX = 1 << 20 };

#define PAGE "docs/recipes.md"
#define ANYTHING "…"

/* A stretch between fences. */
struct block {
    char kind[16]; /* "sh", "json", "" = what is printed */
    char *text;    /* owned */
};

static struct scene s;
static struct block blocks[BLOCKS_MAX];
static size_t block_count;

static void read_page(struct buf *page)
{
    FILE *f = fopen(PAGE, "r");
    char chunk[4096];
    size_t n;

    ck_assert_msg(f != NULL, "%s is not there: the tests run in the root of the sources", PAGE);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        ck_assert(buf_append(page, chunk, n));
    fclose(f);
}

static void find_blocks(void)
{
    AUTO_BUF struct buf page = BUF(PAGE_MAX);
    const char *at;

    read_page(&page);
    for (at = strstr(page.data, "\n```"); at; at = strstr(at, "\n```")) {
        struct block *b = &blocks[block_count++];
        const char *line = at + 4;
        const char *text = strchr(line, '\n') + 1;
        const char *end = strstr(text - 1, "\n```");

        ck_assert_uint_lt(block_count, BLOCKS_MAX);
        ck_assert_ptr_nonnull(end);
        snprintf(b->kind, sizeof(b->kind), "%.*s", (int)strcspn(line, "\n"), line);
        b->text = mem_dup(text, (size_t)(end + 2 - text));
        b->text[end + 1 - text] = '\0';
        at = end + 4;
    }
}

static void open_scene(void)
{
    char setting[PROCESS_PATH_SIZE + 32];
    char url[PROCESS_PATH_SIZE];
    bool is_known = false;

    scene_open(&s);
    scene_start_api(&s, NULL);
    find_blocks();
    ck_assert_str_eq(blocks[0].kind, "json");
    jobgate_write_handlers(s.directory, blocks[0].text, setting);
    scene_start_worker(&s, (const char *const[]){setting, "WORKER_QUEUES=default,todo", NULL});
    snprintf(url, sizeof(url), "%s/v1/types", jobgate_url(s.api));
    for (int64_t until = clock_steady_ms() + 30000; !is_known && wait_until(until);) {
        AUTO_REPLY struct http_reply reply = {0};

        http_get(url, &reply);
        is_known = strstr(reply.body.data, "wordcount") != NULL;
    }
    ck_assert(is_known);
}

static void close_scene(void)
{
    while (block_count)
        free(blocks[--block_count].text);
    scene_close(&s);
}

/* Whether text is the pattern, in which ANYTHING stands for anything. */
static bool matches(const char *pattern, const char *text)
{
    const char *gap = strstr(pattern, ANYTHING);
    size_t length = gap ? (size_t)(gap - pattern) : strlen(pattern);

    if (strncmp(pattern, text, length) != 0)
        return false;
    if (!gap)
        return text[length] == '\0';
    for (text += length;; text++) {
        if (matches(gap + strlen(ANYTHING), text))
            return true;
        if (!*text)
            return false;
    }
}

/* One shell for the whole page, as for its reader; the output of each block goes into a file of its own. */
static void run_page(void)
{
    AUTO_BUF struct buf script = BUF(PAGE_MAX);
    AUTO(free) char *output = NULL;
    int status;

    buf_printf(&script, "set -eu\nA=%s\n", jobgate_url(s.api));
    for (size_t i = 0; i < block_count; i++)
        if (strcmp(blocks[i].kind, "sh") == 0)
            buf_printf(&script, "{\n%s} >'%s/out.%zu'\n", blocks[i].text, s.directory, i);
    status = process_run((const char *const[]){"/bin/sh", "-c", script.data, NULL}, NULL, 120000, &output);
    ck_assert_msg(status == 0, "the lines of the page ended with %d: %s", status, output);
}

/* A curl that ended without a newline has one on the page. */
static void compare(size_t shell, size_t printed)
{
    AUTO_BUF struct buf got = BUF(OUTPUT_MAX);
    AUTO(free) char *file = NULL;
    char name[32];
    size_t length;

    snprintf(name, sizeof(name), "out.%zu", shell);
    file = scene_read(&s, name, &length);
    ck_assert_ptr_nonnull(file);
    buf_append(&got, file, length);
    if (length && got.data[length - 1] != '\n')
        buf_append_char(&got, '\n');
    ck_assert_msg(matches(blocks[printed].text, got.data), "%s\nprinted\n%s\nand not\n%s", blocks[shell].text,
        got.data, blocks[printed].text);
}

START_TEST(every_line_of_the_page_does_what_the_page_says)
{
    size_t compared = 0;

    run_page();
    for (size_t i = 0; i + 1 < block_count; i++)
        if (strcmp(blocks[i].kind, "sh") == 0 && !*blocks[i + 1].kind) {
            compare(i, i + 1);
            compared++;
        }
    ck_assert_uint_ge(compared, 10);
}
END_TEST

Suite *recipes_suite(void)
{
    Suite *suite = suite_create("recipes");
    TCase *tcase = tcase_create("recipes");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, every_line_of_the_page_does_what_the_page_says);
    suite_add_tcase(suite, tcase);
    return suite;
}
