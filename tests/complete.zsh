#compdef @PROGRAMS@
# zsh completion for ct: @HEAD@

# What may follow: `below` are the subcommands of a state, `options` its options, `operands` the kinds of its operands.
_ct_state() { # STATE
	below=() options=() operands=()
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

_ct_keys() {
	local home=${CT_HOME:-${XDG_CONFIG_HOME:-$HOME/.config}/cerro}
	local -aU ids
	ids=($home/{keys,trusted,known}/*.pub(N:t:r) /etc/cerro/trusted/*.pub(N:t:r))
	ids=(${(M)ids:#[A-Za-z0-9][A-Za-z0-9._-]#})
	compadd -J keys -X 'key' -a ids
}

_ct_images() {
	local source
	local -a sources
	sources=(@SOURCES@)
	for source in $sources; do
		if compset -P "${source%:*}:"; then
			_ct_kind ${source##*:}
			return
		fi
	done
	compadd -J sources -X 'source' -S "" ${^sources%:*}:
}

_ct_kind() { # KIND
	case $1 in
	words:*) compadd -J values ${(s:|:)1#words:} ;;
	key) _ct_keys ;;
	finding) compadd -J findings -X 'finding' @FINDINGS@ ;;
	image) _ct_images ;;
	bundle) _files -g '*.ctp' ;;
	policy) _files -g '*.json' ;;
	public) _files -g '*.pub' ;;
	dir) _files -/ ;;
	file) _files ;;
	esac
}

_ct() {
	setopt localoptions extendedglob nonomatch
	local state=${service:t} kind='' ended='' word at
	local -a below options operands
	_ct_state $state
	for ((at = 2; at < CURRENT; at++)); do
		word=${(Q)words[at]}
		case $word in
		--) ended=1 ;;
		-*) ;;
		*) (( $#below )) && state+=" $word" && _ct_state $state ;;
		esac
	done
	word=$PREFIX
	if [[ -z $ended ]]; then
		if [[ $word == --*=* ]]; then
			_ct_value $state ${word%%=*}
			compset -P '*='
			_ct_kind $kind
			return
		fi
		_ct_value $state ${(Q)words[CURRENT - 1]}
	fi
	if [[ -n $kind ]]; then
		_ct_kind $kind
	elif [[ -z $ended && $word == -* ]]; then
		compadd -J options -- ${options:#*=}
		compadd -J options -S '' -- ${(M)options:#*=}
	elif (( $#below )); then
		_describe -t commands command below
	else
		for kind in $operands; do _ct_kind $kind; done
	fi
}

_ct "$@"
