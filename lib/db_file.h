/* db_file: a database's files as the file system has them. */
#ifndef LIB_DB_FILE_H
#define LIB_DB_FILE_H

#include <stdbool.h>

/* Makes the files beside the database at `path` writable, where it is itself and they are not. */
void db_file_mend(const char *path);

/* Can the database at `path`, the files beside it and their folder be written by this process? */
bool db_file_is_writable(const char *path);

#endif
