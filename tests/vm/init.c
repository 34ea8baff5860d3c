/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The first process of a VM: mounts what a distribution would, runs one command, says how it ended
 * and turns the VM off.
 *
 * The command is in /vm/job: the directory to run in and the words of the command, each ended by a
 * NUL. Its output, both streams through one pipe so that it does not take the line for a terminal,
 * goes out on ttyS0; its exit status in decimal on ttyS1, which stays silent when the kernel dies.
 * What the kernel says is on ttyS2 (console=), between two marks while the command runs.
 *
 * No limit is raised but that of open files, to what distributions have: loiter has to get along
 * with what a kernel gives by itself. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WORDS_MAX 1024
#define JOB_BYTES_MAX (256 << 10)
#define STATUS_NO_COMMAND 127
#define STATUS_SIGNAL 128
#define POLL_MS 20
#define FILES_SOFT 1024
#define FILES_HARD 524288

/* A kernel that lacks one of them is none the worse for it here: the tests will say. Not /tmp: what
 * came with the file system may be below it. */
static const struct {
	const char *type, *dir, *data;
} mounts[] = {
	{ "proc", "/proc", NULL },
	{ "sysfs", "/sys", NULL },
	{ "devtmpfs", "/dev", NULL },
	{ "devpts", "/dev/pts", "ptmxmode=0666" },
	{ "tmpfs", "/dev/shm", NULL },
	{ "tracefs", "/sys/kernel/tracing", NULL },
	{ "debugfs", "/sys/kernel/debug", NULL },
	{ "bpf", "/sys/fs/bpf", NULL },
	{ "cgroup2", "/sys/fs/cgroup", NULL },
	{ "cgroup", "/vm/cgroup1", "none,name=vm" },
};

static const char *const environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root",
	"LANG=C.UTF-8",
	"TERM=dumb",
	"LOITER_VM=1",
	NULL,
};

/* Puts a mount of the root on top of the root: pivot_root refuses to leave the first one. */
static void make_root_a_mount(void)
{
	mkdir("/vm/root", 0755);
	if (mount("/", "/vm/root", NULL, MS_BIND, NULL) || chdir("/vm/root") ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		perror("init: the root stays as it is");
}

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].dir, 0755);
		mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0, mounts[i].data);
	}
	chmod("/", 0755);
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);
	if (access("/dev/fd", F_OK) && symlink("/proc/self/fd", "/dev/fd"))
		perror("init: /dev/fd");
}

static void start_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		perror("init: lo");
	if (fd >= 0)
		close(fd);
}

static int open_line(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios mode;

	if (fd >= 0 && !tcgetattr(fd, &mode)) {
		cfmakeraw(&mode);
		tcsetattr(fd, TCSANOW, &mode);
	}
	return fd;
}

/* Without stdio: it asks where it is in the file, which this one refuses. */
static void mark_kernel_log(const char *mark)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, mark, strlen(mark)) < 0)
		perror("init: /dev/kmsg");
	close(fd);
}

/* Reads the job. Returns the directory; @ret_argv ends in NULL. NULL when there is no job. */
static char *read_job(char **ret_argv)
{
	static char text[JOB_BYTES_MAX + 1];
	int fd = open("/vm/job", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, JOB_BYTES_MAX);
	char *end = text + (len > 0 ? len : 0);
	size_t cnt = 0;

	if (fd >= 0)
		close(fd);
	for (char *word = text + strlen(text) + 1; word < end && cnt < WORDS_MAX - 1;
	     word += strlen(word) + 1)
		ret_argv[cnt++] = word;
	ret_argv[cnt] = NULL;
	return cnt ? text : NULL;
}

static void run_command(const char *dir, char **argv, int out_fd)
{
	struct rlimit files = { FILES_SOFT, FILES_HARD };
	int in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setsid();
	setrlimit(RLIMIT_NOFILE, &files);
	dup2(in_fd, STDIN_FILENO);
	dup2(out_fd, STDOUT_FILENO);
	dup2(out_fd, STDERR_FILENO);
	/* Its PATH is also the one to look for the command in. */
	environ = (char **)environment;
	if (!chdir(dir))
		execvp(argv[0], argv);
	fprintf(stderr, "init: cannot run '%s' in '%s': %s\n", argv[0], dir, strerror(errno));
	_exit(STATUS_NO_COMMAND);
}

static void write_all(int fd, const char *bytes, ssize_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, bytes, (size_t)len);

		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (done > 0) {
			bytes += done;
			len -= done;
		}
	}
}

/* Passes on what is in the pipe. Returns whether there was something. */
static bool pass_on(int from_fd, int to_fd)
{
	char bytes[16384];
	ssize_t len = read(from_fd, bytes, sizeof(bytes));

	if (len > 0)
		write_all(to_fd, bytes, len);
	return len > 0;
}

/* Buries every process that ends. Returns true when @pid was one, with its exit status. */
static bool has_ended(pid_t pid, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t got;

	while ((got = waitpid(-1, &status, WNOHANG)) > 0) {
		if (got != pid)
			continue;
		ended = true;
		*ret_status =
			WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
	}
	return ended;
}

/* Runs the job with its output on @out_fd. Returns its exit status. */
static int run_job(int out_fd)
{
	static char *argv[WORDS_MAX];
	char *dir = read_job(argv);
	int status = STATUS_NO_COMMAND;
	int ends[2];
	pid_t pid;

	if (!dir || pipe2(ends, O_CLOEXEC))
		return status;
	pid = fork();
	if (!pid)
		run_command(dir, argv, ends[1]);
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while (pid > 0 && !has_ended(pid, &status)) {
		struct pollfd wait = { .fd = ends[0], .events = POLLIN };

		poll(&wait, 1, POLL_MS);
		pass_on(ends[0], out_fd);
		/* Nobody writes any more, but the command goes on. */
		if (wait.revents == POLLHUP)
			usleep(POLL_MS * 1000);
	}
	/* Others that hold the pipe are not waited for. */
	while (pass_on(ends[0], out_fd))
		;
	close(ends[0]);
	return status;
}

int main(void)
{
	int out_fd, status_fd, status;

	make_root_a_mount();
	mount_all();
	start_loopback();
	out_fd = open_line("/dev/ttyS0");
	status_fd = open_line("/dev/ttyS1");
	mark_kernel_log("<5>vm: the command begins\n");
	status = run_job(out_fd);
	mark_kernel_log("<5>vm: the command ended\n");
	dprintf(status_fd, "%d\n", status);
	tcdrain(out_fd);
	tcdrain(status_fd);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
