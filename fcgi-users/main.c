/* main: starts the users service, under FastCGI or as a CGI program.
 *
 * All that is the service's own stands in users.c, all that services share in lib/service.c. */
#include "users.h"

int main(int argc, char **argv)
{
    return service_run(argc, argv, &users_service);
}
