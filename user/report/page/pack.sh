#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# Makes the page of the html format a C header: page_head is everything before the data, page_tail
# everything behind it. The scripts become one. The page's policy names the script and the style
# sheet by their hashes, so that a browser runs nothing else, whatever is in the data.
#
# usage: pack.sh TEMPLATE STYLE SCRIPT... >HEADER
set -eu

template=$1 style_file=$2
shift 2
if grep -n '</' "$@" "$style_file" >&2 || LC_ALL=C grep -n '[^ -~	]' "$@" "$style_file" >&2; then
	echo "pack.sh: '</' would end the element, and the page is ASCII" >&2
	exit 1
fi
# Without the newline at the end, here and in the hash.
style=$(cat "$style_file")
script=$(cat "$@")

hash_of() {
	printf '%s' "$1" | sha256sum | cut -c -64 | tr a-f A-F | basenc -d --base16 | basenc --base64
}

put_page() {
	while IFS= read -r line; do
		case $line in
		@POLICY@)
			printf '<meta http-equiv="Content-Security-Policy" content="%s; %s; %s; %s">\n' \
				"default-src 'none'" "script-src 'sha256-$(hash_of "$script")'" \
				"style-src 'sha256-$(hash_of "$style")'" \
				"base-uri 'none'; form-action 'none'"
			;;
		@STYLE@) printf '<style>%s</style>\n' "$style" ;;
		@SCRIPT@) printf '<script>%s</script>\n' "$script" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done <"$template"
}

put_array() {
	printf 'static const char %s[] = {\n' "$1"
	od -An -v -tu1 | sed 's/[0-9][0-9]*/&,/g'
	printf '0};\n'
}

put_page | sed '/^@DATA@$/,$d' | put_array page_head
put_page | sed '1,/^@DATA@$/d' | put_array page_tail
