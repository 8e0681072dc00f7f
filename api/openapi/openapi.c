#include "api/openapi/openapi.h"
#include "api/openapi/embedded.h"
#include "common/base/json.h"
#include "common/base/version.h"

enum { PATH_SIZE = 256 };

static const char *method_of(const struct route *route)
{
    switch (route->method) {
    case EVHTTP_REQ_GET:
        return "get";
    case EVHTTP_REQ_POST:
        return "post";
    case EVHTTP_REQ_PUT:
        return "put";
    case EVHTTP_REQ_DELETE:
        return "delete";
    default:
        return NULL;
    }
}

/* The pattern with the names of its parameters: /v1/jobs/{} is /v1/jobs/{id}. */
static bool write_path(const struct route *route, const json_t *names, char out[PATH_SIZE])
{
    size_t length = 0;
    size_t used = 0;

    for (const char *at = route->pattern; *at && length < PATH_SIZE - 1; at++) {
        const char *name = *at == '{' ? json_string_value(json_array_get(names, used++)) : NULL;

        if (*at == '{' && !name)
            return false;
        if (name) {
            length += (size_t)snprintf(out + length, PATH_SIZE - length, "{%s}", name);
            at++;
        } else {
            out[length++] = *at;
        }
    }
    out[length] = '\0';
    return used == json_array_size(names);
}

/* The parameters: those of the path, then those that the contract names. */
static json_t *make_parameters(const json_t *entry)
{
    json_t *parameters = json_array();
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(entry, "path"), i, value)
        json_array_append_new(parameters, json_pack("{s:O, s:s, s:b, s:{s:s}}", "name", value, "in", "path",
                                              "required", 1, "schema", "type", "string"));
    json_array_extend(parameters, json_object_get(entry, "parameters"));
    return parameters;
}

/* Everybody gets what is public; else a key or a token, whose scope is told for people. */
static void set_scope(json_t *operation, enum scope scope)
{
    const char *name = scope == SCOPE_SUBMIT ? "submit" : scope == SCOPE_READ ? "read" : "admin";

    if (scope == SCOPE_PUBLIC) {
        json_object_set_new(operation, "security", json_array());
        return;
    }
    json_object_set_new(operation, "x-scope", json_string(name));
    json_object_set_new(operation, "security", json_pack("[{s:[]}, {s:[]}, {}]", "key", "header"));
}

static json_t *make_operation(const struct route *route, const json_t *entry)
{
    json_t *operation = json_pack("{s:s, s:[O], s:O}", "operationId", route->operation, "tags",
        json_object_get(entry, "tag"), "summary", json_object_get(entry, "summary"));
    json_t *parameters = make_parameters(entry);
    json_t *responses = json_deep_copy(json_object_get(entry, "responses"));

    json_object_set(operation, "description", json_object_get(entry, "description"));
    if (json_array_size(parameters))
        json_object_set(operation, "parameters", parameters);
    json_object_set(operation, "requestBody", json_object_get(entry, "body"));
    json_object_set_new(responses, "default", json_pack("{s:s}", "$ref", "#/components/responses/Problem"));
    json_object_set_new(operation, "responses", responses);
    set_scope(operation, route->scope);
    json_decref(parameters);
    return operation;
}

static bool add_route(json_t *paths, const struct route *route, json_t *operations, struct error *e)
{
    const json_t *entry = json_object_get(operations, route->operation);
    const char *method = method_of(route);
    char path[PATH_SIZE];
    json_t *item;

    if (!entry || !method || !write_path(route, json_object_get(entry, "path"), path))
        return error_set(
            e, ERROR_INTERNAL, "contract.json does not describe %s of %s", route->operation, route->pattern);
    item = json_object_get(paths, path);
    if (!item) {
        item = json_object();
        json_object_set_new(paths, path, item);
    }
    json_object_set_new(item, method, make_operation(route, entry));
    return true;
}

static json_t *make_paths(const struct route *routes, json_t *operations, struct error *e)
{
    json_t *paths = json_object();
    size_t count = 0;

    for (const struct route *route = routes; route->pattern; route++)
        if (route->operation) {
            if (!add_route(paths, route, operations, e)) {
                json_decref(paths);
                return NULL;
            }
            count++;
        }
    if (count != json_object_size(operations)) {
        error_set(e, ERROR_INTERNAL, "contract.json describes %zu operations, and the routes have %zu",
            json_object_size(operations), count);
        json_decref(paths);
        return NULL;
    }
    return paths;
}

bool openapi_write(const struct route *routes, struct buf *out, struct error *e)
{
    AUTO(json) json_t *contract = json_parse(embedded_contract_json, strlen(embedded_contract_json), e);
    AUTO(json) json_t *document = NULL;
    json_t *paths;

    if (!contract)
        return false;
    paths = make_paths(routes, json_object_get(contract, "operations"), e);
    if (!paths)
        return false;
    json_object_set_new(json_object_get(contract, "info"), "version", json_string(version_text()));
    document = json_pack("{s:s, s:O, s:O, s:o, s:O}", "openapi", "3.1.0", "info",
        json_object_get(contract, "info"), "tags", json_object_get(contract, "tags"), "paths", paths,
        "components", json_object_get(contract, "components"));
    json_write_value(out, document);
    buf_append_char(out, '\n');
    return true;
}
