#include "common/base/hash.h"

#include <check.h>

Suite *hash_suite(void);

#define TEXT(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

enum { PARTS_MAX = 4 };

struct parts {
    struct hash_part list[PARTS_MAX];
};

/* Stored keys carry these digests, so they must stay what they are. Each part goes in as its length, 8 bytes
 * little-endian, and its bytes: what Python's hashlib makes of that. */
static const struct vector_row {
    const char *name;
    struct parts parts;
    const char *hash;
} vectors[] = {
    {"no part", {{{NULL, 0}}}, "e3b0c44298fc1c149afbf4c8996fb924"},
    {"an empty part", {{TEXT(""), {NULL, 0}}}, "af5570f5a1810b7af78caf4bc70a660f"},
    {"two parts", {{TEXT("ab"), TEXT("c"), {NULL, 0}}}, "43ee655579de01ca739b3f95c1c2d3f4"},
    {"a NUL within", {{TEXT("a\0b"), {NULL, 0}}}, "517ad782d13c0ce2844db20f13b21870"},
};

START_TEST(a_digest_is_the_same_everywhere)
{
    char hash[HASH_TEXT_SIZE];

    hash_text(vectors[_i].parts.list, hash);
    ck_assert_msg(strcmp(hash, vectors[_i].hash) == 0, "%s: %s", vectors[_i].name, hash);
}
END_TEST

/* All of these differ from each other. */
static const struct different_row {
    const char *name;
    struct parts parts;
} different_rows[] = {
    {"no part", {{{NULL, 0}}}},
    {"one empty part", {{TEXT(""), {NULL, 0}}}},
    {"two empty parts", {{TEXT(""), TEXT(""), {NULL, 0}}}},
    {"abc", {{TEXT("abc"), {NULL, 0}}}},
    {"ab, c", {{TEXT("ab"), TEXT("c"), {NULL, 0}}}},
    {"a, bc", {{TEXT("a"), TEXT("bc"), {NULL, 0}}}},
    {"c, ab", {{TEXT("c"), TEXT("ab"), {NULL, 0}}}},
    {"abc and an empty one", {{TEXT("abc"), TEXT(""), {NULL, 0}}}},
    {"an empty one and abc", {{TEXT(""), TEXT("abc"), {NULL, 0}}}},
    {"a, b, c", {{TEXT("a"), TEXT("b"), TEXT("c"), {NULL, 0}}}},
    {"ABC", {{TEXT("ABC"), {NULL, 0}}}},
    {"abc with a NUL behind", {{TEXT("abc\0"), {NULL, 0}}}},
};

START_TEST(other_parts_have_another_digest)
{
    char hash[HASH_TEXT_SIZE];
    char other[HASH_TEXT_SIZE];

    hash_text(different_rows[_i].parts.list, hash);
    ck_assert_uint_eq(strlen(hash), HASH_TEXT_SIZE - 1);
    ck_assert_uint_eq(strspn(hash, "0123456789abcdef"), HASH_TEXT_SIZE - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(different_rows); i++) {
        hash_text(different_rows[i].parts.list, other);
        ck_assert_msg((strcmp(hash, other) == 0) == (i == (size_t)_i), "\"%s\" and \"%s\"",
            different_rows[_i].name, different_rows[i].name);
    }
}
END_TEST

Suite *hash_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *all = tcase_create("hash");

    tcase_add_loop_test(all, a_digest_is_the_same_everywhere, 0, ARRAY_LENGTH(vectors));
    tcase_add_loop_test(all, other_parts_have_another_digest, 0, ARRAY_LENGTH(different_rows));
    suite_add_tcase(suite, all);
    return suite;
}
