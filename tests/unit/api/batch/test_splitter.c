#include "api/batch/splitter.h"

#include <check.h>

Suite *splitter_suite(void);

/* What comes of a text: its items with | between, then "." at the end or "!" where it is broken. */
static const struct row {
    bool is_lines;
    const char *text;
    const char *found;
} rows[] = {
    {false, "[]", "."},
    {false, " [ ] ", "."},
    {false, "[1]", "1|."},
    {false, " [ 1 , \"a\" ] \n", "1|\"a\"|."},
    {false, "[{\"a\":[1,2]},[3,{}]]", "{\"a\":[1,2]}|[3,{}]|."},
    {false, "[\"],[\",\"\\\"],\"]", "\"],[\"|\"\\\"],\"|."},
    {false, "[nonsense, more of it]", "nonsense|more of it|."},
    {false, "[{]}", "!"},
    {false, "[{]]", "{]|."},
    {false, "", "!"},
    {false, "  ", "!"},
    {false, "{}", "!"},
    {false, "[", "!"},
    {false, "[1", "!"},
    {false, "[1,", "1|!"},
    {false, "[1,]", "1|!"},
    {false, "[,]", "!"},
    {false, "[1,,2]", "1|!"},
    {false, "[1}", "!"},
    {false, "[1]]", "1|!"},
    {false, "[1] 2", "1|!"},
    {false, "[\"a]", "!"},
    {false, "[\"a\\\"]", "!"},
    {true, "", "."},
    {true, " \r\n\n", "."},
    {true, "1\n2", "1|2|."},
    {true, "{\"a\":1}\r\n\n  {\"b\":2}\n", "{\"a\":1}\r|{\"b\":2}|."},
    {true, "[1,2]\n", "[1,2]|."},
};

START_TEST(items_are_found)
{
    const struct row *row = &rows[_i];
    AUTO_BUF struct buf found = BUF(1000);
    struct splitter s;
    struct json_span item;
    struct error e;
    enum split split;

    splitter_init(&s, row->text, strlen(row->text), row->is_lines);
    while ((split = splitter_next(&s, &item, &e)) == SPLIT_ITEM) {
        buf_append(&found, item.text, item.length);
        buf_append_char(&found, '|');
    }
    buf_append_char(&found, split == SPLIT_END ? '.' : '!');
    ck_assert_msg(strcmp(found.data, row->found) == 0, "%s: %s", row->text, found.data);
    if (split == SPLIT_BROKEN)
        ck_assert_int_eq(e.code, ERROR_BAD_JSON);
}
END_TEST

/* No byte behind the end is read: valgrind and the sanitizer see a block of that size. */
START_TEST(every_beginning_of_a_batch_is_taken)
{
    static const char whole[] = " [ {\"a\\\\\": [1, \"}\\\"\"]}, \"]\" ] ";

    for (size_t length = 0; length < sizeof(whole); length++)
        for (int lines = 0; lines < 2; lines++) {
            AUTO(free) char *text = malloc(length ? length : 1);
            struct splitter s;
            struct json_span item;
            struct error e;
            size_t steps = 0;

            memcpy(text, whole, length);
            splitter_init(&s, text, length, lines);
            while (splitter_next(&s, &item, &e) == SPLIT_ITEM)
                ck_assert(item.text >= text && item.text + item.length <= text + length && steps++ < length);
        }
}
END_TEST

Suite *splitter_suite(void)
{
    Suite *suite = suite_create("splitter");
    TCase *tcase = tcase_create("splitter");

    tcase_add_loop_test(tcase, items_are_found, 0, ARRAY_LENGTH(rows));
    tcase_add_test(tcase, every_beginning_of_a_batch_is_taken);
    suite_add_tcase(suite, tcase);
    return suite;
}
