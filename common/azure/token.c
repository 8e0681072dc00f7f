#include "common/azure/token.h"
#include "common/azure/answer.h"
#include "common/azure/token_answer.h"
#include "common/azure/token_request.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/http_client.h"

#include <openssl/crypto.h>
#include <sys/random.h>

enum {
    CONNECT_MS = 5000,
    CONNECT_NEAR_MS = 2000, /* IMDS answers at once or is not there */
    CALL_MS = 20000,
    ANSWER_MAX = 65536,
    IDLE_S = 30,
    SCOPE_SIZE = 256,
    REFRESH_EARLY_S = 300, /* a token is renewed at least so long before its end, if it lives long enough */
    REFRESH_AGAIN_MS = 30000, /* between refreshes that failed */
    HOLD_OFF_FIRST_MS = 1000, /* between fetches that failed while there is no token */
    HOLD_OFF_CEILING_MS = 30000,
};

enum state { IDLE, CALLING, WAITING };

struct token {
    struct loop *loop;
    const struct config *config;
    enum azure_way way;
    char scope[SCOPE_SIZE];
    token_outcome *on_outcome;
    void *arg;
    struct http_client *http;
    struct token_request request; /* while CALLING */
    enum state state;
    int64_t asked_at_ms; /* steady clock, like all of these */
    struct timer next;   /* the next try of a fetch */
    struct timer refresh;
    struct timer hold_off; /* tells the failure of before */
    int tries;             /* of this fetch */
    char *value;           /* NULL: none; a secret */
    int64_t expires_at_ms;
    int64_t dropped_at_ms; /* 0: never */
    int64_t hold_off_ms;
    int64_t held_off_until_ms;
    bool was_granted;
    struct error error; /* how the last fetch failed */
};

static const struct log_context log_context = {.component = "identity"};

static void call(void *arg);

static uint32_t random_bits(void)
{
    uint32_t bits = 0;

    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) < 0)
        bits = (uint32_t)clock_steady_us();
    return bits;
}

static void wipe_value(struct token *t)
{
    if (t->value)
        OPENSSL_cleanse(t->value, strlen(t->value));
    free(t->value);
    t->value = NULL;
}

const char *token_value(const struct token *t)
{
    return t->value && clock_steady_ms() < t->expires_at_ms ? t->value : NULL;
}

/* ---- the end of a fetch ---- */

static void take_grant(struct token *t, struct token_answer *a)
{
    wipe_value(t);
    t->value = a->token;
    a->token = NULL;
    t->expires_at_ms = t->asked_at_ms + a->expires_in_s * 1000;
    t->hold_off_ms = HOLD_OFF_FIRST_MS;
    t->held_off_until_ms = 0;
    t->state = IDLE;
    timer_start(&t->refresh, token_answer_refresh_ms(a, random_bits()));
    if (t->was_granted)
        log_debug(&log_context, "another token for %s was granted, for %lld s", t->scope,
            (long long)a->expires_in_s);
    else
        log_info(
            &log_context, "a token for %s was granted, for %lld s", t->scope, (long long)a->expires_in_s);
    t->was_granted = true;
    t->on_outcome(t->arg, NULL);
}

/* Of a token that is still good nobody else notices that it could not be renewed. */
static void give_up(struct token *t)
{
    bool is_good = token_value(t) != NULL;

    t->state = IDLE;
    if (is_good)
        log_warn(&log_context, "the token for %s could not be renewed: %s; it is good for %lld s more",
            t->scope, t->error.text, (long long)(t->expires_at_ms - clock_steady_ms()) / 1000);
    else
        t->held_off_until_ms = clock_steady_ms() + t->hold_off_ms;
    if (!is_good && t->hold_off_ms * 2 <= HOLD_OFF_CEILING_MS)
        t->hold_off_ms *= 2;
    timer_start(&t->refresh, REFRESH_AGAIN_MS);
    t->on_outcome(t->arg, &t->error);
}

/* ---- tries ---- */

static void try_again(struct token *t, enum token_verdict verdict, int64_t wait_ms)
{
    int64_t delay_ms = token_answer_delay_ms(verdict, t->tries, wait_ms, random_bits());

    if (t->tries >= token_answer_tries(t->way, verdict)) {
        give_up(t);
        return;
    }
    log_debug(&log_context, "another try in %lld ms: %s", (long long)delay_ms, t->error.text);
    t->state = WAITING;
    timer_start(&t->next, delay_ms);
}

static const char *find_header(const void *response, const char *name)
{
    return http_response_header(response, name);
}

static void on_answer(void *arg, const struct http_response *response, const struct error *e)
{
    struct token *t = arg;
    struct token_answer a;
    int64_t wait_ms;

    token_request_release(&t->request);
    if (e) {
        error_set(&t->error, ERROR_STORE_AWAY, "%s does not answer: %.150s",
            t->way == AZURE_WAY_WORKLOAD ? t->config->authority_host : "the metadata service (IMDS)",
            e->text);
        try_again(t, TOKEN_AGAIN, -1);
        return;
    }
    token_answer_read(
        &a, t->way, response->status, response->body.data, response->body.length, clock_unix_ms() / 1000);
    if (response->body.size)
        OPENSSL_cleanse(response->body.data, response->body.size);
    wait_ms = answer_wait_ms(find_header, response, clock_unix_ms());
    if (a.verdict == TOKEN_GRANTED) {
        take_grant(t, &a);
    } else {
        token_answer_explain(&a, t->way, &t->error);
        try_again(t, a.verdict, wait_ms);
    }
    token_answer_release(&a);
}

static void call(void *arg)
{
    static const struct http_events events = {.on_done = on_answer};
    struct token *t = arg;
    struct http_request request;
    struct error e;

    t->tries++;
    if (!token_request_make(&t->request, t->config, t->way, t->scope, &e)) {
        token_request_release(&t->request);
        error_set(&t->error, ERROR_STORE_AWAY, "%s", e.text);
        give_up(t);
        return;
    }
    t->state = CALLING;
    t->asked_at_ms = clock_steady_ms();
    request = (struct http_request){
        .method = t->request.method,
        .url = t->request.url,
        .headers = &t->request.header,
        .header_count = 1,
        .body = t->request.body.length ? t->request.body.data : NULL,
        .body_length = t->request.body.length,
        .connect_timeout_ms = t->way == AZURE_WAY_MANAGED ? CONNECT_NEAR_MS : CONNECT_MS,
        .timeout_ms = CALL_MS,
        .max_response_bytes = ANSWER_MAX,
    };
    http_send(t->http, &request, &events, t);
}

/* ---- beginning one ---- */

static void begin(struct token *t)
{
    timer_stop(&t->refresh);
    t->tries = 0;
    t->state = WAITING;
    timer_start(&t->next, 0);
}

/* A token that expired while nobody asked is fetched by whoever asks next. */
static void on_refresh(void *arg)
{
    struct token *t = arg;

    if (t->state == IDLE && token_value(t))
        begin(t);
}

static void on_held_off(void *arg)
{
    struct token *t = arg;

    t->on_outcome(t->arg, &t->error);
}

void token_fetch(struct token *t)
{
    if (t->state != IDLE || timer_is_running(&t->hold_off))
        return;
    if (clock_steady_ms() < t->held_off_until_ms)
        timer_start(&t->hold_off, 0);
    else
        begin(t);
}

bool token_drop(struct token *t)
{
    int64_t now_ms = clock_steady_ms();

    if (!t->value || (t->dropped_at_ms && now_ms - t->dropped_at_ms < TOKEN_DROP_MS))
        return false;
    t->dropped_at_ms = now_ms;
    wipe_value(t);
    return true;
}

/* ---- life ---- */

struct token *token_new(struct loop *l, const struct config *config, enum azure_way way, const char *scope,
    token_outcome *on_outcome, void *arg)
{
    struct token *t = mem_zalloc(sizeof(*t));

    t->loop = l;
    t->config = config;
    t->way = way;
    snprintf(t->scope, sizeof(t->scope), "%s", scope);
    t->on_outcome = on_outcome;
    t->arg = arg;
    t->hold_off_ms = HOLD_OFF_FIRST_MS;
    t->http = http_client_new(l, 2, IDLE_S);
    t->request.body = BUF(0);
    timer_init(&t->next, l, call, t);
    timer_init(&t->refresh, l, on_refresh, t);
    timer_init(&t->hold_off, l, on_held_off, t);
    return t;
}

struct token *token_free(struct token *t)
{
    if (!t)
        return NULL;
    timer_stop(&t->next);
    timer_stop(&t->refresh);
    timer_stop(&t->hold_off);
    http_client_free(t->http);
    token_request_release(&t->request);
    wipe_value(t);
    free(t);
    return NULL;
}
