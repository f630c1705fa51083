/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure OUT PROGRAM ARGUMENT...: runs the program and appends to OUT one line
 *   exit-status user-seconds system-seconds wall-seconds peak-rss-kibibytes
 * A program of its own because a peak RSS read by a larger parent is at least the parent's: the kernel carries the
 * high-water mark of the image that called exec. Exit status: the program's, or 127 when it could not be started.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
	struct timespec start, end;
	struct rusage usage;
	int raw = 0, status;
	double wall;
	FILE *out;
	pid_t pid;

	if (argc < 3) {
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &raw, 0, &usage) != pid) {
		perror("measure");
		return 127;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	wall = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
	status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
	out = fopen(argv[1], "a");
	if (out == NULL) {
		perror(argv[1]);
		return 127;
	}
	fprintf(out, "%d %.6f %.6f %.6f %ld\n", status, seconds(usage.ru_utime),
		seconds(usage.ru_stime), wall, usage.ru_maxrss);
	fclose(out);
	return status;
}
