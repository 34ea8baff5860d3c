/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define READ_CHUNK_BYTES 65536

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

static void outfile_release(struct outfile *out)
{
	free(out->path);
	free(out->temp_path);
	*out = (struct outfile){ 0 };
}

/* Opens the stream itself: a temporary file beside a regular (or new) file, else the file. */
static int outfile_open_stream(struct outfile *out)
{
	struct stat st;
	mode_t mask;
	int fd;

	if (!stat(out->path, &st) && !S_ISREG(st.st_mode)) {
		fd = open(out->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	} else {
		if (asprintf(&out->temp_path, "%s.XXXXXX", out->path) < 0) {
			out->temp_path = NULL;
			return -ENOMEM;
		}
		fd = mkostemp(out->temp_path, O_CLOEXEC);
		if (fd < 0) {
			int err = -errno;

			free(take_ptr(out->temp_path));
			return err;
		}
		mask = umask(0);
		umask(mask);
		fchmod(fd, 0666 & ~mask);
	}
	if (fd < 0)
		return -errno;
	out->stream = fdopen(fd, "we");
	if (!out->stream) {
		int err = -errno;

		close(fd);
		return err;
	}
	return 0;
}

int outfile_open(struct outfile *out, const char *path, struct err *err)
{
	int code;

	*out = (struct outfile){ 0 };
	if (!path || !strcmp(path, "-")) {
		out->stream = stdout;
		return 0;
	}
	out->path = strdup(path);
	code = out->path ? outfile_open_stream(out) : -ENOMEM;
	if (code) {
		outfile_discard(out);
		return err_set_errno(err, code, "cannot write '%s'", path);
	}
	return 0;
}

int outfile_commit(struct outfile *out, struct err *err)
{
	const char *name = out->path ? out->path : "standard output";
	int code = 0;

	errno = 0;
	if (fflush(out->stream) || ferror(out->stream))
		code = errno ? -errno : -EIO;
	if (out->path) {
		if (!code && out->temp_path && fsync(fileno(out->stream)) && errno != EINVAL)
			code = -errno;
		if (fclose(take_ptr(out->stream)) && !code)
			code = -errno;
		if (!code && out->temp_path && rename(out->temp_path, out->path))
			code = -errno;
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
