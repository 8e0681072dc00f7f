#include <check.h>

#include "common/blob/store.h"

Suite *blob_suite(void);

#define N63 "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxy"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X50 X50 X50 X50 X50 "xxxxx"

/* ---- names ---- */

static const struct id_row {
    const char *folder;
    const char *id;
    const char *name; /* printf %s <id> | sha256sum | head -c 2 */
} id_rows[] = {
    {"results", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR",
        "results/a0/default/default.0.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"logs", "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR", "logs/a0/default/default.0.01KA2B3C4D5E6F7G8H9JKMNPQR"},
    {"results", N63 ".4095.7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "results/f5/" N63 "/" N63 ".4095.7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
};

START_TEST(a_jobs_blob_has_a_name_that_is_valid)
{
    const struct id_row *row = &id_rows[_i];
    char name[BLOB_NAME_SIZE];
    struct job_id id;
    struct error e;

    ck_assert(id_parse(row->id, &id, &e));
    blob_name(row->folder, &id, name);
    ck_assert_str_eq(name, row->name);
    ck_assert(blob_name_is_valid(name));
}
END_TEST

static const struct name_row {
    const char *text;
    bool is_valid;
} name_rows[] = {
    {"a", true},
    {"results/a0/default/x.0.Y", true},
    {"A-Z_0.9", true},
    {"...", true},
    {"a/.b/c..", true},
    {X255, true},
    {X255 "x", false},
    {"", false},
    {"/", false},
    {"/a", false},
    {"a/", false},
    {"a//b", false},
    {".", false},
    {"..", false},
    {"./a", false},
    {"../a", false},
    {"a/.", false},
    {"a/..", false},
    {"a/../b", false},
    {"a/./b", false},
    {"a\\b", false},
    {"a b", false},
    {"a%2Fb", false},
    {"a?b", false},
    {"a#b", false},
    {"a\n", false},
    {"\xc3\xa9", false},
};

START_TEST(a_name_is_a_relative_path)
{
    ck_assert_msg(
        blob_name_is_valid(name_rows[_i].text) == name_rows[_i].is_valid, "\"%s\"", name_rows[_i].text);
}
END_TEST

/* ---- contents ---- */

static const struct check_row {
    const char *name;
    const char *content_type;
    struct blob_meta meta;
    bool goes;
} check_rows[] = {
    {"what is usual", "application/json", {"jobid", "default.0.X"}, true},
    {"all that is printable", "text/plain; charset=\"utf-8\" ~", {"a_b", " !~"}, true},
    {"an empty value", "a/b", {"type", ""}, true},
    {"no type", "", {"type", "a"}, false},
    {"a newline in the type", "text/plain\r\nx: y", {"type", "a"}, false},
    {"a type of no ASCII", "text/\xc3\xa9", {"type", "a"}, false},
    {"no name", "a/b", {"", "a"}, false},
    {"a name in capitals", "a/b", {"jobId", "a"}, false},
    {"a name with a digit", "a/b", {"job1", "a"}, false},
    {"a name with a hyphen", "a/b", {"job-id", "a"}, false},
    {"a newline in the value", "a/b", {"type", "a\nb"}, false},
    {"a tab in the value", "a/b", {"type", "a\tb"}, false},
    {"a DEL in the value", "a/b", {"type", "a\x7f"}, false},
    {"a value of no ASCII", "a/b", {"type", "\xc3\xa9"}, false},
};

START_TEST(content_is_what_a_header_can_carry)
{
    const struct check_row *row = &check_rows[_i];
    const struct blob_meta meta[] = {{"attempt", "1"}, row->meta};
    const struct blob_content_head content = {
        .content_type = row->content_type, .meta = meta, .meta_count = ARRAY_LENGTH(meta)};
    struct error e = {0};

    ck_assert_msg(blob_head_check(&content, &e) == row->goes, "%s: %s", row->name, e.text);
    ck_assert_int_eq(e.code, row->goes ? ERROR_OK : ERROR_INVALID);
}
END_TEST

START_TEST(metadata_is_bounded)
{
    struct blob_meta meta[BLOB_META_MAX + 1];
    struct blob_content_head content = {.content_type = "a/b", .meta = meta, .meta_count = BLOB_META_MAX};
    struct error e = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(meta); i++)
        meta[i] = (struct blob_meta){"name", "value"};
    ck_assert(blob_head_check(&content, &e));
    content.meta_count++;
    ck_assert(!blob_head_check(&content, &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
}
END_TEST

static const struct attempt_row {
    const char *text;
    int attempt;
} attempt_rows[] = {
    {NULL, 0},
    {"", 0},
    {"0", 0},
    {"1", 1},
    {"65535", 65535},
    {"2147483647", 2147483647},
    {"2147483648", 0},
    {"99999999999999999999999", 0},
    {"-1", 0},
    {"+1", 0},
    {" 1", 0},
    {"1 ", 0},
    {"1x", 0},
    {"x", 0},
};

START_TEST(an_attempt_is_a_number_or_none)
{
    struct blob_meta meta = {"attempt", attempt_rows[_i].text};
    const struct blob_content_head head = {"a/b", &meta, meta.value ? 1 : 0};
    struct blob_properties p;

    blob_head_properties(&head, 0, "", &p);
    ck_assert_int_eq(p.attempt, attempt_rows[_i].attempt);
}
END_TEST

START_TEST(properties_are_those_of_the_content)
{
    static const struct blob_meta meta[] = {{"type", "echo"}, {"attempt", "3"}, {"jobid", "default.0.X"}};
    const struct blob_content_head content = {"text/plain", meta, ARRAY_LENGTH(meta)};
    struct blob_properties p;
    struct error e;
    char md5[BLOB_MD5_SIZE];

    ck_assert(blob_md5("hello", 5, md5, &e));
    memset(&p, 'x', sizeof(p));
    blob_head_properties(&content, 5, md5, &p);
    ck_assert_int_eq(p.size, 5);
    ck_assert_str_eq(p.content_type, "text/plain");
    ck_assert_str_eq(p.md5, "XUFAKrxLKna5cZ2REBfFkg=="); /* printf hello | openssl md5 -binary | base64 */
    ck_assert_str_eq(p.etag, "");
    ck_assert_str_eq(p.job_id, "default.0.X");
    ck_assert_int_eq(p.attempt, 3);
    ck_assert(blob_head_is_own(&content, &p));
}
END_TEST

START_TEST(nothing_has_an_md5_too)
{
    char md5[BLOB_MD5_SIZE];
    struct error e;

    ck_assert(blob_md5(NULL, 0, md5, &e));
    ck_assert_str_eq(md5, "1B2M2Y8AsgTpgAmY7PhCfg=="); /* openssl md5 -binary </dev/null | base64 */
}
END_TEST

static const struct own_row {
    const char *name;
    struct blob_meta meta[2];
    size_t count;
    const char *job_id; /* of what is there */
    int attempt;
    bool is_own;
} own_rows[] = {
    {"the same job and attempt", {{"jobid", "a.0.X"}, {"attempt", "2"}}, 2, "a.0.X", 2, true},
    {"another attempt", {{"jobid", "a.0.X"}, {"attempt", "2"}}, 2, "a.0.X", 1, false},
    {"another job", {{"jobid", "a.0.X"}, {"attempt", "2"}}, 2, "a.0.Y", 2, false},
    {"a stranger's blob", {{"jobid", "a.0.X"}, {"attempt", "2"}}, 2, "", 0, false},
    {"neither has a job", {{"type", "echo"}, {"attempt", "2"}}, 2, "", 2, false},
    {"both have an empty job", {{"jobid", ""}, {"attempt", "2"}}, 2, "", 2, false},
    {"neither has an attempt", {{"jobid", "a.0.X"}}, 1, "a.0.X", 0, true},
};

START_TEST(ones_own_blob_is_of_the_same_job_and_attempt)
{
    const struct own_row *row = &own_rows[_i];
    const struct blob_content_head content = {
        .content_type = "a/b", .meta = row->meta, .meta_count = row->count};
    struct blob_properties p = {.attempt = row->attempt};

    blob_property_set(p.job_id, sizeof(p.job_id), row->job_id);
    ck_assert_msg(blob_head_is_own(&content, &p) == row->is_own, "%s", row->name);
}
END_TEST

START_TEST(a_property_is_copied_as_far_as_it_fits)
{
    char out[5] = "xxxx";

    blob_property_set(out, sizeof(out), NULL);
    ck_assert_str_eq(out, "");
    blob_property_set(out, sizeof(out), "abcd");
    ck_assert_str_eq(out, "abcd");
    blob_property_set(out, sizeof(out), "abcdefgh");
    ck_assert_str_eq(out, "abcd");
}
END_TEST

Suite *blob_suite(void)
{
    Suite *suite = suite_create("blob");
    TCase *all = tcase_create("blob");

    tcase_add_loop_test(all, a_jobs_blob_has_a_name_that_is_valid, 0, ARRAY_LENGTH(id_rows));
    tcase_add_loop_test(all, a_name_is_a_relative_path, 0, ARRAY_LENGTH(name_rows));
    tcase_add_loop_test(all, content_is_what_a_header_can_carry, 0, ARRAY_LENGTH(check_rows));
    tcase_add_test(all, metadata_is_bounded);
    tcase_add_loop_test(all, an_attempt_is_a_number_or_none, 0, ARRAY_LENGTH(attempt_rows));
    tcase_add_test(all, properties_are_those_of_the_content);
    tcase_add_test(all, nothing_has_an_md5_too);
    tcase_add_loop_test(all, ones_own_blob_is_of_the_same_job_and_attempt, 0, ARRAY_LENGTH(own_rows));
    tcase_add_test(all, a_property_is_copied_as_far_as_it_fits);
    suite_add_tcase(suite, all);
    return suite;
}
