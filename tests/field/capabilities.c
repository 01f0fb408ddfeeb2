/* SPDX-License-Identifier: MIT */
/* capabilities FOLDER: what libvirt tells of this machine, by its driver that needs no daemon and keeps its
 * files in FOLDER. */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char uri[300];
	if (argc != 2)
		return 2;
	snprintf(uri, sizeof uri, "qemu:///embed?root=%s", argv[1]);
	virEventRegisterDefaultImpl();
	virConnectPtr c = virConnectOpen(uri);
	char *xml = c ? virConnectGetCapabilities(c) : NULL;
	if (!xml)
		return 1;
	puts(xml);
	free(xml);
	virConnectClose(c);
	return 0;
}
