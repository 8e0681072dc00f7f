#include "common/net/listen.h"

#include <arpa/inet.h>
#include <check.h>
#include <unistd.h>

Suite *listen_suite(void);

#define HOST255                                                                                              \
    "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"                                       \
    "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"                                       \
    "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"                                       \
    "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"

static const struct good_row {
    const char *text;
    const char *host;
    unsigned port;
    bool is_loopback;
} good_rows[] = {
    {"127.0.0.1:8080", "127.0.0.1", 8080, true},
    {"127.255.0.9:1", "127.255.0.9", 1, true},
    {"0.0.0.0:65535", "0.0.0.0", 65535, false},
    {"128.0.0.1:80", "128.0.0.1", 80, false},
    {"10.0.0.127:80", "10.0.0.127", 80, false},
    {"localhost:0", "localhost", 0, true},
    {"localhost.example.org:80", "localhost.example.org", 80, false},
    {"127.0.0.1.example.org:80", "127.0.0.1.example.org", 80, false},
    {"[::1]:8080", "::1", 8080, true},
    {"[::]:8080", "::", 8080, false},
    {"[2001:db8::1]:443", "2001:db8::1", 443, false},
    {":8080", "", 8080, false},
    {":0", "", 0, false},
    {HOST255 ":80", HOST255, 80, false},
};

START_TEST(an_address_is_parsed)
{
    const struct good_row *row = &good_rows[_i];
    struct listen_address address;
    struct error e = {0};

    ck_assert_msg(listen_parse(row->text, &address, &e), "%s: %s", row->text, e.text);
    ck_assert_str_eq(address.host, row->host);
    ck_assert_uint_eq(address.port, row->port);
    ck_assert_msg(listen_is_loopback(&address) == row->is_loopback, "%s", row->text);
}
END_TEST

static const struct bad_row {
    const char *name;
    const char *text;
} bad_rows[] = {
    {"nothing", ""},
    {"no port", "127.0.0.1"},
    {"an empty port", "127.0.0.1:"},
    {"a port past the last", "127.0.0.1:65536"},
    {"a port past 64 bits", "127.0.0.1:99999999999999999999999"},
    {"a port with a sign", "127.0.0.1:+80"},
    {"a negative port", "127.0.0.1:-1"},
    {"a blank before the port", "127.0.0.1: 80"},
    {"a blank behind the port", "127.0.0.1:80 "},
    {"a port in words", "127.0.0.1:http"},
    {"a hexadecimal port", "127.0.0.1:0x50"},
    {"a path behind", "127.0.0.1:80/"},
    {"a URL", "http://127.0.0.1:80"},
    {"IPv6 without brackets", "::1:8080"},
    {"IPv6 without a port", "[::1]"},
    {"an open bracket", "[::1:8080"},
    {"brackets around nothing", "[]:8080"},
    {"brackets around IPv4", "[127.0.0.1]:8080"},
    {"brackets around a name", "[localhost]:8080"},
    {"a host too long", HOST255 "h:80"},
};

START_TEST(what_is_no_address_is_invalid)
{
    struct listen_address address = {.host = "before", .port = 7};
    struct error e = {0};

    ck_assert_msg(!listen_parse(bad_rows[_i].text, &address, &e), "%s", bad_rows[_i].name);
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_str_ne(e.text, "");
    ck_assert_str_eq(address.host, "before");
    ck_assert_uint_eq(address.port, 7);
}
END_TEST

static struct loop *l;

static void open_loop(void)
{
    l = loop_new();
}

static void close_loop(void)
{
    l = loop_free(l);
}

static struct evconnlistener *listen_at(
    const char *text, bool share_port, char bound[LISTEN_TEXT_SIZE], struct error *e)
{
    struct listen_address address;

    ck_assert(listen_parse(text, &address, e));
    return listen_open(l, &address, share_port, bound, e);
}

/* Whether something accepts connections at this port of the loopback. */
static bool connects(int family, unsigned port)
{
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback};
    bool is_v4 = family == AF_INET;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_connected =
        fd >= 0 && connect(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)) == 0;

    if (fd >= 0)
        close(fd);
    return is_connected;
}

/* Whether this machine has IPv6 at all. */
static bool has_v6(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;

    if (fd >= 0)
        close(fd);
    return is_bound;
}

static unsigned bound_port(const char *bound)
{
    struct listen_address address;
    struct error e;

    ck_assert_msg(listen_parse(bound, &address, &e), "%s", bound);
    ck_assert_uint_gt(address.port, 0);
    return address.port;
}

START_TEST(port_0_takes_a_free_one_and_says_which)
{
    char bound[LISTEN_TEXT_SIZE];
    struct error e;
    struct evconnlistener *listener = listen_at("127.0.0.1:0", false, bound, &e);
    unsigned port;

    ck_assert_msg(listener != NULL, "%s", e.text);
    ck_assert(strncmp(bound, "127.0.0.1:", 10) == 0);
    port = bound_port(bound);
    ck_assert(connects(AF_INET, port));
    evconnlistener_free(listener);
    ck_assert(!connects(AF_INET, port));
}
END_TEST

START_TEST(ipv6_is_shown_in_brackets)
{
    char bound[LISTEN_TEXT_SIZE];
    struct error e;
    struct evconnlistener *listener;

    if (!has_v6())
        return;
    listener = listen_at("[::1]:0", false, bound, &e);
    ck_assert_msg(listener != NULL, "%s", e.text);
    ck_assert(strncmp(bound, "[::1]:", 6) == 0);
    ck_assert(connects(AF_INET6, bound_port(bound)));
    evconnlistener_free(listener);
}
END_TEST

START_TEST(no_host_is_all_addresses)
{
    char bound[LISTEN_TEXT_SIZE];
    struct error e;
    struct evconnlistener *listener = listen_at(":0", false, bound, &e);

    ck_assert_msg(listener != NULL, "%s", e.text);
    ck_assert_msg(connects(AF_INET, bound_port(bound)), "%s", bound);
    if (has_v6())
        ck_assert_msg(connects(AF_INET6, bound_port(bound)), "%s", bound);
    evconnlistener_free(listener);
}
END_TEST

static const struct pair_row {
    const char *name;
    bool first_shares;
    bool second_shares;
    bool goes;
} pair_rows[] = {
    {"neither shares", false, false, false},
    {"the first alone shares", true, false, false},
    {"the second alone shares", false, true, false},
    {"both share", true, true, true},
};

START_TEST(a_port_is_shared_only_by_those_who_want_it)
{
    const struct pair_row *row = &pair_rows[_i];
    char bound[LISTEN_TEXT_SIZE];
    char again[LISTEN_TEXT_SIZE] = "";
    struct error e = {0};
    struct evconnlistener *first = listen_at("127.0.0.1:0", row->first_shares, bound, &e);
    struct evconnlistener *second;

    ck_assert_msg(first != NULL, "%s", e.text);
    second = listen_at(bound, row->second_shares, again, &e);
    ck_assert_msg((second != NULL) == row->goes, "%s: %s", row->name, e.text);
    if (second) {
        ck_assert_str_eq(again, bound);
        evconnlistener_free(second);
    } else {
        ck_assert_int_eq(e.code, ERROR_INVALID);
        ck_assert_ptr_nonnull(strstr(e.text, "in use"));
    }
    evconnlistener_free(first);
}
END_TEST

static const char *const unusable[] = {
    "192.0.2.1:0",     /* TEST-NET-1: of no machine. Source: RFC 5737 */
    "host.invalid:80", /* Source: RFC 6761 section 6.4 */
    "no host at all:80",
};

START_TEST(an_address_that_is_not_ours_is_invalid)
{
    char bound[LISTEN_TEXT_SIZE];
    struct error e = {0};

    ck_assert_ptr_null(listen_at(unusable[_i], false, bound, &e));
    ck_assert_int_eq(e.code, ERROR_INVALID);
    ck_assert_msg(strstr(e.text, "cannot listen on") != NULL, "%s", e.text);
}
END_TEST

Suite *listen_suite(void)
{
    Suite *suite = suite_create("listen");
    TCase *all = tcase_create("listen");

    tcase_add_checked_fixture(all, open_loop, close_loop);
    tcase_set_timeout(all, 30);
    tcase_add_loop_test(all, an_address_is_parsed, 0, ARRAY_LENGTH(good_rows));
    tcase_add_loop_test(all, what_is_no_address_is_invalid, 0, ARRAY_LENGTH(bad_rows));
    tcase_add_test(all, port_0_takes_a_free_one_and_says_which);
    tcase_add_test(all, ipv6_is_shown_in_brackets);
    tcase_add_test(all, no_host_is_all_addresses);
    tcase_add_loop_test(all, a_port_is_shared_only_by_those_who_want_it, 0, ARRAY_LENGTH(pair_rows));
    tcase_add_loop_test(all, an_address_that_is_not_ours_is_invalid, 0, ARRAY_LENGTH(unusable));
    suite_add_tcase(suite, all);
    return suite;
}
