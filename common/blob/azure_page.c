#include "common/blob/azure_page.h"
#include "common/base/mem.h"
#include "common/blob/store.h"
#include "common/net/http_client.h"

#include <expat.h>

enum { DEPTH_MAX = 8, TEXT_MAX = 4096, META_FIELDS = 16, META_NAME_MAX = 24, META_TEXT_MAX = 512 };

/* What is known of the blob that is being read. */
struct fields {
    char meta_names[META_FIELDS][META_NAME_MAX];
    char meta_texts[META_FIELDS][META_TEXT_MAX];
    size_t meta_count;
};

struct reading {
    XML_Parser parser;
    struct azure_page *page;
    char path[DEPTH_MAX][32]; /* the elements that are open */
    int depth;
    struct buf text; /* of the innermost element */
    struct blob_item item;
    struct fields fields;
    bool is_page; /* the outermost element is the right one */
    bool has_ended;
};

static void stop(struct reading *r)
{
    XML_StopParser(r->parser, XML_FALSE);
}

/* Whether the open elements are these, from the third on ("Blob/Name"). */
static bool is_at(const struct reading *r, const char *a, const char *b, const char *c)
{
    int depth = 3 + (b != NULL) + (c != NULL);

    return r->depth == depth && strcmp(r->path[1], "Blobs") == 0 && strcmp(r->path[2], a) == 0 &&
           (!b || strcmp(r->path[3], b) == 0) && (!c || strcmp(r->path[4], c) == 0);
}

static const char *find_meta(const void *arg, const char *name)
{
    const struct fields *f = arg;

    for (size_t i = 0; i < f->meta_count; i++)
        if (strcasecmp(f->meta_names[i], name) == 0)
            return f->meta_texts[i];
    return NULL;
}

static void keep_meta(struct reading *r)
{
    struct fields *f = &r->fields;

    if (f->meta_count == META_FIELDS || strlen(r->path[4]) >= META_NAME_MAX)
        return;
    snprintf(f->meta_names[f->meta_count], META_NAME_MAX, "%.*s", META_NAME_MAX - 1, r->path[4]);
    snprintf(f->meta_texts[f->meta_count], META_TEXT_MAX, "%s", r->text.data);
    f->meta_count++;
}

/* One that is too long is none of ours, and its beginning might be. */
static void keep_name(struct reading *r)
{
    if (r->text.length < sizeof(r->item.name))
        snprintf(r->item.name, sizeof(r->item.name), "%s", r->text.data);
}

static void keep_property(struct reading *r)
{
    struct blob_properties *p = &r->item.properties;
    const char *name = r->path[4];
    const char *text = r->text.data;

    if (strcmp(name, "Content-Length") == 0)
        p->size = strtoll(text, NULL, 10);
    else if (strcmp(name, "Content-Type") == 0)
        blob_property_set(p->content_type, sizeof(p->content_type), text);
    else if (strcmp(name, "Content-MD5") == 0)
        blob_property_set(p->md5, sizeof(p->md5), text);
    else if (strcmp(name, "Last-Modified") == 0)
        p->modified_ms = http_date_parse(text);
    else if (strcmp(name, "Etag") == 0) /* headers have it in quotes, lists do not */
        snprintf(p->etag, sizeof(p->etag), *text == '"' ? "%.60s" : "\"%.60s\"", text);
}

static void keep_blob(struct reading *r)
{
    struct azure_page *page = r->page;

    if (page->count == BLOB_PAGE_MAX) {
        stop(r);
        return;
    }
    if (!blob_name_is_valid(r->item.name))
        return;
    blob_properties_set_meta(&r->item.properties, find_meta, &r->fields);
    page->items[page->count++] = r->item;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **UNUSED(attributes))
{
    struct reading *r = arg;

    if (r->depth == DEPTH_MAX || strlen(name) >= sizeof(r->path[0])) {
        stop(r);
        return;
    }
    snprintf(r->path[r->depth++], sizeof(r->path[0]), "%s", name);
    buf_reset(&r->text);
    if (r->depth == 1)
        r->is_page = strcmp(name, "EnumerationResults") == 0;
    if (is_at(r, "Blob", NULL, NULL)) {
        r->item = (struct blob_item){.properties = {.size = -1}};
        r->fields.meta_count = 0;
    }
}

static void XMLCALL on_end(void *arg, const XML_Char *UNUSED(name))
{
    struct reading *r = arg;

    if (is_at(r, "Blob", "Name", NULL))
        keep_name(r);
    else if (r->depth == 5 && is_at(r, "Blob", "Properties", r->path[4]))
        keep_property(r);
    else if (r->depth == 5 && is_at(r, "Blob", "Metadata", r->path[4]))
        keep_meta(r);
    else if (is_at(r, "Blob", NULL, NULL))
        keep_blob(r);
    else if (r->depth == 2 && strcmp(r->path[1], "NextMarker") == 0)
        buf_append(&r->page->next, r->text.data, r->text.length);
    r->depth--;
    r->has_ended |= r->depth == 0;
    buf_reset(&r->text);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int length)
{
    struct reading *r = arg;

    if (!buf_append(&r->text, text, (size_t)length))
        stop(r);
}

/* Entities of one's own come with a document type, which the service never sends. */
static void XMLCALL on_document_type(void *arg, const XML_Char *UNUSED(name), const XML_Char *UNUSED(system),
    const XML_Char *UNUSED(public), int UNUSED(has_subset))
{
    stop(arg);
}

bool azure_page_parse(struct azure_page *out, const char *text, size_t length, struct error *e)
{
    struct reading *r = mem_zalloc(sizeof(*r));
    bool is_right;

    *out = (struct azure_page){.items = mem_array(BLOB_PAGE_MAX, sizeof(*out->items))};
    buf_init(&out->next, AZURE_MARKER_MAX);
    r->page = out;
    r->parser = XML_ParserCreate(NULL);
    if (!r->parser)
        abort(); /* out of memory: mem.h's policy */
    buf_init(&r->text, TEXT_MAX);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_document_type);
    is_right = length < INT32_MAX && XML_Parse(r->parser, text, (int)length, XML_TRUE) == XML_STATUS_OK &&
               r->is_page && r->has_ended && !buf_is_overflown(&out->next);
    if (!is_right) {
        error_set(e, ERROR_STORE_REFUSED,
            "the list of blobs is none: %s; is the URL right, is a proxy between?",
            XML_ErrorString(XML_GetErrorCode(r->parser)));
        azure_page_release(out);
    }
    XML_ParserFree(r->parser);
    buf_release(&r->text);
    free(r);
    return is_right;
}

void azure_page_release(struct azure_page *p)
{
    free(p->items);
    p->items = NULL;
    p->count = 0;
    buf_release(&p->next);
}
