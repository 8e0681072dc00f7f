#include "worker/plan.h"
#include "common/base/json.h"

enum {
    LATE_MS = 60000,                   /* what is later was missed */
    MAKE_UP_MAX_MS = 7 * 24 * 3600000, /* with catch_up "all"; what was missed earlier is let be */
    TICKS_MAX = 20000,                 /* steps to the last one that was missed: a week of minutes and more */
};

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static bool copy_name(const char *text, char *out, size_t size)
{
    size_t length = strlen(text);

    if (length == 0 || length >= size)
        return false;
    memcpy(out, text, length + 1);
    return true;
}

bool plan_read(const char *text, size_t length, struct plan *out, struct error *e)
{
    AUTO(json) json_t *document = json_parse(text, length, e);
    struct plan p = {0};
    const char *catch_up = text_at(document, "catch_up");
    const char *queue = text_at(json_object_get(document, "job"), "queue");

    if (!document)
        return false;
    if (!cron_parse(text_at(document, "cron"), &p.cron, e) || !zone_check(text_at(document, "timezone"), e))
        return false;
    queue = *queue ? queue : "default";
    if (!name_is_valid(queue, strlen(queue)) || !copy_name(queue, p.queue, sizeof(p.queue)) ||
        !copy_name(text_at(document, "timezone"), p.timezone, sizeof(p.timezone)))
        return error_set(e, ERROR_INVALID, "the schedule's queue or time zone is not a name");
    p.may_overlap = strcmp(text_at(document, "overlap"), "allow") == 0;
    p.catch_up = strcmp(catch_up, "none") == 0  ? CATCH_UP_NONE
                 : strcmp(catch_up, "all") == 0 ? CATCH_UP_ALL
                                                : CATCH_UP_ONE;
    *out = p;
    return true;
}

/* The first time behind after_ms, 0 when there is none. */
static int64_t next_behind(const struct plan *p, int64_t after_ms)
{
    int64_t next_s;
    struct error e;

    if (!cron_next(&p->cron, after_ms / 1000, zone_local, (void *)p->timezone, &next_s, &e))
        return 0;
    return next_s * 1000;
}

/* The last time that is not behind now_ms, beginning with one that is not. */
static int64_t last_until(const struct plan *p, int64_t due_ms, int64_t now_ms)
{
    for (int i = 0; i < TICKS_MAX; i++) {
        int64_t next_ms = next_behind(p, due_ms);

        if (next_ms == 0 || next_ms > now_ms)
            break;
        due_ms = next_ms;
    }
    return due_ms;
}

void plan_decide(const struct plan *p, int64_t due_ms, int64_t now_ms, struct plan_step *out)
{
    bool is_missed = now_ms - due_ms > LATE_MS;

    *out = (struct plan_step){.next_ms = next_behind(p, now_ms)};
    if (due_ms == 0 || due_ms > now_ms || (is_missed && p->catch_up == CATCH_UP_NONE))
        return;
    out->fires = true;
    if (p->catch_up == CATCH_UP_ALL) {
        if (due_ms < now_ms - MAKE_UP_MAX_MS)
            due_ms = next_behind(p, now_ms - MAKE_UP_MAX_MS);
        out->fires = due_ms != 0 && due_ms <= now_ms;
        out->next_ms = next_behind(p, out->fires ? due_ms : now_ms);
    } else if (is_missed) {
        if (due_ms < now_ms - MAKE_UP_MAX_MS) {
            int64_t recent_ms = next_behind(p, now_ms - MAKE_UP_MAX_MS);

            due_ms = recent_ms != 0 && recent_ms <= now_ms ? recent_ms : due_ms;
        }
        due_ms = last_until(p, due_ms, now_ms);
    }
    out->tick_ms = due_ms;
}
