/*
 * Faults of the store: a proxy between does to a share of the requests what networks and stores do on a bad
 * day. No result is lost, none is written twice, none is another than was written, and nothing hangs.
 */
#include <check.h>
#include <stdlib.h>

#include "common/blob/blob.h"
#include "tests/support/azurite.h"
#include "tests/support/certificate.h"
#include "tests/support/depot.h"
#include "tests/support/fault_proxy.h"

Suite *store_faults_suite(void);

enum { PERCENT = 30, PUTS = 2, TRIES_MAX = 20, LARGE = 2 * BLOB_BLOCK_BYTES + 777 };

static struct azurite *azurite;
static struct fault_proxy *proxy;
static struct depot *depot;

static void open_all(const char *timeout)
{
    char setting[512];
    char *port;
    char tail[512];

    azurite = azurite_start();
    proxy = fault_proxy_start(azurite_port(azurite));
    snprintf(setting, sizeof(setting), "%s", azurite_setting(azurite));
    port = strstr(setting, "127.0.0.1:") + strlen("127.0.0.1:");
    snprintf(tail, sizeof(tail), "%s", port + strspn(port, "0123456789"));
    snprintf(port, sizeof(setting) - (size_t)(port - setting), "%d%s", fault_proxy_port(proxy), tail);
    depot = depot_open((const char *[]){setting, timeout, "BLOB_DEADLINE_MS=20000", NULL});
}

static void close_all(void)
{
    depot = depot_free(depot);
    proxy = fault_proxy_free(proxy);
    azurite = azurite_free(azurite);
}

/* A call that fails for a passing reason is for its caller to repeat, as the worker does. */
static bool is_to_be_repeated(const struct depot_end *end)
{
    return end->error.code == ERROR_STORE_AWAY || end->error.code == ERROR_TIMEOUT ||
           end->error.code == ERROR_STORE_REFUSED;
}

static void write_until_it_is(const char *name, int64_t length)
{
    struct depot_end end;
    int tries = 0;

    do {
        if (length > BLOB_BLOCK_BYTES)
            depot_upload(depot, name, length, "1", &end);
        else
            depot_put(depot, name, length, "1", &end);
        ck_assert_int_lt(++tries, TRIES_MAX);
    } while (is_to_be_repeated(&end));
    ck_assert_msg(end.error.code == ERROR_OK, "%s: %s", name, end.error.text);
    ck_assert_int_eq(end.properties.size, length);
}

static void read_until_it_is(const char *name, int64_t length)
{
    struct depot_end end;
    int tries = 0;

    do {
        depot_read(depot, name, &end);
        ck_assert_msg(end.is_right, "%s came back as something else", name);
        ck_assert_int_lt(++tries, TRIES_MAX);
    } while (is_to_be_repeated(&end));
    ck_assert_msg(end.error.code == ERROR_OK, "%s: %s", name, end.error.text);
    ck_assert_int_eq(end.length, length);
}

START_TEST(nothing_is_lost_and_nothing_twice)
{
    enum store_fault fault = (enum store_fault)(STORE_WELL + 1 + _i);
    size_t written_again = 0;
    char name[64];

    open_all(fault == STORE_SILENT ? "BLOB_TIMEOUT_MS=500" : "BLOB_TIMEOUT_MS=10000");
    fault_proxy_set(proxy, fault, PERCENT);
    for (int i = 0; i < PUTS; i++) {
        snprintf(name, sizeof(name), "results/ab/default/small%d", i);
        write_until_it_is(name, 1024);
        read_until_it_is(name, 1024);
    }
    write_until_it_is("results/ab/default/large", LARGE);
    read_until_it_is("results/ab/default/large", LARGE);
    ck_assert_msg(fault_proxy_count(proxy, fault) > 0, "nothing went wrong (%s)", store_fault_text(fault));
    fault_proxy_results(proxy, &written_again);
    ck_assert_msg(written_again == 0, "%zu were written twice (%s)", written_again, store_fault_text(fault));
    close_all();
}
END_TEST

/* Down altogether: the circuit opens, and few requests come through; when the store is back, so are they. */
START_TEST(a_store_that_is_down_is_left_in_peace)
{
    struct depot_end end;
    size_t before;

    open_all("BLOB_TIMEOUT_MS=1000");
    fault_proxy_set(proxy, STORE_RESET_AT_ONCE, 100);
    for (int i = 0; i < 4; i++)
        depot_put(depot, "results/ab/default/x", 100, "1", &end); /* four tries each */
    before = fault_proxy_count(proxy, STORE_RESET_AT_ONCE);
    for (int i = 0; i < 1000; i++) {
        depot_put(depot, "results/ab/default/x", 100, "1", &end);
        ck_assert_int_eq(end.error.code, ERROR_STORE_AWAY);
    }
    ck_assert_uint_le(fault_proxy_count(proxy, STORE_RESET_AT_ONCE), before + 20);
    fault_proxy_set(proxy, STORE_WELL, 0);
    do {
        depot_put(depot, "results/ab/default/x", 100, "1", &end);
    } while (end.error.code == ERROR_STORE_AWAY);
    ck_assert_int_eq(end.error.code, ERROR_OK);
    close_all();
}
END_TEST

/* A server that cannot prove its name is told nothing, and is no store. */
START_TEST(a_certificate_of_another_name_is_refused)
{
    struct certificate certificate;
    struct depot_end end;
    char key[256];

    certificate_make(&certificate, "DNS:elsewhere.example");
    azurite = azurite_start_tls(&certificate);
    snprintf(key, sizeof(key), "AZURE_STORAGE_KEY=%s", azurite_key);
    setenv("SSL_CERT_FILE", certificate.authority, 1);
    depot =
        depot_new((const char *[]){azurite_container_setting(azurite), key, "BLOB_DEADLINE_MS=1000", NULL});
    depot_put(depot, "results/ab/default/x", 100, "1", &end);
    ck_assert_int_eq(end.error.code, ERROR_STORE_AWAY);
    ck_assert_msg(
        strstr(end.error.text, "SSL") || strstr(end.error.text, "certificate"), "%s", end.error.text);
    unsetenv("SSL_CERT_FILE");
    certificate_remove(&certificate);
    close_all();
}
END_TEST

Suite *store_faults_suite(void)
{
    Suite *suite = suite_create("store_faults");
    TCase *tcase = tcase_create("store_faults");

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, nothing_is_lost_and_nothing_twice, 0, STORE_FAULT_COUNT - 1);
    tcase_add_test(tcase, a_store_that_is_down_is_left_in_peace);
    tcase_add_test(tcase, a_certificate_of_another_name_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
