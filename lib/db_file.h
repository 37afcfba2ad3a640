/* db_file: a database's files as the file system has them. */
#ifndef LIB_DB_FILE_H
#define LIB_DB_FILE_H

/* Makes the files beside the database at `path` writable, where it is itself and they are not. */
void db_file_mend(const char *path);

#endif
