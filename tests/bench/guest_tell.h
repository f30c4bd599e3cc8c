/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest that makes load says to whoever measures outside (host-meter), so that both measure the same: a word in
 * xenstore, begin or end. The other looks at its clocks and removes the word, which lets the guest go on.
 */
#ifndef TESTS_BENCH_GUEST_TELL_H
#define TESTS_BENCH_GUEST_TELL_H

/*
 * Write the word to FOLDER/load and wait until it was removed. The folder is one that the guest may write to; "-": nobody is
 * asked. Ends the program if it can't be done.
 */
void guest_tell(const char *folder, const char *word);

#endif
