#include "common/queue/keys.h"

static void append(struct key *k, const char *text, size_t length)
{
    assert(k->length + length < KEY_SIZE);
    memcpy(k->text + k->length, text, length);
    k->length += length;
    k->text[k->length] = '\0';
}

static void append_text(struct key *k, const char *text)
{
    append(k, text, strlen(text));
}

static void begin(const struct shard *shard, struct key *out)
{
    char number[8];
    char *at = number + sizeof(number);
    unsigned rest = shard->number;

    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    out->length = 0;
    append_text(out, "jobgate:{");
    append_text(out, shard->queue);
    append_text(out, ".");
    append(out, at, (size_t)(number + sizeof(number) - at));
    append_text(out, "}:");
}

void key_ready(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "ready");
}

void key_stats(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "stats");
}

void key_dead(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "dead");
}

void key_scheduled(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "scheduled");
}

void key_workers(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "workers");
}

void key_reaped(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "reaped");
}

void key_taken(const struct shard *shard, const char *worker, struct key *out)
{
    begin(shard, out);
    append_text(out, "taken:");
    append_text(out, worker);
}

void key_revoked(const struct shard *shard, const char *worker, struct key *out)
{
    begin(shard, out);
    append_text(out, "revoked:");
    append_text(out, worker);
}

void key_held(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "held");
}

void key_idempotency(const struct shard *shard, const char *hash, struct key *out)
{
    begin(shard, out);
    append_text(out, "idem:");
    append_text(out, hash);
}

void key_unique(const struct shard *shard, const char *hash, struct key *out)
{
    begin(shard, out);
    append_text(out, "unique:");
    append_text(out, hash);
}

void key_slots(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "slots");
}

void key_auditor(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "auditor");
}

void key_janitor(struct key *out)
{
    out->length = 0;
    append_text(out, "jobgate:janitor");
}

void key_events(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "events");
}

void key_callbacks(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "callbacks");
}

void key_job_pattern(const struct shard *shard, struct key *out)
{
    begin(shard, out);
    append_text(out, "job:*");
}

void key_sweeper(struct key *out)
{
    out->length = 0;
    append_text(out, "jobgate:sweeper");
}

void key_types(struct key *out)
{
    out->length = 0;
    append_text(out, "jobgate:types");
}

void key_queues(struct key *out)
{
    out->length = 0;
    append_text(out, "jobgate:queues");
}

void key_batch(const char *hash, struct key *out)
{
    out->length = 0;
    append_text(out, "jobgate:batch:");
    append_text(out, hash);
}

void key_progress(const struct job_id *id, struct key *out)
{
    begin(&id->shard, out);
    append_text(out, "progress:");
    append_text(out, id->text);
}

void key_job(const struct job_id *id, struct key *out)
{
    begin(&id->shard, out);
    append_text(out, "job:");
    append_text(out, id->text);
}

void key_schedules(enum schedule_key which, struct key *out)
{
    static const char *const names[] = {
        [SCHEDULE_NAMES] = "names",
        [SCHEDULE_TEXT] = "text",
        [SCHEDULE_RECORD] = "record",
        [SCHEDULE_DUE] = "due",
        [SCHEDULE_LAST] = "last",
    };

    out->length = 0;
    append_text(out, "jobgate:{schedules}:");
    append_text(out, names[which]);
}

void key_rate(const char *name, struct key *out)
{
    out->length = 0;
    append_text(out, "jobgate:rate:");
    append_text(out, name);
}
