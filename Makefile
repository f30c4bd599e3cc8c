# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds, tests and installs xvhost; `make help` lists the targets.
#
# A new source file in a folder of service/ needs no word here. A new backend needs a line in
# backends/disk/Makefile and one in backends/disk/Kconfig, or in those of backends/net/. All that is made lies below $(O):
#     bin/ backends/ man/ share/ programs, loadable backends, manual pages, other files to install
#     lib/ tests/                what tests are linked with, and tests
#     accel/                     the library for xvhost-accel
#     obj/                       objects, in the source's folders
#     kernel/                    the kernel module, for each kernel
#     config.mk config.h         the configuration, for make and for C (configs/kconfig.mk makes them)
#     settings/                  see `remember` below

VERSION := 0.4
O := build
V := 0

PREFIX := /usr/local
BINDIR = $(PREFIX)/bin
SBINDIR = $(PREFIX)/sbin
LIBDIR = $(PREFIX)/lib
LIBEXECDIR = $(PREFIX)/libexec/xvhost
BACKENDDIR = $(LIBDIR)/xvhost/backends
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/xvhost
UNITDIR = $(PREFIX)/lib/systemd/system
DKMSDIR = $(PREFIX)/src/xen-remap-$(version)
SYSCONFDIR = /etc

MAKEFLAGS += --no-builtin-rules --no-print-directory
# A folder has one name: what was made is not made anew because somebody gives the whole path.
override O := $(patsubst $(CURDIR)/%,%,$(patsubst %/,%,$(O)))
.DELETE_ON_ERROR:

# `make clean` removes folders below $(O), some of which are called as those of the sources.
folders := service backends kernel include examples tests docs configs .ci .git
ifneq ($(filter $(CURDIR) $(folders:%=$(CURDIR)/%) $(folders:%=$(CURDIR)/%/%),$(abspath $(O))),)
$(error O=$(O) is a folder of the sources; give another one, such as O=build/test)
endif

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '%-8s %s\n' $1 $2
endif

# $(call remember,NAME,TEXT) - keeps TEXT in the file $(O)/settings/NAME, which is as old as the last change of TEXT:
# what depends on the file is made anew when the text changes.
remember = $(call remember-line,$(O)/settings/$1,$(strip $1: $2))
remember-line = $(if $(call differ,$(file <$1),$2),$(shell mkdir -p $(dir $1))$(file >$1,$2))
differ = $(subst x$1,,x$2)$(subst x$2,,x$1)

# ---- goals -----------------------------------------------------------------------------------------------------

.PHONY: all
all: ## build everything (the default)

include configs/kconfig.mk

# These look after the tree, or call make again for the rest: they need no compiler, library or configuration.
light-goals := help deps deps-build clean distclean uninstall uninstall-dev format format-check check check-fast check-unit demo kernel lab \
	lab-root lab-shell fuzz fuzz-build new-backend $(kconfig-goals)
goals := $(or $(MAKECMDGOALS),all)
build-goals := $(filter-out $(light-goals) %_defconfig,$(goals))
tools := $(if $(filter $(kconfig-goals) %_defconfig,$(goals))$(build-goals),kconfig-conf) \
	$(if $(build-goals),pkg-config scdoc $(firstword $(CC)))
missing := $(shell for tool in $(tools); do command -v $$tool >/dev/null || echo $$tool; done)
ifneq ($(missing),)
$(error this machine has no $(missing); `make deps-build` installs what is needed)
endif
ifneq ($(build-goals),)
$(call remember,config,$(config-base) $(config-given))
include $(O)/config.mk
endif

# ---- flags -----------------------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla \
	-Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 -Wno-format-nonliteral
comma := ,
harden := -fstack-protector-strong -fstack-clash-protection
optimise := -O2 -g
# The full fences of rings order wake-ups only. Data is passed by acquire and release, which the thread sanitizer knows.
no-fence-warning := $(if $(findstring clang,$(CC)),,-Wno-tsan)
sanitize := $(if $(CONFIG_SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all) \
	$(if $(CONFIG_SANITIZE_THREAD),-fsanitize=thread $(no-fence-warning))
ifneq ($(strip $(sanitize)),)
# The sanitizers' own code leads compilers to warnings that are wrong, so they are no errors.
optimise := -O1 -g -fno-omit-frame-pointer
else
warnings += $(if $(filter y,$(CONFIG_WERROR)),-Werror)
harden += $(if $(filter y,$(CONFIG_DEBUG)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
# A loadable backend must not need a symbol of the program. Not with sanitizers: clang keeps theirs in the program.
no-undefined := -Wl,-z,defs
endif
ifeq ($(CONFIG_DEBUG),y)
optimise := -O0 -g3
endif
# Programs are optimised across all their files: a request passes a dozen. Their objects have plain code as well, of which tests are
# made, for that takes a second for each program. clang has no such objects.
whole := $(if $(findstring clang,$(CC))$(strip $(sanitize))$(filter y,$(CONFIG_DEBUG)),,-flto=auto)

# Debian's names; one list for all programs, for --as-needed leaves out what a program does not use.
packages := xenstore xenevtchn xengnttab xendevicemodel xenforeignmemory xentoollog liburing inih jansson
missing-package = $(error pkg-config does not know $1; `make deps-build` installs what is needed)
missing-for-backend = $(error backend $1 needs $2, which pkg-config does not know; `make deps-build` installs it, and \
	CONFIG_BACKEND_$(shell echo $1 | tr a-z- A-Z_)=n leaves the backend out)
pkg-libs = $(or $(shell pkg-config --libs $1),$(call missing-package,$1))

includes = -Iinclude -Iservice
# Nothing is hidden in the programs: argp finds argp_program_version there.
pic := -fPIE
module-pic := -fPIC -fvisibility=hidden
c-flags = -std=gnu11 -D_GNU_SOURCE= $(optimise) $(warnings) $(harden) $(sanitize) -pthread \
	-include $(O)/config.h $(CPPFLAGS) $(CFLAGS)
compile = $(CC) $(c-flags) $(pic) $(includes) $(defines) -MMD -MP -c -o $@ $<
ld-flags = $(sanitize) $(or $(link-whole),-fno-lto) -pthread -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS)
link = $(CC) $(ld-flags) -pie -o $@ $(filter %.o %.a,$^) $(call pkg-libs,$(packages) $1) $(backend-libs) -ldl

# Paths and version go only to the files that speak of them, so that another PREFIX or commit compiles only these.
git-version := $(shell git --git-dir=.git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null)
version := $(or $(git-version:v%=%),$(VERSION))
path-words := XVHOST_VERSION XVHOST_SYSCONFDIR XVHOST_LIBEXECDIR XVHOST_BACKEND_DIR
path-defines := -DXVHOST_VERSION='"$(version)"' -DXVHOST_SYSCONFDIR='"$(SYSCONFDIR)"' \
	-DXVHOST_LIBEXECDIR='"$(LIBEXECDIR)"' -DXVHOST_BACKEND_DIR='"$(BACKENDDIR)"'
fill-in = sed $(foreach v,PREFIX INCLUDEDIR SBINDIR LIBDIR LIBEXECDIR BACKENDDIR SYSCONFDIR,-e 's|@$v@|$($v)|g') \
	-e 's|@VERSION@|$(version)|g'

# ---- what there is ---------------------------------------------------------------------------------------------

objects = $(patsubst %.c,$(O)/obj/%.o,$(wildcard $(1:=/*.c)))

main-objects := $(O)/obj/service/daemon/main.o $(O)/obj/service/worker/main.o
try-objects := $(call objects,service/try service/try/conform)
common-objects := $(call objects,service service/platform)
daemon-objects := $(filter-out $(main-objects),$(call objects,service/daemon))
worker-objects := $(filter-out $(main-objects),$(call objects,service/worker service/rings service/memory))
sim-objects := $(call objects,service/sim)

# They fill backend-y and backend-m, and backend- with those that are not built; net-backend-... in the same way. Disk and net
# backends may have the same names, so the loadable ones of the second kind lie in a folder of their own.
include backends/disk/Makefile
include backends/net/Makefile
all-backends := $(backend-y) $(backend-m) $(backend-n) $(backend-) \
	$(addprefix net/,$(net-backend-y) $(net-backend-m) $(net-backend-n) $(net-backend-))
backend-sources = $(foreach b,$1,$b $($b-parts))
net-backend-sources = $(foreach b,$1,$b $(net-$b-parts))
builtin-disk-objects := $(patsubst %,$(O)/obj/backends/disk/%.o,$(call backend-sources,$(backend-y)))
builtin-net-objects := $(patsubst %,$(O)/obj/backends/net/%.o,$(sort $(call net-backend-sources,$(net-backend-y))))
builtin-objects := $(builtin-disk-objects) $(builtin-net-objects)
module-objects := $(patsubst %,$(O)/obj/backends/disk/%.module.o,$(call backend-sources,$(backend-m))) \
	$(patsubst %,$(O)/obj/backends/net/%.module.o,$(sort $(call net-backend-sources,$(net-backend-m))))
packages += $(foreach b,$(backend-y),$($b-packages))
backend-libs := $(foreach b,$(backend-y),$($b-libs))
modules := $(backend-m:%=$(O)/backends/%.so) $(net-backend-m:%=$(O)/backends/net/%.so)
symbol = xvhost_backend_$(subst -,_,$1)
net-symbol = xvhost_net_backend_$(subst -,_,$1)
builtin-list := $(O)/obj/builtin_backends

programs := $(O)/bin/xvhostd $(O)/bin/xvhost-worker $(O)/bin/xvhost-try
page-sources := $(wildcard service/*/*.[1-8].scd backends/*/*.[1-8].scd docs/*.[1-8].scd kernel/*.[1-8].scd)
pages := $(patsubst %.scd,$(O)/man/%,$(notdir $(page-sources)))
units := $(O)/share/xvhostd.service
dkms := $(O)/share/dkms.conf
sample := $(O)/share/xvhost.conf
pkg-config-file := $(O)/share/xvhost.pc
# To be preloaded, and the command that does it.
accel-objects := $(call objects,service/accel)
accel-library := $(O)/accel/libxvhost-foreignmemory.so
accel-command := $(O)/share/xvhost-accel

# The kernel module: for the lab's kernels, whose headers come from Debian's archive without being installed; or for the one
# with this build folder.
KERNELS := 6.1 6.12
KDIR :=
kernel-sources := kernel/build kernel/Kbuild $(wildcard kernel/*.[ch]) include/xvhost/remap.h
kernel-modules := $(KERNELS:%=$(O)/kernel/%/xen_remap.ko)

# What programs and tests are linked with, in the order in which one uses the next.
libraries := $(O)/lib/libdaemon.a $(O)/lib/libworker.a $(O)/lib/libcommon.a
# The simulated machine: for tests and the backend author's tool, not for what is installed to serve guests.
sim-libraries := $(O)/lib/libsim.a $(libraries)

include tests/tests.mk

ifneq ($(build-goals),)
$(foreach b,$(backend-y) $(backend-m),$(foreach p,$($b-packages),\
	$(if $(shell pkg-config --exists $p && echo yes),,$(call missing-for-backend,$b,$p))))
$(call remember,flags,$(c-flags) $(whole) $(includes) $(pic) $(module-pic) $(ld-flags) $(shell $(CC) --version 2>&1))
$(call remember,paths,$(path-defines) $(fill-in))
$(call remember,builtin,$(backend-y) without $(backend-m) net $(net-backend-y) without $(net-backend-m))
$(foreach l,common daemon worker sim,$(call remember,lib$l,$($l-objects)))

everything := $(main-objects) $(try-objects) $(common-objects) $(daemon-objects) $(worker-objects) $(sim-objects) \
	$(builtin-objects) $(builtin-list).o $(module-objects) $(accel-objects) $(test-objects)
path-objects := $(patsubst %.c,$(O)/obj/%.o,$(shell grep -lwF $(path-words:%=-e %) \
	$(patsubst $(O)/obj/%.o,%.c,$(filter-out $(module-objects),$(everything))) 2>/dev/null))
-include $(everything:.o=.d)
endif

# ---- rules -----------------------------------------------------------------------------------------------------

all: $(programs) $(modules) $(accel-library) $(accel-command) $(pages) $(units) $(sample) $(pkg-config-file) $(dkms)

.PHONY: man
man: $(pages) ## build the manual pages

$(O)/obj/%.o: %.c $(O)/settings/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(compile)

$(common-objects) $(worker-objects) $(sim-objects) $(builtin-objects): optimise += $(if $(whole),$(whole) -ffat-lto-objects)
$(worker-objects) $(builtin-objects): optimise += $(if $(whole),-O3)
$(programs): link-whole = $(whole)
$(path-objects): $(O)/settings/paths
$(path-objects): defines = $(path-defines)

# Backends know the public headers only. A loadable one is compiled in its own way, to its own object.
$(builtin-objects) $(module-objects): includes = -Iinclude
$(builtin-disk-objects): defines = -DXVHOST_BUILT_IN=$(call symbol,$(basename $(@F)))
$(builtin-net-objects): defines = -DXVHOST_BUILT_IN=$(call net-symbol,$(basename $(@F)))
$(module-objects): pic := $(module-pic)
$(module-objects): $(O)/obj/%.module.o: %.c $(O)/settings/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(compile)

$(foreach b,$(backend-m),$(eval $(O)/backends/$b.so: $($b-parts:%=$(O)/obj/backends/disk/%.module.o)))
$(O)/backends/%.so: $(O)/obj/backends/disk/%.module.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ld-flags) -shared $(no-undefined) -o $@ $^ $(if $($*-packages),$(call pkg-libs,$($*-packages))) $($*-libs)
$(foreach b,$(net-backend-m),$(eval $(O)/backends/net/$b.so: $(net-$b-parts:%=$(O)/obj/backends/net/%.module.o)))
$(O)/backends/net/%.so: $(O)/obj/backends/net/%.module.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ld-flags) -shared $(no-undefined) -o $@ $^

$(accel-objects): pic := $(module-pic)
$(accel-library): $(accel-objects)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ld-flags) -shared $(no-undefined) -o $@ $^
$(accel-command): $(O)/share/%: service/accel/% $(O)/settings/paths
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && $(fill-in) $< >$@

# The lists that service/worker/backends.h declares. A backend that is loadable no longer leaves its object behind.
define builtin-table
	for symbol in $1; do \
		echo "extern const struct $2 *$$symbol(void);"; \
	done; \
	echo 'const struct $2 *(*const $3[])(void) = {'; \
	printf '\t%s,\n' $1 NULL; \
	echo '};'
endef
$(builtin-list).c: $(O)/settings/builtin
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && rm -f $(filter-out $(modules),$(wildcard $(O)/backends/*.so $(O)/backends/net/*.so))
	$(Q){ echo '/* Made by the Makefile. */'; echo '#include "worker/backends.h"'; echo; \
	$(call builtin-table,$(foreach b,$(backend-y),$(call symbol,$b)),xvhost_disk_backend,builtin_backends); echo; \
	$(call builtin-table,$(foreach b,$(net-backend-y),$(call net-symbol,$b)),xvhost_net_backend,builtin_net_backends); \
	} >$@
$(builtin-list).o: $(builtin-list).c $(O)/settings/flags
	$(call say,CC,$<)
	$(Q)$(compile)

# An archive is made anew, or it would keep the objects of files that are gone.
$(O)/lib/lib%.a: $(O)/settings/lib%
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)
$(O)/lib/libcommon.a: $(common-objects)
$(O)/lib/libdaemon.a: $(daemon-objects)
$(O)/lib/libsim.a: $(sim-objects)
$(O)/lib/libworker.a: $(worker-objects) $(builtin-objects) $(builtin-list).o

$(O)/bin/xvhostd: $(O)/obj/service/daemon/main.o $(libraries)
$(O)/bin/xvhost-worker: $(O)/obj/service/worker/main.o $(libraries)
$(O)/bin/xvhost-try: $(try-objects) $(sim-libraries)
$(programs):
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(call link)

# Pages lie beside what they describe, wherever that is.
vpath %.scd $(sort $(dir $(page-sources)))
$(O)/man/%: %.scd $(O)/settings/paths
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D) && $(fill-in) $< | scdoc >$@
$(units) $(sample): $(O)/share/%: service/daemon/% $(O)/settings/paths
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && $(fill-in) $< >$@

$(pkg-config-file): $(O)/share/%: include/% $(O)/settings/paths
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && $(fill-in) $< >$@

# ---- the kernel module ------------------------------------------------------------------------------------------

.PHONY: kernel
kernel: $(if $(KDIR),$(O)/kernel/own/xen_remap.ko,$(kernel-modules)) ## build the module xen_remap for the lab's kernels, or KDIR

$(O)/kernel/%/xen_remap.ko: $(kernel-sources)
	$(call say,KERNEL,$@)
	$(Q)kernel/build $(@D) "$$(tests/lab/kernel-headers $*)"
$(O)/kernel/own/xen_remap.ko: $(kernel-sources)
	$(call say,KERNEL,$@)
	$(Q)kernel/build $(@D) "$(KDIR)"
$(dkms): kernel/dkms.conf $(O)/settings/paths
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && $(fill-in) $< >$@

# ---- installing ------------------------------------------------------------------------------------------------

# MODE:FROM:TO of each file; installing and uninstalling both go by it. What authors of backends need lies below PREFIX.
page-entries = $(foreach f,$1,644:$f:$(MANDIR)/man$(patsubst .%,%,$(suffix $f))/$(notdir $f))
dev-pages := $(patsubst %.scd,$(O)/man/%,$(notdir $(wildcard service/try/*.scd backends/*/*.[1-8].scd)))
dev-installed := \
	755:$(O)/bin/xvhost-try:$(BINDIR)/xvhost-try \
	$(foreach f,$(modules),644:$f:$(BACKENDDIR)/$(f:$(O)/backends/%=%)) \
	$(foreach f,$(wildcard include/xvhost/*.h),644:$f:$(INCLUDEDIR)/xvhost/$(notdir $f)) \
	$(call page-entries,$(dev-pages)) \
	644:$(pkg-config-file):$(LIBDIR)/pkgconfig/xvhost.pc \
	644:docs/backend-guide.md:$(DOCDIR)/backend-guide.md \
	$(foreach f,$(wildcard examples/*.c) examples/Makefile,644:$f:$(DOCDIR)/examples/$(notdir $f))
installed := $(dev-installed) \
	755:$(O)/bin/xvhostd:$(SBINDIR)/xvhostd \
	755:$(O)/bin/xvhost-worker:$(LIBEXECDIR)/xvhost-worker \
	755:$(accel-command):$(BINDIR)/xvhost-accel \
	644:$(accel-library):$(LIBDIR)/xvhost/$(notdir $(accel-library)) \
	$(foreach f,block-xvhost vif-xvhost,755:service/daemon/$f:$(SYSCONFDIR)/xen/scripts/$f) \
	$(call page-entries,$(filter-out $(dev-pages),$(pages))) \
	$(foreach f,$(units),644:$f:$(UNITDIR)/$(notdir $f)) \
	$(foreach f,kernel/Kbuild $(wildcard kernel/*.[ch]),644:$f:$(DKMSDIR)/$(notdir $f)) \
	644:include/xvhost/remap.h:$(DKMSDIR)/include/xvhost/remap.h \
	644:$(dkms):$(DKMSDIR)/dkms.conf
sample-at := $(SYSCONFDIR)/xvhost/xvhost.conf

install-entries = set -e; for entry in $1; do \
		IFS=:; set -- $$entry; echo "INSTALL  $(DESTDIR)$$3"; install -D -m "$$1" "$$2" "$(DESTDIR)$$3"; \
	done
define remove-entries
	$(Q)for entry in $1; do rm -fv "$(DESTDIR)$${entry##*:}"; done
	$(Q)rm -fv $(all-backends:%="$(DESTDIR)$(BACKENDDIR)/%.so")
	$(Q)rmdir --ignore-fail-on-non-empty $(wildcard $(addprefix $(DESTDIR),$(BACKENDDIR)/net $(BACKENDDIR) $(LIBDIR)/xvhost \
		$(LIBEXECDIR) $(INCLUDEDIR)/xvhost $(DOCDIR)/examples $(DOCDIR))) 2>/dev/null || true
endef

.PHONY: install install-dev uninstall uninstall-dev
install: all ## install; a configuration file that is there stays
	$(Q)$(call install-entries,$(installed)); \
	if [ -e "$(DESTDIR)$(sample-at)" ]; then echo "KEEP     $(DESTDIR)$(sample-at)"; \
	else echo "INSTALL  $(DESTDIR)$(sample-at)"; install -D -m 644 $(sample) "$(DESTDIR)$(sample-at)"; fi

install-dev: $(O)/bin/xvhost-try $(modules) $(dev-pages) $(pkg-config-file) ## install what backends are written with, below PREFIX only
	$(Q)$(call install-entries,$(dev-installed))

uninstall: ## remove what install put there, but not the configuration file
	$(call remove-entries,$(installed))

uninstall-dev: ## remove what install-dev put there
	$(call remove-entries,$(dev-installed))

# ---- care ------------------------------------------------------------------------------------------------------

.PHONY: new-backend
new-backend: ## write the skeleton of a backend: NAME=foo KIND=disk or net; out of the tree with DIR=folder
	$(Q)backends/new-backend '$(NAME)' '$(KIND)' '$(DIR)'

.PHONY: deps deps-build clean distclean format format-check help
deps: ## install the Debian packages of configs/debian-packages that are missing
	$(Q)configs/install-packages

deps-build: ## only those of them that building needs
	$(Q)configs/install-packages 'To build'

clean: ## remove what was built; the configuration and the lab's images stay
	$(Q)rm -rf $(addprefix $(O)/,accel bin lib obj backends kernel man share tests settings kconfig config.mk config.h \
		sanitize thread rbd fuzz-build lab-root)

distclean: clean ## remove everything that is not part of the sources
	$(Q)rm -rf $(if $(filter build,$(O)),build,$(O)/lab $(O)/fuzz $(O)/defconfig) .config .config.old
	$(Q)[ ! -d $(O) ] || rmdir --ignore-fail-on-non-empty $(O)

c-files = $(shell find include kernel service backends examples tests -name '*.[ch]' 2>/dev/null)
format: ## lay out all C files by .clang-format (needs clang-format)
	$(Q)clang-format -i $(c-files)
format-check: ## say which C files are laid out otherwise
	$(Q)clang-format --dry-run -Werror $(c-files)

help: ## this list
	@echo 'Targets:'
	@for file in Makefile tests/tests.mk configs/kconfig.mk; do \
		sed -nE 's/^([a-z_%-]+):.*## (.*)/\1 \2/p' $$file | \
			while read -r name text; do printf '  %-18s %s\n' "$$name" "$$text"; done; \
	done
	@echo 'Configurations:' $(notdir $(wildcard configs/*_defconfig))
	@echo 'Variables (make NAME=VALUE):'
	@printf '  %-18s %s\n' O "folder for all that is made ($(O))" V '1: show the commands' \
		CC 'compiler: gcc or clang' CFLAGS 'added to the flags; also CPPFLAGS, LDFLAGS' \
		CONFIG_X 'sets one symbol of Kconfig for this build, such as CONFIG_SANITIZE=y' \
		KCONFIG_CONFIG 'the configuration (.config)' \
		KDIR "for make kernel: a kernel's build folder" \
		PREFIX '$(PREFIX); also BINDIR, SBINDIR, LIBDIR, LIBEXECDIR, MANDIR, SYSCONFDIR ...' \
		DESTDIR 'put before all paths by install'
