/* main: starts the orders service, under FastCGI or as a CGI program.
 *
 * All that is the service's own stands in orders.c, all that services share in lib/service.c. */
#include "orders.h"

int main(int argc, char **argv)
{
    return service_run(argc, argv, &orders_service);
}
