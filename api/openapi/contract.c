/* /openapi.json, and /docs, which reads it: made or embedded, and the same for everybody. */
#include "api/openapi/openapi.h"
#include "api/api.h"
#include "api/openapi/embedded.h"
#include "api/routes.h"

enum { DOCUMENT_MAX = 1 << 20 };

#define POLICY                                                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "           \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

void contract_show(struct exchange *x)
{
    AUTO_BUF struct buf document = BUF(DOCUMENT_MAX);
    struct error e;

    if (!openapi_write(routes(), &document, &e)) {
        exchange_problem(x, &e, NULL);
        return;
    }
    exchange_add_header(x, "Cache-Control", "max-age=300");
    exchange_reply(x, 200, "application/json", document.data, document.length);
}

static void reply_file(struct exchange *x, const char *content_type, const char *text)
{
    exchange_add_header(x, "Content-Security-Policy", POLICY);
    exchange_add_header(x, "X-Content-Type-Options", "nosniff");
    exchange_add_header(x, "Referrer-Policy", "no-referrer");
    exchange_add_header(x, "Cache-Control", "max-age=300");
    exchange_reply(x, 200, content_type, text, strlen(text));
}

void docs_page(struct exchange *x)
{
    reply_file(x, "text/html; charset=utf-8", embedded_docs_html);
}

void docs_script(struct exchange *x)
{
    reply_file(x, "text/javascript; charset=utf-8", embedded_docs_js);
}

void docs_style(struct exchange *x)
{
    reply_file(x, "text/css; charset=utf-8", embedded_docs_css);
}
