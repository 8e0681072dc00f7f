#include "api/complaints.h"
#include "common/base/json.h"

enum {
    TEXT_SIZE = 16384,
    PLACE_SIZE = 1024, /* of what names the place; more is cut off */
};

void complaints_init(struct complaints *c)
{
    buf_init(&c->text, TEXT_SIZE);
    c->count = 0;
    c->prefix = "";
}

void complaints_release(struct complaints *c)
{
    buf_release(&c->text);
}

/* The list is closed at any time: a further one opens it again. */
static void add(struct complaints *c, const char *where, const struct buf *place, const char *detail)
{
    size_t closed = c->text.length;

    if (closed)
        c->text.length--;
    buf_append_text(&c->text, closed ? ",{\"" : ",\"errors\":[{\"");
    buf_append_text(&c->text, where);
    buf_append_text(&c->text, "\":");
    json_write_string(&c->text, place->data, place->length);
    json_write_member(&c->text, "detail", detail);
    buf_append_text(&c->text, "}]");
    c->count++;
    if (buf_is_overflown(&c->text)) { /* the first ones must do */
        c->text.is_overflown = false;
        c->text.length = closed - 1;
        c->text.data[c->text.length] = '\0';
        buf_append_char(&c->text, ']');
    }
}

void complain_pointer(struct complaints *c, const char *base, const char *name, const char *detail)
{
    AUTO_BUF struct buf place = BUF(PLACE_SIZE);

    buf_append_text(&place, c->prefix);
    buf_append_text(&place, base);
    if (name)
        json_write_pointer_step(&place, name);
    add(c, "pointer", &place, detail);
}

void complain_parameter(struct complaints *c, const char *name, const char *detail)
{
    AUTO_BUF struct buf place = BUF(PLACE_SIZE);

    buf_append(&place, name, strnlen(name, PLACE_SIZE));
    add(c, "parameter", &place, detail);
}

bool complaints_check(struct complaints *c, struct error *e)
{
    if (c->count == 0)
        return true;
    return error_set(e, ERROR_INVALID, "%zu of the values %s not valid: see errors", c->count,
        c->count == 1 ? "is" : "are");
}
