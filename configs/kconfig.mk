# SPDX-License-Identifier: GPL-2.0-or-later
#
# The configuration, by Debian's kconfig-frontends. Included by the Makefile.
#
# A person's choices are in .config; without one the defaults hold. For a build they are taken together with the
# CONFIG_X=... given to make, checked, and written to $(O)/config.mk and $(O)/config.h. So one .config serves any
# number of builds: `make O=build/sanitize CONFIG_SANITIZE=y`.

KCONFIG_CONFIG ?= .config

# Its programs write below the current folder, and look for the Kconfig files in $srctree as well.
kconfig-dir := $(O)/kconfig
in-kconfig-dir = mkdir -p $(kconfig-dir)/include/config $(kconfig-dir)/include/generated && cd $(kconfig-dir) && \
	srctree='$(CURDIR)' KCONFIG_CONFIG='$(abspath $1)'
kconfig-files := Kconfig $(wildcard */Kconfig */*/Kconfig)

# ---- .config ---------------------------------------------------------------------------------------------------

kconfig-goals := menuconfig defconfig savedefconfig oldconfig olddefconfig allnoconfig allyesconfig allmodconfig \
	randconfig

.PHONY: $(kconfig-goals)
menuconfig: ## change .config in menus
	$(Q)$(call in-kconfig-dir,$(KCONFIG_CONFIG)) kconfig-mconf Kconfig

defconfig: default_defconfig ## write .config with the defaults

%_defconfig: configs/%_defconfig ## write .config from configs/%_defconfig
	$(Q)$(call in-kconfig-dir,$(KCONFIG_CONFIG)) kconfig-conf --defconfig='$(abspath $<)' Kconfig

savedefconfig: ## write what .config changes in the defaults to build/defconfig
	$(Q)$(call in-kconfig-dir,$(KCONFIG_CONFIG)) kconfig-conf --savedefconfig='$(abspath $(O)/defconfig)' Kconfig
	@echo 'saved as $(O)/defconfig'

oldconfig: ## ask about the symbols that .config does not have yet
olddefconfig: ## give these their defaults
allnoconfig: ## write .config with as little as possible
allyesconfig: ## ... with everything, built in
allmodconfig: ## ... with everything, loadable where possible
randconfig: ## ... by chance; KCONFIG_SEED=NUMBER repeats one
oldconfig olddefconfig allnoconfig allyesconfig allmodconfig randconfig:
	$(Q)$(call in-kconfig-dir,$(KCONFIG_CONFIG)) kconfig-conf --$@ Kconfig

# ---- config.mk, config.h ---------------------------------------------------------------------------------------

config-base := $(or $(wildcard $(KCONFIG_CONFIG)),configs/default_defconfig)
config-given := $(foreach v,$(sort $(filter CONFIG_%,$(.VARIABLES))),$(if $(filter command,$(origin $v)),$v=$($v)))

# Only a config.h that says something else is put in place, or everything would be compiled again. Which backends there are
# is make's business alone, so that a new one costs no more than itself.
$(O)/config.mk: $(config-base) $(kconfig-files) $(O)/settings/config
	$(call say,CONF,'$(strip $(config-base) $(config-given))')
	$(Q)mkdir -p $(kconfig-dir)
	$(Q)sed -e '' $(foreach g,$(config-given),-e '/\<$(firstword $(subst =, ,$g))\>/d') $< >$(kconfig-dir)/.config
	$(Q)printf '%s\n' $(config-given) >>$(kconfig-dir)/.config
	$(Q)$(call in-kconfig-dir,$(kconfig-dir)/.config) kconfig-conf -s --olddefconfig Kconfig
	$(Q)$(call in-kconfig-dir,$(kconfig-dir)/.config) kconfig-conf -s --silentoldconfig Kconfig
	$(Q)for given in $(config-given); do \
		grep -qxF -e "$$given" -e "# $${given%=n} is not set" $(kconfig-dir)/.config || \
		{ echo "$$given is not possible; see Kconfig for the symbol and its range" >&2; exit 1; }; \
	done
	$(Q)sed '/BACKEND_/d' $(kconfig-dir)/include/generated/autoconf.h >$(kconfig-dir)/config.h
	$(Q)cmp -s $(kconfig-dir)/config.h $(O)/config.h || cp $(kconfig-dir)/config.h $(O)/config.h
	$(Q)cp $(kconfig-dir)/include/config/auto.conf $@
