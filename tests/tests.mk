# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests. Included by the Makefile. Which are run, and how they are counted, is in tests/run; it calls make again for
# what it needs, so that a build that fails is counted, too.

# Each tests/unit/test_NAME.c is a program that uses Check; the other files there are linked to all of them.
unit-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/unit/*.c))
unit-programs := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
unit-helpers := $(filter-out $(O)/obj/tests/unit/test_%,$(unit-objects))

# The same of tests/sim/: a whole worker, a guest over the simulated machine.
sim-test-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/sim/*.c))
sim-programs := $(patsubst tests/sim/%.c,$(O)/tests/%,$(wildcard tests/sim/test_*.c))
sim-helpers := $(filter-out $(O)/obj/tests/sim/test_%,$(sim-test-objects))

# Each tests/fuzz/fuzz_NAME.c is a harness of libFuzzer; its first inputs are in tests/fuzz/corpus/NAME/. The other files there are
# linked to all of them.
fuzz-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/fuzz/*.c))
fuzz-helpers := $(filter-out $(O)/obj/tests/fuzz/fuzz_%,$(fuzz-objects))
fuzz-programs := $(patsubst tests/fuzz/%.c,$(O)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))

# Each tests/backends/NAME.c is a backend that does something wrong, or sees what no other looks at.
wrong-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/backends/*.c))
wrong-backends := $(patsubst %.c,$(O)/%.so,$(wildcard tests/backends/*.c))

# Of the kernel module. They run in the lab: remap-test in any domain, the others in Dom0.
remap-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/kernel/remap_*.c))
kernel-test-objects := $(remap-objects) $(O)/obj/tests/kernel/lab_domain.o $(O)/obj/tests/bench/map_pages.o \
	$(O)/obj/tests/bench/meter.o
kernel-tests := $(O)/tests/remap-test $(O)/tests/lab-domain $(O)/tests/map-pages

# Of the platform `xen`: runs in the lab's Dom0.
platform-test-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/platform/*.c))
platform-test := $(O)/tests/platform-test

# What the ways to granted pages cost: runs in the lab's Dom0.
map-grants-object := $(O)/obj/tests/bench/map_grants.o
map-grants := $(O)/tests/map-grants

# Load for disks and network cards in the lab's guests, and what it costs there and in Dom0.
guest-load-objects := $(patsubst %,$(O)/obj/tests/bench/%.o,disk_load net_load net_job net_flow guest_tell)
disk-load := $(O)/tests/disk-load
net-load := $(O)/tests/net-load
host-meter-object := $(O)/obj/tests/bench/host_meter.o
host-meter := $(O)/tests/host-meter

# An XDP program on a card of one of the lab's guests.
xdp-pass-object := $(O)/obj/tests/lab/guest/xdp_pass.o
xdp-pass := $(O)/tests/xdp-pass

# What programs of libxenforeignmemory do, with the library that is preloaded to them and without: in the lab.
accel-test-object := $(O)/obj/tests/accel/accel_test.o
accel-test := $(O)/tests/accel-test

# An example that needs a Xen.
guest-dump-object := $(O)/obj/examples/guest-dump.o
guest-dump := $(O)/tests/guest-dump

# Preloaded in the lab: tests/lab/preload/NAME.c says into what and why.
preload-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/lab/preload/*.c))
preload-libraries := $(patsubst tests/lab/preload/%.c,$(O)/tests/%.so,$(wildcard tests/lab/preload/*.c))
test-objects := $(unit-objects) $(sim-test-objects) $(fuzz-objects) $(wrong-objects) $(kernel-test-objects) \
	$(platform-test-objects) $(map-grants-object) $(guest-load-objects) $(host-meter-object) $(accel-test-object) \
	$(xdp-pass-object) $(guest-dump-object) $(preload-objects)

.PHONY: tests check check-fast check-sanitize check-unit check-rbd
tests: $(unit-programs) $(sim-programs) $(programs) $(modules) $(wrong-backends) ## build the tests, and what they run

$(wrong-objects): includes = -Iinclude
$(wrong-objects): pic := $(module-pic)
$(wrong-backends): $(O)/%.so: $(O)/obj/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ld-flags) -shared $(no-undefined) -o $@ $^

$(unit-objects): includes = -Iinclude -Iservice -Itests/unit
$(unit-programs): $(O)/tests/%: $(O)/obj/tests/unit/%.o $(unit-helpers) $(sim-libraries)
$(sim-test-objects): includes = -Iinclude -Iservice -Itests/unit
$(sim-programs): $(O)/tests/%: $(O)/obj/tests/sim/%.o $(sim-helpers) $(sim-libraries)
$(unit-programs) $(sim-programs):
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(call link,check)

$(kernel-test-objects): includes = -Iinclude
$(platform-test-objects) $(map-grants-object): includes = -Iinclude -Iservice
$(O)/tests/remap-test: $(remap-objects)
$(O)/tests/lab-domain: $(O)/obj/tests/kernel/lab_domain.o
$(O)/tests/map-pages: $(O)/obj/tests/bench/map_pages.o $(O)/obj/tests/bench/meter.o
$(platform-test): $(platform-test-objects) $(O)/lib/libcommon.a
$(map-grants): $(map-grants-object) $(O)/obj/tests/bench/meter.o $(O)/lib/libworker.a $(O)/lib/libcommon.a
$(accel-test): $(accel-test-object)
$(guest-dump): $(guest-dump-object)
$(kernel-tests) $(platform-test) $(map-grants) $(accel-test) $(guest-dump):
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(call link,xencontrol xenguest xentoolcore)

$(host-meter): $(host-meter-object)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(call link,xencontrol xenstore)

# Guests have none of its libraries.
$(guest-load-objects) $(xdp-pass-object): includes = -Iservice
$(disk-load): $(O)/obj/tests/bench/disk_load.o
$(net-load): $(patsubst %,$(O)/obj/tests/bench/%.o,net_load net_job net_flow)
$(disk-load) $(net-load): $(O)/obj/tests/bench/guest_tell.o $(O)/obj/service/sim/histogram.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ld-flags) -static -o $@ $^ $(shell pkg-config --libs --static liburing)

$(xdp-pass): $(xdp-pass-object)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ld-flags) -static -o $@ $^

$(preload-objects): includes =
$(preload-objects): pic := -fPIC
$(preload-libraries): $(O)/tests/%.so: $(O)/obj/tests/lab/preload/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ld-flags) -shared $(no-undefined) -o $@ $^

# A module for the lab's guests that have kernel 6.1.
guest-module := $(O)/tests/guest-module/lab_revoke.ko
$(guest-module): kernel/build $(wildcard tests/lab/module/*)
	$(call say,KERNEL,$@)
	$(Q)kernel/build $(@D) "$$(tests/lab/kernel-headers 6.1)" tests/lab/module
	$(Q)strip --strip-debug $@

# What takes longest, tests/try/kit, begins early: the others fill the time beside it.
check: deps ## run all tests; installs what is missing first
	$(Q)MAKE='$(MAKE)' tests/run $(O) build fuzz try unit sanitize thread memcheck headers scripts kernel lab

check-fast: ## run, in two minutes, tests that need no lab: unit tests, xvhost-try, fuzzers, headers, scripts
	$(Q)MAKE='$(MAKE)' tests/run $(O) build fuzz try unit headers scripts

check-sanitize: ## run the unit tests and xvhost-try with the address and undefined behaviour sanitizers
	$(Q)MAKE='$(MAKE)' tests/run $(O) sanitize

check-unit: ## run the unit tests
	$(Q)MAKE='$(MAKE)' tests/run $(O) unit

# Ceph's packages are half a gigabyte, and the cluster's start and its time-outs take minutes: too much for each run of `check`.
check-rbd: ## try backend rbd with a Ceph cluster on this machine; installs Ceph's packages first
	$(Q)configs/install-packages 'Apart: make check-rbd'
	$(Q)$(MAKE) O=$(O)/rbd CONFIG_BACKEND_RBD=m all
	$(Q)tests/try/rbd $(O)/rbd

# ---- measuring -------------------------------------------------------------------------------------------------

.PHONY: bench-native bench-map bench-disk bench-net
bench-native: all ## measure without Xen: null by itself, file beside fio; BENCH_TIME=2 seconds a run, BENCH_DIR=folder
	$(Q)tests/bench/native $(O)
bench-map: lab-root ## measure in the lab, in instructions and hypercalls: mapping and unmapping a guest's pages
	$(Q)tests/bench/map $(O)
bench-disk: lab-root all ## measure in the lab: a disk beside xen-blkback and QEMU; BENCH_PART, _PAIRS, _TIME, _GUESTS, _DISKS: see tests/bench/disk
	$(Q)tests/bench/disk $(O)
bench-net: lab-root all ## measure in the lab: a network card beside xen-netback, and without Xen; BENCH_PART, _PAIRS, _TIME, _WAYS: see tests/bench/net
	$(Q)tests/bench/net $(O)

# ---- fuzzing: clang's libFuzzer, with the address and undefined behaviour sanitizers -----------------------------

FUZZ_CC := clang
FUZZ_TIME := 60

.PHONY: fuzz fuzz-build fuzz-programs
fuzz: fuzz-build ## look for inputs that break something: FUZZ_TIME=60 seconds for each of tests/fuzz/, or FUZZ=NAME
	$(Q)tests/fuzz/run $(O) $(FUZZ_TIME) $(FUZZ)

# All code that a harness reaches is compiled anew, so that libFuzzer sees where an input leads.
fuzz-build:
	$(Q)$(MAKE) O=$(O)/fuzz-build CC=$(FUZZ_CC) CONFIG_SANITIZE=y CFLAGS='$(CFLAGS) -fsanitize=fuzzer-no-link' \
		fuzz-programs

fuzz-programs: $(fuzz-programs)
$(fuzz-objects): includes = -Iinclude -Iservice
$(fuzz-programs): sanitize += -fsanitize=fuzzer
$(fuzz-programs): $(O)/tests/%: $(O)/obj/tests/fuzz/%.o $(fuzz-helpers) $(sim-libraries)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(call link)

# ---- the lab: a real Xen in QEMU -------------------------------------------------------------------------------

lab-root := $(O)/lab-root

.PHONY: demo lab lab-shell lab-root
demo: deps ## show it: guests in the lab use disks and network cards of xvhost's; installs what is missing first
	$(Q)$(MAKE) lab SCENARIO=demo

lab: $(if $(SCENARIO),lab-root) ## run the lab's scenario SCENARIO=NAME
	$(Q)$(if $(SCENARIO),tests/lab/lab run $(SCENARIO) --install $(lab-root), \
		echo 'make lab SCENARIO=NAME; the names are:' && tests/lab/lab list && exit 2)

lab-shell: lab-root ## a shell in the lab's Dom0
	$(Q)tests/lab/lab shell $(SCENARIO) --install $(lab-root)

lab-root:
	$(Q)mkdir -p $(O)
	$(Q)rm -rf $(lab-root)
	$(Q)$(MAKE) install lab-install DESTDIR=$(lab-root) PREFIX=/usr

# What only the lab has: the module for each of its kernels, tests that run there, libraries to preload, and a module for
# guests.
lab-only := $(kernel-tests) $(platform-test) $(map-grants) $(accel-test) $(guest-dump) $(disk-load) $(net-load) $(host-meter) \
	$(xdp-pass) $(preload-libraries) $(guest-module)
.PHONY: lab-install
lab-install: $(kernel-modules) $(lab-only)
	$(Q)for module in $(kernel-modules); do \
		install -D -m 644 "$$module" "$(DESTDIR)$(PREFIX)/lib/modules/$$(modinfo -F vermagic "$$module" | cut -d ' ' -f 1)/updates/xen_remap.ko"; \
	done
	$(Q)strip --strip-debug $(DESTDIR)$(PREFIX)/lib/modules/*/updates/*.ko
	$(Q)install -D -t "$(DESTDIR)$(LIBEXECDIR)/tests" $(lab-only)
