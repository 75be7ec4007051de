# fish completion for ct: made from lib/commands.txt and the usage texts by tests/completions.py --write; do not edit

function __ct_keys
	set -l home (test -n "$CT_HOME"; and echo $CT_HOME; or echo (test -n "$XDG_CONFIG_HOME"; and echo $XDG_CONFIG_HOME; or echo $HOME/.config)/cerro)
	for file in $home/{keys,trusted,known}/*.pub
		basename $file .pub
	end
end

complete -c ct -n __fish_use_subcommand -f -a help -d 'say how a command is used'
complete -c ct -n __fish_use_subcommand -f -a keygen -d 'make a key pair to sign with'
complete -c ct -n '__fish_seen_subcommand_from keygen' -l id -x
complete -c ct -n '__fish_seen_subcommand_from keygen' -l suite -x
complete -c ct -n '__fish_seen_subcommand_from keygen' -l expires -x
complete -c ct -n '__fish_seen_subcommand_from keygen' -l output -r
complete -c ct -n '__fish_seen_subcommand_from keygen' -l no-password
complete -c ct -n '__fish_seen_subcommand_from keygen' -l profile -x
complete -c ct -n '__fish_seen_subcommand_from keygen' -l passphrase-fd -x
complete -c ct -n '__fish_seen_subcommand_from keygen' -l passphrase-file -r
complete -c ct -n '__fish_seen_subcommand_from keygen' -l json
complete -c ct -n __fish_use_subcommand -f -a key -d 'list, show, import, trust, export and delete keys'
complete -c ct -n '__fish_seen_subcommand_from key; and not __fish_seen_subcommand_from generate list show import trust export delete default' -f -a 'generate list show import trust export delete default'
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l id -x
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l suite -x
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l expires -x
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l output -r
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l no-password
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l profile -x
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l passphrase-fd -x
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l passphrase-file -r
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from generate' -l json
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from list' -s v
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from list' -l json
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from show' -l json
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from show' -f -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from import' -l id -x
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from import' -l trust
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from import' -l json
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from trust' -l json
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from trust' -f -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from export' -l public
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from export' -s o -r
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from export' -f -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from delete' -l yes
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from delete' -f -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from key; and __fish_seen_subcommand_from default' -f -a '(__ct_keys)'
complete -c ct -n __fish_use_subcommand -f -a pack -d 'wrap an OCI image into a signed bundle'
complete -c ct -n '__fish_seen_subcommand_from pack' -s k -x -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from pack' -l no-sign
complete -c ct -n '__fish_seen_subcommand_from pack' -l expires -x
complete -c ct -n '__fish_seen_subcommand_from pack' -l sbom -r
complete -c ct -n '__fish_seen_subcommand_from pack' -l provenance -r
complete -c ct -n '__fish_seen_subcommand_from pack' -l platform -x
complete -c ct -n '__fish_seen_subcommand_from pack' -l name -x
complete -c ct -n '__fish_seen_subcommand_from pack' -l version -x
complete -c ct -n '__fish_seen_subcommand_from pack' -l json
complete -c ct -n '__fish_seen_subcommand_from pack' -s q
complete -c ct -n '__fish_seen_subcommand_from pack' -s o -r
complete -c ct -n __fish_use_subcommand -f -a sign -d 'sign a bundle'
complete -c ct -n '__fish_seen_subcommand_from sign' -s k -x -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from sign' -l expires -x
complete -c ct -n '__fish_seen_subcommand_from sign' -l sbom -r
complete -c ct -n '__fish_seen_subcommand_from sign' -l provenance -r
complete -c ct -n '__fish_seen_subcommand_from sign' -l json
complete -c ct -n '__fish_seen_subcommand_from sign' -s q
complete -c ct -n '__fish_seen_subcommand_from sign' -s o -r
complete -c ct -n __fish_use_subcommand -f -a attest -d 'attach a signed statement to a bundle that is there'
complete -c ct -n '__fish_seen_subcommand_from attest' -s k -x -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from attest' -l sbom -r
complete -c ct -n '__fish_seen_subcommand_from attest' -l provenance -r
complete -c ct -n '__fish_seen_subcommand_from attest' -l json
complete -c ct -n '__fish_seen_subcommand_from attest' -s q
complete -c ct -n '__fish_seen_subcommand_from attest' -s o -r
complete -c ct -n __fish_use_subcommand -f -a verify -d 'judge bundles: whole, genuine, trusted, as the policy says'
complete -c ct -n '__fish_seen_subcommand_from verify' -s v
complete -c ct -n '__fish_seen_subcommand_from verify' -l all
complete -c ct -n '__fish_seen_subcommand_from verify' -l json
complete -c ct -n '__fish_seen_subcommand_from verify' -l policy -r
complete -c ct -n '__fish_seen_subcommand_from verify' -l expect -x
complete -c ct -n '__fish_seen_subcommand_from verify' -l at -x
complete -c ct -n __fish_use_subcommand -f -a explain -d 'say what a bundle is and why it is or is not trusted'
complete -c ct -n '__fish_seen_subcommand_from explain' -l signers
complete -c ct -n '__fish_seen_subcommand_from explain' -l layers
complete -c ct -n '__fish_seen_subcommand_from explain' -l json
complete -c ct -n '__fish_seen_subcommand_from explain' -l policy -r
complete -c ct -n '__fish_seen_subcommand_from explain' -l at -x
complete -c ct -n '__fish_seen_subcommand_from explain' -l list
complete -c ct -n __fish_use_subcommand -f -a policy -d 'make, show, check and extend the trust policy'
complete -c ct -n '__fish_seen_subcommand_from policy; and not __fish_seen_subcommand_from init show check add-signer add-registry' -f -a 'init show check add-signer add-registry'
complete -c ct -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from init' -l yes
complete -c ct -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from init' -l policy -r
complete -c ct -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from show' -l policy -r
complete -c ct -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from add-signer' -l required
complete -c ct -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from add-signer' -l policy -r
complete -c ct -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from add-signer' -f -a '(__ct_keys)'
complete -c ct -n '__fish_seen_subcommand_from policy; and __fish_seen_subcommand_from add-registry' -l policy -r
complete -c ct -n __fish_use_subcommand -f -a config -d 'show, check and change the settings'
complete -c ct -n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from show check set unset path' -f -a 'show check set unset path'
complete -c ct -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from show' -l json
complete -c ct -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from check' -l json
complete -c ct -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from set' -f -a 'defaults.policy defaults.key defaults.suite defaults.runtime output.format output.color registries.insecure registries.realms crypto.ml_dsa crypto.liboqs cache.dir'
complete -c ct -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from unset' -f -a 'defaults.policy defaults.key defaults.suite defaults.runtime output.format output.color registries.insecure registries.realms crypto.ml_dsa crypto.liboqs cache.dir'
complete -c ct-oci2ctp -l platform -x
complete -c ct-oci2ctp -l name -x
complete -c ct-oci2ctp -l version -x
complete -c ct-oci2ctp -l workdir -r
complete -c ct-canon -l check
complete -c ct-canon -l json
complete -c ct-open -l fd -x
complete -c ct-attest -l sbom -r
complete -c ct-attest -l provenance -r
complete -c ct-sign -s k -x -a '(__ct_keys)'
complete -c ct-sign -l expires -x
complete -c ct-sign -l passphrase-fd -x
complete -c ct-sign -l passphrase-file -r
complete -c ct-sign -l workdir -r
complete -c ct-sign -l statements
complete -c ct-check -l all
complete -c ct-write -l new
complete -c ct-write -l report -x -a 'packed signed attested'
complete -c ct-write -l json
complete -c ct-write -s q
complete -c ct-write -s o -r
complete -c ct-hash -l fd -x
complete -c ct-hash -l all
complete -c ct-policy -l policy -r
complete -c ct-policy -l expect -x
complete -c ct-policy -l at -x
complete -c ct-policy -l all
complete -c ct-explain -l verdict
complete -c ct-explain -s v
complete -c ct-explain -l signers
complete -c ct-explain -l layers
complete -c ct-explain -l json
complete -c ct-explain -l finding -x
complete -c ct-explain -l list
complete -c ct-policy-edit -n 'not __fish_seen_subcommand_from init show check add-signer add-registry' -f -a 'init show check add-signer add-registry'
complete -c ct-policy-edit -n '__fish_seen_subcommand_from init' -l yes
complete -c ct-policy-edit -n '__fish_seen_subcommand_from init' -l policy -r
complete -c ct-policy-edit -n '__fish_seen_subcommand_from show' -l policy -r
complete -c ct-policy-edit -n '__fish_seen_subcommand_from add-signer' -l required
complete -c ct-policy-edit -n '__fish_seen_subcommand_from add-signer' -l policy -r
complete -c ct-policy-edit -n '__fish_seen_subcommand_from add-registry' -l policy -r
