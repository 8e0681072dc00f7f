#include "api/schedule_form.h"
#include "common/base/clock.h"
#include "common/base/cron.h"
#include "common/base/mem.h"

static const char *const overlaps[] = {"skip", "allow", NULL};
static const char *const catch_ups[] = {"one", "none", "all", NULL};

static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* ---- members: one row each ---- */

static void set_cron(struct schedule_form *f, const json_t *value, struct complaints *c)
{
    const char *text = text_of(value);
    struct cron cron;
    int64_t next_s;
    struct error e;

    if (!text || strlen(text) >= sizeof(f->cron))
        complain_pointer(c, "", "cron", "is not a text of up to 255 bytes such as \"0 4 * * mon-fri\"");
    else if (!cron_parse(text, &cron, &e) ||
             !cron_next(&cron, clock_unix_ms() / 1000, zone_utc, NULL, &next_s, &e))
        complain_pointer(c, "", "cron", e.text);
    else
        snprintf(f->cron, sizeof(f->cron), "%s", text);
}

static void set_timezone(struct schedule_form *f, const json_t *value, struct complaints *c)
{
    const char *text = text_of(value);
    struct error e;

    if (!text)
        complain_pointer(c, "", "timezone", "is not a text such as \"UTC\" or \"Europe/Berlin\"");
    else if (!zone_check(text, &e))
        complain_pointer(c, "", "timezone", e.text);
    else
        snprintf(f->timezone, sizeof(f->timezone), "%s", text);
}

static const char *choose(const json_t *value, const char *const *choices)
{
    const char *text = text_of(value);

    for (; text && *choices; choices++)
        if (strcmp(text, *choices) == 0)
            return *choices;
    return NULL;
}

static void set_overlap(struct schedule_form *f, const json_t *value, struct complaints *c)
{
    f->overlap = choose(value, overlaps);
    if (!f->overlap)
        complain_pointer(c, "", "overlap",
            "is not \"skip\" (nothing is submitted while the last job has not ended) or \"allow\"");
}

static void set_catch_up(struct schedule_form *f, const json_t *value, struct complaints *c)
{
    f->catch_up = choose(value, catch_ups);
    if (!f->catch_up)
        complain_pointer(c, "", "catch_up",
            "is not \"one\" (missed times are made up for by one job), \"none\" or \"all\"");
}

static void set_paused(struct schedule_form *f, const json_t *value, struct complaints *c)
{
    if (!json_is_boolean(value))
        complain_pointer(c, "", "paused", "is not true or false");
    f->is_paused = json_is_true(value);
}

static const struct member {
    const char *name;
    void (*set)(struct schedule_form *f, const json_t *value, struct complaints *c);
} members[] = {
    {"cron", set_cron},
    {"timezone", set_timezone},
    {"overlap", set_overlap},
    {"catch_up", set_catch_up},
    {"paused", set_paused},
};

/* What a schedule decides itself. */
static const char *const not_of_job[] = {"delay_s", "run_at", "expires_at", "unique_key"};

/* ---- the whole ---- */

static void read_job(struct schedule_form *f, const json_t *job, struct complaints *c)
{
    struct error e;

    c->prefix = "/job";
    for (size_t i = 0; i < ARRAY_LENGTH(not_of_job); i++)
        if (json_object_get(job, not_of_job[i]))
            complain_pointer(c, "", not_of_job[i], "is not for the job of a schedule");
    if (!submission_from_json(f->job_text.text, f->job_text.length, &f->job, c, &e) && c->count == 0)
        complain_pointer(c, "", NULL, e.text);
    c->prefix = "";
}

static void read_members(json_t *document, struct schedule_form *f, struct complaints *c)
{
    const char *name;
    json_t *value;

    json_object_foreach(document, name, value)
    {
        const struct member *member = NULL;

        for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
            if (strcmp(members[i].name, name) == 0)
                member = &members[i];
        if (member)
            member->set(f, value, c);
        else if (strcmp(name, "job") != 0)
            complain_pointer(
                c, "", name, "is not known: cron, timezone, overlap, catch_up, paused and job are");
    }
    if (!json_object_get(document, "cron"))
        complain_pointer(
            c, "", "cron", "is missing: when to submit, such as \"0 4 * * mon-fri\" or \"@daily\"");
    if (!f->job_text.text)
        complain_pointer(c, "", "job", "is missing: what to submit, as for POST /v1/jobs");
}

bool schedule_form_read(
    const char *body, size_t length, struct schedule_form *out, struct complaints *c, struct error *e)
{
    struct schedule_form f = {.timezone = "UTC", .overlap = overlaps[0], .catch_up = catch_ups[0]};
    AUTO(json) json_t *document = json_parse_keeping(body, length, "job", &f.job_text, e);

    if (!document)
        return false;
    if (!json_is_object(document)) {
        complain_pointer(
            c, "", NULL, "is not a JSON object such as {\"cron\":\"@daily\",\"job\":{\"type\":\"echo\"}}");
    } else {
        if (f.job_text.text)
            read_job(&f, json_object_get(document, "job"), c);
        read_members(document, &f, c);
    }
    if (!complaints_check(c, e)) {
        schedule_form_release(&f);
        return false;
    }
    *out = f;
    return true;
}

void schedule_form_release(struct schedule_form *f)
{
    submission_release(&f->job);
}

void schedule_form_write(
    const struct schedule_form *f, const char *name, const char *owner, int64_t updated_ms, struct buf *out)
{
    char time[CLOCK_RFC3339_SIZE];

    buf_append_text(out, "{\"name\":");
    json_write_string(out, name, strlen(name));
    if (*owner)
        json_write_member(out, "owner", owner);
    json_write_member(out, "cron", f->cron);
    json_write_member(out, "timezone", f->timezone);
    json_write_member(out, "overlap", f->overlap);
    json_write_member(out, "catch_up", f->catch_up);
    buf_printf(out, ",\"paused\":%s", f->is_paused ? "true" : "false");
    clock_format_rfc3339(updated_ms, time);
    json_write_member(out, "updated_at", time);
    buf_append_text(out, ",\"job\":");
    buf_append(out, f->job_text.text, f->job_text.length);
    buf_append_char(out, '}');
}
