/*
 * answer: what an answer of Blob Storage means, what a person can do about it, and when to ask again.
 * Pure: no clock, no network; the caller passes the headers, the time and the random number.
 * Source: Azure Storage REST, "Status and error codes" and "Blob service error codes"; the retry policy is
 * that of Azure's SDKs (azure-core for C++: 3 retries, 800 ms doubling, jitter 0.8 to 1.3, at most 60 s),
 * with 429 added.
 */
#ifndef JOBGATE_AZURE_ANSWER_H
#define JOBGATE_AZURE_ANSWER_H

#include "common/base/base.h"
#include "common/base/error.h"

enum { ANSWER_RETRIES_MAX = 3, ANSWER_TEXT_SIZE = 96 };

enum answer_verdict {
    ANSWER_DONE,         /* 2xx */
    ANSWER_AGAIN,        /* a passing trouble: the same request may succeed in a moment */
    ANSWER_LATER,        /* it may succeed, but not in a moment */
    ANSWER_EXISTS,       /* there is a blob or container of that name */
    ANSWER_NO_BLOB,      /* there is no such blob */
    ANSWER_NO_CONTAINER, /* there is no such container */
    ANSWER_BLOCKS_GONE,  /* blocks of the list are not (any more) there */
    ANSWER_REFUSED,      /* it will be refused until somebody changes something */
};

/* An answer, read. Plain data; texts are printable ASCII, "" when the answer has none. */
struct answer {
    int status;
    enum answer_verdict verdict;
    const char *remedy;                /* static; NULL when there is none to give */
    char code[ANSWER_TEXT_SIZE];       /* "BlobAlreadyExists" */
    char message[ANSWER_TEXT_SIZE];    /* the first line of the store's own words, cut */
    char request_id[ANSWER_TEXT_SIZE]; /* the store's, for a support request */
    int64_t wait_ms; /* how long the store asks to wait, at least; -1 when it does not say */
};

/* A header of the answer by its name, NULL when absent. */
typedef const char *answer_header(const void *arg, const char *name);

/* How long the headers ask to wait, -1 when they do not say. */
int64_t answer_wait_ms(answer_header *header, const void *arg, int64_t now_ms);

/* Reads an answer. body may be anything: XML of the store, HTML of a proxy, nothing. now_ms: Unix time, for a
 * Retry-After that is a date. */
void answer_read(struct answer *out, int status, answer_header *header, const void *arg, const char *body,
    size_t body_length, int64_t now_ms);

/* Fills e: STORE_AWAY for AGAIN, LATER and NO_CONTAINER, else STORE_REFUSED. what: "PUT <name>", for the
 * text. */
void answer_explain(const struct answer *a, const char *what, struct error *e);

/* Milliseconds to wait before retry number `retry` (1 is the first). wait_ms is what the store asked for, or
 * -1; random is any 32 random bits. */
int64_t answer_retry_delay_ms(int retry, int64_t wait_ms, uint32_t random);

#endif
