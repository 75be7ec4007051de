# fish completion for ct: made by tests/completions.py --write from lib/commands.txt, the usage texts and tests/complete.*; do not edit

# What may follow in a state: the subcommands, the options, the kinds of the operands.
function __ct_below # STATE
	switch $argv[1]
		case 'ct'
			printf '%s\n' 'keygen	make a key pair to sign with' 'key	rotate, list, show, import, trust, export and delete keys' 'pack	wrap an OCI image into a signed bundle' 'sign	sign a bundle' 're-sign	sign a genuine bundle anew, in place of the signatures it has' 'attest	attach a signed statement to a bundle that is there' 'verify	judge bundles: whole, genuine, trusted, as the policy says' 'explain	say what a bundle is and why it is or is not trusted' 'policy	make, show, check and change the trust policy' 'audit	list recorded decisions, and make each of them again' 'config	show, check and change the settings' 'doctor	say whether this installation and setup can do its work' 'help	say how a command is used'
		case 'ct key'
			printf '%s\n' 'generate' 'rotate' 'passphrase' 'expires' 'list' 'show' 'import' 'trust' 'export' 'delete' 'default'
		case 'ct policy'
			printf '%s\n' 'init' 'show' 'check' 'add-signer' 'add-registry' 'block-registry' 'deny' 'pin' 'threshold' 'remove' 'test'
		case 'ct config'
			printf '%s\n' 'show' 'check' 'set' 'unset' 'path'
		case 'ct-policy-edit'
			printf '%s\n' 'init' 'show' 'check' 'add-signer' 'add-registry' 'block-registry' 'deny' 'pin' 'threshold' 'remove'
		case 'ct help'
			printf '%s\n' 'keygen	make a key pair to sign with' 'key	rotate, list, show, import, trust, export and delete keys' 'pack	wrap an OCI image into a signed bundle' 'sign	sign a bundle' 're-sign	sign a genuine bundle anew, in place of the signatures it has' 'attest	attach a signed statement to a bundle that is there' 'verify	judge bundles: whole, genuine, trusted, as the policy says' 'explain	say what a bundle is and why it is or is not trusted' 'policy	make, show, check and change the trust policy' 'audit	list recorded decisions, and make each of them again' 'config	show, check and change the settings' 'doctor	say whether this installation and setup can do its work'
	end
end

function __ct_options # STATE
	switch $argv[1]
		case 'ct'
			printf '%s\n' '--help' '--version' '--color=' '--format='
		case 'ct keygen'
			printf '%s\n' '--id' '--suite' '--expires' '--output' '--no-password' '--profile' '--passphrase-fd' '--passphrase-file' '--json' '--help' '--color=' '--format='
		case 'ct key generate'
			printf '%s\n' '--id' '--suite' '--expires' '--output' '--no-password' '--profile' '--passphrase-fd' '--passphrase-file' '--json' '--help' '--color=' '--format='
		case 'ct key rotate'
			printf '%s\n' '--into' '--suite' '--expires' '--no-password' '--profile' '--passphrase-fd' '--passphrase-file' '--new-passphrase-fd' '--new-passphrase-file' '--json' '--help' '--color=' '--format='
		case 'ct key passphrase'
			printf '%s\n' '--no-password' '--profile' '--passphrase-fd' '--passphrase-file' '--new-passphrase-fd' '--new-passphrase-file' '--json' '--help' '--color=' '--format='
		case 'ct key expires'
			printf '%s\n' '--json' '--help' '--color=' '--format='
		case 'ct key list'
			printf '%s\n' '-v' '--json' '--help' '--color=' '--format='
		case 'ct key show'
			printf '%s\n' '--json' '--help' '--color=' '--format='
		case 'ct key import'
			printf '%s\n' '--id' '--fingerprint' '--gpg-signature' '--keyring' '--rotation' '--trust' '--json' '--help' '--color=' '--format='
		case 'ct key trust'
			printf '%s\n' '--json' '--help' '--color=' '--format='
		case 'ct key export'
			printf '%s\n' '--public' '--rotated' '-o' '--help' '--color=' '--format='
		case 'ct key delete'
			printf '%s\n' '--yes' '--help' '--color=' '--format='
		case 'ct key default'
			printf '%s\n' '--help' '--color=' '--format='
		case 'ct key'
			printf '%s\n' '--help' '--color=' '--format='
		case 'ct pack'
			printf '%s\n' '-k' '--passphrase-file' '--passphrase-fd' '--exec' '--no-sign' '--expires' '--sbom' '--provenance' '--no-attached' '--platform' '--name' '--version' '--json' '-q' '-o' '--help' '--color=' '--format='
		case 'ct sign'
			printf '%s\n' '-k' '--passphrase-file' '--passphrase-fd' '--exec' '--expires' '--sbom' '--provenance' '--json' '-q' '-o' '--help' '--color=' '--format='
		case 'ct re-sign'
			printf '%s\n' '-k' '--passphrase-file' '--passphrase-fd' '--exec' '--expires' '--add-signature' '--json' '-q' '-o' '--help' '--color=' '--format='
		case 'ct attest'
			printf '%s\n' '-k' '--passphrase-file' '--passphrase-fd' '--exec' '--sbom' '--provenance' '--json' '-q' '-o' '--help' '--color=' '--format='
		case 'ct verify'
			printf '%s\n' '-v' '--all' '--json' '--policy' '--expect' '--at' '--record' '--help' '--color=' '--format='
		case 'ct explain'
			printf '%s\n' '--signers' '--layers' '--json' '--policy' '--at' '--list' '--help' '--color=' '--format='
		case 'ct policy init'
			printf '%s\n' '--yes' '--policy' '--help' '--color=' '--format='
		case 'ct policy show'
			printf '%s\n' '--json' '--policy' '--help' '--color=' '--format='
		case 'ct policy check'
			printf '%s\n' '--json' '--policy' '--help' '--color=' '--format='
		case 'ct policy add-signer'
			printf '%s\n' '--source' '--required' '--policy' '--help' '--color=' '--format='
		case 'ct policy add-registry'
			printf '%s\n' '--policy' '--help' '--color=' '--format='
		case 'ct policy block-registry'
			printf '%s\n' '--policy' '--help' '--color=' '--format='
		case 'ct policy deny'
			printf '%s\n' '--after' '--before' '--reason' '--policy' '--help' '--color=' '--format='
		case 'ct policy pin'
			printf '%s\n' '--signer' '--policy' '--help' '--color=' '--format='
		case 'ct policy threshold'
			printf '%s\n' '--from' '--policy' '--help' '--color=' '--format='
		case 'ct policy remove'
			printf '%s\n' '--policy' '--help' '--color=' '--format='
		case 'ct policy test'
			printf '%s\n' '--json' '--at' '--policy' '--help' '--color=' '--format='
		case 'ct policy'
			printf '%s\n' '--help' '--color=' '--format='
		case 'ct audit'
			printf '%s\n' '--head' '--json' '--help' '--color=' '--format='
		case 'ct config show'
			printf '%s\n' '--json' '--help' '--color=' '--format='
		case 'ct config check'
			printf '%s\n' '--json' '--help' '--color=' '--format='
		case 'ct config set'
			printf '%s\n' '--help' '--color=' '--format='
		case 'ct config unset'
			printf '%s\n' '--help' '--color=' '--format='
		case 'ct config path'
			printf '%s\n' '--help' '--color=' '--format='
		case 'ct config'
			printf '%s\n' '--help' '--color=' '--format='
		case 'ct doctor'
			printf '%s\n' '--quick' '--json' '--fix' '--help' '--color=' '--format='
		case 'ct-oci2ctp'
			printf '%s\n' '--platform' '--name' '--version' '--no-attached' '--workdir' '--help'
		case 'ct-canon'
			printf '%s\n' '--check' '--json' '--help'
		case 'ct-open'
			printf '%s\n' '--fd' '--help'
		case 'ct-attest'
			printf '%s\n' '--sbom' '--provenance' '--help'
		case 'ct-sign'
			printf '%s\n' '-k' '--expires' '--passphrase-fd' '--passphrase-file' '--workdir' '--exec' '--statements' '--genuine' '--replace' '--help'
		case 'ct-check'
			printf '%s\n' '--all' '--help'
		case 'ct-write'
			printf '%s\n' '--new' '--report' '--json' '-q' '-o' '--help'
		case 'ct-hash'
			printf '%s\n' '--fd' '--all' '--help'
		case 'ct-policy'
			printf '%s\n' '--policy' '--expect' '--at' '--all' '--help'
		case 'ct-explain'
			printf '%s\n' '--verdict' '-v' '--record' '--at' '--rules' '--signers' '--layers' '--json' '--finding' '--list' '--help'
		case 'ct-policy-edit init'
			printf '%s\n' '--yes' '--policy' '--help'
		case 'ct-policy-edit show'
			printf '%s\n' '--json' '--policy' '--help'
		case 'ct-policy-edit check'
			printf '%s\n' '--json' '--policy' '--help'
		case 'ct-policy-edit add-signer'
			printf '%s\n' '--source' '--required' '--policy' '--help'
		case 'ct-policy-edit add-registry'
			printf '%s\n' '--policy' '--help'
		case 'ct-policy-edit block-registry'
			printf '%s\n' '--policy' '--help'
		case 'ct-policy-edit deny'
			printf '%s\n' '--after' '--before' '--reason' '--policy' '--help'
		case 'ct-policy-edit pin'
			printf '%s\n' '--signer' '--policy' '--help'
		case 'ct-policy-edit threshold'
			printf '%s\n' '--from' '--policy' '--help'
		case 'ct-policy-edit remove'
			printf '%s\n' '--policy' '--help'
		case 'ct-policy-edit'
			printf '%s\n' '--help'
	end
end

function __ct_operands # STATE
	switch $argv[1]
		case 'ct key rotate'
			printf '%s\n' 'key'
		case 'ct key passphrase'
			printf '%s\n' 'key'
		case 'ct key expires'
			printf '%s\n' 'key'
		case 'ct key show'
			printf '%s\n' 'key'
		case 'ct key import'
			printf '%s\n' 'public'
		case 'ct key trust'
			printf '%s\n' 'key'
		case 'ct key export'
			printf '%s\n' 'key'
		case 'ct key delete'
			printf '%s\n' 'key'
		case 'ct key default'
			printf '%s\n' 'key'
		case 'ct pack'
			printf '%s\n' 'image'
		case 'ct sign'
			printf '%s\n' 'bundle'
		case 'ct re-sign'
			printf '%s\n' 'bundle'
		case 'ct attest'
			printf '%s\n' 'bundle'
		case 'ct verify'
			printf '%s\n' 'bundle'
		case 'ct explain'
			printf '%s\n' 'bundle' 'finding'
		case 'ct policy check'
			printf '%s\n' 'policy'
		case 'ct policy add-signer'
			printf '%s\n' 'key'
		case 'ct policy deny'
			printf '%s\n' 'key'
		case 'ct policy remove'
			printf '%s\n' 'words:signer|registry|blocked|denied|pin|threshold' 'key'
		case 'ct policy test'
			printf '%s\n' 'bundle'
		case 'ct audit'
			printf '%s\n' 'dir'
		case 'ct config check'
			printf '%s\n' 'bundle'
		case 'ct config set'
			printf '%s\n' 'words:defaults.policy|defaults.key|defaults.suite|defaults.runtime|output.format|output.color|registries.insecure|registries.realms|crypto.ml_dsa|crypto.liboqs|cache.dir|audit.dir'
		case 'ct config unset'
			printf '%s\n' 'words:defaults.policy|defaults.key|defaults.suite|defaults.runtime|output.format|output.color|registries.insecure|registries.realms|crypto.ml_dsa|crypto.liboqs|cache.dir|audit.dir'
		case 'ct-oci2ctp'
			printf '%s\n' 'image'
		case 'ct-canon'
			printf '%s\n' 'file'
		case 'ct-open'
			printf '%s\n' 'bundle'
		case 'ct-hash'
			printf '%s\n' 'file'
		case 'ct-policy-edit check'
			printf '%s\n' 'policy'
		case 'ct-policy-edit add-signer'
			printf '%s\n' 'key'
		case 'ct-policy-edit deny'
			printf '%s\n' 'key'
		case 'ct-policy-edit remove'
			printf '%s\n' 'words:signer|registry|blocked|denied|pin|threshold' 'key'
	end
end

# The kind of an option's value.
function __ct_value # STATE:OPTION
	switch $argv[1]
		case 'ct keygen:--id'
			echo 'none'
		case 'ct keygen:--suite'
			echo 'words:CT-SIG-01|CT-SIG-02|CT-SIG-03|CT-SIG-04|CT-SIG-06'
		case 'ct keygen:--expires'
			echo 'none'
		case 'ct keygen:--output'
			echo 'dir'
		case 'ct keygen:--profile'
			echo 'words:interactive|moderate|high'
		case 'ct keygen:--passphrase-fd'
			echo 'none'
		case 'ct keygen:--passphrase-file'
			echo 'file'
		case 'ct key generate:--id'
			echo 'none'
		case 'ct key generate:--suite'
			echo 'words:CT-SIG-01|CT-SIG-02|CT-SIG-03|CT-SIG-04|CT-SIG-06'
		case 'ct key generate:--expires'
			echo 'none'
		case 'ct key generate:--output'
			echo 'dir'
		case 'ct key generate:--profile'
			echo 'words:interactive|moderate|high'
		case 'ct key generate:--passphrase-fd'
			echo 'none'
		case 'ct key generate:--passphrase-file'
			echo 'file'
		case 'ct key rotate:--into'
			echo 'none'
		case 'ct key rotate:--suite'
			echo 'words:CT-SIG-01|CT-SIG-02|CT-SIG-03|CT-SIG-04|CT-SIG-06'
		case 'ct key rotate:--expires'
			echo 'none'
		case 'ct key rotate:--profile'
			echo 'words:interactive|moderate|high'
		case 'ct key rotate:--passphrase-fd'
			echo 'none'
		case 'ct key rotate:--passphrase-file'
			echo 'file'
		case 'ct key rotate:--new-passphrase-fd'
			echo 'none'
		case 'ct key rotate:--new-passphrase-file'
			echo 'file'
		case 'ct key passphrase:--profile'
			echo 'words:interactive|moderate|high'
		case 'ct key passphrase:--passphrase-fd'
			echo 'none'
		case 'ct key passphrase:--passphrase-file'
			echo 'file'
		case 'ct key passphrase:--new-passphrase-fd'
			echo 'none'
		case 'ct key passphrase:--new-passphrase-file'
			echo 'file'
		case 'ct key import:--id'
			echo 'none'
		case 'ct key import:--fingerprint'
			echo 'none'
		case 'ct key import:--gpg-signature'
			echo 'file'
		case 'ct key import:--keyring'
			echo 'file'
		case 'ct key import:--rotation'
			echo 'file'
		case 'ct key export:-o'
			echo 'file'
		case 'ct pack:-k'
			echo 'key'
		case 'ct pack:--passphrase-file'
			echo 'file'
		case 'ct pack:--passphrase-fd'
			echo 'none'
		case 'ct pack:--exec'
			echo 'none'
		case 'ct pack:--expires'
			echo 'none'
		case 'ct pack:--sbom'
			echo 'file'
		case 'ct pack:--provenance'
			echo 'file'
		case 'ct pack:--platform'
			echo 'words:linux/amd64|linux/arm64|linux/arm/v7|linux/arm/v6|linux/386|linux/ppc64le|linux/s390x|linux/riscv64|linux/loong64|all'
		case 'ct pack:--name'
			echo 'none'
		case 'ct pack:--version'
			echo 'none'
		case 'ct pack:-o'
			echo 'bundle'
		case 'ct sign:-k'
			echo 'key'
		case 'ct sign:--passphrase-file'
			echo 'file'
		case 'ct sign:--passphrase-fd'
			echo 'none'
		case 'ct sign:--exec'
			echo 'none'
		case 'ct sign:--expires'
			echo 'none'
		case 'ct sign:--sbom'
			echo 'file'
		case 'ct sign:--provenance'
			echo 'file'
		case 'ct sign:-o'
			echo 'bundle'
		case 'ct re-sign:-k'
			echo 'key'
		case 'ct re-sign:--passphrase-file'
			echo 'file'
		case 'ct re-sign:--passphrase-fd'
			echo 'none'
		case 'ct re-sign:--exec'
			echo 'none'
		case 'ct re-sign:--expires'
			echo 'none'
		case 'ct re-sign:-o'
			echo 'file'
		case 'ct attest:-k'
			echo 'key'
		case 'ct attest:--passphrase-file'
			echo 'file'
		case 'ct attest:--passphrase-fd'
			echo 'none'
		case 'ct attest:--exec'
			echo 'none'
		case 'ct attest:--sbom'
			echo 'file'
		case 'ct attest:--provenance'
			echo 'file'
		case 'ct attest:-o'
			echo 'file'
		case 'ct verify:--policy'
			echo 'policy'
		case 'ct verify:--expect'
			echo 'none'
		case 'ct verify:--at'
			echo 'none'
		case 'ct verify:--record'
			echo 'dir'
		case 'ct explain:--policy'
			echo 'policy'
		case 'ct explain:--at'
			echo 'none'
		case 'ct policy init:--policy'
			echo 'policy'
		case 'ct policy show:--policy'
			echo 'policy'
		case 'ct policy check:--policy'
			echo 'policy'
		case 'ct policy add-signer:--source'
			echo 'none'
		case 'ct policy add-signer:--policy'
			echo 'policy'
		case 'ct policy add-registry:--policy'
			echo 'policy'
		case 'ct policy block-registry:--policy'
			echo 'policy'
		case 'ct policy deny:--after'
			echo 'none'
		case 'ct policy deny:--before'
			echo 'none'
		case 'ct policy deny:--reason'
			echo 'none'
		case 'ct policy deny:--policy'
			echo 'policy'
		case 'ct policy pin:--signer'
			echo 'key'
		case 'ct policy pin:--policy'
			echo 'policy'
		case 'ct policy threshold:--from'
			echo 'none'
		case 'ct policy threshold:--policy'
			echo 'policy'
		case 'ct policy remove:--policy'
			echo 'policy'
		case 'ct policy test:--at'
			echo 'none'
		case 'ct policy test:--policy'
			echo 'policy'
		case 'ct audit:--head'
			echo 'none'
		case 'ct-oci2ctp:--platform'
			echo 'words:linux/amd64|linux/arm64|linux/arm/v7|linux/arm/v6|linux/386|linux/ppc64le|linux/s390x|linux/riscv64|linux/loong64|all'
		case 'ct-oci2ctp:--name'
			echo 'none'
		case 'ct-oci2ctp:--version'
			echo 'none'
		case 'ct-oci2ctp:--workdir'
			echo 'dir'
		case 'ct-open:--fd'
			echo 'none'
		case 'ct-attest:--sbom'
			echo 'file'
		case 'ct-attest:--provenance'
			echo 'file'
		case 'ct-sign:-k'
			echo 'key'
		case 'ct-sign:--expires'
			echo 'none'
		case 'ct-sign:--passphrase-fd'
			echo 'none'
		case 'ct-sign:--passphrase-file'
			echo 'file'
		case 'ct-sign:--workdir'
			echo 'dir'
		case 'ct-sign:--exec'
			echo 'none'
		case 'ct-write:--report'
			echo 'words:packed|signed|re-signed|attested'
		case 'ct-write:-o'
			echo 'bundle'
		case 'ct-hash:--fd'
			echo 'none'
		case 'ct-policy:--policy'
			echo 'policy'
		case 'ct-policy:--expect'
			echo 'none'
		case 'ct-policy:--at'
			echo 'none'
		case 'ct-explain:--record'
			echo 'dir'
		case 'ct-explain:--at'
			echo 'none'
		case 'ct-explain:--finding'
			echo 'finding'
		case 'ct-policy-edit init:--policy'
			echo 'policy'
		case 'ct-policy-edit show:--policy'
			echo 'policy'
		case 'ct-policy-edit check:--policy'
			echo 'policy'
		case 'ct-policy-edit add-signer:--source'
			echo 'none'
		case 'ct-policy-edit add-signer:--policy'
			echo 'policy'
		case 'ct-policy-edit add-registry:--policy'
			echo 'policy'
		case 'ct-policy-edit block-registry:--policy'
			echo 'policy'
		case 'ct-policy-edit deny:--after'
			echo 'none'
		case 'ct-policy-edit deny:--before'
			echo 'none'
		case 'ct-policy-edit deny:--reason'
			echo 'none'
		case 'ct-policy-edit deny:--policy'
			echo 'policy'
		case 'ct-policy-edit pin:--signer'
			echo 'key'
		case 'ct-policy-edit pin:--policy'
			echo 'policy'
		case 'ct-policy-edit threshold:--from'
			echo 'none'
		case 'ct-policy-edit threshold:--policy'
			echo 'policy'
		case 'ct-policy-edit remove:--policy'
			echo 'policy'
		case '*:--color'
			echo 'words:auto|always|never'
		case '*:--format'
			echo 'words:text|json'
	end
end

function __ct_keys # PREFIX
	set -l home $CT_HOME
	if test -z "$home"
		set home $HOME/.config/cerro
		test -n "$XDG_CONFIG_HOME"; and set home $XDG_CONFIG_HOME/cerro
	end
	for file in $home/keys/*.pub $home/trusted/*.pub $home/known/*.pub /etc/cerro/trusted/*.pub
		set -l id (string replace -r '.*/' '' -- $file | string replace -r '\.pub$' '')
		string match -qr '^[A-Za-z0-9][A-Za-z0-9._-]*$' -- "$id"; and printf '%s%s\tkey\n' $argv[1] $id
	end
end

# Files that end so, and directories; where there is neither, any file. A name of several lines cannot be offered.
function __ct_files # PREFIX WORD ENDING
	set -l some
	set -l any
	set -l path (string replace -r '^~/' "$HOME/" -- "$argv[2]")
	for file in $path*
		string match -qr '[\n\t]' -- "$file"; and continue
		set -l rest (string sub -s (math 1 + (string length -- "$path")) -- "$file")
		if test -d "$file"
			set -a some "$argv[1]$argv[2]$rest/"
		else if string match -qr -- "$argv[3]" "$file"
			set -a some "$argv[1]$argv[2]$rest"
		else
			set -a any "$argv[1]$argv[2]$rest"
		end
	end
	if set -q some[1]
		printf '%s\n' $some
	else if test "$argv[3]" != '/$'; and set -q any[1]
		printf '%s\n' $any
	end
end

function __ct_kind # KIND PREFIX WORD
	switch $argv[1]
		case 'words:*'
			printf "$argv[2]%s\n" (string replace 'words:' '' -- $argv[1] | string split '|')
		case key
			__ct_keys "$argv[2]"
		case finding
			printf "$argv[2]%s\tfinding\n" internal pipeline-broken not-passed file-unreadable file-unwritable file-changed not-a-file network image-unavailable attachments-unknown decision-unkept audit-broken audit-differs audit-head tool-missing usage binary-to-terminal record-malformed record-inconsistent tar-header tar-members tar-padding truncated trailing-bytes not-a-bundle too-large stream-too-large unsupported-version manifest-malformed manifest-not-canonical attestations-malformed canon-too-large canon-not-utf8 canon-bom canon-syntax canon-duplicate-key canon-key-parts canon-nesting canon-empty-key canon-control-character canon-bad-unicode canon-not-nfc canon-integer-range canon-float canon-local-time canon-date-range canon-mixed-array canon-value canon-different predicate-format predicate-malformed predicate-subject oci-layout oci-no-such-image oci-ambiguous oci-json oci-manifest oci-both-kinds oci-digest oci-media-type oci-data oci-blob-absent oci-size oci-platform oci-artifact oci-too-large platform-repeated mirrored attachment-left-behind metadata-left-out reference unsigned signature-invalid signature-incomplete keyid-mismatch subject-mismatch statement-malformed attestation-removed key-ambiguous key-unreadable signer-unknown signer-untrusted signer-denied signer-required threshold signature-expired key-expired signature-too-old signature-in-future suite-not-allowed registry-not-allowed registry-blocked base-image-not-allowed pin-mismatch pin-signer-missing unpinned minimum-not-met not-expected policy-malformed policy-unreadable policy-exists rule-not-found attestation-missing hash-mismatch derived-mismatch image-mismatch no-signing-key key-not-found key-locked signer-failed passphrase-missing store-unsafe key-malformed key-exists suite-unknown suite-unavailable passphrase-refused already-signed already-attested signing-key-expired key-expiring key-superseded key-rotated rotation-malformed rotation-invalid key-unreachable fingerprint-mismatch vouch-malformed vouch-invalid vouch-untrusted setting-doubtful config-malformed
		case image
			for source in oci:dir oci-archive:file dir:dir docker-archive:file docker-daemon:none containers-storage:none
				set -l transport (string replace -r '[^:]*$' '' -- $source)
				if string match -q -- "$transport*" "$argv[3]"
					set -l rest (string replace -- $transport '' "$argv[3]")
					__ct_kind (string replace -- $transport '' $source) "$argv[2]$transport" "$rest"
				else
					printf '%s%s\n' "$argv[2]" $transport
				end
			end
		case bundle
			__ct_files "$argv[2]" "$argv[3]" '\.ctp$'
		case policy
			__ct_files "$argv[2]" "$argv[3]" '\.json$'
		case public
			__ct_files "$argv[2]" "$argv[3]" '\.pub$'
		case dir
			__ct_files "$argv[2]" "$argv[3]" '/$'
		case file
			__ct_files "$argv[2]" "$argv[3]" ''
	end
end

function __ct_complete
	set -l typed (commandline -opc)
	set -l raw (commandline -ct)
	set -l word (string unescape -- "$raw"; or printf '%s\n' "$raw")
	set -l state (string replace -r '.*/' '' -- $typed[1])
	set -l ended
	for item in $typed[2..-1]
		switch $item
			case --
				set ended 1
			case '-*'
			case '*'
				if __ct_below $state | string length -q
					set state "$state $item"
				end
		end
	end
	set -l kind
	if test -z "$ended"
		if string match -qr '^--[a-z-]+=' -- "$word"
			set -l option (string replace -r '=.*' '' -- "$word")
			__ct_kind (__ct_value "$state:$option") "$option=" (string replace -r '^[^=]*=' '' -- "$word")
			return
		end
		set kind (__ct_value "$state:$typed[-1]")
		if test -n "$kind"
			__ct_kind $kind '' "$word"
			return
		else if string match -q -- '-*' "$word"
			__ct_options $state
			return
		end
	end
	set -l below (__ct_below $state)
	if set -q below[1]
		printf '%s\n' $below
	else
		for kind in (__ct_operands $state)
			__ct_kind $kind '' "$word"
		end
	end
end

for program in ct ct-oci2ctp ct-canon ct-open ct-attest ct-sign ct-check ct-write ct-hash ct-policy ct-explain ct-policy-edit
	complete -c $program -f -a '(__ct_complete)'
end
