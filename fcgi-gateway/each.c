/* each: a call for every element of an array; to the graph one call whose reply is an array.
 *
 * Elements that ask for the same have one call. Calls start in the order of their first elements,
 * so those that were started are always the first ones, and what counts is found in that order: the
 * outcome does not depend on which service was faster.
 */
#include "each.h"
#include "failure.h"
#include "lib/log.h"

/* Elements of one array, and different calls for them. A page of a list seldom has more than 1,000
 * rows, and who needs more calls for one reply needs an endpoint of the service that takes many ids
 * at once. Without a bound one request could keep a service busy for as long as its deadline. */
#define ELEMENTS_MAX 10000
#define CALLS_OF_EACH_MAX 1000

/* Bytes of all targets, fields and bodies together: they are made before the first call. */
#define SENT_MAX (16 * 1024 * 1024)

/* Bytes of all replies together, and of the array that is made of them: no more than one reply may
 * have. */
#define RECEIVED_MAX CALL_REPLY_MAX

/* Twice the calls and a power of two: a free slot is always near. */
#define SLOTS 2048

/* In place of an element's call. */
#define NOT_MADE UINT32_MAX

struct each {
    const struct call_plan *plan;
    const struct ask_terms *terms;
    struct reference_values values; /* with the element that is being looked at */
    unsigned step;
    const struct json *json; /* where the array is */
    uint32_t array;          /* its node */
    uint32_t *call_of;       /* for every element: its place in `asks`, or NOT_MADE */
    struct ask *asks[CALLS_OF_EACH_MAX];
    uint32_t count;        /* of asks */
    uint32_t slots[SLOTS]; /* by their hash: places in `asks`, from 1 */
    uint32_t started, running, ended;
    bool has_failed;       /* one of those that were started, so that the first of them is told */
    size_t sent, received; /* bytes */
    size_t settled_bytes;  /* received by asks[0..settled) */
    uint32_t settled;      /* all before it have ended */
    enum each_state state;
    struct ask whole; /* never made: what is wrong with the array; the time of all */
    const struct call *failed;
    long long started_us;
};

static void fail(struct each *each, const struct call *failed)
{
    each->state = EACH_FAILED;
    each->failed = failed;
}

static void fail_broken(struct each *each, const char *cause)
{
    each->whole.call.outcome = CALL_BROKEN;
    each->whole.call.cause = cause;
    fail(each, &each->whole.call);
}

/* The array is at fault: the client sent it, or a service did. */
static void fail_for_array(struct each *each, const char *what)
{
    const struct reference *array = each->plan->each;
    struct buf cause;
    buf_init(&cause, each->whole.call.arena);
    buf_str(&cause, array->text);
    buf_printf(&cause, " %s", what);
    if (!reference_is_clients(array)) {
        ask_log_lack(each->plan, each->terms, buf_as_text(&cause));
        buf_init(&cause, each->whole.call.arena);
        buf_printf(&cause, "The array that this call goes over %s", what);
        fail_broken(each, buf_as_text(&cause));
        return;
    }
    each->whole.call.outcome = CALL_UNMADE;
    each->whole.call.cause = buf_as_text(&cause);
    fail(each, &each->whole.call);
}

/* {each.id} of element 3 of {body.items} is told as "body.items.3.id". */
static void fail_for_lack(struct each *each, uint32_t element, const struct reference *missing)
{
    const struct reference *array = each->plan->each;
    const struct reference *blamed = missing->root == REFERENCE_EACH ? array : missing;
    struct buf place;
    buf_init(&place, each->whole.call.arena);
    buf_str(&place, array->text);
    buf_printf(&place, ".%u", element);
    struct str of_array = missing->root == REFERENCE_EACH ? buf_as_str(&place) : (struct str){ 0 };
    ask_lack(&each->whole, each->plan, each->terms,
        reference_lack(missing, &each->values, of_array), reference_is_clients(blamed));
    fail(each, &each->whole.call);
}

/* --- which calls are made --- */

static uint64_t hash_more(uint64_t hash, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 0x100000001b3; /* FNV-1a */
    return (hash ^ 0x100) * 0x100000001b3;                         /* where one text ends */
}

/* Over all that makes two calls of one plan different; counts its bytes. */
static uint64_t hash_of(struct each *each, const struct ask *ask)
{
    struct str target = str_of(ask->call.target);
    uint64_t hash = hash_more(hash_more(0xcbf29ce484222325, target), ask->body);
    each->sent += target.len + ask->body.len;
    for (const struct call_field *field = ask->call.fields; field; field = field->next) {
        hash = hash_more(hash_more(hash, field->name), field->value);
        each->sent += field->value.len;
    }
    return hash;
}

static bool is_same(const struct ask *a, const struct ask *b)
{
    if (strcmp(a->call.target, b->call.target) != 0 || !str_eq(a->body, b->body))
        return false;
    const struct call_field *x = a->call.fields, *y = b->call.fields;
    while (x && y && str_eq(x->name, y->name) && str_eq(x->value, y->value)) {
        x = x->next;
        y = y->next;
    }
    return !x && !y;
}

/* The slot of the ask that is the same as this one, or a free one. */
static uint32_t *find_slot(struct each *each, const struct ask *ask)
{
    uint64_t at = hash_of(each, ask);
    while (each->slots[at % SLOTS] && !is_same(each->asks[each->slots[at % SLOTS] - 1], ask))
        at++;
    return &each->slots[at % SLOTS];
}

/* Is this element's call made at all? */
static bool is_wanted(const struct each *each)
{
    const struct reference *when = each->plan->when;
    return !when || when->root != REFERENCE_EACH || reference_is_true(when, &each->values);
}

/* Finds or makes the call for the element that the values have. `spare` is room for one. */
static void add_element(struct each *each, uint32_t element, struct ask **spare)
{
    each->call_of[element] = NOT_MADE;
    if (!is_wanted(each))
        return;
    if (!*spare)
        *spare = arena_alloc(each->whole.call.arena, sizeof **spare);
    struct ask *ask = *spare;
    const struct reference *missing = ask_prepare(ask, each->plan, each->terms, &each->values);
    if (missing && !each->plan->otherwise)
        fail_for_lack(each, element, missing);
    if (missing)
        return;
    uint32_t *slot = find_slot(each, ask);
    if (*slot == 0 && each->count < CALLS_OF_EACH_MAX) {
        ask->step = each->step;
        each->asks[each->count++] = ask;
        *slot = each->count;
        *spare = NULL;
    }
    if (*slot == 0)
        fail_for_array(each, "needs more than " STR_NUMBER(CALLS_OF_EACH_MAX) " different calls");
    else if (each->sent > SENT_MAX)
        fail_for_array(each, "makes too much to send");
    else
        each->call_of[element] = *slot - 1;
}

static void add_elements(struct each *each)
{
    struct ask *spare = NULL;
    uint32_t element = 0;
    const struct json_node *nodes = each->json->nodes;
    each->call_of =
        arena_alloc(each->whole.call.arena, nodes[each->array].count * sizeof *each->call_of);
    each->values.each = each->json;
    for (uint32_t node = each->array + 1;
         node < nodes[each->array].next && each->state == EACH_RUNNING; node = nodes[node].next) {
        each->values.element = node;
        add_element(each, element++, &spare);
    }
}

static void find_array(struct each *each)
{
    const struct reference *reference = each->plan->each;
    const struct json_node *array = NULL;
    if (reference_node(reference, &each->values, &each->json, &each->array))
        array = &each->json->nodes[each->array];
    if (!array)
        fail_for_array(each, "is missing");
    else if (array->type != JSON_ARRAY)
        fail_for_array(each, "is no array");
    else if (array->count > ELEMENTS_MAX)
        fail_for_array(each, "has more than " STR_NUMBER(ELEMENTS_MAX) " elements");
}

/* --- making them --- */

/* Is it a failure of all? */
static bool is_failure(const struct each *each, const struct ask *ask)
{
    return !ask->is_good && (!each->plan->otherwise || ask->call.outcome == CALL_GONE);
}

/* What can be said now, in the order of the calls. */
static void settle(struct each *each)
{
    while (each->state == EACH_RUNNING && each->settled < each->count &&
           each->asks[each->settled]->is_ended) {
        const struct ask *ask = each->asks[each->settled++];
        each->settled_bytes += ask->call.body.len;
        if (each->settled_bytes > RECEIVED_MAX)
            fail_broken(each, "The replies are too long");
        else if (is_failure(each, ask))
            fail(each, &ask->call);
    }
    if (each->state == EACH_RUNNING && each->settled == each->count)
        each->state = EACH_DONE;
    if (each->state != EACH_RUNNING && !each->whole.call.took_us)
        each->whole.call.took_us = log_clock_us() - each->started_us;
}

void each_go_on(struct each *each)
{
    while (each->state == EACH_RUNNING && !each->has_failed && each->started < each->count &&
           each->running < (uint32_t)each->plan->at_once && each->received <= RECEIVED_MAX) {
        struct ask *ask = each->asks[each->started++];
        ask_start(ask, each->terms);
        if (!ask->is_ended) {
            each->running++;
            continue;
        }
        each->has_failed |= is_failure(each, ask);
        settle(each);
    }
}

static struct each *new_each(const struct call_plan *plan, const struct ask_terms *terms,
    const struct reference_values *values)
{
    struct each *each = arena_zero(terms->request->arena, sizeof *each);
    each->plan = plan;
    each->terms = terms;
    each->values = *values;
    each->started_us = log_clock_us();
    each->whole.call = (struct call){ .upstream = plan->upstream, .arena = terms->request->arena };
    find_array(each);
    return each;
}

struct each *each_new(const struct call_plan *plan, unsigned step, const struct ask_terms *terms,
    const struct reference_values *values)
{
    struct each *each = new_each(plan, terms, values);
    each->step = step;
    if (each->state == EACH_RUNNING)
        add_elements(each);
    settle(each);
    each_go_on(each);
    return each;
}

const struct call *each_lack(const struct call_plan *plan, const struct ask_terms *terms,
    const struct reference_values *values)
{
    struct each *each = new_each(plan, terms, values);
    const struct json_node *nodes = each->json ? each->json->nodes : NULL;
    uint32_t element = 0;
    each->values.each = each->json;
    for (uint32_t node = each->array + 1;
         each->state == EACH_RUNNING && node < nodes[each->array].next; node = nodes[node].next) {
        each->values.element = node;
        const struct reference *missing =
            is_wanted(each) ? template_text_lack(plan->target, &each->values) : NULL;
        if (missing)
            fail_for_lack(each, element, missing);
        element++;
    }
    return each->failed;
}

void each_ended(struct each *each, struct ask *ask)
{
    ask_judge(ask, each->terms);
    each->running--;
    each->received += ask->call.body.len;
    each->has_failed |= is_failure(each, ask);
    settle(each);
}

enum each_state each_state(const struct each *each)
{
    return each->state;
}

const struct call *each_failed(const struct each *each)
{
    return each->failed;
}

bool each_has_failed(const struct each *each)
{
    for (uint32_t i = 0; i < each->settled; i++)
        if (ask_has_failed(each->asks[i]))
            return true;
    return each->state == EACH_FAILED;
}

/* --- the reply --- */

/* The reply for the element that the values have; `made` is room for the one that `else` makes. */
static const struct call_reply *reply_of(
    const struct each *each, uint32_t element, struct call_reply *made)
{
    uint32_t place = each->call_of[element];
    if (place != NOT_MADE && each->asks[place]->is_good)
        return &each->asks[place]->reply;
    struct buf text;
    buf_init(&text, each->whole.call.arena);
    *made = (struct call_reply){ .is_there = false };
    if (each->plan->otherwise && template_write(each->plan->otherwise, &each->values, &text))
        made->is_there = json_read(&made->json, buf_as_str(&text), each->whole.call.arena, NULL);
    return made;
}

static void write_element(struct each *each, uint32_t element, struct buf *out)
{
    struct call_reply made;
    const struct call_reply *reply = reply_of(each, element, &made);
    each->values.reply = reply;
    const struct template *result = each->plan->result;
    if (result ? !template_write(result, &each->values, out) : !reply->is_there)
        buf_text(out, "null"); /* it keeps its place */
    else if (!result)
        buf_str(out, json_raw(&reply->json, 0));
}

bool each_reply(struct each *each, struct call_reply *reply)
{
    struct buf out;
    uint32_t element = 0;
    const struct json_node *nodes = each->json->nodes;
    buf_init(&out, each->whole.call.arena);
    buf_char(&out, '[');
    for (uint32_t node = each->array + 1; node < nodes[each->array].next && out.len <= RECEIVED_MAX;
         node = nodes[node].next) {
        if (element)
            buf_char(&out, ',');
        each->values.element = node;
        write_element(each, element++, &out);
    }
    buf_char(&out, ']');
    if (out.len > RECEIVED_MAX)
        fail_broken(each, "The replies are too long");
    else if (!json_read(&reply->json, buf_as_str(&out), each->whole.call.arena, NULL))
        fail_broken(each, "The replies are nested too deeply");
    reply->is_there = each->state == EACH_DONE;
    return reply->is_there;
}

void each_log(const struct each *each)
{
    struct call whole = each->failed ? *each->failed : each->whole.call;
    whole.took_us = each->whole.call.took_us;
    if (each->state == EACH_RUNNING)
        whole.outcome = CALL_GONE;
    failure_log_call(each->terms->request, each->plan->name, &whole);
    buf_printf(
        &each->terms->request->log, "(%u call%s)", each->started, each->started == 1 ? "" : "s");
}
