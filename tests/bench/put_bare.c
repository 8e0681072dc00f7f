/*
 * put_bare URL ACCOUNT KEY COUNT BYTES AT_ONCE: the limit of put_ours: plain libcurl multi with as many easy
 * handles, which are kept, and as many bytes of headers. Of what a client must do for each upload it does the
 * MD5 and the signature, and nothing else: no answer is looked at but its status. KEY is that of the account
 * in base64. Prints what put_ours does.
 */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/resource.h>

#include "common/base/mem.h"
#include "tests/bench/bench.h"

enum { TEXT_MAX = 4096 };

static long long count;
static long long begun;
static char *data;
static size_t size;
static const char *base;
static const char *account;
static unsigned char key[128];
static int key_length;

static size_t drop(char *UNUSED(bytes), size_t one, size_t length, void *UNUSED(arg))
{
    return one * length;
}

static void sign(const char *text, char out[64])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length;

    HMAC(EVP_sha256(), key, key_length, (const unsigned char *)text, strlen(text), mac, &length);
    EVP_EncodeBlock((unsigned char *)out, mac, (int)length);
}

static const char *path_of(const char *url)
{
    return strchr(url + strlen("http://"), '/');
}

static struct curl_slist *make_headers(const char *url, long long number)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char md5[32];
    char date[CLOCK_HTTP_DATE_SIZE];
    char text[TEXT_MAX];
    char signature[64];
    char line[TEXT_MAX];
    char request_id[32];
    struct curl_slist *list = NULL;
    char length[32] = "";

    EVP_Digest(data, size, digest, NULL, EVP_md5(), NULL);
    EVP_EncodeBlock((unsigned char *)md5, digest, 16);
    clock_format_http_date(clock_unix_ms(), date);
    snprintf(request_id, sizeof(request_id), "01KA2B3C4D5E6F%012lld", number);
    if (size)
        snprintf(length, sizeof(length), "%zu", size);
    snprintf(text, sizeof(text),
        "PUT\n\n\n%s\n%s\n\n\n\n\n*\n\n\nx-ms-blob-content-type:application/json\nx-ms-blob-type:BlockBlob\n"
        "x-ms-client-request-id:%s\nx-ms-date:%s\nx-ms-meta-attempt:1\nx-ms-meta-jobid:%s\n"
        "x-ms-meta-queue:default\nx-ms-meta-type:echo\nx-ms-meta-worker:host.01KA2B3C4D5E6F7G8H9JKMNPQR\n"
        "x-ms-version:2025-11-05\n/%s%s",
        length, md5, request_id, date, request_id, account, path_of(url));
    sign(text, signature);
    for (const char *const *fixed = (const char *const[]){"x-ms-version: 2025-11-05",
             "x-ms-blob-type: BlockBlob", "x-ms-blob-content-type: application/json", "If-None-Match: *",
             "x-ms-meta-attempt: 1", "x-ms-meta-type: echo", "x-ms-meta-queue: default",
             "x-ms-meta-worker: host.01KA2B3C4D5E6F7G8H9JKMNPQR", "Expect:", "Content-Type:", NULL};
         *fixed; fixed++)
        list = curl_slist_append(list, *fixed);
    snprintf(line, sizeof(line), "x-ms-date: %s", date);
    list = curl_slist_append(list, line);
    snprintf(line, sizeof(line), "x-ms-client-request-id: %s", request_id);
    list = curl_slist_append(list, line);
    snprintf(line, sizeof(line), "x-ms-meta-jobid: %s", request_id);
    list = curl_slist_append(list, line);
    snprintf(line, sizeof(line), "Content-MD5: %s", md5);
    list = curl_slist_append(list, line);
    snprintf(line, sizeof(line), "Authorization: SharedKey %s:%s", account, signature);
    return curl_slist_append(list, line);
}

static void begin(CURLM *multi, CURL *easy, struct curl_slist **headers)
{
    char url[512];

    snprintf(url, sizeof(url), "%s/results/ab/default/default.0.%zu.%lld", base, size, ++begun);
    curl_slist_free_all(*headers);
    *headers = make_headers(url, begun);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    curl_multi_add_handle(multi, easy);
}

static CURL *new_easy(struct curl_slist **headers)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, data);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, headers);
    return easy;
}

static void take_ended(CURLM *multi, long long *ended)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left))) {
        CURL *easy = message->easy_handle;
        struct curl_slist **headers = NULL;
        long status = 0;

        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&headers);
        if (message->data.result != CURLE_OK || status != 201)
            die("an upload failed: %s, %ld", curl_easy_strerror(message->data.result), status);
        curl_multi_remove_handle(multi, easy);
        ++*ended;
        if (begun < count)
            begin(multi, easy, headers);
    }
}

static double cpu_of_this(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
    CURLM *multi = curl_multi_init();
    long long at_once;
    struct curl_slist **headers;
    struct rusage usage;
    double cpu_before;
    int64_t started_us;
    int running;

    if (argc != 7)
        die("usage: put_bare URL ACCOUNT KEY COUNT BYTES AT_ONCE");
    base = argv[1];
    account = argv[2];
    key_length = EVP_DecodeBlock(key, (const unsigned char *)argv[3], (int)strlen(argv[3])) - 2;
    count = argument_number(argv[4], 1, 100000000);
    size = (size_t)argument_number(argv[5], 0, 1LL << 32);
    at_once = argument_number(argv[6], 1, 4096);
    data = mem_zalloc(size + 1);
    headers = mem_array((size_t)at_once, sizeof(struct curl_slist *));
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)at_once);
    cpu_before = cpu_of_this();
    started_us = clock_steady_us();
    for (long long i = 0; i < at_once && begun < count; i++)
        begin(multi, new_easy(&headers[i]), &headers[i]);
    for (long long ended = 0; ended < count;) {
        curl_multi_perform(multi, &running);
        take_ended(multi, &ended);
        if (ended < count)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("%.1f %.2f %.2f\n", (double)count * 1e6 / (double)(clock_steady_us() - started_us),
        (cpu_of_this() - cpu_before) / (double)count, (double)usage.ru_maxrss / 1024);
    return 0;
}
