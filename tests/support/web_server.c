#include "tests/support/web_server.h"

#include <check.h>

enum { WAIT_MS = 60000 };

static const char script[] =
    "const http = require('http'), https = require('https'), fs = require('fs');\n"
    "let once = 0;\n"
    "function whole(request, then) {\n"
    "    let length = 0;\n"
    "    request.on('data', (chunk) => { length += chunk.length; });\n"
    "    request.on('end', () => then(length));\n"
    "}\n"
    "function answer(request, response) {\n"
    "    const url = new URL(request.url, 'http://x'), get = (name) => url.searchParams.get(name);\n"
    "    switch (url.pathname) {\n"
    "    case '/echo': response.writeHead(200, {'Content-Type': 'text/csv'}); request.pipe(response); "
    "break;\n"
    "    case '/headers': whole(request, (length) => response.end(JSON.stringify(\n"
    "        {method: request.method, url: request.url, length, ...request.headers}))); break;\n"
    "    case '/status': whole(request, () => { response.writeHead(+get('s'),\n"
    "        get('after') ? {'Retry-After': get('after')} : {}); response.end(get('b') || ''); }); break;\n"
    "    case '/hang': break;\n"
    "    case '/reset': request.socket.destroy(); break;\n"
    "    case '/half': response.writeHead(200, {'Content-Length': 100}); response.write('half');\n"
    "        setTimeout(() => request.socket.destroy(), 50); break;\n"
    "    case '/zeros': whole(request, () => response.end(Buffer.alloc(+get('n')))); break;\n"
    "    case '/once': whole(request, () => { response.writeHead(once++ ? 200 : 401);\n"
    "        response.end(request.headers.authorization); }); break;\n"
    "    default: response.writeHead(404); response.end('nothing here');\n"
    "    }\n"
    "}\n"
    "const plain = http.createServer(answer).listen(0, '127.0.0.1', () => {\n"
    "    const tls = https.createServer({cert: fs.readFileSync(process.env.CERT), key: "
    "fs.readFileSync(process.env.KEY)},\n"
    "        answer).listen(0, '127.0.0.1', () => console.log('ports %d %d', plain.address().port, "
    "tls.address().port));\n"
    "});\n";

void web_server_start(struct web_server *w)
{
    char certificate[CERTIFICATE_PATH_SIZE + 8];
    char key[CERTIFICATE_PATH_SIZE + 8];
    AUTO(free) char *line = NULL;
    char *end;

    certificate_make(&w->certificate, NULL);
    snprintf(certificate, sizeof(certificate), "CERT=%s", w->certificate.certificate);
    snprintf(key, sizeof(key), "KEY=%s", w->certificate.key);
    w->process =
        process_start((const char *[]){"node", "-e", script, NULL}, (const char *[]){certificate, key, NULL});
    line = process_find_line(w->process, "ports ", WAIT_MS);
    ck_assert_ptr_nonnull(line);
    w->port = (int)strtol(line + strlen("ports "), &end, 10);
    w->tls_port = (int)strtol(end, NULL, 10);
    ck_assert(w->port > 0 && w->tls_port > 0);
    setenv("SSL_CERT_FILE", w->certificate.authority, 1);
}

void web_server_stop(struct web_server *w)
{
    w->process = process_free(w->process);
    certificate_remove(&w->certificate);
}
