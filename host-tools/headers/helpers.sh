#!/bin/sh
# Writes bpf/bpf_helper_defs.h anew out of the kernel's <linux/bpf.h> (package linux-libc-dev), which is given: numbers of its
# list of helpers, and their prototypes.
set -eu
cd "$(dirname "$0")"
exec >bpf/bpf_helper_defs.h
cat <<'HEAD'
/*
 * The kernel's helpers by number and prototype, as <linux/bpf.h> has them. Written by helpers.sh: change that instead.
 */
#ifndef BPF_HELPER_DEFS_H
#define BPF_HELPER_DEFS_H

HEAD
awk '
# u32 as __u32, which every header of types has
function fixed(text) {
	text = " " text
	while (match(text, /[ (*][us](8|16|32|64)[ *]/)) text = substr(text, 1, RSTART) "__" substr(text, RSTART + 1)
	return substr(text, 2)
}
# "FN(map_lookup_elem, 1, ##ctx)": the list
/^[ \t]*FN\([a-z_0-9]+, [0-9]+,/ {
	split($0, part, /[(,)] */); number[part[2]] = part[3]; next
}
# " * void *bpf_map_lookup_elem(struct bpf_map *map, const void *key)": a prototype
/^ \* [a-z_0-9 ]+[ *]bpf_[a-z_0-9]+\([^)]*\)$/ {
	text = substr($0, 4)
	match(text, /bpf_[a-z_0-9]+\(/)
	name = substr(text, RSTART + 4, RLENGTH - 5)
	if (!(name in result)) {
		result[name] = substr(text, 1, RSTART - 1); arguments[name] = substr(text, RSTART + RLENGTH - 1)
		n = split(text, word, /[^a-z_0-9]+/)
		for (i = 1; i < n; i++) if (word[i] == "struct") types[word[i + 1] == "sk_buff" ? "__sk_buff" : word[i + 1] == "xdp_buff" ? "xdp_md" : word[i + 1] == "sk_msg_buff" ? "sk_msg_md" : word[i + 1]] = 1
	} else if (substr(text, RSTART + RLENGTH - 1) != arguments[name])
		# one number, and a prototype for each type of context
		sub(/^\([^,)]*/, "(void *ctx", arguments[name])
}
END {
	for (name in types) print "struct " name ";" | "LC_ALL=C sort"
	close("LC_ALL=C sort")
	print ""
	for (name in number) if (name in result) {
		# programs know these by the types of their contexts
		text = arguments[name]; gsub(/struct bpf_map \*/, "void *", text)
		gsub(/struct sk_buff/, "struct __sk_buff", text); gsub(/struct xdp_buff/, "struct xdp_md", text)
		gsub(/struct sk_msg_buff/, "struct sk_msg_md", text)
		# no header need have size_t
		gsub(/size_t/, "unsigned long", text)
		text = fixed(text); result[name] = fixed(result[name])
		space = result[name] ~ /\*$/ ? "" : " "
		sub(/ $/, "", result[name])
		printf "%d static %s%s(*const bpf_%s)%s = (void *)%d;\n", number[name], result[name], space, name, text, number[name] | "sort -n | cut -d\" \" -f2-"
	}
}' "$1"
printf '\n#endif\n'
