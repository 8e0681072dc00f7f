#include <check.h>

#include "api/range.h"

Suite *range_suite(void);

static const struct {
    const char *header;
    int64_t size;
    enum range_verdict verdict;
    int64_t offset;
    int64_t length;
} rows[] = {
    {NULL, 100, RANGE_ALL, -1, -1},
    {"bytes=0-0", 100, RANGE_PART, 0, 1},
    {"bytes=0-", 100, RANGE_PART, 0, 100},
    {"bytes=99-", 100, RANGE_PART, 99, 1},
    {"bytes=10-19", 100, RANGE_PART, 10, 10},
    {"bytes=10-1000", 100, RANGE_PART, 10, 90},
    {"bytes=10-99999999999999999999999999", 100, RANGE_PART, 10, 90},
    {"bytes=-1", 100, RANGE_PART, 99, 1},
    {"bytes=-100", 100, RANGE_PART, 0, 100},
    {"bytes=-1000", 100, RANGE_PART, 0, 100},
    {"Bytes= 1-2 ", 100, RANGE_PART, 1, 2},
    {"bytes=100-", 100, RANGE_NONE, -1, -1},
    {"bytes=99999999999999999999999999-", 100, RANGE_NONE, -1, -1},
    {"bytes=-0", 100, RANGE_NONE, -1, -1},
    {"bytes=0-", 0, RANGE_NONE, -1, -1},
    {"bytes=-5", 0, RANGE_NONE, -1, -1},
    {"bytes=2-1", 100, RANGE_ALL, -1, -1},
    {"bytes=0-1,5-6", 100, RANGE_ALL, -1, -1},
    {"bytes=0-1x", 100, RANGE_ALL, -1, -1},
    {"bytes=-", 100, RANGE_ALL, -1, -1},
    {"bytes=", 100, RANGE_ALL, -1, -1},
    {"bytes=a-b", 100, RANGE_ALL, -1, -1},
    {"bytes=-1-2", 100, RANGE_ALL, -1, -1},
    {"lines=0-1", 100, RANGE_ALL, -1, -1},
    {"", 100, RANGE_ALL, -1, -1},
};

START_TEST(a_range_is_read)
{
    int64_t offset = -1;
    int64_t length = -1;

    ck_assert_msg(range_read(rows[_i].header, rows[_i].size, &offset, &length) == rows[_i].verdict, "%s",
        rows[_i].header);
    ck_assert_msg(offset == rows[_i].offset && length == rows[_i].length, "%s: %lld, %lld", rows[_i].header,
        (long long)offset, (long long)length);
}
END_TEST

Suite *range_suite(void)
{
    Suite *suite = suite_create("range");
    TCase *tcase = tcase_create("range");

    tcase_add_loop_test(tcase, a_range_is_read, 0, ARRAY_LENGTH(rows));
    suite_add_tcase(suite, tcase);
    return suite;
}
