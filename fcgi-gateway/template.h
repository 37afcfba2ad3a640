/* template: a JSON value with references, compiled when the file is read, written per request.
 *
 * A string that is just one reference gives the JSON value itself; inside a longer string it gives
 * text. A member whose reference is missing is left out, and so is an object that becomes empty
 * through that; in an array null keeps its place. `{{` is a brace.
 *
 * A member named "..." puts in the members of the object that it refers to, but for those that the
 * template names itself: what the template says always wins. */
#ifndef GATEWAY_TEMPLATE_H
#define GATEWAY_TEMPLATE_H

#include "reference.h"
#include "setting.h"

struct template;
struct template_text;

/* Compiles the value at `node` of the file; mistakes are noted. Never NULL. In the settings' arena.
 */
struct template *template_new(
    struct settings *settings, uint32_t node, struct reference_scope *scope);

/* Appends the JSON. False, with nothing appended, where the whole value is missing. */
bool template_write(
    const struct template *template, const struct reference_values *values, struct buf *out);

/* Compiles a text with references, such as a path; `node` is where mistakes are noted. */
struct template_text *template_text_new(
    struct settings *settings, uint32_t node, struct str text, struct reference_scope *scope);

/* Appends the text, with references' values percent-encoded, but for the rest of a path, which
 * stays as it came; an empty one takes the slash in front of it along, unless it is at the end and
 * the client wrote one. A query parameter whose value the
 * client may leave out and has left out is left out too. Returns NULL, or the reference whose value
 * is missing otherwise, or in the path empty, "." or "..": a call must not go to another path than
 * the file says. */
const struct reference *template_text_write_target(
    const struct template_text *text, const struct reference_values *values, struct buf *out);

/* The first reference to the request, or to an element of its body, that would be returned there,
 * or NULL: what can be known before any call is made. */
const struct reference *template_text_lack(
    const struct template_text *text, const struct reference_values *values);

/* The reference, where the text is that and nothing else; else NULL. */
const struct reference *template_text_only_reference(const struct template_text *text);

/* Does the text depend on the request at all? */
bool template_text_has_reference(const struct template_text *text);

/* Is the text one reference and nothing else? Then *reference is it, else NULL and a mistake is
 * noted. */
const struct reference *template_only_reference(
    struct settings *settings, uint32_t node, struct reference_scope *scope);

/* Appends the text as it is. False, with nothing appended, where a reference's value is missing. */
bool template_text_write(
    const struct template_text *text, const struct reference_values *values, struct buf *out);

#endif
