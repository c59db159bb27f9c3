# Completion of dm-account for bash: verbs and options as its help has them,
# ids as the store has them, for those who can read its key.

_dm_account()
{
    local cur prev words cword i verb= key= help usage options
    local globals=()

    _init_completion -n := || return

    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --store | --key)
            [ "${words[i]}" != --key ] || key=${words[i + 1]}
            globals+=("${words[i]}" "${words[++i]}") ;;
        -*)
            ;;
        *)
            verb=${words[i]}
            break ;;
        esac
    done

    help=$("$1" help ${verb:+"$verb"} 2> /dev/null) || return 0
    usage=${help%%$'\n'*}
    options=$(sed -n 's/^  \(--[a-z0-9-]*\).*/\1/p' <<< "$help")

    if [[ $prev == --* ]] \
        && grep -qE "^  $prev +(FILE|PATH)\b" <<< "$help" 2> /dev/null
    then
        _filedir

    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options --help" -- "$cur"))

    elif [ -z "$verb" ] || [ "$prev" = help ]; then
        COMPREPLY=($(compgen -W "$("$1" help \
            | sed -n '/^verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p')" -- "$cur"))

    elif [ "$verb" = replicate ] && [ "$prev" = replicate ]; then
        COMPREPLY=($(compgen -W "init status log repair prune" -- "$cur"))

    elif [ "$prev" != "$verb" ]; then
        return 0

    elif [[ $usage == *" $verb FILE"* || $usage == *" $verb DIR"* ]]; then
        _filedir

    elif [[ $usage == *" $verb ID"* && $verb != add \
        && -r ${key:-${DM_SEC_STORE_KEY:-/etc/dm-sec/store.key}} ]]
    then
        COMPREPLY=($(compgen -W "$(timeout 2 "$1" "${globals[@]}" list \
            2> /dev/null | cut -d ' ' -f 1)" -- "$cur"))
        __ltrim_colon_completions "$cur"
    fi
} && complete -F _dm_account dm-account
