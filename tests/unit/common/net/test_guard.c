#include "common/net/guard.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>

Suite *guard_suite(void);

static const struct address_row {
    const char *text;
    bool is_allowed;
} addresses[] = {
    {"1.1.1.1", true},
    {"20.60.1.2", true},
    {"223.255.255.255", true},
    {"0.0.0.0", false},
    {"0.1.2.3", false},
    {"10.0.0.1", false},
    {"9.255.255.255", true},
    {"11.0.0.0", true},
    {"100.63.255.255", true},
    {"100.64.0.1", false},
    {"100.128.0.0", true},
    {"127.0.0.1", false},
    {"127.255.255.255", false},
    {"169.254.169.254", false},
    {"168.63.129.16", false},
    {"168.63.129.17", true},
    {"172.15.255.255", true},
    {"172.16.0.1", false},
    {"172.31.255.255", false},
    {"172.32.0.0", true},
    {"192.0.2.1", false},
    {"192.168.1.1", false},
    {"198.18.0.1", false},
    {"198.20.0.0", true},
    {"224.0.0.1", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"2606:4700:4700::1111", true},
    {"::", false},
    {"::1", false},
    {"::2", false},
    {"fe80::1", false},
    {"febf::1", false},
    {"fc00::1", false},
    {"fd12:3456::1", false},
    {"ff02::1", false},
    {"2001:db8::1", false},
    {"2001::1", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:1.1.1.1", true},
    {"::127.0.0.1", false},
    {"64:ff9b::10.0.0.1", false},
    {"64:ff9b::1.1.1.1", true},
    {"2002:7f00:1::", false},
    {"2002:0a00:0001::", false},
    {"2002:101:101::1", true},
};

static void fill(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        out->ss_family = AF_INET;
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
        out->ss_family = AF_INET6;
    }
}

START_TEST(what_is_not_of_the_public_network_is_refused)
{
    const struct address_row *row = &addresses[_i];
    struct sockaddr_storage address;
    struct guard nothing = {0};

    fill(row->text, &address);
    ck_assert_msg(guard_allows(&nothing, (struct sockaddr *)&address) == row->is_allowed, "%s", row->text);
    ck_assert_msg(guard_allows_host(&nothing, row->text) == row->is_allowed, "%s as a host", row->text);
}
END_TEST

START_TEST(other_families_are_refused)
{
    struct sockaddr address = {.sa_family = AF_UNIX};
    struct guard nothing = {0};

    ck_assert(!guard_allows(&nothing, &address));
}
END_TEST

START_TEST(names_are_asked_about_later_and_odd_addresses_at_once)
{
    struct guard nothing = {0};

    ck_assert(guard_allows_host(&nothing, "localhost"));
    ck_assert(guard_allows_host(&nothing, "example.com"));
    ck_assert(!guard_allows_host(&nothing, "127.1"));
    ck_assert(!guard_allows_host(&nothing, "0x7f000001"));
    ck_assert(!guard_allows_host(&nothing, "2130706433"));
    ck_assert(!guard_allows_host(&nothing, "0177.0.0.1"));
}
END_TEST

START_TEST(what_the_operator_allows_is_allowed)
{
    struct guard g;
    struct error e;

    ck_assert(guard_parse("10.1.0.0/16, fd00::/8 127.0.0.1", &g, &e));
    ck_assert_uint_eq(g.count, 3);
    ck_assert(guard_allows_host(&g, "10.1.255.1"));
    ck_assert(!guard_allows_host(&g, "10.2.0.1"));
    ck_assert(guard_allows_host(&g, "fd12::1"));
    ck_assert(!guard_allows_host(&g, "fc12::1"));
    ck_assert(guard_allows_host(&g, "127.0.0.1"));
    ck_assert(guard_allows_host(&g, "::ffff:127.0.0.1"));
    ck_assert(!guard_allows_host(&g, "127.0.0.2"));
    ck_assert(guard_allows_host(&g, "1.1.1.1"));
    ck_assert(guard_parse("", &g, &e));
    ck_assert_uint_eq(g.count, 0);
    ck_assert(guard_parse("0.0.0.0/0 ::/0", &g, &e));
    ck_assert(guard_allows_host(&g, "127.0.0.1") && guard_allows_host(&g, "::1"));
}
END_TEST

static const char *const bad[] = {"x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+1",
    "10.0.0.0/8x", "fd00::/129", "10.0.0/8", "1.2.3.4.5", "localhost", "10.0.0.0/8/8",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

START_TEST(what_is_no_network_is_refused)
{
    struct guard g = {.count = 7};
    struct error e;

    ck_assert_msg(!guard_parse(bad[_i], &g, &e), "%s", bad[_i]);
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_uint_eq(g.count, 7);
}
END_TEST

Suite *guard_suite(void)
{
    Suite *suite = suite_create("guard");
    TCase *tests = tcase_create("guard");

    tcase_add_loop_test(tests, what_is_not_of_the_public_network_is_refused, 0, ARRAY_LENGTH(addresses));
    tcase_add_test(tests, other_families_are_refused);
    tcase_add_test(tests, names_are_asked_about_later_and_odd_addresses_at_once);
    tcase_add_test(tests, what_the_operator_allows_is_allowed);
    tcase_add_loop_test(tests, what_is_no_network_is_refused, 0, ARRAY_LENGTH(bad));
    suite_add_tcase(suite, tests);
    return suite;
}
