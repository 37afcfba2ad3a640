/* users: the users service: its schema, its columns, its endpoints. */
#ifndef FCGI_USERS_USERS_H
#define FCGI_USERS_USERS_H

#include "lib/service.h"

extern const struct service users_service;

#endif
