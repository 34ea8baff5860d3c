/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

#define READ_CHUNK_BYTES 65536
#define NUMBER_FILE_BYTES 64
#define FD_PATH_BYTES 64

int file_read_fd(int fd, struct buf *buf)
{
	for (;;) {
		size_t room = buf->max_bytes - buf->len;
		size_t want = room < READ_CHUNK_BYTES ? room : READ_CHUNK_BYTES;
		ssize_t got;
		char probe;
		int err;

		if (!want) {
			got = read(fd, &probe, 1);
			return got > 0 ? -E2BIG : got < 0 ? -errno : 0;
		}
		err = buf_reserve(buf, want);
		if (err)
			return err;
		got = read(fd, buf->data + buf->len, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		buf->len += (size_t)got;
		buf->data[buf->len] = '\0';
		if (!got)
			return 0;
	}
}

int file_read(const char *path, struct buf *buf)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return file_read_fd(fd, buf);
}

int file_read_u32(int dir_fd, const char *path, uint32_t *ret)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct buf text;
	int err;

	if (fd < 0)
		return -errno;
	buf_init(&text, NUMBER_FILE_BYTES);
	err = file_read_fd(fd, &text);
	if (!err && text.len && text.data[text.len - 1] == '\n')
		text.data[text.len - 1] = '\0';
	if (!err)
		err = parse_u32(buf_text(&text), 0, UINT32_MAX, ret);
	buf_release(&text);
	return err;
}

int file_in_memory(const char *name)
{
	/* Some systems want to be told that it is not to be executed; older ones do not know that.
	 */
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int file_write_fd(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t wrote = write(fd, at, len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		at += wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

/* Writes the name by which this process reaches what @fd stands for. */
static void print_fd_path(int fd, char path[FD_PATH_BYTES])
{
	snprintf(path, FD_PATH_BYTES, "/proc/self/fd/%d", fd);
}

static void outfile_release(struct outfile *out)
{
	free(out->path);
	free(out->temp_path);
	*out = (struct outfile){ 0 };
}

/* Returns a descriptor of a file without a name in the directory of @path, which the kernel removes
 * if loiter dies; -EOPNOTSUPP and the like where the file system has no such files. */
static int open_nameless(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	int fd;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

/* Makes a fresh name beside the file's own, for the moment before the rename. */
static int make_temp_path(struct outfile *out)
{
	if (asprintf(&out->temp_path, "%s.XXXXXX", out->path) >= 0)
		return 0;
	out->temp_path = NULL;
	return -ENOMEM;
}

static int open_named(struct outfile *out)
{
	mode_t mask = umask(0);
	int err = make_temp_path(out);
	int fd;

	umask(mask);
	if (err)
		return err;
	fd = mkostemp(out->temp_path, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		free(take_ptr(out->temp_path));
		return err;
	}
	fchmod(fd, 0666 & ~mask);
	return fd;
}

/* Moves @fd off the numbers of standard input, output and error, which are free where these are
 * closed: what is said there is not for the file. */
static int above_standard(int fd)
{
	int moved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	moved = moved < 0 ? -errno : moved;
	close(fd);
	return moved;
}

/* Opens the stream itself: a new file for a regular or missing one, else the file as it is. */
static int outfile_open_stream(struct outfile *out)
{
	int fd;

	if (out->in_place) {
		fd = open(out->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
		fd = fd < 0 ? -errno : fd;
	} else {
		fd = open_nameless(out->path);
		if (fd == -EOPNOTSUPP || fd == -EISDIR || fd == -EINVAL)
			fd = open_named(out);
	}
	fd = above_standard(fd);
	if (fd < 0)
		return fd;
	out->stream = fdopen(fd, "we");
	if (!out->stream) {
		int err = -errno;

		close(fd);
		return err;
	}
	return 0;
}

/* Gives a nameless file a temporary name, so that a rename can replace what has the final one. */
static int outfile_link(struct outfile *out)
{
	char fd_path[FD_PATH_BYTES];
	int err = make_temp_path(out);
	int fd;

	if (err)
		return err;
	/* A name that is free right now; linkat says so if it is not any more. */
	fd = mkostemp(out->temp_path, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		free(take_ptr(out->temp_path));
		return err;
	}
	close(fd);
	unlink(out->temp_path);
	print_fd_path(fileno(out->stream), fd_path);
	if (linkat(AT_FDCWD, fd_path, AT_FDCWD, out->temp_path, AT_SYMLINK_FOLLOW)) {
		err = -errno;
		free(take_ptr(out->temp_path));
		return err;
	}
	return 0;
}

/* Gives the new file the mode and the owner of the one that it replaces, the owner where that is
 * allowed. */
static int take_over(int fd, const struct stat *old)
{
	if (fchmod(fd, old->st_mode & ACCESSPERMS))
		return -errno;
	/* EINVAL: a user namespace has no such owner. */
	if (fchown(fd, old->st_uid, old->st_gid) && errno != EPERM && errno != EINVAL)
		return -errno;
	return 0;
}

/* Finds the file that @path names: a link is followed, not replaced, and by the kernel alone, which
 * does not follow every one (fs.protected_symlinks). The links in /dev and /proc stand for open
 * files (/dev/stdout), which are written to as they are. @ret_old is of the file that is there;
 * zeroed: none. */
static int find_file(struct outfile *out, const char *path, struct stat *ret_old)
{
	struct stat link, st = { 0 };
	bool is_link = !lstat(path, &link) && S_ISLNK(link.st_mode);
	bool is_open_file = is_link && (!strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6));
	_cleanup_close_ int fd = is_open_file ? -1 : open(path, O_PATH | O_CLOEXEC);
	char fd_path[FD_PATH_BYTES];

	if (!is_open_file && fd < 0 && errno != ENOENT)
		return -errno;
	if (fd >= 0 && fstat(fd, &st))
		return -errno;
	*ret_old = st;
	out->in_place = is_open_file || (fd >= 0 && !S_ISREG(st.st_mode));
	if (is_link && fd >= 0 && !out->in_place) {
		print_fd_path(fd, fd_path);
		out->path = realpath(fd_path, NULL);
		return out->path ? 0 : -errno;
	}
	out->path = strdup(path); /* a link to nothing is replaced */
	return out->path ? 0 : -ENOMEM;
}

int outfile_open(struct outfile *out, const char *path, struct err *err)
{
	struct stat old = { 0 };
	int code;

	*out = (struct outfile){ 0 };
	if (!path || !strcmp(path, "-")) {
		out->stream = stdout;
		return 0;
	}
	code = find_file(out, path, &old);
	if (!code)
		code = outfile_open_stream(out);
	if (!code && S_ISREG(old.st_mode))
		code = take_over(fileno(out->stream), &old);
	if (code) {
		outfile_discard(out);
		return err_set_errno(err, code, "cannot write '%s'", path);
	}
	return 0;
}

/* Closes the file and gives it its name. Signals wait: Ctrl-C between the temporary name and the
 * final one would leave the former behind. */
static int outfile_finish(struct outfile *out)
{
	sigset_t all, before;
	int code = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (!out->in_place && !out->temp_path)
		code = outfile_link(out);
	if (fclose(take_ptr(out->stream)) && !code)
		code = -errno;
	if (!code && out->temp_path && rename(out->temp_path, out->path))
		code = -errno;
	if (code && out->temp_path) {
		unlink(out->temp_path);
		free(take_ptr(out->temp_path));
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

/* Returns why writing to @stream failed, though it may have long ago: stdio keeps only that it did.
 */
static int write_error(FILE *stream)
{
	struct pollfd pipe = { .fd = fileno(stream), .events = POLLOUT };

	if (errno)
		return -errno;
	return poll(&pipe, 1, 0) > 0 && pipe.revents & POLLERR ? -EPIPE : -EIO;
}

int outfile_commit(struct outfile *out, struct err *err)
{
	const char *name = out->path ? out->path : "standard output";
	int code = 0;

	errno = 0;
	if (fflush(out->stream) || ferror(out->stream))
		code = write_error(out->stream);
	if (out->path) {
		if (!code && !out->in_place && fsync(fileno(out->stream)))
			code = -errno;
		if (!code)
			code = outfile_finish(out);
	}
	if (code) {
		err_set_errno(err, code, "cannot write '%s'", name);
		outfile_discard(out);
		return code;
	}
	outfile_release(out);
	return 0;
}

void outfile_discard(struct outfile *out)
{
	if (out->stream && out->path)
		fclose(out->stream);
	if (out->temp_path)
		unlink(out->temp_path);
	outfile_release(out);
}
