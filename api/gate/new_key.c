#include "api/gate/new_key.h"
#include "api/gate/keyring.h"
#include "common/base/json.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- the entry ---- */

static json_t *list_of(const char *text)
{
    json_t *list = json_array();

    while (*text) {
        size_t length = strcspn(text, ", ");

        if (length)
            json_array_append_new(list, json_stringn(text, length));
        text += length;
        text += strspn(text, ", ");
    }
    return list;
}

static const struct option options[] = {
    {"new-key", required_argument, NULL, 'n'},
    {"scopes", required_argument, NULL, 's'},
    {"owner", required_argument, NULL, 'o'},
    {"rate", required_argument, NULL, 'r'},
    {"queues", required_argument, NULL, 'q'},
    {"types", required_argument, NULL, 't'},
    {"expires-at", required_argument, NULL, 'e'},
    {NULL, 0, NULL, 0},
};

/* Returns the entry that the options describe, without its hash (json_decref); NULL for a wrong option. */
static json_t *read_options(int argc, char **argv)
{
    AUTO(json) json_t *entry = json_object();
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            json_object_set_new(entry, "name", json_string(optarg));
            break;
        case 's':
            json_object_set_new(entry, "scopes", list_of(optarg));
            break;
        case 'o':
            json_object_set_new(entry, "owner", json_string(optarg));
            break;
        case 'r':
            json_object_set_new(entry, "rate", json_string(optarg));
            break;
        case 'q':
            json_object_set_new(entry, "queues", list_of(optarg));
            break;
        case 't':
            json_object_set_new(entry, "types", list_of(optarg));
            break;
        case 'e':
            json_object_set_new(entry, "expires_at", json_string(optarg));
            break;
        default:
            return NULL;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: \"%s\" is not an option\n", argv[0], argv[optind]);
        return NULL;
    }
    return json_incref(entry);
}

/* ---- the file ---- */

/* Returns the file's document (json_decref), an empty one when there is none. */
static json_t *read_document(const char *path, struct error *e)
{
    AUTO(free) char *text = NULL;
    struct keyring *k;
    size_t length;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return json_pack("{s:[]}", "keys");
    text = keys_file_read(path, &length, e);
    k = text ? keyring_parse(text, length, e) : NULL;
    if (!k)
        return NULL;
    keyring_free(k);
    return json_parse(text, length, e);
}

/* Whether the document with the entry in it is a right one. */
static bool check_document(const json_t *document, struct error *e)
{
    AUTO(free) char *text = json_dumps(document, JSON_COMPACT);
    struct keyring *k = text ? keyring_parse(text, strlen(text), e) : NULL;

    keyring_free(k);
    return k != NULL;
}

static bool write_whole(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        ssize_t n = write(fd, text, left);

        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

/* Beside the file, and then in its place: who reads it finds the old one or the new one. */
static bool replace_file(const char *path, const json_t *document, struct error *e)
{
    AUTO(free) char *text = json_dumps(document, JSON_INDENT(2));
    char beside[PATH_MAX + 8];
    struct stat old;
    bool is_there = stat(path, &old) == 0;
    bool is_done;
    int fd;

    snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return error_set(e, ERROR_INVALID, "%.150s: %s", path, strerror(errno));
    is_done = text && write_whole(fd, text) && write_whole(fd, "\n") &&
              (!is_there || (fchmod(fd, old.st_mode & 07777) == 0 &&
                                (fchown(fd, old.st_uid, old.st_gid) == 0 || errno == EPERM)));
    is_done = close(fd) == 0 && is_done && rename(beside, path) == 0;
    if (is_done)
        return true;
    error_set(e, ERROR_INVALID, "%.150s: %s", path, strerror(errno));
    unlink(beside);
    return false;
}

/* Holds the file's directory for the time of the change. */
static bool add_to_file(const char *path, json_t *entry, struct error *e)
{
    char real[PATH_MAX];
    char folder[PATH_MAX];
    AUTO(json) json_t *document = NULL;
    bool is_done = false;
    int lock;

    if (!realpath(path, real))
        snprintf(real, sizeof(real), "%s", path);
    snprintf(folder, sizeof(folder), "%s", real);
    lock = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        error_set(e, ERROR_INVALID, "%.150s: %s", path, strerror(errno));
    else if ((document = read_document(real, e))) {
        json_array_append(json_object_get(document, "keys"), entry);
        is_done = check_document(document, e) && replace_file(real, document, e);
    }
    if (lock >= 0)
        close(lock);
    return is_done;
}

/* ---- the command ---- */

bool new_key_is_asked(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--new-key", strlen("--new-key")) == 0)
            return true;
    return false;
}

static bool show_entry(json_t *entry, const char *key, struct error *e)
{
    AUTO(json) json_t *document = json_pack("{s:[O]}", "keys", entry);
    AUTO(free) char *text = json_dumps(entry, JSON_COMPACT);

    if (!text || !check_document(document, e))
        return false;
    printf("%s\n%s\n", key, text);
    fputs("The first line is the key: it is shown this once. The second is its entry for \"keys\" in "
          "API_KEYS_FILE.\n",
        stderr);
    return true;
}

static bool store_entry(const char *keys_file, json_t *entry, const char *key, struct error *e)
{
    if (!add_to_file(keys_file, entry, e))
        return false;
    printf("%s\n", key);
    fprintf(stderr, "This is the key: it is shown this once. Its hash stands in %s.\n", keys_file);
    return true;
}

int new_key_main(int argc, char **argv, const char *keys_file)
{
    AUTO(json) json_t *entry = read_options(argc, argv);
    char key[API_KEY_SIZE];
    char hash[API_KEY_HASH_SIZE];
    struct error e;
    bool is_done;

    if (!entry) {
        fprintf(stderr,
            "Usage: %s --new-key NAME --scopes submit,read,admin [--owner NAME] [--rate 100/s]\n"
            "       [--queues NAME,…] [--types NAME,…] [--expires-at 2027-01-31T00:00:00Z]\n",
            argv[0]);
        return EX_USAGE;
    }
    api_key_generate(key, hash);
    json_object_set_new(entry, "sha256", json_string(hash));
    is_done = keys_file && *keys_file ? store_entry(keys_file, entry, key, &e) : show_entry(entry, key, &e);
    OPENSSL_cleanse(key, sizeof(key));
    if (is_done && fflush(stdout) == 0)
        return EX_OK;
    fprintf(stderr, "%s: no key was made: %s\n", argv[0], e.text);
    return EX_CANTCREAT;
}
