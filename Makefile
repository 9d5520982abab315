# SPDX-License-Identifier: MIT
#
# One Makefile for everything; `make help` lists the targets. A layer is a folder, and becomes one
# archive; a program is its own objects and the archives of the layers below it. Each build variant
# has a folder: build/ for use, build/sanitized/ for the tests, build/threads/ for those with
# ThreadSanitizer, build/fuzz/ for libFuzzer, and build/coverage/ for counting the lines that tests
# reach.

.DEFAULT_GOAL := all

CC       = gcc
CLANG    = clang
GCC      = gcc
OPTIMIZE = -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wconversion \
           -Wno-sign-conversion -Wvla -Wformat=2 -Werror
HARDEN  := -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Hardening flags that depend on the compiler and the CPU: -fcf-protection is for x86, and
# -mbranch-protection for 64-bit ARM.
OPTIONAL  = -fstack-clash-protection -fcf-protection -mbranch-protection=standard
supported = $(shell echo | $(CC) -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo $(1))
HARDEN   += $(foreach flag,$(OPTIONAL),$(call supported,$(flag)))

# "Quotes" are paths from the root; <vail.h> is included as any program includes it.
comma    = ,
# vail-libvirt is built where the development files of libvirt and libxml2 are installed.
LIBVIRT := $(shell pkg-config --exists libvirt libxml-2.0 2>/dev/null && echo vail-libvirt)
LIBXML  := $(if $(LIBVIRT),$(shell pkg-config --cflags libxml-2.0))

# vail-view has a window where the development files of SDL 2 are installed.
WINDOW  := $(shell pkg-config --exists sdl2 2>/dev/null && echo window)
SDL     := $(if $(WINDOW),$(filter -I%,$(shell pkg-config --cflags sdl2)))

# vaild-fleet is built where the development files of libcurl are installed.
CURL    := $(shell pkg-config --exists libcurl 2>/dev/null && echo curl)

LANGUAGE = -std=gnu11 -D_GNU_SOURCE -iquote . -Iclient/include -Iproto $(LIBXML) $(SDL)
BASE     = $(LANGUAGE) -fPIC -fvisibility=hidden $(WARNINGS)

# Where `make install` puts things, under DESTDIR.
prefix     = /usr/local
bindir     = $(prefix)/bin
sbindir    = $(prefix)/sbin
libdir     = $(prefix)/lib
libexecdir = $(prefix)/libexec
includedir = $(prefix)/include
datadir    = $(prefix)/share
mandir     = $(datadir)/man
pcdir      = $(libdir)/pkgconfig
systemddir = $(prefix)/lib
unitdir    = $(systemddir)/systemd/system
zshdir     = $(datadir)/zsh/$(if $(filter /usr,$(prefix)),vendor-completions,site-functions)

## Progress: a counter on a terminal, otherwise a line for each program. `make V=1` prints commands.
## With ONE_LINE, nothing but the counter is printed on a terminal.

ifdef V
  COMPILE = $(CC)
  LINK = $(CC)
else ifdef MAKE_TERMOUT
  COMPILE = @$(eval COUNTED += x)printf '\r\033[K%5d  %s' $(words $(COUNTED)) $<; $(CC)
  LINK = @printf '\r\033[K  %s$(if $(ONE_LINE),,\n)' $@; $(CC)
else
  COMPILE = @$(CC)
  LINK = @echo '  $@'; $(CC)
endif

## Layers

CLIENTS = vailctl vail-view vail-qemu $(LIBVIRT)
PURE    = daemon/api daemon/store daemon/core proto
DAEMON  = daemon/host daemon/discovery daemon/config daemon/child $(PURE)
FLEET   = $(if $(CURL),daemon/fleet/etcd) daemon/fleet/server daemon/fleet/local daemon/fleet/model
LAYERS  = $(DAEMON) $(FLEET) client/libvail client/common $(CLIENTS:%=client/%) tests/support tests/fuzz/common

# The files that are not built: one of these stands for the other.
LEFT_OUT = $(if $(WINDOW),client/vail-view/no-window.c,$(wildcard client/vail-view/window/*.c))

# Make compares times, and would not notice that the other one is built now. This file changes then.
WINDOW_MARK = build/generated/window
$(shell { mkdir -p build/generated && echo '$(WINDOW)' | cmp -s - $(WINDOW_MARK) || \
          echo '$(WINDOW)' >$(WINDOW_MARK); } 2>/dev/null)
marks_client/vail-view = $(wildcard $(WINDOW_MARK))

# A program's main file belongs to no layer.
MAINS = daemon/main.c daemon/fleet/main.c $(foreach client,$(CLIENTS),client/$(client)/$(client).c)

# $(call sources,FOLDER...): all C files of the folders, two levels down.
sources = $(filter-out $(MAINS) $(LEFT_OUT),$(sort $(foreach folder,$(1),$(wildcard $(folder)/*.c $(folder)/*/*.c $(folder)/*/*/*.c))))

INTERFACES    = build/generated/interfaces.c
sources_proto = $(INTERFACES)

# $(call archive,VARIANT,LAYER)
define archive
$(1)/$(2).a: $(patsubst %.c,$(1)/%.o,$(call sources,$(2)) $(sources_$(2))) $(marks_$(2))
	@rm -f $$@ && $$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach variant,build build/sanitized build/threads build/fuzz build/coverage,$(foreach layer,$(LAYERS),$(eval $(call archive,$(variant),$(layer)))))

## Programs

DAEMON_LIBS = -levent_core -ljson-c -lsystemd -lz
CLIENT_LIBS = -ljson-c -lpng -lsystemd
FLEET_LIBS  = -lcurl -levent_core -ljson-c -lsystemd
TEST_LIBS   = $(DAEMON_LIBS) $(CLIENT_LIBS) $(libs_vailctl) $(libs_vail-view) $(if $(LIBVIRT),$(libs_vail-libvirt)) $(if $(CURL),$(FLEET_LIBS) -levent_extra)

# Libraries of one client alone.
libs_vailctl      = -lsmartcols
libs_vail-libvirt = -lvirt -lxml2
libs_vail-view    = $(if $(WINDOW),-lSDL2)

LINK_build           = -fPIE -pie -Wl,-z,relro,-z,now $(LDFLAGS)
LINK_build/sanitized = $(SANITIZE)
LINK_build/threads   = -fsanitize=thread
LINK_build/fuzz      = -fsanitize=fuzzer,address,undefined
LINK_build/coverage  = --coverage

# $(call program,VARIANT,PATH,SOURCES,LAYERS,LIBRARIES,FURTHER PREREQUISITES)
# Links the sources' objects with what they need of the layers and libraries.
define program
PROGRAMS += $(2)
$(2): $(patsubst %.c,$(1)/%.o,$(3)) $(patsubst %,$(1)/%.a,$(4)) $(6)
	@mkdir -p $$(@D)
	$$(LINK) $$(LINK_$(1)) -o $$@ $$(filter %.o %.a,$$^) -Wl,--as-needed $(5)
endef

WITH_LIBVAIL = -Lbuild -lvail -Wl,-rpath,'$$$$ORIGIN$(1)'

# In build/ a client finds the library beside itself; an installed one in ../lib. Packages leave this
# empty, because their library is where the loader looks.
INSTALLED_RPATH = /../lib

define client_programs
$(call program,build,build/$(1),client/$(1)/$(1).c,client/$(1) client/common proto,$(call WITH_LIBVAIL,) $(CLIENT_LIBS) $(libs_$(1)),build/libvail.so)
$(call program,build,build/installed/$(1),client/$(1)/$(1).c,client/$(1) client/common proto,$(if $(INSTALLED_RPATH),$(call WITH_LIBVAIL,$(INSTALLED_RPATH)),-Lbuild -lvail) $(CLIENT_LIBS) $(libs_$(1)),build/libvail.so)
$(call program,build/sanitized,build/sanitized/$(1),client/$(1)/$(1).c,client/$(1) client/common client/libvail proto,$(CLIENT_LIBS) $(libs_$(1)))
endef

all: build/vaild $(if $(CURL),build/vaild-fleet build/installed/vaild-fleet) build/libvail.so $(CLIENTS:%=build/%) $(CLIENTS:%=build/installed/%)
	@:

$(eval $(call program,build,build/vaild,daemon/main.c,$(DAEMON),$(DAEMON_LIBS)))
$(eval $(call program,build/sanitized,build/sanitized/vaild,daemon/main.c,$(DAEMON),$(DAEMON_LIBS)))
$(foreach client,$(CLIENTS),$(eval $(call client_programs,$(client))))

FLEET_SOURCES = daemon/fleet/main.c daemon/fleet/fleet.c daemon/fleet/settings.c
ifdef CURL
$(eval $(call program,build,build/vaild-fleet,$(FLEET_SOURCES),$(FLEET) daemon/child daemon/config proto,$(call WITH_LIBVAIL,) $(FLEET_LIBS),build/libvail.so))
$(eval $(call program,build,build/installed/vaild-fleet,$(FLEET_SOURCES),$(FLEET) daemon/child daemon/config proto,$(if $(INSTALLED_RPATH),$(call WITH_LIBVAIL,$(INSTALLED_RPATH)),-Lbuild -lvail) $(FLEET_LIBS),build/libvail.so))
$(eval $(call program,build/sanitized,build/sanitized/vaild-fleet,$(FLEET_SOURCES),$(FLEET) daemon/child client/libvail daemon/config proto,$(FLEET_LIBS)))
endif

%/libvail.so.0: %/client/libvail.a %/proto.a client/libvail/libvail.map
	$(LINK) $(filter-out -fPIE -pie,$(LINK_$*)) -shared -Wl,-soname,libvail.so.0 \
	    -Wl,--version-script=client/libvail/libvail.map -o $@ \
	    -Wl,--whole-archive $< -Wl,--no-whole-archive $*/proto.a -ljson-c

%/libvail.so: %/libvail.so.0
	@ln -sf $(notdir $<) $@

## Test programs

# Tests of a client that is not built are left out.
UNTESTED = $(if $(WINDOW),,tests/unit/client/test-key-codes.c tests/unit/client/test-guest-channel.c tests/fuzz/fuzz-window.c) $(if $(LIBVIRT),,tests/unit/client/test-libvirt-agent.c tests/unit/client/test-libvirt-domain.c tests/fuzz/fuzz-libvirt-domain.c) $(if $(CURL),,$(wildcard tests/unit/fleet/test-etcd*.c) tests/unit/fleet/etcd-bench.c tests/unit/fleet/played-gateway.c tests/unit/fleet/test-settings.c tests/fuzz/fuzz-etcd.c)
UNIT     = $(filter-out $(UNTESTED),$(call sources,tests/unit tests/security tests/support/leak-check))

# $(call unit_tests,VARIANT,PATH,FOLDER OF LIBVAIL FROM THERE): the library is linked as its users see
# it, because its inner names are also the daemon's.
unit_tests = $(call program,$(1),$(2),$(UNIT) client/libvail/fault-safe-copy.c $(if $(CURL),daemon/fleet/settings.c),tests/support $(CLIENTS:%=client/%) client/common $(FLEET) $(DAEMON),-L$(1) -lvail -Wl$(comma)-rpath$(comma)'$$$$ORIGIN/$(3)' -lcriterion $(TEST_LIBS),$(1)/libvail.so)
model_tests = $(call program,$(1),$(2),$(call sources,tests/model tests/support/leak-check),tests/support daemon/fleet/model $(PURE),-lcriterion -ljson-c)

$(eval $(call unit_tests,build/sanitized,build/tests/unit-tests,../sanitized))
$(eval $(call model_tests,build/sanitized,build/tests/model-tests))

# Each tests/fuzz/fuzz-NAME.c is one fuzz target, with its inputs in tests/fuzz/corpus/NAME. A target
# is linked with the daemon or, if it is one of FUZZ_CLIENT, with the clients and libvail's objects.
# libFuzzer runs build/fuzz/fuzz-NAME; build/tests/replay-NAME runs the same target on stored inputs.
FUZZ_TARGETS = $(patsubst tests/fuzz/fuzz-%.c,%,$(filter-out $(UNTESTED),$(wildcard tests/fuzz/fuzz-*.c)))
FUZZ_CLIENT  = channel libvail libvirt-domain object-image qemu-display qemu-listener qemu-monitor terminal-text vailctl window

fuzz_layers = tests/fuzz/common tests/support $(FLEET) $(if $(filter $(FUZZ_CLIENT),$(1)),$(CLIENTS:%=client/%) client/common client/libvail proto,$(DAEMON))

# $(call fuzz_target,VARIANT,PATH,NAME,FURTHER SOURCES)
fuzz_target = $(call program,$(1),$(2),tests/fuzz/fuzz-$(3).c $(4),$(call fuzz_layers,$(3)),$(TEST_LIBS))

$(foreach name,$(FUZZ_TARGETS),\
    $(eval $(call fuzz_target,build/fuzz,build/fuzz/fuzz-$(name),$(name)))\
    $(eval $(call fuzz_target,build/sanitized,build/tests/replay-$(name),$(name),tests/fuzz/replay.c))\
    $(eval $(call fuzz_target,build/coverage,build/coverage/replay-$(name),$(name),tests/fuzz/replay.c)))

# In these two, every allocation of vaild's own objects can fail. Those of libraries and tests cannot.
ALLOCATIONS = malloc calloc realloc reallocarray strdup strndup asprintf vasprintf open_memstream

build/sanitized/faults/pure.o: $(PURE:%=build/sanitized/%.a)
build/coverage/faults/pure.o: $(PURE:%=build/coverage/%.a)
build/sanitized/faults/daemon.o: build/sanitized/daemon/main.o $(DAEMON:%=build/sanitized/%.a)
build/sanitized/faults/pure.o build/coverage/faults/pure.o build/sanitized/faults/daemon.o:
	@mkdir -p $(@D)
	@$(LD) -r --whole-archive -o $@ $^ && \
	    objcopy $(foreach name,$(ALLOCATIONS),--redefine-sym $(name)=fault_$(name)) $@

# $(call allocation_faults,VARIANT,PATH)
allocation_faults = $(call program,$(1),$(2),$(filter-out tests/faults/daemon-% tests/faults/client-%,$(call sources,tests/faults)),,-ljson-c,$(1)/faults/pure.o $(1)/tests/support.a)

$(eval $(call allocation_faults,build/sanitized,build/tests/allocation-faults))
$(eval $(call program,build/sanitized,build/sanitized/faults/vaild,tests/faults/allocator.c tests/faults/daemon-allocator.c,,$(DAEMON_LIBS),build/sanitized/faults/daemon.o))

# The clocks of this vaild and this vail-qemu belong to a test.
$(eval $(call program,build/sanitized,build/sanitized/clock/vaild,daemon/main.c tests/faults/daemon-clock.c,$(DAEMON),$(DAEMON_LIBS)))
$(eval $(call program,build/sanitized,build/sanitized/clock/vail-qemu,client/vail-qemu/vail-qemu.c tests/faults/daemon-clock.c tests/faults/client-clock.c,client/vail-qemu client/common client/libvail proto,$(CLIENT_LIBS)))

# The programs that `make coverage` runs.
$(eval $(call program,build/coverage,build/coverage/vaild,daemon/main.c,$(DAEMON),$(DAEMON_LIBS)))
$(eval $(call program,build/coverage,build/coverage/clock/vaild,daemon/main.c tests/faults/daemon-clock.c,$(DAEMON),$(DAEMON_LIBS)))
$(eval $(call unit_tests,build/coverage,build/coverage/unit-tests,.))
$(eval $(call model_tests,build/coverage,build/coverage/model-tests))
$(eval $(call allocation_faults,build/coverage,build/coverage/allocation-faults))

# Threads that share a handle, under ThreadSanitizer.
$(eval $(call program,build/threads,build/tests/shared-handle,tests/threads/shared-handle.c,client/libvail proto,-ljson-c))

# A helper of the system tests is a file, or a folder of files.
HELPERS = $(filter-out $(if $(CURL),,etcd-client),$(patsubst tests/system/helpers/%,%,$(basename $(wildcard tests/system/helpers/*.c)) \
            $(patsubst %/,%,$(sort $(dir $(wildcard tests/system/helpers/*/*.c))))))
GUEST_PROGRAMS = $(patsubst tests/vm/%.c,build/tests/helpers/%,$(wildcard tests/vm/*.c))
HELPER_PROGRAMS = $(HELPERS:%=build/tests/helpers/%) $(GUEST_PROGRAMS)

# These helpers need nothing of the tests, so that `make run` builds none.
ALONE = register-process

helper_sources = $(or $(wildcard tests/system/helpers/$(1).c),$(wildcard tests/system/helpers/$(1)/*.c)) $(if $(filter lone-fleet,$(1)),daemon/fleet/fleet.c)
$(foreach helper,$(HELPERS),$(eval $(call program,build,build/tests/helpers/$(helper),$(call helper_sources,$(helper)),$(if $(filter $(helper),$(ALONE)),,tests/support $(FLEET) $(DAEMON)),$(call WITH_LIBVAIL,/../..) $(TEST_LIBS),build/libvail.so)))

# These run in a guest that has no libraries.
$(GUEST_PROGRAMS): build/tests/helpers/%: build/tests/vm/%.o
	@mkdir -p $(@D)
	$(LINK) -static -o $@ $<

PRELOADED = $(patsubst tests/preload/%.c,build/tests/%.so,$(wildcard tests/preload/*.c))
build/tests/%.so: build/tests/preload/%.o
	@mkdir -p $(@D)
	$(LINK) -shared -o $@ $^

BENCH = tests/support proto
$(eval $(call program,build,build/tests/soak-clients,$(call sources,tests/soak),tests/support))
$(eval $(call program,build,build/tests/hostile-neighbours,$(call sources,tests/hostile),tests/support))
$(eval $(call program,build,build/tests/request-bench,$(call sources,tests/bench/requests),$(BENCH),-ljson-c))
$(eval $(call program,build,build/tests/start-bench,$(call sources,tests/bench/start),$(BENCH)))
$(eval $(call program,build,build/tests/turns-bench,$(call sources,tests/bench/turns),tests/support $(DAEMON),$(DAEMON_LIBS)))
$(eval $(call program,build,build/tests/va-bench,$(call sources,tests/bench/va),tests/support $(PURE),-ljson-c))
$(foreach source,$(call sources,tests/bench/frames),$(eval $(call program,build,build/tests/$(basename $(notdir $(source))),$(source),tests/support client/vail-qemu client/common proto,$(call WITH_LIBVAIL,/..) $(CLIENT_LIBS),build/libvail.so)))

ifdef CURL
$(eval $(call program,build,build/tests/fleet-bench,$(call sources,tests/bench/fleet) daemon/fleet/fleet.c,tests/support $(FLEET) daemon/child daemon/config proto,$(call WITH_LIBVAIL,/..) $(FLEET_LIBS) -lm,build/libvail.so))
endif

BENCHES = $(filter %-bench build/tests/frame-%,$(PROGRAMS))
TESTS   = $(filter build/sanitized/% build/tests/%,$(filter-out $(BENCHES),$(PROGRAMS))) \
          $(HELPER_PROGRAMS) $(PRELOADED)
FUZZERS = $(filter build/fuzz/%,$(PROGRAMS))
COVERED = $(filter build/coverage/%,$(PROGRAMS))

## Objects

build/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) $(BASE) -MMD -MP $(OPTIMIZE) $(HARDEN) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

build/sanitized/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) $(BASE) -MMD -MP -O1 -g $(SANITIZE) -c -o $@ $<

build/threads/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) $(BASE) -MMD -MP -O1 -g -fsanitize=thread -c -o $@ $<

build/fuzz/%: override CC = $(CLANG)
build/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) $(LANGUAGE) -MMD -MP -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
	    -fno-sanitize-recover=all -fno-omit-frame-pointer -c -o $@ $<

# gcov reads only the counts of its own compiler.
build/coverage/%: override CC = $(GCC)
build/coverage/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) $(BASE) -MMD -MP -O0 -g --coverage -fprofile-update=atomic -c -o $@ $<

SERVICE_INTERFACE = proto/org.varlink.service.varlink
FLEET_INTERFACE   = proto/io.vaild.Fleet.varlink

# Each interface file becomes a C string, line by line, so that a compiler's error names its line.
$(INTERFACES): $(wildcard proto/*.varlink) Makefile
	@mkdir -p $(@D)
	@set -e; describe() { for file; do \
	       name=$${file#proto/}; echo "{ \"$${name%.varlink}\","; \
	       sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$file; \
	       echo '},'; \
	   done; }; \
	 { echo '/* Generated from proto/ by the Makefile. */'; \
	   echo '#include "proto/interfaces.h"'; \
	   echo 'const Interface interfaces[] = {'; \
	   describe $(SERVICE_INTERFACE) $(filter-out $(SERVICE_INTERFACE) $(FLEET_INTERFACE),$(wildcard proto/*.varlink)); \
	   echo '};'; \
	   echo 'const size_t interface_count = sizeof(interfaces) / sizeof(interfaces[0]);'; \
	   echo 'const Interface fleet_interfaces[] = {'; \
	   describe $(SERVICE_INTERFACE) $(FLEET_INTERFACE); \
	   echo '};'; \
	   echo 'const size_t fleet_interface_count = 2;'; \
	 } > $@

# Keeps the objects that only a pattern asks for, and no file whose command has failed.
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all helpers tests benches preloaded fuzzers covered lint tidy format check-layers install uninstall \
        version deb rpm release clean help compile_commands.json

-include $(shell find build \( -path build/deb -o -path build/interop -o -path build/kernel -o -path build/libvirt -o -path build/packages -o -path build/proofs -o -path build/qemu \) -prune -o -name '*.d' -print 2>/dev/null)

## Commands

# $(call command,NAME,PACKAGES,TARGETS,SCRIPT,DURATION): a command that a fresh machine may begin with.
# Says how long it takes, if DURATION does, and installs what is missing. Then calls make again,
# because that may change what is built.
define command
.PHONY: $(1)
$(1):
	$(if $(5),@echo '$(5)')
	@tests/install-packages $(2)
	@$$(MAKE) --no-print-directory $$(JOBS) $(if $(5),ONE_LINE=1) $(3)
	$(if $(5),@[ ! -t 1 ] || printf '\r\033[K')
	@$(4)
endef

# One job for each CPU, unless make was called with another number.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,--jobs=$(shell nproc))

# Measured on two CPUs, the first time and once everything was built.
RUN_TAKES  = This takes 4 minutes on a fresh Debian, 1 with all packages, later 5 seconds.
DEMO_TAKES = This takes 4 minutes on a fresh Debian, 1 with all packages, later 20 seconds.

# Each of these downloads a Debian 13, once, and so stands apart from check.
IN_DEBIAN_13 = all helpers build/sanitized/vaild build/sanitized/vail-qemu build/sanitized/vail-view

# The number of operations of a soak, and how many clients ask for them at a time.
SOAK = 10000000
SOAK_CLIENTS = 200

$(eval $(call command,run,run,all build/tests/helpers/register-process,tests/vm/main-job,$(RUN_TAKES)))
$(eval $(call command,demo,demo,all,tests/vm/demo,$(DEMO_TAKES)))
$(eval $(call command,check,check,compile_commands.json,tests/check))
$(eval $(call command,check-faults,check,all tests,tests/system/test-failing-system-calls.sh --all))
$(eval $(call command,check-interop,interop,$(IN_DEBIAN_13),tests/vm/interop))
$(eval $(call command,check-kernel,kernel,$(IN_DEBIAN_13),tests/vm/kernel))
$(eval $(call command,check-qemu,qemu,$(IN_DEBIAN_13),tests/vm/qemu))
$(eval $(call command,check-libvirt,libvirt,$(IN_DEBIAN_13),tests/vm/libvirt))
$(eval $(call command,bench,run,all helpers benches,tests/bench/requests/run && tests/bench/start/run && tests/bench/start/run-with-devices && tests/bench/start/run-with-machines && build/tests/turns-bench))
$(eval $(call command,bench-va,run,build/tests/va-bench,build/tests/va-bench))
# The hosts of the simulated fleet, and for how many seconds of each CPU's time they may start. Without
# BUDGET, as many hosts start as can in a few minutes.
HOSTS = 1000
BUDGET =
$(eval $(call command,bench-fleet,bench-fleet,all benches,tests/bench/fleet/run $(HOSTS) $(BUDGET)))
$(eval $(call command,soak,run,all helpers build/tests/soak-clients preloaded,tests/system/test-soak.sh --operations $(SOAK) --clients $(SOAK_CLIENTS)))

$(eval $(call command,hostile,run,all helpers build/tests/hostile-neighbours,tests/system/test-hostile-neighbours.sh --seconds $(or $(SECONDS),5) $(if $(ONLY),--only $(ONLY)) $(if $(ATTEMPTS),--attempts $(ATTEMPTS))))

FLEET_TESTED = all helpers preloaded build/sanitized/vaild build/sanitized/vaild-fleet
$(eval $(call command,check-fleet,fleet,$(FLEET_TESTED),tests/fleet/check && tests/fleet/soak --seconds 60 --seed 1))
$(eval $(call command,soak-fleet,fleet,$(FLEET_TESTED),tests/fleet/soak --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))))

# A fuzz target, or several, and for how many seconds each is fuzzed. fuzz-all gives each 20 minutes.
TARGET = session
SECONDS =

$(eval $(call command,fuzz,check,$(TARGET:%=build/fuzz/fuzz-%),tests/fuzz/run --seconds $(or $(SECONDS),0) $(TARGET)))
$(eval $(call command,fuzz-all,check,fuzzers,tests/fuzz/run --seconds $(or $(SECONDS),1200) $(FUZZ_TARGETS)))
$(eval $(call command,fuzz-merge,check,$(TARGET:%=build/fuzz/fuzz-%),tests/fuzz/run --merge $(TARGET)))
$(eval $(call command,coverage,check,all tests covered,tests/coverage))

# Builds nothing here: CBMC reads the sources.
.PHONY: check-proofs
check-proofs:
	@tests/install-packages proofs
	@tests/proofs/run

helpers: $(HELPER_PROGRAMS)
tests: $(TESTS)
benches: $(BENCHES)
preloaded: $(PRELOADED)
fuzzers: $(FUZZERS)
covered: $(COVERED)
helpers tests benches preloaded fuzzers covered:
	@:

lint:
	@tests/lint

check-layers: $(PURE:%=build/%.a) $(FLEET:%=build/%.a)
	@tests/check-layers

## Linting

C_SOURCES = $(MAINS) $(call sources,proto daemon client tests)

# For clang-tidy, clangd and editors: exactly the compiler's flags. Written in build/ first, because
# make writes it even if it only prints commands (make -n).
compile_commands.json: Makefile $(C_SOURCES)
	$(shell mkdir -p build)$(file >build/$@,[)$(foreach source,$(C_SOURCES),$(file >>build/$@,{ "directory": "$(CURDIR)", "file": "$(source)", "command": "$(CC) $(BASE) -c $(source)" }$(if $(filter-out $(source),$(lastword $(C_SOURCES))),$(comma))))$(file >>build/$@,])
	@cmp -s build/$@ $@ || cp build/$@ $@



format:
	clang-format -i $(C_SOURCES) $(shell find proto daemon client tests -name '*.h')

# A file is looked at again when it, a header of it or the configuration has changed.
tidy: $(C_SOURCES:%.c=build/tidy/%.ok)

build/tidy/%.ok: %.c .clang-tidy tests/.clang-tidy | compile_commands.json
	@mkdir -p $(@D)
	@clang-tidy --quiet -p . $< 2>/dev/null
	@$(CC) $(LANGUAGE) -MM -MP -MT $@ -MF $(@:.ok=.d) $< && touch $@

## Installing

MANUALS = $(filter-out $(NOT_BUILT),$(wildcard daemon/man/*.[1-8] client/man/*.[1-8]))
UNITS   = $(filter-out $(NOT_BUILT),$(wildcard systemd/*.socket systemd/*.timer systemd/*.service.in))

USER_UNITS = $(filter-out $(NOT_BUILT),$(wildcard systemd/user/*.service.in))

# The files of a program that is not built.
NOT_BUILT = $(if $(CURL),,daemon/man/vaild-fleet.8 daemon/man/fleet.json.5 systemd/vaild-fleet.service.in) $(if $(LIBVIRT),,client/man/vail-libvirt.1 systemd/vail-libvirt.service.in systemd/user/vail-libvirt.service.in)

# mode:source:destination of each file; in a source that ends in .in the @names@ are filled in.
INSTALLED = \
    755:build/vaild:$(sbindir)/vaild \
    $(if $(CURL),755:build/installed/vaild-fleet:$(sbindir)/vaild-fleet) \
    $(foreach client,$(CLIENTS),755:build/installed/$(client):$(bindir)/$(client)) \
    755:systemd/write-metrics.in:$(libexecdir)/vaild/write-metrics \
    644:build/libvail.so.0:$(libdir)/libvail.so.0 \
    644:client/libvail/vail.pc.in:$(pcdir)/vail.pc \
    644:client/include/vail.h:$(includedir)/vail.h \
    644:proto/vail-status.h:$(includedir)/vail-status.h \
    644:client/include/vail/d3dkmthk.h:$(includedir)/vail/d3dkmthk.h \
    $(foreach unit,$(UNITS),644:$(unit):$(unitdir)/$(notdir $(unit:.in=))) \
    $(foreach unit,$(USER_UNITS),644:$(unit):$(systemddir)/systemd/user/$(notdir $(unit:.in=))) \
    644:systemd/vaild.catalog:$(systemddir)/systemd/catalog/vaild.catalog \
    644:systemd/vaild.sysusers:$(systemddir)/sysusers.d/vaild.conf \
    $(if $(CURL),644:systemd/vaild-fleet.sysusers:$(systemddir)/sysusers.d/vaild-fleet.conf) \
    $(if $(CURL),644:systemd/50-vaild-fleet.json:$(datadir)/vaild-fleet/50-vaild-fleet.json) \
    $(if $(CURL),644:client/completions/vail.bash:$(datadir)/bash-completion/completions/vaild-fleet) \
    $(if $(CURL),644:client/completions/vail.fish:$(datadir)/fish/vendor_completions.d/vaild-fleet.fish) \
    644:systemd/vaild.tmpfiles:$(systemddir)/tmpfiles.d/vaild.conf \
    644:containers/vaild.json.in:$(datadir)/vaild/cdi/vaild.json \
    $(foreach page,$(MANUALS),644:$(page):$(mandir)/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page))) \
    $(foreach client,$(CLIENTS),644:client/completions/vail.bash:$(datadir)/bash-completion/completions/$(client)) \
    $(foreach client,$(CLIENTS),644:client/completions/vail.fish:$(datadir)/fish/vendor_completions.d/$(client).fish) \
    644:client/completions/vail.bash:$(datadir)/bash-completion/completions/vaild \
    644:client/completions/vail.fish:$(datadir)/fish/vendor_completions.d/vaild.fish \
    644:client/completions/vail.zsh:$(zshdir)/_vailctl

# Folders that belong to vaild alone; uninstall removes them.
INSTALLED_FOLDERS = $(includedir)/vail $(libexecdir)/vaild $(datadir)/vaild/cdi $(datadir)/vaild $(datadir)/vaild-fleet

# It stands in proto/version.h. Packages and tarballs take theirs from there.
VERSION = $(or $(shell packaging/version),$(error There is no version))

FILL_IN = sed $(foreach name,prefix bindir sbindir libdir libexecdir includedir,-e 's|@$(name)@|$($(name))|') \
    -e 's|@version@|$(VERSION)|'

# The loader finds a new library once its cache is refreshed, which only root may do.
REFRESH_LOADER = [ -n '$(DESTDIR)' ] || [ "$$(id -u)" -ne 0 ] || ldconfig

install: all
	@set -e; for entry in $(INSTALLED); do \
	    mode=$${entry%%:*}; source=$${entry#*:}; to="$(DESTDIR)$${source#*:}"; \
	    source=$${source%%:*}; echo "  $$to"; \
	    install -D -m $$mode "$$source" "$$to"; \
	    case $$source in *.in) $(FILL_IN) "$$source" >"$$to" ;; esac; \
	done
	@echo '  $(DESTDIR)$(libdir)/libvail.so'
	@ln -sf libvail.so.0 '$(DESTDIR)$(libdir)/libvail.so'
	@$(REFRESH_LOADER)
	@[ -n '$(DESTDIR)' ] || echo 'Now, as root: systemd-sysusers vaild.conf$(if $(CURL), vaild-fleet.conf) &&' \
	    'systemd-tmpfiles --create vaild.conf && journalctl --update-catalog &&' \
	    'systemctl daemon-reload && systemctl enable --now vaild.socket'

uninstall:
	@for entry in $(INSTALLED) ::$(libdir)/libvail.so; do \
	    file="$(DESTDIR)$${entry##*:}"; echo "  $$file"; rm -f "$$file"; \
	done
	@for folder in $(INSTALLED_FOLDERS); do \
	    rmdir "$(DESTDIR)$$folder" 2>/dev/null || true; \
	done
	@$(REFRESH_LOADER)

## Packages

version:
	@echo '$(VERSION)'

# Builds in a clean copy, and nothing here.
deb:
	@tests/install-packages deb
	@packaging/build-deb build/deb

rpm:
	@packaging/build-rpm build/rpm

release:
	@packaging/make-release build/release

$(eval $(call command,check-packages,packages,all helpers,tests/packages/run))

clean:
	rm -rf build compile_commands.json

help:
	@sed -n 's/^#: //p' Makefile

#: make                the daemon, the library and the clients, in build/
#: make run            install what is missing, build, and register real processes
#:                     for a QEMU guest
#: make demo           install what is missing, build, and show a guest's screen
#: make check          install what is missing, build with sanitizers, and run all
#:                     tests
#: make check-faults   fail each system call of a daemon at work, or kill it
#:                     there; check runs a sample
#: make check-interop  run systemd's varlinkctl against the daemon, from a Debian
#:                     13 that is downloaded
#: make check-kernel   run the tests that need GPU nodes, on a downloaded Debian
#:                     13 kernel in QEMU
#: make check-qemu     see real guests' screens through vaild, with the QEMU of a
#:                     Debian 13 that is downloaded
#: make check-libvirt  run the tests of vail-libvirt with the libvirt and QEMU of
#:                     a Debian 13 that is downloaded
#: make check-fleet    let each part of four hosts around a real etcd fail
#: make check-proofs   prove properties of the code with CBMC and spin, from a
#:                     Debian 13 that is downloaded
#: make lint           check format, C and shell code, licence lines and plain
#:                     English
#: make tidy           run clang-tidy on what has changed; make format runs
#:                     clang-format
#: make check-layers   prove that the layers depend one way, and that core and api
#:                     are pure
#: make bench          measure requests, frames, starts and turns, each beside a
#:                     floor in the same run
#: make bench-va       measure GPU virtual addresses beside a plain tree in the
#:                     same run
#: make bench-fleet    measure etcd and vaild-fleet with 1000 simulated hosts, or
#:                     with as many as the CPUs can start in BUDGET=N (60)
#:                     seconds; HOSTS=N
#: make soak           run 10 million operations by 200 clients that crash and
#:                     hang; SOAK=N, SOAK_CLIENTS=N
#: make soak-fleet     make random changes and failures of four hosts around a
#:                     real etcd; SECONDS=N (600), SEED=N
#: make hostile        attack the daemon as other users can, and measure what
#:                     honest users notice; ONLY=NAME
#: make fuzz           run libFuzzer on TARGET=NAME for SECONDS=N, or until
#:                     interrupted
#: make fuzz-all       run libFuzzer on every target for SECONDS=N (1200), several
#:                     at a time
#: make fuzz-merge     add to the corpus of TARGET=NAME the found inputs that
#:                     reach something new
#: make coverage       run the tests that can count lines, and print the part of
#:                     the lines they reach
#: make install        install into DESTDIR and prefix (/usr/local); make
#:                     uninstall removes it
#: make deb            install what is missing, and build Debian packages in
#:                     build/deb/
#: make rpm            build RPM packages in build/rpm/, on a system that has RPM
#: make check-packages install what is missing, build the packages, and install,
#:                     upgrade and remove them in a downloaded Debian 12
#: make release        write the tarball and the notes of the version to
#:                     build/release/, from its tag
#: make clean          remove build/
