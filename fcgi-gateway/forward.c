/* forward: which header fields cross the gateway, and those that it adds.
 *
 * Hop-by-hop fields (RFC 9110 section 7.6.1) concern one connection only: the usual ones, and all
 * that a Connection field names. Everything else crosses in both directions.
 */
#include "forward.h"
#include <ctype.h>
#include "head.h"
#include "lib/buf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct str hop_by_hop[] = {
    STR("Connection"),
    STR("Keep-Alive"),
    STR("Proxy-Authenticate"),
    STR("Proxy-Authorization"),
    STR("Proxy-Connection"),
    STR("TE"),
    STR("Trailer"),
    STR("Transfer-Encoding"),
    STR("Upgrade"),
};

/* Fields of a request that the gateway writes itself. Proxy would become HTTP_PROXY in a
 * CGI program behind us, which some libraries take for the address of a proxy. */
static const struct str request_own[] = {
    STR("Host"),
    STR("Content-Length"),
    STR("Content-Type"),
    STR("Expect"),
    STR("Proxy"),
    STR("HTTP2-Settings"),
    STR("X-Forwarded-For"),
    STR("X-Forwarded-Proto"),
    STR("X-Forwarded-Host"),
    STR("X-Request-ID"),
    STR("Via"),
};

/* Fields of a reply that mean something to the web server in front of us, or that we write. */
static const struct str reply_own[] = { STR("Status"), STR("X-Request-ID") };

/* What commands to lighttpd, nginx and Apache begin with, such as to send a file of theirs. */
static const struct str commands[] = { STR("X-Sendfile"), STR("X-Accel-"), STR("X-LIGHTTPD-") };

static bool is_one_of(struct str name, const struct str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(name, list[i]))
            return true;
    return false;
}

static bool begins_with(struct str name, struct str prefix)
{
    return name.len >= prefix.len && str_eq_nocase((struct str){ name.at, prefix.len }, prefix);
}

static bool is_command(struct str name)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (begins_with(name, commands[i]))
            return true;
    return false;
}

/* A list of fields that grows at its end. */
struct field_list {
    struct arena *arena;
    struct call_field *first, **end;
    struct str connection; /* the client's Connection field: what it names stays here */
};

static void list_init(struct field_list *list, const struct request *request)
{
    *list = (struct field_list){ .arena = request->arena,
        .connection = str_of(request_header(request, "Connection")) };
    list->end = &list->first;
}

static void add(struct field_list *list, struct str name, struct str value)
{
    struct call_field *field = arena_alloc(list->arena, sizeof *field);
    *field = (struct call_field){ name, value, NULL };
    *list->end = field;
    list->end = &field->next;
}

/* "HTTP_X_REQUEST_ID" without HTTP_ becomes "X-Request-Id": CGI keeps neither case nor dashes. */
static struct str field_name(struct arena *arena, const char *variable, size_t len)
{
    char *name = arena_copy(arena, variable, len);
    bool is_start = true;
    for (size_t i = 0; i < len; i++) {
        name[i] = name[i] == '_' ? '-' : is_start ? name[i] : tolower((unsigned char)name[i]);
        is_start = name[i] == '-';
    }
    return (struct str){ name, len };
}

/* A line end inside a value would start another field. lighttpd lets none through. */
static bool is_one_line(const char *value)
{
    return !strpbrk(value, "\r\n");
}

static void add_clients(struct field_list *list, const struct request *request)
{
    for (char **variable = request->variables; *variable; variable++) {
        const char *equals = strchr(*variable, '=');
        if (strncmp(*variable, "HTTP_", 5) != 0 || !equals || equals - *variable == 5)
            continue;
        struct str name = field_name(list->arena, *variable + 5, equals - *variable - 5);
        if (is_one_of(name, hop_by_hop, COUNT(hop_by_hop)) ||
            head_is_named(name, list->connection) ||
            is_one_of(name, request_own, COUNT(request_own)) || !is_one_line(equals + 1))
            continue;
        add(list, name, str_of(equals + 1));
    }
    const char *type = request_variable(request, "CONTENT_TYPE");
    if (type && *type && is_one_line(type) && !head_is_named(STR("Content-Type"), list->connection))
        add(list, STR("Content-Type"), str_of(type));
}

/* Adds `value` behind what the client already had in this field. */
static void add_appended(
    struct field_list *list, const struct request *request, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    bool is_dropped = head_is_named(str_of(name), list->connection);
    const char *before = is_dropped ? NULL : request_header(request, name);
    struct buf text;
    buf_init(&text, list->arena);
    if (before && *before && is_one_line(before)) {
        buf_text(&text, before);
        buf_text(&text, ", ");
    }
    buf_text(&text, value);
    add(list, str_of(name), buf_as_str(&text));
}

static void add_via(struct field_list *list, const struct request *request, struct str gateway)
{
    const char *protocol = request_variable(request, "SERVER_PROTOCOL");
    const char *slash = protocol ? strchr(protocol, '/') : NULL;
    struct buf text;
    buf_init(&text, list->arena);
    buf_text(&text, slash ? slash + 1 : "1.1");
    buf_char(&text, ' ');
    buf_str(&text, gateway);
    add_appended(list, request, "Via", buf_as_text(&text));
}

static void add_forwarded(struct field_list *list, const struct request *request)
{
    add_appended(list, request, "X-Forwarded-For", request_variable(request, "REMOTE_ADDR"));
    const char *scheme = request_variable(request, "REQUEST_SCHEME");
    const char *host = request_header(request, "Host");
    add(list, STR("X-Forwarded-Proto"), str_of(scheme && *scheme ? scheme : "http"));
    if (host && *host && is_one_line(host))
        add(list, STR("X-Forwarded-Host"), str_of(host));
}

const struct call_field *forward_request(const struct request *request, struct str gateway)
{
    struct field_list list;
    list_init(&list, request);
    add_clients(&list, request);
    add_forwarded(&list, request);
    add_via(&list, request, gateway);
    add(&list, STR("X-Request-ID"), str_of(request->id));
    return list.first;
}

const struct call_field *forward_own(const struct request *request)
{
    struct field_list list;
    list_init(&list, request);
    add(&list, STR("X-Request-ID"), str_of(request->id));
    return list.first;
}

/* Adds the client's field as it is. False where there is none, or only for the connection. */
static bool add_same(struct field_list *list, const struct request *request, const char *name)
{
    const char *value = request_header(request, name);
    if (!value || !*value || !is_one_line(value) || head_is_named(str_of(name), list->connection))
        return false;
    add(list, str_of(name), str_of(value));
    return true;
}

const struct call_field *forward_composed(const struct request *request)
{
    struct field_list list;
    list_init(&list, request);
    add_forwarded(&list, request);
    if (add_same(&list, request, "traceparent")) /* without it the state is of no trace */
        add_same(&list, request, "tracestate");
    add(&list, STR("X-Request-ID"), str_of(request->id));
    return list.first;
}

void forward_reply(const struct call *call, struct reply *reply, unsigned also)
{
    bool is_chunked = call_field(call, "Transfer-Encoding").len > 0;
    for (const struct call_field *field = call->first_field; field; field = field->next) {
        if (is_one_of(field->name, hop_by_hop, COUNT(hop_by_hop)) ||
            is_one_of(field->name, reply_own, COUNT(reply_own)) || is_command(field->name) ||
            head_is_connection_option(call, field->name))
            continue;
        /* RFC 9112 section 6.3: Transfer-Encoding overrides Content-Length. */
        if (str_is_nocase(field->name, "Content-Length") &&
            (is_chunked || !(also & FORWARD_LENGTH)))
            continue;
        if (!(also & FORWARD_CORS) && begins_with(field->name, STR("Access-Control-")))
            continue;
        reply_field(reply, field->name.at, field->value);
    }
}
