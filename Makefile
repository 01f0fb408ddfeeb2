# SPDX-License-Identifier: MIT
# make            build/vmtop, its manuals and completions
# make run        installs what is missing, builds, starts (ARGS="--auto 5" are its arguments)
# make fleet      three private hypervisors with guests, a Prometheus, and the screen over all of them (needs root)
# make check      installs what tests need, builds, runs every test; check-quick: without live tests
# make lint       the rules of the house        make bench    every figure that is quoted
# make install    PREFIX, DESTDIR; uninstall    make dist     a release tarball      make deb, make rpm  packages
# make valgrind   every test under memcheck (VALGRIND=quick: most of them; VALGRIND="test_sim" some)
# make fuzz       every fuzz target with clang (FUZZ="cpuset journal" some, FUZZ_S=60 seconds each)
# SAN=address,undefined or SAN=thread builds with sanitizers into a folder of its own.

VERSION  = 0.2.0
CC      ?= gcc
SAN     ?=
DEBUG   ?=
WERROR  ?= -Werror
comma   := ,
BUILD   ?= build$(if $(filter clang,$(notdir $(CC))),-clang)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PKGS     = libvirt libxml-2.0 jansson inih sqlite3 ncursesw panelw libmicrohttpd libcurl
WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
           -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough $(WERROR)
OPT     ?= -O2 -g
# Only asked when something is compiled, so that `make run` works before anything is installed.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
# As hardened as a distribution's package, where the compiler knows how; sanitizers have checks of their own.
can_c      = $(shell echo 'int main(void) { return 0; }' | $(CC) -Werror $(1) -x c -o /dev/null - 2>/dev/null && echo "$(1)")
HARDEN_ALL = -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard
FORTIFY    = $(if $(SAN)$(filter -O0,$(OPT)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDEN_C   = $(eval HARDEN_C := $$(foreach f,$(HARDEN_ALL),$$(call can_c,$$f)))$(HARDEN_C)
CPPFLAGS += -Iinclude -I$(BUILD)/gen -D_GNU_SOURCE -DVMTOP_VERSION='"$(VERSION)"'
CFLAGS   += -std=c17 $(OPT) $(WARN) -fno-strict-aliasing -fstack-protector-strong -fPIE -pthread $(FORTIFY) $(HARDEN_C) \
            $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LDFLAGS  += -pthread -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN))
LDLIBS    = $(PKG_LIBS) -lm

SRC   := $(sort $(wildcard src/*/*.c src/*/*/*.c))
OBJ   := $(SRC:%.c=$(BUILD)/%.o)
LIB   := $(BUILD)/libvmtop.a
UNIT  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c tests/scenario/test_*.c tests/screen/test_*.c)))
PTY   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/term/test_*.c)))
TSUP  := $(patsubst tests/%.c,$(BUILD)/tests/%.o,$(sort $(wildcard tests/support/*.c)))
BENCH := $(patsubst bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard bench/bench_*.c)))

# Fuzz targets; without libFuzzer they have a main() that plays their seeds.
FUZZ    ?= $(sort $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_S  ?= 60
FUZZERS := $(FUZZ:%=$(BUILD)/tests/fuzz/fuzz_%)
FUZZ_ON := $(findstring fuzzer,$(SAN))
FUZZ_MAIN = $(if $(FUZZ_ON),,$(BUILD)/tests/fuzz/seeds.o)

PREFIX   ?= /usr/local
# Where libvirtd looks for hooks; a prefix in a folder of one's own is no host to install them on.
HOOKS    ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc/libvirt/hooks/qemu.d)
MANUALS   = $(patsubst man/%.in,$(BUILD)/man/%,$(sort $(wildcard man/*.in)))
SHELLS    = $(BUILD)/completions/vmtop.bash $(BUILD)/completions/_vmtop $(BUILD)/completions/vmtop.fish

.PHONY: all run fleet check check-quick unit valgrind screenshots lint format bench benches bench-live fuzz clean install uninstall dist deb rpm golden
all: $(BUILD)/vmtop $(MANUALS) $(SHELLS)

# Installing comes before anything that asks pkg-config, hence the second make.
run:
	@sh packaging/deps.sh build
	@$(MAKE) --no-print-directory -s all
	@sh packaging/run.sh $(BUILD)/vmtop $(ARGS)

fleet:
	@sh packaging/deps.sh fleet
	@$(MAKE) --no-print-directory -s all
	@VMTOP=$(CURDIR)/$(BUILD)/vmtop tests/live/fleet

check:
	@sh packaging/deps.sh test
	@$(MAKE) --no-print-directory -s all tests
	@sh tools/check.sh $(BUILD) cli extend metrics install recordings examples term live

check-quick: all tests
	@sh tools/check.sh $(BUILD) cli recordings metrics examples term

$(BUILD)/vmtop: $(BUILD)/src/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# A new version is a new Makefile: what says the version is compiled anew.
$(patsubst %.c,$(BUILD)/%.o,$(shell grep -l VMTOP_VERSION $(SRC))): Makefile

# Scenarios are part of the program.
SCENARIOS := $(sort $(wildcard src/backend/sim/scenarios/*.scn))
$(BUILD)/gen/scenarios.inc: $(SCENARIOS) src/backend/sim/scenarios/embed.sh
	@mkdir -p $(@D)
	sh src/backend/sim/scenarios/embed.sh $(SCENARIOS) >$@.new && mv $@.new $@
$(BUILD)/src/backend/sim/scenario_shipped.o: $(BUILD)/gen/scenarios.inc

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -Itests -MMD -MP -c -o $@ $<

# This one lets every allocation fail in turn.
wrap = -Wl,--wrap=$(1)
$(BUILD)/tests/scenario/test_faults $(BUILD)/tests/scenario/test_faults_far: LDFLAGS += $(foreach f,malloc calloc realloc reallocarray free pthread_create,$(call wrap,$(f)))
# This one says itself what libvirt knows of numad.
$(BUILD)/tests/unit/test_libvirt_placed: LDFLAGS += $(foreach f,NumaParameters EmulatorPinInfo,$(call wrap,virDomainGet$(f)))
# And this one what it answers about CPU shares.
$(BUILD)/tests/unit/test_libvirt_testdriver: LDFLAGS += $(foreach f,Get Set,$(call wrap,virDomain$(f)SchedulerParametersFlags))
# And this one is killed in each call that writes.
$(BUILD)/tests/scenario/test_killed: LDFLAGS += $(foreach f,write fdatasync renameat,$(call wrap,$(f)))
# This one has a libvirt of its own making.
$(BUILD)/tests/unit/test_claim: LDFLAGS += $(foreach f,clock_gettime virGetLastError virResetLastError \
  $(addprefix virSecret,DefineXML LookupByUsage LookupByUUIDString Undefine GetXMLDesc GetUUIDString Free),$(call wrap,$(f)))

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TSUP) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(FUZZERS): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/seeds.o $(TSUP) $(LIB)
	$(CC) $(LDFLAGS) $(if $(FUZZ_ON),-fsanitize=fuzzer) -o $@ $< $(FUZZ_MAIN) $(TSUP) $(LIB) $(LDLIBS) -lcmocka

$(BUILD)/bench/%: bench/%.c $(TSUP) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -Itests $(LDFLAGS) -MMD -MP -o $@ $< $(TSUP) $(LIB) $(LDLIBS) -lcmocka

# Manuals and completions are written by a program that reads the tables.
$(BUILD)/tools/docgen: tools/docgen.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIB) $(LDLIBS)

$(BUILD)/man/%: man/%.in man/origin-deviations.txt $(BUILD)/tools/docgen
	@mkdir -p $(@D)
	$(BUILD)/tools/docgen man/$*.in >$@.new && mv $@.new $@

$(BUILD)/completions/%: packaging/%.in $(BUILD)/tools/docgen
	@mkdir -p $(@D)
	$(BUILD)/tools/docgen packaging/$*.in >$@.new && mv $@.new $@

.PHONY: tests
tests: $(UNIT) $(FUZZERS) $(PTY) $(BUILD)/tests/live/proc_same $(BUILD)/tests/live/sample_dump $(BUILD)/tests/live/key_times

unit: $(UNIT)
	@for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done

# Writes the golden screens and stories anew; read them as a diff.
golden: $(patsubst tests/%.c,$(BUILD)/tests/%,tests/screen/test_golden.c tests/screen/test_why_screen.c tests/screen/test_fleet_screen.c tests/screen/test_field.c $(wildcard tests/scenario/test_story_*.c))
	for t in $^; do VMTOP_GOLDEN=write $$t || exit 1; done

benches: $(BENCH) $(BUILD)/bench/cost_live
bench: benches
	@for b in $(BENCH); do echo "== $$b"; $$b || exit 1; done

bench-live: all $(BUILD)/bench/cost_live # with real guests: needs root and libvirtd
	bench/cost
	bench/beside
	bench/fleet_live
	bench/faults_live

fuzz:
	@$(MAKE) --no-print-directory -s CC=clang SAN=fuzzer-no-link,address,undefined,float-cast-overflow BUILD=build-fuzz FUZZ="$(FUZZ)" fuzzers
	@sh tools/fuzz.sh build-fuzz $(FUZZ_S) $(FUZZ)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

VALGRIND ?= # quick, or names of tests
valgrind: tests
	@sh tools/valgrind.sh $(BUILD) $(VALGRIND)

screenshots: $(BUILD)/vmtop # pictures of real runs on the simulator
	@sh tools/screenshots.sh $(BUILD)

lint: all
	@CC="$(CC)" sh tools/lint.sh $(BUILD)

format:
	clang-format -i $(shell find src include tests bench tools -name '*.[ch]')

DEST = $(DESTDIR)$(PREFIX)
install: all
	install -Dm755 $(BUILD)/vmtop $(DEST)/bin/vmtop
	for m in $(MANUALS); do install -Dm644 $$m $(DEST)/share/man/man$${m##*.}/$${m##*/} || exit 1; done
	install -Dm644 $(BUILD)/completions/vmtop.bash $(DEST)/share/bash-completion/completions/vmtop
	install -Dm644 $(BUILD)/completions/_vmtop $(DEST)/share/zsh/site-functions/_vmtop
	install -Dm644 $(BUILD)/completions/vmtop.fish $(DEST)/share/fish/vendor_completions.d/vmtop.fish
	@mkdir -p $(DEST)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' packaging/vmtop.service >$(DEST)/lib/systemd/system/vmtop.service
	sed 's|/usr/local|$(PREFIX)|' packaging/vmtop-metrics.service >$(DEST)/lib/systemd/system/vmtop-metrics.service
	for f in vmtop.rules.yml vmtop.grafana.json scrape.yml; do \
		install -Dm644 packaging/prometheus/$$f $(DEST)/share/vmtop/prometheus/$$f || exit 1; done
	$(if $(HOOKS),@mkdir -p $(DESTDIR)$(HOOKS))
	$(if $(HOOKS),sed 's|/usr/local|$(PREFIX)|' packaging/libvirt-hook >$(DESTDIR)$(HOOKS)/vmtop && chmod 755 $(DESTDIR)$(HOOKS)/vmtop)
	install -Dm644 README.md $(DEST)/share/doc/vmtop/README.md
	install -Dm644 NEWS.md $(DEST)/share/doc/vmtop/NEWS.md
	install -Dm644 packaging/examples/course.conf $(DEST)/share/doc/vmtop/examples/course.conf
	install -Dm644 LICENSE $(DEST)/share/doc/vmtop/LICENSE

uninstall:
	rm -f $(DEST)/bin/vmtop $(foreach m,$(notdir $(MANUALS)),$(DEST)/share/man/man$(patsubst .%,%,$(suffix $(m)))/$(m))
	rm -f $(DEST)/share/bash-completion/completions/vmtop $(DEST)/share/zsh/site-functions/_vmtop
	rm -f $(DEST)/share/fish/vendor_completions.d/vmtop.fish $(DEST)/lib/systemd/system/vmtop.service $(DEST)/lib/systemd/system/vmtop-metrics.service
	rm -rf $(DEST)/share/doc/vmtop $(DEST)/share/vmtop
	$(if $(HOOKS),rm -f $(DESTDIR)$(HOOKS)/vmtop)

dist:
	@mkdir -p build
	git archive --prefix=vmtop-$(VERSION)/ -o build/vmtop-$(VERSION).tar.gz HEAD

deb:
	@sh packaging/deb.sh $(VERSION) build-deb

rpm: dist
	rpmbuild -bb $(RPMFLAGS) --define "_topdir $(CURDIR)/build-rpm" --define "_sourcedir $(CURDIR)/build" packaging/vmtop.spec

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
