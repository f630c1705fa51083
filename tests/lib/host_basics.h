/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every stand-in for an engine answers alike, in tests and benchmarks. Include once, behind the definition of its struct weir_host, which has
 * `config`, `flow`, `now_ns` and `budget`.
 */
#ifndef TESTS_HOST_BASICS_H
#define TESTS_HOST_BASICS_H

const struct weir_config *weir_host_config(const struct weir_host *host)
{
	return &host->config;
}

const struct weir_flow_info *weir_host_flow(const struct weir_host *host)
{
	return &host->flow;
}

int64_t weir_host_now(const struct weir_host *host)
{
	return host->now_ns;
}

void *weir_host_alloc(struct weir_host *host, size_t size)
{
	return budget_alloc(&host->budget, size);
}

void weir_host_free(struct weir_host *host, void *ptr, size_t size)
{
	budget_free(&host->budget, ptr, size);
}

void weir_host_drop(struct weir_host *host, struct weir_record *rec)
{
	record_free(rec);
}

#endif
