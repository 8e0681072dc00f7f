#include "common/net/webhook.h"

#include <check.h>

Suite *webhook_suite(void);

/* The example of the specification; the others with openssl dgst -sha256 -mac HMAC -binary | base64. */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY "{\"test\": 2432232314}"

enum { TIME_S = 1614265330 };

static const char *sign(const char *secrets, struct buf *out)
{
    struct webhook_keys keys;
    struct error e = {0};

    ck_assert_msg(webhook_keys_parse(secrets, &keys, &e), "%s", e.text);
    buf_append_text(out, "");
    webhook_sign(&keys, ID, TIME_S, BODY, strlen(BODY), out);
    webhook_keys_wipe(&keys);
    return out->data;
}

START_TEST(message_is_signed_as_the_specification_shows)
{
    AUTO_BUF struct buf out = BUF(1024);

    ck_assert_str_eq(sign(SECRET, &out), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
END_TEST

START_TEST(each_key_signs)
{
    AUTO_BUF struct buf both = BUF(1024);
    AUTO_BUF struct buf other = BUF(1024);

    sign(OTHER, &other);
    ck_assert_uint_eq(strlen(other.data), 47);
    sign(SECRET ",\n " OTHER, &both);
    ck_assert_uint_eq(strlen(both.data), 95);
    ck_assert_str_eq(both.data + 48, other.data);
}
END_TEST

START_TEST(without_a_key_there_is_no_signature)
{
    AUTO_BUF struct buf out = BUF(1024);

    ck_assert_str_eq(sign("", &out), "");
}
END_TEST

static const char *const bad[] = {
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_",
    "whsec_MfKQ",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
    "whsec_MfKQ9r8GKY=rTwjUPD8ILPZIo2LaLaSw",
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=",
    SECRET " x",
    SECRET " " SECRET " " SECRET " " SECRET " " SECRET " " SECRET " " SECRET " " SECRET " " SECRET,
};

START_TEST(what_is_no_secret_is_refused_and_not_told)
{
    struct webhook_keys keys = {.count = 77};
    struct error e;

    ck_assert_msg(!webhook_keys_parse(bad[_i], &keys, &e), "%s", bad[_i]);
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_ptr_null(strstr(e.text, "MfKQ9r8GKY"));
    ck_assert_uint_eq(keys.count, 77);
}
END_TEST

Suite *webhook_suite(void)
{
    Suite *suite = suite_create("webhook");
    TCase *tests = tcase_create("webhook");

    tcase_add_test(tests, message_is_signed_as_the_specification_shows);
    tcase_add_test(tests, each_key_signs);
    tcase_add_test(tests, without_a_key_there_is_no_signature);
    tcase_add_loop_test(tests, what_is_no_secret_is_refused_and_not_told, 0, ARRAY_LENGTH(bad));
    suite_add_tcase(suite, tests);
    return suite;
}
