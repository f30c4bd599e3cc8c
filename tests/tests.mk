# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests. Included by the Makefile. Which are run, and how they are counted, is in tests/run; it calls make again for
# what it needs, so that a build that fails is counted, too.

# Each tests/unit/test_NAME.c is a program that uses Check; the other files there are linked to all of them.
unit-objects := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/unit/*.c))
unit-programs := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
unit-helpers := $(filter-out $(O)/obj/tests/unit/test_%,$(unit-objects))
test-objects := $(unit-objects)

.PHONY: tests check check-fast check-unit
tests: $(unit-programs) $(modules) ## build the unit tests

$(unit-objects): includes = -Iinclude -Iservice -Itests/unit
$(unit-programs): $(O)/tests/%: $(O)/obj/tests/unit/%.o $(unit-helpers) $(libraries)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(call link,check)

check: deps ## run all tests; installs what is missing first
	$(Q)MAKE='$(MAKE)' tests/run $(O) build unit sanitize headers scripts lab

check-fast: ## run the tests that need no lab: unit tests, again with sanitizers, headers, scripts
	$(Q)MAKE='$(MAKE)' tests/run $(O) build unit sanitize headers scripts

check-unit: ## run the unit tests
	$(Q)MAKE='$(MAKE)' tests/run $(O) unit

# ---- the lab: a real Xen in QEMU -------------------------------------------------------------------------------

lab-root := $(O)/lab-root

.PHONY: demo lab lab-shell lab-root
demo: deps ## show it: a guest in the lab uses a disk of xvhost's; installs what is missing first
	$(Q)$(MAKE) lab SCENARIO=demo

lab: $(if $(SCENARIO),lab-root) ## run the lab's scenario SCENARIO=NAME
	$(Q)$(if $(SCENARIO),tests/lab/lab run $(SCENARIO) --install $(lab-root), \
		echo 'make lab SCENARIO=NAME; the names are:' && tests/lab/lab list && exit 2)

lab-shell: lab-root ## a shell in the lab's Dom0
	$(Q)tests/lab/lab shell $(SCENARIO) --install $(lab-root)

lab-root:
	$(Q)mkdir -p $(O)
	$(Q)rm -rf $(lab-root)
	$(Q)$(MAKE) install DESTDIR=$(lab-root) PREFIX=/usr
