#include "api/gate/gate.h"
#include "api/server.h"
#include "common/base/mem.h"

struct gate {
    struct caller *anybody; /* who asks, with AUTH=none */
};

struct gate *gate_new(const struct config *UNUSED(config))
{
    struct gate *g = mem_zalloc(sizeof(*g));

    g->anybody = caller_new("anybody", "");
    g->anybody->scopes = SCOPE_SUBMIT | SCOPE_READ | SCOPE_ADMIN;
    return g;
}

struct gate *gate_free(struct gate *g)
{
    if (g)
        caller_release(g->anybody);
    free(g);
    return NULL;
}

void gate_enter(struct gate *g, struct exchange *x, void (*admitted)(struct exchange *x))
{
    struct error e;

    x->caller = caller_keep(g->anybody);
    if (caller_has_scope(x->caller, x->route->scope, &e))
        admitted(x);
    else
        exchange_problem(x, &e, NULL);
}
