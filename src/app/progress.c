/* SPDX-License-Identifier: Apache-2.0 */
/* How far the run is: see progress.h. */
#include "app/progress.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "base/time.h"
#include "sink/human.h"

enum { BAR = 24, LINE = 512 };

#define LINE_NS  (NS_PER_S / 10)
#define PLAIN_NS NS_PER_S
#define SMOOTH   0.3 /* of the newest rate */

void progress_init(struct progress *progress, const struct options *options, bool tty,
		   uint64_t size)
{
	memset(progress, 0, sizeof(*progress));
	progress->out = stderr;
	progress->form = options->progress;
	if (progress->form == OPTIONS_PROGRESS_AUTO && (!tty || options->quiet)) {
		progress->form = OPTIONS_PROGRESS_NONE;
	}
	progress->ascii = options->ascii;
	progress->size = size;
}

/* What the process takes: its greatest resident size. */
static uint64_t memory(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static void measure(struct progress *progress, uint64_t bytes, uint64_t packets, int64_t now_ns)
{
	double s = (double)(now_ns - progress->last_ns) / 1e9;
	double weight = progress->bytes_per_s == 0 ? 1 : SMOOTH;

	if (s <= 0) {
		return;
	}
	progress->bytes_per_s +=
		weight * ((double)(bytes - progress->last_bytes) / s - progress->bytes_per_s);
	progress->packets_per_s +=
		weight * ((double)(packets - progress->last_packets) / s - progress->packets_per_s);
	progress->last_ns = now_ns;
	progress->last_bytes = bytes;
	progress->last_packets = packets;
}

/* "━━━━╸━━━": done, the tip, what is left. */
static void put_bar(const struct progress *progress, double share, struct strbuf *line)
{
	int done = (int)(share * BAR), i;

	for (i = 0; i < BAR; i++) {
		if (progress->ascii) {
			strbuf_char(line, i < done ? '=' : i == done ? '>' : '-');
		} else {
			strbuf_str(line, i < done    ? "\xe2\x94\x81"
					 : i == done ? "\xe2\x95\xb8"
						     : "\xe2\x94\x80");
		}
	}
}

static void put_eta(const struct progress *progress, uint64_t bytes, struct strbuf *line)
{
	uint64_t s;

	if (progress->bytes_per_s < 1 || bytes >= progress->size) {
		return;
	}
	s = (uint64_t)((double)(progress->size - bytes) / progress->bytes_per_s + 0.5);
	if (s >= 3600) {
		strbuf_printf(line, "  ETA %" PRIu64 ":%02u:%02u", s / 3600,
			      (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	} else {
		strbuf_printf(line, "  ETA %u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
	}
}

static void put_text(struct progress *progress, const struct pipeline_progress *run, uint64_t bytes,
		     uint64_t transactions, struct strbuf *line)
{
	static const char *const turns[] = {"|", "/", "-", "\\"};
	char a[HUMAN_LEN], b[HUMAN_LEN];
	const struct capture_stats *stats = capture_stats(run->input);

	strbuf_printf(line, "%s %.60s  ", capture_is_live(run->input) ? "capturing" : "reading",
		      capture_name(run->input));
	human_size(bytes, a);
	if (progress->size > 0) {
		double share = (double)bytes / (double)progress->size;

		share = share > 1 ? 1 : share;
		put_bar(progress, share, line);
		human_size(progress->size, b);
		strbuf_printf(line, "  %2d %%  %s/%s", (int)(share * 100), a, b);
	} else {
		strbuf_printf(line, "%s  %s", turns[progress->turn++ % 4], a);
	}
	human_size((uint64_t)progress->bytes_per_s, a);
	human_rate(progress->packets_per_s, b);
	strbuf_printf(line, "  %s/s  %spkt/s", a, b);
	if (progress->size > 0) {
		put_eta(progress, bytes, line);
	}
	human_count(transactions, a);
	human_size(memory(), b);
	strbuf_printf(line, "  %s tx", a);
	if (capture_is_live(run->input)) {
		strbuf_printf(line, "  %" PRIu64 " drops",
			      stats->kernel_drops + stats->interface_drops);
	}
	strbuf_printf(line, "  mem %s", b);
}

static void put_json(const struct progress *progress, const struct pipeline_progress *run,
		     uint64_t bytes, uint64_t transactions, int64_t now_ns, struct strbuf *line)
{
	const struct capture_stats *stats = capture_stats(run->input);

	strbuf_printf(line,
		      "{\"type\":\"progress\",\"bytes\":%" PRIu64 ",\"size\":%" PRIu64
		      ",\"packets\":%" PRIu64 ",\"transactions\":%" PRIu64
		      ",\"bytes_per_s\":%.0f,\"packets_per_s\":%.0f,\"drops\":%" PRIu64
		      ",\"memory\":%" PRIu64 ",\"elapsed_ns\":%" PRId64 "}",
		      bytes, progress->size, run->packets, transactions, progress->bytes_per_s,
		      progress->packets_per_s,
		      stats->drops + stats->kernel_drops + stats->interface_drops, memory(),
		      now_ns - progress->begin_ns);
}

void progress_update(struct progress *progress, const struct pipeline_progress *run,
		     uint64_t transactions, int64_t now_ns)
{
	uint64_t bytes = run->bytes_before + capture_stats(run->input)->bytes;
	bool rewritten = progress->form == OPTIONS_PROGRESS_AUTO;
	struct strbuf line;

	if (progress->form == OPTIONS_PROGRESS_NONE) {
		return;
	}
	if (progress->begin_ns == 0) {
		progress->begin_ns = now_ns;
		progress->last_ns = now_ns;
		return;
	}
	if (now_ns - progress->last_ns < (rewritten ? LINE_NS : PLAIN_NS)) {
		return;
	}
	measure(progress, bytes, run->packets, now_ns);
	strbuf_init(&line);
	if (progress->form == OPTIONS_PROGRESS_JSON) {
		put_json(progress, run, bytes, transactions, now_ns, &line);
	} else {
		put_text(progress, run, bytes, transactions, &line);
	}
	/* begin of line, no wrapping while it is written, clear to the end */
	fprintf(progress->out, rewritten ? "\r\x1b[?7l%s\x1b[K\x1b[?7h" : "%s\n",
		strbuf_text(&line));
	fflush(progress->out);
	progress->shown = rewritten;
	strbuf_fini(&line);
}

void progress_clear(struct progress *progress)
{
	if (progress->shown) {
		fputs("\r\x1b[K", progress->out);
		fflush(progress->out);
		progress->shown = false;
	}
}
