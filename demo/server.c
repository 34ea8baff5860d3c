/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The patient: an HTTP server with one thread a connection and an ill for each step (steps.h).
 *
 *   /               answers "hello world" after doing what the present step says
 *   /goto?step=N    switches to step N, undoing the one before
 *   SIGUSR1         logs how to see every thread; SIGINT and SIGTERM end the server
 *
 * It shares no code with loiter.
 */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "steps.h"

#define DEFAULT_LISTEN "127.0.0.1:6060"
#define LISTEN_BACKLOG 128

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status,
				   const char *text)
{
	struct MHD_Response *response;
	enum MHD_Result queued;

	response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				"text/plain; charset=utf-8");
	queued = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result handle_hello(struct MHD_Connection *connection)
{
	uint64_t begin_ns = clock_ns(), generation;
	const struct step *step = step_current(&generation);
	char duration[LOG_DURATION_BYTES];

	log_line("Starting processing request...");
	if (step->request)
		step->request(generation);
	log_format_duration(clock_ns() - begin_ns, duration);
	log_line("Request processed in %s", duration);
	return answer_text(connection, MHD_HTTP_OK, "hello world");
}

static enum MHD_Result handle_goto(struct MHD_Connection *connection)
{
	const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "step");
	const struct step *step;
	unsigned int idx;
	char answer[64];

	if (!text || text[0] < '0' || text[0] >= '0' + STEP_CNT || text[1] != '\0')
		return answer_text(connection, MHD_HTTP_BAD_REQUEST, "invalid step");
	idx = (unsigned int)(text[0] - '0');
	step = step_switch(idx);
	log_line("switched to step %u: %s", idx, step->ill);
	snprintf(answer, sizeof(answer), "switched to step %u", idx);
	return answer_text(connection, MHD_HTTP_OK, answer);
}

static const struct route {
	const char *path;
	enum MHD_Result (*handle)(struct MHD_Connection *connection);
} routes[] = {
	{ "/", handle_hello },
	{ "/goto", handle_goto },
};

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_bytes, void **request_ctx)
{
	(void)ctx;
	(void)version;
	(void)upload;
	(void)upload_bytes;
	(void)request_ctx;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!strcmp(path, routes[i].path))
			return routes[i].handle(connection);
	}
	return answer_text(connection, MHD_HTTP_NOT_FOUND, "not found");
}

static bool is_port(const char *text)
{
	unsigned int port = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && port <= 65535; c++)
		port = port * 10 + (unsigned int)(*c - '0');
	return c != text && *c == '\0' && port <= 65535;
}

/* Splits "HOST:PORT" or "[HOST]:PORT" in place. Returns false when it is neither. */
static bool split_address(char *text, char **ret_host, char **ret_port)
{
	char *colon = strrchr(text, ':');

	if (!colon || colon == text || !is_port(colon + 1))
		return false;
	*colon = '\0';
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		text++;
	}
	*ret_host = text;
	*ret_port = colon + 1;
	return true;
}

/* Returns a listening socket on @address, or -1 with the reason printed. */
static int open_listener(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	char text[256], *host, *port;
	struct addrinfo *found;
	int err, fd, on = 1;

	if ((size_t)snprintf(text, sizeof(text), "%s", address) >= sizeof(text) ||
	    !split_address(text, &host, &port)) {
		fprintf(stderr, "demo-server: '%s' is not HOST:PORT\n", address);
		return -1;
	}
	err = getaddrinfo(host, port, &hints, &found);
	if (err) {
		fprintf(stderr, "demo-server: cannot resolve '%s': %s\n", host, gai_strerror(err));
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, LISTEN_BACKLOG)) {
		fprintf(stderr, "demo-server: cannot listen on '%s': %s\n", address,
			strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

/* Logs where the server really listens: port 0 lets the kernel choose. */
static void log_address(int listen_fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	bool v6;

	if (getsockname(listen_fd, (struct sockaddr *)&address, &size) ||
	    getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	v6 = address.ss_family == AF_INET6;
	log_line("listening on %s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

/* Returns when a signal asks the server to end. */
static void wait_for_end(const sigset_t *signals)
{
	for (;;) {
		int sig = sigwaitinfo(signals, NULL);

		if (sig == SIGINT || sig == SIGTERM) {
			log_line("ending: %s", sigdescr_np(sig));
			return;
		}
		if (sig == SIGUSR1)
			log_line("a native program cannot dump its own threads, loiter can: "
				 "sudo loiter dump -p %d",
				 (int)getpid());
	}
}

static int serve(int listen_fd, const sigset_t *signals)
{
	struct MHD_Daemon *daemon;

	log_line("PID %d", (int)getpid());
	log_address(listen_fd);
	/* Auto chooses poll over select: step 6 opens more files than select can take. */
	daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
					  MHD_USE_AUTO | MHD_USE_ERROR_LOG,
				  0, NULL, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET,
				  listen_fd, MHD_OPTION_END);
	if (!daemon) {
		fprintf(stderr, "demo-server: cannot start the HTTP server\n");
		close(listen_fd);
		return 1;
	}
	log_line("ready");
	wait_for_end(signals);
	/* A request that a step keeps waiting would keep the daemon from stopping. */
	step_switch(0);
	MHD_stop_daemon(daemon);
	return 0;
}

int main(int argc, char **argv)
{
	const char *address = DEFAULT_LISTEN;
	sigset_t signals;
	int listen_fd;

	if (argc == 3 && !strcmp(argv[1], "--listen")) {
		address = argv[2];
	} else if (argc == 2 && !strcmp(argv[1], "--help")) {
		printf("usage: demo-server [--listen HOST:PORT]   (default " DEFAULT_LISTEN ")\n");
		return 0;
	} else if (argc != 1) {
		fprintf(stderr, "usage: demo-server [--listen HOST:PORT]\n");
		return 2;
	}
	/* Before the first thread, so that all inherit it and only main takes signals. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	listen_fd = open_listener(address);
	if (listen_fd < 0)
		return 1;
	return serve(listen_fd, &signals);
}
