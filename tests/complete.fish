# fish completion for ct: @HEAD@

# What may follow in a state: the subcommands, the options, the kinds of the operands.
function __ct_below # STATE
	switch $argv[1]
@BELOW@
	end
end

function __ct_options # STATE
	switch $argv[1]
@OPTIONS@
	end
end

function __ct_operands # STATE
	switch $argv[1]
@OPERANDS@
	end
end

# The kind of an option's value.
function __ct_value # STATE:OPTION
	switch $argv[1]
@VALUES@
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
			printf "$argv[2]%s\tfinding\n" @FINDINGS@
		case image
			for source in @SOURCES@
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

for program in @PROGRAMS@
	complete -c $program -f -a '(__ct_complete)'
end
