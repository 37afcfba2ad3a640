/* reload: takes the configuration file in again, and says what became of it. */
#ifndef GATEWAY_RELOAD_H
#define GATEWAY_RELOAD_H

/* Reads the file again. The log then has every mistake and warning, and as its last line "reload:
 * done, ..." or "reload: refused, ...": lighttpd/control reads these. */
void reload(void *shares);

#endif
