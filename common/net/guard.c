#include "common/net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const char *const refused[] = {
    /* IPv4 */
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "168.63.129.16/32", /* Azure's own: the host behind a virtual machine */
    /* IPv6 */
    "::/127",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
};

enum { MAPPED_BITS = 96 };

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void map_ipv4(const void *ipv4, uint8_t out[16])
{
    memcpy(out, mapped_prefix, sizeof(mapped_prefix));
    memcpy(out + sizeof(mapped_prefix), ipv4, 4);
}

/* An address with or without a prefix length. */
static bool read_network(const char *text, struct guard_network *out)
{
    char copy[INET6_ADDRSTRLEN + 8];
    char *slash;
    char *end = NULL;
    uint8_t ipv4[4];
    bool is_ipv4;
    long bits;

    if (strlen(text) >= sizeof(copy))
        return false;
    memcpy(copy, text, strlen(text) + 1);
    slash = strchr(copy, '/');
    if (slash)
        *slash++ = '\0';
    is_ipv4 = inet_pton(AF_INET, copy, ipv4) == 1;
    if (is_ipv4)
        map_ipv4(ipv4, out->address);
    else if (inet_pton(AF_INET6, copy, out->address) != 1)
        return false;
    bits = slash ? strtol(slash, &end, 10) : is_ipv4 ? 32 : 128;
    if ((slash && (end == slash || *end || *slash == '-' || *slash == '+')) || bits < 0 ||
        bits > (is_ipv4 ? 32 : 128))
        return false;
    out->bits = (int)bits + (is_ipv4 ? MAPPED_BITS : 0);
    return true;
}

static bool is_in(const struct guard_network *n, const uint8_t address[16])
{
    int bytes = n->bits / 8;
    int rest = n->bits % 8;

    if (memcmp(n->address, address, (size_t)bytes) != 0)
        return false;
    return rest == 0 || (n->address[bytes] ^ address[bytes]) >> (8 - rest) == 0;
}

bool guard_parse(const char *text, struct guard *out, struct error *e)
{
    struct guard g = {0};

    for (;;) {
        char word[64];
        size_t length;

        text += strspn(text, ", \t");
        length = strcspn(text, ", \t");
        if (length == 0)
            break;
        snprintf(word, sizeof(word), "%.*s", (int)length, text);
        if (g.count == GUARD_NETWORKS_MAX)
            return error_set(e, ERROR_INVALID, "there are more than %d networks", (int)GUARD_NETWORKS_MAX);
        if (length >= sizeof(word) || !read_network(word, &g.allowed[g.count++]))
            return error_set(e, ERROR_INVALID,
                "\"%s\" is no network such as 10.1.0.0/16 or fd00::/8, and no address", word);
        text += length;
    }
    *out = g;
    return true;
}

/* The IPv4 address that an IPv6 one stands for: NAT64 and 6to4 lead to it. Source: RFC 6052, RFC 3056. */
static bool find_embedded(const uint8_t address[16], uint8_t out[16])
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t compatible[12] = {0};

    if (memcmp(address, nat64, sizeof(nat64)) == 0 || memcmp(address, compatible, sizeof(compatible)) == 0)
        map_ipv4(address + 12, out);
    else if (address[0] == 0x20 && address[1] == 0x02)
        map_ipv4(address + 2, out);
    else
        return false;
    return true;
}

static bool is_refused(const uint8_t address[16])
{
    struct guard_network network;
    uint8_t embedded[16];

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
        if (read_network(refused[i], &network) && is_in(&network, address))
            return true;
    return find_embedded(address, embedded) && is_refused(embedded);
}

static bool allows(const struct guard *g, const uint8_t address[16])
{
    for (size_t i = 0; i < g->count; i++)
        if (is_in(&g->allowed[i], address))
            return true;
    return !is_refused(address);
}

bool guard_allows(const struct guard *g, const struct sockaddr *address)
{
    uint8_t bytes[16];

    if (address->sa_family == AF_INET)
        map_ipv4(&((const struct sockaddr_in *)(const void *)address)->sin_addr, bytes);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, sizeof(bytes));
    else
        return false;
    return allows(g, bytes);
}

bool guard_allows_host(const struct guard *g, const char *host)
{
    struct in_addr loose;
    struct guard_network network;
    uint8_t bytes[16];

    if (inet_aton(host, &loose)) { /* also 127.1 and 0x7f000001, which resolvers take for addresses */
        map_ipv4(&loose, bytes);
        return allows(g, bytes);
    }
    return strchr(host, '/') || !read_network(host, &network) || allows(g, network.address);
}
