# A debugger for Dom0 (packages=gdb): large, therefore not part of packages.dom0.
gdb              /usr/bin/gdb
libpython3.11-minimal *
libpython3.11-stdlib *
