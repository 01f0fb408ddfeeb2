# SPDX-License-Identifier: MIT
# make            build/vmtop            make lint       the rules of the house
# make run        install, build, start  make bench      every figure that is quoted
# make check      install, build, test   make fuzz       short fuzzing run
# SAN=address,undefined or SAN=thread builds with sanitizers into a folder of its own.

VERSION  = 0.1.0
CC      ?= gcc
SAN     ?=
DEBUG   ?=
comma   := ,
BUILD   ?= build$(if $(filter clang,$(notdir $(CC))),-clang)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PKGS     = libvirt libxml-2.0 jansson inih sqlite3 ncursesw panelw
WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
           -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Werror
OPT     ?= -O2 -g
# Only asked when something is compiled, so that `make run` works before anything is installed.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
CPPFLAGS += -Iinclude -I$(BUILD)/gen -D_GNU_SOURCE -DVMTOP_VERSION='"$(VERSION)"'
CFLAGS   += -std=c17 $(OPT) $(WARN) -fno-strict-aliasing -fstack-protector-strong -pthread \
            $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LDFLAGS  += -pthread $(if $(SAN),-fsanitize=$(SAN))
LDLIBS    = $(PKG_LIBS) -lm

SRC   := $(sort $(wildcard src/*/*.c))
OBJ   := $(SRC:%.c=$(BUILD)/%.o)
LIB   := $(BUILD)/libvmtop.a
UNIT  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c tests/scenario/test_*.c tests/screen/test_*.c)))
TSUP  := $(patsubst tests/%.c,$(BUILD)/tests/%.o,$(sort $(wildcard tests/support/*.c)))
BENCH := $(patsubst bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard bench/bench_*.c)))

.PHONY: all run check unit lint format bench clean deps deps-check
all: $(BUILD)/vmtop

$(BUILD)/vmtop: $(BUILD)/src/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# Scenarios are part of the program.
SCENARIOS := $(sort $(wildcard src/backend/scenarios/*.scn))
$(BUILD)/gen/scenarios.inc: $(SCENARIOS) src/backend/scenarios/embed.sh
	@mkdir -p $(@D)
	sh src/backend/scenarios/embed.sh $(SCENARIOS) >$@.new && mv $@.new $@
$(BUILD)/src/backend/scenario_shipped.o: $(BUILD)/gen/scenarios.inc

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -Itests -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TSUP) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/bench/%: bench/%.c $(TSUP) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -Itests $(LDFLAGS) -MMD -MP -o $@ $< $(TSUP) $(LIB) $(LDLIBS) -lcmocka

unit: $(UNIT)
	@for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done

bench: $(BENCH)
	@for b in $(BENCH); do echo "== $$b"; $$b || exit 1; done

format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
