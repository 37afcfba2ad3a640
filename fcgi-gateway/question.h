/* question: what can be asked about a configuration file instead of serving it. */
#ifndef GATEWAY_QUESTION_H
#define GATEWAY_QUESTION_H

#include <stdbool.h>

struct question;

/* The question that an argument of the command line asks: --check, --routes, --explain; or NULL. */
const struct question *question_find(const char *argument);

/* Does a request, such as 'GET /users/1', stand behind it? */
bool question_has_request(const struct question *question);

/* Reads `file` and prints the answer, or every mistake on stderr. Returns the program's status. */
int question_answer(const struct question *question, const char *file, const char *request);

#endif
