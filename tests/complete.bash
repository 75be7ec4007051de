# bash completion for ct: @HEAD@

# What may follow: `below` are the subcommands of a state, `options` its options, `operands` the kinds of its operands.
_ct_state() { # STATE
	below='' options='' operands=''
	case $1 in
@STATES@
	esac
}

# The kind of an option's value.
_ct_value() { # STATE OPTION
	kind=''
	case $1:$2 in
@VALUES@
	esac
}

# No word that comes from a file's name is ever expanded: candidates are compared and taken as they are.
_ct_offer() { # PREFIX WORD CANDIDATE...
	local prefix=$1 word=$2 candidate
	shift 2
	for candidate; do
		[[ $candidate != "$word"* ]] || found+=("$prefix$candidate")
	done
}

_ct_offer_keys() { # PREFIX WORD
	local file home=${CT_HOME:-${XDG_CONFIG_HOME:-${HOME-}/.config}/cerro}
	for file in "$home"/keys/*.pub "$home"/trusted/*.pub "$home"/known/*.pub /etc/cerro/trusted/*.pub; do
		file=${file##*/} file=${file%.pub}
		case $file in *[!A-Za-z0-9._-]* | [!A-Za-z0-9]*) continue ;; esac
		[[ " ${found[*]-} " == *" $1$file "* ]] || _ct_offer "$1" "$2" "$file"
	done
}

_ct_offer_files() { # PREFIX WORD KIND: files of the kind and directories; where there is neither, any file
	[ "$3" != none ] || return 0
	local file typed=$2 path=$2 any=() some=()
	[ "${path:0:2}" != \~/ ] || path=${HOME-}/${path:2}
	for file in "$path"*; do
		[ -e "$file" ] || [ -L "$file" ] || continue
		if [ -d "$file" ]; then
			some+=("$1$typed${file#"$path"}")
			continue
		fi
		case $3:$file in
		bundle:*.ctp | policy:*.json | public:*.pub | file:*) some+=("$1$typed${file#"$path"}") ;;
		dir:*) ;;
		*) any+=("$1$typed${file#"$path"}") ;;
		esac
	done
	[ "${#some[@]}" -gt 0 ] || some=("${any[@]}")
	found+=("${some[@]}")
}

_ct_offer_kind() { # KIND PREFIX WORD
	local kind=$1 prefix=$2 word=$3 source sources=(@SOURCES@)
	case $kind in
	words:*) IFS='|' read -ra any <<<"${kind#words:}" && _ct_offer "$prefix" "$word" "${any[@]}" ;;
	key) _ct_offer_keys "$prefix" "$word" ;;
	finding) _ct_offer "$prefix" "$word" @FINDINGS@ ;;
	image)
		for source in "${sources[@]}"; do
			case $word in
			"${source%:*}":*) files=1 && _ct_offer_files "$prefix${source%:*}:" "${word#*:}" "${source##*:}" ;;
			*:*) ;;
			*) _ct_offer "$prefix" "$word" "${source%:*}:" ;;
			esac
		done
		;;
	none) ;;
	*) files=1 && _ct_offer_files "$prefix" "$word" "$kind" ;;
	esac
}

# The words before the cursor, put together again where COMP_WORDBREAKS took `:` and `=` for ends; quotes do not count.
_ct_typed() {
	local line=${COMP_LINE:0:COMP_POINT} at word
	typed=()
	for ((at = 0; at <= COMP_CWORD; at++)); do
		word=${COMP_WORDS[at]}
		if [ "$at" -gt 0 ] && [[ $line == [![:space:]]* ]]; then
			[[ $line == "$word"* ]] || word=$line
			typed[${#typed[@]} - 1]+=$word
		else
			line=${line#"${line%%[![:space:]]*}"}
			[[ $line == "$word"* ]] || word=$line
			typed+=("$word")
		fi
		line=${line#"$word"}
	done
	raw=${typed[${#typed[@]} - 1]}
	for at in "${!typed[@]}"; do
		word=${typed[at]#[\"\']}
		typed[at]=${word//\\/}
	done
}

_ct() {
	local below options operands kind typed found=() any prefix='' state at word kinds raw='' files='' ended=''
	# Whatever the user set: globs are needed here, and a pattern that fits nothing is no error.
	local - failglob=''
	set +fu
	if shopt -q failglob; then failglob=1 && shopt -u failglob; fi
	_ct_typed
	state=${typed[0]##*/}
	_ct_state "$state"
	for ((at = 1; at < ${#typed[@]} - 1; at++)); do
		word=${typed[at]}
		case $word in
		--) ended=1 ;;
		-*) ;;
		*) [ -z "$below" ] || { state+=" $word" && _ct_state "$state"; } ;;
		esac
	done
	word=${typed[at]-} kind=''
	if [ -z "$ended" ]; then
		case $word in
		--*=*) _ct_value "$state" "${word%%=*}" && prefix=${word%%=*}= word=${word#*=} ;;
		*) _ct_value "$state" "${typed[at - 1]}" ;;
		esac
	fi
	if [ -n "$kind" ]; then
		_ct_offer_kind "$kind" "$prefix" "$word"
	elif [ -n "$prefix" ]; then
		:
	elif [[ -z $ended && $word == -* ]]; then
		read -ra any <<<"$options" && _ct_offer '' "$word" "${any[@]}"
	elif [ -n "$below" ]; then
		read -ra any <<<"$below" && _ct_offer '' "$word" "${any[@]}"
	else
		read -ra kinds <<<"$operands"
		for kind in "${kinds[@]}"; do _ct_offer_kind "$kind" '' "$word"; done
	fi
	[ -z "$failglob" ] || shopt -s failglob
	# Only what follows the last break is replaced; one behind a backslash is none.
	word=$prefix$word prefix='' raw=${raw//\\[:=]/}
	for at in : =; do
		if [[ $COMP_WORDBREAKS == *"$at"* && $raw == *"$at"* ]]; then
			at=${word%"${word##*"$at"}"}
			[ "${#at}" -le "${#prefix}" ] || prefix=$at
		fi
	done
	COMPREPLY=("${found[@]#"$prefix"}")
	{
		[ -z "$files" ] || compopt -o filenames
		case ${COMPREPLY[0]-} in *: | *=) compopt -o nospace ;; esac
	} 2>/dev/null
}

complete -F _ct @PROGRAMS@
