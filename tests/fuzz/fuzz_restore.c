/* SPDX-License-Identifier: MIT */
/* The pair journal and restore, on libvirt's own test driver: whatever a journal says, --restore ends, every
 * vCPU keeps a place to run, nothing that it prints could steer a terminal, and a second one finds nothing
 * more to do than the first left. */
#include <libvirt/libvirt.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/changes/journal.h"
#include "fuzz.h"
#include "vmtop/engine.h"

static struct config cfg;

static void begin(void)
{
	static char folder[] = "/tmp/vmtop-fuzz-XXXXXX";
	if (*cfg.uri)
		return;
	FUZZ_HOLDS(mkdtemp(folder) && setenv("XDG_STATE_HOME", folder, 1) == 0);
	config_defaults(&cfg);
	snprintf(cfg.uri, sizeof cfg.uri, "test:///default");
	cfg.batch = true;
}

static void write_journal(const char *path, const uint8_t *data, size_t size)
{
	FUZZ_HOLDS(journal_folders(path) == 0);
	FILE *f = fopen(path, "we");
	FUZZ_HOLDS(f && fchmod(fileno(f), 0600) == 0 && fwrite(data, 1, size, f) == size);
	fclose(f);
}

static void harmless(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		FUZZ_HOLDS((unsigned char)text[i] >= 0x20 || text[i] == '\n');
}

static int restore(char *said, size_t len)
{
	struct err e = ERR_INIT;
	struct backend *b = backend_libvirt_open(&cfg, &e);
	FUZZ_HOLDS(b);
	FILE *out = fmemopen(said, len, "w");
	FUZZ_HOLDS(out);
	int rc = engine_restore_journal(&cfg, b, NULL, out, -1, &e);
	fclose(out);
	said[len - 1] = '\0';
	harmless(said, strlen(said));
	harmless(e.msg, strlen(e.msg));
	FUZZ_HOLDS(rc == 0 || e.msg[0]);
	return rc;
}

static void everyone_runs_somewhere(virConnectPtr c)
{
	unsigned char maps[64][16];
	virVcpuInfo info[64];
	virDomainPtr dom = virDomainLookupByName(c, "test");
	FUZZ_HOLDS(dom);
	int n = virDomainGetVcpus(dom, info, 64, &maps[0][0], sizeof maps[0]);
	FUZZ_HOLDS(n > 0);
	for (int i = 0; i < n; i++) {
		unsigned any = 0;
		for (size_t k = 0; k < sizeof maps[0]; k++)
			any |= maps[i][k];
		FUZZ_HOLDS(any);
	}
	virDomainFree(dom);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char said[1 << 18];
	char path[JOURNAL_PATH];
	begin();
	FUZZ_HOLDS(journal_path(path, sizeof path, cfg.uri) == 0);
	virConnectPtr keep = virConnectOpen(cfg.uri); /* the driver's state lives as long as a connection */
	FUZZ_HOLDS(keep);
	write_journal(path, data, size);
	int rc = restore(said, sizeof said);
	everyone_runs_somewhere(keep);
	if (rc == 0)
		FUZZ_HOLDS(restore(said, sizeof said) == 0);
	unlink(path);
	virConnectClose(keep);
	return 0;
}
