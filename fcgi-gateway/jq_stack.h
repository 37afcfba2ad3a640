/* jq_stack: a large stack for the time of one run of a jq program. */
#ifndef GATEWAY_JQ_STACK_H
#define GATEWAY_JQ_STACK_H

/* Calls run(context) in this thread, on a stack that is large enough for values nested as deep as
 * the memory that a run may take; where there is none to be had, on the thread's own. */
void jq_stack_call(void (*run)(void *context), void *context);

#endif
