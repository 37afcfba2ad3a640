/* db_file: a database's files as the file system has them.
 *
 * SQLite gives its journal (-wal, -shm) the mode of the database. Those that were made while it
 * could only be read stay so when somebody mends the database alone, whom nobody told about the
 * others. */
#include "db_file.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const endings[] = { "-wal", "-shm" };
#define ENDINGS (sizeof endings / sizeof *endings)

void db_file_mend(const char *path)
{
    char file[PATH_MAX];
    struct stat database;
    if (access(path, W_OK) != 0 || stat(path, &database) != 0)
        return;
    for (size_t i = 0; i < ENDINGS; i++) {
        int len = snprintf(file, sizeof file, "%s%s", path, endings[i]);
        if (len < (int)sizeof file && access(file, F_OK) == 0 && access(file, W_OK) != 0)
            chmod(file, database.st_mode & 07777); /* where that fails, the next write tells why */
    }
}

bool db_file_is_writable(const char *path)
{
    char file[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int folder_len = slash ? (int)(slash - path) + 1 : 1;
    snprintf(file, sizeof file, "%.*s", folder_len, slash ? path : ".");
    if (access(path, W_OK) != 0 || access(file, W_OK | X_OK) != 0)
        return false;
    db_file_mend(path);
    for (size_t i = 0; i < ENDINGS; i++) {
        snprintf(file, sizeof file, "%s%s", path, endings[i]);
        if (access(file, F_OK) == 0 && access(file, W_OK) != 0)
            return false;
    }
    return true;
}
