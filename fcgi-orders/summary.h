/* summary: figures over all orders, for the gateway's /dashboard. */
#ifndef FCGI_ORDERS_SUMMARY_H
#define FCGI_ORDERS_SUMMARY_H

#include "lib/service.h"

/* GET /orders/summary */
int summary_get(struct service_call *call);

#endif
