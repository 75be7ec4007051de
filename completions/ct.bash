# bash completion for ct: made by tests/completions.py --write from lib/commands.txt, the usage texts and tests/complete.*; do not edit

# What may follow: `below` are the subcommands of a state, `options` its options, `operands` the kinds of its operands.
_ct_state() { # STATE
	below='' options='' operands=''
	case $1 in
	'ct') options='--help --version --color= --format=' below='keygen key pack sign re-sign attest verify explain push fetch export import unpack run policy audit config login doctor help' ;;
	'ct keygen') options='--id --suite --expires --output --no-password --profile --passphrase-fd --passphrase-file --json --help --color= --format=' ;;
	'ct key generate') options='--id --suite --expires --output --no-password --profile --passphrase-fd --passphrase-file --json --help --color= --format=' ;;
	'ct key rotate') options='--into --suite --expires --no-password --profile --passphrase-fd --passphrase-file --new-passphrase-fd --new-passphrase-file --json --help --color= --format=' operands='key' ;;
	'ct key passphrase') options='--no-password --profile --passphrase-fd --passphrase-file --new-passphrase-fd --new-passphrase-file --json --help --color= --format=' operands='key' ;;
	'ct key expires') options='--json --help --color= --format=' operands='key' ;;
	'ct key list') options='-v --json --help --color= --format=' ;;
	'ct key show') options='--json --help --color= --format=' operands='key' ;;
	'ct key import') options='--id --fingerprint --gpg-signature --keyring --rotation --trust --json --help --color= --format=' operands='public' ;;
	'ct key trust') options='--json --help --color= --format=' operands='key' ;;
	'ct key export') options='--public --rotated -o --help --color= --format=' operands='key' ;;
	'ct key delete') options='--yes --help --color= --format=' operands='key' ;;
	'ct key default') options='--help --color= --format=' operands='key' ;;
	'ct key') options='--help --color= --format=' below='generate rotate passphrase expires list show import trust export delete default' ;;
	'ct pack') options='-k --passphrase-file --passphrase-fd --exec --no-sign --expires --sbom --provenance --no-attached --platform --name --version --json -q -o --help --color= --format=' operands='image' ;;
	'ct sign') options='-k --passphrase-file --passphrase-fd --exec --expires --sbom --provenance --json -q -o --help --color= --format=' operands='bundle' ;;
	'ct re-sign') options='-k --passphrase-file --passphrase-fd --exec --expires --add-signature --json -q -o --help --color= --format=' operands='bundle' ;;
	'ct attest') options='-k --passphrase-file --passphrase-fd --exec --sbom --provenance --json -q -o --help --color= --format=' operands='bundle' ;;
	'ct verify') options='-v --all --json --policy --expect --at --record --help --color= --format=' operands='bundle' ;;
	'ct explain') options='--signers --layers --json --policy --at --list --help --color= --format=' operands='bundle finding' ;;
	'ct push') options='--policy --force --cosign -k --passphrase-file --passphrase-fd --json -q --help --color= --format=' operands='bundle' ;;
	'ct fetch') options='--create -k --passphrase-file --passphrase-fd --bundle --platform --expect --policy --at --record --no-verify --json -q -o --help --color= --format=' ;;
	'ct export') options='--policy --format= --split --include-keys --include-policy -k --passphrase-file --passphrase-fd --json -q -o --manifest --help --color= --format=' operands='bundle' ;;
	'ct import') options='--verify --policy --at --record --output-dir --json -q --keys-only --help --color= --format=' operands='file' ;;
	'ct unpack') options='--format= --rootfs --platform --policy --expect --at --record --json -q -o --help --color= --format=' operands='bundle' ;;
	'ct run') options='--runtime --policy --expect --at --record --no-verify -k --passphrase-file --passphrase-fd --json -q --help --color= --format=' operands='bundle' ;;
	'ct policy init') options='--yes --policy --help --color= --format=' ;;
	'ct policy show') options='--json --policy --help --color= --format=' ;;
	'ct policy check') options='--json --policy --help --color= --format=' operands='policy' ;;
	'ct policy add-signer') options='--source --required --policy --help --color= --format=' operands='key' ;;
	'ct policy add-registry') options='--policy --help --color= --format=' ;;
	'ct policy block-registry') options='--policy --help --color= --format=' ;;
	'ct policy deny') options='--after --before --reason --policy --help --color= --format=' operands='key' ;;
	'ct policy pin') options='--signer --policy --help --color= --format=' ;;
	'ct policy threshold') options='--from --policy --help --color= --format=' ;;
	'ct policy remove') options='--policy --help --color= --format=' operands='words:signer|registry|blocked|denied|pin|threshold key' ;;
	'ct policy test') options='--json --at --policy --help --color= --format=' operands='bundle' ;;
	'ct policy') options='--help --color= --format=' below='init show check add-signer add-registry block-registry deny pin threshold remove test' ;;
	'ct audit') options='--head --json --help --color= --format=' operands='dir' ;;
	'ct config show') options='--json --help --color= --format=' ;;
	'ct config check') options='--json --help --color= --format=' operands='bundle' ;;
	'ct config set') options='--help --color= --format=' operands='words:defaults.policy|defaults.key|defaults.suite|defaults.runtime|output.format|output.color|registries.insecure|registries.realms|registries.mirrors|crypto.ml_dsa|crypto.liboqs|cache.dir|audit.dir|svalinn.repository|svalinn.url|svalinn.logs' ;;
	'ct config unset') options='--help --color= --format=' operands='words:defaults.policy|defaults.key|defaults.suite|defaults.runtime|output.format|output.color|registries.insecure|registries.realms|registries.mirrors|crypto.ml_dsa|crypto.liboqs|cache.dir|audit.dir|svalinn.repository|svalinn.url|svalinn.logs' ;;
	'ct config path') options='--help --color= --format=' ;;
	'ct config') options='--help --color= --format=' below='show check set unset path' ;;
	'ct login') options='--help --color= --format=' ;;
	'ct doctor') options='--quick --json --fix --help --color= --format=' ;;
	'ct-oci2ctp') options='--platform --name --version --no-attached --workdir --help' operands='image' ;;
	'ct-canon') options='--check --json --help' operands='file' ;;
	'ct-open') options='--fd --help' operands='bundle' ;;
	'ct-download') options='--bundle --platform --workdir --has --help' ;;
	'ct-attest') options='--sbom --provenance --help' ;;
	'ct-sign') options='-k --expires --passphrase-fd --passphrase-file --workdir --exec --statements --genuine --replace --help' ;;
	'ct-gather') options='-q --help' ;;
	'ct-receive') options='--workdir --help' operands='file' ;;
	'ct-check') options='--all --help' ;;
	'ct-write') options='--new --report --json -q -o --no-verify --record --at --help' ;;
	'ct-upload') options='--force --cosign -k --passphrase-file --passphrase-fd --json -q --help' ;;
	'ct-export') options='--verifier --format= --split --include-keys --include-policy -k --passphrase-file --passphrase-fd --json -q -o --help' ;;
	'ct-import') options='--verified --record --at --output-dir --json -q --keys-only --help' operands='file' ;;
	'ct-unpack') options='--format= --rootfs --platform --record --at --json -q -o --help' ;;
	'ct-run') options='--runtime --no-verify --fd --record --at -k --passphrase-file --passphrase-fd --json -q --help' ;;
	'ct-hash') options='--fd --all --help' operands='file' ;;
	'ct-policy') options='--policy --expect --at --all --help' ;;
	'ct-explain') options='--verdict -v --record --at --rules --signers --layers --json --finding --list --help' ;;
	'ct-policy-edit init') options='--yes --policy --help' ;;
	'ct-policy-edit show') options='--json --policy --help' ;;
	'ct-policy-edit check') options='--json --policy --help' operands='policy' ;;
	'ct-policy-edit add-signer') options='--source --required --policy --help' operands='key' ;;
	'ct-policy-edit add-registry') options='--policy --help' ;;
	'ct-policy-edit block-registry') options='--policy --help' ;;
	'ct-policy-edit deny') options='--after --before --reason --policy --help' operands='key' ;;
	'ct-policy-edit pin') options='--signer --policy --help' ;;
	'ct-policy-edit threshold') options='--from --policy --help' ;;
	'ct-policy-edit remove') options='--policy --help' operands='words:signer|registry|blocked|denied|pin|threshold key' ;;
	'ct-policy-edit') options='--help' below='init show check add-signer add-registry block-registry deny pin threshold remove' ;;
	'ct-verify-minimal') options='--help' operands='file' ;;
	'ct help') below='keygen key pack sign re-sign attest verify explain push fetch export import unpack run policy audit config login doctor' ;;
	esac
}

# The kind of an option's value.
_ct_value() { # STATE OPTION
	kind=''
	case $1:$2 in
	*:--color) kind='words:auto|always|never' ;;
	*:--format) kind='words:text|json' ;;
	'ct keygen:--id' | 'ct keygen:--expires' | 'ct keygen:--passphrase-fd' | 'ct key generate:--id' | 'ct key generate:--expires' | 'ct key generate:--passphrase-fd' | 'ct key rotate:--into' | 'ct key rotate:--expires' | 'ct key rotate:--passphrase-fd' | 'ct key rotate:--new-passphrase-fd' | 'ct key passphrase:--passphrase-fd' | 'ct key passphrase:--new-passphrase-fd' | 'ct key import:--id' | 'ct key import:--fingerprint' | 'ct pack:--passphrase-fd' | 'ct pack:--exec' | 'ct pack:--expires' | 'ct pack:--name' | 'ct pack:--version' | 'ct sign:--passphrase-fd' | 'ct sign:--exec' | 'ct sign:--expires' | 'ct re-sign:--passphrase-fd' | 'ct re-sign:--exec' | 'ct re-sign:--expires' | 'ct attest:--passphrase-fd' | 'ct attest:--exec' | 'ct verify:--expect' | 'ct verify:--at' | 'ct explain:--at' | 'ct push:--passphrase-fd' | 'ct fetch:--passphrase-fd' | 'ct fetch:--bundle' | 'ct fetch:--expect' | 'ct fetch:--at' | 'ct export:--split' | 'ct export:--passphrase-fd' | 'ct export:--manifest' | 'ct import:--at' | 'ct unpack:--expect' | 'ct unpack:--at' | 'ct unpack:-o' | 'ct run:--expect' | 'ct run:--at' | 'ct run:--passphrase-fd' | 'ct policy add-signer:--source' | 'ct policy deny:--after' | 'ct policy deny:--before' | 'ct policy deny:--reason' | 'ct policy threshold:--from' | 'ct policy test:--at' | 'ct audit:--head' | 'ct-oci2ctp:--name' | 'ct-oci2ctp:--version' | 'ct-open:--fd' | 'ct-download:--bundle' | 'ct-download:--platform' | 'ct-sign:--expires' | 'ct-sign:--passphrase-fd' | 'ct-sign:--exec' | 'ct-write:--at' | 'ct-upload:--passphrase-fd' | 'ct-export:--split' | 'ct-export:--passphrase-fd' | 'ct-import:--at' | 'ct-unpack:--at' | 'ct-unpack:-o' | 'ct-run:--runtime' | 'ct-run:--fd' | 'ct-run:--at' | 'ct-run:--passphrase-fd' | 'ct-hash:--fd' | 'ct-policy:--expect' | 'ct-policy:--at' | 'ct-explain:--at' | 'ct-policy-edit add-signer:--source' | 'ct-policy-edit deny:--after' | 'ct-policy-edit deny:--before' | 'ct-policy-edit deny:--reason' | 'ct-policy-edit threshold:--from') kind='none' ;;
	'ct keygen:--suite' | 'ct key generate:--suite' | 'ct key rotate:--suite') kind='words:CT-SIG-01|CT-SIG-02|CT-SIG-03|CT-SIG-04|CT-SIG-06' ;;
	'ct keygen:--output' | 'ct key generate:--output' | 'ct verify:--record' | 'ct fetch:--record' | 'ct import:--record' | 'ct import:--output-dir' | 'ct unpack:--record' | 'ct run:--record' | 'ct-oci2ctp:--workdir' | 'ct-download:--workdir' | 'ct-sign:--workdir' | 'ct-receive:--workdir' | 'ct-write:--record' | 'ct-import:--record' | 'ct-import:--output-dir' | 'ct-unpack:--record' | 'ct-run:--record' | 'ct-explain:--record') kind='dir' ;;
	'ct keygen:--profile' | 'ct key generate:--profile' | 'ct key rotate:--profile' | 'ct key passphrase:--profile') kind='words:interactive|moderate|high' ;;
	'ct keygen:--passphrase-file' | 'ct key generate:--passphrase-file' | 'ct key rotate:--passphrase-file' | 'ct key rotate:--new-passphrase-file' | 'ct key passphrase:--passphrase-file' | 'ct key passphrase:--new-passphrase-file' | 'ct key import:--gpg-signature' | 'ct key import:--keyring' | 'ct key import:--rotation' | 'ct key export:-o' | 'ct pack:--passphrase-file' | 'ct pack:--sbom' | 'ct pack:--provenance' | 'ct sign:--passphrase-file' | 'ct sign:--sbom' | 'ct sign:--provenance' | 'ct re-sign:--passphrase-file' | 'ct re-sign:-o' | 'ct attest:--passphrase-file' | 'ct attest:--sbom' | 'ct attest:--provenance' | 'ct attest:-o' | 'ct push:--passphrase-file' | 'ct fetch:--passphrase-file' | 'ct export:--passphrase-file' | 'ct export:-o' | 'ct run:--passphrase-file' | 'ct-attest:--sbom' | 'ct-attest:--provenance' | 'ct-sign:--passphrase-file' | 'ct-upload:--passphrase-file' | 'ct-export:--verifier' | 'ct-export:--passphrase-file' | 'ct-export:-o' | 'ct-run:--passphrase-file') kind='file' ;;
	'ct pack:-k' | 'ct sign:-k' | 'ct re-sign:-k' | 'ct attest:-k' | 'ct push:-k' | 'ct fetch:-k' | 'ct export:-k' | 'ct run:-k' | 'ct policy pin:--signer' | 'ct-sign:-k' | 'ct-upload:-k' | 'ct-export:-k' | 'ct-run:-k' | 'ct-policy-edit pin:--signer') kind='key' ;;
	'ct pack:--platform' | 'ct fetch:--platform' | 'ct unpack:--platform' | 'ct-oci2ctp:--platform' | 'ct-unpack:--platform') kind='words:linux/amd64|linux/arm64|linux/arm/v7|linux/arm/v6|linux/386|linux/ppc64le|linux/s390x|linux/riscv64|linux/loong64|all' ;;
	'ct pack:-o' | 'ct sign:-o' | 'ct fetch:-o' | 'ct-write:-o') kind='bundle' ;;
	'ct verify:--policy' | 'ct explain:--policy' | 'ct push:--policy' | 'ct fetch:--policy' | 'ct export:--policy' | 'ct import:--policy' | 'ct unpack:--policy' | 'ct run:--policy' | 'ct policy init:--policy' | 'ct policy show:--policy' | 'ct policy check:--policy' | 'ct policy add-signer:--policy' | 'ct policy add-registry:--policy' | 'ct policy block-registry:--policy' | 'ct policy deny:--policy' | 'ct policy pin:--policy' | 'ct policy threshold:--policy' | 'ct policy remove:--policy' | 'ct policy test:--policy' | 'ct-policy:--policy' | 'ct-policy-edit init:--policy' | 'ct-policy-edit show:--policy' | 'ct-policy-edit check:--policy' | 'ct-policy-edit add-signer:--policy' | 'ct-policy-edit add-registry:--policy' | 'ct-policy-edit block-registry:--policy' | 'ct-policy-edit deny:--policy' | 'ct-policy-edit pin:--policy' | 'ct-policy-edit threshold:--policy' | 'ct-policy-edit remove:--policy') kind='policy' ;;
	'ct run:--runtime') kind='words:podman|docker|nerdctl|svalinn' ;;
	'ct-write:--report') kind='words:packed|signed|re-signed|attested' ;;
	'ct-explain:--finding') kind='finding' ;;
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
	local kind=$1 prefix=$2 word=$3 source sources=(oci:dir oci-archive:file dir:dir docker-archive:file docker-daemon:none containers-storage:none)
	case $kind in
	words:*) IFS='|' read -ra any <<<"${kind#words:}" && _ct_offer "$prefix" "$word" "${any[@]}" ;;
	key) _ct_offer_keys "$prefix" "$word" ;;
	finding) _ct_offer "$prefix" "$word" internal pipeline-broken not-passed file-unreadable file-unwritable file-changed not-a-file network image-unavailable attachments-unknown decision-unkept audit-broken audit-differs audit-head tool-missing usage binary-to-terminal record-malformed record-inconsistent tar-header tar-members tar-padding truncated trailing-bytes not-a-bundle too-large stream-too-large unsupported-version manifest-malformed manifest-not-canonical attestations-malformed canon-too-large canon-not-utf8 canon-bom canon-syntax canon-duplicate-key canon-key-parts canon-nesting canon-empty-key canon-control-character canon-bad-unicode canon-not-nfc canon-integer-range canon-float canon-local-time canon-date-range canon-mixed-array canon-value canon-different predicate-format predicate-malformed predicate-subject oci-layout oci-no-such-image oci-ambiguous oci-json oci-manifest oci-both-kinds oci-digest oci-media-type oci-data oci-blob-absent oci-size oci-platform oci-artifact oci-too-large platform-repeated mirrored attachment-left-behind metadata-left-out reference unsigned signature-invalid signature-incomplete keyid-mismatch subject-mismatch statement-malformed attestation-removed key-ambiguous key-unreadable signer-unknown signer-untrusted signer-denied signer-required threshold signature-expired key-expired signature-too-old signature-in-future suite-not-allowed registry-not-allowed registry-blocked base-image-not-allowed pin-mismatch pin-signer-missing unpinned minimum-not-met not-expected policy-malformed policy-unreadable policy-exists rule-not-found attestation-missing hash-mismatch derived-mismatch image-mismatch no-signing-key key-not-found key-locked signer-failed passphrase-missing store-unsafe key-malformed key-exists suite-unknown suite-unavailable passphrase-refused already-signed already-attested signing-key-expired key-expiring key-superseded key-rotated rotation-malformed rotation-invalid key-unreachable fingerprint-mismatch vouch-malformed vouch-invalid vouch-untrusted destination-exists no-bundle bundle-ambiguous bundle-manifest blob-unreachable not-arrived export-malformed list-malformed part-missing part-damaged layer-malformed layer-unsafe diff-id-mismatch rootfs-mapped image-not-loaded gateway-refused gateway-denied log-entries-missing setting-doubtful config-malformed ;;
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

complete -F _ct ct ct-oci2ctp ct-canon ct-open ct-download ct-attest ct-sign ct-gather ct-receive ct-check ct-write ct-upload ct-export ct-import ct-unpack ct-run ct-hash ct-policy ct-explain ct-policy-edit ct-verify-minimal
