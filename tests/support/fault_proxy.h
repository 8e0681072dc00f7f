/*
 * fault_proxy: stands between the programs and their blob store and lets it answer badly. One request per
 * connection; a thread serves each. It keeps a list of the results that the store really took, so that a
 * second write shows.
 */
#ifndef JOBGATE_TESTS_FAULT_PROXY_H
#define JOBGATE_TESTS_FAULT_PROXY_H

#include "common/base/base.h"

/* Those up to STORE_PASSING_COUNT are what a store does on a bad day: a client is to cope with each by
 * itself. */
#define STORE_FAULTS(FAULT)                                                                                  \
    FAULT(WELL, "none")                                                                                      \
    FAULT(ANSWER_LOST, "lost") /* it does what it is told, and the connection ends instead of an answer */   \
    FAULT(ERROR_500, "500")    /* the store is not asked */                                                  \
    FAULT(SILENT, "silent")    /* likewise, and nothing comes */                                             \
    FAULT(ANSWER_CUT, "cut short")                  /* as ANSWER_LOST, but within the answer */              \
    FAULT(ERROR_503, "503")                         /* the store is not asked */                             \
    FAULT(SLOW, "slow")                             /* it answers, late */                                   \
    FAULT(RESET_AT_ONCE, "reset at once")           /* before a byte of the request is read */               \
    FAULT(RESET_IN_REQUEST, "reset in the request") /* in the middle of it */                                \
    FAULT(RESET_IN_ANSWER, "reset in the answer")   /* as ANSWER_CUT, with a reset */                        \
    FAULT(BUSY, "503 with Retry-After")             /* the store is not asked */                             \
    FAULT(ERROR_408, "408")                         /* likewise */                                           \
    FAULT(DAMAGED, "damaged")           /* a byte of a body is another one; the store sees by its MD5 */     \
    FAULT(ENDLESS_HEAD, "endless head") /* header lines without end */                                       \
    FAULT(HTML_502, "502 with HTML")    /* of a gateway */                                                   \
    FAULT(HTML_200, "200 with HTML")    /* of a captive portal */

enum store_fault {
#define FAULT(name, text) STORE_##name,
    STORE_FAULTS(FAULT)
#undef FAULT
        STORE_FAULT_COUNT,
    STORE_PASSING_COUNT = STORE_HTML_200
};

const char *store_fault_text(enum store_fault fault);

struct fault_proxy;

/* Listens on a free port of 127.0.0.1 and hands on to another. What goes wrong fails the test. */
struct fault_proxy *fault_proxy_start(int store_port);
struct fault_proxy *fault_proxy_free(struct fault_proxy *p); /* takes NULL; returns NULL */

int fault_proxy_port(const struct fault_proxy *p);

/* From now on `percent` of the requests get the fault. */
void fault_proxy_set(struct fault_proxy *p, enum store_fault fault, unsigned percent);

/* How many requests got it. */
size_t fault_proxy_count(struct fault_proxy *p, enum store_fault fault);

/* How often the store took a result that it said (201) to have been new; and how many of these had been taken
 * before, each of which is printed. */
size_t fault_proxy_results(struct fault_proxy *p, size_t *written_again);

#endif
