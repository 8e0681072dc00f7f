#include "api/batch/single.h"
#include "api/api.h"
#include "api/payloads.h"
#include "common/base/mem.h"

enum { LOOKS_MAX = 5 };

struct single {
    struct batch *batch;
    size_t item;
    struct submission submission;
    struct job_id id;
    char idempotency[HASH_TEXT_SIZE];
    char unique[HASH_TEXT_SIZE];
    char holder[JOB_ID_SIZE]; /* who was seen to have the unique_key */
    int looks;
    struct single *next;
};

struct single *single_new(struct batch *b, size_t item, const struct submission *s, const struct job_id *id)
{
    struct single *one = mem_zalloc(sizeof(*one));

    one->batch = b;
    one->item = item;
    one->submission = *s;
    one->id = *id;
    if (*s->unique_key)
        intake_name_unique(s, one->unique);
    if (b->idempotency.is_given)
        hash_text((const struct hash_part[]){{b->idempotency.key, strlen(b->idempotency.key)}, {"item", 4},
                      {&one->item, sizeof(one->item)}, {NULL, 0}},
            one->idempotency);
    return one;
}

void single_add(struct single **list, struct single *s)
{
    s->next = *list;
    *list = s;
}

static void end(struct single *s)
{
    struct batch *b = s->batch;

    submission_release(&s->submission);
    free(s);
    batch_done(b, 1);
}

static void refuse(struct single *s, const struct error *e)
{
    verdicts_refuse(s->batch->verdicts, s->item, e, NULL);
    end(s);
}

static void refuse_verdict(struct single *s, enum submit_verdict verdict)
{
    struct error e;

    if (verdict == SUBMIT_TAKEN)
        error_set(&e, ERROR_CONFLICT, "this upload was submitted before: it is job %.100s", s->id.text);
    else if (verdict == SUBMIT_MISMATCH)
        error_set(&e, ERROR_KEY_REUSED, "this Idempotency-Key came with another request before");
    else if (verdict == SUBMIT_FULL)
        error_set(&e, ERROR_QUEUE_FULL, "%lld jobs wait in queue %s, as many as may (QUEUE_DEPTH_MAX)",
            (long long)s->batch->exchange->api->config->queue_depth_max, s->submission.queue);
    else
        error_set(&e, ERROR_REDIS_AWAY, "the unique_key changed hands too often meanwhile: ask again");
    refuse(s, &e);
}

static void on_submitted(void *arg, const struct submit_result *result, const struct error *e)
{
    struct single *s = arg;

    if (e) {
        refuse(s, e);
    } else if (result->verdict == SUBMIT_ACCEPTED) {
        verdicts_accept(s->batch->verdicts, s->item);
        end(s);
    } else if (result->verdict == SUBMIT_REPEATED || result->verdict == SUBMIT_UNIQUE) {
        payload_take_back(s->batch->exchange->api, &s->id, &s->submission);
        verdicts_set_id(s->batch->verdicts, s->item, result->id);
        verdicts_accept(s->batch->verdicts, s->item);
        end(s);
    } else if (result->verdict == SUBMIT_LOOK && s->looks++ < LOOKS_MAX) {
        snprintf(s->holder, sizeof(s->holder), "%s", result->id);
        single_start(s, NULL);
    } else {
        payload_take_back(s->batch->exchange->api, &s->id, &s->submission);
        refuse_verdict(s, result->verdict);
    }
}

static void on_placed(void *arg, const struct error *e)
{
    single_start(arg, e);
}

void single_start(struct single *s, const struct error *e)
{
    const struct batch *b = s->batch;
    const struct api *a = b->exchange->api;
    struct submit submit = {
        .id = &s->id,
        .spec = &s->submission.spec,
        .schedule = &s->submission.schedule,
        .payload = s->submission.payload,
        .payload_length = s->submission.payload_length,
        .depth_max = a->config->queue_depth_max,
        .idempotency = b->idempotency.is_given ? s->idempotency : NULL,
        .fingerprint = b->idempotency.fingerprint,
        .idempotency_s = a->config->idempotency_s,
        .unique = *s->submission.unique_key ? s->unique : NULL,
        .holder = s->holder,
    };
    bool is_to_be_placed = !e && !s->submission.spec.payload_size && payload_is_stored(a, &s->submission);
    struct error failure;

    if (is_to_be_placed)
        payload_place(b->exchange->api, &s->id, &s->submission, on_placed, s);
    else if (e)
        refuse(s, e);
    else if (!backpressure_admits(a->backpressure, &failure) ||
             !queue_submit(durability_queue(a->durability), &submit, on_submitted, s, &failure))
        refuse(s, &failure);
}

void single_start_all(struct single *list, const struct error *e)
{
    while (list) {
        struct single *next = list->next;

        single_start(list, e);
        list = next;
    }
}
