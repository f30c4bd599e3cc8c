# Device mapper tables in Dom0 (packages=dm): disks that are slow, fail, hang, or give space back in their own way.
dmsetup          /usr/sbin/dmsetup
