/* retry: may a call that failed be made again, and when.
 *
 * Everything that speaks against it stands in one function, in order; the budget comes last, so
 * that only a retry that may be made takes from it; one that is not made after all gives it back.
 * Which server gets it is balance.c's business.
 */
#include "retry.h"
#include "pace.h"

#define RETRY_PERCENTS 100 /* of the budget, for one retry */

/* A new budget's: for the first failed call of an upstream that has just been loaded. */
#define BUDGET_FIRST (2 * RETRY_PERCENTS)

/* What quiet times may save up: enough that a server's restart under usual load is not seen, so few
 * that an outage does not begin with a wave of retries. */
#define BUDGET_MAX (10 * RETRY_PERCENTS)

const struct retry_settings retry_defaults = {
    .attempts_max = 3,
    .budget_percent = 20,
    .backoff_us = 25000,
    .backoff_max_us = 1000000,
};

void retry_budget_init(struct retry_budget *budget)
{
    budget->percents = BUDGET_FIRST;
}

static void put_in(struct retry_budget *budget, int percents)
{
    budget->percents += percents;
    if (budget->percents > BUDGET_MAX)
        budget->percents = BUDGET_MAX;
}

void retry_budget_call(struct retry_budget *budget, const struct retry_settings *settings)
{
    put_in(budget, settings->budget_percent);
}

void retry_budget_back(struct retry_budget *budget)
{
    put_in(budget, RETRY_PERCENTS);
}

bool retry_budget_has(const struct retry_budget *budget)
{
    return budget->percents >= RETRY_PERCENTS;
}

/* Methods are case-sensitive (RFC 9110 section 9.1). */
bool retry_is_safe(struct str method)
{
    return str_is(method, "GET") || str_is(method, "HEAD") || str_is(method, "OPTIONS");
}

/* The service says that it cannot now, or somebody before it that it did not answer. */
static bool is_temporary(int status)
{
    return status == 502 || status == 503 || status == 504;
}

/* When the next call would begin. Whoever says Retry-After must not be asked before. */
static long long pause_before(
    const struct retry_settings *settings, const struct retry_question *question)
{
    long long pause_us = pace_backoff(
        settings->backoff_us, settings->backoff_max_us, question->attempts, question->draw);
    if (question->outcome == RETRY_REPLY && question->retry_after_us > pause_us)
        return question->retry_after_us;
    return pause_us;
}

static enum retry_verdict judge(const struct retry_settings *settings,
    const struct retry_budget *budget, const struct retry_question *question,
    long long time_left_us)
{
    if (question->outcome == RETRY_REPLY && !is_temporary(question->status))
        return RETRY_NO_NEED;
    if (question->outcome != RETRY_NOT_SENT && !retry_is_safe(question->method))
        return RETRY_NO_METHOD;
    if (question->is_reply_begun || question->is_body_gone)
        return RETRY_NO_WAY_BACK;
    if (question->attempts >= settings->attempts_max)
        return RETRY_NO_ATTEMPTS;
    if (pause_before(settings, question) >= time_left_us)
        return RETRY_NO_TIME;
    if (!retry_budget_has(budget))
        return RETRY_NO_BUDGET;
    return RETRY_YES;
}

struct retry_answer retry_decide(const struct retry_settings *settings, struct retry_budget *budget,
    const struct retry_question *question, long long now_us)
{
    struct retry_answer answer = {
        .verdict = judge(settings, budget, question, question->deadline_us - now_us),
    };
    if (answer.verdict == RETRY_YES) {
        answer.pause_us = pause_before(settings, question);
        budget->percents -= RETRY_PERCENTS;
    }
    return answer;
}
