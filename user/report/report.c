/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/report.h"

#include <errno.h>
#include <string.h>

#include "report/formats.h"
#include "report/leak_groups.h"

#define LINE_MAX_BYTES (16u << 20)

/* NULL where a format has no such report. */
static const struct {
	const char *name;
	int (*print[REPORT_OF_CNT])(struct report *report);
	int (*print_futexes)(struct report *report); /* of a recording by futex */
} formats[REPORT_FORMAT_CNT] = {
	[REPORT_TEXT] = { "text", { report_text, record_text, leak_text }, futex_text },
	[REPORT_THREADS] = { "threads", { report_threads, NULL, NULL }, NULL },
	[REPORT_GO] = { "go", { report_go, NULL, NULL }, NULL },
	[REPORT_FOLDED] = { "folded", { report_folded, record_folded, leak_folded }, futex_folded },
	[REPORT_JSON] = { "json", { report_json, record_json, leak_json }, record_json },
	[REPORT_PPROF] = { "pprof", { report_pprof, report_pprof, NULL }, NULL },
	[REPORT_HTML] = { "html", { report_html, record_html, leak_html }, NULL },
};

static const char *const by_names[REPORT_BY_CNT] = {
	[REPORT_BY_BLOCKED] = "blocked", [REPORT_BY_RUN_QUEUE] = "run-queue",
	[REPORT_BY_WAKER] = "waker",	 [REPORT_BY_ON_CPU] = "on-cpu",
	[REPORT_BY_WALL] = "wall",	 [REPORT_BY_FUTEX] = "futex",
};

static const struct report_style plain_style = { "", "", "", "", "" };
static const struct report_style color_style = {
	.title = "\x1b[1m",
	.wait = "\x1b[1;33m",
	.mark = "\x1b[31m",
	.place = "\x1b[2m",
	.reset = "\x1b[0m",
};

const char *report_format_name(enum report_format format)
{
	return formats[format].name;
}

int report_format_parse(const char *name, enum report_format *ret)
{
	for (uint32_t i = 0; i < REPORT_FORMAT_CNT; i++) {
		if (!strcmp(formats[i].name, name)) {
			*ret = (enum report_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

enum report_of report_of(const struct model *model)
{
	if (model->watch_ns)
		return REPORT_OF_LEAKS;
	return model->window_ns ? REPORT_OF_RECORDING : REPORT_OF_DUMP;
}

bool report_format_fits(enum report_format format, enum report_of of)
{
	return formats[format].print[of];
}

bool report_format_fits_by(enum report_format format, enum report_by by)
{
	return by == REPORT_BY_FUTEX ? formats[format].print_futexes
				     : formats[format].print[REPORT_OF_RECORDING];
}

const char *report_by_name(enum report_by by)
{
	return by_names[by];
}

int report_by_parse(const char *name, enum report_by *ret)
{
	for (uint32_t i = 0; i < REPORT_BY_CNT; i++) {
		if (!strcmp(by_names[i], name)) {
			*ret = (enum report_by)i;
			return 0;
		}
	}
	return -EINVAL;
}

void put_losses(const struct report *report)
{
	const struct model *model = report->model;
	bool first = true;

	for (uint32_t i = 0; i < LOSS_CNT; i++) {
		if (!model->losses[i])
			continue;
		fprintf(report->out, "%slost: %s\n", first && model->processes.len ? "\n" : "",
			loss_words((enum loss)i, model->losses[i]).text);
		first = false;
	}
}

int report_has_leak(const struct model *model, const struct report_options *options, bool *ret)
{
	struct leak_groups groups;
	int err = leak_groups_init(&groups, model, options->verbose);

	*ret = false;
	for (uint32_t i = 0; i < model->processes.len && !err && !*ret; i++) {
		err = leak_groups_build(&groups, i);
		/* The worst is the first. */
		*ret = !err && groups.groups.len &&
		       leak_groups_at(&groups, 0)->judgement.verdict == LEAK_LEAK;
	}
	leak_groups_release(&groups);
	return err;
}

int report_dump(const struct model *model, const struct report_options *options, FILE *out)
{
	struct report report = { .model = model,
				 .options = options,
				 .style = options->color ? &color_style : &plain_style,
				 .out = out };
	enum report_of of = report_of(model);
	bool futexes = of == REPORT_OF_RECORDING && options->by == REPORT_BY_FUTEX;
	int err;

	if (!report_format_fits(options->format, of))
		return -EINVAL;
	if (futexes && (!model->has_futexes || !formats[options->format].print_futexes))
		return -EINVAL;
	frames_init(&report.frames);
	buf_init(&report.line, LINE_MAX_BYTES);
	err = futexes ? formats[options->format].print_futexes(&report)
		      : formats[options->format].print[of](&report);
	buf_release(&report.line);
	frames_release(&report.frames);
	return err;
}
