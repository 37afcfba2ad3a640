/* gate: lets one thread in at a time, and lets nobody wait for ever. */
#ifndef LIB_GATE_H
#define LIB_GATE_H

/* Who waits keeps a thread from those who have no business behind the gate. Where nobody has come
 * in for GATE_STUCK_MS, only the first GATE_WAITING_MAX go on waiting: half of the threads that a
 * service may have (lib/service.c). A queue that moves may be longer: it gives its threads back
 * soon. */
#define GATE_WAITING_MAX 32
#define GATE_STUCK_MS 250

struct gate;

/* A new one, NULL where there is no memory; it belongs to the caller. */
struct gate *gate_new(void);
void gate_free(struct gate *gate);

/* Enters, after waiting for up to `wait_ms`. Returns how many of them are left, or -1 where the
 * wait was in vain. */
int gate_enter(struct gate *gate, int wait_ms);

/* By the thread that is in. */
void gate_leave(struct gate *gate);

#endif
