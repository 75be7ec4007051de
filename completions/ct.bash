# bash completion for ct: made from lib/commands.txt and the usage texts by tests/completions.py --write; do not edit

_ct_keys() {
	local file home=${CT_HOME:-${XDG_CONFIG_HOME:-$HOME/.config}/cerro}
	for file in "$home"/keys/*.pub "$home"/trusted/*.pub "$home"/known/*.pub; do
		file=${file##*/}
		[ "$file" = "*.pub" ] || printf '%s\n' "${file%.pub}"
	done
}

_ct() {
	local word=$2 before=$3 words='' path=${COMP_WORDS[0]##*/} at=1
	if [ "$path" = ct ]; then
		path='ct '${COMP_WORDS[1]-} at=2
	fi
	if [ "$COMP_CWORD" -lt "$at" ]; then
		words='keygen key pack sign attest verify explain policy config help --help --version'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi
	case $path:$before in
	*:-k) mapfile -t COMPREPLY < <(compgen -W "$(_ct_keys)" -- "$word") && return ;;
	*:--report) mapfile -t COMPREPLY < <(compgen -W 'packed signed attested' -- "$word") && return ;;
	esac
	case $path:${COMP_WORDS[at]-} in
	"ct keygen:"*) words="--id --suite --expires --output --no-password --profile --passphrase-fd --passphrase-file --json --help" ;;
	"ct key:generate") words="--id --suite --expires --output --no-password --profile --passphrase-fd --passphrase-file --json --help" ;;
	"ct key:list") words="-v --json --help" ;;
	"ct key:show") words="$(_ct_keys) --json --help" ;;
	"ct key:import") words="--id --trust --json --help" ;;
	"ct key:trust") words="$(_ct_keys) --json --help" ;;
	"ct key:export") words="$(_ct_keys) --public -o --help" ;;
	"ct key:delete") words="$(_ct_keys) --yes --help" ;;
	"ct key:default") words="$(_ct_keys) --help" ;;
	"ct key:"*) words="generate list show import trust export delete default" ;;
	"ct pack:"*) words="-k --no-sign --expires --sbom --provenance --platform --name --version --json -q -o --help" ;;
	"ct sign:"*) words="-k --expires --sbom --provenance --json -q -o --help" ;;
	"ct attest:"*) words="-k --sbom --provenance --json -q -o --help" ;;
	"ct verify:"*) words="-v --all --json --policy --expect --at --help" ;;
	"ct explain:"*) words="--signers --layers --json --policy --at --list --help" ;;
	"ct policy:init") words="--yes --policy --help" ;;
	"ct policy:show") words="--policy --help" ;;
	"ct policy:check") words="--help" ;;
	"ct policy:add-signer") words="$(_ct_keys) --required --policy --help" ;;
	"ct policy:add-registry") words="--policy --help" ;;
	"ct policy:"*) words="init show check add-signer add-registry" ;;
	"ct config:show") words="--json --help" ;;
	"ct config:check") words="--json --help" ;;
	"ct config:set") words="defaults.policy defaults.key defaults.suite defaults.runtime output.format output.color registries.insecure registries.realms crypto.ml_dsa crypto.liboqs cache.dir --help" ;;
	"ct config:unset") words="defaults.policy defaults.key defaults.suite defaults.runtime output.format output.color registries.insecure registries.realms crypto.ml_dsa crypto.liboqs cache.dir --help" ;;
	"ct config:path") words="--help" ;;
	"ct config:"*) words="show check set unset path" ;;
	"ct-oci2ctp:"*) words="--platform --name --version --workdir --help" ;;
	"ct-canon:"*) words="--check --json --help" ;;
	"ct-open:"*) words="--fd --help" ;;
	"ct-attest:"*) words="--sbom --provenance --help" ;;
	"ct-sign:"*) words="-k --expires --passphrase-fd --passphrase-file --workdir --statements --help" ;;
	"ct-check:"*) words="--all --help" ;;
	"ct-write:"*) words="--new --report --json -q -o --help" ;;
	"ct-hash:"*) words="--fd --all --help" ;;
	"ct-policy:"*) words="--policy --expect --at --all --help" ;;
	"ct-explain:"*) words="--verdict -v --signers --layers --json --finding --list --help" ;;
	"ct-policy-edit:init") words="--yes --policy --help" ;;
	"ct-policy-edit:show") words="--policy --help" ;;
	"ct-policy-edit:check") words="--help" ;;
	"ct-policy-edit:add-signer") words="--required --policy --help" ;;
	"ct-policy-edit:add-registry") words="--policy --help" ;;
	"ct-policy-edit:"*) words="init show check add-signer add-registry" ;;
	"ct help:"*) words="keygen key pack sign attest verify explain policy config" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	case $word in -*) ;; *) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word") ;; esac
}

complete -o filenames -F _ct ct ct-oci2ctp ct-canon ct-open ct-attest ct-sign ct-check ct-write ct-hash ct-policy ct-explain ct-policy-edit
