#include "common/base/hash.h"

#include <openssl/evp.h>

void hash_text(const struct hash_part *parts, char out[HASH_TEXT_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        abort(); /* every OpenSSL has SHA-256: it is out of memory, mem.h's policy */
    for (; parts->data; parts++) {
        uint64_t length = parts->length;

        EVP_DigestUpdate(context, &length, sizeof(length));
        EVP_DigestUpdate(context, parts->data, parts->length);
    }
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
