#include "common/net/webhook.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define PREFIX "whsec_"

enum { DIGEST_SIZE = 32, TEXT_SIZE = 45 /* of a digest in base64, with a NUL */ };

/* Base64 with its padding, whole. Returns how many bytes, 0 when it is none. */
static size_t decode(const char *text, size_t length, uint8_t out[WEBHOOK_KEY_MAX + 3])
{
    size_t padding = length >= 2 && text[length - 1] == '=' ? (text[length - 2] == '=' ? 2 : 1) : 0;
    int decoded;

    if (length == 0 || length % 4 || length / 4 * 3 > WEBHOOK_KEY_MAX + 2 ||
        memchr(text, '=', length - padding))
        return 0;
    decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)length);
    return decoded < 0 ? 0 : (size_t)decoded - padding;
}

static bool add(struct webhook_keys *k, const char *word, size_t length)
{
    uint8_t bytes[WEBHOOK_KEY_MAX + 3];
    size_t prefix = strlen(PREFIX);
    size_t decoded = 0;

    if (k->count < WEBHOOK_SECRETS_MAX && length > prefix && memcmp(word, PREFIX, prefix) == 0)
        decoded = decode(word + prefix, length - prefix, bytes);
    if (decoded >= WEBHOOK_KEY_MIN && decoded <= WEBHOOK_KEY_MAX) {
        memcpy(k->keys[k->count].bytes, bytes, decoded);
        k->keys[k->count++].length = decoded;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return decoded >= WEBHOOK_KEY_MIN && decoded <= WEBHOOK_KEY_MAX;
}

bool webhook_keys_parse(const char *text, struct webhook_keys *out, struct error *e)
{
    struct webhook_keys k = {.count = 0};
    size_t number = 1;

    for (;; number++) {
        size_t length;

        text += strspn(text, ", \t\r\n");
        length = strcspn(text, ", \t\r\n");
        if (length == 0)
            break;
        if (!add(&k, text, length)) {
            webhook_keys_wipe(&k);
            return error_set(e, ERROR_INVALID,
                "the secret number %zu is not \"" PREFIX
                "\" and %d to %d bytes in base64, or one more than %d: make "
                "one with printf " PREFIX "; openssl rand -base64 32",
                number, (int)WEBHOOK_KEY_MIN, (int)WEBHOOK_KEY_MAX, (int)WEBHOOK_SECRETS_MAX);
        }
        text += length;
    }
    *out = k;
    webhook_keys_wipe(&k);
    return true;
}

void webhook_keys_wipe(struct webhook_keys *k)
{
    OPENSSL_cleanse(k, sizeof(*k));
}

void webhook_sign(const struct webhook_keys *k, const char *id, int64_t unix_s, const void *body,
    size_t length, struct buf *out)
{
    AUTO_BUF struct buf message = BUF(length + 512);

    buf_printf(&message, "%s.%lld.", id, (long long)unix_s);
    buf_append(&message, body, length);
    for (size_t i = 0; i < k->count; i++) {
        uint8_t digest[DIGEST_SIZE];
        unsigned char text[TEXT_SIZE];

        HMAC(EVP_sha256(), k->keys[i].bytes, (int)k->keys[i].length, (const unsigned char *)message.data,
            message.length, digest, NULL);
        EVP_EncodeBlock(text, digest, sizeof(digest));
        buf_printf(out, "%sv1,%s", i ? " " : "", text);
    }
}
