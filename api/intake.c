#include "api/intake.h"
#include "api/api.h"

enum { KEY_MAX = 255 };

static struct hash_part part(const char *text)
{
    return (struct hash_part){text ? text : "", text ? strlen(text) : 0};
}

/* The key as it stands in the header, with or without the quotes that a structured field has.
 * Source: draft-ietf-httpapi-idempotency-key-header, section 2. */
bool intake_read_key(struct exchange *x, struct idempotency *out, struct error *e)
{
    const char *key = exchange_header(x, "Idempotency-Key");
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(x->request));
    struct hash_part body;
    size_t length = key ? strlen(key) : 0;

    out->is_given = key != NULL;
    if (!key)
        return true;
    if (length >= 2 && key[0] == '"' && key[length - 1] == '"') {
        key++;
        length -= 2;
    }
    if (length == 0 || length > KEY_MAX)
        return error_set(
            e, ERROR_BAD_REQUEST, "Idempotency-Key has %zu bytes where 1 to 255 are allowed", length);
    body.data = exchange_body(x, &body.length);
    hash_text((const struct hash_part[]){part(x->caller->owner), {key, length}, {NULL, 0}}, out->key);
    hash_text((const struct hash_part[]){part(x->parameter), part(query),
                  part(exchange_header(x, "Content-Type")), body, {NULL, 0}},
        out->fingerprint);
    return true;
}

bool intake_admit(const struct exchange *x, struct submission *s, struct error *e)
{
    const struct caller *caller = x->caller;

    memcpy(s->spec.owner, caller->owner, sizeof(s->spec.owner));
    memcpy(s->spec.traceparent, x->traceparent, sizeof(s->spec.traceparent));
    return caller_may_use_queue(caller, s->queue, e) && caller_may_use_type(caller, s->spec.type, e);
}

void intake_name_memo(const struct submission *s, struct idempotency *out)
{
    out->is_given = true;
    hash_text((const struct hash_part[]){part("memo"), part(s->spec.owner), part(s->spec.type),
                  part(s->spec.content_type), {s->payload, s->payload_length}, {NULL, 0}},
        out->key);
    hash_text((const struct hash_part[]){part("memo"), {NULL, 0}}, out->fingerprint);
}

void intake_name_unique(const struct submission *s, char out[HASH_TEXT_SIZE])
{
    hash_text(
        (const struct hash_part[]){part(s->spec.owner), part(s->spec.type), part(s->unique_key), {NULL, 0}},
        out);
}
