/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rights to capture on Linux: CAP_NET_RAW in effect. A process has it as root, by file capabilities of the binary (setcap), or by
 * ambient capabilities from systemd. File capabilities do nothing on a file system mounted nosuid, in a process with
 * no_new_privs, and when the bounding set of the process (a container's) lacks them: each of these is looked at, so that the
 * advice is one that works here.
 */
#include "app/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include "app/ifaces.h"
#include "app/privs.h"

struct findings {
	char binary[PATH_MAX]; /* the real path of this program */
	uid_t uid;
	uint64_t effective; /* capabilities */
	bool bounded;       /* CAP_NET_RAW cannot be had in this process tree */
	bool no_new_privs;
	bool nosuid;
	bool has_file_caps; /* the binary has some */
	bool has_file_raw;  /* CAP_NET_RAW among them, in effect at once */
	char directory[PATH_MAX];
};

/* A path as a word of the shell. */
static void put_path(FILE *out, const char *path)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%=";

	if (path[strspn(path, plain)] == '\0') {
		fputs(path, out);
		return;
	}
	fputc('\'', out);
	for (; *path != '\0'; path++) {
		if (*path == '\'') {
			fputs("'\\''", out);
		} else {
			fputc((unsigned char)*path < 0x20 || *path == 0x7f ? '?' : *path, out);
		}
	}
	fputc('\'', out);
}

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &head, data) != 0) {
		return 0;
	}
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

static void look_at_file(struct findings *found)
{
	struct vfs_cap_data caps = {0};
	ssize_t n = readlink("/proc/self/exe", found->binary, sizeof(found->binary) - 1);
	struct statvfs fs;
	char *slash;

	found->binary[n > 0 ? n : 0] = '\0';
	memcpy(found->directory, found->binary, sizeof(found->directory));
	slash = strrchr(found->directory, '/');
	if (slash != NULL) {
		slash[slash == found->directory] = '\0';
	}
	found->nosuid = statvfs(found->binary, &fs) == 0 && (fs.f_flag & ST_NOSUID) != 0;
	n = getxattr(found->binary, "security.capability", &caps, sizeof(caps));
	if (n < 0 && errno == ERANGE) {
		n = sizeof(caps); /* of a user namespace: longer, and not for us */
	}
	found->has_file_caps = n > 0;
	found->has_file_raw = n >= 8 && (caps.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) != 0 &&
			      (caps.data[0].permitted & (UINT32_C(1) << CAP_NET_RAW)) != 0;
}

static void find(struct findings *found)
{
	memset(found, 0, sizeof(*found));
	found->uid = geteuid();
	found->effective = effective_capabilities();
	found->bounded = prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0) == 0;
	found->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	look_at_file(found);
}

static void put_remedy(FILE *out, const struct findings *found, const char *interface)
{
	if (found->bounded) {
		fprintf(out, "  CAP_NET_RAW cannot be had in this process tree (a container?): "
			     "start it with "
			     "that capability,\n  e.g. docker run --cap-add=NET_RAW.\n");
		return;
	}
	if (found->no_new_privs) {
		fprintf(out,
			"  This process tree may not gain rights (no_new_privs): sudo and setcap "
			"do nothing in it.\n  Start weir from another shell, or from systemd with "
			"AmbientCapabilities=CAP_NET_RAW.\n");
		return;
	}
	fprintf(out, "  weir needs CAP_NET_RAW (not root). Either:\n");
	if (!found->nosuid) {
		fprintf(out, "    sudo setcap cap_net_raw=ep ");
		put_path(out, found->binary);
		fprintf(out, "      # once\n");
	} else {
		fprintf(out, "    sudo install -m 755 ");
		put_path(out, found->binary);
		fprintf(out, " /usr/local/bin/weir && sudo setcap cap_net_raw=ep "
			     "/usr/local/bin/weir      # once: ");
		put_path(out, found->directory);
		fprintf(out, " is mounted nosuid\n");
	}
	fprintf(out, "    sudo ");
	put_path(out, found->binary);
	fprintf(out, " -i %s      # rights are dropped after opening\n", interface);
}

static void put_checked(FILE *out, const struct findings *found)
{
	fprintf(out, "uid %u, CapEff %" PRIx64 ", file caps %s, ", (unsigned)found->uid,
		found->effective,
		found->has_file_raw    ? "cap_net_raw"
		: found->has_file_caps ? "others"
				       : "none");
	put_path(out, found->directory);
	fprintf(out, found->nosuid ? " is nosuid" : " not nosuid");
}

void doctor_explain(FILE *out, const char *interface)
{
	struct findings found;
	char name[64];
	size_t i;

	(void)snprintf(name, sizeof(name), "%s", interface);
	for (i = 0; name[i] != '\0'; i++) {
		name[i] = (char)(name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?');
	}
	find(&found);
	put_remedy(out, &found, name);
	fprintf(out, "  Checked: ");
	put_checked(out, &found);
	fprintf(out, ".    More: weir doctor\n");
}

/* ---- weir doctor ---- */

static void put_line(FILE *out, bool good, const char *what, const char *text)
{
	fprintf(out, "%-4s %-14s %s\n", good ? "ok" : "--", what, text);
}

/* Opening is the only proof. */
static bool can_open(char *ret, size_t size)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int version = TPACKET_V3;
	bool ring;

	if (fd < 0) {
		(void)snprintf(ret, size, "a packet socket cannot be opened: %s", strerror(errno));
		return false;
	}
	ring = setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) == 0;
	close(fd);
	(void)snprintf(ret, size, "packet sockets can be opened%s",
		       ring ? ", with TPACKET_V3 rings" : "; this kernel has no TPACKET_V3");
	return true;
}

static void put_sandbox(FILE *out)
{
	int version = privs_landlock_version();
	char text[128];

	(void)snprintf(text, sizeof(text), "built in:%s", privs_features());
	put_line(out, privs_features()[0] != '\0', "sandbox", text);
	if (version > 0) {
		(void)snprintf(text, sizeof(text), "the kernel has version %d", version);
	} else {
		(void)snprintf(text, sizeof(text),
			       "the kernel has none (5.13 and later, with lsm=landlock)");
	}
	put_line(out, version > 0, "landlock", text);
}

int doctor_run(FILE *out)
{
	struct findings found;
	struct strbuf up;
	struct utsname os;
	char text[256];
	bool good;

	find(&found);
	if (uname(&os) == 0) {
		(void)snprintf(text, sizeof(text), "%s %s, %s", os.sysname, os.release,
			       pcap_lib_version());
		put_line(out, true, "system", text);
	}
	good = can_open(text, sizeof(text));
	put_line(out, good, "capture", text);
	fprintf(out, "%-4s %-14s ", good ? "ok" : "--", "rights");
	put_checked(out, &found);
	fprintf(out, "%s\n",
		found.bounded        ? ", CAP_NET_RAW is not in the bounding set"
		: found.no_new_privs ? ", no_new_privs is set"
				     : "");
	strbuf_init(&up);
	ifaces_up(&up);
	put_line(out, up.len > 0, "interfaces", up.len > 0 ? strbuf_text(&up) : "none is up");
	strbuf_fini(&up);
	put_sandbox(out);
	if (good) {
		fprintf(out, "\nCapturing is possible: weir -i NAME (any: all interfaces)\n");
		return 0;
	}
	fprintf(out, "\nCapturing is not possible.\n");
	put_remedy(out, &found, "NAME");
	return 1;
}
