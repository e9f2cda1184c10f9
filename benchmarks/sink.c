/* A fast SMTP sink for Linux: takes everything, keeps nothing. For measuring senders on loopback.
 *
 *   cc -O2 -std=c11 -Wall -Wextra -Werror -o sink benchmarks/sink.c
 *   ./sink [-p PORT] [-P] [-c] [-s SIZE] [-d MS] [-w FILE] [-m COUNT]
 *
 *   -p PORT  listen on 127.0.0.1:PORT (0, any free one, when left out); the port is printed on stdout
 *   -P       do not offer PIPELINING
 *   -c       offer CHUNKING
 *   -s SIZE  offer SIZE with this limit (0, none, when left out)
 *   -d MS    hold each batch of replies back for so many milliseconds, as a far server would
 *   -w FILE  append a line "recipient SP message-id" for each message that was accepted
 *   -m COUNT print "mail SECONDS" at the first MAIL and "taken SECONDS" at that many messages, on the monotonic clock
 *
 * SIGTERM or SIGINT ends it; it prints the messages, octets of content and connections it saw, and the seconds of
 * processor time it took. One thread, epoll, one buffer a connection. Content is thrown away unread but for its end;
 * with -w it is read. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 18, REPLIES = 8192, FIELD = 1024, EVENTS = 256, TAIL = 1024 };

enum mode { COMMANDS, CONTENT, CHUNK };

struct client {
    struct client *next, *previous;
    int descriptor;
    enum mode mode;
    bool last;           /* this chunk ends the message */
    bool fresh;          /* none of this content has been taken */
    bool headers;        /* the Message-ID may still come */
    bool closing;        /* after QUIT */
    unsigned recipients; /* of this transaction */
    uint64_t chunk;      /* octets of it that are still to come */
    uint64_t due;        /* when the replies may go, in nanoseconds; 0 for none */
    size_t held;         /* octets in the buffer */
    size_t said;         /* octets of replies that wait */
    char recipient[FIELD], identifier[FIELD];
    char replies[REPLIES];
    char buffer[ROOM + 1];
};

static struct client *clients;
static uint64_t messages, octets, connections, delay, milestone;
static bool pipelining = true, chunking, mail_seen;
static unsigned long limit;
static FILE *record;
static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void note(const char *what) {
    uint64_t time = now();
    printf("%s %llu.%09llu\n", what, (unsigned long long)(time / 1000000000u), (unsigned long long)(time % 1000000000u));
    fflush(stdout);
}

static void drop(struct client *client) {
    if (client->previous)
        client->previous->next = client->next;
    else
        clients = client->next;
    if (client->next)
        client->next->previous = client->previous;
    close(client->descriptor);
    free(client);
}

static void say(struct client *client, const char *text) {
    size_t length = strlen(text);
    if (client->said + length <= REPLIES) {
        memcpy(client->replies + client->said, text, length);
        client->said += length;
    }
}

/* Send what waits; false when the client is gone. Replies are short: a full socket is a client that does not read. */
static bool flush(struct client *client) {
    client->due = 0;
    if (client->said && send(client->descriptor, client->replies, client->said, MSG_NOSIGNAL) != (ssize_t)client->said)
        return false;
    client->said = 0;
    return !client->closing;
}

static void greet_back(struct client *client) {
    char line[64];
    say(client, "250-sink.localhost\r\n");
    if (pipelining)
        say(client, "250-PIPELINING\r\n");
    if (chunking)
        say(client, "250-CHUNKING\r\n");
    snprintf(line, sizeof line, "250-SIZE %lu\r\n250 8BITMIME\r\n", limit);
    say(client, line);
}

static void accepted(struct client *client) {
    messages++;
    if (messages == milestone)
        note("taken");
    if (record)
        fprintf(record, "%s %s\n", client->recipient, client->identifier);
    client->recipients = 0;
    say(client, "250 2.0.0 Ok: taken\r\n");
}

/* Copy what stands between the angle brackets of a line, without its end. */
static void bracketed(const char *line, size_t length, char *target) {
    const char *open = memchr(line, '<', length);
    const char *close = open ? memchr(open, '>', length - (size_t)(open - line)) : NULL;
    size_t size = close ? (size_t)(close - open - 1) : 0;
    if (size >= FIELD)
        size = FIELD - 1;
    if (size)
        memcpy(target, open + 1, size);
    target[size] = 0;
}

/* Look for the Message-ID in the head of the content; only the first piece of it is looked at. */
static void look_for_id(struct client *client, const char *content, size_t length) {
    static const char name[] = "\nMessage-ID:";
    client->headers = false;
    client->identifier[0] = 0;
    const char *found = memmem(content, length, name, sizeof name - 1);
    if (!found)
        return;
    found++;
    const char *end = memchr(found, '\n', length - (size_t)(found - content));
    bracketed(found, end ? (size_t)(end - found) : length - (size_t)(found - content), client->identifier);
}

static void begin_content(struct client *client, enum mode mode) {
    client->mode = mode;
    client->fresh = true;
    client->headers = record != NULL;
}

static void chunk(struct client *client, const char *line) {
    char *rest;
    client->chunk = strtoull(line + 5, &rest, 10);
    client->last = strncasecmp(rest, " LAST", 5) == 0;
    begin_content(client, CHUNK);
}

static void obey(struct client *client, const char *line, size_t length) {
    if (!strncasecmp(line, "MAIL", 4)) {
        if (milestone && !mail_seen) {
            mail_seen = true;
            note("mail");
        }
        say(client, "250 2.1.0 Ok\r\n");
    } else if (!strncasecmp(line, "RCPT", 4)) {
        bracketed(line, length, client->recipient);
        client->recipients++;
        say(client, "250 2.1.5 Ok\r\n");
    } else if (!strncasecmp(line, "DATA", 4)) {
        if (client->recipients) {
            say(client, "354 Go on\r\n");
            begin_content(client, CONTENT);
        } else {
            say(client, "503 5.5.1 Recipient first\r\n");
        }
    } else if (chunking && !strncasecmp(line, "BDAT ", 5)) {
        chunk(client, line);
    } else if (!strncasecmp(line, "EHLO", 4)) {
        greet_back(client);
    } else if (!strncasecmp(line, "HELO", 4)) {
        say(client, "250 sink.localhost\r\n");
    } else if (!strncasecmp(line, "RSET", 4)) {
        client->recipients = 0;
        say(client, "250 2.0.0 Ok\r\n");
    } else if (!strncasecmp(line, "QUIT", 4)) {
        say(client, "221 2.0.0 Bye\r\n");
        client->closing = true;
    } else {
        say(client, "502 5.5.2 Unknown\r\n");
    }
}

/* One command from the buffer: how many octets it was, 0 when it is not whole. */
static size_t take_command(struct client *client, char *start, size_t length) {
    char *end = memchr(start, '\n', length);
    if (!end)
        return 0;
    size_t used = (size_t)(end - start) + 1;
    *end = 0;
    obey(client, start, used);
    return used;
}

/* Content up to the final dot, which may stand alone. */
static size_t take_content(struct client *client, const char *start, size_t length) {
    if (client->fresh && length < 3)
        return 0;
    if (client->fresh && !memcmp(start, ".\r\n", 3)) {
        client->mode = COMMANDS;
        accepted(client);
        return 3;
    }
    if (client->headers && length < ROOM / 2 && !memmem(start, length, "\r\n\r\n", 4))
        return 0; /* the head is not whole */
    if (client->headers)
        look_for_id(client, start, length);
    client->fresh = false;
    const char *end = memmem(start, length, "\r\n.\r\n", 5);
    if (end) {
        octets += (uint64_t)(end - start) + 2;
        client->mode = COMMANDS;
        accepted(client);
        return (size_t)(end - start) + 5;
    }
    size_t used = length > 4 ? length - 4 : 0; /* the end may be cut in two */
    octets += used;
    return used;
}

static size_t take_chunk(struct client *client, const char *start, size_t length) {
    size_t used = length < client->chunk ? length : (size_t)client->chunk;
    if (client->headers && used) {
        if (used < client->chunk && length < ROOM / 2 && !memmem(start, used, "\r\n\r\n", 4))
            return 0;
        look_for_id(client, start, used);
    }
    client->chunk -= used;
    octets += used;
    if (client->chunk == 0) {
        client->mode = COMMANDS;
        if (client->last)
            accepted(client);
        else
            say(client, "250 2.0.0 Ok: chunk\r\n");
    }
    return used;
}

/* Work through the buffer; what is not whole moves to its front. */
static void digest(struct client *client) {
    size_t at = 0;
    while (!client->closing) {
        size_t left = client->held - at, used;
        char *start = client->buffer + at;
        enum mode before = client->mode;
        if (!left)
            break;
        if (before == COMMANDS)
            used = take_command(client, start, left);
        else if (before == CONTENT)
            used = take_content(client, start, left);
        else
            used = take_chunk(client, start, left);
        at += used;
        if (!used && client->mode == before)
            break;
    }
    client->held -= at;
    memmove(client->buffer, client->buffer + at, client->held);
}

/* Have the kernel throw content away unread, all but its tail: to copy it here costs as much as to send it, and this
 * processor is the sender's too. The end of the content is in the tail, as nobody says more behind it than that. */
static void discard(struct client *client) {
    int waiting = 0;
    if (client->mode != CONTENT || record || ioctl(client->descriptor, FIONREAD, &waiting) < 0)
        return;
    if (waiting > TAIL) {
        ssize_t gone = recv(client->descriptor, NULL, (size_t)(waiting - TAIL), MSG_TRUNC);
        if (gone > 0) {
            octets += client->held + (uint64_t)gone;
            client->held = 0;
            client->fresh = false;
        }
    }
}

/* Read what there is; false when the client is gone. */
static bool attend(struct client *client) {
    discard(client);
    ssize_t got = recv(client->descriptor, client->buffer + client->held, ROOM - client->held, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return false;
    client->held += (size_t)got;
    digest(client);
    if (client->held == ROOM)
        return false; /* a command without end */
    if (!client->said)
        return true;
    if (!delay)
        return flush(client);
    if (!client->due)
        client->due = now() + delay;
    return true;
}

static void welcome(int listener, int poll) {
    int on = 1, descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0)
        return;
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        fail("calloc");
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->descriptor = descriptor;
    client->next = clients;
    if (clients)
        clients->previous = client;
    clients = client;
    connections++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) < 0)
        fail("epoll_ctl");
    say(client, "220 sink.localhost ESMTP\r\n");
    if (!flush(client))
        drop(client);
}

/* Send every reply whose time has come; the milliseconds until the next, -1 for none. */
static int flush_due(void) {
    uint64_t time = now(), next = UINT64_MAX;
    for (struct client *client = clients, *after; client; client = after) {
        after = client->next;
        if (client->due && client->due <= time) {
            if (!flush(client))
                drop(client);
        } else if (client->due && client->due < next) {
            next = client->due;
        }
    }
    return next == UINT64_MAX ? -1 : (int)((next - time) / 1000000u) + 1;
}

static int open_listener(unsigned short port) {
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0)
        fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1024) < 0)
        fail("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        fail("getsockname");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void serve(int listener) {
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) < 0)
        fail("epoll");
    while (!stopped) {
        int count = epoll_wait(poll, events, EVENTS, delay ? flush_due() : -1);
        for (int index = 0; index < count; index++) {
            struct client *client = events[index].data.ptr;
            if (!client)
                welcome(listener, poll);
            else if (!attend(client))
                drop(client);
        }
    }
    while (clients)
        drop(clients);
    close(poll);
}

static void report(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("messages %llu octets %llu connections %llu seconds %.3f\n", (unsigned long long)messages,
           (unsigned long long)octets, (unsigned long long)connections, seconds);
}

int main(int count, char **arguments) {
    unsigned short port = 0;
    for (int option; (option = getopt(count, arguments, "p:Pcs:d:w:m:")) != -1;) {
        if (option == 'p')
            port = (unsigned short)strtoul(optarg, NULL, 10);
        else if (option == 'P')
            pipelining = false;
        else if (option == 'c')
            chunking = true;
        else if (option == 's')
            limit = strtoul(optarg, NULL, 10);
        else if (option == 'd')
            delay = strtoull(optarg, NULL, 10) * 1000000u;
        else if (option == 'm')
            milestone = strtoull(optarg, NULL, 10);
        else if (option == 'w')
            record = fopen(optarg, "ae");
        else
            return 2;
        if (option == 'w' && !record)
            fail(optarg);
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int listener = open_listener(port);
    serve(listener);
    close(listener);
    if (record && fclose(record))
        fail("close");
    report();
    return 0;
}
