# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Whether the lab notices every kind of failure. The scenarios in checks/ all go wrong, each in its way; their headers
# say which lines the report must have ("# expect: REGEX") and, where it matters, that the run must have ended by
# itself within so many seconds ("# within: SECONDS").

# check_one FILE: returns 0 if the run failed as it should.
check_one()
{
	local file=$1 name out regex within began=$SECONDS good=yes

	name=$(basename "$file" .sh)
	out=$CACHE/self-check-$name.log
	# A driver of its own, as a user would start it.
	if "$LAB_DIR/lab" run "$file" --cache "$CACHE" >"$out" 2>&1; then
		echo "  $name passed, but should have failed"
		good=no
	fi
	within=$(sed -nE 's/^# within: //p' "$file")
	if [[ -n $within && $((SECONDS - began)) -gt $within ]]; then
		echo "  $name took $((SECONDS - began)) s, but should have ended within $within s"
		good=no
	fi
	while read -r regex; do
		grep -qaE -- "$regex" "$out" || {
			echo "  $name: the report has no line like: $regex"
			good=no
		}
	done < <(sed -nE 's/^# expect: //p' "$file")
	[[ $good == yes ]] || { echo "  see $out" && return 1; }
	rm -f "$out"
	printf '%snoticed%s %-20s in %3d s\n' "$GREEN" "$PLAIN" "$name" $((SECONDS - began))
}

# self_check [NAME...]: the named checks, or all.
self_check()
{
	local file good=0 bad=0

	for file in "$LAB_DIR"/checks/*.sh; do
		[[ $# -eq 0 || " $* " == *" $(basename "$file" .sh) "* ]] || continue
		if check_one "$file"; then
			good=$((good + 1))
		else
			bad=$((bad + 1))
		fi
	done
	echo "$good passed, $bad failed"
	[[ $bad -eq 0 && $good -gt 0 ]]
}
