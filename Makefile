# SPDX-License-Identifier: MIT
#
# One Makefile for everything; `make help` lists the targets. Every build is a variant with a folder
# of its own: build/ for use, build/sanitized/ for the tests, build/fuzz/ for libFuzzer.

CC       = gcc
CLANG    = clang
OPTIMIZE = -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wconversion \
           -Wno-sign-conversion -Wvla -Wformat=2 -Werror
HARDEN   = -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Prints what is built; `make V=1` prints the commands.
QUIET = $(if $(V),,@echo '  $@';)

# Where `make install` puts things, under DESTDIR.
prefix      = /usr/local
bindir      = $(prefix)/bin
sbindir     = $(prefix)/sbin
libdir      = $(prefix)/lib
libexecdir  = $(prefix)/libexec
includedir  = $(prefix)/include
datadir     = $(prefix)/share
mandir      = $(datadir)/man
pcdir       = $(libdir)/pkgconfig
systemddir  = $(prefix)/lib

# Our own folders are searched for "quotes" alone.
INCLUDES = -iquote proto -iquote daemon/core -iquote daemon/store -iquote daemon/api -iquote daemon/host
BASE     = -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -MMD -MP $(WARNINGS)

DAEMON_LIBS = -levent_core -ljson-c -lsystemd -lz
CLIENT_LIBS = -ljson-c
CTL_LIBS    = $(CLIENT_LIBS) -lpng
QEMU_LIBS   = $(CLIENT_LIBS) -lsystemd

# The layers, from the inside out. check-layers proves that arrows go one way.
PROTO  = $(wildcard proto/*.c)
CORE   = $(wildcard daemon/core/*.c)
STORE  = $(wildcard daemon/store/*.c)
API    = $(wildcard daemon/api/*.c)
HOST   = $(wildcard daemon/host/*.c)
MAIN   = daemon/main.c
LIB    = $(wildcard client/lib*.c client/d3dkmt*.c)
GUARD  = client/libvail-guard.c
# What is pure of the clients, and so in the unit tests; and what more than one of them is made of.
PURE_CTL = $(wildcard client/address-map*.c client/picture*.c client/table*.c)
PURE_VIEW = client/object-picture.c client/view/bitmap.c client/view/framebuffer.c
COMMON = $(addprefix client/,draft.c message.c object-picture.c own-process.c picture.c program-options.c table-text.c)
CTL    = $(sort $(wildcard client/vailctl*.c) $(PURE_CTL) $(COMMON))
VIEW   = $(wildcard client/view/*.c) $(COMMON)
PURE_QEMU = client/qemu/damage.c client/qemu/pixman-format.c client/qemu/console.c
QEMU   = $(wildcard client/qemu/*.c) client/message.c client/program-options.c client/table-text.c
QEMU_DISPLAY = $(filter-out %/agent.c %/vail-qemu.c,$(QEMU))
SHARING_PARTS = $(addprefix tests/system/tools/,actor.c sharing-model.c sharing-play.c)
PLAY_QEMU_PARTS = $(addprefix tests/system/tools/,play-qemu-monitor.c play-qemu-display.c)
FAIL_CALLS_PARTS = $(addprefix tests/system/tools/,daemon-picture.c faulty-run.c faulty-scenario.c traced-daemon.c)
TOOL_PARTS = $(SHARING_PARTS) $(PLAY_QEMU_PARTS) $(FAIL_CALLS_PARTS) tests/system/tools/random-objects.c
TOOLS  = $(filter-out $(TOOL_PARTS),$(wildcard tests/system/tools/*.c))
BENCH  = $(wildcard tests/bench/*.c)
EYE    = tests/bench/frames/eye.c tests/bench/measure.c
VA     = $(wildcard tests/bench/va/*.c) tests/bench/measure.c
SOAKING = $(filter-out %/heap-in-use.c,$(wildcard tests/soak/*.c))
UNIT   = $(wildcard tests/unit/*.c)
MODEL  = $(wildcard tests/model/*.c)
FAULTS = $(filter-out tests/faults/daemon-%,$(wildcard tests/faults/*.c))
WORLD  = tests/unit/fake-share.c tests/unit/fake-host.c tests/unit/fake-store.c tests/unit/fake-gpu.c tests/unit/fake-talk.c tests/unit/varlink-text.c tests/unit/space-at-once.c
LEAKS  = $(wildcard tests/unit/leak-check.c)

VARLINK    = $(wildcard proto/*.varlink)
INTERFACES = build/generated/interfaces.c

# Each client's sources, beside proto, and what it is linked with, beside libvail.
CLIENTS = vailctl vail-view vail-qemu
SOURCES_vailctl   = $(CTL)
LIBS_vailctl      = $(CTL_LIBS)
SOURCES_vail-view = $(VIEW)
LIBS_vail-view    = $(CTL_LIBS)
SOURCES_vail-qemu = $(QEMU)
LIBS_vail-qemu    = $(QEMU_LIBS)

# $(call objects,folder,sources)
objects = $(patsubst %.c,$(1)/%.o,$(2))

PURE_SOURCES   = $(PROTO) $(CORE) $(STORE) $(API) $(INTERFACES)
DAEMON_SOURCES = $(PURE_SOURCES) $(HOST)

.PHONY: all run check check-installed check-faults check-interop check-kernel check-qemu demo lint check-layers \
        bench bench-va soak help clean sanitized tools fuzz install uninstall

all: build/vaild build/libvail.so $(CLIENTS:%=build/%) $(CLIENTS:%=build/installed/%)
	@:

## Programs

build/vaild: $(call objects,build,$(DAEMON_SOURCES) $(MAIN))
	$(QUIET)$(CC) $(LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(DAEMON_LIBS)

build/libvail.so.0: $(call objects,build,$(PROTO) $(LIB)) client/libvail.map
	$(QUIET)$(CC) $(LDFLAGS) -shared -Wl,-soname,libvail.so.0 -Wl,--version-script=client/libvail.map \
	    -Wl,-z,relro,-z,now -o $@ $(filter %.o,$^) $(CLIENT_LIBS)

build/libvail.so: build/libvail.so.0
	$(QUIET)ln -sf $(notdir $<) $@

.SECONDEXPANSION:

# In the build folder a client finds the library beside itself.
$(CLIENTS:%=build/%): build/%: $$(call objects,build,$$(PROTO) $$(SOURCES_$$*)) build/libvail.so
	$(QUIET)$(CC) $(LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $(filter %.o,$^) -Lbuild -lvail \
	    -Wl,-rpath,'$$ORIGIN' $(LIBS_$*)

# Installed, in lib/ next to bin/; the loader's own folders work as well.
$(CLIENTS:%=build/installed/%): build/installed/%: \
    $$(call objects,build,$$(PROTO) $$(SOURCES_$$*)) build/libvail.so
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $(filter %.o,$^) -Lbuild -lvail \
	    -Wl,-rpath,'$$ORIGIN/../lib' $(LIBS_$*)

$(CLIENTS:%=build/sanitized/%): build/sanitized/%: \
    $$(call objects,build/sanitized,$$(PROTO) $$(LIB) $$(SOURCES_$$*))
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ $(LIBS_$*)

build/sanitized/vaild: $(call objects,build/sanitized,$(DAEMON_SOURCES) $(MAIN))
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ $(DAEMON_LIBS)

build/sanitized/libvail.so.0: $(call objects,build/sanitized,$(PROTO) $(LIB)) client/libvail.map
	$(QUIET)$(CC) $(SANITIZE) -shared -Wl,-soname,libvail.so.0 \
	    -Wl,--version-script=client/libvail.map -o $@ $(filter %.o,$^) $(CLIENT_LIBS)

## Tests

# The library is linked as its users see it, for its inner names are those of the daemon, too.
build/tests/unit-tests: $(call objects,build/sanitized,$(DAEMON_SOURCES) $(PURE_CTL) $(PURE_VIEW) $(PURE_QEMU) \
                        $(GUARD) $(UNIT)) \
                        build/sanitized/libvail.so.0
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ -Wl,-rpath,'$$ORIGIN/../sanitized' $(DAEMON_LIBS) -lpng \
	    -lcriterion

build/tests/model-tests: $(call objects,build/sanitized,$(PURE_SOURCES) $(MODEL) $(WORLD) $(LEAKS))
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ -ljson-c -lcriterion

build/tests/replay-%: build/sanitized/tests/fuzz/fuzz-%.o build/sanitized/tests/fuzz/replay.o \
                      $(call objects,build/sanitized,$(PURE_SOURCES) $(WORLD))
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ -ljson-c

# What vaild's own objects allocate can fail here; what the libraries and the tests allocate cannot.
ALLOCATIONS = malloc calloc realloc reallocarray strdup strndup asprintf vasprintf open_memstream

build/sanitized/faults/pure.o: $(call objects,build/sanitized,$(PURE_SOURCES))
build/sanitized/faults/daemon.o: $(call objects,build/sanitized,$(DAEMON_SOURCES) $(MAIN))
build/sanitized/faults/pure.o build/sanitized/faults/daemon.o:
	@mkdir -p $(@D)
	$(QUIET)$(LD) -r -o $@ $^ && \
	    objcopy $(foreach name,$(ALLOCATIONS),--redefine-sym $(name)=fault_$(name)) $@

build/tests/allocation-faults: build/sanitized/faults/pure.o $(call objects,build/sanitized,$(FAULTS) $(WORLD))
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ -ljson-c

build/sanitized/faults/vaild: build/sanitized/faults/daemon.o \
                              $(call objects,build/sanitized,tests/faults/allocator.c tests/faults/daemon-allocator.c)
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ $(DAEMON_LIBS)

# This vaild has the clock of a test.
build/sanitized/clock/vaild: $(call objects,build/sanitized,$(DAEMON_SOURCES) $(MAIN) tests/faults/daemon-clock.c)
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(SANITIZE) -o $@ $^ $(DAEMON_LIBS)

build/tests/tools/%: build/tests/system/tools/%.o build/libvail.so
	@mkdir -p $(@D)
	$(QUIET)$(CC) -o $@ $(filter %.o,$^) -Lbuild -lvail -Wl,-rpath,'$$ORIGIN/../..' \
	    $(TOOL_LIBS)

build/tests/tools/same-picture build/tests/tools/read-console: TOOL_LIBS = -lpng

# This one runs in a guest that has nothing else.
build/tests/tools/define-cursor: build/tests/system/tools/define-cursor.o
	@mkdir -p $(@D)
	$(QUIET)$(CC) -static -o $@ $<

# The one tool that has a piece of the daemon in it.
build/tests/tools/judge-descriptor: build/daemon/host/descriptor-facts.o

# This one has all of it but main().
build/tests/tools/keep-descriptors: $(call objects,build,$(DAEMON_SOURCES))
build/tests/tools/keep-descriptors: TOOL_LIBS = $(DAEMON_LIBS)

# What is more than one file.
build/tests/tools/actors: build/tests/system/tools/actor.o
build/tests/tools/random-requests: build/tests/system/tools/random-objects.o
build/tests/tools/share-at-random: $(call objects,build,$(SHARING_PARTS))
build/tests/tools/fail-calls: $(call objects,build,$(FAIL_CALLS_PARTS) tests/system/tools/actor.c tests/unit/naive-manager.c)
build/tests/tools/play-qemu: $(call objects,build,$(PLAY_QEMU_PARTS) proto/json.c)
build/tests/tools/play-qemu: TOOL_LIBS = -ljson-c -lsystemd

build/tests/heap-in-use.so: build/tests/soak/heap-in-use.o
	@mkdir -p $(@D)
	$(QUIET)$(CC) -shared -o $@ $^

build/tests/soak-clients: $(call objects,build,$(SOAKING) tests/system/tools/random-objects.c tests/unit/naive-manager.c)
	@mkdir -p $(@D)
	$(QUIET)$(CC) -o $@ $^

build/tests/vaild-bench: $(call objects,build,$(PROTO) $(BENCH))
	@mkdir -p $(@D)
	$(QUIET)$(CC) -o $@ $^ $(CLIENT_LIBS)

build/tests/start-bench: $(call objects,build,tests/bench/start/start-bench.c tests/bench/measure.c tests/unit/naive-manager.c)
	@mkdir -p $(@D)
	$(QUIET)$(CC) -o $@ $^

build/tests/va-bench: $(call objects,build,$(PURE_SOURCES) $(VA))
	@mkdir -p $(@D)
	$(QUIET)$(CC) -o $@ $^ -ljson-c

FRAME_PROGRAMS = $(addprefix build/tests/,frames-bench frame-viewer frame-listener)

build/tests/frames-bench: $(call objects,build,tests/bench/frames/frames-bench.c tests/bench/measure.c)
build/tests/frame-viewer: $(call objects,build,tests/bench/frames/viewer.c $(EYE))
build/tests/frame-listener: $(call objects,build,tests/bench/frames/listener.c $(EYE) $(PROTO) $(QEMU_DISPLAY))

$(FRAME_PROGRAMS): build/libvail.so
	@mkdir -p $(@D)
	$(QUIET)$(CC) -o $@ $(filter %.o,$^) -Lbuild -lvail -Wl,-rpath,'$$ORIGIN/..' $(QEMU_LIBS)

build/fuzz/%: tests/fuzz/%.c $(PURE_SOURCES) $(WORLD)
	@mkdir -p $(@D)
	$(QUIET)$(CLANG) -std=gnu11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined $(INCLUDES) \
	    -iquote tests/unit -o $@ $^ -ljson-c

TOOL_PROGRAMS = $(patsubst tests/system/tools/%.c,build/tests/tools/%,$(TOOLS))
TEST_PROGRAMS = build/tests/unit-tests build/tests/model-tests build/tests/replay-session \
                build/tests/allocation-faults build/tests/soak-clients build/sanitized/faults/vaild \
                build/sanitized/clock/vaild build/tests/heap-in-use.so $(TOOL_PROGRAMS)

## Objects

build/%.o: %.c
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(BASE) $(OPTIMIZE) $(HARDEN) $(INCLUDES_FOR) $(CFLAGS) -c -o $@ $<

build/sanitized/%.o: %.c
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(BASE) -O1 -g $(SANITIZE) $(INCLUDES_FOR) -c -o $@ $<

INCLUDES_FOR = $(INCLUDES)
build/client/%.o build/sanitized/client/%.o: INCLUDES_FOR = -iquote proto -iquote client -Iclient
build/tests/%.o build/sanitized/tests/%.o: INCLUDES_FOR = $(INCLUDES) -iquote tests/unit -iquote client -Iclient

# Each interface file becomes a C string, line by line, so that a compiler's error names its line.
$(INTERFACES): $(VARLINK) Makefile
	@mkdir -p $(@D)
	@{ echo '/* Generated from proto/ by the Makefile. */'; \
	   echo '#include "interfaces.h"'; \
	   echo 'const Interface interfaces[] = {'; \
	   for file in proto/org.varlink.service.varlink \
	               $(filter-out proto/org.varlink.service.varlink,$(VARLINK)); do \
	       name=$${file#proto/}; echo "{ \"$${name%.varlink}\","; \
	       sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$file; \
	       echo '},'; \
	   done; \
	   echo '};'; \
	   echo 'const size_t interface_count = sizeof(interfaces) / sizeof(interfaces[0]);'; \
	 } > $@

# Objects that only a pattern asks for are kept, too.
.SECONDARY:

-include $(shell find build \( -path build/interop -o -path build/kernel -o -path build/qemu \) -prune -o -name '*.d' -print 2>/dev/null)

## What people call

# `run`, `demo` and `check` are each the only command that a fresh machine needs: they install first
# what is missing, and then call make anew, since what was installed may change what is built.
run:
	@tests/install-packages run
	@$(MAKE) --no-print-directory all tools
	@tests/system/main-job

demo:
	@tests/install-packages demo
	@$(MAKE) --no-print-directory all tools
	@tests/system/demo

check:
	@tests/install-packages check
	@$(MAKE) --no-print-directory check-installed

check-installed:
	@tests/check

# All of what check has a part of, some minutes long.
check-faults:
	@tests/install-packages check
	@$(MAKE) --no-print-directory all tools sanitized
	@tests/system/test-system-calls-fail.sh --all

# Stands apart from check: it downloads a Debian 13, once.
check-interop:
	@tests/install-packages interop
	@$(MAKE) --no-print-directory all tools build/sanitized/vaild
	@tests/system/interop

# Stands apart from check as well, for the same reason.
check-kernel:
	@tests/install-packages kernel
	@$(MAKE) --no-print-directory all tools build/sanitized/vaild
	@tests/system/kernel

# And this one.
check-qemu:
	@tests/install-packages qemu
	@$(MAKE) --no-print-directory all tools build/sanitized/vaild build/sanitized/vail-qemu \
	    build/sanitized/vail-view
	@tests/system/qemu

tools: $(TOOL_PROGRAMS)
	@:

sanitized: build/sanitized/vaild $(CLIENTS:%=build/sanitized/%) $(TEST_PROGRAMS)

lint:
	@tests/lint

check-layers: $(call objects,build,$(PURE_SOURCES))
	@tests/check-layers

bench:
	@tests/install-packages run
	@$(MAKE) --no-print-directory all build/tests/vaild-bench build/tests/tools/share-object \
	    $(FRAME_PROGRAMS) build/tests/tools/play-qemu build/tests/start-bench \
	    build/tests/tools/register-many
	@tests/bench/run
	@tests/bench/start/run

# So many operations, of so many clients at a time.
SOAK = 10000000
SOAK_CLIENTS = 200

soak:
	@tests/install-packages run
	@$(MAKE) --no-print-directory all tools build/tests/soak-clients build/tests/heap-in-use.so
	@tests/system/test-soak.sh --operations $(SOAK) --clients $(SOAK_CLIENTS)

bench-va:
	@tests/install-packages run
	@$(MAKE) --no-print-directory build/tests/va-bench
	@build/tests/va-bench

fuzz: build/fuzz/fuzz-session
	@echo 'Fuzzing until interrupted; findings are left in build/fuzz/'
	@mkdir -p build/fuzz/corpus
	cd build/fuzz && ./fuzz-session -max_len=4096 corpus $(CURDIR)/tests/fuzz/corpus/session

## Installing

MANUALS = daemon/vaild.8 daemon/vaild.json.5 daemon/io.vaild.7 client/vailctl.1 \
          client/vail-view.1 client/vail-qemu.1 client/libvail.3

# mode:source:destination, one a file; what ends in .in has its @names@ filled in.
INSTALLED = \
    755:build/vaild:$(sbindir)/vaild \
    $(foreach client,$(CLIENTS),755:build/installed/$(client):$(bindir)/$(client)) \
    755:systemd/write-metrics.in:$(libexecdir)/vaild/write-metrics \
    644:build/libvail.so.0:$(libdir)/libvail.so.0 \
    644:client/vail.pc.in:$(pcdir)/vail.pc \
    644:client/vail.h:$(includedir)/vail.h \
    644:proto/vail-status.h:$(includedir)/vail-status.h \
    644:client/d3dkmthk.h:$(includedir)/vail/d3dkmthk.h \
    644:systemd/vaild.socket:$(systemddir)/systemd/system/vaild.socket \
    644:systemd/vaild.service.in:$(systemddir)/systemd/system/vaild.service \
    644:systemd/vaild-metrics.service.in:$(systemddir)/systemd/system/vaild-metrics.service \
    644:systemd/vaild-metrics.timer:$(systemddir)/systemd/system/vaild-metrics.timer \
    644:systemd/vail-qemu@.service.in:$(systemddir)/systemd/system/vail-qemu@.service \
    644:systemd/vaild.catalog:$(systemddir)/systemd/catalog/vaild.catalog \
    644:systemd/vaild.sysusers:$(systemddir)/sysusers.d/vaild.conf \
    644:systemd/vaild.tmpfiles:$(systemddir)/tmpfiles.d/vaild.conf \
    $(foreach page,$(wildcard $(MANUALS)),644:$(page):$(mandir)/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page))) \
    $(foreach client,$(CLIENTS),644:client/$(client).bash:$(datadir)/bash-completion/completions/$(client))

# Folders that are vaild's alone, and go with it.
INSTALLED_FOLDERS = $(includedir)/vail $(libexecdir)/vaild

VERSION = $(shell sed -n 's/^.define VAILD_VERSION "\(.*\)"/\1/p' proto/version.h)

FILL_IN = sed -e 's|@prefix@|$(prefix)|' -e 's|@bindir@|$(bindir)|' -e 's|@sbindir@|$(sbindir)|' \
    -e 's|@libdir@|$(libdir)|' -e 's|@libexecdir@|$(libexecdir)|' \
    -e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|'

# The loader finds a new library once its cache knows it; only root may tell it.
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
	@[ -n '$(DESTDIR)' ] || echo 'Now, as root: systemd-sysusers vaild.conf &&' \
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

clean:
	rm -rf build

help:
	@echo 'make                build/vaild, build/vailctl, build/vail-view, build/vail-qemu, build/libvail.so'
	@echo 'make run            install what is missing, build, and show the main job on a real QEMU guest'
	@echo "make demo           install what is missing, build, and show a guest's screen, as a picture"
	@echo 'make check          install what is missing, build with sanitizers, and run all tests'
	@echo 'make check-faults   each system call of a daemon at work fails, or kills it: check has a part of that'
	@echo "make check-interop  systemd's varlinkctl against the daemon, from a Debian 13 that it downloads"
	@echo 'make check-kernel   the tests that need GPU nodes, on a Debian 13 kernel that it downloads, in QEMU'
	@echo "make check-qemu     what guests show, seen through vaild, with a Debian 13's QEMU that it downloads"
	@echo 'make lint           clang-format, clang-tidy, shell scripts'
	@echo 'make check-layers   prove that the layers depend one way, and that core and api are pure'
	@echo 'make bench          measure against a raw socket echo, and frames against QEMU'\''s own listener, in the same run'
	@echo 'make bench-va       measure GPU virtual addresses against a plain tree in the same run'
	@echo 'make soak           10 million operations by 200 clients that come, crash and hang; SOAK=N, SOAK_CLIENTS=N'
	@echo 'make fuzz           run libFuzzer on the path from bytes to reply'
	@echo 'make install        into DESTDIR and prefix (/usr/local); make uninstall takes it away again'
	@echo 'make clean          remove build/'
