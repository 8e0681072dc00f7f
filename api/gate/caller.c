#include "api/gate/caller.h"
#include "common/base/mem.h"

enum { LIST_TEXT_MAX = 128, SCOPES_TEXT_MAX = 64 };

static const struct {
    const char *name;
    unsigned scope;
} scope_names[] = {{"submit", SCOPE_SUBMIT}, {"read", SCOPE_READ}, {"admin", SCOPE_ADMIN}};

struct caller *caller_new(const char *name, const char *owner)
{
    struct caller *c = mem_zalloc(sizeof(*c));

    c->references = 1;
    snprintf(c->name, sizeof(c->name), "%s", name);
    snprintf(c->owner, sizeof(c->owner), "%s", owner);
    return c;
}

struct caller *caller_keep(struct caller *c)
{
    c->references++;
    return c;
}

struct caller *caller_release(struct caller *c)
{
    if (c && --c->references == 0) {
        free(c->queues.names);
        free(c->types.names);
        free(c);
    }
    return NULL;
}

/* ---- scopes ---- */

bool scopes_parse(const char *text, unsigned *scopes, struct error *e)
{
    unsigned found = 0;

    while (*text) {
        size_t length = strcspn(text, ", ");
        size_t i = 0;

        while (i < ARRAY_LENGTH(scope_names) &&
               (strlen(scope_names[i].name) != length || strncmp(scope_names[i].name, text, length) != 0))
            i++;
        if (i == ARRAY_LENGTH(scope_names))
            return error_set(e, ERROR_INVALID,
                "\"%.*s\" is no scope: submit, read and admin are, with commas between", (int)length, text);
        found |= scope_names[i].scope;
        text += length;
        text += strspn(text, ", ");
    }
    if (!found)
        return error_set(
            e, ERROR_INVALID, "there is no scope: submit, read and admin are, with commas between");
    *scopes = found;
    return true;
}

void scopes_write(unsigned scopes, struct buf *out)
{
    bool is_first = true;

    for (size_t i = 0; i < ARRAY_LENGTH(scope_names); i++) {
        if (!(scopes & scope_names[i].scope))
            continue;
        buf_append_text(out, is_first ? "" : " ");
        buf_append_text(out, scope_names[i].name);
        is_first = false;
    }
}

bool caller_has_scope(const struct caller *c, enum scope scope, struct error *e)
{
    AUTO_BUF struct buf wanted = BUF(SCOPES_TEXT_MAX);
    AUTO_BUF struct buf had = BUF(SCOPES_TEXT_MAX);

    if (scope == SCOPE_PUBLIC || c->scopes & (scope | SCOPE_ADMIN))
        return true;
    scopes_write(scope, &wanted);
    scopes_write(c->scopes, &had);
    return error_set(e, ERROR_FORBIDDEN, "this needs the scope %s; %s has %s", wanted.data, c->name,
        had.length ? had.data : "none");
}

/* ---- names ---- */

void name_list_add(struct name_list *l, const char *name)
{
    l->names = mem_realloc(l->names, (l->count + 1) * sizeof(*l->names));
    snprintf(l->names[l->count++], NAME_SIZE, "%s", name);
}

static bool allows(const struct name_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->names[i], name) == 0)
            return true;
    return l->count == 0;
}

static bool may_use(
    const struct caller *c, const struct name_list *l, const char *kind, const char *name, struct error *e)
{
    AUTO_BUF struct buf known = BUF(LIST_TEXT_MAX); /* the first ones must do */

    if (allows(l, name))
        return true;
    for (size_t i = 0; i < l->count; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", l->names[i]);
    return error_set(
        e, ERROR_FORBIDDEN, "%s may not use the %s %.63s, only %s", c->name, kind, name, known.data);
}

bool caller_may_use_queue(const struct caller *c, const char *queue, struct error *e)
{
    return may_use(c, &c->queues, "queue", queue, e);
}

bool caller_may_use_type(const struct caller *c, const char *type, struct error *e)
{
    return may_use(c, &c->types, "type", type, e);
}

bool caller_may_see(const struct caller *c, const char *owner, const char *queue)
{
    return strcmp(c->owner, owner) == 0 || (c->scopes & SCOPE_ADMIN && allows(&c->queues, queue));
}

bool owner_is_valid(const char *text, size_t length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return length > 0 && length < OWNER_SIZE && strspn(text, allowed) >= length;
}
