# words: numbers and names as people read them; for `include "words";`.

def wide($n): tostring | . + (" " * ([$n - length, 0] | max));
def right($n): tostring | (" " * ([$n - length, 0] | max)) + .;

# 1.50 stays 1.50, and a number that nobody measured is a dash.
def fixed($digits): if . == null then "–" else
  (. * pow(10; $digits) | round) as $n | ($n | fabs) as $all
  | ($all / pow(10; $digits) | floor) as $whole | ($all - $whole * pow(10; $digits) | tostring) as $rest
  | (if $n < 0 then "-" else "" end) + ($whole | tostring)
    + if $digits == 0 then "" else "." + ("0" * ($digits - ($rest | length)) // "") + $rest end end;

def spread($digits): if . == null then "–" else "\(.median | fixed($digits)) (\(.low | fixed($digits)) to \(.high | fixed($digits)))" end;

# 1000000 is 1 MB, 1000 is 1 KB.
def bytes: if . >= 1000000 then "\(. / 1000000) MB" else "\(. / 1000) KB" end;

def titles: {
  "direct": "the users service itself", "mod_proxy": "lighttpd's mod_proxy to it", "gateway": "the gateway to it",
  "relay": "a responder that only relays it", "hello": "a responder that only says hello",
  "user-orders": "/users/1/orders, two calls", "dashboard": "/dashboard, two calls",
  "user-orders-shared": "/users/1/orders as shipped", "dashboard-shared": "/dashboard as shipped" };

def figure($group; $name; $clients): [.figures[] | select(.group == $group and .name == $name and .clients == $clients)][0];
def compared($key; $of; $to; $clients): [.comparisons[$key][] | select(.of == $of and .to == $to and .clients == $clients)][0];
def client_counts: [.figures[] | select(.group == "clients") | .clients] | unique;
def machine_line: "\(.machine.cpu), \(.machine.cores) cores, \(.machine.system), lighttpd \(.machine.lighttpd), libcurl \(.machine.libcurl)";
