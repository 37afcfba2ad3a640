/* cgi: the one request of a plain CGI program (RFC 3875): environment, stdin, stdout. */
#ifndef LIB_CGI_H
#define LIB_CGI_H

#include "connection.h"

#define CGI_BUFFER_SIZE 8192

struct cgi {
    struct connection connection; /* first: the two are cast into each other */
    bool is_failed;               /* something could not be written */
    size_t kept;                  /* bytes of the reply that wait for flush */
    char buffer[CGI_BUFFER_SIZE];
};

/* Reads from standard input and writes to standard output; give it to cgi_close at the end. */
void cgi_open(struct cgi *cgi);

/* Sends what is kept. False where not all of the reply could be written. */
bool cgi_close(struct cgi *cgi);

#endif
