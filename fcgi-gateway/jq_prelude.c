/* jq_prelude: what stands in front of every jq program, so that no input can harm the gateway.
 *
 * libjq 1.6 was made for a command that ends when something goes wrong. Some of its functions fail
 * an assertion, or divide by zero, or go round for ever in C code where nothing can stop them, when
 * they are given what they did not expect: an empty text to look for, a time that no calendar has,
 * an index of 1e9. What they are given comes from clients and services. So each such function is
 * defined anew here, in jq, with a look at what it is given; those that call it are defined again,
 * as they know only the former one. A program gets just those that its text may need, as each costs
 * when it is compiled. Knows nothing of libjq but its language.
 */
#include "jq_prelude.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Longer than any array that a service's reply may hold (see CALL_REPLY_MAX), and 160 MB. */
#define INDEX_END "10000000"

/* Steps of a path to set: for each of them libjq goes one call deeper, again when it frees what it
 * has made, and a thread has stack for some 2,000. What is nested as deep is no reply anyway. */
#define PATH_MAX_STEPS "256"

#define TEXT_MAX "16777216"      /* bytes that a text times a number may have: as a reply */
#define TIME_FORMAT_MAX "4096"   /* bytes; it goes onto the stack of a thread */
#define TIME_END "6e16"          /* seconds; some more, and the year is no int */
#define SEARCH_TEXT_MAX "65536"  /* bytes; for each match libjq counts from the text's start */
#define PATTERN_DEPTH_MAX "200"  /* what may nest in a pattern; each takes stack of a thread */
#define BESSEL_ORDER_MAX "10000" /* its square root of time is what these functions take */

/* The process's own things. `debug` is harmless without a callback. input_filename and
 * input_line_number would fail an assertion. `import` must stand first in a program, so it is a
 * mistake now. */
static const char always[] =
    "def env: {}; def stderr: .; def modulemeta: error(\"there are no modules\");"
    "def input: error(\"there is no further input\"); def inputs: empty;"
    "def input_filename: null; def input_line_number: 0;"
    "def halt: error(\"halt\"); def halt_error: error; def halt_error(code): error;\n";

static const char implode[] =
    "def libjq_implode: implode;"
    "def implode: if type == \"array\" and all(.[]; type == \"number\" and . >= 0 and . <= 1114111)"
    "  then libjq_implode else error(\"implode wants an array of code points\") end;\n";

/* To look for nothing never ends; from jq 1.7 on it is nowhere. */
static const char places[] =
    "def libjq_strindices(i): _strindices(i);"
    "def _strindices($i): if type != \"string\" or ($i | type) != \"string\" then"
    "  error(\"_strindices wants two texts\") elif $i == \"\" then [] else libjq_strindices($i) "
    "end;"
    "def indices($i): if type == \"string\" and ($i | type) == \"string\" then _strindices($i)"
    "  elif type == \"array\" and ($i | type) != \"array\" then .[[$i]] else .[$i] end;"
    "def index($i): indices($i) | .[0]; def rindex($i): indices($i) | .[-1:][0];\n";

static const char times[] =
    "def libjq_in_time: if type == \"number\" and (. > -" TIME_END " and . < " TIME_END " | not)"
    "  then error(\"\\(.) seconds are no time\") else . end;"
    "def libjq_format: if type == \"string\" and utf8bytelength <= " TIME_FORMAT_MAX " then ."
    "  else error(\"the format of a time is a text of at most " TIME_FORMAT_MAX " bytes\") end;"
    "def libjq_strftime(f): strftime(f); def libjq_strflocaltime(f): strflocaltime(f);"
    "def strftime(f): (f | libjq_format) as $f | libjq_in_time | libjq_strftime($f);"
    "def strflocaltime(f): (f | libjq_format) as $f | libjq_in_time | libjq_strflocaltime($f);"
    "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\"); def todate: todateiso8601;\n";

static const char products[] =
    "def libjq_multiply(a; b): a * b;"
    "def libjq_repeat($text; $n): if ($text | utf8bytelength) * $n > " TEXT_MAX " then"
    "  error(\"a text times \\($n) is too long\") else libjq_multiply($text; $n) end;"
    "def _multiply(a; b): b as $b | a as $a |"
    "  if ($a | type) == \"number\" and ($b | type) == \"number\" then"
    "  libjq_multiply($a; $b)"
    "  elif ($a | type) == \"string\" and ($b | type) == \"number\" then libjq_repeat($a; $b)"
    "  elif ($b | type) == \"string\" and ($a | type) == \"number\" then libjq_repeat($b; $a)"
    "  else libjq_multiply($a; $b) end;\n";

/* The processor cannot divide its least number by -1. Everything leaves 0 there. */
static const char remainders[] =
    "def libjq_mod(a; b): a % b;"
    "def _mod(a; b): b as $b | a as $a | if ($b | type) == \"number\" and $b > -2 and $b <= -1"
    "  then libjq_mod($a; 1) else libjq_mod($a; $b) end;\n";

/* "nan" is read as a number that is not equal to itself, and then ends in places such as .[$n:]. */
static const char numbers[] =
    "def libjq_is_nan: type == \"number\" and isnan;"
    "def libjq_tonumber: tonumber;"
    "def tonumber: libjq_tonumber | if isnan then error(\"nan is no number\") else . end;"
    "def libjq_fromjson: fromjson;"
    "def fromjson: . as $text | libjq_fromjson | if ($text | contains(\"nan\")) and"
    "  any(..; libjq_is_nan) then error(\"nan is no number\") else . end;\n";

static const char paths[] =
    "def libjq_nan: type == \"number\" and isnan;"
    "def libjq_step: if type == \"number\" and . >= " INDEX_END " then"
    "  error(\"the index \\(.) is too large\")"
    "  elif libjq_nan or (type == \"object\" and ((.start | libjq_nan) or (.end | libjq_nan))) then"
    "  error(\"nan is no index\") else . end;"
    "def libjq_path: if type == \"array\" then"
    "  if length > " PATH_MAX_STEPS " then"
    "  error(\"a path to set has at most " PATH_MAX_STEPS " steps\")"
    "  else map(libjq_step) end else . end;"
    "def libjq_setpath(p; v): setpath(p; v); def libjq_delpaths(p): delpaths(p);"
    "def setpath(p; v): v as $v | (p | libjq_path) as $p | libjq_setpath($p; $v);"
    "def delpaths(p): (p | if type == \"array\" then map(libjq_path) else . end) as $p |"
    "  libjq_delpaths($p);"
    "def del(f): delpaths([path(f)]);"
    "def _assign(paths; value): value as $v | reduce path(paths) as $p (.; setpath($p; $v));"
    "def _modify(paths; update): reduce path(paths) as $p (.;"
    "  label $out | (setpath($p; getpath($p) | update) | ., break $out), delpaths([$p]));"
    "def fromstream(i): foreach i as $item ([null, false, null, false];"
    "  if ($item[0] | length) == 0 then [null, false, .[2], .[3]]"
    "  elif ($item | length) == 1 and ($item[0] | length) < 2 then [null, false, .[0], .[1]]"
    "  else . end | . as $state |"
    "  if ($item | length) > 1 and ($item[0] | length) > 0 then"
    "  [.[0] | setpath($item | .[0]; $item | .[1]), true, $state[2], $state[3]] else . end;"
    "  if ($item[0] | length) == 1 and ($item | length == 1) and .[3] then .[2] else empty end,"
    "  if ($item[0] | length) == 0 then $item[1] else empty end);\n";

/* With "g", what matches nothing ("x*" in a text without x) makes libjq step into the middle of a
 * letter and then read on behind the text; \K can make such a match of any. "n" leaves them out.
 * gsub and sub would find the same nothing for ever. */
static const char patterns[] =
    "def libjq_match(re; mode; is_test): _match_impl(re; mode; is_test);"
    "def libjq_pattern: if type == \"string\" and length > " PATTERN_DEPTH_MAX " and ([explode[] |"
    "  select(. == 40 or . == 91 or . == 123)] | length) > " PATTERN_DEPTH_MAX " then"
    "  error(\"a pattern may have " PATTERN_DEPTH_MAX " brackets\") else . end;"
    "def libjq_all(re): if (re | type) == \"string\" and (re | contains(\"\\\\K\")) then"
    "  error(\"\\\\K is not for a search with g\") else . + \"n\" end;"
    "def libjq_text: if type == \"string\" and utf8bytelength > " SEARCH_TEXT_MAX " then"
    "  error(\"a text to search with g has at most " SEARCH_TEXT_MAX " bytes\") else . end;"
    "def _match_impl(re; mode; is_test): is_test as $t | mode as $m | (re | libjq_pattern) as $r |"
    "  if ($m | type) == \"string\" and ($m | contains(\"g\")) then"
    "  libjq_text | ($m | libjq_all($r)) as $m | libjq_match($r; $m; $t)"
    "  else libjq_match($r; $m; $t) end;"
    "def libjq_with(f; g): type as $type | if $type == \"string\" then f"
    "  elif $type == \"array\" and length > 0 then g else error($type + \" not a string or array\")"
    "  end;"
    "def match(re; mode): _match_impl(re; mode; false) | .[];"
    "def match($v): . as $in | $v | libjq_with($in | match($v; null); $in | match($v[0]; $v[1]));"
    "def test(re; mode): _match_impl(re; mode; true);"
    "def test($v): . as $in | $v | libjq_with($in | test($v; null); $in | test($v[0]; $v[1]));"
    "def libjq_names: reduce (.captures[] | select(.name != null) | {(.name): .string}) as $pair"
    "  ({}; . + $pair);"
    "def capture(re; mode): match(re; mode) | libjq_names;"
    "def capture($v): match($v) | libjq_names;"
    "def scan(re): match(re; \"g\") | if (.captures | length) > 0 then [.captures[].string]"
    "  else .string end;"
    "def splits($re; mode): . as $s | [match($re; \"g\" + mode) | (.offset, .offset + .length)] |"
    "  [0] + . + [$s | length] | _nwise(2) | $s[.[0]:.[1]];"
    "def splits($re): splits($re; null); def split($re; mode): [splits($re; mode)];"
    "def sub($re; s; $mode): ($mode | type == \"string\" and contains(\"g\")) as $all |"
    "  ($mode | if $all then explode | map(select(. != 103)) | implode + \"n\" else . end) as $m |"
    "  def one: . as $in | [match($re; $m)] | if length == 0 then $in else .[0] as $at |"
    "    ($at.offset + $at.length) as $to | ($at | libjq_names) | $in[0:$at.offset] + s +"
    "    ($in[$to:] | if length > 0 and $all then one else . end) end;"
    "  one;"
    "def sub($re; s): sub($re; s; \"\"); def gsub($re; s; $mode): sub($re; s; $mode + \"g\");"
    "def gsub($re; s): gsub($re; s; \"\");\n";

/* Bessel functions, which go through all orders up to theirs. */
static const char bessel[] =
    "def libjq_order: if type == \"number\" and (. >= -" BESSEL_ORDER_MAX
    " and . <= " BESSEL_ORDER_MAX " | not) then error(\"the order \\(.) is too high\") else . end;"
    "def libjq_jn(n; x): jn(n; x); def libjq_yn(n; x): yn(n; x);"
    "def jn(n; x): x as $x | (n | libjq_order) as $n | libjq_jn($n; $x);"
    "def yn(n; x): x as $x | (n | libjq_order) as $n | libjq_yn($n; $x);\n";

/* Which programs need what: those in whose text one of the words stands, wherever it does. */
static const struct group {
    const char *definitions;
    const char *words[8];
} groups[] = {
    { implode, { "implode" } },
    { places, { "index", "indices" } },
    { times, { "strf", "todate" } },
    { products, { "*", "_multiply" } },
    { remainders, { "%", "_mod" } },
    { numbers, { "tonumber", "fromjson" } },
    { paths, { "setpath", "del", "fromstream", "_assign", "_modify" } },
    { patterns, { "match", "test", "capture", "scan", "split", "sub" } },
    { bessel, { "jn", "yn" } },
};

static bool has(struct str program, const char *word)
{
    return memmem(program.at, program.len, word, strlen(word)) != NULL;
}

/* Does it have "=", "|=", "+=" and so on, but not "==", "!=", "<=" and ">=" alone? */
static bool assigns(struct str program)
{
    for (size_t i = 0; i < program.len; i++) {
        if (program.at[i] != '=')
            continue;
        if (i + 1 < program.len && program.at[i + 1] == '=')
            i++;
        else if (i == 0 || !strchr("!<>", program.at[i - 1]))
            return true;
    }
    return false;
}

static bool needs(struct str program, const struct group *group)
{
    for (unsigned i = 0; i < COUNT(group->words) && group->words[i]; i++)
        if (has(program, group->words[i]))
            return true;
    return group->definitions == paths && assigns(program);
}

unsigned jq_prelude_write(struct buf *out, struct str program)
{
    unsigned lines = 1;
    buf_text(out, always);
    for (unsigned i = 0; i < COUNT(groups); i++)
        if (needs(program, &groups[i])) {
            buf_text(out, groups[i].definitions);
            lines++;
        }
    buf_text(out, "{} as $ENV |\n");
    return lines + 1;
}
