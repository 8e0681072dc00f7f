#include "common/queue/keys.h"

#include <check.h>
#include <fnmatch.h>

Suite *keys_suite(void);

#define QUEUE63 "abcdefghijklmnopqrstuvwxyz0123456789_-abcdefghijklmnopqrstuvwxy"
#define WORKER63 "a-host-whose-name-is-cut-to-fit.01KA2B3C4D5E6F7G8H9JKMNPQR.1234"
#define HASH "0123456789abcdef0123456789abcdef"

/* The keys of one shard, with their names as docs/architecture.md has them. */
static const struct shard_row {
    const char *name;
    void (*write)(const struct shard *shard, struct key *out);
} shard_rows[] = {
    {"ready", key_ready},
    {"held", key_held},
    {"stats", key_stats},
    {"dead", key_dead},
    {"scheduled", key_scheduled},
    {"workers", key_workers},
    {"slots", key_slots},
    {"reaped", key_reaped},
    {"auditor", key_auditor},
    {"events", key_events},
    {"job:*", key_job_pattern},
};

/* Those that a worker's name or a hash is part of. */
static const struct named_row {
    const char *name;
    void (*write)(const struct shard *shard, const char *text, struct key *out);
    const char *text;
} named_rows[] = {
    {"taken:", key_taken, WORKER63},
    {"revoked:", key_revoked, WORKER63},
    {"idem:", key_idempotency, HASH},
    {"unique:", key_unique, HASH},
};

static const struct place_row {
    struct shard shard;
    const char *prefix;
} places[] = {
    {{"default", 0}, "jobgate:{default.0}:"},
    {{"a", 9}, "jobgate:{a.9}:"},
    {{"a", 10}, "jobgate:{a.10}:"},
    {{"a", 907}, "jobgate:{a.907}:"},
    {{QUEUE63, SHARD_MAX}, "jobgate:{" QUEUE63 ".4095}:"},
};

/* Asserts that key is prefix, name and text. */
static void expect(const struct key *key, const char *prefix, const char *name, const char *text)
{
    char expected[KEY_SIZE];

    snprintf(expected, sizeof(expected), "%s%s%s", prefix, name, text);
    ck_assert_str_eq(key->text, expected);
    ck_assert_uint_eq(key->length, strlen(expected));
}

START_TEST(each_kind_has_its_name_behind_the_shards_tag)
{
    const struct place_row *place = &places[_i];
    struct key key;

    for (size_t i = 0; i < ARRAY_LENGTH(shard_rows); i++) {
        memset(&key, 'x', sizeof(key));
        shard_rows[i].write(&place->shard, &key);
        expect(&key, place->prefix, shard_rows[i].name, "");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(named_rows); i++) {
        memset(&key, 'x', sizeof(key));
        named_rows[i].write(&place->shard, named_rows[i].text, &key);
        expect(&key, place->prefix, named_rows[i].name, named_rows[i].text);
    }
}
END_TEST

static const char *const ids[] = {
    "default.0.01KA2B3C4D5E6F7G8H9JKMNPQR",
    QUEUE63 ".4095.7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
};

START_TEST(a_jobs_key_stands_with_its_shard)
{
    struct job_id id;
    struct error e;
    struct key key;
    struct key ready;

    ck_assert(id_parse(ids[_i], &id, &e));
    memset(&key, 'x', sizeof(key));
    key_job(&id, &key);
    key_ready(&id.shard, &ready);
    ck_assert_mem_eq(key.text, ready.text, ready.length - strlen("ready"));
    ck_assert_str_eq(key.text + ready.length - strlen("ready") + strlen("job:"), ids[_i]);
    ck_assert_uint_eq(key.length, strlen(key.text));
}
END_TEST

START_TEST(the_pattern_matches_a_shards_jobs_alone)
{
    const struct shard shard = {"default", 1};
    struct job_id id;
    struct error e;
    struct key pattern;
    struct key key;

    key_job_pattern(&shard, &pattern);
    ck_assert(id_parse("default.1.01KA2B3C4D5E6F7G8H9JKMNPQR", &id, &e));
    key_job(&id, &key);
    ck_assert_int_eq(fnmatch(pattern.text, key.text, 0), 0);
    ck_assert(id_parse("default.10.01KA2B3C4D5E6F7G8H9JKMNPQR", &id, &e));
    key_job(&id, &key);
    ck_assert_int_ne(fnmatch(pattern.text, key.text, 0), 0);
    key_ready(&shard, &key);
    ck_assert_int_ne(fnmatch(pattern.text, key.text, 0), 0);
}
END_TEST

START_TEST(the_list_of_queues_is_of_no_shard)
{
    struct key key;

    memset(&key, 'x', sizeof(key));
    key_queues(&key);
    ck_assert_str_eq(key.text, "jobgate:queues");
    ck_assert_uint_eq(key.length, strlen("jobgate:queues"));
}
END_TEST

Suite *keys_suite(void)
{
    Suite *suite = suite_create("keys");
    TCase *all = tcase_create("keys");

    tcase_add_loop_test(all, each_kind_has_its_name_behind_the_shards_tag, 0, ARRAY_LENGTH(places));
    tcase_add_loop_test(all, a_jobs_key_stands_with_its_shard, 0, ARRAY_LENGTH(ids));
    tcase_add_test(all, the_pattern_matches_a_shards_jobs_alone);
    tcase_add_test(all, the_list_of_queues_is_of_no_shard);
    suite_add_tcase(suite, all);
    return suite;
}
