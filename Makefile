# Builds, runs and tests fcgi-gateway and Central Perk. `make help` lists what there is.

# Every rule is in here. To look among make's own for what could make each header takes longer than all the rest.
MAKEFLAGS += --no-builtin-rules

BUILD    ?= build
CFLAGS   ?= -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
LDFLAGS  ?= -Wl,-z,relro,-z,now
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(BUILD)/obj -pthread -fno-omit-frame-pointer \
             -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
             -Wformat=2 -Wvla $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread -Wl,--as-needed $(CFLAGS) $(LDFLAGS)
LIBS     = -lcurl -lsqlite3 -ljq

PROGRAMS = fcgi-gateway fcgi-users fcgi-orders
ARCHIVES = $(foreach p,$(PROGRAMS),$(BUILD)/$p.a) $(BUILD)/lib.a
UNITS    = $(patsubst %.c,$(BUILD)/%,$(wildcard test/unit/*.c))
EXAMPLES = $(patsubst %.c,$(BUILD)/%,$(wildcard examples/*/*.c))
SQL      = $(patsubst %,$(BUILD)/obj/%.inc,$(wildcard lib/sql/*.sql fcgi-*/sql/*.sql examples/*/sql/*.sql))
DOCS     = $(patsubst lighttpd/%,$(BUILD)/%,$(wildcard lighttpd/docs/*))
FIXTURES = $(patsubst %.c,$(BUILD)/%,$(wildcard test/fixtures/*.c))
BENCHES  = $(patsubst %.c,$(BUILD)/%,$(wildcard bench/*.c))
SOURCES  = $(wildcard lib/*.c fcgi-*/*.c examples/*/*.c bench/*.c test/unit/*.c test/fixtures/*.c test/fixtures/lib/*.c)

FUZZED   = $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*.c))
FUZZ_LIB = $(patsubst %,lib/%.c,arena buf text uri json json_node route pattern)
FUZZ_REPLY = $(patsubst %,fcgi-gateway/%.c,framing head)
FUZZ_RECORD = $(wildcard lib/*.c)
FUZZ_ALL = $(filter-out %/main.c,$(wildcard fcgi-gateway/*.c lib/*.c)) # what a configuration needs
SECONDS ?= 60

# What a recipe does in one line; V=1 shows the whole command.
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@ &&)

build: $(PROGRAMS:%=$(BUILD)/%) $(EXAMPLES) $(BUILD)/errors/made $(DOCS) ## build the programs (the default)

## To build and to run. PORT=8000 and RUN_DIR=run let several copies live side by side.

run: ## install what is missing, build, start all of it here; Ctrl-C stops it
	@.ci/packages run
	@$(MAKE) --no-print-directory build
	@lighttpd/control run

start: ## the same in the background; returns when it answers
	@.ci/packages run
	@$(MAKE) --no-print-directory build
	@lighttpd/control start

stop restart reload status logs: ## what they say, for what was started with this RUN_DIR
	@lighttpd/control $@

deps: ## install the Debian packages that building, running, testing and lint need
	@.ci/packages lint

clean: ## remove all that was built
	rm -rf build build-*

## To test.

test: ## install what is missing, build, run every test
	@.ci/packages test
	@$(MAKE) --no-print-directory check

check: build units fixtures ## run every test with what is installed; TESTS="file..." for some
	@BUILD=$(BUILD) test/run $(TESTS)

asan: ## the whole suite with ASan and UBSan, in build-asan
	@.ci/packages test
	@$(MAKE) --no-print-directory check BUILD=build-asan LDFLAGS= \
		CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined'

# gcc's TSan cannot live with as much randomness of addresses as newer kernels have by default.
FIXED_ADDRESSES = $(shell [ "$$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -le 28 ] || echo setarch -R)

tsan: ## the whole suite with TSan, in build-tsan
	@.ci/packages test
	@$(FIXED_ADDRESSES) $(MAKE) --no-print-directory check BUILD=build-tsan LDFLAGS= CFLAGS='-O1 -g -fsanitize=thread'

fuzz: ## what reads bytes from outside gets random ones, SECONDS=60 each
	@.ci/packages fuzz
	@$(MAKE) --no-print-directory sql
	@mkdir -p $(BUILD)/fuzz/seeds $(BUILD)/fuzz/found
	@cp fcgi-gateway/gateway.json test/broken/*.json $(BUILD)/fuzz/seeds
	@for name in $(FUZZED); do \
		used='$(FUZZ_LIB)' seeds=; \
		[ $$name != reply ] || used='$(FUZZ_LIB) $(FUZZ_REPLY)'; \
		[ $$name != record ] || used='$(FUZZ_RECORD)'; \
		[ $$name != config ] || used='$(FUZZ_ALL)' seeds='found seeds'; \
		clang -std=c11 -D_GNU_SOURCE -I. -I$(BUILD)/obj -g -O1 -pthread \
			-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $(BUILD)/fuzz/$$name \
			test/fuzz/$$name.c $$used $(LIBS) && \
		(cd $(BUILD)/fuzz && ./$$name -max_total_time=$(SECONDS) $$seeds) || exit 1; \
	done

## To measure. docs/performance.md says what the figures mean.

bench: ## what the gateway costs beside lighttpd alone, in ratios; under 5 minutes, with QUICK=1 one
	@.ci/packages bench
	@$(MAKE) --no-print-directory build fixtures $(BENCHES)
	@BUILD=$(BUILD) exec bench/run.sh

bench-peers: ## the same beside nginx, HAProxy, Fastify, Express and Flask; QUICK=1 as well
	@.ci/packages peers || echo "Not all of them can be installed: on with those that are there" >&2
	@$(MAKE) --no-print-directory build
	@BUILD=$(BUILD) exec bench/peers.sh

bench-report: ## keep what was measured last; documents and picture say it then
	@BUILD=$(BUILD) bench/report.sh keep

bench-routes: ## what 1,000 routes cost against 10; takes a minute
	@.ci/packages bench
	@$(MAKE) --no-print-directory build $(BENCHES)
	@BUILD=$(BUILD) exec bench/routes.sh

bench-instructions: ## instructions for a request, against the kept values; PROFILE=1 says where they go
	@.ci/packages bench
	@$(MAKE) --no-print-directory build
	@BUILD=$(BUILD) exec bench/instructions.sh

lint: ## warnings of two compilers, static checks, formats, the rule of the folders
	@.ci/packages lint
	@.ci/lint

containers: ## build and start the containers, then run the contract's calls against them
	docker compose up --build --wait
	test/containers.sh

help: ## this list
	@awk -F ' *## *' '/^## / { print ""; print $$2 } \
		/^[a-z][a-z -]*:.* ## / { split($$1, t, ":"); printf "  make %-26s %s\n", t[1], $$2 }' Makefile

# What follows is how.

units: $(UNITS)
fixtures: $(FIXTURES)
sql: $(SQL)
objects: $(SOURCES:%.c=$(BUILD)/obj/%.o)

# Every folder's objects but main.o go to an archive, so that unit tests link what they test.
objects_of = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))

define archive
$(BUILD)/$(1).a: $(call objects_of,$(1))
	@rm -f $$@
	$$(call say,AR) $(AR) rcs $$@ $$^
endef
$(foreach folder,lib $(PROGRAMS),$(eval $(call archive,$(folder))))

$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/%/main.o $(BUILD)/%.a $(BUILD)/lib.a
	$(call say,LINK) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Every source file of an example is a whole program.
$(EXAMPLES): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(UNITS): $(BUILD)/%: $(BUILD)/obj/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVES) $(LIBS) -lcmocka -ljansson

$(BENCHES): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(FIXTURES): $(BUILD)/%: $(BUILD)/obj/%.o $(call objects_of,test/fixtures/lib) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The SQL must be there before what includes it is compiled first; then the .d files know.
$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(SQL)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# An SQL file as a C string literal with a comma, to be included in the list of a schema's steps:
# services carry their schema with them.
$(BUILD)/obj/%.sql.inc: %.sql Makefile
	@mkdir -p $(@D)
	$(call say,SQL) sed 's/[\\"]/\\&/g; s/.*/"&\\n"/; $$s/$$/,/' $< >$@

# Changes when the compiler or its flags do: objects of both kinds are never mixed.
FLAGS = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
ifneq ($(file <$(BUILD)/flags),$(FLAGS))
$(BUILD)/flags: FORCE
endif
$(BUILD)/flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' >$@

# The page that shows the API, where lighttpd runs: see lighttpd/gateway.conf.
$(BUILD)/docs/%: lighttpd/docs/%
	@mkdir -p $(@D)
	@cp $< $@

# lighttpd's own error replies, one file for each status: see lighttpd/common.conf.
$(BUILD)/errors/made: lighttpd/errors.txt
	@mkdir -p $(@D)
	@awk '{ status = $$1; sub(/^[0-9]+ /, ""); file = "$(@D)/" status ".html"; \
		printf "{\"error\":\"%s\"}", $$0 >file; close(file) }' $<
	@touch $@

FORCE:
.PHONY: build run start stop restart reload status logs deps clean test check asan tsan fuzz bench bench-peers bench-report \
	bench-routes bench-instructions lint containers help units fixtures sql objects FORCE
.SECONDARY:
.DELETE_ON_ERROR:
# To read them all takes time, and these goals compile nothing by themselves.
ifneq ($(filter-out run start stop restart reload status logs clean help,$(or $(MAKECMDGOALS),build)),)
-include $(SOURCES:%.c=$(BUILD)/obj/%.d)
endif
