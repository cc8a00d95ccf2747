/* A client of a Countersign room: cc client.c -o client -lssl -lcrypto && ./client BUNDLE HOST PORT
 *
 * Sends the lines of standard input, and prints what the server sends. Needs OpenSSL 3. */
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 65536 }; /* longer than any line of a server */
static char own_id[300]; /* " id=NAME" */
static int greeted;

static void fail(const char *words) {
    fprintf(stderr, "%s\n", words);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int reach(const char *host, const char *port) {
    struct addrinfo how = {.ai_socktype = SOCK_STREAM}, *one;
    if (getaddrinfo(host, port, &how, &one) != 0) fail("the host has no address");
    for (; one; one = one->ai_next) {
        int tcp = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (tcp >= 0 && connect(tcp, one->ai_addr, one->ai_addrlen) == 0) return tcp;
    }
    return fail("nobody listens there"), -1;
}

static SSL *shake(const char *bundle, const char *host, int tcp) {
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    if (SSL_CTX_use_certificate_file(tls, bundle, SSL_FILETYPE_PEM) != 1 || /* the first in it */
        SSL_CTX_use_PrivateKey_file(tls, bundle, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(tls, bundle, NULL) != 1) fail(bundle);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL); /* its CA, its dates, its purpose */
    SSL *link = SSL_new(tls);
    /* Its name: without these lines any server of this CA would do. */
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link), host) != 1) {
        SSL_set1_host(link, host);
        SSL_set_tlsext_host_name(link, host);
    }
    ERR_clear_error();
    if (SSL_set_fd(link, tcp) != 1 || SSL_connect(link) != 1) fail("no TLS with this server");
    return link;
}

/* The ID stands in the notes at the beginning of the bundle. */
static void read_own_id(const char *bundle) {
    char line[256], id[256] = "";
    FILE *file = fopen(bundle, "r");
    while (file && !id[0] && fgets(line, sizeof line, file)) sscanf(line, "# id = %255s", id);
    snprintf(own_id, sizeof own_id, " id=%s", id);
}

/* Prints a whole line. Returns whether the session goes on. */
static int hear(char *line) {
    line[strcspn(line, "\r")] = 0;
    if (!greeted && line[0] == '!') fail(line);
    printf("%s\n", line);
    fflush(stdout);
    if (!greeted && strncmp(line, "= welcome ", 10) == 0) {
        char *id = strstr(line, own_id);
        if (!id || id[strlen(own_id)] > ' ') fail("the server calls us by another name");
        greeted = 1; /* from here on we are in the room, and not before */
    }
    return strncmp(line, "= bye ", 6) != 0;
}

int main(int argc, char **argv) {
    if (argc != 4) fail("usage: client BUNDLE HOST PORT");
    signal(SIGPIPE, SIG_IGN);
    read_own_id(argv[1]);
    SSL *link = shake(argv[1], argv[2], reach(argv[2], argv[3]));
    static char waiting[LINE_BYTES_MAX], typed[4096];
    int held = 0, count;
    struct pollfd ends[2] = {{.fd = SSL_get_fd(link), .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    for (;;) {
        if (SSL_pending(link) == 0) poll(ends, greeted ? 2 : 1, -1);
        if (greeted && (ends[1].revents & (POLLIN | POLLHUP))) {
            count = read(0, typed, sizeof typed); /* bytes are passed on as they are */
            if (count <= 0) ends[1].fd = -1, ends[1].revents = 0;
            SSL_write(link, count > 0 ? typed : "\n/quit\n", count > 0 ? count : 7);
        }
        if (SSL_pending(link) == 0 && !(ends[0].revents & (POLLIN | POLLHUP))) continue;
        count = SSL_read(link, waiting + held, LINE_BYTES_MAX - held);
        if (count <= 0) fail(greeted ? "the connection was lost" : "no greeting"); /* the rest is no line */
        held += count;
        char *end, *from = waiting; /* lines are cut out of bytes, which may end within a character */
        for (; (end = memchr(from, '\n', waiting + held - from)); from = end + 1) {
            *end = 0;
            if (!hear(from)) return 0;
        }
        held = waiting + held - from;
        memmove(waiting, from, held);
        if (held == LINE_BYTES_MAX) fail("the server sends a line without end");
    }
}
