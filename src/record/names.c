/* SPDX-License-Identifier: Apache-2.0 */
/* The names that gap causes, reject causes and ends of flows have in records, indexes and summaries. */
#include "weir/flow.h"

const char *weir_gap_cause_name(enum weir_gap_cause cause)
{
	static const char *const names[WEIR_GAP_NCAUSES] = {
		[WEIR_GAP_ACKED] = "acked",
		[WEIR_GAP_AGE] = "age",
		[WEIR_GAP_LIMIT] = "limit",
		[WEIR_GAP_BUDGET] = "budget",
		[WEIR_GAP_END] = "end",
		[WEIR_GAP_SNAPLEN] = "snaplen",
		[WEIR_GAP_CAPTURE_DROP] = "capture_drop",
	};

	return (unsigned)cause < WEIR_GAP_NCAUSES ? names[cause] : "unknown";
}

const char *weir_reject_name(enum weir_reject cause)
{
	static const char *const names[WEIR_REJECT_NCAUSES] = {
		[WEIR_REJECT_CHECKSUM] = "checksum",
		[WEIR_REJECT_NO_ACK] = "no_ack",
		[WEIR_REJECT_PAWS] = "paws",
		[WEIR_REJECT_WINDOW] = "window",
		[WEIR_REJECT_AFTER_FIN] = "after_fin",
		[WEIR_REJECT_RST] = "rst",
		[WEIR_REJECT_SYN] = "syn",
		[WEIR_REJECT_BUDGET] = "budget",
		[WEIR_REJECT_CLOSED] = "closed",
	};

	return (unsigned)cause < WEIR_REJECT_NCAUSES ? names[cause] : "unknown";
}

const char *weir_close_name(enum weir_close how)
{
	static const char *const names[WEIR_CLOSE_NKINDS] = {
		[WEIR_CLOSE_FIN] = "closed",      [WEIR_CLOSE_RST] = "reset",
		[WEIR_CLOSE_TIMEOUT] = "timeout", [WEIR_CLOSE_EVICTED] = "evicted",
		[WEIR_CLOSE_REUSED] = "reused",   [WEIR_CLOSE_END] = "open",
	};

	return (unsigned)how < WEIR_CLOSE_NKINDS ? names[how] : "unknown";
}
