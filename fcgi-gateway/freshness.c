/* freshness: may a reply be kept for others, and for how long is it fresh (RFC 9111, RFC 5861).
 *
 * Where the rules leave a choice, the careful one is taken: what cannot be understood is not fresh,
 * what may be meant for one person is not kept.
 */
#include "freshness.h"
#include <time.h>
#include "field_text.h"

#define DATE_MAX 64              /* bytes; the longest form has 34 */
#define DELTA_MAX_S 2147483648LL /* RFC 9111 section 1.2.2: more counts as this */
#define NOT_SAID (-1LL)

/* Takes the next directive, "name" or "name=value", off a Cache-Control list. The value is without
 * its quotes, and at NULL where there is none. */
static bool next_directive(struct str *list, struct str *name, struct str *value)
{
    struct str member;
    if (!field_text_member(list, &member))
        return false;
    *name = str_take(&member, '=');
    *value = member.at == name->at + name->len ? (struct str){ NULL, 0 } : member;
    if (value->at && value->len >= 2 && *value->at == '"' && value->at[value->len - 1] == '"')
        *value = (struct str){ value->at + 1, value->len - 2 };
    return true;
}

/* Delta-seconds as milliseconds; 0 where it is no number, which makes the reply stale (RFC 9111
 * section 4.2.1). */
static long long delta_ms(struct str text)
{
    long long seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
        seconds = seconds * 10 + (text.at[i] - '0');
        if (seconds > DELTA_MAX_S)
            seconds = DELTA_MAX_S;
    }
    return seconds * 1000;
}

/* The first one counts. */
static void note_delta(long long *delta, struct str value)
{
    if (*delta == NOT_SAID)
        *delta = delta_ms(value);
}

struct freshness_wish freshness_wish(struct str cache_control, struct str pragma)
{
    struct freshness_wish wish = {
        .max_age_ms = NOT_SAID, .min_fresh_ms = NOT_SAID, .max_stale_ms = NOT_SAID
    };
    struct str name, value;
    bool is_said = cache_control.at != NULL;
    while (next_directive(&cache_control, &name, &value))
        if (str_is_nocase(name, "no-store"))
            wish.no_store = true;
        else if (str_is_nocase(name, "no-cache"))
            wish.no_cache = true;
        else if (str_is_nocase(name, "only-if-cached"))
            wish.only_if_cached = true;
        else if (str_is_nocase(name, "max-age"))
            note_delta(&wish.max_age_ms, value);
        else if (str_is_nocase(name, "min-fresh"))
            note_delta(&wish.min_fresh_ms, value);
        else if (str_is_nocase(name, "max-stale"))
            note_delta(&wish.max_stale_ms, value.at ? value : STR("2147483648"));
    while (!is_said && field_text_member(&pragma, &name)) /* section 5.4 */
        if (str_is_nocase(name, "no-cache"))
            wish.no_cache = true;
    return wish;
}

/* What a reply's Cache-Control says. */
struct orders {
    bool no_store, no_cache, is_private, is_public, must_revalidate, must_understand;
    long long max_age_ms, s_maxage_ms, stale_while_ms, stale_error_ms;
};

static void note_order(struct orders *orders, struct str name, struct str value)
{
    if (str_is_nocase(name, "no-store"))
        orders->no_store = true;
    else if (str_is_nocase(name, "no-cache")) /* also of one field only: taken for all of it */
        orders->no_cache = true;
    else if (str_is_nocase(name, "private"))
        orders->is_private = true;
    else if (str_is_nocase(name, "public"))
        orders->is_public = true;
    else if (str_is_nocase(name, "must-revalidate") || str_is_nocase(name, "proxy-revalidate"))
        orders->must_revalidate = true;
    else if (str_is_nocase(name, "must-understand"))
        orders->must_understand = true;
    else if (str_is_nocase(name, "max-age"))
        note_delta(&orders->max_age_ms, value);
    else if (str_is_nocase(name, "s-maxage"))
        note_delta(&orders->s_maxage_ms, value);
    else if (str_is_nocase(name, "stale-while-revalidate"))
        note_delta(&orders->stale_while_ms, value);
    else if (str_is_nocase(name, "stale-if-error"))
        note_delta(&orders->stale_error_ms, value);
}

static struct orders read_orders(struct str cache_control)
{
    struct orders orders = { .max_age_ms = NOT_SAID,
        .s_maxage_ms = NOT_SAID,
        .stale_while_ms = NOT_SAID,
        .stale_error_ms = NOT_SAID };
    struct str name, value;
    while (next_directive(&cache_control, &name, &value))
        note_order(&orders, name, value);
    return orders;
}

bool freshness_date(struct str text, long long *unix_s)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %d %H:%M:%S %Y",
    };
    char written[DATE_MAX];
    if (text.len == 0 || text.len >= sizeof written)
        return false;
    memcpy(written, text.at, text.len);
    written[text.len] = 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = { 0 };
        const char *end = strptime(written, forms[i], &tm);
        if (end && !*end) {
            *unix_s = timegm(&tm);
            return true;
        }
    }
    return false;
}

static bool is_listed(int status, const int *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == status)
            return true;
    return false;
}

/* Replies that say nothing about being kept: those that tell of the resource itself, of the ones
 * that RFC 9110 section 15.1 allows to keep then. */
static bool is_kept_by_setting(int status)
{
    static const int kept[] = { 200, 203, 204, 300, 301, 308, 404, 410 };
    return is_listed(status, kept, sizeof kept / sizeof *kept);
}

/* Is there something that `must-understand` means (section 5.2.2.3)? 206 and 304 are parts of
 * something else and are never kept by themselves. */
static bool is_understood(int status)
{
    static const int others[] = { 302, 303, 307, 400, 401, 403, 405, 406, 409, 414, 501 };
    return is_kept_by_setting(status) || is_listed(status, others, sizeof others / sizeof *others);
}

static bool varies_by_everything(struct str vary)
{
    struct str member;
    while (field_text_member(&vary, &member))
        if (str_is(member, "*"))
            return true;
    return false;
}

/* What the reply itself says (section 4.2.1), or NOT_SAID. */
static long long said_lifetime_ms(
    const struct freshness_exchange *exchange, const struct orders *orders)
{
    long long expires_s, date_s;
    if (orders->s_maxage_ms != NOT_SAID)
        return orders->s_maxage_ms;
    if (orders->max_age_ms != NOT_SAID)
        return orders->max_age_ms;
    if (!exchange->expires.at)
        return NOT_SAID;
    if (!freshness_date(exchange->expires, &expires_s)) /* such as "0": section 5.3 */
        return 0;
    if (!freshness_date(exchange->date, &date_s))
        date_s = exchange->unix_ms / 1000;
    return expires_s > date_s ? (expires_s - date_s) * 1000 : 0;
}

/* Section 4.2.3: what its Age says and the way here, or what its Date says, which leaves out the
 * milliseconds. The route's setting counts from the arrival: it knows nothing of the service's
 * clock, and must be of use for services that take longer than it. */
static long long initial_age_ms(const struct freshness_exchange *exchange, bool is_freshness_said)
{
    long long date_s;
    struct str age = exchange->age;
    long long said = delta_ms(str_take(&age, ','));
    if (!is_freshness_said)
        return said;
    long long corrected = said + exchange->took_ms;
    if (!freshness_date(exchange->date, &date_s))
        return corrected;
    long long apparent = exchange->unix_ms - (date_s * 1000 + 999);
    return apparent > corrected ? apparent : corrected;
}

static bool is_for_all(const struct orders *orders)
{
    return orders->is_public || orders->must_revalidate || orders->s_maxage_ms != NOT_SAID;
}

bool freshness_is_for_one(struct str cache_control)
{
    struct orders orders = read_orders(cache_control);
    return orders.is_private || orders.no_store;
}

/* Section 3, and 3.5 for requests with credentials. */
static bool may_be_kept(
    const struct freshness_exchange *exchange, const struct orders *orders, bool is_freshness_said)
{
    int status = exchange->status;
    bool for_all = is_for_all(orders);
    if (status < 200 || status == 206 || status == 304 || exchange->has_set_cookie)
        return false;
    if (orders->must_understand ? !is_understood(status) : orders->no_store)
        return false;
    if (orders->is_private || varies_by_everything(exchange->vary))
        return false;
    if (exchange->has_authorization && !for_all)
        return false;
    if (is_freshness_said)
        return true;
    /* A service that knows nothing of caches may well answer by cookie without saying Vary. */
    return is_kept_by_setting(status) && !(exchange->has_cookie && !for_all);
}

static void set_stale(struct freshness *freshness, const struct orders *orders,
    const struct freshness_setting *setting)
{
    /* Section 5.2.2.10: s-maxage means that nothing older is wanted, if nothing else is said. So
     * does a lifetime of nothing. */
    bool wants_asking = freshness->is_said && freshness->lifetime_ms == 0;
    bool is_route_heard = orders->s_maxage_ms == NOT_SAID && !wants_asking;
    long long unsaid = is_route_heard ? setting->stale_ms : 0;
    if (freshness->is_strict)
        return;
    freshness->stale_while_ms =
        orders->stale_while_ms != NOT_SAID ? orders->stale_while_ms : unsaid;
    freshness->stale_error_ms =
        orders->stale_error_ms != NOT_SAID ? orders->stale_error_ms : unsaid;
    if (freshness->stale_error_ms < freshness->stale_while_ms)
        freshness->stale_error_ms = freshness->stale_while_ms;
}

struct freshness freshness_judge(
    const struct freshness_exchange *exchange, const struct freshness_setting *setting)
{
    struct freshness freshness = { 0 };
    struct orders orders = read_orders(exchange->cache_control);
    long long lifetime = said_lifetime_ms(exchange, &orders);
    bool is_said = lifetime != NOT_SAID;
    if (!may_be_kept(exchange, &orders, is_said))
        return freshness;
    freshness.is_for_all = is_for_all(&orders);
    freshness.is_said = is_said;
    freshness.is_strict = orders.no_cache || orders.must_revalidate;
    freshness.is_firm = freshness.is_strict || orders.s_maxage_ms != NOT_SAID;
    freshness.lifetime_ms = is_said ? lifetime : setting->ttl_ms;
    if (orders.no_cache)
        freshness.lifetime_ms = 0;
    freshness.age_ms = initial_age_ms(exchange, is_said);
    set_stale(&freshness, &orders, setting);
    if (!is_said && setting->ttl_ms == 0 && !orders.no_cache)
        return freshness;
    /* One that is of no use without asking is of use only where asking is cheaper. */
    freshness.is_storable = exchange->has_validator ||
                            freshness.age_ms < freshness.lifetime_ms + freshness.stale_error_ms;
    return freshness;
}

enum freshness_use freshness_use(
    const struct freshness *freshness, const struct freshness_wish *wish, long long kept_ms)
{
    long long age = freshness->age_ms + kept_ms;
    long long late = age - freshness->lifetime_ms; /* below 0: fresh */
    bool is_demanded = wish->no_cache || (wish->max_age_ms >= 0 && age > wish->max_age_ms) ||
                       (wish->min_fresh_ms >= 0 && late > -wish->min_fresh_ms);
    if (is_demanded)
        return FRESHNESS_SPENT;
    if (late < 0)
        return FRESHNESS_FRESH;
    if (freshness->is_strict)
        return FRESHNESS_SPENT;
    if (!freshness->is_firm && wish->max_stale_ms >= 0 && late <= wish->max_stale_ms)
        return FRESHNESS_FRESH;
    if (late < freshness->stale_while_ms)
        return FRESHNESS_STALE;
    return late < freshness->stale_error_ms ? FRESHNESS_FALLBACK : FRESHNESS_SPENT;
}
