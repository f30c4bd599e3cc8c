self_check() { die "not yet"; }
