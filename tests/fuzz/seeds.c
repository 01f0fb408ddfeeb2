/* SPDX-License-Identifier: MIT */
/* The main() of fuzz targets without libFuzzer: plays the files of one folder, so that seeds and once-found
 * breaches are part of `make check` with any compiler. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { SEED_MAX = 1 << 22 };

static int play(const char *folder, const char *name)
{
	char path[4096];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "re");
	if (!f || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SEED_MAX) {
		if (f)
			fclose(f);
		return 0;
	}
	uint8_t *data = malloc((size_t)st.st_size + 1);
	size_t n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (data)
		LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	int played = 0;
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (struct dirent *d; dir && (d = readdir(dir));)
		played += play(argv[1], d->d_name);
	if (dir)
		closedir(dir);
	printf("%d seeds played\n", played);
	return argc == 2 && !played;
}
