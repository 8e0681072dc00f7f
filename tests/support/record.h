/*
 * record: writes down what the tests got from an api, in the directory that JOBGATE_RECORD names
 * (tests/run.sh sets it), so that it can be held against the contract in the end. Without it nothing is
 * written.
 */
#ifndef JOBGATE_TESTS_RECORD_H
#define JOBGATE_TESTS_RECORD_H

#include "tests/support/http.h"

/* An answer to a request for "…/v1/…". */
void record_answer(const struct http_ask *ask, const struct http_reply *reply);

/* Answers from URLs that begin so are not of the contract: the ops port's. */
void record_ignore(const char *url);

/* The contract itself. */
void record_contract(const void *document, size_t length);

#endif
