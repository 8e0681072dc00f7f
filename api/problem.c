#include "api/problem.h"
#include "common/base/json.h"

void problem_write(struct buf *out, const struct error *e, const char *members)
{
    buf_printf(out, "{\"type\":\"urn:jobgate:problem:%s\"", error_name(e->code));
    json_write_member(out, "title", error_title(e->code));
    buf_printf(out, ",\"status\":%d", error_http_status(e->code));
    json_write_member(out, "code", error_name(e->code));
    json_write_member(out, "detail", e->text);
    buf_append_text(out, members ? members : "");
    buf_append_text(out, "}\n");
}
