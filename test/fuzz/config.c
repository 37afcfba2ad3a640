/* config: whatever stands in the file, reading it ends, and a file that is refused is told why. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fcgi-gateway/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    char *said = NULL;
    size_t said_len = 0;
    int file = memfd_create("config", 0);
    FILE *out = open_memstream(&said, &said_len);
    struct arena arena;

    if (file < 0 || !out || write(file, data, size) != (ssize_t)size) {
        abort();
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    arena_init(&arena);
    struct config *config = config_read(path, &arena, out);
    fclose(out);
    if (!config && said_len == 0) {
        abort();
    }
    arena_clear(&arena);
    free(said);
    close(file);
    return 0;
}
