/* orders: the orders service: its schema, its columns, its endpoints. */
#ifndef FCGI_ORDERS_ORDERS_H
#define FCGI_ORDERS_ORDERS_H

#include "lib/service.h"

extern const struct service orders_service;

#endif
