# Builds, runs and tests fcgi-gateway and Central Perk. `make help` lists what there is.

BUILD    ?= build
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(BUILD)/obj -pthread -fno-omit-frame-pointer \
             -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
             -Wformat=2 -Wvla $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread -Wl,--as-needed $(CFLAGS) $(LDFLAGS)
LIBS     = -lfcgi -lcurl -lsqlite3

PROGRAMS = fcgi-gateway fcgi-users fcgi-orders
ARCHIVES = $(foreach p,$(PROGRAMS),$(BUILD)/$p.a) $(BUILD)/lib.a
UNITS    = $(patsubst %.c,$(BUILD)/%,$(wildcard test/unit/*.c))
FIXTURES = $(patsubst %.c,$(BUILD)/%,$(wildcard test/fixtures/*.c))

all: $(PROGRAMS:%=$(BUILD)/%)

# Every folder's objects but main.o go to an archive, so that unit tests link what they test.
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))

define archive
$(BUILD)/$(1).a: $(call objects,$(1))
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach folder,lib $(PROGRAMS),$(eval $(call archive,$(folder))))

$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/%/main.o $(BUILD)/%.a $(BUILD)/lib.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(UNITS): $(BUILD)/%: $(BUILD)/obj/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/fcgi-gateway.a $(BUILD)/lib.a $(LIBS) -lcmocka -ljansson

$(FIXTURES): $(BUILD)/%: $(BUILD)/obj/%.o $(call objects,test/fixtures/lib) $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# An SQL file as a C string literal, to be included: services carry their schema with them.
$(BUILD)/obj/%.sql.inc: %.sql
	@mkdir -p $(@D)
	sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< >$@

clean:
	rm -rf build build-*

.PHONY: all clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
